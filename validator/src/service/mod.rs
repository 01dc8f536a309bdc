//! What the routes (and tests) may ask of a running validator.

mod handle;
mod status;
mod views;

pub use handle::Handle;
pub use views::{
    AcceptError, Accepted, AnswerView, AttemptState, AttemptStatus, ChallengeState, ChallengeStats, ChallengeStatus,
    ClosedEpoch, Health, MinerOutcome, MinerStatus, MisdirectedWeight, OpenSubmission, RegisterOutcome, RunningChange,
    ServiceError, Stats, SubmissionState, WaitingRound,
};
