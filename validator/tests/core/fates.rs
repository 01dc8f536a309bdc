//! Weights whose fate the chain does not tell, and weights whose slot changes hands on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chain::{
    Anchor, BlockHeader, Call, Chain, Error, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, Metagraph,
    SignedExtrinsic,
};
use domain::events::{EpochOutcome, Event};
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use localnet::{Root, RootCall};
use network::keys::Keypair;
use subtensor::Subtensor;
use validator::service::SubmissionState;
use validator::transport::HttpTransport;
use validator::{Validator, ValidatorConfig, open_ledger_with};

use crate::world::{
    NETUID, PATIENCE, Running, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until,
};

/// Tells the truth.
const HONEST: u8 = 0;
/// Does not answer what became of weights.
const SILENT: u8 = 1;
/// Takes weights, never includes them, and says for ever that they wait.
const HOARDS: u8 = 2;
/// Gives the best paid slot to another before it takes weights.
const REASSIGNS: u8 = 3;

/// The development chain, but for its mood about weights.
struct Moody {
    chain: Arc<Subtensor>,
    mood: Arc<AtomicU8>,
    root: Root,
}

impl Moody {
    fn mood(&self) -> u8 {
        self.mood.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Chain for Moody {
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
        self.chain.hyperparameters(netuid, at).await
    }

    async fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, Error> {
        self.chain.weights(netuid, uid, at).await
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
        if matches!(self.mood(), SILENT | HOARDS) {
            return Ok(());
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

async fn start(world: &World) -> (Running, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(HONEST));
    let config = ValidatorConfig { submission_attempts: 1, ..world.config() };
    let chain = Moody {
        chain: world.chain.clone(),
        mood: Arc::clone(&mood),
        root: Root::new(&world.chain_url, world.root.clone()).unwrap(),
    };
    let chain: Arc<dyn Chain> = Arc::new(chain);
    let (url, settings) = (world.database.url(), world.settings.clone());
    let ledger = open_ledger_with(&url, "the test", &config, chain.as_ref(), settings).await.unwrap();
    let transport = Arc::new(HttpTransport::new(config.network_is_local).unwrap());
    let (handle, task) =
        Validator::start(config, ledger, chain, world.embeddings.clone().into(), transport).await.unwrap();
    (Running { handle, task }, mood)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fate_that_is_not_told_is_known_once_the_era_is_over() {
    let world = World::new(honest()).await;
    let (running, mood) = start(&world).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    ended(&running.handle, "c1").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
    // The anchor is taken honestly, the weights are not.
    until("the anchor", || async { !positions(&world.log().await, "CheckpointAnchored").is_empty() }).await;
    mood.store(SILENT, Ordering::SeqCst);
    let state = |wanted| {
        let handle = running.handle.clone();
        move || {
            let found = handle.stats().submission;
            async move { found.is_some_and(|open| open.epoch == 0 && open.state == wanted) }
        }
    };
    until("nobody answers", state(SubmissionState::NoAnswer)).await;
    let problem = running.handle.stats().submission.unwrap().problem.unwrap();
    assert!(problem.contains("does not offer an answer to that"), "{problem}");
    // However long the chain does not answer, nothing else is signed.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(positions(&world.log().await, "WeightsSubmitted").len(), 1);
    mood.store(HOARDS, Ordering::SeqCst);
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Failed, "expired 1 times"));
    assert_eq!(running.handle.stats().submission, None);
    mood.store(HONEST, Ordering::SeqCst);
    let closed = close_epoch(&running.handle, 1).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weight_that_went_to_another_hotkey_is_told() {
    let world = World::new(honest()).await;
    let (running, mood) = start(&world).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    ended(&running.handle, "c1").await;
    mood.store(REASSIGNS, Ordering::SeqCst);
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    let told = running.handle.stats().misdirected_weights;
    running.stop().await;
    let log = world.log().await;
    let derived = log.iter().find_map(|(_, event)| match event {
        Event::WeightsDerived(derived) => Some(derived.clone()),
        _ => None,
    });
    let loser = derived.unwrap().weights.into_iter().max_by_key(|weight| (weight.weight, weight.uid)).unwrap();
    let included = log.iter().find_map(|(_, event)| match event {
        Event::WeightsIncluded(included) => Some(included.block),
        _ => None,
    });
    let newcomer = Keypair::from_uri("//newcomer").unwrap().hotkey();
    let [told] = told.as_slice() else { panic!("one slot changed hands: {told:?}") };
    assert_eq!((told.epoch, Some(told.block)), (0, included));
    assert_eq!((told.uid, told.weight, told.derived_for), (loser.uid, loser.weight, loser.hotkey));
    assert_eq!(told.held_by, Some(newcomer));
    assert_eq!(world.chain.uid_of(NETUID, &newcomer, told.block).await.unwrap(), Some(told.uid));
    world.assert_sound().await;
}
