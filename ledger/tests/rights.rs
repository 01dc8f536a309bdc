//! What each part of a connection may do, and that events stay what they are.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use ledger::{Cause, Error, Unit};
use sqlx::{Connection, Executor, PgConnection};
use support::{database, event, opened, superuser, unit};

async fn refused_with(connection: &mut PgConnection, statement: &str, code: &str) {
    let error = connection.execute(statement).await.expect_err(statement);
    let found = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    assert_eq!(found, code, "{statement}: {error}");
}

#[tokio::test]
async fn nobody_changes_or_removes_an_event() {
    let database = database().await;
    let ledger = opened(&database).await;
    ledger.append(unit("a", 3)).await.unwrap();
    let mut connection = superuser(&database).await;
    let partition: String = sqlx::query_scalar("SELECT tableoid::regclass::text FROM ledger.events LIMIT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    for statement in [
        "UPDATE ledger.events SET kind = 'Other' WHERE position = 1",
        "UPDATE ledger.events SET salt = NULL, payload = NULL WHERE position = 1",
        "DELETE FROM ledger.events WHERE position = 3",
        "TRUNCATE ledger.events",
        &format!("TRUNCATE {partition}"),
        &format!("UPDATE {partition} SET block = 0"),
        &format!("DELETE FROM {partition}"),
    ] {
        refused_with(&mut connection, statement, "AL002").await;
    }
    assert!(ledger.reader().verify(None).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn each_part_has_its_rights_only() {
    const DENIED: &str = "42501";
    let database = database().await;
    let ledger = opened(&database).await;
    ledger.append(unit("a", 1)).await.unwrap();
    let insert = "INSERT INTO ledger.events SELECT * FROM ledger.events";
    for (part, statements) in [
        (
            "assay_writer",
            vec![
                insert,
                "UPDATE ledger.ledgers SET size = 0",
                "DELETE FROM ledger.streams",
                "DELETE FROM ledger.events",
                "UPDATE ledger.events SET payload = NULL",
                "CREATE TABLE ledger.more (x int)",
            ],
        ),
        (
            "assay_reader",
            vec![
                insert,
                "UPDATE ledger.ledgers SET size = 0",
                "SELECT ledger.release_lease(0, 0)",
                "INSERT INTO ledger.subscribers VALUES (0, 'x', 0)",
                "UPDATE ledger.events SET salt = NULL",
            ],
        ),
        (
            "assay_eraser",
            vec![
                insert,
                "UPDATE ledger.events SET kind = 'x'",
                "DELETE FROM ledger.events",
                "SELECT ledger.ensure_segment(0, 0)",
            ],
        ),
    ] {
        let mut connection = superuser(&database).await;
        connection.execute(format!("SET ROLE {part}").as_str()).await.unwrap();
        connection.execute("SELECT count(*) FROM ledger.events").await.unwrap();
        for statement in statements {
            refused_with(&mut connection, statement, DENIED).await;
        }
    }
    let mut eraser = superuser(&database).await;
    eraser.execute("SET ROLE assay_eraser").await.unwrap();
    refused_with(&mut eraser, "UPDATE ledger.events SET salt = NULL, payload = NULL WHERE position = 1", "AL002").await;
}

#[tokio::test]
async fn an_erased_payload_is_gone_and_every_proof_still_holds() {
    let database = database().await;
    let ledger = opened(&database).await;
    ledger.append(unit("a", 3)).await.unwrap();
    let before = ledger.reader().get(2).await.unwrap().unwrap();
    let appended = ledger.erase(2, "a person asked for it").await.unwrap();
    let after = ledger.reader().get(2).await.unwrap().unwrap();
    assert_eq!((&after.salt, &after.payload), (&None, &None));
    assert_eq!(
        (after.leaf_hash, after.commitment, after.payload_length),
        (before.leaf_hash, before.commitment, before.payload_length)
    );
    assert_eq!(after.leaf().hash().unwrap(), before.leaf_hash);
    let erasure = ledger.reader().get(appended.first).await.unwrap().unwrap();
    assert_eq!((erasure.kind.as_str(), erasure.cause), ("PayloadErased", 2));
    let again = ledger.erase(2, "once more").await.unwrap();
    assert_eq!((again.first, again.repeated, ledger.size()), (appended.first, true, appended.first + 1));
    let verification = ledger.reader().verify(None).await.unwrap();
    assert_eq!((verification.erased, verification.findings.len()), (1, 0), "{verification}");
    for (position, expected) in [(0, "LedgerOpened"), (appended.first, "PayloadErased"), (99, "no event")] {
        match ledger.erase(position, "no").await.unwrap_err() {
            Error::InvalidEvent { reason, .. } => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_payload_gone_without_its_event_is_found() {
    let database = database().await;
    let ledger = opened(&database).await;
    ledger.append(unit("a", 3)).await.unwrap();
    ledger
        .append(Unit::of(vec![ledger::NewEvent { cause: Cause::Position(1), ..event("x", "y", b"z") }]))
        .await
        .unwrap();
    let mut connection = superuser(&database).await;
    connection.execute("SET session_replication_role = replica").await.unwrap();
    connection.execute("UPDATE ledger.events SET salt = NULL, payload = NULL WHERE position = 1").await.unwrap();
    connection.close().await.unwrap();
    let verification = ledger.reader().verify(None).await.unwrap();
    assert_eq!(verification.outcome, ledger::verify::Outcome::Bad { first: Some(1) }, "{verification}");
}
