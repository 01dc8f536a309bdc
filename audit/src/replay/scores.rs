//! Scores: evaluated from the round's facts when the first is recorded, and compared one by one.

use domain::events::{Event, ResponseScored, RoundEvaluated};
use domain::types::{Micros, Position};

use super::Replay;
use super::rounds::{OpenRound, own};
use crate::findings::At;
use crate::record::Recorded;

/// The scores and the evaluation that follow, and how many of them were recorded.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    events: Vec<Event>,
    next: usize,
}

impl OpenRound {
    /// What follows from the facts; the reason when nothing does.
    fn expect(&mut self) -> Result<(), String> {
        if self.scores.is_some() {
            return Ok(());
        }
        if let Some(miner) = self.round.outstanding().next() {
            return Err(format!("miner {} has neither answered nor failed", miner.hotkey));
        }
        let evaluated = self.round.evaluate(&self.challenge.accepted.challenge, self.mechanism.as_ref());
        let events = evaluated.map_err(|error| error.to_string())?;
        self.scores = Some(Expected { events, next: 0 });
        Ok(())
    }
}

impl Replay {
    pub(super) fn response_scored(&mut self, recorded: &Recorded, scored: &ResponseScored) {
        if let Some(expected) = self.score(recorded, Event::ResponseScored(scored.clone()), false) {
            self.pending.scores += 1;
            self.fold(Position(recorded.position), Micros(recorded.recorded_at), &expected);
        }
    }

    pub(super) fn round_evaluated(&mut self, recorded: &Recorded, evaluated: &RoundEvaluated) {
        let expected = self.score(recorded, Event::RoundEvaluated(evaluated.clone()), true);
        if let Some(expected) = &expected {
            self.pending.rounds += 1;
            self.fold(Position(recorded.position), Micros(recorded.recorded_at), expected);
        }
        let Some(round) = self.rounds.end(recorded, true) else { return };
        if let Some(alternative) = &mut self.alternative {
            let place = (Position(recorded.position), Micros(recorded.recorded_at));
            let events = round.scores.as_ref().map(|scores| scores.events.as_slice()).unwrap_or_default();
            alternative.round(place, &round.round, &round.challenge.accepted.challenge, events);
        }
    }

    /// Compares one recorded score or evaluation with the recomputed one, and returns the latter.
    fn score(&mut self, recorded: &Recorded, event: Event, last: bool) -> Option<Event> {
        let at = At::of(recorded);
        let findings = &mut self.findings;
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
        let message = "scores follow from the facts of the round and the rule set";
        if let Err(reason) = round.expect() {
            findings.differ(at, "", "a score", reason, message);
            return None;
        }
        let scores = round.scores.as_mut()?;
        let is_last = scores.next + 1 == scores.events.len();
        if last && !is_last && scores.next < scores.events.len() {
            let (found, expected) = (scores.next, scores.events.len() - 1);
            findings.differ(at, "", format!("{found} scores"), format!("{expected} scores"), message);
            scores.next = scores.events.len() - 1;
        }
        let Some(expected) = scores.events.get(scores.next).cloned() else {
            findings.differ(at, "", "a further score", "none", message);
            return None;
        };
        scores.next += 1;
        if expected.kind() != event.kind() {
            findings.differ(at, "", event.kind(), expected.kind(), message);
            return None;
        }
        findings.same_event(at, &event, &expected, message);
        Some(expected)
    }
}
