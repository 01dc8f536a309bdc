//! Replays a ledger: takes its events in order, recomputes what follows from the facts among them and compares.
//!
//! One replay audits one epoch or all from the beginning. Memory is bounded by what is open (rounds, challenges, the state
//! that the mechanism carries), never by the length of the range.
//!
//! **Architecture invariant:** no recorded score, draw or weight is an input of its own recomputation, and none is taken
//! over where the recomputation differs: the replay goes on with its own values.
//!
//! **Architecture invariant:** an audit never says "equal" about what it did not recompute. What it cannot judge is a doubt,
//! and a doubt is a verdict of its own.

mod chain;
mod deliveries;
mod epochs;
mod evidence;
mod facts;
mod fold;
mod labels;
mod ledger;
mod log;
mod responses;
mod rounds;
mod scores;

use domain::codec::CodecError;
use domain::events::{Event, LedgerOpened, Statistic, WeightsDerived};
use domain::mechanism::Mechanism;
use domain::types::{Digest, Micros, Position};
use std::sync::Arc;
use tlog::Frontier;

use crate::chain_view::ChainView;
use crate::findings::{At, Findings};
use crate::keys::{Ed25519NoteVerifier, Sr25519NoteVerifier};
use crate::record::Recorded;
use crate::report::{Counts, Report, RevealDue};
use crate::what_if::{Alternative, WhatIf};

pub(crate) use fold::FoldChain;

/// What to audit.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// One epoch; all that the events derive when none.
    pub epoch: Option<u64>,
    /// What a chain said, when one was asked.
    pub chain: Option<ChainView>,
}

/// Whether more events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The next event may still matter.
    More,
    /// The epoch asked for is derived and closed, or nothing can be said any more.
    Complete,
}

/// The ledger as its first event states it.
#[derive(Debug, Clone)]
struct Ledger {
    opened: LedgerOpened,
    own_public: Option<[u8; 32]>,
    checkpoint_key: Option<Ed25519NoteVerifier>,
    hotkey: Option<Sr25519NoteVerifier>,
}

/// The rule set in force.
#[derive(Debug, Clone)]
struct Rules {
    hash: Digest,
    mechanism: Arc<dyn Mechanism>,
}

/// A running audit. A clone goes on from the same place.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    settings: Settings,
    findings: Findings,
    /// Of the range that is not derived yet.
    pending: Counts,
    /// Of the ranges asked for.
    counts: Counts,
    log: log::LogCheck,
    ledger: Option<Ledger>,
    rules: Option<Rules>,
    facts: facts::Facts,
    rounds: rounds::Rounds,
    labels: labels::Labels,
    deliveries: deliveries::Deliveries,
    epochs: epochs::Epochs,
    checkpoints: ledger::Checkpoints,
    erasures: ledger::Erasures,
    antecedents: Vec<(Position, Event)>,
    previous: Option<(Position, WeightsDerived)>,
    /// Running statistics as the round evaluated last left them.
    statistics: Vec<Statistic>,
    started: bool,
    complete: bool,
    alternative: Option<Alternative>,
}

impl Replay {
    /// A replay that has seen nothing. Position 0 may be pushed at once; for a later beginning give
    /// [`Replay::antecedent`]s, [`Replay::previous`] and [`Replay::frontier`] first.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Evaluates everything a second time under another mechanism, for [`Replay::finish_what_if`].
    #[must_use]
    pub fn under(mut self, mechanism: Arc<dyn Mechanism>) -> Self {
        self.alternative = Some(Alternative::new(mechanism));
        self
    }

    /// An event from before the first one pushed that the range relies on. In order of position.
    pub fn antecedent(&mut self, recorded: &Recorded) {
        log::check_record(recorded, &mut self.findings);
        self.log.antecedent(recorded);
        self.deliveries.evaluated(recorded, false);
        let Some(event) = self.typed(recorded) else { return };
        let position = Position(recorded.position);
        match &event {
            Event::LedgerOpened(opened) => self.open_ledger(At::of(recorded), opened),
            Event::RuleSetAdopted(adopted) => self.adopt(At::of(recorded), adopted),
            Event::ChallengeAccepted(accepted) => {
                self.rounds.accept(recorded, accepted.clone());
            }
            Event::RoundAbandoned(_) => self.rounds.abandoned_before(recorded),
            Event::ResponseScored(_) | Event::RoundEvaluated(_) => {
                if let Some(alternative) = &mut self.alternative {
                    alternative.antecedent(&recorded.stream_id, Micros(recorded.recorded_at), &event);
                }
                self.labels.antecedent(recorded, &event);
            }
            Event::EpochOpened(opened) => self.epochs.opened_before(opened.clone()),
            Event::WeightsDerived(derived) if derived.revision == 0 => {
                self.previous = Some((position, derived.clone()));
            }
            Event::DeliveryAttempted(attempted) => self.deliveries.note(recorded, attempted),
            Event::MetagraphObserved(_) | Event::ExternalScoresFetched(_) => {
                self.antecedents.push((position, event.clone()));
            }
            _ => {}
        }
        self.facts.observe(position, Position(recorded.cause), &event);
    }

