//! Rounds, responses and the similarity of answers.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use projections::{Frame, queries};

use super::Meta;
use super::narrative::RoundNarrative;
use super::scores::{Component, Score, components};
use super::words::{FailureReason, ResponseStatus, RoundState, word, word_if};
use crate::context::{Request, RoundAt};
use crate::error::of_read_models;
use crate::scalars::{BlockNumber, DateTime, EventPosition};

/// One attempt at one challenge.
pub(crate) struct Round(pub(crate) Arc<Frame>, pub(crate) queries::Round);

impl Round {
    fn key(&self) -> RoundAt {
        let key = queries::RoundKey { challenge_id: self.1.challenge_id.clone(), attempt: self.1.attempt };
        RoundAt { frame: self.0.clone(), key }
    }
}

/// One attempt at one challenge.
#[Object]
impl Round {
    /// At which position it was read.
    async fn meta(&self) -> Meta {
        Meta(self.0.clone())
    }
    /// The challenge.
    async fn challenge_id(&self) -> &str {
        &self.1.challenge_id
    }
    /// The attempt, from 1.
    async fn attempt(&self) -> u32 {
        self.1.attempt
    }
    /// Where it stands.
    async fn state(&self) -> Result<RoundState> {
        word(&self.1.state)
    }
    /// Where the challenge was accepted.
    async fn accepted_position(&self) -> Option<EventPosition> {
        self.1.accepted_position.map(EventPosition)
    }
    /// Where the miners were drawn.
    async fn position(&self) -> EventPosition {
        EventPosition(self.1.position)
    }
    /// When the miners were drawn.
    async fn at(&self) -> DateTime {
        DateTime(self.1.recorded_at)
    }
    /// Block last seen when the miners were drawn.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.1.block)
    }
    /// Where it was evaluated or abandoned.
    async fn ended_position(&self) -> Option<EventPosition> {
        self.1.ended_position.map(EventPosition)
    }
    /// When it was evaluated or abandoned.
    async fn ended_at(&self) -> Option<DateTime> {
        self.1.ended_at.map(DateTime)
    }
    /// The epoch that it counts in, once it has ended.
    async fn epoch(&self) -> Option<u64> {
        self.1.epoch
    }
    /// SHA-256 of the rule set, hex.
    async fn rule_set(&self) -> Option<&String> {
        self.1.rule_set.as_ref()
    }
    /// Seed of the draw, hex.
    async fn seed(&self) -> Option<&String> {
        self.1.seed.as_ref()
    }
    /// Commitment to the challenge, hex: shown at once, so that the prompt can be checked later.
    async fn commitment(&self) -> Option<&String> {
        self.1.commitment.as_ref()
    }
    /// What was asked. Null until the challenge has ended.
    async fn prompt(&self) -> Option<&String> {
        self.1.prompt.as_ref()
    }
    /// Whether prompt and answers may be shown: the challenge has ended.
    async fn disclosed(&self) -> bool {
        self.1.disclosed
    }
    /// Miners that could be drawn.
    async fn candidates(&self) -> u32 {
        self.1.candidates
    }
    /// Neurons that could not be drawn.
    async fn excluded(&self) -> u32 {
        self.1.excluded
    }
    /// Miners drawn.
    async fn drawn(&self) -> u32 {
        self.1.drawn
    }
    /// The mechanism's measure of agreement.
    async fn consensus(&self) -> Option<f64> {
        self.1.consensus
    }
    /// Whether it passed the mechanism's threshold.
    async fn consensus_achieved(&self) -> Option<bool> {
        self.1.consensus_achieved
    }
    /// Hotkey of the best answer.
    async fn best(&self) -> Option<&String> {
        self.1.best.as_ref()
    }
    /// Figures of the round as a whole.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn components(&self) -> Vec<Component> {
        components(&self.1.components)
    }
    /// Why it was abandoned.
    async fn abandon_reason(&self) -> Option<&String> {
        self.1.abandon_reason.as_ref()
    }
    /// Whether the challenge ended with it.
    async fn last_attempt(&self) -> Option<bool> {
        self.1.last_attempt
    }
    /// What the drawn miners answered, in order of the draw.
    #[graphql(complexity = "5 + 8 * child_complexity")]
    async fn responses(&self, context: &Context<'_>) -> Result<Vec<Response>> {
        let found = Request::of(context)?.responses(self.key()).await?;
        Ok(found.into_iter().map(Response).collect())
    }
    /// The scores, in order of position.
    #[graphql(complexity = "5 + 8 * child_complexity")]
    async fn scores(&self, context: &Context<'_>) -> Result<Vec<Score>> {
        let found = Request::of(context)?.scores(self.key()).await?;
        Ok(found.into_iter().map(|score| Score(self.0.clone(), score)).collect())
    }
    /// Cosines between the answers, as a heatmap; null until the round is evaluated.
    #[graphql(complexity = "40 + child_complexity")]
    async fn similarity(&self, context: &Context<'_>) -> Result<Option<Similarity>> {
        let view = Request::of(context)?.view().await?;
        let found = queries::similarity(&view, &self.0, &self.key().key).await;
        let found = found.map_err(|error| of_read_models(&error))?;
        Ok(found.map(|found| Similarity { size: found.labels.len(), labels: found.labels, rows: found.rows }))
    }
    /// The round told in sentences, by rules from its recorded facts; null while it is open.
    #[graphql(complexity = "60 + child_complexity")]
    async fn narrative(&self, context: &Context<'_>) -> Result<Option<RoundNarrative>> {
        if self.1.ended_position.is_none() {
            return Ok(None);
        }
        let request = Request::of(context)?;
        let (responses, scores) = (request.responses(self.key()).await?, request.scores(self.key()).await?);
        let view = request.view().await?;
        let similarity = queries::similarity(&view, &self.0, &self.key().key).await;
        let similarity = similarity.map_err(|error| of_read_models(&error))?;
        let rules = queries::rules_of(&view, &self.0, &self.1).await.map_err(|error| of_read_models(&error))?;
        let told = queries::narrate(&self.1, rules.as_deref(), &responses, &scores, similarity.as_ref());
        Ok(told.map(RoundNarrative::from))
    }
}

