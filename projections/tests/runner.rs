//! The runner: exactly once whatever is killed, side-by-side rebuilds, erasure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{Cause, NewEvent, Unit};
use projections::{AsOf, Projector, ReadModels, Selector, Settings, rebuild};
use sqlx::{Connection, PgConnection};
use support::{World, database, little_log};

const TABLES: [&str; 15] = [
    "ledgers",
    "events",
    "rule_sets",
    "slots",
    "availability",
    "challenges",
    "rounds",
    "responses",
    "scores",
    "epochs",
    "derivations",
    "weights",
    "averages",
    "chain_steps",
    "checkpoints",
];

/// Every row of every table of the live generation, as text in order.
async fn contents(url: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let live = "SELECT generation FROM assay_read.generations WHERE state = 'live'";
    let generation: i64 = sqlx::query_scalar(live).fetch_one(&mut connection).await.unwrap();
    let made = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1";
    let schema = format!("assay_read_{generation}");
    let count: i64 = sqlx::query_scalar(made).bind(&schema).fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, i64::try_from(TABLES.len()).unwrap(), "a table is not compared");
    let mut all = BTreeMap::new();
    for table in TABLES {
        let statement = format!("SELECT t::text FROM {schema}.{table} t ORDER BY t::text COLLATE \"C\"");
        let rows: Vec<String> = sqlx::query_scalar(&statement).fetch_all(&mut connection).await.unwrap();
        all.insert(table, rows);
    }
    all
}

fn small() -> Settings {
    Settings {
        batch_events: 3,
        poll: Duration::from_millis(5),
        discover: Duration::from_millis(50),
        ..Settings::default()
    }
}

