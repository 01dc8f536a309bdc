//! The runner: follows every ledger of a database and folds what is committed.
//!
//! One batch is one transaction: it locks the ledger's position, folds the events from there and moves the position. A
//! runner that is killed, doubled or started again therefore folds every event exactly once.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::TryStreamExt;
use ledger::{LedgerReader, StoredEvent, ledger_id};
use sqlx::postgres::PgPool;
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::fold;
use crate::generation::{self, Generation, Hold};
use crate::rebuild::rebuild_locked;
use crate::session::{self, Part};

/// Limits of the runner.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Events of one batch at most.
    pub batch_events: u64,
    /// Payload bytes of one batch, after which no further event is taken.
    pub batch_bytes: usize,
    /// How long a ledger at its head is left alone before it is looked at again.
    pub poll: Duration,
    /// How often new ledgers are looked for.
    pub discover: Duration,
    /// The longest pause after a failure; the first is `poll`.
    pub longest_pause: Duration,
    /// Ledgers followed at most.
    pub ledgers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_events: 512,
            batch_bytes: 16 << 20,
            poll: Duration::from_secs(1),
            discover: Duration::from_secs(2),
            longest_pause: Duration::from_secs(30),
            ledgers: 256,
        }
    }
}

/// How far a ledger's read models have come.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Status {
    /// The next position to fold.
    pub next: u64,
    /// Events committed in the ledger when it was last looked at.
    pub size: u64,
    /// What the last failure was, if the ledger is not followed now.
    pub failure: Option<String>,
}

impl Status {
    /// Committed events that are not folded yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.size.saturating_sub(self.next)
    }
}

/// What a fold did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// Events folded by this call.
    pub events: u64,
    /// The next position to fold.
    pub next: u64,
}

/// Folds the ledgers of a database into its live read models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Projector {
    url: String,
    folder: Folder,
    statuses: watch::Sender<BTreeMap<String, Status>>,
}

impl Projector {
    /// Prepares the read models: applies the migrations, makes a first generation when there is none, and rebuilds when
    /// the live one was made by another version.
    ///
    /// # Errors
    /// What the database says, and those of [`crate::rebuild`].
    pub async fn open(url: &str, settings: Settings) -> Result<Self> {
        generation::migrate(url).await?;
        let mut guard = session::projector(url, "assay projector").await?;
        let prepared = prepare(url, &mut guard).await;
        session::close(guard).await;
        prepared?;
        let mut folder = Folder::open(url, 8)?;
        folder.settings = settings;
        Ok(Self { url: url.to_owned(), folder, statuses: watch::Sender::new(BTreeMap::new()) })
    }

    /// How far each ledger has come, by origin; changes as it is folded.
    #[must_use]
    pub fn statuses(&self) -> watch::Receiver<BTreeMap<String, Status>> {
        self.statuses.subscribe()
    }

    /// Folds what is committed now, ledger by ledger, and returns the number of events.
    ///
    /// # Errors
    /// An event that cannot be folded, or what the database says.
    pub async fn catch_up(&self) -> Result<u64> {
        self.catch_up_to(u64::MAX).await
    }

    /// As [`Projector::catch_up`], but no further than the first `size` events of each ledger.
    ///
    /// # Errors
    /// As [`Projector::catch_up`].
    pub async fn catch_up_to(&self, size: u64) -> Result<u64> {
        let mut events = 0;
        for info in LedgerReader::list(&self.url).await? {
            let reader = LedgerReader::open(&self.url, &info.origin).await?;
            events += self.folder.catch_up(&Target::Live, &reader, info.size.min(size)).await?.events;
        }
        Ok(events)
    }

