//! Weights under a timelock: committed, opened by the chain's beacon, recorded as what the chain's events say.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chain::{Chain, WeightEvent};
use domain::epoch::UNREADABLE;
use domain::events::{EpochOutcome, Event};
use validator::ValidatorConfig;

use crate::commitments::{assert_once, assert_stand_from, crash_after_the_commit, set_reveal_period, told};
use crate::odd_chain::{BEHIND, HONEST, PRUNED_COMMITS, PRUNED_REVEALS, SHORTENED, start};
use crate::world::{NETUID, World, challenge, close_epoch, ended, epoch_closed, honest, positions};

fn config(world: &World) -> ValidatorConfig {
    ValidatorConfig { submission_patience: Duration::from_secs(2), ..world.config() }
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
    let (submitted, committed, revealed) = told(&log);

    // The chain has the commitment, nothing before the reveal, and then exactly what was derived.
    let events = world.chain.weight_events(NETUID, committed.block).await.unwrap();
    let has = |event: &WeightEvent| matches!(event, WeightEvent::TimelockedCommitted { hash, .. } if *hash == committed.commitment);
    assert!(events.iter().any(has), "{events:?}");
    assert_stand_from(&world, revealed.block, submitted).await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_commit_and_reveal_commits_nothing_again() {
    let world = world().await;
    crash_after_the_commit(&world, world.config()).await;
    let running = world.start(world.config()).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    assert_once(&world.log().await);
    world.assert_sound().await;
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
    let (running, _) = start(&world, SHORTENED, config(&world)).await;
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
        let (running, present) = start(&world, mood, config(&world)).await;
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
    let (running, _) = start(&world, BEHIND, config(&world)).await;
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
