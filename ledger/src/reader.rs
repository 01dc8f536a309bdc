//! Reading a ledger: by position, stream and kind; ranges are in `pages`. A reader's sessions can change nothing.

use futures::stream::TryStreamExt;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Connection, PgConnection, Row};
use tlog::{Frontier, Hash};
use tokio::sync::watch;

use crate::connect::{Part, connect_as, reader_pool};
use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::lease::{LeaseInfo, signed};
use crate::ledger_id;

/// Connections of one reader.
const READER_CONNECTIONS: u32 = 8;
/// Its connections for large payloads: apart from the others, so that nobody who holds one waits for another of the same.
const PART_CONNECTIONS: u32 = 2;

pub(crate) const COLUMNS: &str = "position, recorded_at, block, sequence, cause, version, payload_length, stream_type, \
                                  stream_id, kind, leaf_hash, commitment, salt, payload";

/// The head of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Events in the ledger; the next position.
    pub size: u64,
    /// When the last one was recorded, in microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// The frontier of the tree over all of them.
    pub frontier: Frontier,
    /// Who writes, when anybody does.
    pub lease: Option<LeaseInfo>,
}

impl Head {
    /// The tree's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }
}

/// A ledger of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerInfo {
    /// Its origin.
    pub origin: String,
    /// Events in it.
    pub size: u64,
    /// When the last one was recorded, in microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Who writes, when anybody does.
    pub lease: Option<LeaseInfo>,
}

/// Reads one ledger. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LedgerReader {
    url: String,
    origin: String,
    pub(crate) ledger_id: i64,
    pub(crate) pool: PgPool,
    /// For what is read in parts while a range is being read.
    pub(crate) parts: PgPool,
    /// The size as the writer in this process publishes it, when there is one.
    pub(crate) head: Option<watch::Receiver<u64>>,
}

impl LedgerReader {
    /// Opens a ledger for reading.
    ///
    /// # Errors
    /// [`Error::NoSuchLedger`], or what the database says.
    pub async fn open(url: &str, origin: &str) -> Result<Self> {
        let reader = Self {
            url: url.to_owned(),
            origin: origin.to_owned(),
            ledger_id: ledger_id(origin),
            pool: reader_pool(url, READER_CONNECTIONS)?,
            parts: reader_pool(url, PART_CONNECTIONS)?,
            head: None,
        };
        reader.head().await?;
        Ok(reader)
    }

    pub(crate) fn following(mut self, head: watch::Receiver<u64>) -> Self {
        self.head = Some(head);
        self
    }

    /// All ledgers of a database, by origin.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(url: &str) -> Result<Vec<LedgerInfo>> {
        let mut connection = connect_as(url, "assay reader", Part::Reader).await?;
        let rows = sqlx::query(
            "SELECT origin, size, recorded_at, lease_holder, lease_since, lease_generation FROM ledger.ledgers ORDER BY origin",
        )
        .fetch_all(&mut connection)
        .await
        .map_err(Error::database("list the ledgers"))?;
        let read = |row: &PgRow| -> Result<LedgerInfo, sqlx::Error> {
            Ok(LedgerInfo {
                origin: row.try_get(0)?,
                size: unsigned(row, 1)?,
                recorded_at: unsigned(row, 2)?,
                lease: lease_of(row, 3)?,
            })
        };
        let ledgers = rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::database("list the ledgers"))?;
        connection.close().await.map_err(Error::database("disconnect"))?;
        Ok(ledgers)
    }

    /// The database's URL. It may hold a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The head as committed now.
    ///
    /// # Errors
    /// [`Error::NoSuchLedger`], [`Error::Damaged`] when the stored frontier does not fit the size.
    pub async fn head(&self) -> Result<Head> {
        let row = sqlx::query(
            "SELECT size, recorded_at, frontier, lease_holder, lease_since, lease_generation
               FROM ledger.ledgers WHERE ledger_id = $1 AND origin = $2",
        )
        .bind(self.ledger_id)
        .bind(&self.origin)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::database("read the head"))?
        .ok_or_else(|| Error::NoSuchLedger { origin: self.origin.clone() })?;
        let read = || -> Result<_, sqlx::Error> {
            Ok((unsigned(&row, 0)?, unsigned(&row, 1)?, row.try_get::<&[u8], _>(2)?, lease_of(&row, 3)?))
        };
        let (size, recorded_at, frontier, lease) = read().map_err(Error::database("read the head"))?;
        let frontier = Frontier::from_bytes(size, frontier)
            .map_err(|error| Error::Damaged { position: size, reason: error.to_string() })?;
        Ok(Head { size, recorded_at, frontier, lease })
    }

    /// One event, `None` beyond the head.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get(&self, position: u64) -> Result<Option<StoredEvent>> {
        let statement = format!("SELECT {COLUMNS} FROM ledger.events WHERE ledger_id = $1 AND position = $2");
        let row = sqlx::query(&statement)
            .bind(self.ledger_id)
            .bind(signed(position))
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("read an event"))?;
        row.as_ref().map(decode).transpose()
    }

    /// The events of a stream from a sequence on, in order.
    ///
    /// # Errors
    /// What the database says, and [`Error::Damaged`] at a gap in the sequences.
    pub async fn stream(&self, stream_type: &str, stream_id: &str, from_sequence: u64) -> Result<Vec<StoredEvent>> {
        let mut connection = self.pool.acquire().await.map_err(Error::database("get a connection"))?;
        read_stream(&mut connection, self.ledger_id, stream_type, stream_id, from_sequence).await
    }

    /// Up to `limit` events of a kind at or after a position, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn by_kind(&self, kind: &str, from: u64, limit: u32) -> Result<Vec<StoredEvent>> {
        let statement = format!(
            "SELECT {COLUMNS} FROM ledger.events WHERE ledger_id = $1 AND kind = $2 AND position >= $3
              ORDER BY position LIMIT $4"
        );
        let rows = sqlx::query(&statement)
            .bind(self.ledger_id)
            .bind(kind)
            .bind(signed(from))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(Error::database("read events by kind"))?;
        rows.iter().map(decode).collect()
    }

    /// The last event of a kind before a position, `None` if there is none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_of_kind(&self, kind: &str, before: u64) -> Result<Option<StoredEvent>> {
        let statement = format!(
            "SELECT {COLUMNS} FROM ledger.events WHERE ledger_id = $1 AND kind = $2 AND position < $3
              ORDER BY position DESC LIMIT 1"
        );
        let row = sqlx::query(&statement)
            .bind(self.ledger_id)
            .bind(kind)
            .bind(signed(before))
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("read the last event of a kind"))?;
        row.as_ref().map(decode).transpose()
    }

    /// Where the first event of a kind stands in a stream. Its payload, which may be large, is not read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn first_in_stream(&self, stream_type: &str, stream_id: &str, kind: &str) -> Result<Option<u64>> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM ledger.events
              WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3 AND kind = $4 ORDER BY sequence LIMIT 1",
        )
        .bind(self.ledger_id)
        .bind(stream_type)
        .bind(stream_id)
        .bind(kind)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::database("look for an event of a stream"))?;
        Ok(position.map(i64::unsigned_abs))
    }

    /// The leaf hashes of `from..to`.
    ///
    /// # Errors
    /// What the database says, and [`Error::Damaged`] when one is missing.
    pub async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        let hashes: Vec<[u8; 32]> = sqlx::query_scalar(
            "SELECT leaf_hash FROM ledger.events WHERE ledger_id = $1 AND position >= $2 AND position < $3 ORDER BY position",
        )
        .bind(self.ledger_id)
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(&self.pool)
        .await
        .map_err(Error::database("read leaf hashes"))?;
        let found = hashes.len() as u64;
        if found != to.saturating_sub(from) {
            return Err(Error::Damaged {
                position: from + found,
                reason: "a leaf at or before this position is missing".into(),
            });
        }
        Ok(hashes.into_iter().map(Hash).collect())
    }
}

