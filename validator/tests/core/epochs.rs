//! Epochs: the order of their events, what stands on chain, and slots that change hands.

use chain::Chain;
use domain::epoch::EpochFold;
use domain::events::{ChainOutcome, EpochOutcome, Event, ZeroReason};
use domain::mechanism;
use domain::types::{Micros, Position, Uid};
use futures::TryStreamExt;
use localnet::RootCall;
use network::keys::Keypair;
use validator::ValidatorConfig;
use validator::faults::Faults;

use crate::world::{NETUID, PATIENCE, World, challenge, close_epoch, ended, epoch_closed, honest, positions, until};

#[tokio::test(flavor = "multi_thread")]
async fn weights_reach_the_chain_in_the_order_of_the_design() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    for epoch in 0..2_u64 {
        for round in 0..2 {
            let id = format!("e{epoch}r{round}");
            running.handle.accept(challenge(&id)).await.unwrap();
            ended(&running.handle, &id).await;
        }
        let closed = close_epoch(&running.handle, epoch).await;
        assert_eq!((closed.epoch, closed.outcome), (epoch, EpochOutcome::Included), "{}", closed.reason);
    }
    running.stop().await;
    let log = world.log().await;
    let derived = positions(&log, "WeightsDerived");
    assert_eq!(derived.len(), 2);
    for (epoch, derived_at) in derived.iter().enumerate() {
        let order = [
            "WeightsDerived",
            "CheckpointPublished",
            "CheckpointAnchored",
            "WeightsSubmitted",
            "WeightsIncluded",
            "EpochClosed",
        ];
        let mut last = derived_at - 1;
        for kind in order {
            last = *positions(&log, kind).iter().find(|position| **position > last).unwrap_or_else(|| panic!("{kind}"));
        }
        let opened =
            log.iter().filter(|(_, event)| matches!(event, Event::EpochOpened(opened) if opened.epoch == epoch as u64));
        assert_eq!(opened.count(), 1);
    }
    check_derivations(&world).await;
    check_chain(&world, &log).await;
    world.assert_sound().await;
}

/// Each derivation follows from the events of its range, and no attempt is open at it.
async fn check_derivations(world: &World) {
    let reader = world.reader().await;
    let stored: Vec<_> = reader.events(0, u64::MAX, None).try_collect().await.unwrap();
    let mechanism = mechanism::open(&world.rule_set).unwrap();
    let mut fold = EpochFold::genesis(mechanism.clone(), world.validator_key.hotkey());
    let mut open = 0;
    for row in &stored {
        let event = row.fact().unwrap().unwrap();
        match &event {
            Event::MinersSelected(_) => open += 1,
            Event::RoundEvaluated(_) | Event::RoundAbandoned(_) => open -= 1,
            Event::WeightsDerived(derived) if derived.revision == 0 => {
                assert_eq!(open, 0, "no attempt is open");
                let range = derived.from.0..=derived.to.0;
                assert!(matches!(stored[derived.to.0 as usize].kind.as_str(), "MetagraphObserved"));
                let mut own = fold.clone();
                for row in stored.iter().filter(|row| range.contains(&row.position)) {
                    own.apply(Position(row.position), Micros(row.recorded_at), &row.fact().unwrap().unwrap());
                }
                assert_eq!(&own.derive(), derived);
                assert_eq!(derived.rounds, 2);
                fold = EpochFold::carry(mechanism.clone(), world.validator_key.hotkey(), derived).unwrap();
            }
            _ => {}
        }
    }
}

/// What is recorded is what the chain has.
async fn check_chain(world: &World, log: &[(Position, Event)]) {
    let head = world.chain.head().await.unwrap().number;
    let on_chain = world.chain.weights(NETUID, Uid(0), head).await.unwrap();
    let derived = log.iter().rev().find_map(|(_, event)| match event {
        Event::WeightsDerived(derived) => Some(derived),
        _ => None,
    });
    let weights: Vec<(Uid, u16)> = derived.unwrap().weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
    assert_eq!(on_chain, weights);
    let anchored = log.iter().rev().find_map(|(_, event)| match event {
        Event::CheckpointAnchored(anchored) => Some(anchored),
        _ => None,
    });
    let anchored = anchored.unwrap();
    assert!(matches!(anchored.outcome, ChainOutcome::Included { .. }), "{anchored:?}");
    let anchor = world.chain.anchor_of(NETUID, &world.validator_key.hotkey(), head).await.unwrap().unwrap();
    assert_eq!(anchor.data, domain::wire::anchor_data(&anchored.root, anchored.size));
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_end_at_their_block_and_are_skipped_without_scores() {
    let world = World::new(honest()).await;
    let running = world.start(ValidatorConfig { epoch_blocks: 8, ..world.config() }).await;
    let closed = epoch_closed(&running.handle, 2).await;
    assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Skipped, "no_scores"));
    running.stop().await;
    let log = world.log().await;
    assert!(positions(&log, "WeightsSubmitted").is_empty());
    let opened: Vec<u64> = log
        .iter()
        .filter_map(|(_, event)| if let Event::EpochOpened(opened) = event { Some(opened.epoch) } else { None })
        .collect();
    assert_eq!(opened[..3], [0, 1, 2]);
    world.assert_sound().await;
}