async fn wait_for(url: &str, origin: &str, size: u64) {
    let models = ReadModels::open(url).unwrap();
    for _ in 0..2_000 {
        let view = models.begin().await.unwrap();
        let ledger = view.ledgers().iter().find(|ledger| ledger.origin == origin);
        if ledger.is_some_and(|ledger| ledger.next_position >= size) {
            return;
        }
        drop(view);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the read models did not reach {size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_that_are_killed_and_doubled_fold_every_event_once() {
    let database = database().await;
    let url = database.url().to_owned();
    let projector = Projector::open(&url, small()).await.unwrap();
    let killer = tokio::spawn({
        let projector = projector.clone();
        async move {
            let mut kills = 0_u64;
            loop {
                let two = [projector.clone(), projector.clone()];
                let runs = two.map(|one| tokio::spawn(async move { one.run(std::future::pending()).await }));
                tokio::time::sleep(Duration::from_millis(11 + kills * 7 % 40)).await;
                runs.iter().for_each(tokio::task::JoinHandle::abort);
                kills += 1;
                if kills.is_multiple_of(5) {
                    // What a kill -9 leaves: sessions that end in the middle of a batch.
                    let mut admin = PgConnection::connect(&url).await.unwrap();
                    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                                 WHERE datname = current_database() AND application_name = 'assay projector'";
                    sqlx::query(kill).execute(&mut admin).await.unwrap();
                }
            }
        }
    });
    let world = little_log(database.url()).await;
    let mut other = World::open(database.url(), 79).await;
    other.epoch(2).await;
    killer.abort();
    assert!(killer.await.unwrap_err().is_cancelled());
    let runner = tokio::spawn({
        let projector = projector.clone();
        async move { projector.run(std::future::pending()).await }
    });
    wait_for(database.url(), world.origin(), world.size()).await;
    wait_for(database.url(), other.origin(), other.size()).await;
    runner.abort();
    let live = contents(database.url()).await;
    assert_eq!(live["events"].len() as u64, world.size() + other.size());
    rebuild(database.url()).await.unwrap();
    assert_eq!(contents(database.url()).await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_beside_the_live_one_and_equals_it() {
    let database = database().await;
    let mut world = little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    assert_eq!(projector.catch_up().await.unwrap(), world.size());
    assert_eq!(projector.catch_up().await.unwrap(), 0);
    let live = contents(database.url()).await;
    let models = ReadModels::open(database.url()).unwrap();
    let before = models.begin().await.unwrap();
    let old = before.generation();
    // An open view does not keep the switch from happening, only the old tables from being dropped.
    let reading = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        before.frame(&Selector::default(), AsOf::Newest).await.map(|frame| frame.position)
    });
    let rebuilt = rebuild(database.url()).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), world.size() - 1);
    assert_eq!((rebuilt.replaced, rebuilt.ledgers, rebuilt.events), (Some(old), 1, world.size()));
    assert_eq!(contents(database.url()).await, live);
    let mut admin = PgConnection::connect(database.url()).await.unwrap();
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'assay\\_read\\_%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(schemas).fetch_one(&mut admin).await.unwrap(), 1);

    // The projector of the old generation goes on in the new one.
    world.round("after").await;
    projector.catch_up().await.unwrap();
    let grown = contents(database.url()).await;
    assert_eq!(grown["events"].len() as u64, world.size());
    rebuild(database.url()).await.unwrap();
    assert_eq!(contents(database.url()).await, grown);
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_payloads_leave_the_read_models_too() {
    let database = database().await;
    let mut world = World::open(database.url(), 78).await;
    let accepted = world.accept("c").await.first;
    let drawn = world.ask("c", 1, 0).await;
    let received = world.size() - 4;
    world.evaluate("c", 1, &drawn).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    assert!(contents(database.url()).await["challenges"][0].contains(support::SECRET));
    world.ledger.erase(accepted, "asked for").await.unwrap();
    world.ledger.erase(received, "asked for").await.unwrap();
    projector.catch_up().await.unwrap();
    let live = contents(database.url()).await;
    assert!(!live["challenges"][0].contains(support::SECRET), "{:?}", live["challenges"]);
    rebuild(database.url()).await.unwrap();
    assert_eq!(contents(database.url()).await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_of_another_version_are_refused_and_rebuilt() {
    let database = database().await;
    let world = little_log(database.url()).await;
    let models = ReadModels::open(database.url()).unwrap();
    assert!(matches!(models.begin().await.unwrap_err(), projections::Error::NotBuilt));
    Projector::open(database.url(), Settings::default()).await.unwrap().catch_up().await.unwrap();
    let mut admin = PgConnection::connect(database.url()).await.unwrap();
    sqlx::query("UPDATE assay_read.generations SET format = 'older'").execute(&mut admin).await.unwrap();
    assert!(matches!(models.begin().await.unwrap_err(), projections::Error::OtherFormat { .. }));
    let _projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    let view = models.begin().await.unwrap();
    assert_eq!(view.ledgers()[0].next_position, world.size());
    assert_eq!(models.lag(&view.ledgers()[0]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_session_can_write_nothing_and_see_nothing_of_the_write_side() {
    let database = database().await;
    Projector::open(database.url(), Settings::default()).await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::query("SET ROLE assay_query").execute(&mut connection).await.unwrap();
    for refused in ["SELECT count(*) FROM ledger.events", "DELETE FROM assay_read.generations"] {
        let error = sqlx::query(refused).execute(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{refused}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_program_wrote_is_counted_and_not_shown() {
    let database = database().await;
    let world = World::open(database.url(), 78).await;
    let unknown = NewEvent {
        stream_type: "future".into(),
        stream_id: "1".into(),
        kind: "SomethingNew".into(),
        version: 1,
        payload: [&[0, 0, 0, 2][..], b"{}"].concat(),
        block: 7,
        cause: Cause::Own,
    };
    let at = world.ledger.append(Unit::of(vec![unknown])).await.unwrap().first;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    assert_eq!(projector.catch_up().await.unwrap(), world.size());
    let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
    let frame = view.frame(&Selector::default(), AsOf::Newest).await.unwrap();
    let feed = projections::queries::feed(&view, &frame, Some(at - 1), None, 10).await.unwrap();
    assert_eq!((feed[0].kind.as_str(), feed[0].disclosed, &feed[0].payload), ("SomethingNew", false, &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_none_stops_its_ledger_alone_and_names_the_position() {
    let database = database().await;
    let broken = World::open(database.url(), 78).await;
    let mut good = World::open(database.url(), 79).await;
    let payload = [&[0, 0, 0, 2][..], b"{}"].concat();
    let event = NewEvent {
        kind: "EpochOpened".into(),
        payload,
        ..NewEvent::of("epoch", "0", &stopped(), 1, Cause::Own).unwrap()
    };
    let at = broken.ledger.append(Unit::of(vec![event])).await.unwrap().first;
    let projector = Projector::open(database.url(), small()).await.unwrap();
    let mut statuses = projector.statuses();
    let runner = tokio::spawn(async move { projector.run(std::future::pending()).await });
    good.epoch(1).await;
    wait_for(database.url(), good.origin(), good.size()).await;
    let origin = broken.origin().to_owned();
    let failure =
        |map: &BTreeMap<String, projections::Status>| map.get(&origin).and_then(|status| status.failure.clone());
    let found = tokio::time::timeout(Duration::from_secs(20), statuses.wait_for(|map| failure(map).is_some())).await;
    let reason = failure(&found.unwrap().unwrap()).unwrap();
    assert!(reason.contains(&format!("event {at} of ledger {origin}")), "{reason}");
    runner.abort();
}

fn stopped() -> domain::events::Event {
    domain::events::ValidatorStopped { reason: "test".into() }.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_a_nul_is_folded() {
    let database = database().await;
    let mut world = World::open(database.url(), 78).await;
    let paused = domain::events::ValidatorPaused { by: "a\0b".into() };
    world.append("operator", "1", vec![paused.into()]).await;
    let reason = "gone\0".to_owned();
    let detail = domain::events::RoundAbandoned {
        challenge_id: "c".into(),
        attempt: 1,
        reason: domain::events::AbandonReason::NoMiners,
        last: true,
        detail: reason,
    };
    world.append("round", "c/1", vec![detail.into()]).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    assert_eq!(projector.catch_up().await.unwrap(), world.size());
    assert!(contents(database.url()).await["rounds"][0].contains("gone\u{fffd}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rebuilds_at_once_are_one_too_many() {
    let database = database().await;
    let world = little_log(database.url()).await;
    let both = tokio::join!(rebuild(database.url()), rebuild(database.url()));
    let refused =
        [&both.0, &both.1].iter().filter(|result| matches!(result, Err(projections::Error::RebuildRunning))).count();
    let built = [&both.0, &both.1].iter().filter(|result| result.is_ok()).count();
    // The second may also begin after the first has ended.
    assert_eq!(refused + built, 2, "{both:?}");
    assert!(built >= 1);
    assert_eq!(contents(database.url()).await["events"].len() as u64, world.size());
}
