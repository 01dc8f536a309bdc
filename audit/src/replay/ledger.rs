//! Facts of the ledger itself, of its operator and of what the validator observes.

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{
    AvailabilitySwept, CheckpointPublished, Event, LedgerOpened, MetagraphObserved, RuleSetAdopted, ValidatorStarted,
};
use domain::metagraph::{Metagraph, announces_axon};
use domain::ruleset::RuleSet;
use domain::types::{Digest, HexBytes, Hotkey, sha256};
use domain::{epoch, mechanism, round};
use std::sync::Arc;
use tlog::note::UnverifiedNote;
use tlog::{Checkpoint, NoteVerifier, SignatureType, VerifierKey};

use super::{FoldChain, Ledger, Replay, Rules};
use crate::findings::{At, Findings};
use crate::keys::{Ed25519NoteVerifier, Sr25519NoteVerifier};
use crate::leaf::LEAF_FORMAT;
use crate::record::Recorded;

/// Published checkpoints that an anchor may refer to.
const KEPT_CHECKPOINTS: usize = 256;

/// Erasures that are matched with their announcements.
const KEPT_ERASURES: usize = 100_000;

/// The newest published checkpoints.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checkpoints {
    /// Size → root.
    roots: BTreeMap<u64, Digest>,
}

impl Checkpoints {
    fn publish(&mut self, size: u64, root: Digest) {
        self.roots.insert(size, root);
        if self.roots.len() > KEPT_CHECKPOINTS {
            self.roots.pop_first();
        }
    }

    /// The root of the published checkpoint of a size.
    pub(crate) fn root(&self, size: u64) -> Option<Digest> {
        self.roots.get(&size).copied()
    }

    /// The newest.
    pub(crate) fn newest(&self) -> Option<(u64, Digest)> {
        self.roots.last_key_value().map(|(size, root)| (*size, *root))
    }
}

/// Erased payloads and the events that announce them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Erasures {
    /// Erased position → the announcing event.
    announced: BTreeMap<u64, u64>,
    found: BTreeSet<u64>,
    first: Option<u64>,
}

impl Erasures {
    pub(crate) fn announced(&mut self, position: u64, by: u64) {
        if self.announced.len() < KEPT_ERASURES {
            self.announced.insert(position, by);
        }
    }

    fn found(&mut self, position: u64) {
        if self.found.len() < KEPT_ERASURES {
            self.found.insert(position);
        }
    }

    pub(crate) fn begin(&mut self, position: u64) {
        self.first.get_or_insert(position);
    }

    /// Each announcement must have led to an erasure. (An erasure may be announced after the events that are seen.)
    pub(crate) fn conclude(&mut self, findings: &mut Findings) {
        let first = self.first.unwrap_or(u64::MAX);
        for (position, by) in &self.announced {
            let at = At { position: *by, kind: "PayloadErased" };
            if position >= by || (*position >= first && !self.found.contains(position)) {
                let found = if position >= by { "no earlier event" } else { "a payload that still stands" };
                findings.differ(at, "position", position, found, "an announced erasure removes an earlier payload");
            }
        }
    }
}

impl Replay {
    /// The stream of an event is a function of its kind and content.
    pub(super) fn known_stream(&mut self, recorded: &Recorded, event: &Event) {
        self.erasures.begin(recorded.position);
        let expected = match event {
            Event::ChallengeAccepted(_) => "challenge",
            Event::MinersSelected(_)
            | Event::ChallengeIssued(_)
            | Event::ResponseReceived(_)
            | Event::ResponseFailed(_)
            | Event::EmbeddingComputed(_)
            | Event::JudgementRecorded(_)
            | Event::RoundAbandoned(_) => round::STREAM_TYPE,
            // By a label, a round is scored once more.
            Event::RoundEvaluated(evaluated) if evaluated.label.is_some() => round::LABEL_STREAM_TYPE,
            Event::RoundEvaluated(_) => round::STREAM_TYPE,
            // Other rounds may be scored between a label and its scores.
            Event::ResponseScored(_) if !self.labels.open(&recorded.stream_id) => round::STREAM_TYPE,
            Event::ResponseScored(_) | Event::LabelRevealed(_) => round::LABEL_STREAM_TYPE,
            Event::DeliveryAttempted(_) => round::DELIVERY_STREAM_TYPE,
            Event::EpochOpened(_)
            | Event::WeightsDerived(_)
            | Event::CheckpointAnchored(_)
            | Event::WeightsSubmitted(_)
            | Event::WeightsCommitted(_)
            | Event::WeightsRevealed(_)
            | Event::WeightsIncluded(_)
            | Event::WeightsRejected(_)
            | Event::EpochClosed(_) => epoch::STREAM_TYPE,
            _ => return,
        };
        let message = "each kind has its stream";
        self.findings.equal(At::of(recorded), "<stream_type>", &recorded.stream_type.as_str(), &expected, message);
    }