/// Everything but sending: the hotkey's row on chain and its nonce stay those of the validator beside which it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_derives_weights_and_sends_nothing() {
    let world = World::new(honest()).await;
    let running = world.start(ValidatorConfig { shadow: true, ..world.config() }).await;
    for epoch in 0..2_u64 {
        let id = format!("r{epoch}");
        running.handle.accept(challenge(&id)).await.unwrap();
        ended(&running.handle, &id).await;
        let closed = close_epoch(&running.handle, epoch).await;
        assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Skipped, "shadow"));
    }
    running.stop().await;
    let log = world.log().await;
    let derived = positions(&log, "WeightsDerived");
    assert_eq!(derived.len(), 2);
    for (derived_at, closed_at) in derived.iter().zip(positions(&log, "EpochClosed")) {
        let covered = log.iter().any(|(position, event)| {
            let Event::CheckpointPublished(published) = event else { return false };
            (*derived_at..closed_at).contains(&position.0) && published.size > *derived_at
        });
        assert!(covered, "a checkpoint covers the derivation at {derived_at} before the epoch closes");
    }
    let weights = log.iter().find_map(|(_, event)| match event {
        Event::WeightsDerived(derived) => Some((derived.skip, derived.weights.len())),
        _ => None,
    });
    assert!(matches!(weights, Some((None, 1..))), "{weights:?}");
    for kind in ["CheckpointAnchored", "WeightsSubmitted"] {
        assert!(positions(&log, kind).is_empty(), "{kind}");
    }
    let head = world.chain.head().await.unwrap().number;
    assert_eq!(world.chain.weights(NETUID, Uid(0), head).await.unwrap(), []);
    assert_eq!(world.chain.anchor_of(NETUID, &world.validator_key.hotkey(), head).await.unwrap(), None);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_that_changed_hands_is_left_out_and_never_pays_another() {
    let world = World::new(honest()).await;
    let (faults, mut frozen) = Faults::freeze_at("after_anchor", 1);
    let running = world.start_with_faults(faults).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    ended(&running.handle, "c1").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    running.handle.close_epoch_now();
    tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await.unwrap().unwrap();

    let log = world.log().await;
    let derived = log.iter().find_map(|(_, event)| match event {
        Event::WeightsDerived(derived) => Some(derived.clone()),
        _ => None,
    });
    let derived = derived.unwrap();
    // The best paid miner loses its slot, so that what is left has another largest weight.
    let loser = derived.weights.iter().max_by_key(|weight| weight.weight).unwrap().clone();
    let newcomer = Keypair::from_uri("//newcomer").unwrap();
    let account = localnet::account(&newcomer.hotkey()).unwrap();
    let (hotkey, coldkey) = (account, account);
    world.arrange(RootCall::replace_neuron { netuid: NETUID.0, uid: loser.uid.0, hotkey, coldkey }).await;
    running.crash().await;

    let running = world.start(world.config()).await;
    let closed = epoch_closed(&running.handle, 0).await;
    assert_eq!(closed.outcome, EpochOutcome::Included, "{}", closed.reason);
    running.stop().await;
    let log = world.log().await;
    let revised = log.iter().find_map(|(_, event)| match event {
        Event::WeightsDerived(derived) if derived.revision == 1 => Some(derived.clone()),
        _ => None,
    });
    let revised = revised.unwrap();
    assert!(revised.zeros.iter().any(|zero| zero.hotkey == loser.hotkey && zero.reason == ZeroReason::UidReassigned));
    assert_eq!(revised.weights.len(), derived.weights.len() - 1);
    assert_eq!(positions(&log, "WeightsSubmitted").len(), 1);
    let head = world.chain.head().await.unwrap().number;
    let on_chain = world.chain.weights(NETUID, Uid(0), head).await.unwrap();
    assert!(!on_chain.is_empty() && on_chain.iter().all(|(uid, _)| *uid != loser.uid), "{on_chain:?}");
    let recorded: Vec<(Uid, u16)> = revised.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
    assert_eq!(on_chain, recorded, "the chain stores what is recorded");
    world.assert_sound().await;
}
