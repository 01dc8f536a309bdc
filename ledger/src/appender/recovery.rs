//! After a failure: take the lease again, then ask the log what became of the batch.
//!
//! Taking the lease writes down a new generation in the head's row. That waits for a commit still under way and makes
//! every later one of the old generation fail, so what the head says afterwards is final.

use std::time::Duration;

use sqlx::PgConnection;
use tlog::Hash;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::lease::{self, Identity, Session, WriterHead, signed};

/// Between two attempts to reach the database.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Takes the lease, again and again until `deadline`. A ledger held by somebody else ends it at once.
pub(crate) async fn reconnect(
    identity: &Identity,
    previous: Option<i64>,
    deadline: Instant,
    published: &watch::Receiver<u64>,
) -> Result<(Session, WriterHead)> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match lease::take(identity, previous, published.clone()).await {
            Ok(taken) => return Ok(taken),
            Err(error) => error,
        };
        let held_by_another = match &error {
            Error::LeaseHeld { generation, .. } => previous.is_some_and(|ours| signed(*generation) != ours),
            Error::NoSuchLedger { .. } | Error::Damaged { .. } => true,
            _ => false,
        };
        if held_by_another || Instant::now() + pause >= deadline {
            return Err(error);
        }
        tracing::warn!(error = Error::chain(&error), "the ledger's database is away; asking again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the events with these leaf hashes stand at `first` and after. All or none of them do.
pub(crate) async fn is_written(
    connection: &mut PgConnection,
    ledger_id: i64,
    first: u64,
    leaf_hashes: &[Hash],
) -> Result<bool> {
    let stored: Vec<[u8; 32]> = sqlx::query_scalar(
        "SELECT leaf_hash FROM ledger.events WHERE ledger_id = $1 AND position >= $2 AND position < $3 ORDER BY position",
    )
    .bind(ledger_id)
    .bind(signed(first))
    .bind(signed(first + leaf_hashes.len() as u64))
    .fetch_all(connection)
    .await
    .map_err(Error::database("ask what became of a batch"))?;
    Ok(stored.len() == leaf_hashes.len() && stored.iter().zip(leaf_hashes).all(|(stored, ours)| *stored == ours.0))
}
