//! Weights that are committed by their hash, and opened by the validator when it is their turn.

use chain::{Chain, WeightEvent};
use domain::epoch::NOT_REVEALED;
use domain::events::EpochOutcome;
use domain::types::Uid;
use validator::{CommitForm, ValidatorConfig};

use crate::commitments::{assert_once, assert_stand_from, crash_after_the_commit, set_reveal_period, told};
use crate::world::{NETUID, World, challenge, close_epoch, ended, epoch_closed, honest};

/// Epochs of the chain from commit to reveal.
const PERIOD: u64 = 2;

async fn world() -> World {
    let world = World::new(honest()).await;
    set_reveal_period(&world, PERIOD).await;
    world
}

fn config(world: &World) -> ValidatorConfig {
    ValidatorConfig { commit_form: CommitForm::Hash, ..world.config() }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_opened_by_the_validator_and_only_then_stand() {
    let world = world().await;
    let running = world.start(config(&world)).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Included, ""));
    running.stop().await;
    let (submitted, committed, revealed) = told(&world.log().await);
    // The chain has the hash, nothing before it is opened, and then exactly what was derived.
    let hotkey = world.config().hotkey.hotkey();
    let hash = committed.commitment;
    let events = world.chain.weight_events(NETUID, committed.block).await.unwrap();
    assert!(events.contains(&WeightEvent::Committed { mechanism: 0, hotkey, hash }), "{events:?}");
    let events = world.chain.weight_events(NETUID, revealed.block).await.unwrap();
    assert!(events.contains(&WeightEvent::Revealed { mechanism: 0, hotkey, hash }), "{events:?}");
    assert_stand_from(&world, revealed.block, submitted).await;
    world.assert_sound().await;
}

/// The salt stands nowhere: it is found again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_a_restart_is_opened_after_it() {
    let world = world().await;
    crash_after_the_commit(&world, config(&world)).await;
    // Another form from now on is no matter of what is committed already.
    let running = world.start(world.config()).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    assert_once(&world.log().await);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_opens_nothing() {
    let world = world().await;
    crash_after_the_commit(&world, config(&world)).await;
    let running = world.start(ValidatorConfig { shadow: true, ..config(&world) }).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Failed, NOT_REVEALED));
    running.stop().await;
    let head = world.chain.head().await.unwrap().number;
    assert_eq!(world.chain.weights(NETUID, Uid(0), head).await.unwrap(), []);
    world.assert_sound().await;
}
