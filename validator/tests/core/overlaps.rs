//! Epochs that go on while the weights of those before them wait for their reveal.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::{Replay, Report, Settings, Verdict};
use chain::{Chain, Schedule};
use domain::events::{EpochOutcome, Event, WeightsCommitted, WeightsSubmitted};
use domain::types::{BlockNumber, Position, Uid};
use localnet::RootCall;

use crate::world::{NETUID, Running, World, challenge, ended, honest, positions, until};

/// Epochs of the chain from commit to reveal, and so commits that wait at a time.
const PERIOD: u64 = 3;
/// Blocks of 100 ms in an epoch of the chain: enough for a round and a way to the chain on a busy machine.
const TEMPO: u16 = 50;

async fn world() -> World {
    let world = World::new(honest()).await;
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    hyperparameters.commit_reveal_enabled = true;
    hyperparameters.reveal_period_epochs = PERIOD;
    hyperparameters.tempo = TEMPO;
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
    world
}

/// Has a round in the open epoch, ends it, and waits until its weights are committed and the next epoch is open.
async fn commit_epoch(world: &World, running: &Running, epoch: u64) {
    let id = format!("round of epoch {epoch}");
    running.handle.accept(challenge(&id)).await.unwrap();
    ended(&running.handle, &id).await;
    until(&format!("epoch {epoch} opens"), || async { running.handle.stats().epoch == Some(epoch) }).await;
    running.handle.close_epoch_now();
    until(&format!("epoch {epoch} gives way"), || async { running.handle.stats().epoch == Some(epoch + 1) }).await;
    assert_eq!(positions(&world.log().await, "WeightsCommitted").len() as u64, epoch + 1);
}

/// Commitments by epoch.
fn commitments(log: &[(Position, Event)]) -> BTreeMap<u64, WeightsCommitted> {
    let found = log.iter().filter_map(|(_, event)| match event {
        Event::WeightsCommitted(committed) => Some((committed.epoch, committed.clone())),
        _ => None,
    });
    found.collect()
}

/// Blocks of reveals by epoch, in the order in which they were recorded.
fn reveals(log: &[(Position, Event)]) -> Vec<(u64, BlockNumber)> {
    let found = log.iter().filter_map(|(_, event)| match event {
        Event::WeightsRevealed(revealed) => Some((revealed.epoch, revealed.block)),
        _ => None,
    });
    found.collect()
}

async fn audited(world: &World, epoch: u64) -> Report {
    let reader = world.reader().await;
    let range = reader.epoch_range(epoch).await.unwrap().unwrap();
    let mut replay = Replay::new(Settings { epoch: Some(epoch), chain: None });
    reader.feed(&range, &mut replay).await.unwrap();
    replay.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_go_on_while_commits_wait_and_a_restart_loses_none() {
    let world = world().await;
    let running = world.start(world.config()).await;
    for epoch in 0..PERIOD {
        commit_epoch(&world, &running, epoch).await;
    }
    // All three wait at once. The validator is gone in that moment, and comes back before the first reveal or after it.
    running.crash().await;
    let log = world.log().await;
    assert_eq!((commitments(&log).len(), reveals(&log)), (3, Vec::new()));
    let due = commitments(&log)[&1].reveal_at;
    let report = audited(&world, 1).await;
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::CannotTell, 2), "{report}");
    assert!(report.to_string().contains(&format!("reveal due at block {due}")), "{report}");
    tokio::time::sleep(Duration::from_secs(1)).await;

    let running = world.start(world.config()).await;
    until("all of them close", || async { positions(&world.log().await, "EpochClosed").len() as u64 == PERIOD }).await;
    commit_epoch(&world, &running, PERIOD).await;
    running.stop().await;
    let log = world.log().await;
    check(&world, &log).await;
    for epoch in 0..PERIOD {
        let report = audited(&world, epoch).await;
        assert_eq!(report.verdict, Verdict::Equal, "{report}");
    }
    world.assert_sound().await;
}

