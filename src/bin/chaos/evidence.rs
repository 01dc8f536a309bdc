//! What is left after a run, read back: the book from disk, the log from PostgreSQL, the blocks from the chain's file.

use crate::book::{self, Entry};
use crate::pusher::Counts;
use crate::stage::{NETUID, Stage};
use anyhow::{Context, Result};
use chain::{Chain, Metagraph};
use domain::events::{Event, MinersSelected};
use domain::types::{BlockNumber, Digest, HexBytes, Uid};
use futures::TryStreamExt;
use ledger::StoredEvent;
use ledger::checkpoint::CheckpointDirectory;
use ledger::verify::Verification;
use localnet::extrinsic::Extrinsic;
use localnet::runtime::node_subtensor_runtime::RuntimeCall;
use localnet::runtime::pallet_subtensor::pallet::Call;
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that the checks look at.
pub(crate) struct Evidence {
    /// What the client was told.
    pub(crate) book: Vec<Entry>,
    /// What it counted.
    pub(crate) counts: Counts,
    /// The whole log.
    pub(crate) log: Vec<Recorded>,
    /// What `verify` says of it.
    pub(crate) verification: Verification,
    /// Weight settings of the validator in the chain's blocks.
    pub(crate) settings: Vec<Setting>,
    /// Hashes of the requests that the witness was sent.
    pub(crate) witnessed: Vec<Digest>,
    /// The witness.
    pub(crate) witness: domain::types::Hotkey,
    /// The chain at each block that has a setting.
    pub(crate) on_chain: BTreeMap<BlockNumber, OnChain>,
}

/// An event with its payload read.
pub(crate) struct Recorded {
    /// As stored.
    pub(crate) stored: StoredEvent,
    /// As typed.
    pub(crate) event: Event,
}

/// A `set_weights` of the validator in a block.
pub(crate) struct Setting {
    /// The block.
    pub(crate) block: BlockNumber,
    /// The extrinsic's hash.
    pub(crate) hash: Digest,
    /// Slots and weights in it.
    pub(crate) weights: Vec<(Uid, u16)>,
}

/// What the chain says after a block.
pub(crate) struct OnChain {
    /// Who holds which slot.
    pub(crate) metagraph: Metagraph,
    /// The validator's weights.
    pub(crate) weights: Vec<(Uid, u16)>,
}

impl Evidence {
    /// Reads everything.
    pub(crate) async fn read(stage: &Stage, counts: Counts, book: &Path) -> Result<Self> {
        let reader = stage.reader().await?;
        let stored: Vec<StoredEvent> = reader.events(0, u64::MAX, None).try_collect().await.context("the log")?;
        let log = stored.into_iter().map(recorded).collect::<Result<Vec<_>>>()?;
        let outside = CheckpointDirectory::new(stage.checkpoints()).read(&stage.origin)?;
        let verification = reader.verify(outside.as_ref()).await?;
        let settings = settings(stage)?;
        let mut on_chain = BTreeMap::new();
        for setting in &settings {
            on_chain.insert(setting.block, on_chain_at(stage, setting.block).await?);
        }
        Ok(Self {
            book: book::read(book)?,
            counts,
            log,
            verification,
            settings,
            witnessed: stage.witness.seen(),
            witness: stage.witness_hotkey,
            on_chain,
        })
    }

    /// The events with their positions.
    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.log.iter().map(|recorded| (recorded.stored.position, &recorded.event))
    }

    /// The event at a position.
    pub(crate) fn at(&self, position: u64) -> Option<&Recorded> {
        self.log.get(usize::try_from(position).ok()?).filter(|recorded| recorded.stored.position == position)
    }

    /// All draws.
    pub(crate) fn draws(&self) -> impl Iterator<Item = &MinersSelected> {
        self.events().filter_map(|(_, event)| match event {
            Event::MinersSelected(selected) => Some(selected),
            _ => None,
        })
    }
}

fn recorded(stored: StoredEvent) -> Result<Recorded> {
    let position = stored.position;
    let event = stored.fact().with_context(|| format!("position {position}"))?;
    let event = event.with_context(|| format!("the payload at position {position} is gone"))?;
    Ok(Recorded { stored, event })
}

/// The validator's weight settings in the chain's file of blocks.
fn settings(stage: &Stage) -> Result<Vec<Setting>> {
    let validator = localnet::account(&stage.validator)?;
    let mut settings = Vec::new();
    for block in localnet::read_blocks(&stage.blocks())? {
        let number = BlockNumber(u64::from(block.header.number));
        // The author's clock is not signed, and is nothing that is read here.
        for extrinsic in block.extrinsics.iter().filter_map(|bytes| Extrinsic::decode(bytes).ok()) {
            if extrinsic.signer == validator {
                settings.extend(setting(number, extrinsic));
            }
        }
    }
    Ok(settings)
}

fn setting(block: BlockNumber, extrinsic: Extrinsic) -> Option<Setting> {
    let hash = HexBytes(extrinsic.hash);
    match extrinsic.call {
        RuntimeCall::SubtensorModule(
            Call::set_weights { netuid, dests, weights, .. }
            | Call::set_mechanism_weights { netuid, dests, weights, .. },
        ) if netuid == NETUID.0 => {
            let weights = dests.into_iter().map(Uid).zip(weights).collect();
            Some(Setting { block, hash, weights })
        }
        _ => None,
    }
}

async fn on_chain_at(stage: &Stage, block: BlockNumber) -> Result<OnChain> {
    let metagraph = stage.chain.metagraph(NETUID, block).await?;
    let own = metagraph.neuron_of(&stage.validator).context("the validator lost its slot")?.uid;
    Ok(OnChain { weights: stage.chain.weights(NETUID, own, block).await?, metagraph })
}
