//! Following a ledger from a position: a catch-up reader that then waits for more.
//!
//! The truth is the poll: whatever wakes a subscription, it asks the log for its next position. NOTIFY, and the writer's
//! own channel where both live in one process, only make it ask sooner. It cannot miss an event, because positions have
//! no gaps and become visible in order.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::lease::{CHANNEL, signed};
use crate::reader::LedgerReader;

/// How long a wake-up may stay away before the log is asked anyway.
const POLL: Duration = Duration::from_millis(500);
/// After a failed connection for wake-ups, polling goes on alone for this long.
const LISTEN_AGAIN: Duration = Duration::from_secs(10);

/// Follows a ledger. Events come in order, each once, from the position it was made with.
pub struct Subscription {
    reader: LedgerReader,
    next: u64,
    wake: Wake,
}

enum Wake {
    /// The writer is in this process.
    Watch(watch::Receiver<u64>),
    Listen(Box<PgListener>),
    Poll(tokio::time::Instant),
}

impl LedgerReader {
    /// Follows the ledger from `from` on.
    #[must_use]
    pub fn subscribe(&self, from: u64) -> Subscription {
        let wake = match &self.head {
            Some(head) => Wake::Watch(head.clone()),
            None => Wake::Poll(tokio::time::Instant::now()),
        };
        Subscription { reader: self.clone(), next: from, wake }
    }

    /// The position at which a named subscriber stored that it goes on, 0 for a new one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stored_position(&self, subscriber: &str) -> Result<u64> {
        let statement = "SELECT next_position FROM ledger.subscribers WHERE ledger_id = $1 AND subscriber = $2";
        let found: Option<i64> = sqlx::query_scalar(statement)
            .bind(self.ledger_id)
            .bind(subscriber)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("read a subscriber's position"))?;
        Ok(found.unwrap_or_default().unsigned_abs())
    }

    /// Stores where a named subscriber goes on, in the caller's session and so in its transaction.
    ///
    /// # Errors
    /// What the database says; the session needs the writer's part.
    pub async fn store_position(&self, session: &mut PgConnection, subscriber: &str, next: u64) -> Result<()> {
        sqlx::query(
            "INSERT INTO ledger.subscribers (ledger_id, subscriber, next_position) VALUES ($1, $2, $3)
             ON CONFLICT (ledger_id, subscriber) DO UPDATE SET next_position = excluded.next_position",
        )
        .bind(self.ledger_id)
        .bind(subscriber)
        .bind(signed(next))
        .execute(session)
        .await
        .map(drop)
        .map_err(Error::database("store a subscriber's position"))
    }
}

impl Subscription {
    /// The position of the next event.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Goes on from another position: for a reader with batches of its own that wants to be woken only.
    pub fn seek(&mut self, next: u64) {
        self.next = next;
    }

    /// The next 1 to `limit` events; waits until there is one.
    ///
    /// # Errors
    /// What the database says, and [`Error::Damaged`] at a gap. The subscription can be asked again.
    pub async fn next_batch(&mut self, limit: u32) -> Result<Vec<StoredEvent>> {
        loop {
            let batch = self.try_next_batch(limit).await?;
            if !batch.is_empty() {
                return Ok(batch);
            }
            self.sleep().await;
        }
    }

    /// The next events that are there, up to `limit`; empty when it has caught up.
    ///
    /// # Errors
    /// As [`Subscription::next_batch`].
    pub async fn try_next_batch(&mut self, limit: u32) -> Result<Vec<StoredEvent>> {
        let size = match &self.wake {
            Wake::Watch(head) => *head.borrow(),
            Wake::Listen(_) | Wake::Poll(_) => self.reader.head().await?.size,
        };
        let end = size.min(self.next.saturating_add(u64::from(limit.max(1))));
        if end <= self.next {
            return Ok(Vec::new());
        }
        let events: Vec<StoredEvent> = self.reader.page(self.next, end, None).try_collect().await?;
        self.next = end;
        Ok(events)
    }

    async fn sleep(&mut self) {
        match &mut self.wake {
            Wake::Watch(head) => {
                let next = self.next;
                let waiting = tokio::time::timeout(POLL, head.wait_for(|size| *size > next)).await;
                let ended = waiting.is_ok_and(|grown| grown.is_err());
                if ended {
                    // The writer has ended; another process may go on writing.
                    self.wake = Wake::Poll(tokio::time::Instant::now());
                }
            }
            Wake::Listen(listener) => {
                if let Ok(Err(error)) = tokio::time::timeout(POLL, listener.recv()).await {
                    tracing::debug!(%error, "wake-ups are away; polling");
                    self.wake = Wake::Poll(tokio::time::Instant::now() + LISTEN_AGAIN);
                }
            }
            Wake::Poll(listen_at) => {
                if tokio::time::Instant::now() < *listen_at {
                    tokio::time::sleep(POLL).await;
                    return;
                }
                self.wake = match listen(&self.reader).await {
                    Ok(listener) => Wake::Listen(Box::new(listener)),
                    Err(error) => {
                        tracing::debug!(error = Error::chain(&error), "no wake-ups; polling");
                        Wake::Poll(tokio::time::Instant::now() + LISTEN_AGAIN)
                    }
                };
            }
        }
    }
}

async fn listen(reader: &LedgerReader) -> Result<PgListener> {
    let failed = || Error::database("listen for wake-ups");
    let mut listener = PgListener::connect(reader.url()).await.map_err(failed())?;
    listener.listen(CHANNEL).await.map_err(failed())?;
    Ok(listener)
}