    /// The derivation (revision 0) of the epoch before, whose `to` lies right before the first event pushed.
    pub fn previous(&mut self, recorded: &Recorded) {
        self.antecedent(recorded);
    }

    /// The tree over everything before the first event pushed. Without it checkpoints cannot be compared.
    pub fn frontier(&mut self, frontier: Frontier) {
        self.log.with_frontier(frontier);
    }

    /// What a chain said, in place of what the settings held.
    pub fn chain(&mut self, chain: ChainView) {
        self.settings.chain = Some(chain);
    }

    /// The tree over everything seen so far, when the one before it was known.
    #[must_use]
    pub fn tree(&self) -> Option<&Frontier> {
        self.log.frontier()
    }

    /// What has been found so far.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// A reason, found outside of the replay, why it cannot tell.
    pub fn doubt(&mut self, reason: impl Into<String>) {
        self.findings.doubt(None, reason);
    }

    /// A contradiction found outside of the replay: an event that is not in the tree it should be in.
    pub(crate) fn contradiction(
        &mut self,
        at: At<'_>,
        field: &str,
        recorded: impl ToString,
        recomputed: impl ToString,
        message: &str,
    ) {
        self.findings.differ(at, field, recorded, recomputed, message);
    }

    /// A checkpoint that was verified outside of the replay.
    pub(crate) fn verified_checkpoint(&mut self, by_hotkey: bool) {
        self.counts.checkpoints += 1;
        self.counts.checkpoints_by_hotkey += u64::from(by_hotkey);
    }

    /// Takes the next event. Its payload, which may be megabytes, is given up as soon as it is hashed and decoded.
    pub fn push(&mut self, mut recorded: Recorded) -> Progress {
        if self.complete {
            return Progress::Complete;
        }
        if !self.started {
            self.started = true;
            self.begin(recorded.position);
        }
        if !self.log.event(&recorded, &mut self.findings) {
            self.complete = true;
            return Progress::Complete;
        }
        self.counts.events += 1;
        self.deliveries.evaluated(&recorded, true);
        match self.typed(&recorded) {
            Some(event) => {
                recorded.payload = None;
                self.event(&recorded, &event);
            }
            None if recorded.erased() => self.erased(&recorded),
            None => {}
        }
        if self.complete { Progress::Complete } else { Progress::More }
    }

    fn begin(&mut self, position: u64) {
        if position == 0 {
            return;
        }
        self.deliveries.entered_late();
        let Some((at, previous)) = self.previous.take() else {
            return self.findings.doubt(Some(position), "the derivation of the epoch before is missing");
        };
        if previous.to.0.checked_add(1) != Some(position) || previous.epoch == u64::MAX {
            let reason = format!("the range of epoch {} ends at {}", previous.epoch, previous.to);
            return self.findings.doubt(Some(position), format!("{reason}, the events begin at {position}"));
        }
        let Some((rules, ledger)) = self.rules.as_ref().zip(self.ledger.as_ref()) else {
            return self.findings.doubt(Some(position), "the ledger's first event or its rule set is missing");
        };
        self.pending.carried_in = previous.carried.len() as u64;
        self.statistics.clone_from(&previous.statistics);
        let own = ledger.opened.hotkey;
        if let Some(alternative) = &mut self.alternative {
            alternative.resume(own, &previous, &self.antecedents);
        }
        match FoldChain::resume(Arc::clone(&rules.mechanism), own, &previous, &self.antecedents) {
            Ok(fold) => self.epochs.resume(fold, at, previous),
            Err(error) => {
                let at = At { position: at.0, kind: "WeightsDerived" };
                self.findings.differ(at, "window[\u{2026}]", error, "items as stated", "carried state is whole");
            }
        }
    }

    /// Decodes, and finds what cannot be decoded.
    fn typed(&mut self, recorded: &Recorded) -> Option<Event> {
        match recorded.event() {
            Ok(event) => event,
            Err(CodecError::Unknown { kind, version }) => {
                let reason = format!("event kind {kind:?} version {version} is unknown to this program");
                self.findings.doubt(Some(recorded.position), reason);
                None
            }
            Err(error) => {
                let message = "the payload is the canonical encoding of its kind";
                let mut text = error.to_string();
                if let Some(source) = std::error::Error::source(&error) {
                    text = format!("{text}: {source}");
                }
                self.findings.differ(At::of(recorded), "<payload>", text, "a canonical payload", message);
                self.rounds.taint(recorded);
                None
            }
        }
    }

