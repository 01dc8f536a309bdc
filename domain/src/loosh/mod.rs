//! Loosh: agreement of answers, weighed by quality and time (rule sets `loosh/readme`, `loosh/1.2.8`,
//! `loosh/assay-1`).
//!
//! One file per idea, in the order of a round: `entity` caps votes, `quality` scores answers (from `heuristics`,
//! `sentences`, `graph`, `keywords`), `outlier`, `clustering` and the length filter drop some, `consensus`, `individual`
//! and `emissions` pay. `round` runs them; `average` and `payout` turn emissions into weights; `sybil` only reports;
//! `remedies` is what only our own rules do, `weaknesses` what the others let happen.
//! "Spec" in comments is the mechanism's specification that these files were written from.
//!
//! **Architecture invariant:** nothing below reads anything but its arguments; `mechanism` alone knows events.

pub mod average;
pub mod clustering;
pub mod consensus;
pub mod constants;
mod derivation;
pub mod emissions;
pub mod entity;
mod evaluation;
pub mod graph;
pub mod heuristics;
pub mod individual;
pub mod keywords;
pub mod matrix;
pub mod mechanism;
pub mod outlier;
pub mod payout;
pub mod quality;
pub mod remedies;
pub mod report;
pub mod round;
pub mod sentences;
mod shipped;
pub mod sybil;
mod weaknesses;
pub mod words;
