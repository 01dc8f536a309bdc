//! The second evaluation beside a replay: rounds, labels and epochs under the other rule set, from the same facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::events::{Challenge, Event, LabelRevealed, ResponseScored, RoundEvaluated, Statistic, WeightsDerived};
use domain::mechanism::{AWAITS_LABEL, Evaluation, LabelFacts, Mechanism};
use domain::round::{self, Round};
use domain::types::{Hotkey, Micros, Position};

use super::verdicts::{Verdicts, substitute};
use super::{EpochChange, WhatIf, changes};
use crate::replay::FoldChain;

/// The most reasons of a sort that are quoted.
const MAX_REASONS: usize = 16;

/// Rounds that wait for a label, at most.
const MAX_WAITING: usize = 10_000;

/// What is kept of a round until its label.
#[derive(Debug, Clone)]
enum Waiting {
    /// The other rule set waits as well: what the round came to under it, and when.
    Both(Box<Evaluation>, Micros),
    /// Only the rule set in force waits: the other one's scores are final.
    Decided(Vec<Event>),
    /// The round ended before the replay began, under other rules than these: its answers are not at hand.
    Before,
}

/// The second evaluation that runs beside a replay.
#[derive(Debug, Clone)]
pub(crate) struct Alternative {
    mechanism: Arc<dyn Mechanism>,
    fold: Option<FoldChain>,
    statistics: Vec<Statistic>,
    /// Rounds that wait for a label, by stream id.
    waiting: BTreeMap<String, Waiting>,
    /// Labels whose scores have not come: where and when each was revealed.
    revealed: BTreeMap<String, (Position, Micros, LabelRevealed)>,
    /// Scores of a round before the range whose evaluation has not come yet.
    before: Vec<ResponseScored>,
    what_if: WhatIf,
}

fn scores(events: &[Event]) -> impl Iterator<Item = &ResponseScored> {
    events.iter().filter_map(|event| match event {
        Event::ResponseScored(scored) => Some(scored),
        _ => None,
    })
}

/// Scores as bits, by miner.
fn bits(events: &[Event]) -> BTreeMap<Hotkey, u64> {
    scores(events).map(|scored| (scored.hotkey, scored.score.to_bits())).collect()
}

fn evaluated(events: &[Event]) -> Option<&RoundEvaluated> {
    events.iter().find_map(|event| match event {
        Event::RoundEvaluated(evaluated) => Some(evaluated),
        _ => None,
    })
}

/// Whether scores are final only when a label is there.
fn awaits(mechanism: &dyn Mechanism, events: &[Event]) -> bool {
    let component = |round: &RoundEvaluated| round.components.iter().any(|component| component.name == AWAITS_LABEL);
    mechanism.awaits_labels() && evaluated(events).is_some_and(component)
}

fn counts(events: &[Event]) -> bool {
    scores(events).any(|scored| scored.counted)
}

/// Why nobody's score counts: each reason with how often it is given.
fn zeros(events: &[Event]) -> String {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for scored in scores(events) {
        let reason = scored.reason.map_or_else(|| "no reason".to_owned(), |reason| format!("{reason:?}"));
        *reasons.entry(reason).or_default() += 1;
    }
    reasons.iter().map(|(reason, count)| format!("{reason} \u{d7} {count}")).collect::<Vec<_>>().join(", ")
}

fn note(reasons: &mut Vec<String>, reason: String) {
    if reasons.len() < MAX_REASONS {
        reasons.push(reason);
    }
}

impl Alternative {
    pub(crate) fn new(mechanism: Arc<dyn Mechanism>) -> Self {
        let what_if = WhatIf { rule_set: mechanism.rule_set().name(), ..WhatIf::default() };
        Self {
            mechanism,
            fold: None,
            statistics: Vec::new(),
            waiting: BTreeMap::new(),
            revealed: BTreeMap::new(),
            before: Vec::new(),
            what_if,
        }
    }

    pub(crate) fn genesis(&mut self, own: Hotkey) {
        self.fold = Some(FoldChain::genesis(Arc::clone(&self.mechanism), own));
    }

