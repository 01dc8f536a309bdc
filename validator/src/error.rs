//! What can go wrong with a validator as a whole. Failures of one round or one submission are events, not errors.

use domain::types::{Digest, Position};

/// Why a validator cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger refused or is gone.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The chain refused or is gone.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// The rule set is not known or not sound.
    #[error(transparent)]
    RuleSet(#[from] domain::ruleset::RuleSetError),
    /// The open epoch began under a rule set that this program does not read.
    #[error(
        "the open epoch began under rule set {rule_set}, which this program does not read; let the version that began the \
         epoch close it, or begin a new ledger (--ledger-number)"
    )]
    OpenEpoch {
        /// `algorithm/version`.
        rule_set: String,
        /// What it cannot read.
        #[source]
        source: domain::ruleset::RuleSetError,
    },
    /// An event could not be written or read.
    #[error("event at position {position:?} cannot be used")]
    Codec {
        /// Where, for a recorded one.
        position: Option<Position>,
        /// The cause.
        #[source]
        source: domain::codec::CodecError,
    },
    /// The state carried by the last derivation contradicts itself.
    #[error(transparent)]
    CarriedState(#[from] domain::epoch::CarriedStateError),
    /// The chain is not the one that the ledger was opened for.
    #[error("the chain's genesis is {chain}, but ledger {origin} was opened for {ledger}; begin a new ledger")]
    OtherChain {
        /// The ledger.
        origin: String,
        /// Genesis of the chain that is connected.
        chain: Digest,
        /// Genesis that the ledger states.
        ledger: Digest,
    },
    /// The ledger was opened with other keys or for another subnet.
    #[error(
        "ledger {origin} was opened with another {what}; configure that one, or begin a new ledger (--ledger-number)"
    )]
    OtherIdentity {
        /// The ledger.
        origin: String,
        /// What differs.
        what: &'static str,
    },
    /// The embedding model is not one that the rule set accepts.
    #[error("rule set {rule_set} does not accept the embedding model {model} with weights {weights}")]
    ModelNotAccepted {
        /// The rule set.
        rule_set: String,
        /// The model.
        model: String,
        /// SHA-256 of its weights.
        weights: String,
    },
    /// A setting that cannot work.
    #[error("setting {setting} {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// An aggregate refused a command: the log is not in the state that this process believes it is in.
    #[error("the log refuses: {0}")]
    Refused(String),
    /// A label that cannot be recorded. Nothing was.
    #[error("{field} of a label for round {round} is refused: {problem}")]
    Label {
        /// What is wrong: `round`, `source` or `label`.
        field: &'static str,
        /// The round, as its stream's id.
        round: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A stream is not at the version that a command was decided on; it is read anew.
    #[error("{0} was changed meanwhile")]
    Conflict(String),
    /// The fold of the log is behind: the ledger does not answer.
    #[error("the log was not read up to position {0} in time")]
    Lag(Position),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(String),
    /// A part ended when it must not.
    #[error("the validator's {0} ended unexpectedly")]
    Task(&'static str),
    /// The validator is stopping.
    #[error("the validator is stopping")]
    Stopping,
}

impl Error {
    /// Whether waiting can help: the chain or the ledger did not answer, or somebody was faster.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Chain(_) | Self::Conflict(_) | Self::Lag(_) => true,
            Self::Ledger(error) => !crate::journal::is_final(error),
            _ => false,
        }
    }
}
