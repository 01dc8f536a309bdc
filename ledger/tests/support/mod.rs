//! What the ledger's tests share: a migrated database each, and events to write.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

use cluster::TestDatabase;
use ledger::{Cause, Ledger, NewEvent, Unit, migrate};
use sqlx::{Connection, PgConnection};

pub const ORIGIN: &str = "assay/0123456789abcdef/7/5Test";

/// A database of its own with the ledger's schema.
pub async fn database() -> TestDatabase {
    let template = format!("ledger_{}", migrate::fingerprint(migrate::MIGRATIONS));
    cluster::test_database(&template, |url| async move { migrate::run(&url).await.map(drop) }).await.unwrap()
}

/// A ledger with its opening event.
pub async fn opened(database: &TestDatabase) -> Ledger {
    Ledger::create(database.url(), ORIGIN, "the test", opening()).await.unwrap()
}

pub fn opening() -> NewEvent {
    NewEvent { kind: "LedgerOpened".into(), ..event("ledger", ORIGIN, b"opening") }
}

pub fn event(stream_type: &str, stream_id: &str, payload: &[u8]) -> NewEvent {
    NewEvent {
        stream_type: stream_type.into(),
        stream_id: stream_id.into(),
        kind: "Happened".into(),
        version: 1,
        payload: payload.to_vec(),
        block: 3,
        cause: Cause::Own,
    }
}

/// `count` events of one stream.
pub fn unit(stream_id: &str, count: usize) -> Unit {
    Unit::of((0..count).map(|n| event("thing", stream_id, format!("payload {n} of {stream_id}").as_bytes())).collect())
}

/// A superuser's session.
pub async fn superuser(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(database.url()).await.unwrap()
}
