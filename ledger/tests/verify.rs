//! Verification: a sound log, a log with one thing changed, and a log that was rewritten with everything that hangs on it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use audit::keys::Ed25519NoteSigner;
use cluster::TestDatabase;
use futures::TryStreamExt;
use ledger::checkpoint::{CheckpointDirectory, CheckpointPublisher, Contradiction};
use ledger::verify::Outcome;
use ledger::{Error, Ledger, StoredEvent, ledger_id};
use sqlx::{Executor, PgConnection};
use support::{ORIGIN, database, opened, superuser, unit};
use tlog::Frontier;

fn signer() -> Ed25519NoteSigner {
    Ed25519NoteSigner::new(ORIGIN, &[7; 32]).unwrap()
}

async fn filled() -> (TestDatabase, Ledger) {
    let database = database().await;
    let ledger = opened(&database).await;
    for n in 0..10 {
        ledger.append(unit(&format!("s{}", n % 3), 1 + n % 4)).await.unwrap();
    }
    (database, ledger)
}

/// A superuser who switches the triggers off.
async fn tamperer(database: &TestDatabase) -> PgConnection {
    let mut connection = superuser(database).await;
    connection.execute("SET session_replication_role = replica").await.unwrap();
    connection
}

fn publisher(ledger: &Ledger, directory: &tempfile::TempDir) -> (CheckpointPublisher, CheckpointDirectory) {
    let directory = CheckpointDirectory::new(directory.path());
    (CheckpointPublisher::new(ledger.clone(), directory.clone(), signer().key().clone()), directory)
}

/// The table of streams is read after the head, and the writer does not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grows_meanwhile_is_no_worse_for_it() {
    let (database, ledger) = filled().await;
    let reader = ledger.reader();
    let before = reader.head().await.unwrap().size;
    let writing = tokio::spawn({
        let ledger = ledger.clone();
        async move {
            for n in 0..400 {
                ledger.append(unit(&format!("s{}", n % 5), 2)).await.unwrap();
            }
        }
    });
    let mut verified = 0;
    while !writing.is_finished() {
        let verification = reader.verify(None).await.unwrap();
        assert_eq!(verification.outcome, Outcome::NothingOutside, "{verification}");
        verified += 1;
    }
    writing.await.unwrap();
    assert!(verified > 1 && reader.head().await.unwrap().size == before + 800);
    // The same row without events that would account for it is a fault as before.
    let change =
        "UPDATE ledger.streams SET version = version + 1, last_position = last_position + 1000 WHERE stream_id = 's1'";
    tamperer(&database).await.execute(change).await.unwrap();
    let verification = reader.verify(None).await.unwrap();
    assert_eq!(verification.outcome, Outcome::Bad { first: None }, "{verification}");
    assert!(verification.to_string().contains("/s1 is recorded at version "), "{verification}");
}

#[tokio::test]
async fn a_sound_log_is_sound_only_with_something_outside() {
    let (_database, ledger) = filled().await;
    let alone = ledger.reader().verify(None).await.unwrap();
    assert_eq!(alone.outcome, Outcome::NothingOutside);
    assert!(alone.to_string().contains("nothing outside vouches"), "{alone}");
    let place = tempfile::tempdir().unwrap();
    let (mut publisher, directory) = publisher(&ledger, &place);
    assert_eq!(directory.read(ORIGIN).unwrap(), None);
    let published = publisher.publish(&[&signer()], 5).await.unwrap().unwrap();
    let outside = directory.read(ORIGIN).unwrap().unwrap();
    assert_eq!((&outside.checkpoint, &outside.note), (&published.checkpoint, &published.note));
    assert_eq!(published.checkpoint.size, alone.size);
    assert_eq!(published.appended.first, alone.size);
    assert_eq!(publisher.publish(&[&signer()], 5).await.unwrap(), None, "nothing new but its own event");
    ledger.append(unit("s1", 2)).await.unwrap();
    let verification = ledger.reader().verify(Some(&outside)).await.unwrap();
    assert_eq!(verification.outcome, Outcome::Sound { covered: alone.size }, "{verification}");
    assert_eq!(verification.size, alone.size + 3);
    let next = publisher.publish(&[&signer()], 6).await.unwrap().unwrap();
    assert_eq!(next.checkpoint.size, alone.size + 3);
    // A publisher that starts anew grows the tree from the stored leaves and agrees.
    ledger.append(unit("s2", 1)).await.unwrap();
    let mut again = CheckpointPublisher::new(ledger.clone(), directory.clone(), signer().key().clone());
    assert!(again.publish(&[&signer()], 7).await.unwrap().is_some());
    let newest = directory.read(ORIGIN).unwrap().unwrap();
    let verification = ledger.reader().verify(Some(&newest)).await.unwrap();
    assert_eq!(verification.outcome, Outcome::Sound { covered: newest.checkpoint.size });
}