    fn event(&mut self, recorded: &Recorded, event: &Event) {
        let (at, position) = (At::of(recorded), Position(recorded.position));
        self.known_stream(recorded, event);
        self.facts.observe(position, Position(recorded.cause), event);
        self.compare_with_chain(at, event);
        match event {
            Event::LedgerOpened(opened) => self.ledger_opened(at, opened),
            Event::RuleSetAdopted(adopted) => self.adopt(at, adopted),
            Event::CheckpointPublished(published) => self.checkpoint_published(at, published),
            Event::PayloadErased(erased) => self.erasures.announced(erased.position.0, recorded.position),
            Event::ValidatorStarted(started) => self.validator_started(at, started),
            Event::ValidatorPaused(_) | Event::ValidatorResumed(_) | Event::ValidatorStopped(_) => {}
            Event::MetagraphObserved(observed) => self.metagraph_observed(at, observed),
            Event::AvailabilitySwept(swept) => self.availability_swept(at, swept),
            Event::ExternalScoresFetched(_) => self.pending.external += 1,
            Event::ChallengeAccepted(accepted) => self.challenge_accepted(recorded, accepted),
            Event::MinersSelected(selected) => self.miners_selected(recorded, selected),
            Event::ChallengeIssued(issued) => self.challenge_issued(recorded, issued),
            Event::ResponseReceived(response) => self.response_received(recorded, response),
            Event::ResponseFailed(failure) => self.response_failed(recorded, failure),
            Event::EmbeddingComputed(embedding) => self.embedding_computed(recorded, embedding),
            Event::JudgementRecorded(judgement) => self.judgement_recorded(recorded, judgement),
            Event::LabelRevealed(revealed) => self.label_revealed(recorded, revealed),
            Event::ResponseScored(scored) => self.response_scored(recorded, scored),
            Event::RoundEvaluated(evaluated) => self.round_evaluated(recorded, evaluated),
            Event::RoundAbandoned(abandoned) => self.round_abandoned(recorded, abandoned),
            Event::DeliveryAttempted(attempted) => self.delivery_attempted(recorded, attempted),
            Event::EpochOpened(_)
            | Event::WeightsDerived(_)
            | Event::CheckpointAnchored(_)
            | Event::WeightsSubmitted(_)
            | Event::WeightsCommitted(_)
            | Event::WeightsRevealed(_)
            | Event::WeightsIncluded(_)
            | Event::WeightsRejected(_)
            | Event::EpochClosed(_) => self.epoch_event(recorded, event),
        }
        // Scores come in recomputed, from where they are compared.
        if !matches!(event, Event::ResponseScored(_) | Event::RoundEvaluated(_)) {
            self.fold(position, Micros(recorded.recorded_at), event);
        }
    }

    /// Gives the epoch's fold an event of its range.
    fn fold(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        self.epochs.apply(position, recorded_at, event);
        if let Some(alternative) = &mut self.alternative
            && !matches!(event, Event::ResponseScored(_) | Event::RoundEvaluated(_))
        {
            alternative.apply(position, recorded_at, event);
        }
    }

    /// Ends the replay and says what came of it.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.conclude()
    }

    /// Ends the replay, with what another mechanism would have made of the same facts.
    #[must_use]
    pub fn finish_what_if(mut self) -> (Report, WhatIf) {
        let report = self.conclude();
        let what_if = self.alternative.map(Alternative::finish).unwrap_or_default();
        (report, what_if)
    }

    fn conclude(&mut self) -> Report {
        self.erasures.conclude(&mut self.findings);
        if self.counts.derivations == 0 {
            let what = self.settings.epoch.map_or_else(|| "no epoch".to_owned(), |epoch| format!("epoch {epoch} not"));
            self.findings.doubt(None, format!("{what} derived in these events: nothing was recomputed"));
        }
        let asked = |epoch: u64| self.settings.epoch.is_none_or(|wanted| wanted == epoch);
        let due = self.epochs.reveals_due().filter(|committed| asked(committed.epoch)).map(RevealDue::of);
        let due: Vec<RevealDue> = due.collect();
        // Of many epochs some are always on their way; one that was asked for has no end yet.
        for due in due.iter().filter(|_| self.settings.epoch.is_some()) {
            self.findings.doubt(None, due.to_string());
        }
        Report::new(self.settings.epoch, due, std::mem::take(&mut self.findings), self.counts.clone())
    }
}
