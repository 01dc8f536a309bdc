//! Twitter scraper: summaries of tweets, paid by reward models and penalties (rule sets `twitter/readme`,
//! `twitter/2.5.9`, `twitter/assay-1`).
//!
//! One file per idea, in the order of a round: `analysis` says what a prompt asks for, `tweet` and `summary` are the
//! miner's side; `judge` and `preference` turn recorded model outputs into raw rewards, `normaliser` and `reward` make
//! rewards of them, `criteria` and `penalty` take from them; `step` runs these for a round; `average` and `payout` turn
//! rewards into weights. `task` and `verdicts` say what miners and models are asked, `offline` answers without a model, and
//! `evaluation`, `report`, `running` and `derivation` put it all behind the trait in `mechanism`. `later` holds
//! rules of upstream's other versions, which no rule set uses.
//! "Spec" in comments is the mechanism's specification that these files were written from.
//!
//! Numbers are generic over their precision: the rule sets compute in single precision, as upstream does; double precision
//! shows how much of a result is rounding.
//!
//! **Architecture invariant:** nothing below reads anything but its arguments.

pub mod analysis;
pub mod average;
pub mod constants;
pub mod criteria;
mod derivation;
mod evaluation;
pub mod judge;
pub mod later;
pub mod mechanism;
pub mod normaliser;
pub mod numbers;
pub mod offline;
pub mod payout;
pub mod penalty;
pub mod preference;
mod report;
pub mod reward;
pub mod running;
pub mod step;
pub mod summary;
pub mod task;
pub mod tweet;
pub mod verdicts;
mod weaknesses;

/// Why something given to the mechanism cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A model's reply that is no analysis of a query.
    #[error("query analysis is unusable: {0}")]
    Analysis(String),
    /// A file of tweets that cannot be read.
    #[error("tweets are unusable: {0}")]
    Tweets(String),
    /// A length criterion has no target to be measured against.
    #[error("a length criterion with target 0 has no relative error")]
    NoTargetLength,
    /// Not one value per response.
    #[error("{what}: {found} values for {expected} responses")]
    Lengths {
        /// Which values.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A response that a model had to measure and did not.
    #[error("no output of the {model} reward model is recorded for response {response}")]
    MissingReward {
        /// The model.
        model: &'static str,
        /// The response's place.
        response: usize,
    },
    /// A slot beyond the vector of averages.
    #[error("uid {uid} is outside of {slots} slots")]
    Slot {
        /// The slot.
        uid: usize,
        /// How many there are.
        slots: usize,
    },
    /// Recorded outputs of a language model that do not fit its tokens.
    #[error("model output is malformed: {0}")]
    ModelOutput(String),
}
