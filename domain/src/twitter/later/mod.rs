//! Rules of upstream's other versions, which no shipped rule set uses: they are reached by tests alone, which hold them to numbers
//! made by those versions, so that whoever replays one finds its formulas here.
//!
//! The document describes the validator of one commit, and `twitter/2.5.9` is the code of that commit. What came before (the
//! ancestor's filters and a miner's admission) and after (rewards for links, web pages, summaries and speed) pays for other
//! things, from evidence that no round here has: tweets that are fetched again, pages of a web search.
//!
//! `rewards` normalises rewards and has those for speed, penalties and debts; `links` the rewards for what an answer links to;
//! `filters` the ancestor's masks; `gate` whom a miner answers.

pub mod filters;
pub mod gate;
pub mod links;
mod rewards;

pub use rewards::{
    OrganicDebts, Spread, counted_time, lumps, performance, ranked, slowness, speed, stretched, zero_kept,
};
