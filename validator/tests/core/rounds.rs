//! Rounds: what is recorded, in which order, and what comes of misbehaviour.

use std::time::Duration;

use domain::Aggregate;
use domain::events::{AbandonReason, Challenge, ChallengeAccepted, Event, FailureReason, ZeroReason};
use domain::mechanism;
use domain::round::Round;
use domain::types::{Position, sha256};
use domain::{round, wire};
use ledger::{Cause, Expected, NewEvent, Unit};
use miner::{EmbeddingSource, MinerConfig, Profile, Server};
use validator::ValidatorConfig;
use validator::service::{AcceptError, ChallengeState, MinerOutcome};

use crate::peer::Behaviour;
use crate::world::{ANSWERS, World, challenge, close_epoch, ended, honest, positions, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_recorded_from_acceptance_to_scores() {
    let mut behaviours = honest();
    behaviours.extend([
        Behaviour::Unsigned(ANSWERS[0]),
        Behaviour::SignsWrongly(ANSWERS[1]),
        Behaviour::Malformed,
        Behaviour::Silent,
        Behaviour::Unavailable,
    ]);
    let world = World::new(behaviours).await;
    let running = world.start(world.config()).await;
    let accepted = running.handle.accept(challenge("c1")).await.unwrap();
    let again = running.handle.accept(challenge("c1")).await;
    assert_eq!(again, Err(AcceptError::Duplicate { id: "c1".to_owned() }));
    let status = ended(&running.handle, "c1").await;

    assert_eq!(status.state, ChallengeState::Evaluated);
    assert_eq!(status.accepted, accepted.position);
    assert_eq!(status.attempts.len(), 1);
    let attempt = &status.attempts[0];
    assert_eq!(attempt.miners.len(), 7, "all that are available");
    let outcome = |peer: usize| {
        let hotkey = world.peers[peer].key.hotkey();
        attempt
            .miners
            .iter()
            .find(|miner| miner.hotkey == hotkey)
            .map(|miner| (miner.outcome, miner.failure, miner.reason))
    };
    for peer in 0..4 {
        assert_eq!(outcome(peer).unwrap().0, MinerOutcome::Answered, "peer {peer}");
    }
    let failed = |failure, reason| Some((MinerOutcome::Failed, Some(failure), Some(reason)));
    assert_eq!(outcome(4), failed(FailureReason::BadSignature, ZeroReason::BadSignature));
    assert_eq!(outcome(5), failed(FailureReason::Malformed, ZeroReason::Malformed));
    assert_eq!(outcome(6), failed(FailureReason::TimedOut, ZeroReason::TimedOut));
    assert_eq!(outcome(7), None, "who is not available is not drawn");
    assert!(status.consensus.unwrap() > 0.5, "{status:?}");
    let best = status.best_answer.clone().unwrap();
    assert!(ANSWERS.contains(&best.text.as_str()));
    assert!(attempt.miners.iter().filter(|miner| miner.score.unwrap() > 0.0).count() >= 2, "{status:?}");

    let stats = running.handle.stats();
    assert_eq!((stats.successful_responses, stats.failed_responses, stats.active_miners), (4, 3, 7));
    running.stop().await;
    check_log(&world, accepted.position).await;
    world.assert_sound().await;
}

/// Order, causes and bytes of one round in the log.
async fn check_log(world: &World, accepted: Position) {
    let log = world.log().await;
    let kinds: Vec<&str> = log.iter().take(3).map(|(_, event)| event.kind()).collect();
    assert_eq!(kinds, ["LedgerOpened", "RuleSetAdopted", "ValidatorStarted"]);
    let last: Vec<&str> = log.iter().rev().take(2).map(|(_, event)| event.kind()).collect();
    assert_eq!(last, ["CheckpointPublished", "ValidatorStopped"], "outside evidence covers the last word");
    let stored = world.reader().await.stream(round::STREAM_TYPE, "c1/1", 1).await.unwrap();
    let kinds: Vec<&str> = stored.iter().map(|stored| stored.kind.as_str()).collect();
    let expected = [
        vec!["MinersSelected"],
        vec!["ChallengeIssued"; 7],
        vec!["Response"; 7],
        vec!["EmbeddingComputed"; 4],
        vec!["ResponseScored"; 7],
        vec!["RoundEvaluated"],
    ]
    .concat();
    let brief: Vec<&str> = kinds
        .iter()
        .map(|kind| if matches!(*kind, "ResponseReceived" | "ResponseFailed") { "Response" } else { kind })
        .collect();
    assert_eq!(brief, expected, "one embedding for the prompt and each distinct answer: one answer came twice");

    let Event::ChallengeAccepted(acceptance) = &log[accepted.0 as usize].1 else { panic!("no acceptance") };
    assert_eq!(wire::commitment(&acceptance.challenge).unwrap(), acceptance.commitment);
    let selected = Position(stored[0].position);
    assert_eq!(stored[0].cause, accepted.0);
    let origin = world.reader().await.origin().to_owned();
    let mechanism = mechanism::open(&world.rule_set).unwrap();
    let mut state = Round::default();
    let mut recorded = Vec::new();
    for stored in &stored {
        let event = stored.fact().unwrap().unwrap();
        match &event {
            Event::ChallengeIssued(issued) => {
                let request =
                    wire::issued_request(mechanism.as_ref(), &acceptance.challenge, &origin, selected, issued);
                let hash = request.unwrap().hash;
                assert_eq!(hash, issued.request_hash);
                let message = wire::request_message(&hash.0);
                assert!(network::keys::verify(&world.validator_key.public(), &message, &issued.receipt.0));
                assert_eq!(issued.dialect, wire::Dialect::Http.name());
            }
            Event::ResponseReceived(response) => {
                let cause = &log[stored.cause as usize].1;
                assert!(matches!(cause, Event::ChallengeIssued(issued) if issued.hotkey == response.hotkey));
                assert_eq!(u64::from(response.response_time_ms), (response.received_at.0 - response.sent_at.0) / 1000);
            }
            Event::EmbeddingComputed(embedding) => {
                assert_eq!(embedding.model.dimensions, 384);
                let prompt = sha256(crate::world::QUESTION.as_bytes());
                assert_eq!(embedding.text_hash == prompt, embedding.sources == [accepted]);
            }
            Event::ResponseScored(_) | Event::RoundEvaluated(_) => recorded.push(event.clone()),
            _ => {}
        }
        if !matches!(event, Event::ResponseScored(_) | Event::RoundEvaluated(_)) {
            state.apply(&event);
        }
    }
    assert_eq!(
        state.evaluate(&acceptance.challenge, mechanism.as_ref(), &[]).unwrap(),
        recorded,
        "scores follow from facts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_miners_a_challenge_ends_after_the_wait() {
    let world = World::new(vec![Behaviour::Unavailable]).await;
    let config = ValidatorConfig { candidates_wait: Duration::from_millis(700), ..world.config() };
    let running = world.start(config).await;
    running.handle.accept(challenge("lonely")).await.unwrap();
    let status = ended(&running.handle, "lonely").await;
    assert_eq!(status.state, ChallengeState::Abandoned);
    assert_eq!(status.attempts.len(), 1);
    assert_eq!(status.attempts[0].abandoned, Some(AbandonReason::NoMiners));
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_answers_a_challenge_ends_with_its_failures() {
    let world = World::new(vec![Behaviour::Malformed, Behaviour::Malformed]).await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("unanswered")).await.unwrap();
    let status = ended(&running.handle, "unanswered").await;
    assert_eq!(status.attempts[0].abandoned, Some(AbandonReason::NoResponses));
    assert!(status.attempts[0].miners.iter().all(|miner| miner.failure == Some(FailureReason::Malformed)));
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_challenges_run_in_bounded_number_and_all_end() {
    let world = World::new(honest()).await;
    let config = ValidatorConfig { concurrency: 4, queue_limit: 20, ..world.config() };
    let running = world.start(config).await;
    // More at once than the queue holds: some are refused, none of the accepted is lost.
    let attempts = (0..40).map(|n| {
        let handle = running.handle.clone();
        async move { (n, handle.accept(challenge(&format!("c{n}"))).await) }
    });
    let outcomes = futures::future::join_all(attempts).await;
    let accepted: Vec<String> =
        outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(n, _)| format!("c{n}")).collect();
    assert!((1..=24).contains(&accepted.len()), "{} accepted", accepted.len());
    assert!(
        outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err())
            .all(|error| matches!(error, AcceptError::TooMany { .. }))
    );
    for id in &accepted {
        assert_eq!(ended(&running.handle, id).await.state, ChallengeState::Evaluated);
    }
    until("the fold agrees", || async { running.handle.stats().evaluated_challenges == accepted.len() as u64 }).await;
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "RoundEvaluated").len(), accepted.len());
    let (mut open, mut most) = (0_i32, 0);
    for (_, event) in &log {
        match event {
            Event::MinersSelected(_) => open += 1,
            Event::RoundEvaluated(_) | Event::RoundAbandoned(_) => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert!(most <= 4, "{most} rounds at once");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_that_answer_by_retrieval_are_scored() {
    // Three peers hold the slots; real miners take their places with the keys they have on chain.
    let mut world = World::new(honest()).await;
    let mut miners = Vec::new();
    for (number, peer) in (0_u16..).zip(std::mem::take(&mut world.peers)) {
        let (address, keypair) = (peer.address, peer.key.clone());
        peer.end().await;
        let mut config = MinerConfig::new(address, keypair, EmbeddingSource::Shared(world.embeddings.clone()));
        config.profile = Profile::numbered(number);
        let server = Server::bind(config).await.unwrap();
        miners.push(tokio::spawn(server.serve(std::future::pending())));
    }
    let running = world.start(world.config()).await;
    until("all are available", || async { running.handle.stats().active_miners == 3 }).await;
    running.handle.accept(challenge("real")).await.unwrap();
    let status = ended(&running.handle, "real").await;
    assert_eq!(status.state, ChallengeState::Evaluated, "{status:?}");
    assert_eq!(status.attempts[0].miners.len(), 3);
    assert!(status.attempts[0].miners.iter().all(|miner| miner.outcome == MinerOutcome::Answered), "{status:?}");
    running.stop().await;
    let log = world.log().await;
    let signed = log
        .iter()
        .filter(|(_, event)| matches!(event, Event::ResponseReceived(response) if response.signature.is_some()));
    assert_eq!(signed.count(), 3, "every answer is signed by its miner");
    miners.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A challenge that another rule set accepted, or an earlier program: its rounds end, and the validator goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_challenge_that_cannot_be_issued_is_given_up() {
    let world = crate::labels::world().await;
    let running = world.start(world.config()).await;
    running.stop().await;
    let (block, block_hash) = (domain::types::BlockNumber(1), sha256(b"block"));
    let challenge = Challenge { task: Some("{}".to_owned()), ..challenge("odd") };
    let commitment = wire::commitment(&challenge).unwrap();
    let accepted = ChallengeAccepted { block, block_hash, commitment, challenge };
    let ledger = world.writer().await;
    let event = NewEvent::of("challenge", "odd", &accepted.into(), 1, Cause::Own).unwrap();
    ledger.append(Unit::of(vec![event]).expecting("challenge", "odd", Expected::Exactly(0))).await.unwrap();
    ledger.close().await;
    let running = world.start(world.config()).await;
    assert_eq!(ended(&running.handle, "odd").await.state, ChallengeState::Abandoned);
    let good = validator::sources::conversion::Conversations::of_ledger("the test").challenge(0).unwrap();
    running.handle.accept(good).await.unwrap();
    assert_eq!(ended(&running.handle, "conversion-0").await.state, ChallengeState::Evaluated);
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    let log = world.log().await;
    let abandoned = log.iter().find_map(|(_, event)| match event {
        Event::RoundAbandoned(abandoned) => Some(abandoned),
        _ => None,
    });
    assert!(abandoned.is_some_and(|abandoned| abandoned.detail.contains("task")), "{abandoned:?}");
    assert_eq!(positions(&log, "ChallengeIssued").len(), 2, "of the good one");
    world.assert_sound().await;
}
