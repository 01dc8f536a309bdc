//! What the routes (and tests) may ask of a running validator.

mod handle;
pub(crate) mod labels;
mod status;
mod views;

pub use handle::Handle;
pub use labels::{AwaitedLabel, LabelError, RevealedLabel, ToldLabel, WaitingLabels};
pub use views::{
    AcceptError, Accepted, AnswerView, AttemptState, AttemptStatus, ChallengeState, ChallengeStats, ChallengeStatus,
    ClosedEpoch, Health, MinerOutcome, MinerStatus, MisdirectedWeight, OpenSubmission, RegisterOutcome, RunningChange,
    ServiceError, Stats, SubmissionState, WaitingRound,
};
