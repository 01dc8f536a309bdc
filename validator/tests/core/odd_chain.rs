//! The development chain in the moods of real nodes and of a world that goes on: one that forgets, hoards, or tells half of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chain::{
    Anchor, Beacon, BlockHeader, Call, Chain, Error, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, Metagraph,
    Schedule, SignedExtrinsic, WeightEvent,
};
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use localnet::{Root, RootCall};
use network::keys::Keypair;
use subtensor::Subtensor;
use validator::transport::HttpTransport;
use validator::{Validator, ValidatorConfig, open_ledger_with};

use crate::world::{PATIENCE, Running, World};

/// Tells the truth, and all of it.
pub const HONEST: u8 = 0;
/// Takes one extrinsic honestly, which is the anchor, and is silent from the next one on.
pub const TAKES_ONE: u8 = 8;
const TOOK_ONE: u8 = 9;
/// Does not answer what became of weights.
pub const SILENT: u8 = 1;
/// Takes weights, never includes them, and says for ever that they wait.
pub const HOARDS: u8 = 2;
/// Gives the best paid slot to another before it takes weights.
pub const REASSIGNS: u8 = 3;
/// Says of the past what it says of the head, but for a longer reveal period: as if it had been shortened after the commit.
pub const SHORTENED: u8 = 4;
/// Has discarded what the blocks of commits did.
pub const PRUNED_COMMITS: u8 = 5;
/// Has discarded what the blocks of reveals did.
pub const PRUNED_REVEALS: u8 = 6;
/// Takes the beacon once for one that began later, so that what is committed for it comes too late.
pub const BEHIND: u8 = 7;

/// The chain of a world, but for its mood.
struct OddChain {
    chain: Arc<Subtensor>,
    mood: Arc<AtomicU8>,
    root: Root,
}

impl OddChain {
    fn mood(&self) -> u8 {
        self.mood.load(Ordering::SeqCst)
    }

    fn discarded<T>(&self) -> Result<T, Error> {
        Err(Error::NodeFailed { url: "ws://pruned".to_owned(), reason: "State already discarded".to_owned() })
    }
}

#[async_trait]
impl Chain for OddChain {
    fn sending(&self) -> &tokio::sync::Mutex<()> {
        self.chain.sending()
    }

    async fn genesis_hash(&self) -> Result<Digest, Error> {
        self.chain.genesis_hash().await
    }

    async fn head(&self) -> Result<BlockHeader, Error> {
        self.chain.head().await
    }

    async fn block_hash(&self, number: BlockNumber) -> Result<Option<Digest>, Error> {
        self.chain.block_hash(number).await
    }

    async fn await_block(&self, after: BlockNumber, wait: Duration) -> Result<Option<BlockHeader>, Error> {
        self.chain.await_block(after, wait).await
    }

    async fn metagraph(&self, netuid: NetUid, at: BlockNumber) -> Result<Metagraph, Error> {
        self.chain.metagraph(netuid, at).await
    }

    async fn uid_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Uid>, Error> {
        self.chain.uid_of(netuid, hotkey, at).await
    }

    async fn hyperparameters(&self, netuid: NetUid, at: BlockNumber) -> Result<Hyperparameters, Error> {
        let head = self.chain.head().await?.number;
        let mut found = self.chain.hyperparameters(netuid, at).await?;
        if self.mood() == SHORTENED && at < head {
            found.reveal_period_epochs += 3;
        }
        Ok(found)
    }

    async fn schedule(&self, netuid: NetUid, at: BlockNumber) -> Result<Schedule, Error> {
        self.chain.schedule(netuid, at).await
    }

    async fn beacon(&self, at: BlockNumber) -> Result<Beacon, Error> {
        let mut found = self.chain.beacon(at).await?;
        if self.mood.compare_exchange(BEHIND, HONEST, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            found.genesis_s += 1_000;
        }
        Ok(found)
    }

    async fn time_of(&self, at: BlockNumber) -> Result<u64, Error> {
        self.chain.time_of(at).await
    }

    async fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, Error> {
        self.chain.weights(netuid, uid, at).await
    }

    async fn weight_events(&self, netuid: NetUid, at: BlockNumber) -> Result<Vec<WeightEvent>, Error> {
        if self.mood() == PRUNED_REVEALS { self.discarded() } else { self.chain.weight_events(netuid, at).await }
    }

    async fn weight_events_of(&self, netuid: NetUid, at: BlockNumber, index: u32) -> Result<Vec<WeightEvent>, Error> {
        if self.mood() == PRUNED_COMMITS {
            return self.discarded();
        }
        self.chain.weight_events_of(netuid, at, index).await
    }

    async fn anchor_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Anchor>, Error> {
        self.chain.anchor_of(netuid, hotkey, at).await
    }

    async fn prepare(&self, call: &Call, keypair: &Keypair) -> Result<SignedExtrinsic, Error> {
        if let (REASSIGNS, Call::SetWeights { netuid, uids, weights, .. }) = (self.mood(), call) {
            let (netuid, best) = (*netuid, weights.iter().zip(uids).max().map(|(_, uid)| *uid).unwrap());
            let newcomer = Keypair::from_uri("//newcomer").unwrap().hotkey();
            let (hotkey, coldkey) = (localnet::account(&newcomer).unwrap(), localnet::account(&newcomer).unwrap());
            let change = RootCall::replace_neuron { netuid: netuid.0, uid: best.0, hotkey, coldkey };
            self.root.execute(change, PATIENCE).await.unwrap();
        }
        self.chain.prepare(call, keypair).await
    }

    async fn submit(&self, extrinsic: &SignedExtrinsic) -> Result<(), Error> {
        match self.mood() {
            SILENT | HOARDS => return Ok(()),
            TAKES_ONE => self.mood.store(TOOK_ONE, Ordering::SeqCst),
            TOOK_ONE => {
                self.mood.store(SILENT, Ordering::SeqCst);
                return Ok(());
            }
            _ => {}
        }
        self.chain.submit(extrinsic).await
    }

    async fn extrinsic_status(&self, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, Error> {
        match self.mood() {
            SILENT => Err(self.chain.lacks("an answer to that".to_owned())),
            HOARDS => Ok(ExtrinsicStatus::Pending),
            _ => self.chain.extrinsic_status(reference).await,
        }
    }
}

/// A validator on the world's chain in a mood, which may change.
pub async fn start(world: &World, mood: u8, config: ValidatorConfig) -> (Running, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(mood));
    let root = Root::new(&world.chain_url, world.root.clone()).unwrap();
    let chain: Arc<dyn Chain> = Arc::new(OddChain { chain: world.chain.clone(), mood: Arc::clone(&mood), root });
    let (url, settings) = (world.database.url(), world.settings.clone());
    let ledger = open_ledger_with(&url, "the test", &config, chain.as_ref(), settings).await.unwrap();
    let transport = Arc::new(HttpTransport::new(config.network_is_local).unwrap());
    let (handle, task) =
        Validator::start(config, ledger, chain, world.embeddings.clone().into(), transport).await.unwrap();
    (Running { handle, task }, mood)
}