    /// Follows all ledgers until `stop` resolves, each in a task of its own: one that fails does not hold the others up.
    /// Batches that are under way are abandoned, which loses nothing.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut followers = JoinSet::new();
        let mut followed = std::collections::BTreeSet::new();
        tokio::pin!(stop);
        loop {
            match LedgerReader::list(&self.url).await {
                Ok(ledgers) => {
                    let room = self.folder.settings.ledgers;
                    if ledgers.len() > room && followed.len() < room {
                        tracing::warn!(ledgers = ledgers.len(), room, "only the first ledgers are followed");
                    }
                    for info in ledgers.into_iter().take(room) {
                        if followed.insert(info.origin.clone()) {
                            let projector = self.clone();
                            followers.spawn(async move { projector.follow(info.origin).await });
                        }
                    }
                }
                Err(error) => tracing::warn!(error = Error::from(error).chain(), "the ledgers cannot be listed"),
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(self.folder.settings.discover) => {}
            }
        }
        followers.shutdown().await;
    }

    async fn follow(&self, origin: String) {
        let settings = &self.folder.settings;
        let mut pause = settings.poll;
        loop {
            match self.follow_until_failure(&origin).await {
                Ok(never) => match never {},
                Err((progressed, error)) => {
                    pause = if progressed { settings.poll } else { (pause * 2).min(settings.longest_pause) };
                    let failure = error.chain();
                    tracing::warn!(origin, failure, "the read models of a ledger cannot follow it; trying again");
                    self.report(&origin, |status| status.failure = Some(failure));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn follow_until_failure(&self, origin: &str) -> Result<std::convert::Infallible, (bool, Error)> {
        let reader = LedgerReader::open(&self.url, origin).await.map_err(|error| (false, error.into()))?;
        let mut subscription = reader.subscribe(0);
        let mut progressed = false;
        loop {
            let size = reader.head().await.map_err(|error| (progressed, error.into()))?.size;
            let folded = self.folder.batch(&Target::Live, &reader, size).await.map_err(|error| (progressed, error))?;
            progressed = true;
            self.report(origin, |status| {
                *status = Status { next: folded.next, size: size.max(folded.next), failure: None };
            });
            if folded.next >= size {
                subscription.seek(folded.next);
                // What wakes it is a hint: after the pause the head is asked in any case.
                if let Ok(Err(error)) =
                    tokio::time::timeout(self.folder.settings.poll, subscription.next_batch(1)).await
                {
                    return Err((progressed, error.into()));
                }
            }
        }
    }

    fn report(&self, origin: &str, change: impl FnOnce(&mut Status)) {
        self.statuses.send_modify(|statuses| change(statuses.entry(origin.to_owned()).or_default()));
    }
}

async fn prepare(url: &str, guard: &mut PgConnection) -> Result<()> {
    let failed = || Error::database("prepare the read models");
    if generation::live(guard, Hold::No).await?.is_some_and(|live| live.format == generation::format()) {
        return Ok(());
    }
    // Somebody else may be making them; what they made is then looked at again.
    generation::lock(guard).await?;
    match generation::live(guard, Hold::No).await? {
        Some(live) if live.format == generation::format() => Ok(()),
        Some(old) => {
            tracing::info!(old = old.format, new = generation::format(), "the read models are rebuilt in a new format");
            rebuild_locked(url, guard).await.map(drop)
        }
        None => {
            let mut transaction = guard.begin().await.map_err(failed())?;
            let first = generation::create(&mut transaction).await?;
            generation::make_live(&mut transaction, &first).await?;
            transaction.commit().await.map_err(failed())
        }
    }
}

/// Which generation a batch goes into.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Whatever is live when the batch begins.
    Live,
    /// This one.
    Generation(Generation),
}

/// Folds batches.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pool: PgPool,
    pub(crate) settings: Settings,
}

impl Folder {
    pub(crate) fn open(url: &str, connections: u32) -> Result<Self> {
        let pool = session::pool(url, "assay projector", Part::Projector, connections)?;
        Ok(Self { pool, settings: Settings::default() })
    }

    /// Folds up to `size` events of the ledger.
    pub(crate) async fn catch_up(&self, target: &Target, reader: &LedgerReader, size: u64) -> Result<Folded> {
        let mut total = Folded::default();
        loop {
            let folded = self.batch(target, reader, size).await?;
            total = Folded { events: total.events + folded.events, next: folded.next };
            if folded.events == 0 || folded.next >= size {
                return Ok(total);
            }
        }
    }

    /// One batch: rows and position in one transaction.
    pub(crate) async fn batch(&self, target: &Target, reader: &LedgerReader, size: u64) -> Result<Folded> {
        let failed = || Error::database("commit a batch of read models");
        let id = ledger_id(reader.origin());
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        let generation = match target {
            Target::Live => {
                generation::live(&mut transaction, Hold::Share).await?.ok_or(Error::NotBuilt)?.readable()?
            }
            Target::Generation(generation) => generation.clone(),
        };
        generation.enter(&mut transaction).await?;
        let next = fold::next_position(&mut transaction, id).await?;
        let events = self.read(reader, next, size).await?;
        let folded = Folded { events: events.len() as u64, next: next + events.len() as u64 };
        if let Some(last) = events.last() {
            fold::fold(&mut transaction, reader.origin(), id, &events).await?;
            fold::move_to(&mut transaction, id, last).await?;
            transaction.commit().await.map_err(failed())?;
        }
        Ok(folded)
    }

    async fn read(&self, reader: &LedgerReader, next: u64, size: u64) -> Result<Vec<StoredEvent>> {
        let end = size.min(next.saturating_add(self.settings.batch_events.max(1)));
        let mut stream = reader.events(next, end, None);
        let (mut events, mut bytes) = (Vec::new(), 0);
        while bytes < self.settings.batch_bytes
            && let Some(event) = stream.try_next().await?
        {
            bytes += event.payload.as_ref().map_or(0, Vec::len);
            events.push(event);
        }
        Ok(events)
    }
}
