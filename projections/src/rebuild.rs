//! Folding the whole log again, beside the live read models.

use ledger::LedgerReader;
use sqlx::{Connection, PgConnection};

use crate::error::{Error, Result};
use crate::generation::{self, Generation, Hold};
use crate::runner::{Folder, Target};
use crate::session;

/// Rounds of catching up before the switch; each is shorter than the one before.
const APPROACHES: u32 = 8;
/// A tail of so many events is folded while the live batches wait.
const SHORT_TAIL: u64 = 2_048;

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Number of the new generation.
    pub generation: i64,
    /// Number of the one it replaced, if there was one.
    pub replaced: Option<i64>,
    /// Ledgers folded.
    pub ledgers: usize,
    /// Events folded.
    pub events: u64,
}

/// Folds every ledger from position 0 into new tables and makes them live in one transaction. Readers and the runner of the
/// old ones go on until then, and the old ones are dropped once nobody reads them.
///
/// # Errors
/// [`Error::RebuildRunning`], an event that cannot be folded, or what the database says; the live tables are untouched.
pub async fn rebuild(url: &str) -> Result<Rebuilt> {
    generation::migrate(url).await?;
    let mut guard = session::projector(url, "assay rebuild").await?;
    if !generation::try_lock(&mut guard).await? {
        return Err(Error::RebuildRunning);
    }
    let rebuilt = rebuild_locked(url, &mut guard).await;
    session::close(guard).await;
    rebuilt
}

/// As [`rebuild`], by one who holds the lock in `guard`.
pub(crate) async fn rebuild_locked(url: &str, guard: &mut PgConnection) -> Result<Rebuilt> {
    drop_leftovers(guard).await;
    let new = in_transaction_create(guard).await?;
    let folder = Folder::open(url, 2)?;
    let mut events = 0;
    for _ in 0..APPROACHES {
        let folded = catch_up(&folder, url, &new).await?;
        events += folded;
        if folded <= SHORT_TAIL {
            break;
        }
    }
    let failed = || Error::database("switch to the new read models");
    let mut switch = guard.begin().await.map_err(failed())?;
    let replaced = generation::live(&mut switch, Hold::Update).await?;
    // Batches of the old generation wait for this transaction, so the new one cannot be behind it.
    events += catch_up(&folder, url, &new).await?;
    generation::make_live(&mut switch, &new).await?;
    switch.commit().await.map_err(failed())?;
    drop_leftovers(guard).await;
    let ledgers = LedgerReader::list(url).await?.len();
    Ok(Rebuilt { generation: new.number, replaced: replaced.map(|old| old.number), ledgers, events })
}

async fn in_transaction_create(guard: &mut PgConnection) -> Result<Generation> {
    let failed = || Error::database("make a generation");
    let mut transaction = guard.begin().await.map_err(failed())?;
    let new = generation::create(&mut transaction).await?;
    transaction.commit().await.map_err(failed())?;
    Ok(new)
}

async fn catch_up(folder: &Folder, url: &str, generation: &Generation) -> Result<u64> {
    let mut events = 0;
    for info in LedgerReader::list(url).await? {
        let reader = LedgerReader::open(url, &info.origin).await?;
        events += folder.catch_up(&Target::Generation(generation.clone()), &reader, info.size).await?.events;
    }
    Ok(events)
}

/// Drops what is no longer live. One that is still read is left for the next time.
pub(crate) async fn drop_leftovers(guard: &mut PgConnection) {
    let leftovers = generation::leftovers(guard).await;
    let found = leftovers.unwrap_or_else(|error| {
        tracing::warn!(error = error.chain(), "old read models were not looked for");
        Vec::new()
    });
    for old in found {
        if let Err(error) = old.drop(guard).await {
            tracing::warn!(generation = old.number, error = error.chain(), "old read models are still read and stay");
        }
    }
}