/// The events of a stream, in any session that may read them.
pub(crate) async fn read_stream(
    connection: &mut PgConnection,
    ledger_id: i64,
    stream_type: &str,
    stream_id: &str,
    from_sequence: u64,
) -> Result<Vec<StoredEvent>> {
    let statement = format!(
        "SELECT {COLUMNS} FROM ledger.events WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3 AND sequence >= $4
          ORDER BY sequence"
    );
    let from_sequence = from_sequence.max(1);
    let mut rows = sqlx::query(&statement)
        .bind(ledger_id)
        .bind(stream_type)
        .bind(stream_id)
        .bind(signed(from_sequence))
        .fetch(connection);
    let mut events: Vec<StoredEvent> = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(Error::database("read a stream"))? {
        let event = decode(&row)?;
        let due = from_sequence + events.len() as u64;
        if event.sequence != due {
            let reason = format!("stream {stream_type}/{stream_id} has sequence {} where {due} is due", event.sequence);
            return Err(Error::Damaged { position: event.position, reason });
        }
        events.push(event);
    }
    Ok(events)
}

/// A row of [`COLUMNS`].
///
/// Types are not looked up again for each row: the statements name the columns, and a value of another length is an error.
pub(crate) fn decode(row: &PgRow) -> Result<StoredEvent> {
    let number = |column: usize| -> Result<u64, sqlx::Error> {
        let value: i64 = row.try_get_unchecked(column)?;
        u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let read = || -> Result<StoredEvent, sqlx::Error> {
        let version: i32 = row.try_get_unchecked(5)?;
        let payload_length: i32 = row.try_get_unchecked(6)?;
        Ok(StoredEvent {
            position: number(0)?,
            recorded_at: number(1)?,
            block: number(2)?,
            sequence: number(3)?,
            cause: number(4)?,
            version: u16::try_from(version).map_err(|error| sqlx::Error::Decode(error.into()))?,
            payload_length: payload_length.unsigned_abs(),
            stream_type: row.try_get_unchecked(7)?,
            stream_id: row.try_get_unchecked(8)?,
            kind: row.try_get_unchecked(9)?,
            leaf_hash: Hash(row.try_get_unchecked(10)?),
            commitment: row.try_get_unchecked(11)?,
            salt: row.try_get_unchecked(12)?,
            payload: row.try_get_unchecked(13)?,
        })
    };
    read().map_err(Error::database("decode an event"))
}

fn unsigned(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn lease_of(row: &PgRow, column: usize) -> Result<Option<LeaseInfo>, sqlx::Error> {
    let holder: Option<String> = row.try_get(column)?;
    let since: Option<i64> = row.try_get(column + 1)?;
    let generation = unsigned(row, column + 2)?;
    let lease = holder.zip(since);
    Ok(lease.map(|(holder, since)| LeaseInfo { holder, since: since.unsigned_abs(), generation }))
}
