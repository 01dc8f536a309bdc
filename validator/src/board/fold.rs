//! What the running validator knows: a fold of the recorded events, in order of position.
//!
//! **Architecture invariant:** there is no other way into this state than [`Fold::apply`]. After any fault it is still a
//! prefix of the log, and catching up makes it right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::events::{AvailabilitySwept, EpochOpened, Event, RuleSetAdopted, Statistic, WeightsCommitted};
use domain::mechanism::AWAITS_LABEL;
use domain::metagraph::Metagraph;
use domain::round;
use domain::types::{BlockNumber, Digest, Hotkey, Position};

use super::figures::Figures;
use crate::service::ClosedEpoch;

/// The kinds that [`Fold::apply`] and its figures look at. Vectors and scores, the bulk of a log, are not among them.
pub(crate) const KINDS: &[&str] = &[
    "RuleSetAdopted",
    "CheckpointPublished",
    "ValidatorPaused",
    "ValidatorResumed",
    "MetagraphObserved",
    "AvailabilitySwept",
    "ExternalScoresFetched",
    "ChallengeAccepted",
    "MinersSelected",
    "ResponseReceived",
    "ResponseFailed",
    "RoundEvaluated",
    "LabelRevealed",
    "RoundAbandoned",
    "DeliveryAttempted",
    "EpochOpened",
    "WeightsDerived",
    "WeightsSubmitted",
    "WeightsCommitted",
    "WeightsRevealed",
    "WeightsIncluded",
    "WeightsRejected",
    "EpochClosed",
];

/// A challenge that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenChallenge {
    /// Its id.
    pub(crate) id: String,
    /// Attempts drawn so far.
    pub(crate) attempts: u32,
    /// Whether the last of them has not ended.
    pub(crate) attempt_open: bool,
}

/// A round whose scores wait for a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Where its challenge was accepted.
    pub(crate) accepted: Position,
    /// Where its evaluation stands.
    pub(crate) evaluated: Position,
}

/// The epoch that is open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenEpoch {
    /// Its opening.
    pub(crate) opened: EpochOpened,
    /// Whether its weights are derived.
    pub(crate) derived: bool,
}

/// Figures since the ledger was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) accepted: u64,
    pub(crate) evaluated: u64,
    pub(crate) abandoned: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) response_time_ms: u128,
}

/// The raw reply of the last outside scores and where it stands.
pub(crate) type ExternalReply = (Position, Arc<Vec<u8>>);

/// The state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fold {
    open: BTreeMap<Position, OpenChallenge>,
    ids: BTreeMap<String, Position>,
    /// Rounds are not issued.
    pub(crate) paused: bool,
    /// The rule set adopted last.
    pub(crate) rule_set: Option<RuleSetAdopted>,
    /// The metagraph and the observation up to which it is folded.
    pub(crate) metagraph: Option<(Position, Arc<Metagraph>)>,
    /// Where the whole of it was observed last: at the start, and where a derivation ends its range.
    pub(crate) whole_metagraph: Option<Position>,
    /// The last availability sweep.
    pub(crate) sweep: Option<(Position, Arc<AvailabilitySwept>)>,
    /// The last outside scores.
    pub(crate) external: Option<ExternalReply>,
    /// The open epoch; one whose weights are committed has given way to the next.
    pub(crate) epoch: Option<OpenEpoch>,
    /// The number of the epoch that opens next when none is open.
    pub(crate) next_epoch: u64,
    /// Commitments of epochs that are not closed, by number.
    pub(crate) committed: BTreeMap<u64, WeightsCommitted>,
    /// The block of the last reveal.
    pub(crate) revealed: Option<BlockNumber>,
    /// The event with which the last epoch gave way to the next: its commitment, or its end.
    pub(crate) gave_way: Option<Position>,
    /// The epoch closed last.
    pub(crate) closed: Option<ClosedEpoch>,
    /// Leaves that the last published checkpoint covers, and where it is recorded.
    pub(crate) checkpoint: Option<(u64, Position)>,
    /// The challenge accepted last.
    pub(crate) last_accepted: Option<Position>,
    /// Rounds that wait for a label, by the id of their stream.
    pub(crate) waiting: BTreeMap<String, Waiting>,
    /// Labels from which no scores were recorded yet, by the id of their stream; since the last derivation.
    pub(crate) unscored: BTreeSet<String>,
    /// Whether rounds were scored, or labels told, since the last derivation.
    pub(crate) has_scored: bool,
    /// Running statistics as the round evaluated last left them.
    pub(crate) statistics: Vec<Statistic>,
    /// Figures.
    pub(crate) counters: Counters,
    /// Figures that are only shown.
    pub(crate) figures: Figures,
}

