//! Scores: evaluated from the round's facts when the first is recorded, and compared one by one.

use domain::events::{Event, ResponseScored, RoundEvaluated, Statistic};
use domain::round;
use domain::types::{Micros, Position};

use super::Replay;
use super::rounds::{OpenRound, own};
use crate::findings::{At, Findings};
use crate::record::Recorded;

/// The scores and the evaluation that follow, and how many of them were recorded.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    events: Vec<Event>,
    next: usize,
}

impl OpenRound {
    /// What follows from the facts; the reason when nothing does.
    fn expect(&mut self, statistics: &[Statistic]) -> Result<(), String> {
        if self.scores.is_some() {
            return Ok(());
        }
        if let Some(miner) = self.round.outstanding().next() {
            return Err(format!("miner {} has neither answered nor failed", miner.hotkey));
        }
        let evaluated = self.round.evaluate(&self.challenge.accepted.challenge, self.mechanism.as_ref(), statistics);
        let events = evaluated.map_err(|error| error.to_string())?;
        self.scores = Some(Expected { events, next: 0 });
        Ok(())
    }
}

impl Expected {
    pub(crate) fn of(events: Vec<Event>) -> Self {
        Self { events, next: 0 }
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Compares one recorded score or evaluation with the recomputed one, and gives the latter.
    fn compare(&mut self, findings: &mut Findings, at: At<'_>, event: &Event) -> Option<Event> {
        let message = "scores follow from the facts of the round and the rule set";
        let last = matches!(event, Event::RoundEvaluated(_));
        let is_last = self.next + 1 == self.events.len();
        if last && !is_last && self.next < self.events.len() {
            let (found, expected) = (self.next, self.events.len() - 1);
            findings.differ(at, "", format!("{found} scores"), format!("{expected} scores"), message);
            self.next = self.events.len() - 1;
        }
        let Some(expected) = self.events.get(self.next).cloned() else {
            findings.differ(at, "", "a further score", "none", message);
            return None;
        };
        self.next += 1;
        if expected.kind() != event.kind() {
            findings.differ(at, "", event.kind(), expected.kind(), message);
            return None;
        }
        findings.same_event(at, event, &expected, message);
        Some(expected)
    }
}

impl Replay {
    pub(super) fn response_scored(&mut self, recorded: &Recorded, scored: &ResponseScored) {
        if let Some(expected) = self.score(recorded, &Event::ResponseScored(scored.clone())) {
            self.pending.scores += 1;
            self.fold(Position(recorded.position), Micros(recorded.recorded_at), &expected);
        }
    }

    pub(super) fn round_evaluated(&mut self, recorded: &Recorded, evaluated: &RoundEvaluated) {
        let expected = self.score(recorded, &Event::RoundEvaluated(evaluated.clone()));
        if let Some(expected) = &expected {
            self.pending.rounds += 1;
            self.fold(Position(recorded.position), Micros(recorded.recorded_at), expected);
            if let Event::RoundEvaluated(expected) = expected {
                self.statistics.clone_from(&expected.statistics);
            }
        }
        let place = (Position(recorded.position), Micros(recorded.recorded_at));
        if recorded.stream_type == round::LABEL_STREAM_TYPE {
            let decided = self.labels.end(&recorded.stream_id);
            if let Some(alternative) = &mut self.alternative {
                alternative.label(place, &recorded.stream_id, decided.as_ref().map_or(&[], Expected::events));
            }
            return;
        }
        let Some(round) = self.rounds.end(recorded, true) else { return };
        let events = round.scores.as_ref().map(|scores| scores.events.as_slice()).unwrap_or_default();
        if round.mechanism.awaits_labels() && !self.labels.wait(recorded, events) {
            self.findings.doubt(Some(recorded.position), "too many rounds wait for a label");
        }
        let Some(alternative) = &mut self.alternative else { return };
        if events.is_empty() {
            return alternative.not_evaluated(&recorded.stream_id, "what was decided cannot be recomputed, either");
        }
        let of = (recorded.stream_id.as_str(), &round.challenge.accepted.challenge, &round.round);
        alternative.round(place, of, round.mechanism.as_ref(), events);
    }

    fn score(&mut self, recorded: &Recorded, event: &Event) -> Option<Event> {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        if recorded.stream_type == round::LABEL_STREAM_TYPE {
            let rules = self.rules.as_ref();
            let Some(expected) = rules.and_then(|rules| {
                self.labels.expected(&recorded.stream_id, rules.mechanism.as_ref(), &self.statistics)
            }) else {
                findings.doubt(Some(at.position), "the label or the round of this score is not at hand");
                return None;
            };
            return expected.compare(findings, at, event);
        }
        let Some(round) = self.rounds.get_mut(recorded) else {
            findings.doubt(Some(at.position), "the draw of this round is not at hand");
            if self.counts.erased > 0 {
                // Its acceptance or its draw may be what was erased.
                self.epochs.taint();
            }
            return None;
        };
        match &event {
            Event::ResponseScored(scored) => own(findings, recorded, round, &scored.challenge_id, scored.attempt),
            Event::RoundEvaluated(round_) => own(findings, recorded, round, &round_.challenge_id, round_.attempt),
            _ => return None,
        };
        if round.tainted {
            findings.doubt(Some(at.position), "a payload that this score needs is missing");
            self.epochs.taint();
            return None;
        }
        if let Err(reason) = round.expect(&self.statistics) {
            let message = "scores follow from the facts of the round and the rule set";
            findings.differ(at, "", "a score", reason, message);
            return None;
        }
        round.scores.as_mut()?.compare(findings, at, event)
    }
}
