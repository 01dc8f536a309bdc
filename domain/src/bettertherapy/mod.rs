//! BetterTherapy: answers to people who ask for support, judged by a language model against a base answer, and by their
//! time (rule sets `bettertherapy/readme`, `bettertherapy/1.2.2` and `bettertherapy/assay-1`).
//!
//! One file per idea, in the order of a round: `task` is what it is about, `generator` asks for question and base answer,
//! `selection` says who may be asked, `batching` (with `tokens`) groups answers, `request` asks the judge, `offline` replies
//! where no model is configured, `verdict` (with `python_json`) reads the reply, `scoring` gives points, `duplicates` finds
//! copies. `round` runs them; `collection` is upstream's own pass over its batches. `average` and `payout` turn points into
//! weights. `weaknesses` says what is wrong with a rule set. `mechanism` with `evidence`, `evaluation` and `derivation` translates between all these and recorded facts.
//! "Spec" in comments is the mechanism's specification that these files were written from.
//!
//! **Architecture invariant:** nothing below reads anything but its arguments, and what miners or models wrote is data
//! everywhere.

pub mod average;
pub mod batching;
pub mod collection;
pub mod constants;
mod derivation;
pub mod duplicates;
pub mod evaluation;
pub mod evidence;
pub mod generator;
pub mod mechanism;
pub mod offline;
pub mod payout;
pub mod python_json;
pub mod request;
pub mod round;
pub mod scoring;
pub mod selection;
pub mod task;
pub mod tokens;
pub mod verdict;
mod weaknesses;
