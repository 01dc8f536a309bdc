//! The answers of the service, ready to be written as JSON.
//!
//! Nothing of a round's content (texts, scores) is in a view before the round's evaluation is committed.

use domain::events::{AbandonReason, EpochOutcome, FailureReason, FilterStage, ZeroReason};
use domain::types::{BlockNumber, Digest, Hotkey, Micros, Position, Uid};
use serde::Serialize;

/// A challenge stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Position of its `ChallengeAccepted`.
    pub position: Position,
    /// Its commitment, which goes into the draw.
    pub commitment: Digest,
}

/// Why a challenge was not taken on. Nothing was written, except as said at [`AcceptError::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The id stands in the log already.
    #[error("challenge {id} was accepted before")]
    Duplicate {
        /// The id.
        id: String,
    },
    /// The queue is full.
    #[error("{queued} challenges wait, which is the limit; try again in {retry_after_seconds} s")]
    TooMany {
        /// How many wait.
        queued: usize,
        /// When it makes sense to ask again.
        retry_after_seconds: u32,
    },
    /// A field that no log can hold.
    #[error("challenge field {field}: {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The ledger or the chain does not answer.
    #[error("not available: {0}; try again")]
    Unavailable(String),
    /// The ledger was lost during the commit: the challenge may have been accepted. Sending it again is safe.
    #[error("it is not known whether the challenge was accepted ({0}); send it again: an answer 409 means that it was")]
    Unknown(String),
}

/// The ledger or the chain cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// Asking again later may help.
    #[error("not available: {0}; try again")]
    Unavailable(String),
}

/// A round whose scores wait for a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingRound {
    /// Challenge and attempt.
    pub round: String,
    /// Where its challenge was accepted.
    pub accepted: Position,
    /// Where its evaluation stands.
    pub evaluated: Position,
}

/// How far a challenge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeState {
    /// Accepted; it waits for its first round or for its next attempt.
    Queued,
    /// Miners are drawn or asked, or evidence is computed.
    Running,
    /// It ended with scores.
    Evaluated,
    /// It ended without scores.
    Abandoned,
}

/// A challenge and its attempts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChallengeStatus {
    /// The client's id.
    pub id: String,
    /// How far it is.
    pub state: ChallengeState,
    /// Position of its `ChallengeAccepted`.
    pub accepted: Position,
    /// When it was accepted, in microseconds since 1970 UTC.
    pub accepted_at: Micros,
    /// Its commitment.
    pub commitment: Digest,
    /// Its attempts, first to last.
    pub attempts: Vec<AttemptStatus>,
    /// The best answer; only after evaluation, and only if there is one.
    pub best_answer: Option<AnswerView>,
    /// The mechanism's measure of agreement; only after evaluation.
    pub consensus: Option<f64>,
    /// Whether it passed the mechanism's threshold; only after evaluation.
    pub consensus_achieved: Option<bool>,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Under way.
    Running,
    /// Ended with scores.
    Evaluated,
    /// Ended without scores.
    Abandoned,
}

/// One attempt (round).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptStatus {
    /// From 1.
    pub attempt: u32,
    /// How far it is.
    pub state: AttemptState,
    /// Position of its `MinersSelected`.
    pub selected: Position,
    /// Position of its `RoundEvaluated` or `RoundAbandoned`.
    pub ended: Option<Position>,
    /// SHA-256 of the rule set it is scored under.
    pub rule_set: Digest,
    /// Why it was given up, if so.
    pub abandoned: Option<AbandonReason>,
    /// The drawn miners, in order of the draw.
    pub miners: Vec<MinerStatus>,
}

/// What came of a drawn miner so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MinerOutcome {
    /// Drawn, not asked yet.
    Drawn,
    /// Asked.
    Asked,
    /// Answered.
    Answered,
    /// Failed.
    Failed,
}

/// A drawn miner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinerStatus {
    /// The miner.
    pub hotkey: Hotkey,
    /// Its slot when drawn.
    pub uid: Uid,
    /// What came of it.
    pub outcome: MinerOutcome,
    /// Position of its `ChallengeIssued`.
    pub issued: Option<Position>,
    /// Position of its `ResponseReceived` or `ResponseFailed`.
    pub answered: Option<Position>,
    /// Why it failed, if so.
    pub failure: Option<FailureReason>,
    /// Milliseconds until the answer.
    pub response_time_ms: Option<u32>,
    /// Its score; only after evaluation.
    pub score: Option<f64>,
    /// The stage that dropped its answer; only after evaluation.
    pub filtered: Option<FilterStage>,
    /// Why its score is zero; only after evaluation.
    pub reason: Option<ZeroReason>,
}