/// Cosines between the answers of a round.
#[derive(SimpleObject)]
pub(crate) struct Similarity {
    /// Hotkeys of the rows and columns, in order.
    labels: Vec<String>,
    /// Rows and columns.
    size: usize,
    /// The whole symmetric matrix, row by row.
    rows: Vec<Vec<f64>>,
}

/// What one drawn miner answered.
pub(crate) struct Response(queries::Response);

/// What one drawn miner answered.
#[Object]
impl Response {
    /// The miner.
    async fn hotkey(&self) -> &str {
        &self.0.hotkey
    }
    /// Its slot when drawn.
    async fn uid(&self) -> u16 {
        self.0.uid
    }
    /// Where the request stands.
    async fn status(&self) -> Result<ResponseStatus> {
        word(&self.0.status)
    }
    /// Where the request was recorded, before it left.
    async fn issued_position(&self) -> Option<EventPosition> {
        self.0.issued_position.map(EventPosition)
    }
    /// Where the answer or failure was recorded.
    async fn answered_position(&self) -> Option<EventPosition> {
        self.0.answered_position.map(EventPosition)
    }
    /// Why there is no usable answer.
    async fn failure(&self) -> Result<Option<FailureReason>> {
        word_if(self.0.failure.as_ref())
    }
    /// Details of the failure. Null until the challenge has ended.
    async fn detail(&self) -> Option<&String> {
        self.0.detail.as_ref()
    }
    /// HTTP status, 0 if there was none.
    async fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }
    /// Milliseconds until the answer or the failure.
    async fn response_time_ms(&self) -> Option<u64> {
        self.0.response_time_ms
    }
    /// Whether the miner signed it.
    async fn signed(&self) -> Option<bool> {
        self.0.signed
    }
    /// The body as text. Null until the challenge has ended.
    async fn body(&self) -> Option<&String> {
        self.0.body.as_ref()
    }
}
