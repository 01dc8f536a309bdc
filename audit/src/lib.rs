//! What an auditor runs: leaf and bundle formats, tree check, replay and report.
//!
//! ```text
//! events in order ─► Replay ─► Report        (recompute draws, scores, averages, weights; compare)
//!                      ▲
//! bundle bytes ──► bundle::Reader            (the same events, with proofs against a signed checkpoint)
//! ```
//!
//! **Architecture invariant:** this crate is pure: no I/O of its own, no clock, no randomness, no hash-map order, nothing
//! async in its dependency tree. An auditor builds it alone and gets the same bits on every machine.
//!
//! **Architecture invariant:** everything it reads is hostile; no input makes it panic.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod chain_view;
pub mod comparison;
pub mod difference;
pub mod findings;
pub mod keys;
pub mod leaf;
pub mod record;
pub mod replay;
pub mod report;
pub mod what_if;

pub use chain_view::{ChainView, Wanted};
pub use difference::Difference;
pub use record::Recorded;
pub use replay::{Progress, Replay, Settings};
pub use report::{Report, RevealDue, Verdict};
