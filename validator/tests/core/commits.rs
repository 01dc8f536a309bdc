//! Weights under a timelock: committed, opened by the chain's beacon, recorded as what the chain's events say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chain::{
    Anchor, Beacon, BlockHeader, Call, Chain, Error, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, Metagraph,
    Schedule, SignedExtrinsic, WeightEvent,
};
use domain::epoch::UNREADABLE;
use domain::events::{EpochOutcome, Event};
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use localnet::RootCall;
use network::keys::Keypair;
use subtensor::Subtensor;
use validator::faults::Faults;
use validator::transport::HttpTransport;
use validator::{Validator, ValidatorConfig, open_ledger_with};

use crate::world::{
    NETUID, PATIENCE, Running, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until,
};

/// Tells everything.
const HONEST: u8 = 0;
/// Says of the past what it says of the head, but for a longer reveal period: as if it had been shortened after the commit.
const SHORTENED: u8 = 1;
/// Has discarded what the blocks of commits did.
const PRUNED_COMMITS: u8 = 2;
/// Has discarded what the blocks of reveals did.
const PRUNED_REVEALS: u8 = 3;
/// Takes the beacon once for one that began later, so that what is committed for it comes too late.
const BEHIND: u8 = 4;

/// The development chain, but for what it still knows of its blocks.
struct Forgetful {
    chain: Arc<Subtensor>,
    mood: Arc<AtomicU8>,
}

impl Forgetful {
    fn mood(&self) -> u8 {
        self.mood.load(Ordering::SeqCst)
    }

    fn discarded<T>(&self) -> Result<T, Error> {
        Err(Error::NodeFailed { url: "ws://pruned".to_owned(), reason: "State already discarded".to_owned() })
    }
}

#[async_trait]
impl Chain for Forgetful {
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
        self.chain.prepare(call, keypair).await
    }

    async fn submit(&self, extrinsic: &SignedExtrinsic) -> Result<(), Error> {
        self.chain.submit(extrinsic).await
    }

    async fn extrinsic_status(&self, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, Error> {
        self.chain.extrinsic_status(reference).await
    }
}

async fn start(world: &World, mood: u8) -> (Running, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(mood));
    let config = ValidatorConfig { submission_patience: Duration::from_secs(2), ..world.config() };
    let chain: Arc<dyn Chain> = Arc::new(Forgetful { chain: world.chain.clone(), mood: Arc::clone(&mood) });
    let (url, settings) = (world.database.url(), world.settings.clone());
    let ledger = open_ledger_with(&url, "the test", &config, chain.as_ref(), settings).await.unwrap();
    let transport = Arc::new(HttpTransport::new(config.network_is_local).unwrap());
    let (handle, task) =
        Validator::start(config, ledger, chain, world.embeddings.clone().into(), transport).await.unwrap();
    (Running { handle, task }, mood)
}

/// Epochs from commit to reveal. Epochs are two seconds here and the beacon's rounds one: a machine that stands still for a second must
/// not be behind the round that it commits for.
const PERIOD: u64 = 3;

async fn world() -> World {
    let world = World::new(honest()).await;
    set_reveal_period(&world, PERIOD).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_weights_are_revealed_and_only_then_stand() {
    let world = world().await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Included, ""));
    running.stop().await;

    let log = world.log().await;
    let mut last = positions(&log, "WeightsDerived")[0];
    for kind in ["WeightsSubmitted", "WeightsCommitted", "WeightsRevealed", "EpochClosed"] {
        last = *positions(&log, kind).iter().find(|at| **at > last).unwrap_or_else(|| panic!("{kind}"));
    }
    assert!(positions(&log, "WeightsIncluded").is_empty());
    let committed = log.iter().find_map(|(_, event)| match event {
        Event::WeightsCommitted(committed) => Some(committed.clone()),
        _ => None,
    });
    let revealed = log.iter().find_map(|(_, event)| match event {
        Event::WeightsRevealed(revealed) => Some(revealed.clone()),
        _ => None,
    });
    let submitted = log.iter().find_map(|(_, event)| match event {
        Event::WeightsSubmitted(submitted) => Some(submitted.clone()),
        _ => None,
    });
    let (committed, revealed, submitted) = (committed.unwrap(), revealed.unwrap(), submitted.unwrap());
    assert!(
        committed.block < committed.reveal_at && committed.reveal_at <= revealed.block,
        "{committed:?} {revealed:?}"
    );

    // The chain has the commitment, nothing before the reveal, and then exactly what was derived.
    let events = world.chain.weight_events(NETUID, committed.block).await.unwrap();
    let has = |event: &WeightEvent| matches!(event, WeightEvent::TimelockedCommitted { hash, .. } if *hash == committed.commitment);
    assert!(events.iter().any(has), "{events:?}");
    let before = BlockNumber(revealed.block.0 - 1);
    assert_eq!(world.chain.weights(NETUID, Uid(0), before).await.unwrap(), []);
    let wanted: Vec<_> = submitted.uids.into_iter().zip(submitted.weights).collect();
    assert_eq!(world.chain.weights(NETUID, Uid(0), revealed.block).await.unwrap(), wanted);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_commit_and_reveal_commits_nothing_again() {
    let world = world().await;
    let (faults, mut frozen) = Faults::freeze_at("after_submission", 1);
    let running = world.start(ValidatorConfig { faults, ..world.config() }).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
    tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await.unwrap().unwrap();
    running.crash().await;
    // The chain goes on meanwhile.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let running = world.start(world.config()).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    let log = world.log().await;
    for kind in ["WeightsSubmitted", "WeightsCommitted", "WeightsRevealed"] {
        assert_eq!(positions(&log, kind).len(), 1, "{kind}");
    }
    world.assert_sound().await;
}