    pub(crate) fn resume(&mut self, own: Hotkey, previous: &WeightsDerived, antecedents: &[(Position, Event)]) {
        match FoldChain::resume(Arc::clone(&self.mechanism), own, previous, antecedents) {
            Ok(fold) => self.fold = Some(fold),
            Err(error) => note(&mut self.what_if.reasons, format!("no epoch can be derived: {error}")),
        }
        self.statistics.clone_from(&previous.statistics);
    }

    /// A score or an evaluation from before the range, of a round whose label stands in it. What was taken of its answers is
    /// what these rules take only where it was evaluated under them.
    pub(crate) fn antecedent(&mut self, stream_id: &str, at: Micros, event: &Event) {
        match event {
            Event::ResponseScored(scored) => self.before.push(scored.clone()),
            Event::RoundEvaluated(round) => {
                let scores = std::mem::take(&mut self.before);
                let own = round.rule_set == self.mechanism.rule_set().hash();
                let evaluation = Box::new(Evaluation { scores, round: round.clone() });
                let waiting = if own { Waiting::Both(evaluation, at) } else { Waiting::Before };
                self.wait(stream_id, waiting);
            }
            _ => {}
        }
    }

    fn wait(&mut self, stream_id: &str, waiting: Waiting) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.insert(stream_id.to_owned(), waiting);
        } else {
            self.not_evaluated(stream_id, "too many rounds wait for a label");
        }
    }

    /// The fold's share of an event that is no score.
    pub(crate) fn apply(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        if let Some(fold) = &mut self.fold {
            fold.apply(position, recorded_at, event);
        }
    }

    /// A round of which nothing can be told.
    pub(crate) fn not_evaluated(&mut self, stream_id: &str, reason: &str) {
        self.what_if.rounds_not_evaluated += 1;
        note(&mut self.what_if.reasons, format!("round {stream_id}: {reason}"));
    }

    /// Evaluates a round that ended, and takes its scores in at the place where it ended. `decided` is what follows under the
    /// rule set in force.
    pub(crate) fn round(
        &mut self,
        place: (Position, Micros),
        (stream_id, challenge, round): (&str, &Challenge, &Round),
        in_force: &dyn Mechanism,
        decided: &[Event],
    ) {
        let (other, verdicts) = match self.evaluate(round, challenge) {
            Ok(found) => found,
            Err(reason) => return self.not_evaluated(stream_id, &reason),
        };
        self.what_if.verdicts_recomputed += verdicts.recomputed;
        self.what_if.verdicts_of_other_requests += verdicts.of_other_requests.len() as u64;
        let decided_awaits = awaits(in_force, decided);
        let awaits = awaits(self.mechanism.as_ref(), &other);
        let given_up = !awaits && !counts(&other) && (decided_awaits || counts(decided));
        if given_up && let Some(purpose) = verdicts.of_other_requests.first() {
            let reason = format!(
                "a model was asked for the verdict {purpose:?} in other words than these rules have, and nobody's score counts \
                 by its reply ({})",
                zeros(&other)
            );
            return self.not_evaluated(stream_id, &reason);
        }
        self.take(place, &other);
        match (decided_awaits, awaits) {
            (false, false) => self.compare(stream_id, decided, &other),
            (true, false) => self.wait(stream_id, Waiting::Decided(other)),
            (true, true) => {
                if let Some(evaluation) = evaluation(other) {
                    self.wait(stream_id, Waiting::Both(Box::new(evaluation), place.1));
                }
            }
            (false, true) => {
                let reason = "its scores wait for a label, and none is recorded where the rules in force wait for none";
                self.not_evaluated(stream_id, reason);
            }
        }
    }

    /// What the round's facts come to, with the verdicts that these rules would have had.
    fn evaluate(&self, round: &Round, challenge: &Challenge) -> Result<(Vec<Event>, Verdicts), String> {
        let mechanism = self.mechanism.as_ref();
        let mut facts = round.facts(challenge, mechanism, &self.statistics).map_err(|error| error.to_string())?;
        let verdicts = substitute(round, mechanism, &mut facts);
        match mechanism.evaluate(&facts) {
            Ok(evaluation) => Ok((round::events(evaluation), verdicts)),
            Err(error) => Err(match verdicts.missing() {
                Some(missing) => format!("{error}; {missing}"),
                None => error.to_string(),
            }),
        }
    }

    /// A label: the scores that follow from it come later.
    pub(crate) fn label_revealed(&mut self, stream_id: &str, position: Position, at: Micros, label: &LabelRevealed) {
        if self.waiting.contains_key(stream_id) && self.revealed.len() < MAX_WAITING {
            self.revealed.insert(stream_id.to_owned(), (position, at, label.clone()));
        }
    }

    /// Scores a round once more, at the place where that was decided. `decided` is empty where the rules in force cannot use
    /// the label.
    pub(crate) fn label(&mut self, place: (Position, Micros), stream_id: &str, decided: &[Event]) {
        let label = self.revealed.remove(stream_id);
        let before = match self.waiting.remove(stream_id) {
            // Not evaluated in the first place, which was told then.
            None => return,
            Some(Waiting::Decided(other)) => return self.compare(stream_id, decided, &other),
            Some(Waiting::Before) => {
                let reason = "its answers stand before the first epoch of this replay; replay from the first one, without --epoch";
                return self.not_evaluated(stream_id, reason);
            }
            Some(Waiting::Both(round, at)) => (round, at),
        };
        let Some((position, revealed, label)) = label else {
            return self.not_evaluated(stream_id, "its label is not at hand");
        };
        let (round, evaluated) = before;
        let facts = LabelFacts {
            position,
            source: label.source,
            label: label.label,
            revealed,
            evaluated,
            round: *round,
            statistics: self.statistics.clone(),
        };
        match self.mechanism.evaluate_label(&facts) {
            Ok(evaluation) => {
                let other = round::events(evaluation);
                self.take(place, &other);
                self.compare(stream_id, decided, &other);
            }
            Err(error) => self.not_evaluated(stream_id, &error.to_string()),
        }
    }

    /// Takes scores and running statistics in.
    fn take(&mut self, (position, at): (Position, Micros), events: &[Event]) {
        for event in events {
            self.apply(position, at, event);
            if let Event::RoundEvaluated(evaluated) = event {
                self.statistics.clone_from(&evaluated.statistics);
            }
        }
    }

    /// Compares scores that are final under both.
    fn compare(&mut self, stream_id: &str, decided: &[Event], other: &[Event]) {
        self.what_if.rounds += 1;
        if counts(decided) && !counts(other) {
            self.what_if.rounds_given_up += 1;
            note(&mut self.what_if.given_up, format!("round {stream_id}: nobody's score counts ({})", zeros(other)));
        }
        let decided = bits(decided);
        for (hotkey, bits) in bits(other) {
            if decided.get(&hotkey) == Some(&bits) {
                self.what_if.scores_same += 1;
            } else {
                self.what_if.scores_changed += 1;
            }
        }
    }

    /// Derives at the end of a range, compares with what was decided, and begins the next.
    pub(crate) fn derived(&mut self, decided: &WeightsDerived) {
        let Some(fold) = &mut self.fold else { return };
        let (other, _) = fold.derive();
        let missing = self.what_if.rounds_not_evaluated;
        self.what_if.epochs.push(EpochChange::of(decided.epoch, missing, changes(decided, &other)));
        if let Err(error) = fold.advance(&other) {
            note(&mut self.what_if.reasons, format!("no further epoch can be derived: {error}"));
            self.fold = None;
        }
    }

    pub(crate) fn finish(mut self) -> WhatIf {
        let waits = |waiting: &&Waiting| !matches!(waiting, Waiting::Before);
        self.what_if.rounds_waiting = self.waiting.values().filter(waits).count() as u64;
        self.what_if
    }
}

fn evaluation(events: Vec<Event>) -> Option<Evaluation> {
    let (mut scores, mut round) = (Vec::new(), None);
    for event in events {
        match event {
            Event::ResponseScored(scored) => scores.push(scored),
            Event::RoundEvaluated(evaluated) => round = Some(evaluated),
            _ => {}
        }
    }
    round.map(|round| Evaluation { scores, round })
}
