//! What a round came to: a score for each drawn miner with every part of it and the reason of a zero, and the round as a whole.

use super::round::FailureReason;
use crate::types::{Block, Digest, Hotkey, Position, Uid};
use serde::{Deserialize, Serialize};

/// By which stage of the mechanism a response was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterStage {
    /// A canned test answer.
    TestMode,
    /// Below the relevance gate or the quality threshold.
    Quality,
    /// A local outlier.
    Outlier,
    /// Not in the dominant cluster.
    Cluster,
    /// Too short.
    Length,
}

/// Why a score or weight is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroReason {
    /// No connection could be made.
    Unreachable,
    /// Not complete at the deadline.
    TimedOut,
    /// A status other than 200.
    Refused,
    /// What came is no complete answer of the protocol.
    Protocol,
    /// A body that is no answer.
    Malformed,
    /// A body over the limit.
    TooLarge,
    /// A signature that does not verify.
    BadSignature,
    /// An address that may not be contacted.
    ForbiddenAddress,
    /// A canned test answer.
    TestMode,
    /// Dropped by the relevance gate or quality filter.
    FilteredByQuality,
    /// Dropped as an outlier.
    FilteredAsOutlier,
    /// Dropped by the length filter.
    FilteredByLength,
    /// Not in the dominant cluster.
    FilteredByCluster,
    /// Fewer than two answers survived, so there was no consensus to measure.
    NoConsensus,
    /// The only valid answer was off topic.
    OffTopic,
    /// Took the whole of the round's response time.
    NoTimeShare,
    /// The mechanism could not be computed (all response times were zero).
    EvaluationError,
    /// Never drawn in the window.
    NotSampled,
    /// Drawn, but no answer of the window counted.
    NeverAnswered,
    /// Last seen too long ago.
    Stale,
    /// Not a miner that can be paid: no axon, the validator itself, or a validator.
    NotServing,
    /// The moving average is zero or less.
    NoScore,
    /// The share rounds to 0 of 65535.
    QuantisedToZero,
    /// The slot changed hands before submission.
    UidReassigned,
    /// An answer without content.
    EmptyAnswer,
    /// Values outside of what the protocol allows.
    InvalidAnswer,
    /// Fewer tags than the mechanism asks for.
    TooFewTags,
    /// The verdict on the answer was zero, or too low to count.
    JudgedZero,
    /// There is no usable verdict on the answer.
    NoJudgement,
    /// Penalties took all of it.
    Penalised,
    /// The same answer came from another miner, too.
    Duplicate,
    /// Too many miners of its address, endpoint or coldkey.
    OverQuota,
    /// The label that decides is not known yet.
    AwaitingLabel,
    /// The predicted class is not the true one.
    WrongPrediction,
    /// The rule set pays this to somebody else.
    Burned,
    /// The answers are worth no more than always the same one.
    NotAboveConstant,
}

impl From<FailureReason> for ZeroReason {
    fn from(reason: FailureReason) -> Self {
        match reason {
            FailureReason::Unreachable => Self::Unreachable,
            FailureReason::TimedOut => Self::TimedOut,
            FailureReason::Refused => Self::Refused,
            FailureReason::Protocol => Self::Protocol,
            FailureReason::Malformed => Self::Malformed,
            FailureReason::TooLarge => Self::TooLarge,
            FailureReason::BadSignature => Self::BadSignature,
            FailureReason::ForbiddenAddress => Self::ForbiddenAddress,
            FailureReason::NotJudged => Self::NoJudgement,
        }
    }
}

/// One named part of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The mechanism's name for it.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// A running statistic of a mechanism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistic {
    /// The mechanism's name for it.
    pub name: String,
    /// Its values.
    pub values: Vec<f64>,
}

/// What the mechanism made of one drawn miner: a pure function of the round's facts and the rule set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseScored {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: Hotkey,
    /// Its slot when drawn.
    pub uid: Uid,
    /// The score that enters the moving average (Loosh: the emission).
    pub score: f64,
    /// Whether it enters the moving average at all.
    pub counted: bool,
    /// The stage that dropped the response, if one did.
    pub filtered: Option<FilterStage>,
    /// Why the score is zero, if it is.
    pub reason: Option<ZeroReason>,
    /// Every component, in the mechanism's order.
    pub components: Vec<Component>,
}

/// A round ended with scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundEvaluated {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// SHA-256 of the rule set's bytes.
    pub rule_set: Digest,
    /// The mechanism's measure of agreement (Loosh: theta).
    pub consensus: f64,
    /// Whether it passed the mechanism's threshold.
    pub consensus_achieved: bool,
    /// The best answer's miner, if there is one.
    pub best: Option<Hotkey>,
    /// Figures of the round as a whole, in the mechanism's order.
    pub components: Vec<Component>,
    /// Miners of the rows and columns of `similarity`, in order.
    pub labels: Vec<Hotkey>,
    /// The label by which it is scored once more; none when it is scored for the first time.
    pub label: Option<Position>,
    /// Running statistics after it; the next round goes on from them.
    pub statistics: Vec<Statistic>,
    /// Upper triangle with the diagonal, row by row, big-endian f64 cosines.
    pub similarity: Block,
}
