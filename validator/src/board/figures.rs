//! Figures for whoever watches the validator: a fold of the log like everything else here, so that they survive a restart.
//!
//! **Invariant:** nothing decides by them, and what they hold is bounded: names are those of the events' own outcomes.

use std::collections::BTreeMap;

use domain::events::{AbandonReason, DeliveryOutcome, EpochOutcome, Event, FailureReason};
use domain::round;
use domain::types::{BlockNumber, Micros};
use metrics::Histogram;

/// The outcome of a round with scores, and of a usable answer.
const EVALUATED: &str = "evaluated";
const ANSWERED: &str = "answered";

/// Rounds whose end is waited for at most; an end that is erased leaves one behind.
const MOST_UNDER_WAY: usize = 4096;

/// Counts by a name of which there are few.
pub(crate) type Named = BTreeMap<&'static str, u64>;

/// The figures.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Attempts whose miners were drawn.
    pub(crate) rounds_opened: u64,
    /// Attempts that ended, by outcome.
    pub(crate) rounds_ended: Named,
    /// Seconds from the draw to the scores.
    pub(crate) round_seconds: Histogram,
    /// Answers and failures, by outcome.
    pub(crate) responses: Named,
    /// Seconds until usable answers.
    pub(crate) response_seconds: Histogram,
    /// Epochs that ended, by outcome.
    pub(crate) epochs: Named,
    /// Attempts to bring results back, by outcome.
    pub(crate) deliveries: Named,
    /// What became of weights.
    pub(crate) weights: Named,
    /// The block of the first epoch's opening.
    pub(crate) first_block: Option<BlockNumber>,
    /// The block of the last derivation.
    pub(crate) derived_block: Option<BlockNumber>,
    /// The block in which weights came to stand on chain last: included, committed or revealed.
    pub(crate) set_block: Option<BlockNumber>,
    /// When the last checkpoint was recorded.
    pub(crate) checkpoint_at: Option<Micros>,
    /// When the rounds under way were drawn, by the id of their stream.
    under_way: BTreeMap<String, Micros>,
}

fn named(names: impl IntoIterator<Item = &'static str>) -> Named {
    names.into_iter().map(|name| (name, 0)).collect()
}

impl Default for Figures {
    /// Nothing yet, with every outcome that there is.
    fn default() -> Self {
        let abandoned = ABANDONED.iter().map(|(_, name)| *name);
        let failed = FAILED.iter().map(|(_, name)| *name);
        Self {
            rounds_opened: 0,
            rounds_ended: named(abandoned.chain([EVALUATED])),
            round_seconds: Histogram::default(),
            responses: named(failed.chain([ANSWERED])),
            response_seconds: Histogram::default(),
            epochs: named(CLOSED.iter().map(|(_, name)| *name)),
            deliveries: named(DELIVERED.iter().map(|(_, name)| *name)),
            weights: named(["derived", "submitted", "committed", "revealed", "included", "rejected"]),
            first_block: None,
            derived_block: None,
            set_block: None,
            checkpoint_at: None,
            under_way: BTreeMap::new(),
        }
    }
}

/// Names of outcomes as they stand in payloads.
const ABANDONED: [(AbandonReason, &str); 4] = [
    (AbandonReason::Restart, "restart"),
    (AbandonReason::NoMiners, "no_miners"),
    (AbandonReason::NoResponses, "no_responses"),
    (AbandonReason::EvidenceFailed, "evidence_failed"),
];
const FAILED: [(FailureReason, &str); 9] = [
    (FailureReason::Unreachable, "unreachable"),
    (FailureReason::TimedOut, "timed_out"),
    (FailureReason::Refused, "refused"),
    (FailureReason::Protocol, "protocol"),
    (FailureReason::Malformed, "malformed"),
    (FailureReason::TooLarge, "too_large"),
    (FailureReason::BadSignature, "bad_signature"),
    (FailureReason::ForbiddenAddress, "forbidden_address"),
    (FailureReason::NotJudged, "not_judged"),
];
const DELIVERED: [(DeliveryOutcome, &str); 4] = [
    (DeliveryOutcome::Delivered, "delivered"),
    (DeliveryOutcome::Refused, "refused"),
    (DeliveryOutcome::Failed, "failed"),
    (DeliveryOutcome::GivenUp, "given_up"),
];
const CLOSED: [(EpochOutcome, &str); 3] =
    [(EpochOutcome::Included, "included"), (EpochOutcome::Skipped, "skipped"), (EpochOutcome::Failed, "failed")];

