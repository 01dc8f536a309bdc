//! Entries of the leaderboard.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use projections::{Frame, queries};

use super::miners::Miner;
use super::words::{ZeroReason, word_if};
use crate::context::Request;
use crate::error::{internal, of_read_models};
use crate::scalars::EventPosition;

/// One miner's standing.
pub(crate) struct LeaderboardEntry {
    pub(crate) frame: Arc<Frame>,
    pub(crate) row: queries::LeaderboardRow,
    pub(crate) live: bool,
    pub(crate) weight_epoch: Option<u64>,
}

/// One miner's standing.
#[Object]
impl LeaderboardEntry {
    /// 1 for the best; equal averages are ordered by hotkey.
    async fn rank(&self) -> u32 {
        self.row.rank
    }
    /// The slot it holds.
    async fn uid(&self) -> Option<u16> {
        self.row.uid
    }
    /// The miner.
    async fn hotkey(&self) -> &str {
        &self.row.hotkey
    }
    /// The moving average; null before the first counted score of the window.
    async fn average(&self) -> Option<f64> {
        self.row.average
    }
    /// The 64 bits of the average, hex.
    async fn average_bits(&self) -> Option<&String> {
        self.row.average_bits.as_ref()
    }
    /// Whether the average takes scores since the last derivation into account.
    async fn live(&self) -> bool {
        self.live
    }
    /// The average at the last derived epoch.
    async fn derived_average(&self) -> Option<f64> {
        self.row.derived_average
    }
    /// Rounds in which it was drawn.
    async fn drawn(&self) -> u64 {
        self.row.drawn
    }
    /// Rounds in which a usable answer of it was recorded.
    async fn answered(&self) -> u64 {
        self.row.answered
    }
    /// The newest score.
    async fn last_score(&self) -> Option<f64> {
        self.row.last_score
    }
    /// Where the newest score is recorded.
    async fn last_score_position(&self) -> Option<EventPosition> {
        self.row.last_score_position.map(EventPosition)
    }
    /// Share in the newest epoch whose weights may be shown, 0 to 65535.
    async fn weight(&self) -> Option<u16> {
        self.row.weight
    }
    /// That epoch.
    async fn weight_epoch(&self) -> Option<u64> {
        self.weight_epoch
    }
    /// Why the weight is zero, if it is.
    async fn zero_reason(&self) -> Result<Option<ZeroReason>> {
        word_if(self.row.zero_reason.as_ref())
    }
    /// The miner with its history.
    #[graphql(complexity = "5 + child_complexity")]
    async fn miner(&self, context: &Context<'_>) -> Result<Option<Miner>> {
        let view = Request::of(context)?.view().await?;
        let hotkey = self.row.hotkey.parse();
        let hotkey = hotkey.map_err(|error| internal(&format!("hotkey {}: {error}", self.row.hotkey)))?;
        let found = queries::miner(&view, &self.frame, &hotkey).await.map_err(|error| of_read_models(&error))?;
        Ok(found.map(|miner| Miner(self.frame.clone(), miner)))
    }
}