/// A publisher that ended between the file and its event is gone on from, also when nothing else was appended since.
#[tokio::test]
async fn a_checkpoint_outside_without_its_event_is_recorded() {
    let (database, ledger) = filled().await;
    let place = tempfile::tempdir().unwrap();
    let (mut ended, directory) = publisher(&ledger, &place);
    let size = ledger.size();
    ledger.close().await;
    assert!(ended.publish(&[&signer()], 5).await.is_err(), "its event has no writer");
    assert_eq!(directory.read(ORIGIN).unwrap().unwrap().checkpoint.size, size);
    let ledger = Ledger::open_writer(database.url(), ORIGIN, "the test").await.unwrap();
    let (mut publisher, _) = publisher(&ledger, &place);
    let published = publisher.publish(&[&signer()], 5).await.unwrap().unwrap();
    assert_eq!((published.checkpoint.size, published.appended.first), (size, size));
    assert_eq!(publisher.publish(&[&signer()], 5).await.unwrap(), None);
    let outside = directory.read(ORIGIN).unwrap().unwrap();
    let verification = ledger.reader().verify(Some(&outside)).await.unwrap();
    assert_eq!(verification.outcome, Outcome::Sound { covered: size }, "{verification}");
}

#[tokio::test]
async fn one_change_is_found_at_its_position() {
    for (change, first, problem) in [
        (
            "UPDATE ledger.events SET payload = set_byte(payload, 3, get_byte(payload, 3) # 1) WHERE position = 7",
            Some(7),
            "commitment",
        ),
        (
            "UPDATE ledger.events SET salt = set_byte(salt, 31, get_byte(salt, 31) # 128) WHERE position = 2",
            Some(2),
            "commitment",
        ),
        ("UPDATE ledger.events SET kind = 'Happenee' WHERE position = 4", Some(4), "leaf hash"),
        ("UPDATE ledger.events SET block = 4 WHERE position = 9", Some(9), "leaf hash"),
        ("UPDATE ledger.events SET cause = 1 WHERE position = 5", Some(5), "leaf hash"),
        ("UPDATE ledger.events SET version = 2 WHERE position = 5", Some(5), "leaf hash"),
        ("UPDATE ledger.events SET recorded_at = 1 WHERE position = 6", Some(6), "before the event before it"),
        ("UPDATE ledger.events SET stream_id = 's9' WHERE position = 3", Some(3), "leaf hash"),
        ("UPDATE ledger.events SET sequence = 99 WHERE position = 8", Some(8), "leaf hash"),
        (
            "UPDATE ledger.events SET leaf_hash = decode(repeat('00', 32), 'hex') WHERE position = 1",
            Some(1),
            "leaf hash",
        ),
        ("DELETE FROM ledger.events WHERE position = 10", Some(10), "missing"),
        ("DELETE FROM ledger.events WHERE position = (SELECT max(position) FROM ledger.events)", Some(23), "missing"),
        ("UPDATE ledger.ledgers SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)", None, "frontier"),
        ("UPDATE ledger.ledgers SET recorded_at = recorded_at + 1", None, "head was recorded"),
        ("UPDATE ledger.streams SET version = version + 1 WHERE stream_id = 's1'", None, "stream thing/s1"),
        ("UPDATE ledger.streams SET first_position = 0 WHERE stream_id = 's2'", None, "stream thing/s2"),
        ("DELETE FROM ledger.streams WHERE stream_id = 's0'", None, "stream thing/s0 is not in the table"),
    ] {
        let (database, ledger) = filled().await;
        let reader = ledger.reader().clone();
        assert_eq!(reader.verify(None).await.unwrap().outcome, Outcome::NothingOutside);
        assert_eq!(reader.head().await.unwrap().size, 24);
        let changed = tamperer(&database).await.execute(change).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{change}");
        let verification = reader.verify(None).await.unwrap();
        assert_eq!(verification.outcome, Outcome::Bad { first }, "{change}: {verification}");
        assert!(verification.to_string().contains(problem), "{change}: {verification}");
    }
}

