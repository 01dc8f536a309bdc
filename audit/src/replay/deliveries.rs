//! Deliveries: whoever asked is told what a round came to. No weight follows from them. An audit says whether each names a round
//! that was evaluated, whether its attempts are counted, whether outcome and status agree, and that nothing is brought after its end.
//! The same need not be brought each time: what is erased meanwhile is left out.
//!
//! Streams of deliveries have no last event that could be told from outside, so that their sequences are counted here.

use std::collections::{BTreeMap, VecDeque};

use domain::events::{DeliveryAttempted, DeliveryItem, DeliveryOutcome};
use domain::round;
use domain::types::Position;

use super::Replay;
use crate::findings::At;
use crate::record::Recorded;

/// Rounds that are remembered. Their results are brought within hours or not at all.
const MAX_ROUNDS: usize = 100_000;

/// The last attempt to bring an item.
#[derive(Debug, Clone, Copy)]
struct Last {
    number: u32,
    ended: bool,
}

/// What is known of one round.
#[derive(Debug, Clone)]
struct Brought {
    evaluated: Position,
    /// Sequence of its last attempt, 0 before the first.
    sequence: u64,
    items: BTreeMap<DeliveryItem, Last>,
    /// Whether all of its attempts were seen: none before the range, none erased.
    whole: bool,
}

/// All of them, by the id of the round's stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deliveries {
    rounds: BTreeMap<String, Brought>,
    order: VecDeque<String>,
    /// Whether there may be rounds that are not remembered.
    partial: bool,
}

impl Deliveries {
    /// The range begins later than the ledger.
    pub(crate) fn entered_late(&mut self) {
        self.partial = true;
    }

    /// Notes a round that was evaluated, also when its payload is erased.
    pub(crate) fn evaluated(&mut self, recorded: &Recorded, in_range: bool) {
        if recorded.kind != "RoundEvaluated" || recorded.stream_type != round::STREAM_TYPE {
            return;
        }
        if self.order.len() >= MAX_ROUNDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.rounds.remove(&oldest);
            self.partial = true;
        }
        let evaluated = Position(recorded.position);
        let brought = Brought { evaluated, sequence: 0, items: BTreeMap::new(), whole: in_range };
        if self.rounds.insert(recorded.stream_id.clone(), brought).is_none() {
            self.order.push_back(recorded.stream_id.clone());
        }
    }

    /// An attempt from before the range, or one that was looked at.
    pub(crate) fn note(&mut self, recorded: &Recorded, attempted: &DeliveryAttempted) {
        let Some(brought) = self.rounds.get_mut(&recorded.stream_id) else { return };
        brought.sequence = recorded.sequence;
        let ended = !matches!(attempted.outcome, DeliveryOutcome::Failed);
        let last = Last { number: attempted.number, ended };
        brought.items.insert(attempted.item, last);
    }

    /// An attempt whose payload is erased: which item it was, nobody knows.
    pub(crate) fn erased(&mut self, recorded: &Recorded) {
        if recorded.kind == "DeliveryAttempted"
            && let Some(brought) = self.rounds.get_mut(&recorded.stream_id)
        {
            brought.sequence = recorded.sequence;
            brought.whole = false;
        }
    }
}

impl Replay {
    pub(super) fn delivery_attempted(&mut self, recorded: &Recorded, attempted: &DeliveryAttempted) {
        let at = At::of(recorded);
        let (id, attempt) = recorded.stream_id.rsplit_once('/').unwrap_or_default();
        let message = "a delivery stands in the stream of its round";
        self.findings.equal(at, "challenge_id", &attempted.challenge_id.as_str(), &id, message);
        self.findings.equal(at, "attempt", &attempted.attempt.to_string().as_str(), &attempt, message);
        self.outcome_of_delivery(at, attempted);
        let Some(brought) = self.deliveries.rounds.get(&recorded.stream_id).cloned() else {
            if self.deliveries.partial {
                return self
                    .findings
                    .doubt(Some(at.position), "the evaluation of this delivery's round is not at hand");
            }
            let message = "results are brought of rounds that were evaluated";
            return self.findings.differ(at, "<stream_id>", &recorded.stream_id, "an evaluated round", message);
        };
        let message = "a delivery names the evaluation of its round";
        self.findings.equal(at, "evaluated", &attempted.evaluated, &brought.evaluated, message);
        if recorded.sequence == brought.sequence + 1 || brought.whole {
            let message = "sequences of a stream follow each other from 1";
            self.findings.equal(at, "<sequence>", &recorded.sequence, &(brought.sequence + 1), message);
        } else {
            self.findings.doubt(Some(at.position), "attempts to bring these results before this one are not at hand");
        }
        self.after_the_last(at, attempted, &brought);
        self.deliveries.note(recorded, attempted);
    }

    /// Against the attempt before, to bring the same item.
    fn after_the_last(&mut self, at: At<'_>, attempted: &DeliveryAttempted, brought: &Brought) {
        let last = brought.items.get(&attempted.item);
        let number = last.map_or(1, |last| last.number.saturating_add(1));
        if attempted.number != number && (brought.whole || attempted.number < number) {
            let message = "attempts to bring an item are counted from 1";
            self.findings.differ_involving(at, "number", &["item"], attempted.number, number, message);
        }
        let Some(last) = last else { return };
        if last.ended {
            let message = "an item that was delivered, refused or given up is not brought again";
            let said = format!("{:?} again", attempted.item);
            self.findings.differ(at, "item", said, "nothing more of it", message);
        }
    }

    /// What is said to have come of it must agree with the status.
    fn outcome_of_delivery(&mut self, at: At<'_>, attempted: &DeliveryAttempted) {
        let taken = matches!(attempted.status, 200 | 201);
        let possible = match attempted.outcome {
            DeliveryOutcome::Delivered => taken,
            DeliveryOutcome::Refused => !taken && attempted.status != 0,
            DeliveryOutcome::Failed | DeliveryOutcome::GivenUp => !taken,
        };
        if !possible {
            let message = "delivered is what the service answered with 200 or 201, refused what it answered otherwise";
            let said = format!("{:?}", attempted.outcome);
            let expected = format!("one that goes with status {}", attempted.status);
            self.findings.differ_involving(at, "outcome", &["status"], said, expected, message);
        }
        if attempted.request_hash.is_none() && attempted.outcome != DeliveryOutcome::GivenUp {
            let message = "what was sent has a hash";
            self.findings.differ_involving(at, "request_hash", &["outcome"], "none", "a hash", message);
        }
    }
}