/// Each epoch was sent once and stood on chain as derived, in order, and each was opened before the one before it was revealed.
async fn check(world: &World, log: &[(Position, Event)]) {
    let revealed = reveals(log);
    assert_eq!(revealed.iter().map(|(epoch, _)| *epoch).collect::<Vec<_>>(), [0, 1, 2]);
    let committed = commitments(log);
    let head = world.chain.head().await.unwrap().number;
    assert!(matches!(world.chain.schedule(NETUID, head).await.unwrap(), Schedule::Legacy { tempo: TEMPO }));
    let chain_epoch = |block: BlockNumber| (block.0 + u64::from(NETUID.0) + 1) / (u64::from(TEMPO) + 1);
    for (epoch, block) in revealed {
        let own = |event: &&Event| match event {
            Event::WeightsSubmitted(event) => event.epoch == epoch,
            Event::WeightsCommitted(event) => event.epoch == epoch,
            Event::EpochClosed(event) => event.epoch == epoch && event.outcome == EpochOutcome::Included,
            _ => false,
        };
        let own: Vec<&Event> = log.iter().map(|(_, event)| event).filter(own).collect();
        let kinds: Vec<&str> = own.iter().map(|event| event.kind()).collect();
        assert_eq!(kinds, ["WeightsSubmitted", "WeightsCommitted", "EpochClosed"], "epoch {epoch}");
        let Event::WeightsSubmitted(WeightsSubmitted { uids, weights, .. }) = own[0] else { unreachable!() };
        let wanted: Vec<_> = uids.iter().copied().zip(weights.iter().copied()).collect();
        assert_eq!(world.chain.weights(NETUID, Uid(0), block).await.unwrap(), wanted, "epoch {epoch}");
        // One commit in each epoch of the chain, revealed three of them later.
        let (at, next) = (&committed[&epoch], &committed[&(epoch + 1)]);
        assert!(chain_epoch(at.block) < chain_epoch(next.block), "{at:?} {next:?}");
        assert_eq!(chain_epoch(at.block) + PERIOD, chain_epoch(block), "{at:?} {block}");
        let opened = log.iter().position(|(_, event)| matches!(event, Event::EpochOpened(o) if o.epoch == epoch + 1));
        let stood = log.iter().position(|(_, event)| matches!(event, Event::WeightsRevealed(r) if r.epoch == epoch));
        assert!(opened < stood, "epoch {} opens before epoch {epoch} is revealed", epoch + 1);
    }
}

/// An epoch without scores ends at once, also while the one before it waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_may_end_before_the_one_before_it() {
    let world = world().await;
    let running = world.start(world.config()).await;
    commit_epoch(&world, &running, 0).await;
    // Newcomers hold the slots, who have earned nothing yet.
    for (number, peer) in world.peers.iter().enumerate() {
        let newcomer = network::keys::Keypair::from_uri(&format!("//newcomer{number}")).unwrap().hotkey();
        let account = localnet::account(&newcomer).unwrap();
        let uid = world.chain.uid_of(NETUID, &peer.key.hotkey(), world.chain.head().await.unwrap().number).await;
        let uid = uid.unwrap().unwrap();
        let change = RootCall::replace_neuron { netuid: NETUID.0, uid: uid.0, hotkey: account, coldkey: account };
        world.arrange(change).await;
    }
    running.handle.close_epoch_now();
    let closed = |epoch: u64| {
        let world = &world;
        async move {
            let log = world.log().await;
            log.into_iter().find_map(|(position, event)| match event {
                Event::EpochClosed(closed) if closed.epoch == epoch => Some((position, closed)),
                _ => None,
            })
        }
    };
    until("epoch 1 ends", || async { closed(1).await.is_some() }).await;
    until("epoch 0 ends", || async { closed(0).await.is_some() }).await;
    until("epoch 2 opens", || async { running.handle.stats().epoch == Some(2) }).await;
    running.stop().await;
    let (first, second) = (closed(0).await.unwrap(), closed(1).await.unwrap());
    assert_eq!(first.1.outcome, EpochOutcome::Included, "{first:?}");
    assert_eq!(second.1.outcome, EpochOutcome::Skipped, "{second:?}");
    assert!(second.0 < first.0, "{first:?} {second:?}");
    let opened = positions(&world.log().await, "EpochOpened");
    assert_eq!(opened.len(), 3);
    world.assert_sound().await;
}
