//! The writer's handle: what the validator holds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::appender::{self, AppendSettings, Message};
use crate::connect::{Part, connect_as};
use crate::error::{Error, Result};
use crate::event::{Appended, Expected, NewEvent, Unit};
use crate::lease::{Identity, now_micros};
use crate::ledger_id;
use crate::reader::LedgerReader;

/// The one writer of a ledger. Cheap to clone; the lease is given back when the last clone is dropped or at
/// [`Ledger::close`].
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

/// Is told of every append: how long its caller waited, and what came of it. For figures; nothing depends on it.
pub type Observer = Box<dyn Fn(Duration, &Result<Appended>) + Send + Sync>;

struct Inner {
    url: String,
    origin: String,
    settings: AppendSettings,
    requests: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    head: watch::Receiver<u64>,
    reader: LedgerReader,
    task: Mutex<Option<JoinHandle<()>>>,
    observer: OnceLock<Observer>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inner").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Begins a ledger: takes the lease and writes `opening` at position 0. The payload is the caller's.
    ///
    /// # Errors
    /// [`Error::LedgerExists`] when it has events already, [`Error::LeaseHeld`], or what the append says.
    pub async fn create(url: &str, origin: &str, holder: &str, opening: NewEvent) -> Result<Self> {
        if opening.kind != "LedgerOpened" {
            let reason = format!("a ledger begins with LedgerOpened, not with {}", opening.kind);
            return Err(Error::InvalidEvent { index: 0, reason });
        }
        let mut connection = connect_as(url, "assay writer", Part::Writer).await?;
        sqlx::query("SELECT ledger.create_ledger($1, $2)")
            .bind(ledger_id(origin))
            .bind(origin)
            .execute(&mut connection)
            .await
            .map_err(Error::database("begin a ledger"))?;
        connection.close().await.map_err(Error::database("disconnect"))?;
        let ledger = Self::open(url, origin, holder, AppendSettings::default()).await?;
        let size = ledger.size();
        if size > 0 {
            ledger.close().await;
            return Err(Error::LedgerExists { origin: origin.to_owned(), size });
        }
        let (stream_type, stream_id) = (opening.stream_type.clone(), opening.stream_id.clone());
        ledger.append(Unit::of(vec![opening]).expecting(&stream_type, &stream_id, Expected::Exactly(0))).await?;
        Ok(ledger)
    }

    /// Becomes the writer of a ledger. `holder` is what a second writer is told.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`], [`Error::NoSuchLedger`], [`Error::NotOpened`], or what the database says.
    pub async fn open_writer(url: &str, origin: &str, holder: &str) -> Result<Self> {
        Self::open_writer_with(url, origin, holder, AppendSettings::default()).await
    }

    /// As [`Ledger::open_writer`], with other limits.
    ///
    /// # Errors
    /// As [`Ledger::open_writer`].
    pub async fn open_writer_with(url: &str, origin: &str, holder: &str, settings: AppendSettings) -> Result<Self> {
        let ledger = Self::open(url, origin, holder, settings).await?;
        if ledger.size() == 0 {
            ledger.close().await;
            return Err(Error::NotOpened { origin: origin.to_owned() });
        }
        Ok(ledger)
    }

    async fn open(url: &str, origin: &str, holder: &str, settings: AppendSettings) -> Result<Self> {
        static WRITERS: AtomicU32 = AtomicU32::new(0);
        let number = WRITERS.fetch_add(1, Ordering::Relaxed);
        let identity = Identity {
            url: url.to_owned(),
            origin: origin.to_owned(),
            ledger_id: ledger_id(origin),
            holder: holder.to_owned(),
            since: now_micros(),
            application: format!("assay writer {}.{number}.{}", std::process::id(), now_micros()),
        };
        let (requests, queue) = mpsc::channel(settings.queue.max(1));
        let (appender, head) = appender::open(identity, settings.clone(), queue).await?;
        let task = tokio::spawn(appender.run());
        let reader = LedgerReader::open(url, origin).await?.following(head.clone());
        let room = Arc::new(Semaphore::new(settings.queue_bytes));
        let inner = Inner {
            url: url.to_owned(),
            origin: origin.to_owned(),
            settings,
            requests,
            room,
            head,
            reader,
            task: Mutex::new(Some(task)),
            observer: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Appends a unit: all of it or nothing, at positions next to each other. Returns after the commit.
    ///
    /// A caller that stops waiting does not take its unit back: it may be written.
    ///
    /// # Errors
    /// A conflict, a refused event or a reused key fail this unit alone. After [`Error::NotCommitted`] nothing was
    /// written; after [`Error::OutcomeUnknown`] the caller must look before it tries again.
    pub async fn append(&self, unit: Unit) -> Result<Appended> {
        let begun = Instant::now();
        let outcome = self.append_unobserved(unit).await;
        if let Some(observer) = self.inner.observer.get() {
            observer(begun.elapsed(), &outcome);
        }
        outcome
    }

    /// Has every append from now on told to `observer`, which must be quick. The first one stands.
    pub fn observe(&self, observer: Observer) {
        let _ = self.inner.observer.set(observer);
    }

    async fn append_unobserved(&self, unit: Unit) -> Result<Appended> {
        let (reply, answer) = oneshot::channel();
        let request = appender::seal(unit, &self.inner.settings, &self.inner.room, reply).await?;
        let stopped = || Error::Stopped { reason: "it was closed".to_owned() };
        self.inner.requests.send(Message::Append(request)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Events in the ledger, as last committed by this writer.
    #[must_use]
    pub fn size(&self) -> u64 {
        *self.inner.head.borrow()
    }

    /// [`Ledger::size`] for certain: after an append whose outcome is unknown the size may be one of before it, until the log was asked.
    ///
    /// # Errors
    /// What reconnecting says, while nobody can be asked.
    pub async fn settled(&self) -> Result<u64> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Error::Stopped { reason: "it was closed".to_owned() };
        self.inner.requests.send(Message::Settle(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// [`Ledger::size`] as it grows.
    #[must_use]
    pub fn sizes(&self) -> watch::Receiver<u64> {
        self.inner.head.clone()
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// The database's URL. It may hold a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// A reader of the same ledger; its subscriptions wake at once.
    #[must_use]
    pub fn reader(&self) -> &LedgerReader {
        &self.inner.reader
    }

    /// Writes what is queued, gives the lease back, and waits for both. Other clones can append no more.
    pub async fn close(&self) {
        let task = self.inner.task.lock().await.take();
        if let Some(task) = task {
            // The queue takes the message in its turn; after it the appender takes no more and ends.
            let _ = self.inner.requests.send(Message::Close).await;
            let _ = task.await;
        }
    }
}
