//! Weights that are committed by their hash, and opened by the validator when it is their turn.

use std::time::Duration;

use chain::{Chain, WeightEvent};
use domain::epoch::NOT_REVEALED;
use domain::events::{EpochOutcome, Event, WeightsCommitted, WeightsRevealed, WeightsSubmitted};
use domain::types::{BlockNumber, Position, Uid};
use localnet::RootCall;
use validator::faults::Faults;
use validator::{CommitForm, ValidatorConfig};

use crate::world::{NETUID, PATIENCE, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until};

/// Epochs of the chain from commit to reveal.
const PERIOD: u64 = 2;

async fn world() -> World {
    let world = World::new(honest()).await;
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    hyperparameters.commit_reveal_enabled = true;
    hyperparameters.reveal_period_epochs = PERIOD;
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
    world
}

fn config(world: &World) -> ValidatorConfig {
    ValidatorConfig { commit_form: CommitForm::Hash, ..world.config() }
}

fn told(log: &[(Position, Event)]) -> (WeightsSubmitted, WeightsCommitted, WeightsRevealed) {
    let (mut submitted, mut committed, mut revealed) = (None, None, None);
    for (_, event) in log {
        match event {
            Event::WeightsSubmitted(event) => submitted = Some(event.clone()),
            Event::WeightsCommitted(event) => committed = Some(event.clone()),
            Event::WeightsRevealed(event) => revealed = Some(event.clone()),
            _ => {}
        }
    }
    (submitted.expect("a submission"), committed.expect("a commitment"), revealed.expect("a reveal"))
}

/// Until the validator has sent epoch 0, and no further.
async fn crash_after_the_commit(world: &World) {
    let (faults, mut frozen) = Faults::freeze_at("after_submission", 1);
    let running = world.start(ValidatorConfig { faults, ..config(world) }).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
    tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await.unwrap().unwrap();
    running.crash().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
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
    assert!(
        committed.block < committed.reveal_at && committed.reveal_at <= revealed.block,
        "{committed:?} {revealed:?}"
    );
    // The chain has the hash, nothing before it is opened, and then exactly what was derived.
    let hotkey = world.config().hotkey.hotkey();
    let hash = committed.commitment;
    let events = world.chain.weight_events(NETUID, committed.block).await.unwrap();
    assert!(events.contains(&WeightEvent::Committed { mechanism: 0, hotkey, hash }), "{events:?}");
    let events = world.chain.weight_events(NETUID, revealed.block).await.unwrap();
    assert!(events.contains(&WeightEvent::Revealed { mechanism: 0, hotkey, hash }), "{events:?}");
    let before = BlockNumber(revealed.block.0 - 1);
    assert_eq!(world.chain.weights(NETUID, Uid(0), before).await.unwrap(), []);
    let wanted: Vec<_> = submitted.uids.into_iter().zip(submitted.weights).collect();
    assert_eq!(world.chain.weights(NETUID, Uid(0), revealed.block).await.unwrap(), wanted);
    world.assert_sound().await;
}

/// The salt stands nowhere: it is found again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_a_restart_is_opened_after_it() {
    let world = world().await;
    crash_after_the_commit(&world).await;
    // Another form from now on is no matter of what is committed already.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_opens_nothing() {
    let world = world().await;
    crash_after_the_commit(&world).await;
    let running = world.start(ValidatorConfig { shadow: true, ..config(&world) }).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Failed, NOT_REVEALED));
    running.stop().await;
    let head = world.chain.head().await.unwrap().number;
    assert_eq!(world.chain.weights(NETUID, Uid(0), head).await.unwrap(), []);
    world.assert_sound().await;
}