/// An answer, shown only after evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerView {
    /// Who gave it.
    pub hotkey: Hotkey,
    /// Its slot when drawn.
    pub uid: Uid,
    /// The text.
    pub text: String,
    /// Milliseconds until the answer.
    pub response_time_ms: u32,
    /// Position of its `ResponseReceived`.
    pub position: Position,
}

/// The queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChallengeStats {
    /// Accepted and not under way.
    pub queue_size: usize,
    /// Rounds under way.
    pub active: usize,
    /// How many may wait.
    pub queue_limit: usize,
    /// Accepted since the ledger was opened.
    pub total_received: u64,
}

/// Figures folded from the whole log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Challenges accepted.
    pub total_challenges: u64,
    /// Challenges that ended with scores.
    pub evaluated_challenges: u64,
    /// Challenges that ended without.
    pub abandoned_challenges: u64,
    /// Usable answers.
    pub successful_responses: u64,
    /// Drawn miners without a usable answer.
    pub failed_responses: u64,
    /// Mean of the usable answers' times; none before the first.
    pub average_response_time_ms: Option<f64>,
    /// Seconds since this process took the ledger.
    pub uptime_seconds: u64,
    /// Miners that were available in the last sweep.
    pub active_miners: usize,
    /// The open epoch, if one is.
    pub epoch: Option<u64>,
    /// The epoch closed last, if one is.
    pub closed_epoch: Option<ClosedEpoch>,
    /// The submission whose fate is not known yet, if there is one.
    pub submission: Option<OpenSubmission>,
    /// Weights that this process saw go to another hotkey than the one they were derived for; the newest last, at most 256.
    pub misdirected_weights: Vec<MisdirectedWeight>,
    /// Events folded in: the figures are as of the position before this one.
    pub position: Position,
}

/// Why it is not known yet what became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionState {
    /// It waits in the chain's pool.
    Pending,
    /// It is in no block and not in the pool, and could still be included.
    Unknown,
    /// The chain does not answer.
    NoAnswer,
}

/// A submission whose fate is not known yet. It is known at the latest when the chain has passed the extrinsic's era.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenSubmission {
    /// The epoch.
    pub epoch: u64,
    /// Hash of the extrinsic.
    pub extrinsic: Digest,
    /// What the chain said last.
    pub state: SubmissionState,
    /// The first block that can no longer include it.
    pub until_block: BlockNumber,
    /// Since when this process waits.
    pub waiting_seconds: u64,
    /// What is wrong with the chain, if it does not answer.
    pub problem: Option<String>,
}

/// A weight that stands on chain for another hotkey than the one it was derived for: the slot changed hands between the
/// last look and the inclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MisdirectedWeight {
    /// The epoch.
    pub epoch: u64,
    /// The block of the inclusion.
    pub block: BlockNumber,
    /// The slot.
    pub uid: Uid,
    /// The weight.
    pub weight: u16,
    /// Whom it was derived for.
    pub derived_for: Hotkey,
    /// Who held the slot at that block; none when nobody did.
    pub held_by: Option<Hotkey>,
}

/// An epoch that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClosedEpoch {
    /// Its number.
    pub epoch: u64,
    /// How it ended.
    pub outcome: EpochOutcome,
    /// Why; empty when included.
    pub reason: String,
    /// Position of its `EpochClosed`.
    pub position: Position,
}

/// Whether the validator can do its work now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Version of the program.
    pub version: &'static str,
    /// Not paused, and neither ledger nor chain is in trouble.
    pub available: bool,
    /// Why not, if so.
    pub reason: Option<String>,
    /// Rounds are issued.
    pub running: bool,
    /// The ledger took the last append.
    pub ledger: bool,
    /// The chain answered within the last minute.
    pub chain: bool,
    /// Accepted and not under way.
    pub queue_size: usize,
    /// Rounds under way.
    pub active: usize,
    /// Rounds that may be under way at once.
    pub max_concurrent: usize,
    /// The newest block seen.
    pub block: BlockNumber,
    /// Events in the ledger.
    pub size: u64,
    /// The ledger.
    pub origin: String,
    /// The rule set in force.
    pub rule_set: String,
}

/// What came of a request to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RegisterOutcome {
    /// The hotkey holds a slot; a sweep is due at once.
    Known {
        /// Its slot.
        uid: Uid,
        /// Whether it announced an axon.
        announced: bool,
        /// The block at which the chain said so.
        block: BlockNumber,
    },
    /// The chain does not know the hotkey in this subnet: it has to register there first.
    NotRegistered {
        /// The block at which the chain said so.
        block: BlockNumber,
    },
}

/// What came of a request to pause or resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunningChange {
    /// Whether rounds are issued from now on.
    pub running: bool,
    /// Position of the event; none when nothing changed.
    pub position: Option<Position>,
}
