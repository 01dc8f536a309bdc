//! Labels: a round that waits for one is scored once more when it is revealed, maybe epochs later.
//!
//! What the round came to is kept until then, as recomputed; of a round from before the range, as recorded.

use std::collections::BTreeMap;

use domain::events::{Event, LabelRevealed, ResponseScored, Statistic};
use domain::mechanism::{Evaluation, LabelFacts, Mechanism};
use domain::round;
use domain::types::{Micros, Position};

use super::Replay;
use super::scores::Expected;
use crate::findings::At;
use crate::record::Recorded;

/// Rounds that wait for a label, at most.
const MAX_WAITING: usize = 10_000;

/// A round that waits.
#[derive(Debug, Clone)]
struct Waiting {
    evaluated: Position,
    at: Micros,
    round: Evaluation,
}

/// Rounds that wait for a label, and scores that follow from one, by the round's stream id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    waiting: BTreeMap<String, Waiting>,
    /// Labels whose first score has not come: it follows from the statistics as they stand then.
    revealed: BTreeMap<String, LabelFacts>,
    expected: BTreeMap<String, Expected>,
    /// Scores of a round before the range whose evaluation has not come yet.
    before: Vec<ResponseScored>,
}

impl Labels {
    /// Keeps a round that was evaluated. False when there are too many.
    pub(crate) fn wait(&mut self, recorded: &Recorded, events: &[Event]) -> bool {
        let mut scores = Vec::new();
        for event in events {
            match event {
                Event::ResponseScored(scored) => scores.push(scored.clone()),
                Event::RoundEvaluated(round) => {
                    return self.keep(recorded, Evaluation { scores, round: round.clone() });
                }
                _ => {}
            }
        }
        true
    }

    fn keep(&mut self, recorded: &Recorded, round: Evaluation) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        let (evaluated, at) = (Position(recorded.position), Micros(recorded.recorded_at));
        self.waiting.insert(recorded.stream_id.clone(), Waiting { evaluated, at, round });
        true
    }

    /// A score or an evaluation from before the range.
    pub(crate) fn antecedent(&mut self, recorded: &Recorded, event: &Event) {
        match event {
            Event::ResponseScored(scored) => self.before.push(scored.clone()),
            Event::RoundEvaluated(round) => {
                let scores = std::mem::take(&mut self.before);
                self.keep(recorded, Evaluation { scores, round: round.clone() });
            }
            _ => {}
        }
    }

    /// The scores that follow from the label of a round.
    pub(crate) fn expected(
        &mut self,
        stream_id: &str,
        mechanism: &dyn Mechanism,
        statistics: &[Statistic],
    ) -> Option<&mut Expected> {
        if let Some(mut facts) = self.revealed.remove(stream_id) {
            facts.statistics = statistics.to_vec();
            let evaluation = mechanism.evaluate_label(&facts).ok()?;
            self.expected.insert(stream_id.to_owned(), Expected::of(round::events(evaluation)));
        }
        self.expected.get_mut(stream_id)
    }

    /// All scores of a label are there, or none will come. Gives the recomputed ones.
    pub(crate) fn end(&mut self, stream_id: &str) -> Option<Expected> {
        self.revealed.remove(stream_id);
        self.expected.remove(stream_id)
    }

    /// Whether no label's scores are still to come.
    pub(crate) fn none_open(&self) -> bool {
        self.revealed.is_empty() && self.expected.is_empty()
    }

    /// Whether scores of this round's label are still to come.
    pub(crate) fn open(&self, stream_id: &str) -> bool {
        self.revealed.contains_key(stream_id) || self.expected.contains_key(stream_id)
    }
}

impl Replay {
    pub(super) fn label_revealed(&mut self, recorded: &Recorded, revealed: &LabelRevealed) {
        let at = At::of(recorded);
        self.pending.other_evidence += 1;
        let stream = round::stream_id(&revealed.challenge_id, revealed.attempt);
        let message = "a label stands in the stream of its round";
        self.findings.equal(at, "<stream_id>", &recorded.stream_id, &stream, message);
        let place = (Position(recorded.position), Micros(recorded.recorded_at));
        if let Some(alternative) = &mut self.alternative {
            alternative.label_revealed(&recorded.stream_id, place.0, place.1, revealed);
        }
        let Some(rules) = self.rules.as_ref().filter(|rules| rules.mechanism.awaits_labels()) else { return };
        let Some(waiting) = self.labels.waiting.remove(&recorded.stream_id) else {
            return self.findings.doubt(Some(at.position), "the round of this label is not at hand");
        };
        let message = "a label names the evaluation that waited for it";
        self.findings.equal(at, "evaluated", &revealed.evaluated, &waiting.evaluated, message);
        let facts = LabelFacts {
            position: Position(recorded.position),
            source: revealed.source.clone(),
            label: revealed.label.clone(),
            revealed: Micros(recorded.recorded_at),
            evaluated: waiting.at,
            round: waiting.round,
            statistics: self.statistics.clone(),
        };
        // A label that cannot be used is a fact all the same; no scores may follow from it.
        if rules.mechanism.evaluate_label(&facts).is_err() {
            if let Some(alternative) = &mut self.alternative {
                alternative.label(place, &recorded.stream_id, &[]);
            }
            return;
        }
        if self.labels.revealed.len() >= MAX_WAITING {
            return self.findings.doubt(Some(at.position), "too many labels wait for their scores");
        }
        self.labels.revealed.insert(recorded.stream_id.clone(), facts);
    }
}
