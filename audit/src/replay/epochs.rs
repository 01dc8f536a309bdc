//! Epochs: their order, the derivation of weights and its corrections, and their way to the chain.

use domain::Aggregate;
use domain::epoch::{self, Epoch, EpochCommand};
use domain::events::{CheckpointAnchored, EpochClosed, EpochOpened, Event, WeightsDerived, WeightsSubmitted};
use domain::types::{Digest, Micros, Position};

use super::{FoldChain, Replay};
use crate::findings::At;
use crate::record::Recorded;

/// The epoch that is open, and the fold of the range that runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    fold: Option<FoldChain>,
    /// Events before a fold could be begun (no rule set yet).
    early: Vec<(Position, Micros, Event)>,
    epoch: Epoch,
    /// Where the newest derivation stands.
    derived_at: Option<Position>,
    /// Where the newest submission stands.
    submitted_at: Option<u64>,
    /// The number of the epoch that opens next.
    next: Option<u64>,
    /// The derivation that the audit began with; it is met once more inside of the range.
    previous: Option<(Position, WeightsDerived)>,
    /// Something that the running range needs is missing.
    tainted: bool,
    /// An event of the epoch is erased: whether what follows may follow cannot be told.
    blind: bool,
}

/// Events kept until there is a rule set, at most.
const MAX_EARLY: usize = 1024;

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
        if self.epoch.opened().is_none_or(|opened| opened.epoch != previous.epoch) {
            // Its derivation says that it was opened, and nothing after it depends on what else the opening says.
            let (epoch, rule_set) = (previous.epoch, previous.rule_set);
            self.opened_before(EpochOpened { epoch, block: previous.block, chain_epoch: 0, rule_set });
        }
        self.fold = Some(fold);
        self.previous = Some((at, previous));
    }

    /// The opening of the epoch whose derivation the audit begins with.
    pub(crate) fn opened_before(&mut self, opened: EpochOpened) {
        self.epoch = Epoch::default();
        self.epoch.apply(&Event::EpochOpened(opened));
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
        self.blind = true;
        self.tainted |= recorded.kind == "WeightsDerived";
    }

    /// The open epoch.
    pub(crate) fn epoch(&self) -> &Epoch {
        &self.epoch
    }
}

impl Replay {
    pub(super) fn epoch_event(&mut self, recorded: &Recorded, event: &Event) {
        let at = At::of(recorded);
        if let Event::EpochOpened(opened) = event {
            return self.epoch_opened(recorded, opened);
        }
        let Some(number) = self.epochs.epoch.opened().map(|opened| opened.epoch) else {
            return self.findings.doubt(Some(at.position), "the opening of this epoch is not at hand");
        };
        let stream = epoch::stream_id(number);
        self.findings.equal(at, "<stream_id>", &recorded.stream_id, &stream, "an epoch's stream is its number");
        if let Event::WeightsDerived(derived) = event {
            if let Some(expected) = self.weights_derived(at, derived) {
                self.in_order(at, Event::WeightsDerived(expected));
            }
            return;
        }
        let mut event = event.clone();
        if let Some(named) = epoch_field(&mut event) {
            self.findings.equal(at, "epoch", named, &number, "events of an epoch name it");
            *named = number;
        }
        let event = match event {
            Event::CheckpointAnchored(anchored) => Event::CheckpointAnchored(self.checkpoint_anchored(at, anchored)),
            Event::WeightsSubmitted(submitted) => Event::WeightsSubmitted(self.weights_submitted(at, submitted)),
            Event::WeightsCommitted(mut committed) => {
                committed.extrinsic = self.submitted_extrinsic(at, committed.extrinsic);
                Event::WeightsCommitted(committed)
            }
            Event::WeightsIncluded(mut included) => {
                included.extrinsic = self.submitted_extrinsic(at, included.extrinsic);
                Event::WeightsIncluded(included)
            }
            Event::WeightsRejected(mut rejected) => {
                rejected.extrinsic = self.submitted_extrinsic(at, rejected.extrinsic);
                Event::WeightsRejected(rejected)
            }
            Event::EpochClosed(closed) => Event::EpochClosed(self.epoch_closed(at, closed)),
            other => other,
        };
        self.in_order(at, event);
    }