impl Fold {
    /// Challenges that have not ended, in order of acceptance.
    pub(crate) fn open(&self) -> impl Iterator<Item = (Position, &OpenChallenge)> {
        self.open.iter().map(|(position, challenge)| (*position, challenge))
    }

    /// Rounds under way.
    pub(crate) fn active(&self) -> usize {
        self.open.values().filter(|challenge| challenge.attempt_open).count()
    }

    /// Challenges that wait.
    pub(crate) fn queued(&self) -> usize {
        self.open.len() - self.active()
    }

    /// An open challenge by its id.
    pub(crate) fn challenge(&self, id: &str) -> Option<(Position, &OpenChallenge)> {
        let position = self.ids.get(id)?;
        self.open.get(position).map(|challenge| (*position, challenge))
    }

    /// The rule set that binds now: that of an epoch whose weights are still to be derived, and before it is opened that of rounds which
    /// will go into them.
    pub(crate) fn binding_rule_set(&self) -> Option<Digest> {
        let open = self.epoch.as_ref().filter(|epoch| !epoch.derived).map(|epoch| epoch.opened.rule_set);
        let in_force = self.rule_set.as_ref().filter(|_| self.has_scored).map(|adopted| adopted.hash);
        open.or(in_force)
    }

    /// Hotkeys that answered the last sweep.
    pub(crate) fn available(&self) -> impl Iterator<Item = Hotkey> + '_ {
        let probes = self.sweep.iter().flat_map(|(_, sweep)| &sweep.probes);
        probes.filter(|probe| probe.available).map(|probe| probe.hotkey)
    }

    /// Folds one recorded event in.
    pub(crate) fn apply(&mut self, position: Position, event: &Event) {
        match event {
            Event::RuleSetAdopted(adopted) => self.rule_set = Some(adopted.clone()),
            Event::CheckpointPublished(published) => self.checkpoint = Some((published.size, position)),
            Event::ValidatorPaused(_) => self.paused = true,
            Event::ValidatorResumed(_) => self.paused = false,
            Event::MetagraphObserved(observed) => {
                let mut metagraph = self.metagraph.take().map(|(_, metagraph)| metagraph).unwrap_or_default();
                Arc::make_mut(&mut metagraph).observe(observed);
                self.metagraph = Some((position, metagraph));
                if observed.full {
                    self.whole_metagraph = Some(position);
                }
            }
            Event::AvailabilitySwept(swept) => self.sweep = Some((position, Arc::new(swept.clone()))),
            Event::ExternalScoresFetched(fetched) => {
                self.external = Some((position, Arc::new(fetched.reply.bytes().to_vec())));
            }
            Event::EpochOpened(opened) => self.epoch = Some(OpenEpoch { opened: opened.clone(), derived: false }),
            Event::WeightsDerived(derived) => {
                // A derivation waits until the scores of every label are there: from what is left none follow.
                if derived.revision == 0 {
                    self.unscored.clear();
                    self.has_scored = false;
                }
                if let Some(epoch) = &mut self.epoch {
                    epoch.derived = true;
                }
            }
            Event::WeightsCommitted(committed) => {
                self.give_way(position, committed.epoch);
                self.committed.insert(committed.epoch, committed.clone());
            }
            Event::WeightsRevealed(revealed) => self.revealed = self.revealed.max(Some(revealed.block)),
            Event::EpochClosed(closed) => {
                self.close(position, closed.epoch);
                let (epoch, outcome, reason) = (closed.epoch, closed.outcome, closed.reason.clone());
                self.closed = Some(ClosedEpoch { epoch, outcome, reason, position });
            }
            other => self.apply_to_challenge(position, other),
        }
    }

    /// Folds an event in whose payload is erased: what its kind and its stream say. What ended stays ended; an abandoned
    /// attempt counts as the last one, unless another is drawn.
    pub(crate) fn apply_erased(&mut self, position: Position, kind: &str, stream_id: &str) {
        let challenge = stream_id.rsplit_once('/').map(|(id, _)| id);
        match (kind, challenge) {
            ("ValidatorPaused", _) => self.paused = true,
            ("ValidatorResumed", _) => self.paused = false,
            ("RoundEvaluated", Some(id)) => {
                self.counters.evaluated += 1;
                self.has_scored = true;
                self.end(id);
            }
            ("RoundAbandoned", Some(id)) => self.end(id),
            ("LabelRevealed", Some(_)) => {
                self.has_scored = true;
                self.waiting.remove(stream_id);
            }
            ("EpochClosed", _) => stream_id.parse().into_iter().for_each(|epoch| self.close(position, epoch)),
            _ => {}
        }
    }

    /// An epoch ended. One that had given way is over without anything more.
    fn close(&mut self, position: Position, epoch: u64) {
        if self.committed.remove(&epoch).is_none() {
            self.give_way(position, epoch);
        }
    }

    /// The next epoch may open, unless it has already.
    fn give_way(&mut self, position: Position, epoch: u64) {
        if self.epoch.as_ref().is_none_or(|open| open.opened.epoch <= epoch) && self.next_epoch <= epoch {
            self.epoch = None;
            self.next_epoch = epoch.saturating_add(1);
            self.gave_way = Some(position);
        }
    }

    fn apply_to_challenge(&mut self, position: Position, event: &Event) {
        match event {
            Event::ChallengeAccepted(accepted) => {
                let id = accepted.challenge.id.clone();
                self.counters.accepted += 1;
                self.last_accepted = Some(position);
                self.ids.insert(id.clone(), position);
                self.open.insert(position, OpenChallenge { id, attempts: 0, attempt_open: false });
            }
            Event::MinersSelected(selected) => {
                if selected.attempt > 1 && !self.ids.contains_key(&selected.challenge_id) {
                    // Its last attempt's end is erased and was not its end.
                    self.ids.insert(selected.challenge_id.clone(), selected.accepted);
                    let id = selected.challenge_id.clone();
                    self.open.insert(selected.accepted, OpenChallenge { id, attempts: 0, attempt_open: false });
                }
                if let Some(challenge) = self.open.get_mut(&selected.accepted) {
                    challenge.attempts = selected.attempt;
                    challenge.attempt_open = true;
                }
            }
            Event::ResponseReceived(response) => {
                self.counters.answered += 1;
                self.counters.response_time_ms += u128::from(response.response_time_ms);
            }
            Event::ResponseFailed(_) => self.counters.failed += 1,
            Event::RoundEvaluated(evaluated) => {
                self.has_scored = true;
                self.statistics.clone_from(&evaluated.statistics);
                let stream = round::stream_id(&evaluated.challenge_id, evaluated.attempt);
                // By a label, a round that has ended is scored once more.
                if evaluated.label.is_some() {
                    self.unscored.remove(&stream);
                    return;
                }
                self.counters.evaluated += 1;
                let accepted = self.ids.get(&evaluated.challenge_id).copied();
                if let Some(accepted) = accepted.filter(|_| evaluated.components.iter().any(|c| c.name == AWAITS_LABEL))
                {
                    self.waiting.insert(stream, Waiting { accepted, evaluated: position });
                }
                self.end(&evaluated.challenge_id);
            }
            Event::LabelRevealed(revealed) => {
                self.has_scored = true;
                let stream = round::stream_id(&revealed.challenge_id, revealed.attempt);
                if self.waiting.remove(&stream).is_some() {
                    self.unscored.insert(stream);
                }
            }
            Event::RoundAbandoned(abandoned) if abandoned.last => {
                self.counters.abandoned += 1;
                self.end(&abandoned.challenge_id);
            }
            Event::RoundAbandoned(abandoned) => {
                let position = self.ids.get(&abandoned.challenge_id);
                if let Some(challenge) = position.and_then(|position| self.open.get_mut(position)) {
                    challenge.attempt_open = false;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, id: &str) {
        if let Some(position) = self.ids.remove(id) {
            self.open.remove(&position);
        }
    }
}
