//! What became of bringing a round's results back to the service that asked for it.

use crate::types::{Digest, Position};
use serde::{Deserialize, Serialize};

/// What of a round is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryItem {
    /// Answers and evaluation, as one document.
    Batch,
    /// The picture of how alike the answers are.
    Heatmap,
    /// The picture of how good they are.
    QualityPlot,
}

/// Which way it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryRoute {
    /// Encrypted, under a key that was brought before.
    Fiber,
    /// In clear, with a signature over the body.
    Plain,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The service has it.
    Delivered,
    /// The service will never take it.
    Refused,
    /// It is tried again, or another way.
    Failed,
    /// It is not tried again, though the service did not refuse it.
    GivenUp,
}

/// One attempt to bring something of an evaluated round to the service that asked for it. What is brought follows from the
/// round's own events, so that its hash alone stands here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryAttempted {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt at it that was evaluated.
    pub attempt: u32,
    /// Where its `RoundEvaluated` stands.
    pub evaluated: Position,
    /// What was brought.
    pub item: DeliveryItem,
    /// 1 for the first attempt to bring this item of this round.
    pub number: u32,
    /// Which way.
    pub route: DeliveryRoute,
    /// SHA-256 of the batch's JSON, or of the picture, before any encryption; none where nothing could be made of the record.
    pub request_hash: Option<Digest>,
    /// HTTP status, 0 if there was none.
    pub status: u16,
    /// What came of it.
    pub outcome: DeliveryOutcome,
    /// Details for a person.
    pub detail: String,
}
