//! Weights under a timelock: committed, opened by the chain's beacon, recorded as what the chain's events say.

use std::time::Duration;

use chain::{Chain, WeightEvent};
use domain::events::{EpochOutcome, Event};
use domain::types::Uid;
use localnet::RootCall;
use validator::ValidatorConfig;
use validator::faults::Faults;

use crate::world::{NETUID, PATIENCE, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until};

async fn world() -> World {
    let world = World::new(honest()).await;
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    hyperparameters.commit_reveal_enabled = true;
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
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
    let before = domain::types::BlockNumber(revealed.block.0 - 1);
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