    /// Lets the epoch decide whether the event may follow, and takes it in.
    fn in_order(&mut self, at: At<'_>, event: Event) {
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
        let taken = match self.epochs.epoch.decide(command) {
            Ok(events) => events,
            Err(error) if self.epochs.blind => {
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
        taken.iter().for_each(|event| self.epochs.epoch.apply(event));
        if let Some(closed) = closed {
            self.counts.closed += u64::from(self.settings.epoch.is_none_or(|wanted| wanted == closed));
            self.complete = self.settings.epoch == Some(closed);
        }
    }

    fn epoch_opened(&mut self, recorded: &Recorded, opened: &EpochOpened) {
        let at = At::of(recorded);
        let closed = self.epochs.epoch.closed().is_some() || self.epochs.blind;
        if self.epochs.epoch.opened().is_some() && !closed {
            self.findings.differ(at, "", "opened", "the epoch before is still open", "epochs follow each other");
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
        self.epochs.epoch = Epoch::default();
        self.epochs.blind = false;
        (self.epochs.derived_at, self.epochs.submitted_at) = (None, None);
        self.in_order(at, Event::EpochOpened(EpochOpened { epoch: number, ..opened.clone() }));
    }

    /// The derivation that follows, compared with the recorded one. None when it cannot be known.
    fn weights_derived(&mut self, at: At<'_>, recorded: &WeightsDerived) -> Option<WeightsDerived> {
        self.epochs.derived_at = Some(Position(at.position));
        if let Some((position, previous)) = self.epochs.previous.take() {
            let message = "the derivation that the range begins with stands in it";
            self.findings.equal(at, "<position>", &at.position, &position.0, message);
            self.findings.same(at, recorded, &previous, message);
            return Some(previous);
        }
        if let Some(basis) = self.epochs.epoch.derived().cloned() {
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

    fn checkpoint_anchored(&mut self, at: At<'_>, anchored: CheckpointAnchored) -> CheckpointAnchored {
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
        let derived_at = self.epochs.derived_at.unwrap_or_default();
        if anchored.size <= derived_at.0 {
            let message = "the anchored checkpoint covers the derivation";
            self.findings.differ(at, "size", anchored.size, shown, message);
        }
        self.counts.anchors += 1;
        anchored
    }

    fn weights_submitted(&mut self, at: At<'_>, submitted: WeightsSubmitted) -> WeightsSubmitted {
        let Some(basis) = self.epochs.epoch.derived().filter(|_| !self.epochs.blind) else { return submitted };
        let expected = WeightsSubmitted {
            derived: self.epochs.derived_at.unwrap_or(submitted.derived),
            uids: basis.weights.iter().map(|weight| weight.uid).collect(),
            weights: basis.weights.iter().map(|weight| weight.weight).collect(),
            ..submitted.clone()
        };
        let message = "the newest derivation is what is submitted";
        self.findings.same_event(at, &submitted.into(), &expected.clone().into(), message);
        self.epochs.submitted_at = Some(at.position);
        expected
    }

    /// The extrinsic of the open submission, which the event must name.
    fn submitted_extrinsic(&mut self, at: At<'_>, named: Digest) -> Digest {
        let submitted = self.epochs.epoch.submitted().filter(|_| !self.epochs.blind);
        let Some(submitted) = submitted.map(|submitted| submitted.extrinsic) else { return named };
        if named != submitted {
            let message = "the fate is that of the submitted extrinsic";
            self.findings.differ(at, "extrinsic", named, submitted, message);
            if let Some(position) = self.epochs.submitted_at {
                let at = At { position, kind: "WeightsSubmitted" };
                self.findings.differ(at, "extrinsic", submitted, named, message);
            }
        }
        submitted
    }

    /// The closing that follows from what the epoch holds, compared with the recorded one.
    fn epoch_closed(&mut self, at: At<'_>, mut closed: EpochClosed) -> EpochClosed {
        if self.epochs.blind {
            return closed;
        }
        let epoch = &self.epochs.epoch;
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
