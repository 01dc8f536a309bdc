//! Appending and reading: positions, streams, conflicts, keys, limits, the lease, and producers at once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use futures::TryStreamExt;
use ledger::{AppendSettings, Cause, Error, Expected, Ledger, LedgerReader, NewEvent, StoredEvent, Unit, migrate};
use support::{ORIGIN, database, event, opened, opening, unit};
use tlog::Frontier;

async fn all(reader: &LedgerReader) -> Vec<StoredEvent> {
    reader.events(0, u64::MAX, None).try_collect().await.unwrap()
}

#[tokio::test]
async fn what_is_appended_is_read_back_and_hashed() {
    let database = database().await;
    let ledger = opened(&database).await;
    let mut second = event("other", "x", &[0, 255, 1]);
    second.cause = Cause::InUnit(0);
    let mut third = event("thing", "a", b"");
    third.cause = Cause::Position(0);
    let appended = ledger.append(Unit::of(vec![event("thing", "a", b"one"), second, third])).await.unwrap();
    assert_eq!((appended.first, appended.last, appended.repeated), (1, 3, false));

    let events = all(ledger.reader()).await;
    assert_eq!(events.iter().map(|e| e.position).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(events.iter().map(|e| e.cause).collect::<Vec<_>>(), [0, 1, 1, 0]);
    assert_eq!(events.iter().map(|e| e.sequence).collect::<Vec<_>>(), [1, 1, 1, 2]);
    assert_eq!(events[2].payload.as_deref(), Some([0, 255, 1].as_slice()));
    assert_eq!((events[2].stream_type.as_str(), events[2].block, events[2].version), ("other", 3, 1));
    let mut frontier = Frontier::new();
    for event in &events {
        let (salt, payload) = (event.salt.unwrap(), event.payload.as_ref().unwrap());
        assert_eq!(event.commitment, audit::leaf::commitment(&salt, payload));
        assert_eq!(event.leaf_hash, event.leaf().hash().unwrap());
        frontier.append(event.leaf_hash);
    }
    assert_eq!(appended.leaf_hashes, events[1..].iter().map(|e| e.leaf_hash).collect::<Vec<_>>());
    let head = ledger.reader().head().await.unwrap();
    assert_eq!((head.size, &head.frontier), (4, &frontier));
    assert_eq!(head.lease.unwrap().holder, "the test");
    assert_eq!(ledger.reader().get(2).await.unwrap().as_ref(), Some(&events[2]));
    assert_eq!(ledger.reader().get(4).await.unwrap(), None);
    assert_eq!(ledger.reader().stream("thing", "a", 0).await.unwrap(), [events[1].clone(), events[3].clone()]);
    assert_eq!(ledger.reader().stream("thing", "a", 2).await.unwrap(), [events[3].clone()]);
    assert_eq!(ledger.reader().by_kind("Happened", 2, 1).await.unwrap(), [events[2].clone()]);
    assert_eq!(ledger.reader().last_of_kind("Happened", 3).await.unwrap(), Some(events[2].clone()));
    let kinds: Vec<StoredEvent> =
        ledger.reader().events(0, 9, Some(&["LedgerOpened", "Nothing"])).try_collect().await.unwrap();
    assert_eq!(kinds, [events[0].clone()]);
}

#[tokio::test]
async fn large_payloads_are_read_whole() {
    const PART: usize = 128 * 1024;
    let database = database().await;
    let ledger = opened(&database).await;
    let sizes = [PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, 5 * PART + 7, 0, 3];
    let bytes = |size: usize| (0..size).map(|n| (n * n % 251) as u8).collect::<Vec<u8>>();
    let events = sizes.iter().map(|size| event("thing", "a", &bytes(*size))).collect();
    ledger.append(Unit::of(events)).await.unwrap();
    for events in [
        all(ledger.reader()).await,
        ledger.reader().events(0, 99, Some(&["Happened", "LedgerOpened"])).try_collect().await.unwrap(),
    ] {
        assert_eq!(events.len(), 1 + sizes.len());
        for (event, size) in events[1..].iter().zip(sizes) {
            assert_eq!((event.payload.as_deref(), event.check()), (Some(bytes(size).as_slice()), Ok(())), "{size}");
        }
    }
}

#[tokio::test]
async fn a_conflict_fails_its_caller_alone() {
    let database = database().await;
    let ledger = opened(&database).await;
    ledger.append(unit("a", 2).expecting("thing", "a", Expected::Exactly(0))).await.unwrap();
    let both = tokio::join!(
        ledger.append(unit("a", 1).expecting("thing", "a", Expected::Exactly(1))),
        ledger.append(unit("b", 1).expecting("thing", "a", Expected::Exactly(2))),
    );
    match both.0.unwrap_err() {
        Error::Conflict { stream_id, expected: 1, actual: 2, .. } => assert_eq!(stream_id, "a"),
        other => panic!("{other}"),
    }
    assert_eq!(both.1.unwrap().first, 3);
    // Of two that decided on the same version one wins, also when they share a batch.
    let same = || ledger.append(unit("a", 1).expecting("thing", "a", Expected::Exactly(2)));
    let results = tokio::join!(same(), same(), same());
    let won = [results.0.is_ok(), results.1.is_ok(), results.2.is_ok()].into_iter().filter(|ok| *ok).count();
    assert_eq!(won, 1);
    assert_eq!(ledger.reader().head().await.unwrap().size, 5);
    let any = unit("a", 1).expecting("thing", "a", Expected::Any);
    assert_eq!(ledger.append(any).await.unwrap().first, 5);
}

#[tokio::test]
async fn a_key_makes_an_append_repeatable() {
    let database = database().await;
    let ledger = opened(&database).await;
    let first = ledger.append(unit("a", 3).with_key("once")).await.unwrap();
    let mut later = unit("a", 3).with_key("once");
    later.events[0].block = 99;
    let again = ledger.append(later).await.unwrap();
    assert_eq!((again.first, again.last, again.recorded_at, again.repeated), (1, 3, first.recorded_at, true));
    assert_eq!(again.leaf_hashes, first.leaf_hashes);
    let other = ledger.append(unit("b", 3).with_key("once")).await.unwrap_err();
    assert!(matches!(other, Error::KeyReused { first: 1, last: 3, .. }), "{other}");
    let together = tokio::join!(ledger.append(unit("c", 1).with_key("k")), ledger.append(unit("c", 1).with_key("k")));
    let (one, two) = (together.0.unwrap(), together.1.unwrap());
    assert_eq!((one.first, one.last), (two.first, two.last));
    assert_ne!(one.repeated, two.repeated);
    assert_eq!(ledger.reader().head().await.unwrap().size, 5);
    // Without a key the same events are new events.
    ledger.append(unit("a", 3)).await.unwrap();
    assert_eq!(ledger.reader().head().await.unwrap().size, 8);
    ledger.close().await;
    let reopened = Ledger::open_writer(database.url(), ORIGIN, "another").await.unwrap();
    assert_eq!(reopened.append(unit("a", 3).with_key("once")).await.unwrap().first, 1);
}

#[tokio::test]
async fn bad_and_oversized_units_fail_alone_and_write_nothing() {
    let database = database().await;
    let ledger = opened(&database).await;
    let bad = NewEvent { kind: "nul\0".into(), ..event("thing", "a", b"x") };
    let refused = ledger.append(Unit::of(vec![event("thing", "a", b"x"), bad])).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidEvent { index: 1, .. }), "{refused}");
    let ahead = NewEvent { cause: Cause::Position(1), ..event("thing", "a", b"x") };
    let refused = ledger.append(Unit::of(vec![ahead])).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidEvent { index: 0, .. }), "{refused}");
    assert!(matches!(ledger.append(unit("a", 513)).await.unwrap_err(), Error::UnitSize { events: 513, .. }));
    let large = Unit::of(vec![event("thing", "a", &vec![0; (8 << 20) + 1])]);
    assert!(matches!(ledger.append(large).await.unwrap_err(), Error::UnitSize { .. }));
    let largest = event("thing", "a", &vec![7; (8 << 20) - 64]);
    let good = tokio::join!(ledger.append(unit("b", 512)), ledger.append(Unit::of(vec![largest])));
    assert_eq!((good.0.unwrap().first, good.1.unwrap().first), (1, 513));
    assert_eq!(ledger.reader().get(513).await.unwrap().unwrap().payload.unwrap().len(), (8 << 20) - 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_at_once_leave_no_gap_and_lose_nothing() {
    let database = database().await;
    let ledger = opened(&database).await;
    let lease = ledger.reader().head().await.unwrap().lease;
    let producers: Vec<_> = (0..32)
        .map(|producer| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut written = Vec::new();
                for n in 0..20_u64 {
                    let stream = format!("p{producer}");
                    let count = 1 + (n as usize + producer) % 3;
                    let before = written.len() as u64;
                    let unit = unit(&stream, count).expecting("thing", &stream, Expected::Exactly(before));
                    let appended = ledger.append(unit).await.unwrap();
                    assert_eq!(appended.last - appended.first + 1, count as u64, "a unit is contiguous");
                    written.extend((appended.first..=appended.last).zip(appended.leaf_hashes));
                }
                written
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for producer in producers {
        acknowledged.extend(producer.await.unwrap());
    }
    acknowledged.sort();
    let events = all(ledger.reader()).await;
    assert_eq!(events.len(), acknowledged.len() + 1);
    for (event, (position, leaf)) in events[1..].iter().zip(acknowledged) {
        assert_eq!((event.position, event.leaf_hash), (position, leaf));
    }
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
    assert_eq!(ledger.reader().head().await.unwrap().lease, lease, "no batch failed and was recovered");
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_ledger() {
    let database = database().await;
    let ledger = opened(&database).await;
    let refused = Ledger::open_writer(database.url(), ORIGIN, "the second").await.unwrap_err();
    match &refused {
        Error::LeaseHeld { holder, since, .. } => assert!(holder == "the test" && *since > 0, "{refused}"),
        other => panic!("{other}"),
    }
    ledger.append(unit("a", 1)).await.unwrap();
    ledger.close().await;
    assert!(matches!(ledger.append(unit("a", 1)).await.unwrap_err(), Error::Stopped { .. }));
    let second = Ledger::open_writer(database.url(), ORIGIN, "the second").await.unwrap();
    assert_eq!(second.append(unit("a", 1)).await.unwrap().first, 2);
    assert_eq!(second.reader().head().await.unwrap().lease.unwrap().holder, "the second");
}

#[tokio::test]
async fn ledgers_are_begun_once_and_listed() {
    let database = database().await;
    let missing = Ledger::open_writer(database.url(), ORIGIN, "x").await.unwrap_err();
    assert!(matches!(missing, Error::NoSuchLedger { .. }), "{missing}");
    assert!(matches!(LedgerReader::open(database.url(), ORIGIN).await.unwrap_err(), Error::NoSuchLedger { .. }));
    let ledger = opened(&database).await;
    ledger.close().await;
    let again = Ledger::create(database.url(), ORIGIN, "x", opening()).await.unwrap_err();
    assert!(matches!(again, Error::LedgerExists { size: 1, .. }), "{again}");
    let wrong = Ledger::create(database.url(), "other", "x", event("a", "b", b"")).await.unwrap_err();
    assert!(matches!(wrong, Error::InvalidEvent { .. }), "{wrong}");
    let other = Ledger::create(database.url(), "a/other", "y", opening()).await.unwrap();
    let list = LedgerReader::list(database.url()).await.unwrap();
    assert_eq!(list.iter().map(|l| (l.origin.as_str(), l.size)).collect::<Vec<_>>(), [("a/other", 1), (ORIGIN, 1)]);
    assert_eq!(list[0].lease.as_ref().unwrap().holder, "y");
    assert_eq!(list[1].lease, None);
    drop(other);
}

#[tokio::test]
async fn migrations_run_twice_change_nothing() {
    let database = database().await;
    assert_eq!(migrate::run(database.url()).await.unwrap(), Vec::<&str>::new());
    let changed = migrate::Migration { name: migrate::MIGRATIONS[0].name, sql: "SELECT 1" };
    let refused = migrate::run_these(database.url(), &[changed]).await.unwrap_err();
    assert!(matches!(refused, Error::MigrationChanged { .. }), "{refused}");
}

#[tokio::test]
async fn small_queues_make_callers_wait_and_lose_nothing() {
    let database = database().await;
    opened(&database).await.close().await;
    let settings = AppendSettings { max_events: 4, queue: 2, queue_bytes: 100, ..AppendSettings::default() };
    let ledger = Ledger::open_writer_with(database.url(), ORIGIN, "small", settings).await.unwrap();
    let appends = (0..40).map(|n| {
        let ledger = ledger.clone();
        async move { ledger.append(unit(&format!("s{n}"), 1 + n % 4)).await.unwrap() }
    });
    let appended = futures::future::join_all(appends).await;
    let written: u64 = appended.iter().map(|a| a.last - a.first + 1).sum();
    assert_eq!(ledger.reader().head().await.unwrap().size, 1 + written);
}

#[tokio::test]
async fn an_observer_is_told_of_every_append() {
    let database = database().await;
    let ledger = opened(&database).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = seen.clone();
    ledger.observe(Box::new(move |taken, outcome| {
        told.lock().unwrap().push((outcome.is_ok(), taken > std::time::Duration::ZERO));
    }));
    // The first one stands.
    ledger.observe(Box::new(|_, _| panic!("a second observer is not told")));
    ledger.append(unit("a", 2)).await.unwrap();
    let conflict = unit("a", 1).expecting("thing", "a", Expected::Exactly(7));
    ledger.clone().append(conflict).await.unwrap_err();
    assert_eq!(*seen.lock().unwrap(), [(true, true), (false, true)]);
}
