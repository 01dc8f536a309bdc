//! What tests of timelocked commits and of those by hash share.

use std::time::Duration;

use chain::Chain;
use domain::events::{Event, WeightsCommitted, WeightsRevealed, WeightsSubmitted};
use domain::types::{BlockNumber, Position, Uid};
use localnet::RootCall;
use validator::ValidatorConfig;
use validator::faults::Faults;

use crate::world::{NETUID, PATIENCE, World, challenge, ended, positions, until};

/// Has the subnet reveal commits after so many epochs.
pub async fn set_reveal_period(world: &World, reveal_period_epochs: u64) {
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    hyperparameters.commit_reveal_enabled = true;
    hyperparameters.reveal_period_epochs = reveal_period_epochs;
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
}

/// What the log tells of the one commit in it, which the chain revealed when it was its turn.
pub fn told(log: &[(Position, Event)]) -> (WeightsSubmitted, WeightsCommitted, WeightsRevealed) {
    let (mut submitted, mut committed, mut revealed) = (None, None, None);
    for (_, event) in log {
        match event {
            Event::WeightsSubmitted(event) => submitted = Some(event.clone()),
            Event::WeightsCommitted(event) => committed = Some(event.clone()),
            Event::WeightsRevealed(event) => revealed = Some(event.clone()),
            _ => {}
        }
    }
    let (committed, revealed) = (committed.expect("a commitment"), revealed.expect("a reveal"));
    assert!(
        committed.block < committed.reveal_at && committed.reveal_at <= revealed.block,
        "{committed:?} {revealed:?}"
    );
    (submitted.expect("a submission"), committed, revealed)
}

/// Until the validator has sent epoch 0, and no further.
pub async fn crash_after_the_commit(world: &World, config: ValidatorConfig) {
    let (faults, mut frozen) = Faults::freeze_at("after_submission", 1);
    let running = world.start(ValidatorConfig { faults, ..config }).await;
    running.handle.accept(challenge("one")).await.unwrap();
    ended(&running.handle, "one").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
    tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await.unwrap().unwrap();
    running.crash().await;
    // The chain goes on meanwhile.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// Nothing was sent, committed or revealed twice.
pub fn assert_once(log: &[(Position, Event)]) {
    for kind in ["WeightsSubmitted", "WeightsCommitted", "WeightsRevealed"] {
        assert_eq!(positions(log, kind).len(), 1, "{kind}");
    }
}

/// The chain has nothing before the block of the reveal, and from it on exactly what was derived.
pub async fn assert_stand_from(world: &World, revealed: BlockNumber, submitted: WeightsSubmitted) {
    let before = BlockNumber(revealed.0 - 1);
    assert_eq!(world.chain.weights(NETUID, Uid(0), before).await.unwrap(), []);
    let wanted: Vec<_> = submitted.uids.into_iter().zip(submitted.weights).collect();
    assert_eq!(world.chain.weights(NETUID, Uid(0), revealed).await.unwrap(), wanted);
}
