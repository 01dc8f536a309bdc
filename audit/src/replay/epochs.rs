//! Epochs: their order, the derivation of weights and its corrections, and their way to the chain.
//!
//! Under commit-reveal several are under way at a time: one that runs, and those before it whose committed weights wait for their reveal.

use std::collections::BTreeMap;

use domain::Aggregate;
use domain::epoch::{self, Epoch, EpochCommand, MOST_AWAITING_REVEAL};
use domain::events::{
    CheckpointAnchored, EpochClosed, EpochOpened, Event, WeightsCommitted, WeightsDerived, WeightsSubmitted,
};
use domain::types::{Digest, Micros, Position};

use super::{FoldChain, Replay};
use crate::findings::At;
use crate::record::Recorded;

/// An epoch on its way to the chain, as far as it was recomputed.
#[derive(Debug, Clone, Default)]
struct Way {
    epoch: Epoch,
    /// Where the newest derivation stands.
    derived_at: Option<Position>,
    /// Where the newest submission stands.
    submitted_at: Option<u64>,
    /// An event of the epoch is erased: whether what follows may follow cannot be told.
    blind: bool,
}

/// The epochs that are under way, and the fold of the range that runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    fold: Option<FoldChain>,
    /// Events before a fold could be begun (no rule set yet).
    early: Vec<(Position, Micros, Event)>,
    /// By number: the epoch opened last, and those before it that are not closed.
    ways: BTreeMap<u64, Way>,
    /// The number of the epoch that opens next.
    next: Option<u64>,
    /// The epoch whose derivation the audit began with, unless at the ledger's beginning. What becomes of the weights of those before it is
    /// for the audits of those.
    entered: Option<u64>,
    /// The derivation that the audit began with; it is met once more inside of the range.
    previous: Option<(Position, WeightsDerived)>,
    /// Something that the running range needs is missing.
    tainted: bool,
}

/// Events kept until there is a rule set, at most.
const MAX_EARLY: usize = 1024;

/// Epochs under way that are remembered, with those that an erasure keeps from ever ending.
const MAX_WAYS: usize = 2 * MOST_AWAITING_REVEAL;

impl Epochs {
    pub(crate) fn fold_mut(&mut self) -> Option<&mut FoldChain> {
        self.fold.as_mut()
    }

    /// Begins the first epoch of the ledger.
    pub(crate) fn begin(&mut self, mut fold: FoldChain) {
        for (position, recorded_at, event) in std::mem::take(&mut self.early) {
            fold.apply(position, recorded_at, &event);
        }
        self.fold = Some(fold);
        self.next = Some(0);
    }

    /// Begins after a recorded derivation.
    pub(crate) fn resume(&mut self, fold: FoldChain, at: Position, previous: WeightsDerived) {
        self.next = Some(previous.epoch.saturating_add(1));
        self.entered = Some(previous.epoch);
        self.ways.retain(|number, _| *number == previous.epoch);
        if self.ways.is_empty() {
            // Its derivation says that it was opened, and nothing after it depends on what else the opening says.
            let (epoch, rule_set) = (previous.epoch, previous.rule_set);
            self.opened_before(EpochOpened { epoch, block: previous.block, chain_epoch: 0, rule_set });
        }
        self.fold = Some(fold);
        self.previous = Some((at, previous));
    }

    /// The opening of the epoch whose derivation the audit begins with.
    pub(crate) fn opened_before(&mut self, opened: EpochOpened) {
        let mut way = Way::default();
        let number = opened.epoch;
        way.epoch.apply(&Event::EpochOpened(opened));
        self.ways.insert(number, way);
    }

    pub(crate) fn apply(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        match &mut self.fold {
            Some(fold) => fold.apply(position, recorded_at, event),
            None if self.early.len() < MAX_EARLY => self.early.push((position, recorded_at, event.clone())),
            None => self.tainted = true,
        }
    }

    /// The running range cannot be derived.
    pub(crate) fn taint(&mut self) {
        self.tainted = true;
    }

    /// An event of an epoch is erased. Nothing but a derivation goes into weights.
    pub(crate) fn erased(&mut self, recorded: &Recorded) {
        let before = |number: u64| self.entered.is_some_and(|entered| number < entered);
        if !recorded.stream_id.parse().is_ok_and(before)
            && let Some(number) = self.number_of(&recorded.stream_id)
        {
            self.ways.entry(number).or_default().blind = true;
        }
        self.tainted |= recorded.kind == "WeightsDerived";
    }

