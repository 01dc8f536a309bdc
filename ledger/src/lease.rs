//! The lease: one writer per ledger.
//!
//! Two things make it. A session-level advisory lock on a connection of its own tells early that somebody else writes.
//! A generation in the ledger's row, named by every append, keeps it right even when that session is lost: an append of
//! an earlier generation can no longer commit once the next one is written down.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{Connection, PgConnection, Row};
use tlog::Frontier;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::connect::{Part, connect, play};
use crate::error::{Error, Result};

/// The channel of wake-ups, and the least time between two.
pub(crate) const CHANNEL: &str = "assay_ledger";
const NOTIFY_PAUSE: Duration = Duration::from_millis(20);
/// A wake-up that takes longer counts as a lost session.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of a lost session of our own is waited for, in milliseconds.
const TERMINATE_TIMEOUT_MS: i64 = 5_000;

/// Who holds a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseInfo {
    /// What the holder calls itself.
    pub holder: String,
    /// Since when, in microseconds since 1970 UTC.
    pub since: u64,
    /// Counts every taking of the lease.
    pub generation: u64,
}

/// Which ledger is written, by whom.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) url: String,
    pub(crate) origin: String,
    pub(crate) ledger_id: i64,
    pub(crate) holder: String,
    /// When this writer began, in microseconds since 1970 UTC: with the holder's name it tells one writer from another.
    pub(crate) since: u64,
    /// Names all sessions of this writer, so that lost ones can be ended.
    pub(crate) application: String,
}

/// The head of a ledger as its writer knows it.
#[derive(Debug, Clone)]
pub(crate) struct WriterHead {
    pub(crate) frontier: Frontier,
    pub(crate) recorded_at: u64,
}

impl WriterHead {
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }
}

/// A held lease and the connection that appends under it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The connection, unless a batch under way has it.
    pub(crate) appends: Option<PgConnection>,
    pub(crate) keeper: LeaseKeeper,
    pub(crate) generation: i64,
}

/// Takes the lease and reads the head. Lost sessions of the same writer are ended first.
pub(crate) async fn take(
    identity: &Identity,
    previous: Option<i64>,
    published: watch::Receiver<u64>,
) -> Result<(Session, WriterHead)> {
    let mut lease = connect(&identity.url, &identity.application).await?;
    if previous.is_some() {
        end_lost_sessions(&mut lease, &identity.application).await?;
    }
    play(&mut lease, Part::Writer).await?;
    let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(identity.ledger_id)
        .fetch_one(&mut lease)
        .await
        .map_err(Error::database("ask for the lease"))?;
    if !locked || (previous.is_some() && !is_still_ours(&mut lease, identity).await?) {
        return Err(held_by_another(&mut lease, identity).await);
    }
    let row = sqlx::query("SELECT generation, size, frontier, recorded_at FROM ledger.take_lease($1, $2, $3)")
        .bind(identity.ledger_id)
        .bind(&identity.holder)
        .bind(signed(identity.since))
        .fetch_optional(&mut lease)
        .await
        .map_err(Error::database("take the lease"))?
        .ok_or_else(|| Error::NoSuchLedger { origin: identity.origin.clone() })?;
    let column = Error::database("read the head");
    let read = || -> Result<_, sqlx::Error> {
        Ok((
            row.try_get::<i64, _>(0)?,
            row.try_get::<i64, _>(1)?,
            row.try_get::<Vec<u8>, _>(2)?,
            row.try_get::<i64, _>(3)?,
        ))
    };
    let (generation, size, frontier, recorded_at) = read().map_err(column)?;
    let frontier = Frontier::from_bytes(size.unsigned_abs(), &frontier)
        .map_err(|error| Error::Damaged { position: size.unsigned_abs(), reason: error.to_string() })?;
    // From here on this session only sends wake-ups, which need not wait for the disk.
    sqlx::query("SET synchronous_commit = off")
        .execute(&mut lease)
        .await
        .map_err(Error::database("prepare wake-ups"))?;
    let mut appends = connect(&identity.url, &identity.application).await?;
    play(&mut appends, Part::Writer).await?;
    let head = WriterHead { frontier, recorded_at: recorded_at.unsigned_abs() };
    let keeper = LeaseKeeper::start(lease, identity.ledger_id, published);
    Ok((Session { appends: Some(appends), keeper, generation }, head))
}