/// Has a subnet reveal commits after so many epochs.
async fn set_reveal_period(world: &World, reveal_period_epochs: u64) {
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    hyperparameters.commit_reveal_enabled = true;
    hyperparameters.reveal_period_epochs = reveal_period_epochs;
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_under_which_nothing_can_be_revealed_fail_an_epoch_and_not_the_validator() {
    let world = world().await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    for (epoch, period) in [(0, 0), (1, 101)] {
        set_reveal_period(&world, period).await;
        let closed = close_epoch(&running.handle, epoch).await;
        assert_eq!(closed.outcome, EpochOutcome::Failed, "{}", closed.reason);
        let reason = format!("weights cannot be committed: the reveal period is {period} epochs");
        assert!(closed.reason.starts_with(&reason), "{}", closed.reason);
    }
    set_reveal_period(&world, PERIOD).await;
    let closed = close_epoch(&running.handle, 2).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    assert_eq!(positions(&world.log().await, "WeightsSubmitted").len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_before_its_time_is_found() {
    let world = world().await;
    let (running, _) = start(&world, SHORTENED).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Included, ""));
    running.stop().await;
    let log = world.log().await;
    let foretold = log.iter().find_map(|(_, event)| match event {
        Event::WeightsCommitted(committed) => Some(committed.reveal_at),
        _ => None,
    });
    let revealed = log.iter().find_map(|(_, event)| match event {
        Event::WeightsRevealed(revealed) => Some(revealed.block),
        _ => None,
    });
    assert!(revealed.unwrap() < foretold.unwrap(), "{revealed:?} {foretold:?}");
}

/// What a node has discarded it will never tell; the wait for it ends, and the next epoch is not held up.
#[tokio::test(flavor = "multi_thread")]
async fn a_fate_that_is_discarded_ends_the_epoch() {
    for mood in [PRUNED_COMMITS, PRUNED_REVEALS] {
        let world = world().await;
        let (running, present) = start(&world, mood).await;
        running.handle.accept(challenge("one")).await.unwrap();
        ended(&running.handle, "one").await;
        let closed = close_epoch(&running.handle, 0).await;
        assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Failed, UNREADABLE), "{mood}");
        assert_eq!(running.handle.stats().submission, None);
        present.store(HONEST, Ordering::SeqCst);
        let closed = close_epoch(&running.handle, 1).await;
        assert_eq!(closed.outcome, EpochOutcome::Included, "{mood}: {}", closed.reason);
        running.stop().await;
        let committed = positions(&world.log().await, "WeightsCommitted").len();
        assert_eq!(committed, if mood == PRUNED_COMMITS { 1 } else { 2 }, "{mood}");
        world.assert_sound().await;
    }
}

/// A commit whose round the beacon has signed before its block comes is refused there, and another one is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_too_late_is_made_again() {
    let world = world().await;
    let (running, _) = start(&world, BEHIND).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    let log = world.log().await;
    let refused = log.iter().filter_map(|(_, event)| match event {
        Event::WeightsRejected(rejected) => Some(rejected.error.as_str()),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), ["InvalidRevealRound"]);
    assert_eq!(positions(&log, "WeightsSubmitted").len(), 2);
    assert_eq!(positions(&log, "WeightsRevealed").len(), 1);
    world.assert_sound().await;
}
