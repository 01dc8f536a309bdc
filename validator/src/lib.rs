//! The validator: rounds, evidence, epochs, weight setting, and the routes through which challenges are pushed.
//!
//! **Architecture invariant:** whatever a decision depends on is read from the recorded events, never from a projection, a
//! cache that is not a fold of the log, or a clock. The pure functions of `domain` decide; this crate only produces facts,
//! commits them, and acts on the chain and on miners after the commit.
//!
//! **Architecture invariant:** no byte leaves for a miner or for the chain before the event that announces it is committed.

mod error;
pub mod service;
pub mod transport;

pub use error::Error;
