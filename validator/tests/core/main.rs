//! The validator on a real PostgreSQL, a real development chain, real HTTP peers and the real sentence model.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod commitments;
mod commits;
mod crashes;
mod dialects;
mod epochs;
mod erasures;
mod failed_judgements;
mod fates;
mod hash_commits;
mod labels;
mod odd_chain;
mod operation;
mod outbox;
mod overlaps;
mod pacing;
mod peer;
mod refusals;
mod restored;
mod rewards;
mod rounds;
mod routes;
mod sealed;
mod served;
mod settings;
mod sweeps;
mod told_labels;
mod world;
