//! Epochs, derivations, weights and their way to the chain.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use projections::{Frame, queries};

use super::Meta;
use super::miners::MovingAverage;
use super::words::{EpochOutcome, EpochState, SkipReason, WeightMode, ZeroReason, word_if};
use crate::context::Request;
use crate::error::of_read_models;
use crate::scalars::{BlockNumber, DateTime, EventPosition};

/// One weight decision.
pub(crate) struct Epoch(pub(crate) Arc<Frame>, pub(crate) queries::Epoch);

/// One weight decision.
#[Object]
impl Epoch {
    /// At which position it was read.
    async fn meta(&self) -> Meta {
        Meta(self.0.clone())
    }
    /// 0, 1, 2 … without gaps.
    async fn number(&self) -> u64 {
        self.1.epoch
    }
    /// Where it stands.
    async fn state(&self) -> EpochState {
        match (&self.1.closed_position, &self.1.derivation) {
            (Some(_), _) => EpochState::Closed,
            (None, Some(_)) => EpochState::Derived,
            (None, None) => EpochState::Open,
        }
    }
    /// Where it was opened.
    async fn position(&self) -> EventPosition {
        EventPosition(self.1.position)
    }
    /// When it was opened.
    async fn opened_at(&self) -> DateTime {
        DateTime(self.1.opened_at)
    }
    /// Newest block when it was opened.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.1.block)
    }
    /// The chain's own epoch number for that block.
    async fn chain_epoch(&self) -> BlockNumber {
        BlockNumber(self.1.chain_epoch)
    }
    /// SHA-256 of the rule set, hex.
    async fn rule_set(&self) -> &str {
        &self.1.rule_set
    }
    /// The rule set's name.
    async fn rule_set_name(&self) -> Option<&String> {
        self.1.rule_set_name.as_ref()
    }
    /// The newest derivation of its weights.
    async fn derivation(&self) -> Option<Derivation> {
        self.1.derivation.clone().map(Derivation)
    }
    /// Whether the weights may be shown: they stand on chain, are revealed, or the epoch is closed.
    async fn weights_public(&self) -> bool {
        self.1.weights_public
    }
    /// Where the weights became public.
    async fn public_position(&self) -> Option<EventPosition> {
        self.1.public_position.map(EventPosition)
    }
    /// Non-zero weights by uid, and every zero with its reason. Null until they may be shown.
    #[graphql(complexity = "10 + 8 * child_complexity")]
    async fn weights(&self, context: &Context<'_>) -> Result<Option<Weights>> {
        let view = Request::of(context)?.view().await?;
        let found = queries::weights_of(&view, &self.0, &self.1).await.map_err(|error| of_read_models(&error))?;
        let all = |weights: Vec<queries::EpochWeight>| weights.into_iter().map(Weight).collect();
        Ok(found.public.then(|| Weights { nonzero: all(found.weights), zeros: all(found.zeros) }))
    }
    /// The moving averages that it carried out, by hotkey.
    #[graphql(complexity = "10 + 8 * child_complexity")]
    async fn moving_averages(&self, context: &Context<'_>) -> Result<Vec<MovingAverage>> {
        let view = Request::of(context)?.view().await?;
        let found = queries::averages_of_epoch(&view, &self.0, self.1.epoch).await;
        Ok(found.map_err(|error| of_read_models(&error))?.into_iter().map(MovingAverage::from).collect())
    }
    /// Anchor, submission and their fate, in order.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn steps(&self) -> Vec<ChainStep> {
        self.1.steps.iter().map(ChainStep::from).collect()
    }
    /// The block at which committed weights are to be revealed, while the epoch waits for that.
    async fn reveal_due(&self) -> Option<BlockNumber> {
        self.1.reveal_due.map(BlockNumber)
    }
    /// Where it was closed.
    async fn closed_position(&self) -> Option<EventPosition> {
        self.1.closed_position.map(EventPosition)
    }
    /// When it was closed.
    async fn closed_at(&self) -> Option<DateTime> {
        self.1.closed_at.map(DateTime)
    }
    /// How it ended.
    async fn outcome(&self) -> Result<Option<EpochOutcome>> {
        word_if(self.1.outcome.as_ref())
    }
    /// Why it ended so, when the weights are not included.
    async fn reason(&self) -> Option<&String> {
        self.1.reason.as_ref()
    }
}

