//! Every reader of network input on bytes that nobody meant: `make fuzz`.
//!
//! A [`Target`] is a reader with what it promises of what it accepts. Inputs are mutations of its seeds: the files in
//! `fuzz/seeds/<target>/`, which are kept, and those that are made at the start, such as a development node's answers. A reader
//! must not panic, must not break a promise, and must not take more time or memory than its input is worth. What breaks one is
//! written beside the seeds, so that it is tried first from then on.
//!
//! **Architecture invariant:** nothing here is part of the program, and no reader is changed for it: what is called is what the
//! program calls.

#![forbid(unsafe_code)]

mod mutation;
mod run;
mod targets;

pub use mutation::{Random, mutated};
pub use run::{Failure, Limits, Outcome, folder, holds, run, seeds};
pub use targets::{Target, targets};
