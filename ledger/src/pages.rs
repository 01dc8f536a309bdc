//! Reading ranges of a ledger.
//!
//! Rows are streamed from the socket, a page of positions at a time, so that memory does not grow with the range. A range
//! read without a choice of kinds is checked to have no gap: an early end is an error, never a shorter answer.
//!
//! A large payload, an epoch's carried state above all, is read apart from its row and in parts: the driver keeps a buffer
//! as long as the longest row that it ever met.

use futures::stream::{BoxStream, StreamExt, TryStreamExt};

use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::lease::signed;
use crate::reader::{LedgerReader, decode};

/// Positions that one statement of a longer read covers.
const PAGE: u64 = 8_192;
/// Payloads of more bytes are read in parts of so many.
const PART: i32 = 128 * 1024;

impl LedgerReader {
    /// The events of `from..to` in order; `to` is cut to the head. With `kinds`, only those.
    ///
    /// # Errors
    /// The stream ends with an error when the database fails, and with [`Error::Damaged`] at a gap.
    #[must_use]
    pub fn events<'a>(
        &'a self,
        from: u64,
        to: u64,
        kinds: Option<&'a [&'a str]>,
    ) -> BoxStream<'a, Result<StoredEvent>> {
        let pages = futures::stream::try_unfold(from, move |from| async move {
            let to = to.min(self.head().await?.size);
            let end = to.min(from.saturating_add(PAGE));
            Ok::<_, Error>((from < end).then(|| (self.page(from, end, kinds), end)))
        });
        pages.try_flatten().boxed()
    }

    /// One statement's worth of positions, streamed.
    pub(crate) fn page<'a>(
        &'a self,
        from: u64,
        to: u64,
        kinds: Option<&'a [&'a str]>,
    ) -> BoxStream<'a, Result<StoredEvent>> {
        let stream = self.rows(from, to, kinds);
        if kinds.is_some() {
            return stream;
        }
        let end = futures::stream::once(async { None });
        let checked = stream.map(Some).chain(end).scan(from, move |next, event| {
            let due = *next;
            let gap = || Error::Damaged { position: due, reason: "the event is missing".to_owned() };
            futures::future::ready(match event {
                Some(Ok(event)) if event.position == due => {
                    *next += 1;
                    Some(Ok(event))
                }
                Some(Ok(_)) => {
                    *next = u64::MAX;
                    Some(Err(gap()))
                }
                Some(Err(error)) => {
                    *next = u64::MAX;
                    Some(Err(error))
                }
                None if due < to => Some(Err(gap())),
                None => None,
            })
        });
        checked.boxed()
    }

    fn rows<'a>(&'a self, from: u64, to: u64, kinds: Option<&'a [&'a str]>) -> BoxStream<'a, Result<StoredEvent>> {
        const BY_POSITION: &str = "SELECT position, recorded_at, block, sequence, cause, version, payload_length, \
            stream_type, stream_id, kind, leaf_hash, commitment, salt, CASE WHEN payload_length <= $4 THEN payload END \
            FROM ledger.events WHERE ledger_id = $1 AND position >= $2 AND position < $3 ORDER BY position";
        const BY_KINDS: &str = "SELECT position, recorded_at, block, sequence, cause, version, payload_length, \
            stream_type, stream_id, kind, leaf_hash, commitment, salt, CASE WHEN payload_length <= $4 THEN payload END \
            FROM ledger.events WHERE ledger_id = $1 AND position >= $2 AND position < $3 AND kind = ANY ($5) \
            ORDER BY position";
        let query = sqlx::query(if kinds.is_some() { BY_KINDS } else { BY_POSITION });
        let query = query.bind(self.ledger_id).bind(signed(from)).bind(signed(to)).bind(PART);
        let query = match kinds {
            Some(kinds) => query.bind(kinds),
            None => query,
        };
        let rows = query.fetch(&self.pool);
        let events = rows.map(|row| row.map_err(Error::database("read events")).and_then(|row| decode(&row)));
        events.and_then(|stored| self.completed(stored)).boxed()
    }

    /// The event with its payload, where that was too large to come with the row.
    async fn completed(&self, mut stored: StoredEvent) -> Result<StoredEvent> {
        let stated = stored.payload_length as usize;
        if stored.salt.is_none() || stated <= PART.unsigned_abs() as usize {
            return Ok(stored);
        }
        let mut payload = Vec::with_capacity(stated);
        // To the end of what is stored, which may be longer than stated where somebody changed it: that is for `check` to find.
        while payload.len() <= stated {
            let (salt, part) = self.part(stored.position, payload.len()).await?;
            let Some(part) = part else {
                // Erased since its row was read; without the salt only when that is gone, too.
                stored.salt = salt;
                return Ok(stored);
            };
            payload.extend_from_slice(&part);
            if part.len() < PART.unsigned_abs() as usize {
                break;
            }
        }
        stored.payload = Some(payload);
        Ok(stored)
    }

    /// Salt and a part of a payload, as far as they are there.
    async fn part(&self, position: u64, start: usize) -> Result<(Option<[u8; 32]>, Option<Vec<u8>>)> {
        let first = i32::try_from(start + 1).unwrap_or(i32::MAX);
        let row = sqlx::query_as(
            "SELECT salt, substring(payload FROM $3 FOR $4) FROM ledger.events WHERE ledger_id = $1 AND position = $2",
        )
        .bind(self.ledger_id)
        .bind(signed(position))
        .bind(first)
        .bind(PART)
        .fetch_optional(&self.parts)
        .await
        .map_err(Error::database("read a part of an event"))?;
        row.ok_or_else(|| Error::Damaged { position, reason: "the event is missing".to_owned() })
    }
}