    pub(super) fn ledger_opened(&mut self, at: At<'_>, opened: &LedgerOpened) {
        if at.position != 0 {
            return self.findings.differ(at, "<position>", at.position, 0, "a ledger is opened once, at position 0");
        }
        self.open_ledger(at, opened);
    }

    pub(super) fn open_ledger(&mut self, at: At<'_>, opened: &LedgerOpened) {
        self.findings.equal(at, "leaf_format", &opened.leaf_format, &LEAF_FORMAT, "the leaf format is 1");
        let expected = LedgerOpened::origin_of(&opened.genesis_hash, opened.netuid, &opened.hotkey, 0);
        let anew = opened.origin.strip_prefix(&expected).map(|rest| match rest.strip_prefix('/') {
            Some(count) => count.parse::<u32>().is_ok_and(|count| count > 0 && count.to_string() == rest[1..]),
            None => rest.is_empty(),
        });
        if anew != Some(true) {
            let involves = ["genesis_hash", "netuid", "hotkey"];
            let message = "the origin is made of genesis hash, subnet and hotkey";
            self.findings.differ_involving(at, "origin", &involves, &opened.origin, expected, message);
        }
        let own_public = opened.hotkey.public().ok();
        if own_public.is_none() {
            self.findings.differ(at, "hotkey", opened.hotkey, "a valid address", "the hotkey is an SS58 address");
        }
        let log_key = VerifierKey::new(&opened.origin, SignatureType::Ed25519, opened.checkpoint_key.0);
        let checkpoint_key = log_key.ok().and_then(|key| Ed25519NoteVerifier::new(key).ok());
        if checkpoint_key.is_none() {
            let message = "checkpoints are signed by a sound Ed25519 key under the origin";
            self.findings.differ(at, "checkpoint_key", opened.checkpoint_key, "a sound key", message);
        }
        let hotkey = own_public
            .and_then(|public| VerifierKey::new(&opened.origin, SignatureType::Sr25519, public).ok())
            .and_then(|key| Sr25519NoteVerifier::new(key).ok());
        self.ledger = Some(Ledger { opened: opened.clone(), own_public, checkpoint_key, hotkey });
    }

    pub(super) fn adopt(&mut self, at: At<'_>, adopted: &RuleSetAdopted) {
        let hash = sha256(adopted.bytes.as_bytes());
        if hash != adopted.hash {
            let message = "the hash of a rule set is the SHA-256 of its bytes";
            self.findings.differ_involving(at, "hash", &["bytes"], adopted.hash, hash, message);
        }
        let opened = RuleSet::parse(&adopted.bytes).and_then(|rules| Ok((rules.name(), mechanism::open(&rules)?)));
        let mechanism = match opened {
            Ok((name, mechanism)) => {
                let message = "a rule set is named by its algorithm and version";
                self.findings.equal(at, "name", &adopted.name, &name, message);
                mechanism
            }
            Err(error) => {
                let reason = format!("rule set {} cannot be used by this program: {error}", adopted.name);
                return self.findings.doubt(Some(at.position), reason);
            }
        };
        if let Some(fold) = self.epochs.fold_mut() {
            fold.adopt(Arc::clone(&mechanism));
        } else if let Some(ledger) = self.ledger.as_ref().filter(|_| self.started) {
            let own = ledger.opened.hotkey;
            self.epochs.begin(FoldChain::genesis(Arc::clone(&mechanism), own));
            if let Some(alternative) = &mut self.alternative {
                alternative.genesis(own);
            }
        }
        self.rules = Some(Rules { hash, mechanism });
    }

