//! Reads a bundle as a stream and proves what it reads. See the module above for what is proven and how.

use std::io::Read;

use domain::codec::MAX_PAYLOAD;
use domain::events::{Event, LedgerOpened};
use tlog::note::MAX_NOTE_LENGTH;
use tlog::proof::{verify_consistency, verify_inclusion};
use tlog::{Checkpoint, Frontier, Hash, NoteVerifier, SignatureType, VerifierKey};

use super::{BundleError, Header, MAGIC, MAX_EVENTS, MAX_LEAF, MAX_ORIGIN, MAX_PROOF, Tag, capped};
use crate::findings::At;
use crate::keys::{Ed25519NoteVerifier, Sr25519NoteVerifier};
use crate::leaf::Leaf;
use crate::record::Recorded;
use crate::replay::{Progress, Replay, Settings};
use crate::report::Report;

/// What a contradiction of the bundle as a whole is called where the kind of an event stands.
const BUNDLE: &str = "(bundle)";

/// What follows the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event from before the range, with its inclusion proof.
    Antecedent(Recorded, Vec<Hash>),
    /// The derivation of the epoch before, with its inclusion proof.
    Previous(Recorded, Vec<Hash>),
    /// The next event of the range.
    Event(Recorded),
    /// The end, with the consistency proof from the range's end to the checkpoint.
    End(Vec<Hash>),
}

/// Reads a bundle item by item and keeps to its order.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    last: Tag,
    antecedent: Option<u64>,
    next: u64,
    ended: bool,
}

