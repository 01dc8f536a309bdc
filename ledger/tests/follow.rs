//! Following: every event once and in order, beside the writer and far from it; stored positions; a segment's end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use ledger::{Expected, Ledger, LedgerReader, SEGMENT, StoredEvent, Subscription, ledger_id};
use sqlx::{Connection, Executor};
use support::{ORIGIN, database, opened, superuser, unit};

async fn follow(mut subscription: Subscription, until: u64) -> Vec<u64> {
    let mut positions = Vec::new();
    while subscription.position() < until {
        positions.extend(subscription.next_batch(7).await.unwrap().into_iter().map(|event| event.position));
    }
    positions
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_see_every_event_once_and_in_order() {
    let database = database().await;
    let ledger = opened(&database).await;
    let far = LedgerReader::open(database.url(), ORIGIN).await.unwrap();
    let near = tokio::spawn(follow(ledger.reader().subscribe(0), 301));
    let far_from_middle = tokio::spawn(follow(far.subscribe(5), 301));
    for n in 0..100 {
        ledger.append(unit(&format!("s{}", n % 5), 3)).await.unwrap();
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(near.await.unwrap(), (0..301).collect::<Vec<_>>());
    assert_eq!(far_from_middle.await.unwrap(), (5..301).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_in_another_process_is_woken_before_it_would_poll() {
    let database = database().await;
    let ledger = opened(&database).await;
    let far = LedgerReader::open(database.url(), ORIGIN).await.unwrap();
    let mut subscription = far.subscribe(1);
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let waiting = async {
            let batch = subscription.next_batch(10).await.unwrap();
            (batch.len(), Instant::now())
        };
        let writing = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            ledger.append(unit("a", 1)).await.unwrap();
            Instant::now()
        };
        let ((count, seen), written) = tokio::join!(waiting, writing);
        assert_eq!(count, 1);
        fastest = fastest.min(seen.saturating_duration_since(written));
    }
    // A poll alone would take up to 500 ms; asking after each append makes five late ones in a row all but impossible.
    assert!(fastest < Duration::from_millis(150), "woken after {fastest:?} at best");
    assert_eq!(subscription.try_next_batch(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_subscriber_s_position_is_stored_with_its_work() {
    let database = database().await;
    let ledger = opened(&database).await;
    let reader = ledger.reader();
    assert_eq!(reader.stored_position("board").await.unwrap(), 0);
    let mut session = superuser(&database).await;
    session.execute("CREATE TABLE done (n int)").await.unwrap();
    let mut transaction = session.begin().await.unwrap();
    transaction.execute("INSERT INTO done VALUES (1)").await.unwrap();
    reader.store_position(&mut transaction, "board", 7).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(reader.stored_position("board").await.unwrap(), 0);
    reader.store_position(&mut session, "board", 7).await.unwrap();
    reader.store_position(&mut session, "board", 9).await.unwrap();
    assert_eq!(reader.stored_position("board").await.unwrap(), 9);
    assert_eq!(reader.stored_position("other").await.unwrap(), 0);
}

#[tokio::test]
async fn a_batch_across_the_end_of_a_segment_lies_in_both() {
    let database = database().await;
    opened(&database).await.close().await;
    // A head just before the end of the first segment, as if a million events were there.
    let size = SEGMENT - 3;
    let mut frontier = tlog::Frontier::new();
    (0..size).for_each(|leaf| frontier.append(tlog::leaf_hash(&leaf.to_be_bytes())));
    let mut session = superuser(&database).await;
    sqlx::query("UPDATE ledger.ledgers SET size = $2, frontier = $3 WHERE ledger_id = $1")
        .bind(ledger_id(ORIGIN))
        .bind(size as i64)
        .bind(frontier.to_bytes())
        .execute(&mut session)
        .await
        .unwrap();
    let ledger = Ledger::open_writer(database.url(), ORIGIN, "the test").await.unwrap();
    let appended = ledger.append(unit("a", 6).expecting("thing", "a", Expected::Exactly(0))).await.unwrap();
    assert_eq!((appended.first, appended.last), (size, size + 5));
    let events: Vec<StoredEvent> = ledger.reader().events(size, u64::MAX, None).try_collect().await.unwrap();
    assert_eq!(events.iter().map(|event| event.leaf_hash).collect::<Vec<_>>(), appended.leaf_hashes);
    assert_eq!(ledger.reader().stream("thing", "a", 1).await.unwrap().len(), 6);
    let segments: i64 = sqlx::query_scalar("SELECT count(DISTINCT tableoid) FROM ledger.events WHERE position >= $1")
        .bind(size as i64)
        .fetch_one(&mut session)
        .await
        .unwrap();
    assert_eq!(segments, 2);
    let refused = session.execute("DELETE FROM ledger.events WHERE position > 1048576").await.unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
}
