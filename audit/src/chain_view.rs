//! What a chain said about the blocks and extrinsics that a log names: plain answers, gathered by whoever has a chain.
//!
//! The audit asks no chain itself. [`Wanted`] collects the questions while the events are read a first time; the answers
//! come back as a [`ChainView`]. A question without an answer (a pruned block) is counted, not held against the log.

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{ChainOutcome, Event, Neuron};
use domain::types::{BlockNumber, Digest, Hotkey, Uid};

/// What must be remembered of an extrinsic to ask a chain what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedExtrinsic {
    /// Its hash.
    pub hash: Digest,
    /// The signer's nonce in it, when recorded.
    pub nonce: Option<u64>,
    /// First block and length of its life, when recorded.
    pub era: Option<(BlockNumber, u64)>,
}

/// What an audit would like to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Blocks whose hash is named.
    pub blocks: BTreeSet<BlockNumber>,
    /// Blocks at which the metagraph was read.
    pub metagraphs: BTreeSet<BlockNumber>,
    /// Extrinsics whose fate is recorded.
    pub extrinsics: BTreeSet<WantedExtrinsic>,
    /// Blocks at which the subnet's tempo is wanted.
    pub tempos: BTreeSet<BlockNumber>,
    /// Blocks at which the validator's weights should stand.
    pub weights: BTreeSet<BlockNumber>,
    /// Blocks at which the validator's anchor should stand.
    pub anchors: BTreeSet<BlockNumber>,
}

impl Wanted {
    /// The kinds that name something to ask about; others need not be read for it.
    pub const KINDS: &[&str] = &[
        "MetagraphObserved",
        "ChallengeAccepted",
        "EpochOpened",
        "CheckpointAnchored",
        "WeightsSubmitted",
        "WeightsIncluded",
        "WeightsCommitted",
        "WeightsRevealed",
    ];

    /// Notes what an event names.
    pub fn note(&mut self, event: &Event) {
        let extrinsic = |hash: Digest| WantedExtrinsic { hash, nonce: None, era: None };
        match event {
            Event::MetagraphObserved(observed) => {
                self.blocks.insert(observed.block);
                self.metagraphs.insert(observed.block);
            }
            Event::ChallengeAccepted(accepted) => {
                self.blocks.insert(accepted.block);
            }
            Event::EpochOpened(opened) => drop(self.tempos.insert(opened.block)),
            Event::CheckpointAnchored(anchored) => {
                self.extrinsics.insert(extrinsic(anchored.extrinsic));
                if let ChainOutcome::Included { block, .. } = anchored.outcome {
                    self.blocks.insert(block);
                    self.anchors.insert(block);
                }
            }
            Event::WeightsSubmitted(submitted) => {
                let era = Some((submitted.era_birth, submitted.era_period));
                let (hash, nonce) = (submitted.extrinsic, Some(submitted.nonce));
                self.extrinsics.insert(WantedExtrinsic { hash, nonce, era });
            }
            Event::WeightsIncluded(included) => {
                self.blocks.insert(included.block);
                self.weights.insert(included.block);
            }
            Event::WeightsCommitted(committed) => {
                self.blocks.insert(committed.block);
            }
            Event::WeightsRevealed(revealed) => {
                self.blocks.insert(revealed.block);
                self.weights.insert(revealed.block);
            }
            _ => {}
        }
    }
}

/// The answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChainView {
    /// Hash of block 0.
    pub genesis_hash: Option<Digest>,
    /// Blocks of an epoch less one, as subtensor counts it, after a block.
    pub tempos: BTreeMap<BlockNumber, u16>,
    /// Hashes by block.
    pub block_hashes: BTreeMap<BlockNumber, Digest>,
    /// The owner's hotkey and all neurons of the subnet after a block, sorted by uid.
    pub metagraphs: BTreeMap<BlockNumber, (Option<Hotkey>, Vec<Neuron>)>,
    /// What became of an extrinsic.
    pub extrinsics: BTreeMap<Digest, ChainOutcome>,
    /// The validator's weights after a block, sorted by uid.
    pub weights: BTreeMap<BlockNumber, Vec<(Uid, u16)>>,
    /// The validator's anchor after a block: [`domain::wire::anchor_data`].
    pub anchors: BTreeMap<BlockNumber, Vec<u8>>,
}
