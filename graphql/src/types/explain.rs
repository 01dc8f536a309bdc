//! Why a weight is what it is.

use std::sync::Arc;

use async_graphql::{Object, Result};
use projections::{Frame, queries};

use super::words::{EpochState, Stage, ZeroReason, word, word_if};
use super::{Component, Meta, components};
use crate::scalars::EventPosition;

/// Why a miner's weight in an epoch is what it is: the chain of reasons, in the order in which they led to it.
pub(crate) struct Explanation(pub(crate) Arc<Frame>, pub(crate) queries::Explanation);

/// Why a miner's weight in an epoch is what it is: the chain of reasons, in the order in which they led to it.
#[Object]
impl Explanation {
    /// At which position it was read.
    async fn meta(&self) -> Meta {
        Meta(self.0.clone())
    }
    /// The miner.
    async fn hotkey(&self) -> &str {
        &self.1.hotkey
    }
    /// The epoch.
    async fn epoch(&self) -> u64 {
        self.1.epoch
    }
    /// Where the epoch stands.
    async fn state(&self) -> Result<EpochState> {
        word(&self.1.state)
    }
    /// The slot that the weight is for.
    async fn uid(&self) -> Option<u16> {
        self.1.uid
    }
    /// The weight, once it may be shown.
    async fn weight(&self) -> Option<u16> {
        self.1.weight
    }
    /// Why the weight is zero, if it is.
    async fn reason(&self) -> Result<Option<ZeroReason>> {
        word_if(self.1.reason.as_ref())
    }
    /// The moving average that the epoch carried out.
    async fn average(&self) -> Option<f64> {
        self.1.average
    }
    /// The 64 bits of the average, hex.
    async fn average_bits(&self) -> Option<&String> {
        self.1.average_bits.as_ref()
    }
    /// First position of the epoch's range.
    async fn range_from(&self) -> EventPosition {
        EventPosition(self.1.range_from)
    }
    /// Last position of the epoch's range, so far.
    async fn range_to(&self) -> EventPosition {
        EventPosition(self.1.range_to)
    }
    /// The answer in one sentence.
    async fn verdict(&self) -> &str {
        &self.1.verdict
    }
    /// What led to it.
    async fn steps(&self) -> Vec<ExplanationStep> {
        self.1.steps.iter().cloned().map(ExplanationStep).collect()
    }
}

/// One link of the chain of reasons.
pub(crate) struct ExplanationStep(queries::Step);

/// One link of the chain of reasons.
#[Object]
impl ExplanationStep {
    /// What it is about.
    async fn stage(&self) -> Stage {
        self.0.stage.into()
    }
    /// The event that says so, if it is one event.
    async fn position(&self) -> Option<EventPosition> {
        self.0.position.map(EventPosition)
    }
    /// What happened, as a sentence.
    async fn text(&self) -> &str {
        &self.0.text
    }
    /// The reason, if this step led to a zero.
    async fn reason(&self) -> Result<Option<ZeroReason>> {
        word_if(self.0.reason.as_ref())
    }
    /// The challenge, for a round.
    async fn challenge_id(&self) -> Option<&String> {
        self.0.challenge_id.as_ref()
    }
    /// The score, for a round.
    async fn score(&self) -> Option<f64> {
        self.0.score
    }
    /// Its components, for a round.
    async fn components(&self) -> Vec<Component> {
        components(&self.0.components)
    }
}