/// Audits a bundle. The epoch is that of the bundle unless the settings name one.
///
/// # Errors
/// Bytes that are no bundle: cut off, out of order, above a limit. What a well-formed bundle contradicts is in the report.
pub fn audit<R: Read>(input: R, settings: Settings) -> Result<Report, BundleError> {
    let reader = Reader::open(input)?;
    let epoch = settings.epoch.or(reader.header().epoch);
    let mut replay = Replay::new(Settings { epoch, ..settings });
    reader.feed(&mut replay)?;
    Ok(replay.finish())
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Bytes that are no bundle, and what the stream says.
    pub fn open(mut input: R) -> Result<Self, BundleError> {
        if bytes::<16>(&mut input)? != *MAGIC {
            return Err(BundleError::Magic);
        }
        let [has_epoch] = bytes(&mut input)?;
        let epoch = u64::from_be_bytes(bytes(&mut input)?);
        let (from, end) = (u64::from_be_bytes(bytes(&mut input)?), u64::from_be_bytes(bytes(&mut input)?));
        let epoch = match (has_epoch, epoch) {
            (0, 0) => None,
            (1, epoch) => Some(epoch),
            _ => return Err(BundleError::Malformed("the epoch is neither given nor left out")),
        };
        if end < from || end > tlog::MAX_SIZE || end - from > MAX_EVENTS {
            return Err(BundleError::Malformed("the range is empty the wrong way or too long"));
        }
        let length = usize::from(u16::from_be_bytes(bytes(&mut input)?));
        let origin = text(&mut input, capped("origin", length, MAX_ORIGIN)?)?;
        let length = u32::from_be_bytes(bytes(&mut input)?) as usize;
        let checkpoint = text(&mut input, capped("checkpoint", length, MAX_NOTE_LENGTH)?)?;
        let frontier = Frontier::from_peaks(from, hashes(&mut input)?)?;
        let header = Header { origin, epoch, from, end, checkpoint, frontier };
        Ok(Self { input, header, last: Tag::Antecedent, antecedent: None, next: from, ended: false })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next item; none after the end, behind which nothing may stand.
    ///
    /// # Errors
    /// Items out of order, a gap, lengths above the limits, and a file that is cut off.
    pub fn next_item(&mut self) -> Result<Option<Item>, BundleError> {
        if self.ended {
            return Ok(None);
        }
        let [byte] = bytes(&mut self.input)?;
        let tag = Tag::of(byte).ok_or(BundleError::Malformed("unknown item"))?;
        if tag < self.last || (tag == Tag::Previous && self.last == Tag::Previous) {
            return Err(BundleError::Order { position: self.next, problem: "the items are out of order" });
        }
        self.last = tag;
        match tag {
            Tag::Antecedent => {
                let proof = hashes(&mut self.input)?;
                let recorded = self.recorded()?;
                let position = recorded.position;
                if self.antecedent.is_some_and(|last| last >= position) || position >= self.header.from {
                    return Err(BundleError::Order { position, problem: "antecedents are out of order" });
                }
                self.antecedent = Some(position);
                Ok(Some(Item::Antecedent(recorded, proof)))
            }
            Tag::Previous => {
                let proof = hashes(&mut self.input)?;
                Ok(Some(Item::Previous(self.recorded()?, proof)))
            }
            Tag::Event => {
                let recorded = self.recorded()?;
                if recorded.position != self.next || self.next >= self.header.end {
                    let position = recorded.position;
                    return Err(BundleError::Order { position, problem: "the event is not the next one of the range" });
                }
                self.next += 1;
                Ok(Some(Item::Event(recorded)))
            }
            Tag::End => {
                if self.next != self.header.end {
                    return Err(BundleError::Order { position: self.next, problem: "events of the range are missing" });
                }
                let proof = hashes(&mut self.input)?;
                if self.input.read(&mut [0])? != 0 {
                    return Err(BundleError::Malformed("bytes follow the end"));
                }
                self.ended = true;
                Ok(Some(Item::End(proof)))
            }
        }
    }

    fn recorded(&mut self) -> Result<Recorded, BundleError> {
        let length = u32::from_be_bytes(bytes(&mut self.input)?) as usize;
        let encoded = vector(&mut self.input, capped("leaf", length, MAX_LEAF)?)?;
        let leaf = Leaf::decode(&encoded)?;
        let (salt, payload) = match bytes(&mut self.input)? {
            [0] => (None, None),
            [1] => {
                let salt = bytes::<32>(&mut self.input)?;
                let length = u32::from_be_bytes(bytes(&mut self.input)?) as usize;
                (Some(salt), Some(vector(&mut self.input, capped("payload", length, MAX_PAYLOAD as usize)?)?))
            }
            _ => return Err(BundleError::Malformed("a payload is neither there nor erased")),
        };
        Ok(Recorded {
            position: leaf.position,
            recorded_at: leaf.recorded_at,
            block: leaf.block,
            stream_type: leaf.stream_type.to_owned(),
            stream_id: leaf.stream_id.to_owned(),
            sequence: leaf.sequence,
            kind: leaf.kind.to_owned(),
            version: leaf.version,
            cause: leaf.cause,
            payload_length: leaf.payload_length,
            leaf_hash: tlog::leaf_hash(&encoded),
            commitment: leaf.commitment,
            salt,
            payload,
        })
    }

    /// Reads to the end, gives everything to a replay, and holds every event against the checkpoint.
    ///
    /// # Errors
    /// As [`Reader::next_item`].
    pub fn feed(mut self, replay: &mut Replay) -> Result<(), BundleError> {
        let checkpoint = self.checkpoint(replay);
        let mut tree = self.header.frontier.clone();
        let mut opened = None;
        let mut progress = Progress::More;
        replay.frontier(tree.clone());
        while let Some(item) = self.next_item()? {
            match item {
                Item::Antecedent(recorded, proof) => {
                    included(replay, checkpoint.as_ref(), &recorded, &proof);
                    opened = opened.or_else(|| ledger_opened(&recorded));
                    replay.antecedent(&recorded);
                }
                Item::Previous(recorded, proof) => {
                    included(replay, checkpoint.as_ref(), &recorded, &proof);
                    replay.previous(&recorded);
                }
                Item::Event(recorded) => {
                    tree.append(recorded.leaf_hash);
                    opened = opened.or_else(|| ledger_opened(&recorded));
                    if progress == Progress::More {
                        progress = replay.push(recorded);
                    }
                }
                Item::End(proof) => self.end(replay, checkpoint.as_ref(), &tree, &proof),
            }
        }
        self.signed(replay, opened.as_ref());
        Ok(())
    }

    /// The checkpoint's text, before anybody's signature was verified.
    fn checkpoint(&self, replay: &mut Replay) -> Option<Checkpoint> {
        let note = tlog::note::UnverifiedNote::parse(self.header.checkpoint.as_bytes());
        match note.and_then(|note| Checkpoint::parse(&note.text)) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                let at = At { position: self.header.end, kind: BUNDLE };
                replay.contradiction(at, "checkpoint", error, "a checkpoint", "the bundle has a checkpoint");
                None
            }
        }
    }

    /// The root that follows from the bundle's events must be the beginning of the checkpoint's.
    fn end(&self, replay: &mut Replay, checkpoint: Option<&Checkpoint>, tree: &Frontier, proof: &[Hash]) {
        let Some(checkpoint) = checkpoint else { return };
        let root = tree.root();
        if let Err(error) = verify_consistency(tree.size(), &root, checkpoint.size, &checkpoint.root, proof) {
            let at = At { position: self.header.end, kind: BUNDLE };
            let recorded = format!("root {} of size {}", checkpoint.root, checkpoint.size);
            let recomputed = format!("root {root} of size {}: {error}", tree.size());
            let message = "the events lead to the tree that the checkpoint signs";
            replay.contradiction(at, "checkpoint", recorded, recomputed, message);
        }
    }

    /// The checkpoint must be signed by the key that the ledger's first event names.
    fn signed(&self, replay: &mut Replay, opened: Option<&LedgerOpened>) {
        let at = At { position: self.header.end, kind: BUNDLE };
        let Some(opened) = opened else { return replay.doubt("the ledger's first event is not in the bundle") };
        if opened.origin != self.header.origin {
            let message = "the bundle is of the ledger that it names";
            replay.contradiction(at, "origin", &self.header.origin, &opened.origin, message);
        }
        let key = VerifierKey::new(&opened.origin, SignatureType::Ed25519, opened.checkpoint_key.0);
        let Some(key) = key.and_then(Ed25519NoteVerifier::new).ok() else { return };
        let hotkey = opened.hotkey.public().ok().and_then(|public| {
            let key = VerifierKey::new(&opened.origin, SignatureType::Sr25519, public).ok()?;
            Sr25519NoteVerifier::new(key).ok()
        });
        let others: Vec<&dyn NoteVerifier> = hotkey.iter().map(|key| key as &dyn NoteVerifier).collect();
        match Checkpoint::open(self.header.checkpoint.as_bytes(), &opened.origin, &key, &others) {
            Ok(opened) => replay.verified_checkpoint(opened.signatures.len() > 1),
            Err(error) => {
                let message = "the checkpoint is signed by the ledger's key";
                replay.contradiction(at, "checkpoint", error, "a note that verifies", message);
            }
        }
    }
}

