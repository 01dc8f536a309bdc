//! The objects of the schema. Each wraps a value of `projections::queries` and the frame that it was read in.

mod epochs;
mod explain;
mod feed;
mod leaderboard;
mod meta;
mod miners;
mod narrative;
mod rounds;
mod scores;
mod words;

pub(crate) use epochs::Epoch;
pub(crate) use explain::Explanation;
pub(crate) use feed::Event;
pub(crate) use leaderboard::LeaderboardEntry;
pub(crate) use meta::{AsOfInput, Ledger, Meta};
pub(crate) use miners::Miner;
pub(crate) use rounds::Round;
pub(crate) use scores::{Component, components};
