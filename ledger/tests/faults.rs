//! Faults: lost answers, lost requests, killed backends, crashed servers, a second writer that takes over. What was
//! acknowledged is there once, at its position, with its leaf; what was not is there at most once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluster::{Cluster, Options, StopMode};
use futures::TryStreamExt;
use ledger::verify::Outcome;
use ledger::{AppendSettings, Appended, Error, Expected, Ledger, LedgerReader, StoredEvent, Unit, migrate};
use proxy::{Cut, MARKER, Proxy};
use sqlx::{Connection, Executor, PgConnection};
use support::{ORIGIN, database, event, opened, opening, superuser, unit};

async fn all(url: &str) -> Vec<StoredEvent> {
    let reader = LedgerReader::open(url, ORIGIN).await.unwrap();
    reader.events(0, u64::MAX, None).try_collect().await.unwrap()
}

async fn assert_clean(url: &str) {
    let verification = LedgerReader::open(url, ORIGIN).await.unwrap().verify(None).await.unwrap();
    assert_eq!(verification.outcome, Outcome::NothingOutside, "{verification}");
}

fn quick() -> AppendSettings {
    AppendSettings {
        write_timeout: Duration::from_secs(5),
        recovery_timeout: Duration::from_secs(20),
        ..AppendSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_gets_its_positions_though_the_connection_was_cut() {
    for (cut, times) in [
        (Cut::AfterTheCommit, 1),
        (Cut::AfterTheCommit, 2),
        (Cut::AfterTheRequest, 1),
        (Cut::AfterTheRequest, 2),
        (Cut::BeforeTheRequest, 1),
        (Cut::BeforeTheRequest, 2),
    ] {
        let database = database().await;
        opened(&database).await.close().await;
        let proxy = Proxy::start(database.url(), cut, times).await;
        let ledger = Ledger::open_writer_with(&proxy.url, ORIGIN, "behind the proxy", quick()).await.unwrap();
        ledger.append(unit("a", 2)).await.unwrap();
        let mut acknowledged = Vec::new();
        for n in 0..times {
            let marked = Unit::of(vec![event("thing", "a", MARKER), event("thing", &format!("b{n}"), b"with it")]);
            let marked = marked.expecting("thing", "a", Expected::Exactly(2 + u64::from(n)));
            let together = tokio::join!(ledger.append(marked), ledger.append(unit("c", 1)));
            acknowledged.extend([together.0.unwrap(), together.1.unwrap()]);
        }
        assert_eq!(proxy.cuts_left(), 0, "{cut:?}");
        acknowledged.push(ledger.append(unit("a", 1)).await.unwrap());
        let events = all(database.url()).await;
        assert_eq!(events.len(), 3 + 3 * times as usize + 1, "{cut:?}: nothing is lost or doubled");
        for appended in &acknowledged {
            let leaves: Vec<_> =
                events[appended.first as usize..=appended.last as usize].iter().map(|e| e.leaf_hash).collect();
            assert_eq!(leaves, appended.leaf_hashes, "{cut:?}");
            assert!(!appended.repeated);
        }
        assert_clean(database.url()).await;
        ledger.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_cut_off_again_and_again_is_certainly_not_written() {
    let database = database().await;
    opened(&database).await.close().await;
    let proxy = Proxy::start(database.url(), Cut::BeforeTheRequest, 100).await;
    let ledger = Ledger::open_writer_with(&proxy.url, ORIGIN, "behind the proxy", quick()).await.unwrap();
    let failed = ledger.append(Unit::of(vec![event("thing", "a", MARKER)])).await.unwrap_err();
    assert!(matches!(failed, Error::NotCommitted { attempts: 3, .. }), "{failed}");
    assert_eq!(ledger.append(unit("a", 1)).await.unwrap().first, 1);
    assert_clean(database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_lost_its_ledger_says_who_has_it_and_stops() {
    let database = database().await;
    let first = opened(&database).await;
    first.append(unit("a", 1)).await.unwrap();
    let mut admin = superuser(&database).await;
    admin
        .execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'assay writer%' AND datname = current_database()")
        .await
        .unwrap();
    let second = Ledger::open_writer(database.url(), ORIGIN, "the second").await.unwrap();
    second.append(unit("a", 1)).await.unwrap();
    for _ in 0..2 {
        match first.append(unit("a", 1)).await.unwrap_err() {
            Error::LeaseHeld { holder, .. } => assert_eq!(holder, "the second"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(second.append(unit("a", 1)).await.unwrap().first, 3);
    assert_clean(database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_does_not_go_on_where_another_has_written_meanwhile() {
    let database = database().await;
    let first = opened(&database).await;
    first.append(unit("a", 1)).await.unwrap();
    let mut admin = superuser(&database).await;
    admin
        .execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'assay writer%' AND datname = current_database()")
        .await
        .unwrap();
    let second = Ledger::open_writer(database.url(), ORIGIN, "the second").await.unwrap();
    assert_eq!(second.append(unit("a", 1)).await.unwrap().first, 2);
    // It is gone again, in order: the lock is free and nobody holds the lease.
    second.close().await;
    for _ in 0..2 {
        let refused = first.append(unit("b", 1)).await.unwrap_err();
        assert!(matches!(refused, Error::LeaseHeld { generation: 2, .. }), "{refused}");
    }
    assert_eq!(all(database.url()).await.len(), 3);
    assert_clean(database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_sessions_are_ended_goes_on() {
    let database = database().await;
    let ledger = opened(&database).await;
    let mut admin = superuser(&database).await;
    for n in 0..5 {
        admin
            .execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'assay writer%' AND datname = current_database()")
            .await
            .unwrap();
        assert_eq!(ledger.append(unit("a", 1)).await.unwrap().first, n + 1);
    }
    assert_clean(database.url()).await;
}

/// Appends units with unique payloads until told to stop, and notes what was acknowledged and what was left open.
async fn produce(ledger: Ledger, name: String, stop: Arc<AtomicBool>) -> (Vec<(String, Appended)>, Vec<String>) {
    let (mut acknowledged, mut open) = (Vec::new(), Vec::new());
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let payload = format!("{name}/{n}");
        match ledger.append(Unit::of(vec![event("thing", &name, payload.as_bytes())])).await {
            Ok(appended) => acknowledged.push((payload, appended)),
            Err(Error::NotCommitted { .. } | Error::OutcomeUnknown { .. }) => open.push(payload),
            Err(error) => panic!("{error}"),
        }
    }
    (acknowledged, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_backends_and_crashed_servers_lose_and_double_nothing() {
    let mut cluster = Cluster::start(Options::temporary()).await.unwrap();
    let url = cluster.url();
    migrate::run(&url).await.unwrap();
    Ledger::create(&url, ORIGIN, "the test", opening()).await.unwrap().close().await;
    let ledger = Ledger::open_writer_with(&url, ORIGIN, "the test", quick()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let producers: Vec<_> =
        (0..16).map(|n| tokio::spawn(produce(ledger.clone(), format!("p{n}"), Arc::clone(&stop)))).collect();
    for cycle in 0..6 {
        tokio::time::sleep(Duration::from_millis(150 + 70 * cycle)).await;
        if cycle % 2 == 0 {
            let mut admin = PgConnection::connect(&url).await.unwrap();
            let backend: Option<i32> =
                sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'assay writer%' ORDER BY random() LIMIT 1")
                    .fetch_optional(&mut admin)
                    .await
                    .unwrap();
            let backend = backend.expect("the writer is connected");
            let line = format!("kill -9 {backend}");
            // The shell has `kill` also where no package brings the program.
            let killed = std::process::Command::new("sh").args(["-c", &line]).status().unwrap();
            assert!(killed.success());
        } else {
            cluster.stop(StopMode::Immediate).unwrap();
            cluster.restart().unwrap();
        }
        // Until the writer has come back, or the next fault would meet no writer.
        ledger.append(unit("between", 1)).await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = BTreeMap::new();
    let mut open = Vec::new();
    for producer in producers {
        let (written, left) = producer.await.unwrap();
        acknowledged.extend(written);
        open.extend(left);
    }
    let events = all(&url).await;
    let mut seen: BTreeMap<String, (u64, tlog::Hash)> = BTreeMap::new();
    for event in events.iter().filter(|event| event.stream_type == "thing" && event.stream_id != "between") {
        let payload = String::from_utf8(event.payload.clone().unwrap()).unwrap();
        let doubled = seen.insert(payload.clone(), (event.position, event.leaf_hash));
        assert_eq!(doubled, None, "{payload} stands twice");
    }
    assert!(acknowledged.len() > 100, "only {} appends", acknowledged.len());
    for (payload, appended) in &acknowledged {
        assert_eq!(seen.remove(payload), Some((appended.first, appended.leaf_hashes[0])), "{payload} was acknowledged");
    }
    for payload in seen.keys() {
        assert!(open.contains(payload), "{payload} is there, though its caller was told nothing of the kind");
    }
    assert_clean(&url).await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_is_said_to_and_taken_up_again() {
    let mut cluster = Cluster::start(Options::temporary()).await.unwrap();
    let url = cluster.url();
    migrate::run(&url).await.unwrap();
    Ledger::create(&url, ORIGIN, "the test", opening()).await.unwrap().close().await;
    let settings = AppendSettings { recovery_timeout: Duration::from_millis(600), ..AppendSettings::default() };
    let ledger = Ledger::open_writer_with(&url, ORIGIN, "the test", settings).await.unwrap();
    cluster.stop(StopMode::Immediate).unwrap();
    let failed = ledger.append(unit("a", 1)).await.unwrap_err();
    assert!(matches!(failed, Error::OutcomeUnknown { .. } | Error::NotCommitted { .. }), "{failed}");
    assert!(ledger.settled().await.is_err(), "nobody can be asked");
    cluster.restart().unwrap();
    assert_eq!(ledger.settled().await.unwrap(), 1);
    assert_eq!(ledger.append(unit("a", 1)).await.unwrap().first, 1);
    assert_eq!((ledger.settled().await.unwrap(), ledger.size()), (2, 2));
    assert_clean(&url).await;
}
