//! Pausing, restarting, a ledger that goes away, and a second validator.

use std::time::Duration;

use chain::Chain;
use cluster::StopMode;
use domain::events::{AbandonReason, Event};
use domain::types::Hotkey;
use ledger::{AppendSettings, LedgerReader};
use network::keys::Keypair;
use sqlx::Connection;
use validator::faults::Faults;
use validator::service::{AcceptError, ChallengeState, RegisterOutcome};
use validator::{Error, ValidatorConfig, open_ledger};

use crate::peer::Behaviour;
use crate::world::{
    ANSWERS, Database, OTHER_NETUID, PATIENCE, World, challenge, close_epoch, ended, honest, positions, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_rounds_back_over_a_crash_and_loses_nothing() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let paused = running.handle.set_running(false, "the test").await.unwrap();
    assert!(!paused.running && paused.position.is_some());
    assert_eq!(running.handle.set_running(false, "the test").await.unwrap().position, None, "nothing changed");
    for n in 0..3 {
        running.handle.accept(challenge(&format!("c{n}"))).await.unwrap();
    }
    let health = running.handle.health();
    assert!(!health.available && !health.running && health.reason.as_deref() == Some("paused"), "{health:?}");
    running.crash().await;

    let running = world.start(world.config()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(running.handle.challenge_stats().queue_size, 3);
    assert_eq!(running.handle.status("c0").await.unwrap().unwrap().state, ChallengeState::Queued);
    assert!(world.peers.iter().all(|peer| peer.requests() == 0), "nobody was asked");
    running.handle.set_running(true, "the test").await.unwrap();
    for n in 0..3 {
        assert_eq!(ended(&running.handle, &format!("c{n}")).await.state, ChallengeState::Evaluated);
    }
    assert!(running.handle.health().available);
    assert_eq!(running.handle.status("unknown").await.unwrap(), None);
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "ValidatorPaused").len(), 1);
    assert_eq!(positions(&log, "ValidatorResumed").len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_database_sessions_do_not_stop_it() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let mut admin = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    for n in 0..6 {
        let id = format!("c{n}");
        // An append that was cut off says so; sending it again tells whether it was taken.
        loop {
            match running.handle.accept(challenge(&id)).await {
                Ok(_) | Err(AcceptError::Duplicate { .. }) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(kill).execute(&mut admin).await.unwrap();
    }
    until("all end", || async {
        running.handle.challenge_stats().total_received == 6
            && running.handle.challenge_stats().queue_size == 0
            && running.handle.challenge_stats().active == 0
    })
    .await;
    let closed = close_epoch(&running.handle, 0).await;
    assert_eq!(closed.reason, "");
    assert!(!running.task.is_finished());
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "ChallengeAccepted").len(), 6);
    let last = log.iter().filter(|(_, event)| match event {
        Event::RoundEvaluated(_) => true,
        Event::RoundAbandoned(abandoned) => abandoned.last,
        _ => false,
    });
    assert_eq!(last.count(), 6, "each challenge ended once");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_validator_is_told_who_holds_the_ledger() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let refused = world.try_start(world.config()).await.err().unwrap();
    assert!(
        matches!(&refused, Error::Ledger(ledger::Error::LeaseHeld { holder, .. }) if holder == "the test"),
        "{refused}"
    );
    running.stop().await;
    world.start(world.config()).await.stop().await;
    assert_eq!(positions(&world.log().await, "ValidatorStarted").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subnets_keys_or_rule_sets_are_not_mixed_up() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    running.stop().await;
    // Another checkpoint key than the ledger was opened with.
    let other_key = network::checkpoint_key::CheckpointKey::from_seed(&[8; 32]);
    let config = ValidatorConfig { checkpoint_key: other_key, ..world.config() };
    let refused = world.try_start(config).await.err().unwrap();
    assert!(matches!(refused, Error::OtherIdentity { what: "checkpoint key", .. }), "{refused}");
    // Another hotkey has another ledger, in the same database.
    let other = ValidatorConfig { hotkey: Keypair::from_uri("//validator//other").unwrap(), ..world.config() };
    let ledger =
        open_ledger(&world.database.url(), "the test", &other, world.chain.as_ref() as &dyn Chain).await.unwrap();
    assert_eq!(LedgerReader::list(&world.database.url()).await.unwrap().len(), 2);
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_set_comes_into_force_with_the_next_epoch() {
    let mut world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let first = world.rule_set.hash();
    running.handle.accept(challenge("old")).await.unwrap();
    ended(&running.handle, "old").await;
    running.stop().await;
    world.rule_set = domain::mechanism::shipped_by_name("loosh/readme").unwrap();
    assert_ne!(world.rule_set.hash(), first);
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("still old")).await.unwrap();
    assert_eq!(
        ended(&running.handle, "still old").await.attempts[0].rule_set,
        first,
        "the epoch is finished as it began"
    );
    assert_eq!(close_epoch(&running.handle, 0).await.reason, "");
    running.handle.accept(challenge("new")).await.unwrap();
    assert_eq!(ended(&running.handle, "new").await.attempts[0].rule_set, world.rule_set.hash());
    assert_eq!(close_epoch(&running.handle, 1).await.reason, "");
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "RuleSetAdopted").len(), 2);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_alone_says_who_is_registered() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let known = running.handle.register(world.peers[0].key.hotkey()).await.unwrap();
    assert!(matches!(known, RegisterOutcome::Known { announced: true, .. }), "{known:?}");
    let stranger: Hotkey = Keypair::from_uri("//stranger").unwrap().hotkey();
    let unknown = running.handle.register(stranger).await.unwrap();
    assert!(matches!(unknown, RegisterOutcome::NotRegistered { .. }), "{unknown:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subnets_run_in_one_process_and_one_that_stalls_does_not_stop_the_other() {
    let world = World::new(honest()).await;
    let (faults, mut frozen) = Faults::freeze_at("after_issue", 1);
    let stalled = world.start(ValidatorConfig { netuid: OTHER_NETUID, faults, ..world.config() }).await;
    stalled.handle.accept(challenge("c1")).await.unwrap();
    tokio::time::timeout(PATIENCE, frozen.wait_for(|frozen| *frozen)).await.unwrap().unwrap();

    let running = world.start(world.config()).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    assert_eq!(ended(&running.handle, "c1").await.state, ChallengeState::Evaluated, "the same id, another ledger");
    assert_eq!(close_epoch(&running.handle, 0).await.reason, "");
    assert_eq!(stalled.handle.status("c1").await.unwrap().unwrap().state, ChallengeState::Running);
    assert_ne!(stalled.handle.origin(), running.handle.origin());
    running.stop().await;
    // A round that does not end is left behind within the bound, and given up at the next start.
    stalled.stop().await;
    let running = world.start(ValidatorConfig { netuid: OTHER_NETUID, ..world.config() }).await;
    let status = ended(&running.handle, "c1").await;
    assert_eq!((status.state, status.attempts.len()), (ChallengeState::Evaluated, 2));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_long_interrupts_rounds_and_loses_nothing() {
    let slow = Behaviour::Answers(ANSWERS[0], Duration::from_millis(1500));
    let mut world = World::on_own_server(honest().into_iter().chain([slow]).collect()).await;
    world.start(world.config()).await.stop().await;
    // The appender gives up soon, so that every caller sees the failure.
    let quickly = Duration::from_millis(300);
    world.settings = AppendSettings { recovery_timeout: quickly, attempts: 1, ..AppendSettings::default() };
    let running = world.start(world.config()).await;
    let mut told = Vec::new();
    for n in 0..5 {
        told.push(running.handle.accept(challenge(&format!("before{n}"))).await.unwrap());
    }
    until("rounds are under way", || async { world.peers[3].requests() >= 3 }).await;
    let Database::Own(cluster) = &mut world.database else { panic!("no own server") };
    cluster.stop(StopMode::Immediate).unwrap();
    until("it is known to be away", || async { !running.handle.health().available }).await;
    let refused = running.handle.accept(challenge("meanwhile")).await;
    assert!(matches!(refused, Err(AcceptError::Unavailable(_) | AcceptError::Unknown(_))), "{refused:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let figure = |name, of| crate::outbox::figure(&running.handle, name, of);
    assert_eq!(figure("assay_database_connected", ""), 0);
    assert!(figure("assay_database_errors_total", "ping") > 0 && figure("assay_database_errors_total", "append") > 0);
    cluster.restart().unwrap();
    until("it is back", || async { running.handle.health().available }).await;
    assert_eq!(figure("assay_database_connected", ""), 1);
    for (n, told) in told.iter().enumerate() {
        let status = ended(&running.handle, &format!("before{n}")).await;
        assert_eq!(status.accepted, told.position, "what was acknowledged stands where it was said to");
        assert_eq!(status.state, ChallengeState::Evaluated);
    }
    running.handle.accept(challenge("after")).await.unwrap();
    ended(&running.handle, "after").await;
    assert_eq!(close_epoch(&running.handle, 0).await.reason, "");
    running.stop().await;
    let log = world.log().await;
    let interrupted = log.iter().filter(
        |(_, event)| matches!(event, Event::RoundAbandoned(abandoned) if abandoned.reason == AbandonReason::Restart),
    );
    assert!(interrupted.count() > 0, "the outage fell into rounds");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_ends_the_validator_with_the_name_of_the_holder() {
    let world = World::new(honest()).await;
    // Nothing is appended unless the test asks for it, so that the lease can be lost unnoticed.
    let hour = Duration::from_secs(3600);
    let config = ValidatorConfig { sweep_interval: hour, metagraph_blocks: 1_000_000, ..world.config() };
    let running = world.start(config).await;
    until("it is at rest", || async {
        let stats = running.handle.stats();
        stats.active_miners == 3 && stats.epoch == Some(0)
    })
    .await;
    let mut admin = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'assay writer%'";
    sqlx::query(kill).execute(&mut admin).await.unwrap();
    let thief = ledger::Ledger::open_writer(&world.database.url(), running.handle.origin(), "the thief").await.unwrap();
    let refused = running.handle.accept(challenge("c1")).await;
    assert!(matches!(&refused, Err(AcceptError::Unavailable(reason)) if reason.contains("the thief")), "{refused:?}");
    running.handle.register(world.peers[0].key.hotkey()).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, running.task).await.unwrap().unwrap();
    let error = ended.unwrap_err();
    assert!(error.to_string().contains("the thief"), "{error}");
    thief.close().await;
    assert!(positions(&world.log().await, "ChallengeAccepted").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_away_delays_an_epoch_and_nothing_else() {
    let mut world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("before")).await.unwrap();
    ended(&running.handle, "before").await;
    until("epoch 0 opens", || async { running.handle.stats().epoch == Some(0) }).await;
    let address = world.stop_chain().await;
    running.handle.close_epoch_now();
    // The newest block is known for a minute, and challenges are taken on with it.
    running.handle.accept(challenge("meanwhile")).await.unwrap();
    assert_eq!(ended(&running.handle, "meanwhile").await.state, ChallengeState::Evaluated);
    assert_eq!(running.handle.stats().closed_epoch, None);
    world.restart_chain(address).await;
    let closed = crate::world::epoch_closed(&running.handle, 0).await;
    assert_eq!((closed.epoch, closed.reason.as_str()), (0, ""));
    running.stop().await;
    world.assert_sound().await;
}
