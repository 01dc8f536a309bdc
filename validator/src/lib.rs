//! The validator: rounds, evidence, epochs, weight setting, and the routes through which challenges are pushed.
//!
//! **Architecture invariant:** whatever a decision depends on is read from the recorded events, never from a projection, a
//! cache that is not a fold of the log, or a clock. The pure functions of `domain` decide; this crate only produces facts,
//! commits them, and acts on the chain and on miners after the commit.
//!
//! **Architecture invariant:** no byte leaves for a miner or for the chain before the event that announces it is committed.

pub mod api;
mod board;
mod chain_view;
pub mod clock;
mod commands;
mod config;
mod epochs;
mod error;
pub mod evidence;
pub mod faults;
mod journal;
pub mod judge;
mod keeper;
mod measures;
mod metagraph;
pub mod outbox;
mod remembered;
pub mod reward_models;
mod rounds;
mod rules;
pub mod service;
mod shared;
mod signers;
pub mod sources;
mod start;
mod stop;
mod sweep;
#[cfg(test)]
mod tests_support;
pub mod transport;

pub use config::{CommitForm, ValidatorConfig};
pub use error::Error;
pub use shared::streams;
pub use start::{Models, Validator, open_ledger, open_ledger_with};
