//! The questions that the read models answer, as plain values: GraphQL, the command line and tests ask the same functions.
//!
//! Every question is asked in a [`Frame`](crate::Frame) and sees what was so at its position, not later facts.

mod averages;
mod columns;
mod epochs;
mod explain;
mod feed;
mod heatmap;
mod leaderboard;
mod live;
mod miners;
mod narrative;
mod rounds;
mod scores;

pub use ::narrative::{MADE_BY, Narrative, NarrativeSubject, NarrativeTopic, explain_reason};
pub use averages::{Average, averages_of, averages_of_epoch};
pub use epochs::{
    ChainStep, Derivation, Epoch, EpochWeight, EpochWeights, EpochsPage, epoch, epochs, weights_of, weights_of_miner,
};
pub use explain::{Explanation, Stage, Step, explain};
pub use feed::{FeedEvent, feed};
pub use heatmap::{HeatmapAnswer, HeatmapRows, heatmap};
pub use leaderboard::{Leaderboard, LeaderboardRow, leaderboard};
pub use miners::{Availability, Miner, Slot, availability_of, hotkey_at, miner};
pub use narrative::{ToldRound, narrate, narrative, rules_of};
pub use rounds::{Response, Round, RoundKey, Similarity, responses_of, round, rounds, rounds_by_key, similarity};
pub use scores::{Component, Score, ScoreFilter, score_history, scores_of_rounds};

/// The largest page of anything.
pub const MAX_PAGE: u32 = 100;

/// Bits of a score as 16 hex digits: what an audit compares.
#[must_use]
pub fn bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}