    /// The epoch that a stream is of: the one that it names if that is under way, else the one opened last.
    fn number_of(&self, stream: &str) -> Option<u64> {
        let named = stream.parse::<u64>().ok().filter(|number| epoch::stream_id(*number) == stream);
        let known = named.filter(|number| self.ways.contains_key(number));
        known.or_else(|| self.ways.last_key_value().map(|(number, _)| *number))
    }

    /// The epoch of a number, if it is under way; else the one opened last.
    pub(crate) fn epoch(&self, number: u64) -> Option<&Epoch> {
        let newest = || self.ways.last_key_value().map(|(_, way)| way);
        self.ways.get(&number).or_else(newest).map(|way| &way.epoch)
    }

    /// What was derived in the epoch of a number, else in the one opened last; nothing of epochs from before the audit's beginning.
    pub(crate) fn derived_of(&self, number: u64) -> Option<&WeightsDerived> {
        self.epoch(number).filter(|_| self.entered.is_none_or(|entered| number >= entered)).and_then(Epoch::derived)
    }

    /// Whether an event is of an epoch from before the audit's beginning: it says only what became of weights that are not at hand.
    fn is_before(&self, recorded: &Recorded, event: &Event) -> bool {
        let number = match event {
            Event::WeightsRevealed(revealed) => revealed.epoch,
            Event::WeightsRejected(rejected) => rejected.epoch,
            Event::EpochClosed(closed) => closed.epoch,
            _ => return false,
        };
        self.entered.is_some_and(|entered| number < entered) && recorded.stream_id == epoch::stream_id(number)
    }

    /// Commitments whose reveal is still due, of epochs that the audit saw derived.
    pub(crate) fn reveals_due(&self) -> impl Iterator<Item = &WeightsCommitted> {
        let own = self.ways.iter().filter(|(number, _)| self.entered.is_none_or(|entered| **number > entered));
        own.filter(|(_, way)| !way.blind).filter_map(|(_, way)| way.epoch.awaited_reveal())
    }
}

impl Replay {
    pub(super) fn epoch_event(&mut self, recorded: &Recorded, event: &Event) {
        let at = At::of(recorded);
        if let Event::EpochOpened(opened) = event {
            return self.epoch_opened(recorded, opened);
        }
        if self.epochs.is_before(recorded, event) {
            return;
        }
        let Some(number) = self.epochs.number_of(&recorded.stream_id) else {
            return self.findings.doubt(Some(at.position), "the opening of this epoch is not at hand");
        };
        let stream = epoch::stream_id(number);
        self.findings.equal(at, "<stream_id>", &recorded.stream_id, &stream, "an epoch's stream is its number");
        if let Event::WeightsDerived(derived) = event {
            if let Some(expected) = self.weights_derived(at, number, derived) {
                self.in_order(at, number, Event::WeightsDerived(expected));
            }
            return;
        }
        let mut event = event.clone();
        if let Some(named) = epoch_field(&mut event) {
            self.findings.equal(at, "epoch", named, &number, "events of an epoch name it");
            *named = number;
        }
        // Taken out while its event is judged, so that it can be read beside everything else.
        let mut way = self.epochs.ways.remove(&number).unwrap_or_default();
        let event = match event {
            Event::CheckpointAnchored(anchored) => {
                Event::CheckpointAnchored(self.checkpoint_anchored(at, &way, anchored))
            }
            Event::WeightsSubmitted(submitted) => {
                Event::WeightsSubmitted(self.weights_submitted(at, &mut way, submitted))
            }
            Event::WeightsCommitted(mut committed) => {
                committed.extrinsic = self.submitted_extrinsic(at, &way, committed.extrinsic);
                Event::WeightsCommitted(committed)
            }
            Event::WeightsIncluded(mut included) => {
                included.extrinsic = self.submitted_extrinsic(at, &way, included.extrinsic);
                Event::WeightsIncluded(included)
            }
            Event::WeightsRejected(mut rejected) => {
                rejected.extrinsic = self.submitted_extrinsic(at, &way, rejected.extrinsic);
                Event::WeightsRejected(rejected)
            }
            Event::EpochClosed(closed) => Event::EpochClosed(self.epoch_closed(at, &way, closed)),
            other => other,
        };
        self.epochs.ways.insert(number, way);
        self.in_order(at, number, event);
    }

