//! What `cqrs_es::EventStore` promises, asked of our store and of postgres-es with the same code.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/counter.rs"]
mod counter;
mod support;

use std::collections::HashMap;

use counter::{Count, Counted, Counter};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateContext, AggregateError, CqrsFramework, EventStore};
use ledger::LedgerStore;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;

type Peer = PersistedEventStore<PostgresEventRepository, Counter>;

/// postgres-es' table, as its own `init.sql` has it.
const PEER_TABLE: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

async fn ours() -> (cluster::TestDatabase, LedgerStore<Counter>) {
    let database = support::database().await;
    let ledger = support::opened(&database).await;
    (database, LedgerStore::new(ledger))
}

async fn peer() -> (cluster::TestDatabase, Peer) {
    let database = support::database().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    sqlx::query(PEER_TABLE).execute(&pool).await.unwrap();
    (database, PersistedEventStore::new_event_store(PostgresEventRepository::new(pool)))
}

fn added(amount: i64) -> Counted {
    Counted::Added { amount, note: "söme \"text\"\u{1F40D}".to_owned() }
}

async fn append_and_load<S: EventStore<Counter>>(store: S) {
    let mut context = store.load_aggregate("a").await.unwrap();
    assert_eq!(*context.aggregate(), Counter::default());
    assert_eq!(store.load_events("a").await.unwrap().len(), 0);
    let committed = store.commit(vec![added(2), added(3)], context, HashMap::new()).await.unwrap();
    assert_eq!(
        committed.iter().map(|e| (e.sequence, e.payload.clone())).collect::<Vec<_>>(),
        [(1, added(2)), (2, added(3))]
    );
    let context = store.load_aggregate("a").await.unwrap();
    let committed = store.commit(vec![Counted::Reset], context, HashMap::new()).await.unwrap();
    assert_eq!(committed[0].sequence, 3);
    assert_eq!(committed[0].aggregate_id, "a");
    let loaded = store.load_events("a").await.unwrap();
    assert_eq!(loaded.iter().map(|e| e.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(loaded.into_iter().map(|e| e.payload).collect::<Vec<_>>(), [added(2), added(3), Counted::Reset]);
    assert_eq!(store.load_events("b").await.unwrap().len(), 0);
    let context = store.load_aggregate("a").await.unwrap();
    assert_eq!(store.commit(vec![], context, HashMap::new()).await.unwrap().len(), 0);
}

async fn one_of_two_decisions_on_the_same_version_wins<S: EventStore<Counter>>(store: S) {
    let (one, two) = (store.load_aggregate("a").await.unwrap(), store.load_aggregate("a").await.unwrap());
    store.commit(vec![added(1)], one, HashMap::new()).await.unwrap();
    let refused = store.commit(vec![added(2), added(3)], two, HashMap::new()).await.unwrap_err();
    assert!(matches!(refused, AggregateError::AggregateConflict), "{refused:?}");
    assert_eq!(store.load_events("a").await.unwrap().len(), 1);
    let context = store.load_aggregate("a").await.unwrap();
    store.commit(vec![added(4)], context, HashMap::new()).await.unwrap();
    assert_eq!(store.load_events("a").await.unwrap().len(), 2);
}

async fn commands_see_what_was_committed<S: EventStore<Counter>>(store: S, shared: impl EventStore<Counter>) {
    let framework = CqrsFramework::new(store, vec![], ());
    framework.execute("a", Count::Add(vec![5, 6])).await.unwrap();
    let refused = framework.execute("a", Count::Add(vec![7, 0])).await.unwrap_err();
    assert!(matches!(refused, AggregateError::UserError(_)), "{refused:?}");
    framework.execute("a", Count::Nothing).await.unwrap();
    framework.execute("a", Count::Add(vec![-1])).await.unwrap();
    let payloads: Vec<Counted> = shared.load_events("a").await.unwrap().into_iter().map(|e| e.payload).collect();
    let note = |amount, note: &str| Counted::Added { amount, note: note.to_owned() };
    assert_eq!(
        payloads,
        [note(5, "5 to 0"), note(6, "6 to 5"), note(-1, "-1 to 11")],
        "a refused command leaves no trace"
    );
    framework.execute("a", Count::Reset).await.unwrap();
    framework.execute("a", Count::Add(vec![9])).await.unwrap();
    let last = shared.load_events("a").await.unwrap().pop().unwrap();
    assert_eq!((last.sequence, last.payload), (5, note(9, "9 to 0")));
}

async fn concurrent_streams_do_not_disturb_each_other<S: EventStore<Counter>>(store: S) {
    let framework = CqrsFramework::new(store, vec![], ());
    let framework = &framework;
    let producers = (0..8).map(|producer| async move {
        // Two producers share each stream, so some commands meet a conflict and are given again.
        let id = format!("s{}", producer / 2);
        for amount in 1..=20 {
            while let Err(error) = framework.execute(&id, Count::Add(vec![amount, -amount])).await {
                assert!(matches!(error, AggregateError::AggregateConflict), "{error:?}");
            }
        }
    });
    futures::future::join_all(producers).await;
}

macro_rules! contract {
    ($store:ident) => {
        mod $store {
            use super::*;

            #[tokio::test]
            async fn appends_and_loads() {
                let (_database, store) = super::$store().await;
                append_and_load(store).await;
            }

            #[tokio::test]
            async fn conflicts() {
                let (_database, store) = super::$store().await;
                one_of_two_decisions_on_the_same_version_wins(store).await;
            }
        }
    };
}

contract!(ours);
contract!(peer);

#[tokio::test]
async fn ours_commands_see_what_was_committed() {
    let (_database, store) = ours().await;
    commands_see_what_was_committed(store.clone(), store).await;
}

#[tokio::test]
async fn peer_commands_see_what_was_committed() {
    let (database, store) = peer().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    let second: Peer = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
    commands_see_what_was_committed(store, second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_concurrent_streams() {
    let (_database, store) = ours().await;
    concurrent_streams_do_not_disturb_each_other(store.clone()).await;
    check_streams(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_concurrent_streams() {
    let (database, store) = peer().await;
    concurrent_streams_do_not_disturb_each_other(store).await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    let second: Peer = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
    check_streams(&second).await;
}

async fn check_streams(store: &impl EventStore<Counter>) {
    for stream in 0..4 {
        let events = store.load_events(&format!("s{stream}")).await.unwrap();
        assert_eq!(events.iter().map(|e| e.sequence).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
        let total: i64 =
            events.iter().map(|e| if let Counted::Added { amount, .. } = e.payload { amount } else { 0 }).sum();
        assert_eq!(total, 0);
    }
}

#[tokio::test]
async fn the_framework_s_caller_learns_the_positions() {
    let (_database, store) = ours().await;
    let framework = CqrsFramework::new(store.clone(), vec![], ());
    let metadata = HashMap::from([("block".to_owned(), "77".to_owned()), ("cause".to_owned(), "0".to_owned())]);
    framework.execute_with_metadata("a", Count::Add(vec![1, 2]), metadata).await.unwrap();
    let appended = store.last_commit("a").unwrap();
    assert_eq!((appended.first, appended.last), (1, 2));
    assert_eq!(store.last_commit("a"), None, "taken once");
    let events = store.load_events("a").await.unwrap();
    assert_eq!(events[1].metadata["position"], "2");
    let unknown = HashMap::from([("user".to_owned(), "me".to_owned())]);
    let refused = framework.execute_with_metadata("a", Count::Reset, unknown).await.unwrap_err();
    assert!(refused.to_string().contains("user=me"), "{refused}");
}

/// A command on a long stream costs what it costs on a short one: the stream is not read again.
#[tokio::test]
async fn a_command_does_not_read_its_stream_again() {
    let (database, store) = ours().await;
    let framework = CqrsFramework::new(store.clone(), vec![], ());
    for _ in 0..20 {
        framework.execute("long", Count::Add(vec![1; 500])).await.unwrap();
    }
    let mut superuser = support::superuser(&database).await;
    let reads = "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_user_tables
                  WHERE relname LIKE 'events_%'";
    let before: i64 = read_counter(&mut superuser, reads).await;
    for _ in 0..20 {
        framework.execute("long", Count::Add(vec![1])).await.unwrap();
    }
    let after: i64 = read_counter(&mut superuser, reads).await;
    assert!(after - before < 500, "{} rows were read for 20 commands", after - before);
    assert_eq!(store.load_aggregate("long").await.unwrap().aggregate().total, 10_020);
}

/// Statistics of other sessions arrive within a second of their last statement.
async fn read_counter(connection: &mut sqlx::PgConnection, statement: &str) -> i64 {
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *connection).await.unwrap();
    sqlx::query_scalar(statement).fetch_one(connection).await.unwrap()
}