    pub(super) fn checkpoint_published(&mut self, at: At<'_>, published: &CheckpointPublished) {
        self.counts.checkpoints += 1;
        if published.size > at.position {
            let message = "a checkpoint covers events before it";
            self.findings.differ(at, "size", published.size, at.position, message);
        }
        match self.log.root_at(published.size) {
            Some(root) => {
                let message = "the root follows from the leaves";
                self.findings.equal(at, "root", &published.root, &HexBytes(root.0), message);
            }
            None => self.counts.checkpoints_not_compared += 1,
        }
        self.checkpoint_note(at, published);
        self.checkpoints.publish(published.size, published.root);
    }

    fn checkpoint_note(&mut self, at: At<'_>, published: &CheckpointPublished) {
        let Some(ledger) = &self.ledger else { return };
        let Some(key) = &ledger.checkpoint_key else { return };
        let others: Vec<&dyn NoteVerifier> = ledger.hotkey.iter().map(|key| key as &dyn NoteVerifier).collect();
        let message = "the note is signed by the ledger's key, and by its hotkey where it has that line";
        match Checkpoint::open(published.note.as_bytes(), &ledger.opened.origin, key, &others) {
            Ok(opened) => {
                let lines = UnverifiedNote::parse(published.note.as_bytes()).map_or(0, |note| note.signatures.len());
                self.findings.equal(at, "note", &lines, &opened.signatures.len(), "each line is of a known key");
                if opened.signatures.len() > 1 {
                    self.counts.checkpoints_by_hotkey += 1;
                }
                let (size, root) = (opened.checkpoint.size, HexBytes(opened.checkpoint.root.0));
                if size != published.size {
                    let message = "the note is of the stated size";
                    self.findings.differ_involving(at, "size", &["note"], published.size, size, message);
                }
                if root != published.root {
                    let message = "the note is of the stated root";
                    self.findings.differ_involving(at, "root", &["note"], published.root, root, message);
                }
            }
            Err(error) => self.findings.differ(at, "note", error, "a note that verifies", message),
        }
    }

    pub(super) fn validator_started(&mut self, at: At<'_>, started: &ValidatorStarted) {
        let hash = sha256(started.configuration.as_bytes());
        if hash != started.configuration_hash {
            let (involves, message) = (["configuration"], "the hash is that of the configuration's text");
            let recorded = started.configuration_hash;
            self.findings.differ_involving(at, "configuration_hash", &involves, recorded, hash, message);
        }
        if let Some(ledger) = &self.ledger {
            let (message, expected) = ("the validator is on the ledger's chain", ledger.opened.genesis_hash);
            self.findings.equal(at, "genesis_hash", &started.genesis_hash, &expected, message);
        }
        self.rounds.restarted();
    }

    pub(super) fn metagraph_observed(&mut self, at: At<'_>, observed: &MetagraphObserved) {
        self.pending.metagraphs += 1;
        if let Some(known) = self.facts.contradicted_block(observed.block, observed.block_hash) {
            let message = "a block has one hash";
            self.findings.differ_involving(at, "block_hash", &["block"], observed.block_hash, known, message);
        }
        let before = self.facts.metagraphs.iter().rev().find(|(position, _)| position.0 < at.position);
        let (before, known) = before.map_or_else(|| (Metagraph::default(), false), |(_, old)| (old.clone(), true));
        if !known && !observed.full {
            self.findings.differ(at, "full", false, true, "the first observation is of the whole metagraph");
        }
        let mut after = before.clone();
        after.observe(observed);
        let neurons: Vec<_> = after.neurons().cloned().collect();
        let expected = if observed.full {
            Metagraph::full(observed.block, observed.block_hash, observed.owner, &neurons)
        } else {
            before.difference(observed.block, observed.block_hash, observed.owner, &neurons)
        };
        if !observed.full && expected.neurons.len() < observed.neurons.len() {
            let (recorded, expected) = (observed.neurons.len(), expected.neurons.len());
            let message = "an observation of differences holds only what changed";
            self.findings.differ_involving(at, "full", &["neurons"], format!("{recorded} slots"), expected, message);
        } else {
            let message = "slots are sorted, named once, and removed ones existed";
            self.findings.same_event(at, &observed.clone().into(), &expected.into(), message);
        }
    }