/// Gives the lease back, so that the next writer sees a free ledger.
pub(crate) async fn release(session: Session, identity: &Identity) -> Result<()> {
    let Some(mut lease) = session.keeper.stop().await else { return Ok(()) };
    sqlx::query("SELECT ledger.release_lease($1, $2)")
        .bind(identity.ledger_id)
        .bind(session.generation)
        .execute(&mut lease)
        .await
        .map_err(Error::database("release the lease"))?;
    lease.close().await.map_err(Error::database("close the lease's session"))?;
    match session.appends {
        Some(appends) => appends.close().await.map_err(Error::database("close the session of appends")),
        None => Ok(()),
    }
}

/// The task that owns the lease's connection. While it holds the lock it also sends the wake-ups, after commits and at
/// most one in [`NOTIFY_PAUSE`], so that they take no part in the commits themselves.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Option<PgConnection>>,
}

impl LeaseKeeper {
    fn start(connection: PgConnection, ledger_id: i64, published: watch::Receiver<u64>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(keep(connection, ledger_id, published, stopped)) }
    }

    /// Whether its connection is lost, and with it perhaps the lock.
    pub(crate) fn is_lost(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the task and gives its connection back, unless that is lost.
    async fn stop(self) -> Option<PgConnection> {
        let _ = self.stop.send(());
        self.task.await.ok().flatten()
    }
}

async fn keep(
    mut connection: PgConnection,
    ledger_id: i64,
    mut published: watch::Receiver<u64>,
    mut stopped: oneshot::Receiver<()>,
) -> Option<PgConnection> {
    loop {
        let ending = tokio::select! {
            _ = &mut stopped => true,
            grown = published.changed() => grown.is_err(),
        };
        let size = *published.borrow_and_update();
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(format!("{ledger_id} {size}"));
        match tokio::time::timeout(NOTIFY_TIMEOUT, notify.execute(&mut connection)).await {
            Ok(Ok(_)) => {}
            failed => {
                tracing::warn!(?failed, "the lease's session is lost");
                return None;
            }
        }
        if ending {
            return Some(connection);
        }
        tokio::time::sleep(NOTIFY_PAUSE).await;
    }
}

/// A session whose connection was cut may still hold the lock, or a commit under way, until the server notices.
async fn end_lost_sessions(connection: &mut PgConnection, application: &str) -> Result<()> {
    sqlx::query(
        "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity
          WHERE application_name = $1 AND pid <> pg_backend_pid() AND datname = current_database()",
    )
    .bind(application)
    .bind(TERMINATE_TIMEOUT_MS)
    .execute(connection)
    .await
    .map(drop)
    .map_err(Error::database("end lost sessions"))
}

/// Whether nobody else took the lease since this writer had it, even if the lock is free again: what it knows of the log
/// would be old. Asked under the lock, so that nobody takes it meanwhile.
async fn is_still_ours(connection: &mut PgConnection, identity: &Identity) -> Result<bool> {
    let row: Option<(Option<String>, Option<i64>)> =
        sqlx::query_as("SELECT lease_holder, lease_since FROM ledger.ledgers WHERE ledger_id = $1")
            .bind(identity.ledger_id)
            .fetch_optional(connection)
            .await
            .map_err(Error::database("read who holds the lease"))?;
    // No row is told later, as what it is.
    Ok(row.is_none_or(|(holder, since)| {
        holder.as_ref() == Some(&identity.holder) && since == Some(signed(identity.since))
    }))
}

async fn held_by_another(connection: &mut PgConnection, identity: &Identity) -> Error {
    type Held = (Option<String>, Option<i64>, i64);
    let row: Result<Option<Held>, _> =
        sqlx::query_as("SELECT lease_holder, lease_since, lease_generation FROM ledger.ledgers WHERE ledger_id = $1")
            .bind(identity.ledger_id)
            .fetch_optional(connection)
            .await;
    match row {
        Ok(row) => {
            let (holder, since, generation) = row.unwrap_or_default();
            Error::LeaseHeld {
                origin: identity.origin.clone(),
                holder: holder.unwrap_or_else(|| "a writer that has just started or ended".to_owned()),
                since: since.unwrap_or_default().unsigned_abs(),
                generation: generation.unsigned_abs(),
            }
        }
        Err(error) => Error::database("read who holds the lease")(error),
    }
}

/// Microseconds since 1970 UTC by the system's clock; 0 when it stands before that.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(i64::MAX as u64).min(i64::MAX as u64)
}

/// A value that the schema keeps below 2^63, as PostgreSQL's signed type.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
