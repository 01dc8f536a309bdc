//! Conversion prediction: miners say whether a conversation converts, and when (rule sets `conversion/readme`,
//! `conversion/0.1.0` and `conversion/assay-1`).
//!
//! One file per idea, in the order of a round: `features` is the table of the 40 features, `feature_set` a conversation,
//! `generate` draws one and `repair` makes it consistent; `task` is what a round asks; `synapse` reads what a miner sent and
//! `prediction` decides whether it counts; `truth` is the label with its latency; `reward` has the terms, `classes` the
//! running class weights, `round` puts them together; `average` turns rewards into weights, `skill`
//! says what of an average is above a constant answer's. `value` holds foreign JSON as
//! Python would. `constants` and `rules` are the rule sets, `weaknesses` what is wrong with one; `mechanism`, `evaluation`, `record` and `derivation` lead from
//! events to these functions and back. "Spec" in comments is the mechanism's specification that these files were written
//! from.
//!
//! **Architecture invariant:** nothing below reads anything but its arguments, only the four files named last know events, and
//! no claim of a miner about time or identity is used unless the rule set says so.

pub mod average;
pub mod classes;
pub mod constants;
mod derivation;
mod evaluation;
pub mod feature_set;
pub mod features;
pub mod generate;
pub mod mechanism;
pub mod prediction;
mod record;
pub mod repair;
pub mod reward;
pub mod round;
pub mod rules;
pub mod skill;
pub mod synapse;
pub mod task;
pub mod truth;
pub mod value;
mod weaknesses;

/// Why something from outside cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConversionError {
    /// A feature that a computation needs is not there.
    #[error("feature {0} is missing")]
    MissingFeature(&'static str),
    /// A feature that a computation needs is no number.
    #[error("feature {0} is no number")]
    NotANumber(&'static str),
    /// A quotient of features has the divisor zero.
    #[error("feature {0} is zero where it divides")]
    DividesByZero(&'static str),
    /// Required features are missing.
    #[error("required features are missing: {}", .0.join(", "))]
    RequiredMissing(Vec<&'static str>),
    /// Required features have the wrong type.
    #[error("required features have the wrong type: {}", .0.join(", "))]
    RequiredType(Vec<&'static str>),
    /// A text that is no JSON of the expected shape.
    #[error("{what} is malformed: {problem}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// More bytes than are read.
    #[error("{what} of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// What was read.
        what: &'static str,
        /// How many bytes it has.
        length: usize,
        /// How many are read.
        limit: usize,
    },
    /// A label of another conversation.
    #[error("the label is of {found:?}, not of {asked:?}")]
    OtherLabel {
        /// The conversation asked about.
        asked: String,
        /// The conversation answered about.
        found: String,
    },
}