fn ledger_opened(recorded: &Recorded) -> Option<LedgerOpened> {
    match recorded.event() {
        Ok(Some(Event::LedgerOpened(opened))) if recorded.position == 0 => Some(opened),
        _ => None,
    }
}

/// The event must be in the checkpoint's tree, at its position.
fn included(replay: &mut Replay, checkpoint: Option<&Checkpoint>, recorded: &Recorded, proof: &[Hash]) {
    let Some(checkpoint) = checkpoint else { return };
    let (position, leaf) = (recorded.position, &recorded.leaf_hash);
    if let Err(error) = verify_inclusion(position, checkpoint.size, leaf, proof, &checkpoint.root) {
        let message = "the event is in the tree that the checkpoint signs";
        replay.contradiction(At::of(recorded), "<leaf_hash>", leaf, error, message);
    }
}

fn bytes<const LENGTH: usize>(input: &mut impl Read) -> Result<[u8; LENGTH], BundleError> {
    let mut bytes = [0; LENGTH];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Takes memory as the bytes arrive, not as they are announced.
fn vector(input: &mut impl Read, length: usize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::with_capacity(length.min(64 * 1024));
    input.by_ref().take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length {
        return Ok(bytes);
    }
    Err(BundleError::Stream(std::io::ErrorKind::UnexpectedEof.into()))
}

fn text(input: &mut impl Read, length: usize) -> Result<String, BundleError> {
    String::from_utf8(vector(input, length)?).map_err(|_| BundleError::Malformed("a text is not UTF-8"))
}

fn hashes(input: &mut impl Read) -> Result<Vec<Hash>, BundleError> {
    let [count] = bytes(input)?;
    let count = capped("proof", usize::from(count), MAX_PROOF)?;
    (0..count).map(|_| bytes(input).map(Hash)).collect()
}