    /// Lets the epoch decide whether the event may follow, and takes it in.
    fn in_order(&mut self, at: At<'_>, number: u64, event: Event) {
        let closed = match &event {
            Event::EpochClosed(closed) => Some(closed.epoch),
            _ => None,
        };
        // A derivation may carry megabytes; one that is refused is not taken in.
        let spare = (!matches!(event, Event::WeightsDerived(_))).then(|| event.clone());
        let command = match event {
            Event::EpochOpened(opened) => EpochCommand::Open(opened),
            Event::WeightsDerived(derived) => EpochCommand::Derive(Box::new(derived)),
            Event::CheckpointAnchored(anchored) => EpochCommand::Anchor(anchored),
            Event::WeightsSubmitted(submitted) => EpochCommand::Submit(submitted),
            Event::WeightsCommitted(committed) => EpochCommand::Commit(committed),
            Event::WeightsRevealed(revealed) => EpochCommand::Reveal(revealed),
            Event::WeightsIncluded(included) => EpochCommand::Include(included),
            Event::WeightsRejected(rejected) => EpochCommand::Reject(rejected),
            Event::EpochClosed(closed) => EpochCommand::Close(closed),
            _ => return,
        };
        let way = self.epochs.ways.entry(number).or_default();
        let taken = match way.epoch.decide(command) {
            Ok(events) => events,
            Err(error) if way.blind => {
                let reason = format!("an event of this epoch was erased, and without it: {error}");
                self.findings.doubt(Some(at.position), reason);
                spare.into_iter().collect()
            }
            Err(error) => {
                let field = match at.kind {
                    "EpochClosed" => "outcome",
                    "CheckpointAnchored" => "size",
                    _ => "",
                };
                let message = "opened, derived, anchored, submitted, its fate, closed: in this order";
                self.findings.differ(at, field, at.kind, error, message);
                spare.into_iter().collect()
            }
        };
        taken.iter().for_each(|event| way.epoch.apply(event));
        if way.epoch.gives_way() {
            way.epoch.forget_carried();
        }
        if let Some(closed) = closed {
            self.counts.closed += u64::from(self.settings.epoch.is_none_or(|wanted| wanted == closed));
            self.complete = self.settings.epoch == Some(closed);
        }
    }

    fn epoch_opened(&mut self, recorded: &Recorded, opened: &EpochOpened) {
        let at = At::of(recorded);
        let ways = self.epochs.ways.values().filter(|way| !way.blind);
        if !ways.clone().all(|way| way.epoch.gives_way()) {
            let message = "an epoch opens when those before it are closed or committed";
            self.findings.differ(at, "", "opened", "an epoch before is still open", message);
        }
        let waiting = ways.filter(|way| way.epoch.awaited_reveal().is_some()).count();
        if waiting > MOST_AWAITING_REVEAL {
            let message = "so many commitments wait for their reveal at most";
            self.findings.differ(at, "", waiting, MOST_AWAITING_REVEAL, message);
        }
        let number = self.epochs.next.unwrap_or(opened.epoch);
        self.findings.equal(at, "epoch", &opened.epoch, &number, "epochs are numbered from 0 without gaps");
        let stream = epoch::stream_id(number);
        self.findings.equal(at, "<stream_id>", &recorded.stream_id, &stream, "an epoch's stream is its number");
        if let Some(rules) = &self.rules {
            let message = "the rule set in force is the one adopted last";
            self.findings.equal(at, "rule_set", &opened.rule_set, &rules.hash, message);
        }
        self.epochs.next = Some(number.saturating_add(1));
        self.epochs.ways.retain(|_, way| way.epoch.closed().is_none());
        self.epochs.ways.values_mut().for_each(|way| way.epoch.forget_carried());
        while self.epochs.ways.len() >= MAX_WAYS {
            self.epochs.ways.pop_first();
        }
        self.epochs.ways.insert(number, Way::default());
        self.in_order(at, number, Event::EpochOpened(EpochOpened { epoch: number, ..opened.clone() }));
    }

