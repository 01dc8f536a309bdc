//! Labels that clients tell: the truth about a round, from whoever knows what became of the conversation.

use std::sync::Arc;

use domain::events::Event;
use domain::round;
use domain::types::Position;
use serde::Serialize;

use super::{Handle, status};
use crate::Error;
use crate::rounds::{LAST_ATTEMPT, label};

/// Labels that may be on their way into the log at once; each waits while weights are derived.
pub(crate) const MOST_AT_ONCE: usize = 64;

/// Waiting rounds that are listed at once.
const MOST_LISTED: usize = 1_000;

/// A label that a client tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldLabel {
    /// The challenge.
    pub challenge_id: String,
    /// Its attempt, counted from 1.
    pub attempt: u32,
    /// Who knows it, in the source's own words.
    pub source: String,
    /// The label, as the mechanism reads it.
    pub label: String,
}

/// A label stands in the log, and so do the scores that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RevealedLabel {
    /// Position of its `LabelRevealed`.
    pub position: Position,
    /// Position of the `RoundEvaluated` by it.
    pub evaluated: Position,
}

/// Why a label was not taken. Nothing was written, except as said at [`LabelError::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No such round was drawn.
    #[error("{field} {problem}")]
    NoRound {
        /// `challenge_id` or `attempt`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The round is there and waits for no label.
    #[error("round {round} {problem}")]
    NotAwaited {
        /// The round.
        round: String,
        /// Why not.
        problem: &'static str,
    },
    /// A source or a label that cannot be recorded.
    #[error("{field} is refused: {problem}")]
    Invalid {
        /// `source` or `label`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Too many are on their way.
    #[error("{MOST_AT_ONCE} labels are being recorded; try again")]
    Busy,
    /// The ledger does not answer.
    #[error("not available: {0}; try again")]
    Unavailable(String),
    /// The ledger was lost on the way: the label may have been recorded. Sending it again is safe.
    #[error("it is not known whether the label was recorded ({0}); send it again: an answer 409 means that it was")]
    Unknown(String),
}

/// Rounds whose scores wait for a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingLabels {
    /// How many wait.
    pub total: usize,
    /// The first of them in order of their ids.
    pub waiting: Vec<AwaitedLabel>,
}

/// A round whose scores wait for a label, as a label names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwaitedLabel {
    /// The challenge.
    pub challenge_id: String,
    /// Its attempt.
    pub attempt: u32,
    /// Where its challenge was accepted.
    pub accepted: Position,
    /// Where its evaluation stands.
    pub evaluated: Position,
}

impl Handle {
    /// Records a client's label and the scores that follow from it; returns after their commit.
    ///
    /// # Errors
    /// See [`LabelError`].
    pub async fn tell_label(&self, told: ToldLabel) -> Result<RevealedLabel, LabelError> {
        let shared = self.shared();
        if shared.stop.is_ordered() {
            return Err(LabelError::Unavailable("the validator is stopping".to_owned()));
        }
        if !shared.ledger_answers() {
            return Err(LabelError::Unavailable("the ledger does not answer".to_owned()));
        }
        self.check_awaited(&told).await?;
        let place = Arc::clone(&shared.telling).try_acquire_owned().map_err(|_| LabelError::Busy)?;
        let shared = Arc::clone(shared);
        let stream = round::stream_id(&told.challenge_id, told.attempt);
        // A task of its own: a client that hangs up must not leave a label without its scores.
        let revealing = tokio::spawn(async move {
            let _place = place;
            label::reveal(&shared, &stream, &told.source, &told.label).await
        });
        let revealed = revealing.await.map_err(|error| LabelError::Unknown(error.to_string()))?;
        revealed.map_err(|error| match error {
            Error::Label { field: "round", round, .. } => LabelError::NotAwaited { round, problem: TOLD },
            Error::Label { field, problem, .. } => LabelError::Invalid { field, problem },
            Error::Ledger(ledger::Error::InvalidEvent { reason, .. }) => {
                LabelError::Invalid { field: "label", problem: reason }
            }
            Error::Ledger(error @ ledger::Error::OutcomeUnknown { .. }) => LabelError::Unknown(error.to_string()),
            error => LabelError::Unavailable(error.to_string()),
        })
    }

    /// Says which part of a label names no round that waits.
    async fn check_awaited(&self, told: &ToldLabel) -> Result<(), LabelError> {
        let round = round::stream_id(&told.challenge_id, told.attempt);
        if self.waits_for_label(&round) {
            return Ok(());
        }
        let unavailable = |error: Error| LabelError::Unavailable(error.to_string());
        let no_round = |field, problem: &str| LabelError::NoRound { field, problem: problem.to_owned() };
        if !(1..=LAST_ATTEMPT).contains(&told.attempt) {
            return Err(no_round("attempt", &format!("is not one of 1 to {LAST_ATTEMPT}")));
        }
        let shared = self.shared();
        let events = status::stream(shared, round::STREAM_TYPE, &round).await.map_err(unavailable)?;
        if events.is_empty() {
            let known = self.status(&told.challenge_id).await;
            return Err(match known.map_err(|error| LabelError::Unavailable(error.to_string()))? {
                None => no_round("challenge_id", "is of no challenge that was accepted"),
                Some(_) => no_round("attempt", "was not begun"),
            });
        }
        let labels = status::stream(shared, round::LABEL_STREAM_TYPE, &round).await.map_err(unavailable)?;
        let ended = |event: &Event| matches!(event, Event::RoundEvaluated(_));
        let abandoned = |event: &Event| matches!(event, Event::RoundAbandoned(_));
        let problem = if !labels.is_empty() {
            TOLD
        } else if events.iter().any(|(_, _, event)| abandoned(event)) {
            "was abandoned: it has no scores"
        } else if events.iter().any(|(_, _, event)| ended(event)) {
            "was scored at once: its rules wait for no label"
        } else {
            "is under way: tell its label once it is evaluated"
        };
        Err(LabelError::NotAwaited { round, problem })
    }

    /// How many rounds wait for a label.
    pub(crate) fn awaited_count(&self) -> usize {
        self.shared().board.read().waiting.len()
    }

    /// Rounds whose scores wait for a label.
    #[must_use]
    pub fn awaited_labels(&self) -> WaitingLabels {
        let total = self.awaited_count();
        let awaited = |waiting: super::WaitingRound| {
            let (challenge, attempt) = waiting.round.rsplit_once('/')?;
            Some(AwaitedLabel {
                challenge_id: challenge.to_owned(),
                attempt: attempt.parse().ok()?,
                accepted: waiting.accepted,
                evaluated: waiting.evaluated,
            })
        };
        WaitingLabels { total, waiting: self.waiting_for_labels(MOST_LISTED).into_iter().filter_map(awaited).collect() }
    }
}

/// A label is told once.
const TOLD: &str = "has its label already, which counts";
