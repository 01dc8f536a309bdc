//! Weights whose fate the chain does not tell, and weights whose slot changes hands on their way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chain::Chain;
use domain::events::{EpochOutcome, Event};
use network::keys::Keypair;
use validator::ValidatorConfig;
use validator::service::SubmissionState;

use crate::odd_chain::{HOARDS, HONEST, REASSIGNS, TAKES_ONE, start};
use crate::world::{NETUID, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until};

fn config(world: &World) -> ValidatorConfig {
    ValidatorConfig { submission_attempts: 1, ..world.config() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fate_that_is_not_told_is_known_once_the_era_is_over() {
    let world = World::new(honest()).await;
    // The anchor is taken honestly, the weights are not.
    let (running, mood) = start(&world, TAKES_ONE, config(&world)).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    ended(&running.handle, "c1").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
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
    let (running, mood) = start(&world, HONEST, config(&world)).await;
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
