//! Enums: the recorded words as closed lists.

use async_graphql::{Enum, Error, Result};
use serde::de::DeserializeOwned;

use crate::error::internal;

/// Where a round stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoundState {
    /// Miners are drawn; it has not ended.
    Open,
    /// It ended with scores.
    Evaluated,
    /// It ended without scores.
    Abandoned,
}

/// Where a request to a miner stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseStatus {
    /// The miner is drawn.
    Drawn,
    /// The request is recorded and may have left.
    Issued,
    /// A usable answer is recorded.
    Received,
    /// There is no usable answer.
    Failed,
}

/// Why there is no usable answer.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::FailureReason")]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureReason {
    /// No connection could be made.
    Unreachable,
    /// Not complete at the deadline.
    TimedOut,
    /// A status other than 200.
    Refused,
    /// What came is no complete answer of the protocol.
    Protocol,
    /// A body that is no answer of the dialect.
    Malformed,
    /// A body over the limit.
    TooLarge,
    /// A signature that does not verify.
    BadSignature,
    /// The address is not one that the validator may contact.
    ForbiddenAddress,
    /// The answer came, but a model refused to judge it.
    NotJudged,
}

/// By which stage of the mechanism a response was dropped.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::FilterStage")]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilterStage {
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
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::ZeroReason")]
#[serde(rename_all = "snake_case")]
pub(crate) enum ZeroReason {
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
    /// The mechanism could not be computed.
    EvaluationError,
    /// Never drawn in the window.
    NotSampled,
    /// Drawn, but no answer of the window counted.
    NeverAnswered,
    /// Last seen too long ago.
    Stale,
    /// Not a miner that can be paid.
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

/// Where an epoch stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EpochState {
    /// Rounds count in it.
    Open,
    /// Its weights are derived.
    Derived,
    /// It ended.
    Closed,
}

/// How an epoch ended.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::EpochOutcome")]
#[serde(rename_all = "snake_case")]
pub(crate) enum EpochOutcome {
    /// The weights stand on chain.
    Included,
    /// Nothing was to be submitted.
    Skipped,
    /// The chain refused, or the extrinsic expired.
    Failed,
}

/// Which fall-back was in force when weights were derived.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::WeightMode")]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeightMode {
    /// The normal freshness gate.
    Normal,
    /// A wider gate: the last update is long ago.
    Degraded,
    /// No gate: deregistration is near.
    Emergency,
}

/// Why no weights are submitted.
#[derive(Enum, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[graphql(remote = "domain::events::SkipReason")]
#[serde(rename_all = "snake_case")]
pub(crate) enum SkipReason {
    /// No miner can be paid.
    NobodyServing,
    /// All scores are zero.
    NoScores,
    /// The chain would refuse so early a setting.
    RateLimited,
    /// The validator's hotkey is not registered.
    NotRegistered,
}

/// What stands between a miner and its weight.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "projections::queries::Stage")]
pub(crate) enum Stage {
    /// Its slot.
    Slot,
    /// Availability sweeps.
    Availability,
    /// Draws.
    Sampling,
    /// Its answers and their scores.
    Round,
    /// The moving average.
    Average,
    /// The derived weight.
    Weight,
    /// What came of it on chain.
    Chain,
}

/// A recorded word as its enum.
pub(crate) fn word<T: DeserializeOwned>(word: &str) -> Result<T> {
    let value = serde_json::Value::String(word.to_owned());
    serde_json::from_value(value).map_err(|error| unknown(word, &error))
}

/// A recorded word that may be missing.
pub(crate) fn word_if<T: DeserializeOwned>(text: Option<&String>) -> Result<Option<T>> {
    text.map(|text| word(text)).transpose()
}

fn unknown(word: &str, error: &serde_json::Error) -> Error {
    internal(&format!("the recorded word {word:?} is in no list of the schema: {error}"))
}