    pub(super) fn availability_swept(&mut self, at: At<'_>, swept: &AvailabilitySwept) {
        self.pending.sweeps += 1;
        self.pending.probes += swept.probes.len() as u64;
        let own = self.ledger.as_ref().map(|ledger| ledger.opened.hotkey);
        self.swept_miners(at, swept, own);
        let mut last: Option<Hotkey> = None;
        for (index, probe) in swept.probes.iter().enumerate() {
            let field = |name: &str| format!("probes[{index}].{name}");
            if let Some(last) = last.filter(|last| *last >= probe.hotkey) {
                let (message, after) = ("probes are sorted by hotkey, one for each", format!("one after {last}"));
                self.findings.differ(at, &field("hotkey"), probe.hotkey, after, message);
            }
            last = Some(probe.hotkey);
            if probe.available != probe.reason.is_empty() {
                let message = "a reason is given exactly when the miner is not available";
                let (field, reason) = (field("available"), format!("probes[{index}].reason"));
                let (recorded, other) = (probe.available, probe.reason.is_empty());
                self.findings.differ_involving(at, &field, &[&reason], recorded, other, message);
            }
        }
    }

    /// Who is asked in a sweep follows from the metagraph: every slot that announced an axon, but the own one. Who of them is a
    /// validator, the rule set says at the draw.
    fn swept_miners(&mut self, at: At<'_>, swept: &AvailabilitySwept, own: Option<Hotkey>) {
        let asked = |metagraph: &Metagraph| -> BTreeSet<Hotkey> {
            let neurons = metagraph.neurons().filter(|neuron| announces_axon(neuron));
            neurons.map(|neuron| neuron.hotkey).filter(|hotkey| Some(*hotkey) != own).collect()
        };
        let probed: BTreeSet<Hotkey> = swept.probes.iter().map(|probe| probe.hotkey).collect();
        if self.facts.metagraphs.iter().rev().any(|(_, metagraph)| asked(metagraph) == probed) {
            return;
        }
        let Some((_, newest)) = self.facts.metagraphs.newest() else {
            return self.findings.doubt(Some(at.position), "the metagraph of this sweep is not at hand");
        };
        let message = "a sweep asks every miner that announced an axon, and nobody else";
        let expected = asked(&newest);
        for hotkey in expected.difference(&probed) {
            self.findings.differ(at, "probes", "not asked", hotkey, message);
        }
        for hotkey in probed.difference(&expected) {
            self.findings.differ(at, "probes", hotkey, "not to be asked", message);
        }
    }

    /// An erased payload: no harm where nothing depends on it.
    pub(super) fn erased(&mut self, recorded: &Recorded) {
        self.erasures.begin(recorded.position);
        self.erasures.found(recorded.position);
        self.counts.erased += 1;
        self.deliveries.erased(recorded);
        let harmless = [
            "ValidatorStarted",
            "ValidatorPaused",
            "ValidatorResumed",
            "ValidatorStopped",
            "PayloadErased",
            "DeliveryAttempted",
        ];
        if harmless.contains(&recorded.kind.as_str()) {
            if recorded.kind == "ValidatorStarted" {
                self.rounds.restarted();
            }
            return;
        }
        self.rounds.taint(recorded);
        if recorded.kind == "RoundEvaluated"
            && let Some(alternative) = &mut self.alternative
        {
            alternative.not_evaluated(&recorded.stream_id, "the payload of its evaluation was erased");
        }
        if recorded.stream_type == epoch::STREAM_TYPE {
            self.epochs.erased(recorded);
        } else {
            self.epochs.taint();
        }
        let reason = format!("the payload of this {} was erased", recorded.kind);
        self.findings.doubt(Some(recorded.position), reason);
    }
}