    /// The derivation that follows, compared with the recorded one. None when it cannot be known.
    fn weights_derived(&mut self, at: At<'_>, number: u64, recorded: &WeightsDerived) -> Option<WeightsDerived> {
        let way = self.epochs.ways.entry(number).or_default();
        way.derived_at = Some(Position(at.position));
        let basis = way.epoch.derived().cloned();
        if let Some((position, previous)) = self.epochs.previous.take() {
            let message = "the derivation that the range begins with stands in it";
            self.findings.equal(at, "<position>", &at.position, &position.0, message);
            self.findings.same(at, recorded, &previous, message);
            return Some(previous);
        }
        if let Some(basis) = basis {
            return Some(self.revision(at, recorded, &basis));
        }
        self.derivation(at, recorded)
    }

    fn derivation(&mut self, at: At<'_>, recorded: &WeightsDerived) -> Option<WeightsDerived> {
        if !self.rounds.none_open() || !self.labels.none_open() {
            let message = "no attempt is open when weights are derived";
            self.findings.differ(at, "", "derived", "an attempt is still open", message);
        }
        let Some(fold) = &mut self.epochs.fold else {
            self.findings.doubt(Some(at.position), "the weights cannot be derived: no usable rule set is in force");
            return None;
        };
        let (mut expected, ends) = fold.derive();
        if self.epochs.tainted {
            self.findings.doubt(Some(at.position), "the weights depend on a payload that is missing");
            expected = recorded.clone();
        } else {
            if !ends {
                let message = "a range ends with the full metagraph observation before the derivation";
                self.findings.differ(at, "to", recorded.to, "no such observation", message);
            }
            let message = "the weights and the state carried out follow from the range";
            if self.findings.same(at, recorded, &expected, message) {
                // The same bytes: one copy of the state is enough.
                expected = recorded.clone();
            }
            if self.settings.epoch.is_none_or(|wanted| wanted == expected.epoch) {
                self.pending.derivations = 1;
                self.pending.weights = (expected.weights.len() + expected.zeros.len()) as u64;
                self.pending.range(expected.epoch, fold.from().0, expected.to.0);
                self.counts.add(&self.pending);
            }
        }
        self.pending = crate::report::Counts::default();
        self.epochs.tainted = false;
        if let Err(error) = fold.advance(&expected) {
            self.findings.doubt(Some(at.position), error.to_string());
        }
        if let Some(alternative) = &mut self.alternative {
            alternative.derived(&expected);
        }
        Some(expected)
    }

    fn revision(&mut self, at: At<'_>, recorded: &WeightsDerived, basis: &WeightsDerived) -> WeightsDerived {
        let metagraph = self.facts.metagraphs.at_or_newest(recorded.metagraph);
        let expected = metagraph.and_then(|(position, metagraph)| epoch::reassigned(basis, position, &metagraph));
        let message = "a correction leaves out the slots that changed hands, and nothing else";
        let Some(expected) = expected else {
            self.findings.differ(at, "revision", recorded.revision, basis.revision, "no slot changed hands");
            return WeightsDerived { revision: basis.revision.saturating_add(1), ..basis.clone() };
        };
        self.findings.same_event(at, &recorded.clone().into(), &expected.clone().into(), message);
        if self.settings.epoch.is_none_or(|wanted| wanted == expected.epoch) {
            self.counts.revisions += 1;
        }
        expected
    }

    fn checkpoint_anchored(&mut self, at: At<'_>, way: &Way, anchored: CheckpointAnchored) -> CheckpointAnchored {
        let newest = self.checkpoints.newest();
        let shown = newest.map_or_else(|| "none".to_owned(), |(size, _)| size.to_string());
        match self.checkpoints.root(anchored.size) {
            Some(root) if root == anchored.root => {}
            Some(root) => {
                let message = "what is anchored is a published checkpoint";
                self.findings.differ_involving(at, "root", &["size"], anchored.root, root, message);
            }
            None => {
                self.findings.differ(at, "size", anchored.size, &shown, "what is anchored is a published checkpoint")
            }
        }
        let derived_at = way.derived_at.unwrap_or_default();
        if anchored.size <= derived_at.0 {
            let message = "the anchored checkpoint covers the derivation";
            self.findings.differ(at, "size", anchored.size, shown, message);
        }
        self.counts.anchors += 1;
        anchored
    }