/// Where weights were derived, and from what.
pub(crate) struct Derivation(queries::Derivation);

/// Where weights were derived, and from what.
#[Object]
impl Derivation {
    /// 0, or the number of corrections.
    async fn revision(&self) -> u16 {
        self.0.revision
    }
    /// Position of the event.
    async fn position(&self) -> EventPosition {
        EventPosition(self.0.position)
    }
    /// Its leaf hash, hex: shown at once, so that the weights can be checked later.
    async fn leaf_hash(&self) -> &str {
        &self.0.leaf_hash
    }
    /// First position of the range.
    async fn range_from(&self) -> EventPosition {
        EventPosition(self.0.range_from)
    }
    /// Last position of the range.
    async fn range_to(&self) -> EventPosition {
        EventPosition(self.0.range_to)
    }
    /// Where the metagraph stands that gave the uids.
    async fn metagraph_position(&self) -> EventPosition {
        EventPosition(self.0.metagraph_position)
    }
    /// Block at which uids were read.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.0.block)
    }
    /// Which fall-back was in force. Null until the weights may be shown.
    async fn mode(&self) -> Result<Option<WeightMode>> {
        word_if(self.0.mode.as_ref())
    }
    /// Rounds evaluated in the range. Null until the weights may be shown.
    async fn rounds(&self) -> Option<u64> {
        self.0.rounds
    }
    /// Why nothing is to be submitted. Null until the weights may be shown.
    async fn skip(&self) -> Result<Option<SkipReason>> {
        word_if(self.0.skip.as_ref())
    }
}

/// The weights of an epoch.
#[derive(SimpleObject)]
pub(crate) struct Weights {
    /// By uid.
    nonzero: Vec<Weight>,
    /// Everybody else with the reason, by uid.
    zeros: Vec<Weight>,
}

/// One miner's share.
pub(crate) struct Weight(queries::EpochWeight);

/// One miner's share.
#[Object]
impl Weight {
    /// The slot.
    async fn uid(&self) -> u16 {
        self.0.uid
    }
    /// Who held it.
    async fn hotkey(&self) -> &str {
        &self.0.hotkey
    }
    /// 0 to 65535.
    async fn weight(&self) -> u16 {
        self.0.weight
    }
    /// Why it is zero, if it is.
    async fn reason(&self) -> Result<Option<ZeroReason>> {
        word_if(self.0.reason.as_ref())
    }
    /// The reason as a sentence.
    async fn explanation(&self) -> Option<String> {
        self.0.reason.as_ref().map(|reason| queries::explain_reason(reason))
    }
}

/// A step on the way to the chain.
#[derive(SimpleObject)]
pub(crate) struct ChainStep {
    /// Where it is recorded.
    position: EventPosition,
    /// When it was recorded.
    at: DateTime,
    /// `anchored`, `anchor_rejected`, `anchor_expired`, `submitted`, `committed`, `revealed`, `included` or `rejected`.
    step: String,
    /// Hash of the extrinsic, hex.
    extrinsic: Option<String>,
    /// The block; of a submission, where its mortality begins.
    block: Option<BlockNumber>,
    /// The block's hash, hex.
    block_hash: Option<String>,
    /// Leaves that an anchored checkpoint covers.
    size: Option<EventPosition>,
    /// Its root, or the commitment to weights, hex.
    root: Option<String>,
    /// The chain's name for an error, or when a commitment is revealed.
    detail: Option<String>,
}

impl From<&queries::ChainStep> for ChainStep {
    fn from(step: &queries::ChainStep) -> Self {
        Self {
            position: EventPosition(step.position),
            at: DateTime(step.recorded_at),
            step: step.step.clone(),
            extrinsic: step.extrinsic.clone(),
            block: step.block.map(BlockNumber),
            block_hash: step.block_hash.clone(),
            size: step.size.map(EventPosition),
            root: step.root.clone(),
            detail: step.detail.clone(),
        }
    }
}
