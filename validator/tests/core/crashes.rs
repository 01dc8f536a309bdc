//! A crash at every named point: nothing accepted is lost or doubled, every epoch ends once, one submission at most.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::{Chain, Era, ExtrinsicReference, ExtrinsicStatus};
use domain::events::{AbandonReason, EpochOutcome, Event};
use validator::faults::{Faults, POINTS};

use crate::world::{PATIENCE, Running, World, challenge, ended, epoch_closed, honest, until};

/// Brings the validator to the point and crashes it there.
async fn crash_at(world: &World, point: &str, id: &str, epoch: u64) {
    let (faults, mut frozen) = Faults::freeze_at(point, 1);
    let running: Running = world.start_with_faults(faults).await;
    let handle = running.handle.clone();
    let pushed = challenge(id);
    let push = tokio::spawn(async move { handle.accept(pushed).await });
    let in_acceptance = matches!(point, "before_commit" | "after_commit_before_answer");
    if !in_acceptance {
        until("the push is answered", || async { push.is_finished() }).await;
        if !matches!(point, "after_issue" | "after_first_response" | "before_evaluate") {
            ended(&running.handle, id).await;
            until("the epoch is open", || async { running.handle.stats().epoch == Some(epoch) }).await;
            running.handle.close_epoch_now();
        }
    }
    let reached = tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await;
    assert!(reached.is_ok_and(|reached| reached.is_ok()), "{point} is reached");
    assert_eq!(push.is_finished(), !in_acceptance, "{point}: nobody is told before the commit");
    push.abort();
    let _ = push.await;
    running.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_point_is_survived() {
    let world = World::new(honest()).await;
    let mut epoch = 0;
    for point in POINTS {
        let id = format!("at_{point}");
        crash_at(&world, point, &id, epoch).await;
        let running = world.start(world.config()).await;
        match *point {
            "before_commit" => {
                assert_eq!(running.handle.status(&id).await.unwrap(), None, "what was not answered may be unknown");
                running.handle.accept(challenge(&id)).await.unwrap();
            }
            "after_commit_before_answer" => {
                assert!(running.handle.accept(challenge(&id)).await.is_err(), "it was accepted before");
            }
            _ => {}
        }
        let status = ended(&running.handle, &id).await;
        let attempts: Vec<Option<AbandonReason>> = status.attempts.iter().map(|attempt| attempt.abandoned).collect();
        let in_mid_round = matches!(*point, "after_issue" | "after_first_response" | "before_evaluate");
        let expected = if in_mid_round { vec![Some(AbandonReason::Restart), None] } else { vec![None] };
        assert_eq!(attempts, expected, "{point}");
        if POINTS.iter().position(|name| name == point) >= POINTS.iter().position(|name| *name == "after_derivation") {
            let closed = epoch_closed(&running.handle, epoch).await;
            assert_eq!(closed.outcome, EpochOutcome::Included, "{point}: {}", closed.reason);
            epoch += 1;
            until("the next epoch is open", || async { running.handle.stats().epoch == Some(epoch) }).await;
        }
        running.crash().await;
    }
    check(&world, epoch).await;
    world.assert_sound().await;
}

/// Each challenge and each epoch ended once, and of each epoch at most one submission is in a block.
async fn check(world: &World, epochs: u64) {
    let log = world.log().await;
    let (mut ends, mut closed, mut submissions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (_, event) in &log {
        match event {
            Event::ChallengeAccepted(accepted) => {
                assert!(ends.insert(accepted.challenge.id.clone(), 0).is_none(), "accepted once");
            }
            Event::RoundEvaluated(evaluated) => *ends.get_mut(&evaluated.challenge_id).unwrap() += 1,
            Event::RoundAbandoned(abandoned) if abandoned.last => *ends.get_mut(&abandoned.challenge_id).unwrap() += 1,
            Event::EpochClosed(ended) => *closed.entry(ended.epoch).or_insert(0) += 1,
            Event::WeightsSubmitted(submitted) => {
                let era = Era { period: submitted.era_period, birth: submitted.era_birth };
                let (hash, nonce) = (submitted.extrinsic, submitted.nonce);
                let reference = ExtrinsicReference { hash, signer: world.validator_key.hotkey(), nonce, era };
                let status = world.chain.await_extrinsic(&reference, Duration::from_secs(5)).await.unwrap();
                let included = matches!(status, ExtrinsicStatus::Included(_));
                *submissions.entry(submitted.epoch).or_insert(0) += i32::from(included);
            }
            _ => {}
        }
    }
    assert_eq!(ends.len(), POINTS.len());
    assert!(ends.values().all(|count| *count == 1), "{ends:?}");
    assert_eq!(closed.len() as u64, epochs);
    assert!(closed.values().all(|count| *count == 1), "{closed:?}");
    assert!(submissions.values().all(|count| *count == 1), "{submissions:?}");
}