/// Changes one payload and everything inside the database that hangs on it.
async fn rewrite(database: &TestDatabase, events: &[StoredEvent], position: u64) {
    let mut connection = tamperer(database).await;
    let mut frontier = Frontier::new();
    for event in events {
        let mut event = event.clone();
        if event.position == position {
            let payload = event.payload.as_mut().unwrap();
            payload[0] ^= 1;
            event.commitment = audit::leaf::commitment(&event.salt.unwrap(), payload);
            event.leaf_hash = event.leaf().hash().unwrap();
            sqlx::query("UPDATE ledger.events SET payload = $2, commitment = $3, leaf_hash = $4 WHERE position = $1")
                .bind(position as i64)
                .bind(&event.payload)
                .bind(event.commitment)
                .bind(event.leaf_hash.0)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        frontier.append(event.leaf_hash);
    }
    sqlx::query("UPDATE ledger.ledgers SET frontier = $2 WHERE ledger_id = $1")
        .bind(ledger_id(ORIGIN))
        .bind(frontier.to_bytes())
        .execute(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_consistent_rewriting_contradicts_what_stands_outside() {
    let (database, ledger) = filled().await;
    let place = tempfile::tempdir().unwrap();
    let (mut publisher, directory) = publisher(&ledger, &place);
    let size = publisher.publish(&[&signer()], 0).await.unwrap().unwrap().checkpoint.size;
    // Without the event that holds the old root, the inside of the rewritten log is consistent.
    let events: Vec<StoredEvent> = ledger.reader().events(0, size, None).try_collect().await.unwrap();
    let mut connection = tamperer(&database).await;
    connection.execute(format!("DELETE FROM ledger.events WHERE position >= {size}").as_str()).await.unwrap();
    connection.execute("DELETE FROM ledger.streams WHERE stream_type = 'checkpoint'").await.unwrap();
    let recorded_at = events.last().unwrap().recorded_at;
    let head = Frontier::from_bytes(0, &[]).map(|_| frontier_of(&events)).unwrap();
    sqlx::query("UPDATE ledger.ledgers SET size = $1, recorded_at = $2, frontier = $3")
        .bind(size as i64)
        .bind(recorded_at as i64)
        .bind(head.to_bytes())
        .execute(&mut connection)
        .await
        .unwrap();
    let outside = directory.read(ORIGIN).unwrap().unwrap();
    let reader = ledger.reader();
    assert_eq!(reader.verify(Some(&outside)).await.unwrap().outcome, Outcome::Sound { covered: size });
    rewrite(&database, &events, 3).await;
    let alone = reader.verify(None).await.unwrap();
    assert_eq!(alone.outcome, Outcome::NothingOutside, "{alone}");
    let verification = reader.verify(Some(&outside)).await.unwrap();
    assert_eq!(verification.outcome, Outcome::Bad { first: None });
    let expected = format!("the log contradicts the outside checkpoint of size {size}");
    assert!(verification.to_string().contains(&expected), "{verification}");
    // And nothing is signed on top of it.
    let mut again = CheckpointPublisher::new(ledger.clone(), directory, signer().key().clone());
    match again.publish(&[&signer()], 0).await.unwrap_err() {
        Error::Contradiction(contradiction) => {
            assert_eq!(contradiction, Contradiction::Different { outside: size });
            assert_eq!(contradiction.to_string(), expected);
        }
        other => panic!("{other}"),
    }
}

fn frontier_of(events: &[StoredEvent]) -> Frontier {
    let mut frontier = Frontier::new();
    events.iter().for_each(|event| frontier.append(event.leaf_hash));
    frontier
}

#[tokio::test]
async fn the_outside_is_named_however_many_checkpoints_inside_are_contradicted() {
    let (database, ledger) = filled().await;
    let place = tempfile::tempdir().unwrap();
    let (mut publisher, directory) = publisher(&ledger, &place);
    for _ in 0..20 {
        ledger.append(unit("s1", 1)).await.unwrap();
        publisher.publish(&[&signer()], 0).await.unwrap().expect("the log grew");
    }
    let outside = directory.read(ORIGIN).unwrap().unwrap();
    let size = ledger.reader().head().await.unwrap().size;
    let events: Vec<StoredEvent> = ledger.reader().events(0, size, None).try_collect().await.unwrap();
    rewrite(&database, &events, 3).await;
    let verification = ledger.reader().verify(Some(&outside)).await.unwrap();
    let expected = format!("the log contradicts the outside checkpoint of size {}", outside.checkpoint.size);
    assert!(verification.to_string().ends_with(&expected), "{verification}");
    assert_eq!(verification.findings.len(), 16);
}

#[tokio::test]
async fn a_log_cut_short_contradicts_what_stands_outside() {
    let (database, ledger) = filled().await;
    let place = tempfile::tempdir().unwrap();
    let (mut publisher, directory) = publisher(&ledger, &place);
    publisher.publish(&[&signer()], 0).await.unwrap().unwrap();
    let events: Vec<StoredEvent> = ledger.reader().events(0, 2, None).try_collect().await.unwrap();
    let mut connection = tamperer(&database).await;
    connection.execute("DELETE FROM ledger.events WHERE position >= 2").await.unwrap();
    connection
        .execute("DELETE FROM ledger.streams WHERE stream_type = 'checkpoint' OR stream_id IN ('s1', 's2')")
        .await
        .unwrap();
    connection
        .execute("UPDATE ledger.streams SET version = 1, last_position = 1 WHERE stream_id = 's0'")
        .await
        .unwrap();
    sqlx::query("UPDATE ledger.ledgers SET size = 2, recorded_at = $1, frontier = $2")
        .bind(events[1].recorded_at as i64)
        .bind(frontier_of(&events).to_bytes())
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(ledger.reader().verify(None).await.unwrap().outcome, Outcome::NothingOutside);
    let outside = directory.read(ORIGIN).unwrap().unwrap();
    let verification = ledger.reader().verify(Some(&outside)).await.unwrap();
    let expected = "the log has 2 events and the checkpoint outside vouches for 24: events are missing, 22 at least";
    assert!(verification.to_string().ends_with(expected), "{verification}");
    assert_eq!(verification.outcome, Outcome::Bad { first: None });
    // Neither a check nor a publication writes anything.
    let mut again = CheckpointPublisher::new(ledger.clone(), directory.clone(), signer().key().clone());
    for _ in 0..2 {
        for refused in [again.check().await.map(drop), again.publish(&[&signer()], 0).await.map(drop)] {
            let refused = refused.unwrap_err();
            assert!(refused.to_string().starts_with(expected), "{refused}");
            assert!(refused.to_string().contains("--ledger-number"), "{refused}");
        }
        assert_eq!(ledger.reader().head().await.unwrap().size, 2);
        assert_eq!(directory.read(ORIGIN).unwrap(), Some(outside.clone()));
    }
}

#[tokio::test]
async fn a_spoiled_checkpoint_file_is_refused() {
    let (_database, ledger) = filled().await;
    let place = tempfile::tempdir().unwrap();
    let (mut publisher, directory) = publisher(&ledger, &place);
    publisher.publish(&[&signer()], 0).await.unwrap().unwrap();
    let file = directory.checkpoint_file(ORIGIN);
    let note = std::fs::read_to_string(&file).unwrap();
    ledger.append(unit("s1", 1)).await.unwrap();
    std::fs::write(&file, note.replacen("\n24\n", "\n23\n", 1)).unwrap();
    assert!(matches!(directory.read(ORIGIN).unwrap_err(), Error::Checkpoint { .. }));
    assert!(matches!(publisher.publish(&[&signer()], 0).await.unwrap_err(), Error::Checkpoint { .. }));
    std::fs::write(&file, &note).unwrap();
    let stranger = Ed25519NoteSigner::new(ORIGIN, &[8; 32]).unwrap();
    let mut other = CheckpointPublisher::new(ledger.clone(), directory.clone(), stranger.key().clone());
    assert!(matches!(other.publish(&[&stranger], 0).await.unwrap_err(), Error::Checkpoint { .. }));
    assert!(publisher.publish(&[&signer()], 0).await.unwrap().is_some());
}
