//! The facts Assay records and the pure functions over them.
//!
//! **Architecture invariant:** nothing here performs I/O, reads a clock, draws a random number or depends on hash-map
//! order. The validator's decision and the audit's recomputation are the same functions of the same recorded facts.

#![forbid(unsafe_code)]

pub mod bettertherapy;
mod calendar;
pub mod cgp;
pub mod codec;
pub mod conversion;
pub mod draw;
pub mod epoch;
pub mod events;
pub mod finite;
pub mod half;
pub mod loosh;
pub mod math;
pub mod mechanism;
pub mod metagraph;
pub mod round;
pub mod ruleset;
pub mod sdk_weights;
pub mod selection;
pub mod ss58;
pub mod text;
pub mod twitter;
pub mod types;
pub mod wire;

/// A consistency boundary: `decide` turns a command into events or refuses it, `apply` folds an event into the state.
///
/// Both are pure; `ledger` adapts any of them to `cqrs_es::Aggregate`.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    /// Type of the stream that holds the aggregate's events.
    const STREAM_TYPE: &'static str;
    /// What a caller asks for.
    type Command: Send + std::fmt::Debug;
    /// Why a command was refused.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The events that the command leads to in this state.
    ///
    /// # Errors
    /// Refuses a command that the state does not allow; the state is unchanged.
    fn decide(&self, command: Self::Command) -> Result<Vec<events::Event>, Self::Error>;

    /// Folds one recorded event into the state. Events of other aggregates are ignored.
    fn apply(&mut self, event: &events::Event);
}
