//! Gives drafts their places in the tree: salts, commitments, leaves, and checkpoints over them that are really signed.

use audit::keys::Ed25519NoteSigner;
use audit::leaf::commitment;
use audit::{ChainView, Recorded};
use domain::events::{CheckpointPublished, Event};
use domain::types::{BlockNumber, HexBytes, sha256};
use domain::wire;
use schnorrkel::Keypair;
use std::collections::BTreeMap;
use tlog::{Checkpoint, Error, Frontier, Hash, KeyId, NoteSigner, SignatureType};

use super::{Draft, World};

/// The hotkey's line on a checkpoint.
pub struct HotkeySigner {
    pub name: String,
    pub pair: Keypair,
}

impl NoteSigner for HotkeySigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Sr25519, &self.pair.public.to_bytes())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.pair.sign_simple(b"substrate", text).to_bytes().to_vec())
    }
}

/// Who signs the checkpoints of a log.
pub struct Signers {
    pub origin: String,
    pub log: Ed25519NoteSigner,
    pub hotkey: HotkeySigner,
}

impl Signers {
    pub fn of(world: &World) -> Self {
        let origin = world.opened.origin.clone();
        let log = Ed25519NoteSigner::new(&origin, &[7; 32]).unwrap();
        let hotkey = HotkeySigner { name: origin.clone(), pair: world.own.clone() };
        Self { origin, log, hotkey }
    }

    pub fn checkpoint(&self, size: u64, root: Hash) -> String {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root };
        checkpoint.sign(&[&self.log, &self.hotkey]).unwrap()
    }
}

/// A whole log.
#[derive(Clone)]
pub struct Sealed {
    pub records: Vec<Recorded>,
    pub leaves: Vec<Hash>,
    pub chain: ChainView,
}

impl Sealed {
    pub fn frontier_at(&self, size: u64) -> Frontier {
        let mut frontier = Frontier::new();
        self.leaves[..size as usize].iter().for_each(|leaf| frontier.append(*leaf));
        frontier
    }
}

/// One draft with its payload as an event of the log.
pub fn record(draft: &Draft, position: u64, sequence: u64, payload: Vec<u8>) -> Recorded {
    let salt = sha256(&position.to_be_bytes()).0;
    let mut recorded = Recorded {
        position,
        recorded_at: draft.recorded_at,
        block: draft.block,
        stream_type: draft.stream_type.clone(),
        stream_id: draft.stream_id.clone(),
        sequence,
        kind: draft.event.kind().to_owned(),
        version: draft.event.version(),
        cause: draft.cause,
        payload_length: u32::try_from(payload.len()).unwrap(),
        leaf_hash: Hash([0; 32]),
        commitment: commitment(&salt, &payload),
        salt: Some(salt),
        payload: Some(payload),
    };
    recorded.leaf_hash = recorded.leaf().hash().unwrap();
    if draft.erased {
        (recorded.salt, recorded.payload) = (None, None);
    }
    recorded
}

/// Seals drafts one by one, behind what is sealed already.
pub struct Sealing<'a> {
    base: &'a Sealed,
    drafts: &'a [Draft],
    next: usize,
    /// An event whose payload is taken as it is, even where a checkpoint's root would follow from the leaves: everything after it
    /// is made consistent with it.
    fixed: Option<(usize, &'a [u8])>,
    signers: &'a Signers,
    leaves: Vec<Hash>,
    frontier: Frontier,
    roots: BTreeMap<u64, HexBytes<32>>,
    sequences: BTreeMap<(&'a str, &'a str), u64>,
    anchors: Vec<(BlockNumber, Vec<u8>)>,
}

impl<'a> Sealing<'a> {
    pub fn new(
        base: &'a Sealed,
        drafts: &'a [Draft],
        from: usize,
        fixed: Option<(usize, &'a [u8])>,
        signers: &'a Signers,
    ) -> Self {
        let leaves = base.leaves[..from].to_vec();
        let (mut sequences, mut roots) = (BTreeMap::new(), BTreeMap::new());
        for (index, draft) in drafts[..from].iter().enumerate() {
            *sequences.entry((draft.stream_type.as_str(), draft.stream_id.as_str())).or_insert(0) += 1;
            if matches!(draft.event, Event::CheckpointPublished(_))
                && let Some(Event::CheckpointPublished(published)) = base.records[index].event().ok().flatten()
            {
                roots.insert(published.size, published.root);
            }
        }
        let (frontier, anchors) = (Frontier::new(), Vec::new());
        Self { base, drafts, next: from, fixed, signers, leaves, frontier, roots, sequences, anchors }
    }

    /// Everything that is left.
    pub fn all(mut self) -> Sealed {
        let records = self.by_ref().collect();
        let mut chain = self.base.chain.clone();
        chain.anchors.extend(self.anchors);
        Sealed { records, leaves: self.leaves, chain }
    }

    fn payload(&mut self, index: usize, event: &Event) -> Vec<u8> {
        match (self.fixed, event) {
            (Some((at, payload)), _) if at == index => payload.to_vec(),
            (_, Event::CheckpointPublished(published)) => {
                let root = self.root(published.size);
                let note = self.signers.checkpoint(published.size, root);
                let root = HexBytes(root.0);
                self.roots.insert(published.size, root);
                Event::from(CheckpointPublished { size: published.size, root, note }).encode().unwrap()
            }
            (_, Event::CheckpointAnchored(anchored)) => {
                let mut anchored = anchored.clone();
                anchored.root = self.roots.get(&anchored.size).copied().unwrap_or(anchored.root);
                if let domain::events::ChainOutcome::Included { block, .. } = anchored.outcome {
                    let data = wire::anchor_data(&anchored.root, anchored.size);
                    self.anchors.push((BlockNumber(block.0), data));
                }
                Event::from(anchored).encode().unwrap()
            }
            (_, event) => match self.base.records.get(index).and_then(|recorded| recorded.payload.as_ref()) {
                Some(payload) => payload.clone(),
                None => event.encode().unwrap(),
            },
        }
    }

    /// Root of a beginning; sizes rise for the most part.
    fn root(&mut self, size: u64) -> Hash {
        if size < self.frontier.size() {
            self.frontier = Frontier::new();
        }
        for leaf in &self.leaves[self.frontier.size() as usize..size as usize] {
            self.frontier.append(*leaf);
        }
        self.frontier.root()
    }
}

impl Iterator for Sealing<'_> {
    type Item = Recorded;

    fn next(&mut self) -> Option<Recorded> {
        let (index, drafts) = (self.next, self.drafts);
        let draft = drafts.get(index)?;
        self.next += 1;
        let sequence = self.sequences.entry((&draft.stream_type, &draft.stream_id)).or_insert(0);
        *sequence += 1;
        let sequence = *sequence;
        let payload = self.payload(index, &draft.event);
        let recorded = record(draft, index as u64, sequence, payload);
        self.leaves.push(recorded.leaf_hash);
        Some(recorded)
    }
}

/// The whole log.
pub fn seal(world: &World) -> Sealed {
    let base = Sealed { records: Vec::new(), leaves: Vec::new(), chain: world.chain.clone() };
    Sealing::new(&base, &world.drafts, 0, None, &Signers::of(world)).all()
}
