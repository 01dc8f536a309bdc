//! What the routes (and tests) may ask of a running validator.

mod views;

pub use views::{
    AcceptError, Accepted, AnswerView, AttemptState, AttemptStatus, ChallengeState, ChallengeStats, ChallengeStatus,
    ClosedEpoch, Health, MinerOutcome, MinerStatus, RegisterOutcome, RunningChange, ServiceError, Stats,
};