fn name_of<T: PartialEq>(names: &[(T, &'static str)], outcome: &T) -> &'static str {
    names.iter().find(|(known, _)| known == outcome).map_or("other", |(_, name)| *name)
}

fn one(counts: &mut Named, name: &'static str) {
    *counts.entry(name).or_insert(0) += 1;
}

impl Figures {
    /// Folds one recorded event in.
    pub(crate) fn apply(&mut self, at: Micros, event: &Event) {
        match event {
            Event::MinersSelected(selected) => {
                self.rounds_opened += 1;
                if self.under_way.len() < MOST_UNDER_WAY {
                    self.under_way.insert(round::stream_id(&selected.challenge_id, selected.attempt), at);
                }
            }
            Event::ResponseReceived(response) => {
                one(&mut self.responses, ANSWERED);
                self.response_seconds.observe(f64::from(response.response_time_ms) / 1e3);
            }
            Event::ResponseFailed(failed) => one(&mut self.responses, name_of(&FAILED, &failed.reason)),
            // By a label, a round that has ended is scored once more.
            Event::RoundEvaluated(evaluated) if evaluated.label.is_none() => {
                self.evaluated(at, &round::stream_id(&evaluated.challenge_id, evaluated.attempt));
            }
            Event::RoundAbandoned(abandoned) => {
                one(&mut self.rounds_ended, name_of(&ABANDONED, &abandoned.reason));
                self.under_way.remove(&round::stream_id(&abandoned.challenge_id, abandoned.attempt));
            }
            Event::DeliveryAttempted(tried) => one(&mut self.deliveries, name_of(&DELIVERED, &tried.outcome)),
            Event::CheckpointPublished(_) => self.checkpoint_at = Some(at),
            Event::EpochOpened(opened) => {
                self.first_block.get_or_insert(opened.block);
            }
            Event::WeightsDerived(derived) => {
                one(&mut self.weights, "derived");
                self.derived_block = Some(derived.block);
            }
            Event::WeightsSubmitted(_) => one(&mut self.weights, "submitted"),
            Event::WeightsCommitted(committed) => self.stands("committed", committed.block),
            Event::WeightsRevealed(revealed) => self.stands("revealed", revealed.block),
            Event::WeightsIncluded(included) => self.stands("included", included.block),
            Event::WeightsRejected(_) => one(&mut self.weights, "rejected"),
            Event::EpochClosed(closed) => one(&mut self.epochs, name_of(&CLOSED, &closed.outcome)),
            _ => {}
        }
    }

    /// Folds in what is left of an erased event: its kind and its stream.
    pub(crate) fn apply_erased(&mut self, at: Micros, kind: &str, stream_id: &str) {
        match kind {
            "RoundEvaluated" if self.under_way.contains_key(stream_id) => self.evaluated(at, stream_id),
            "RoundAbandoned" => drop(self.under_way.remove(stream_id)),
            _ => {}
        }
    }

    fn evaluated(&mut self, at: Micros, stream: &str) {
        one(&mut self.rounds_ended, EVALUATED);
        if let Some(drawn) = self.under_way.remove(stream) {
            self.round_seconds.observe(at.0.saturating_sub(drawn.0) as f64 / 1e6);
        }
    }

    fn stands(&mut self, fate: &'static str, block: BlockNumber) {
        one(&mut self.weights, fate);
        self.set_block = self.set_block.max(Some(block));
    }
}
