//! The log as such: positions without gaps, times that never decrease, sequences of streams, leaves, and the tree over them.
//!
//! Holds the frontier and the leaf hashes of the newest few thousand events, so that the root of every size that a recent
//! checkpoint can name is recomputed, in memory that does not grow with the log.

use std::collections::{BTreeMap, VecDeque};

use domain::{epoch, round};
use tlog::{Frontier, Hash};

use crate::findings::{At, Findings};
use crate::record::{RecordError, Recorded};

/// Leaf hashes kept behind the newest: how far back a checkpoint may lie and still be recomputed.
const KEPT_LEAVES: usize = 8192;

/// Streams whose next sequence is remembered at most: open rounds, the epoch, and a few of the ledger itself.
const MAX_STREAMS: usize = 100_000;

/// What is checked of every event before its payload is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogCheck {
    next: Option<u64>,
    from_genesis: bool,
    last_time: u64,
    streams: BTreeMap<(String, String), u64>,
    /// The tree before the first of `leaves`; none when the log was entered without its frontier.
    base: Option<Frontier>,
    leaves: VecDeque<Hash>,
    /// Over everything seen.
    frontier: Option<Frontier>,
    overflowed: bool,
}

impl LogCheck {
    /// Begins at a position whose tree is known.
    pub(crate) fn with_frontier(&mut self, frontier: Frontier) {
        self.base = Some(frontier.clone());
        self.frontier = Some(frontier);
    }

    /// The tree over everything seen, if the log was entered with its frontier.
    pub(crate) fn frontier(&self) -> Option<&Frontier> {
        self.frontier.as_ref()
    }

    /// Checks the envelope and adds the leaf. False when the event does not follow the one before: nothing can be said then.
    pub(crate) fn event(&mut self, recorded: &Recorded, findings: &mut Findings) -> bool {
        let at = At::of(recorded);
        match self.next {
            None => self.begin(recorded.position),
            Some(next) if next != recorded.position => {
                findings.differ(at, "<position>", recorded.position, next, "positions follow each other without gaps");
                return false;
            }
            Some(_) => {}
        }
        self.next = Some(recorded.position.saturating_add(1));
        check_record(recorded, findings);
        if recorded.recorded_at < self.last_time {
            let message = "the recording time never decreases along a ledger";
            findings.differ(at, "<recorded_at>", recorded.recorded_at, self.last_time, message);
        }
        self.last_time = self.last_time.max(recorded.recorded_at);
        if recorded.cause > recorded.position {
            let message = "the cause of an event is an earlier one or itself";
            findings.differ(at, "<cause>", recorded.cause, recorded.position, message);
        }
        self.sequence(recorded, findings);
        self.grow(recorded.leaf_hash);
        true
    }

    fn begin(&mut self, position: u64) {
        self.from_genesis = position == 0;
        if position == 0 && self.base.is_none() {
            self.with_frontier(Frontier::new());
        }
        if self.base.as_ref().is_some_and(|base| base.size() != position) {
            self.base = None;
            self.frontier = None;
        }
    }

    fn sequence(&mut self, recorded: &Recorded, findings: &mut Findings) {
        // Counted with the deliveries themselves: nothing in the envelope says which is a stream's last.
        if recorded.stream_type == round::DELIVERY_STREAM_TYPE {
            return;
        }
        let key = (recorded.stream_type.clone(), recorded.stream_id.clone());
        let known = self.streams.get(&key).copied();
        // A stream of attempts or of a challenge begins inside of what is audited, or its beginning is required as an
        // antecedent. Of other streams the beginning is only known from the ledger's beginning.
        let begins = recorded.stream_type == round::STREAM_TYPE || recorded.kind == "ChallengeAccepted";
        let expected = match known {
            Some(next) => Some(next),
            None if begins => Some(1),
            None if self.from_genesis && recorded.stream_type != "challenge" => Some(1),
            None => None,
        };
        if let Some(expected) = expected {
            let message = "sequences of a stream follow each other from 1";
            findings.equal(At::of(recorded), "<sequence>", &recorded.sequence, &expected, message);
        }
        let ended = matches!(recorded.kind.as_str(), "RoundEvaluated" | "RoundAbandoned" | "EpochClosed");
        if ended {
            self.streams.remove(&key);
        } else if recorded.stream_type != "challenge" && (known.is_some() || self.streams.len() < MAX_STREAMS) {
            self.streams.insert(key, recorded.sequence.saturating_add(1));
        } else if recorded.stream_type != "challenge" && !self.overflowed {
            self.overflowed = true;
            findings.doubt(Some(recorded.position), format!("more than {MAX_STREAMS} streams are open at a time"));
        }
    }

    /// Remembers where the stream of an antecedent stood.
    pub(crate) fn antecedent(&mut self, recorded: &Recorded) {
        if recorded.stream_type == epoch::STREAM_TYPE {
            // `WeightsDerived` of the epoch before stands behind its `EpochOpened`, and other events between them need not.
            return;
        }
        self.last_time = self.last_time.max(recorded.recorded_at);
    }

    fn grow(&mut self, leaf: Hash) {
        let Some(frontier) = &mut self.frontier else { return };
        frontier.append(leaf);
        self.leaves.push_back(leaf);
        if self.leaves.len() > KEPT_LEAVES
            && let (Some(base), Some(oldest)) = (&mut self.base, self.leaves.pop_front())
        {
            base.append(oldest);
        }
    }

    /// Root of the first `size` events; none when it is ahead of what was seen, too far behind, or the tree is not known.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        let frontier = self.frontier.as_ref()?;
        if size == frontier.size() {
            return Some(frontier.root());
        }
        let base = self.base.as_ref()?;
        let more = size.checked_sub(base.size())?;
        let more = usize::try_from(more).ok().filter(|more| *more <= self.leaves.len())?;
        let mut tree = base.clone();
        self.leaves.iter().take(more).for_each(|leaf| tree.append(*leaf));
        Some(tree.root())
    }
}

/// Compares leaf hash and commitment with what the stored bytes make.
pub(crate) fn check_record(recorded: &Recorded, findings: &mut Findings) {
    let at = At::of(recorded);
    match recorded.check() {
        Ok(()) => {}
        Err(RecordError::LeafHash { recorded, recomputed, .. }) => {
            findings.differ(at, "<leaf_hash>", recorded, recomputed, "the leaf hash follows from the columns");
        }
        Err(RecordError::Commitment { recorded, recomputed, .. }) => {
            findings.differ(at, "<commitment>", recorded, recomputed, "the commitment follows from salt and payload");
        }
        Err(RecordError::PayloadLength { recorded, found, .. }) => {
            findings.differ(at, "<payload_length>", recorded, found, "the payload has the stated length");
        }
        Err(error) => findings.differ(at, "<payload>", error, "an encodable event", "salt, payload and columns agree"),
    }
}
