//! Conversation Genome: tags of a conversation's window, held against the tags of the whole (rule sets `cgp/readme`,
//! `cgp/2.30.65` and `cgp/assay-1`).
//!
//! One file per idea, in the order of a round: `reserved`, `conversation` and `windows` cut what miners see, `tags` cleans and reads
//! what taggers say, `similarity`, `statistics`, `penalties` and `evaluation` score it (running upstream), `overlap` and
//! `bell` as the document's own generation does, `average` and `rank_curve` turn scores into weights. `tagger` is the tagger
//! without a model, `profile` describes participants, `boring` rates a conversation; neither of the last two is ever paid for.
//!
//! `weaknesses` says what is wrong with a rule set. `mechanism` is the door: `task` and `synapse` are what a round is and what is sent, `batch` which windows go out in which
//! order, `requests` what models are asked, `evidence` what they said, `outcome` and `derivation` the events that follow, `results` what whoever gave
//! the conversation gets back.
//!
//! **Profiles.** The document lets the conversation server score a miner's participant profiles. No conversation server has
//! a route for it, no revision of the code makes or reads a profile, and no formula is stated: nobody scores them, and
//! nobody can. Profiles are recorded and weigh nothing; `cgp/readme` says so in its own constants.
//!
//! "Spec" in comments is the mechanism's specification that these files were written from.
//!
//! **Architecture invariant:** nothing below reads anything but its arguments, and every draw takes a stream of the round.

pub mod answer;
pub mod average;
pub mod batch;
pub mod bell;
pub mod boring;
pub mod constants;
pub mod conversation;
pub mod derivation;
pub mod evaluation;
mod evidence;
pub mod mechanism;
pub mod mock;
mod outcome;
pub mod overlap;
pub mod penalties;
pub mod profile;
pub mod rank_curve;
pub mod requests;
pub mod reserved;
pub mod results;
pub mod rules;
pub mod similarity;
pub mod statistics;
pub mod synapse;
pub mod tagger;
pub mod tags;
pub mod task;
mod weaknesses;
pub mod windows;
mod words;
