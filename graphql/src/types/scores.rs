//! Scores with their components.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use projections::{Frame, queries};

use super::rounds::Round;
use super::words::{FilterStage, ZeroReason, word_if};
use crate::context::{Request, RoundAt};
use crate::scalars::{BlockNumber, DateTime, EventPosition};

/// One named part of a score.
#[derive(SimpleObject)]
pub(crate) struct Component {
    /// The mechanism's name for it.
    name: String,
    /// Its value.
    value: f64,
    /// The 64 bits of the value, hex.
    value_bits: String,
}

pub(crate) fn components(components: &[queries::Component]) -> Vec<Component> {
    let made = |component: &queries::Component| Component {
        name: component.name.clone(),
        value: component.value,
        value_bits: queries::bits(component.value),
    };
    components.iter().map(made).collect()
}

/// What a miner got in a round.
pub(crate) struct Score(pub(crate) Arc<Frame>, pub(crate) queries::Score);

/// What a miner got in a round.
#[Object]
impl Score {
    /// Position of the event.
    async fn position(&self) -> EventPosition {
        EventPosition(self.1.position)
    }
    /// When it was recorded.
    async fn at(&self) -> DateTime {
        DateTime(self.1.recorded_at)
    }
    /// Block last seen.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.1.block)
    }
    /// The epoch that it counts in.
    async fn epoch(&self) -> u64 {
        self.1.epoch
    }
    /// The challenge.
    async fn challenge_id(&self) -> &str {
        &self.1.challenge_id
    }
    /// The attempt, from 1.
    async fn attempt(&self) -> u32 {
        self.1.attempt
    }
    /// The miner.
    async fn hotkey(&self) -> &str {
        &self.1.hotkey
    }
    /// Its slot when drawn.
    async fn uid(&self) -> u16 {
        self.1.uid
    }
    /// The score that enters the moving average.
    async fn score(&self) -> f64 {
        self.1.score
    }
    /// The 64 bits of the score, hex: what an audit compares.
    async fn score_bits(&self) -> &str {
        &self.1.score_bits
    }
    /// Whether it enters the moving average at all.
    async fn counted(&self) -> bool {
        self.1.counted
    }
    /// The stage that dropped the response, if one did.
    async fn filtered(&self) -> Result<Option<FilterStage>> {
        word_if(self.1.filtered.as_ref())
    }
    /// Why the score is zero, if it is.
    async fn reason(&self) -> Result<Option<ZeroReason>> {
        word_if(self.1.reason.as_ref())
    }
    /// The reason as a sentence.
    async fn explanation(&self) -> Option<String> {
        self.1.reason.as_ref().map(|reason| queries::explain_reason(reason))
    }
    /// Every component, in the mechanism's order.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn components(&self) -> Vec<Component> {
        components(&self.1.components)
    }
    /// The round.
    #[graphql(complexity = "5 + child_complexity")]
    async fn round(&self, context: &Context<'_>) -> Result<Option<Round>> {
        let key = queries::RoundKey { challenge_id: self.1.challenge_id.clone(), attempt: self.1.attempt };
        let found = Request::of(context)?.round(RoundAt { frame: self.0.clone(), key }).await?;
        Ok(found.map(|round| Round(self.0.clone(), round)))
    }
}