    fn weights_submitted(&mut self, at: At<'_>, way: &mut Way, submitted: WeightsSubmitted) -> WeightsSubmitted {
        let Some(basis) = way.epoch.derived().filter(|_| !way.blind) else { return submitted };
        let expected = WeightsSubmitted {
            derived: way.derived_at.unwrap_or(submitted.derived),
            uids: basis.weights.iter().map(|weight| weight.uid).collect(),
            weights: basis.weights.iter().map(|weight| weight.weight).collect(),
            ..submitted.clone()
        };
        let message = "the newest derivation is what is submitted";
        self.findings.same_event(at, &submitted.into(), &expected.clone().into(), message);
        way.submitted_at = Some(at.position);
        expected
    }

    /// The extrinsic of the open submission, which the event must name.
    fn submitted_extrinsic(&mut self, at: At<'_>, way: &Way, named: Digest) -> Digest {
        let submitted = way.epoch.submitted().filter(|_| !way.blind);
        let Some(submitted) = submitted.map(|submitted| submitted.extrinsic) else { return named };
        if named != submitted {
            let message = "the fate is that of the submitted extrinsic";
            self.findings.differ(at, "extrinsic", named, submitted, message);
            if let Some(position) = way.submitted_at {
                let at = At { position, kind: "WeightsSubmitted" };
                self.findings.differ(at, "extrinsic", submitted, named, message);
            }
        }
        submitted
    }

    /// The closing that follows from what the epoch holds, compared with the recorded one.
    fn epoch_closed(&mut self, at: At<'_>, way: &Way, mut closed: EpochClosed) -> EpochClosed {
        if way.blind {
            return closed;
        }
        let epoch = &way.epoch;
        match epoch.stated_reason() {
            Some(stated) if stated != closed.reason => {
                let message =
                    "a reason is given exactly when nothing was included, and a derivation that skips gives its own";
                self.findings.differ_involving(at, "reason", &["outcome"], &closed.reason, stated, message);
                stated.clone_into(&mut closed.reason);
            }
            None if closed.reason.is_empty() => {
                let message = "a reason is given exactly when nothing was included";
                self.findings.differ_involving(at, "reason", &["outcome"], "", "a reason", message);
            }
            _ => {}
        }
        if closed.reason == epoch::NOT_REGISTERED
            && epoch.derived().is_some_and(|derived| derived.skip.is_none())
            && epoch.submitted().is_none()
            && let (Some(ledger), Some((position, metagraph))) = (&self.ledger, self.facts.metagraphs.newest())
            && let Some(own) = metagraph.of(&ledger.opened.hotkey)
        {
            let (uid, message) = (own.uid, "weights are withheld from a chain that does not know the hotkey only");
            let recomputed = format!("uid {uid} is its own at position {position}");
            self.findings.differ_involving(at, "reason", &["outcome"], &closed.reason, recomputed, message);
        }
        // Without one, the fate is open, and the order of events is broken.
        if let Some(outcome) = epoch.outcome(&closed.reason)
            && outcome != closed.outcome
        {
            let message =
                "the outcome follows from the derivation, the submission and its fate, or the reason for none";
            let (recorded, recomputed) = (format!("{:?}", closed.outcome), format!("{outcome:?}"));
            self.findings.differ_involving(at, "outcome", &["reason"], recorded, recomputed, message);
            closed.outcome = outcome;
        }
        closed
    }
}

/// The epoch that an event of an epoch names.
fn epoch_field(event: &mut Event) -> Option<&mut u64> {
    Some(match event {
        Event::CheckpointAnchored(event) => &mut event.epoch,
        Event::WeightsSubmitted(event) => &mut event.epoch,
        Event::WeightsCommitted(event) => &mut event.epoch,
        Event::WeightsRevealed(event) => &mut event.epoch,
        Event::WeightsIncluded(event) => &mut event.epoch,
        Event::WeightsRejected(event) => &mut event.epoch,
        Event::EpochClosed(event) => &mut event.epoch,
        // Compared as a whole.
        _ => return None,
    })
}
