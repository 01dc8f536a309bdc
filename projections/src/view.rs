//! One consistent look at the live read models.
//!
//! A [`View`] is one read-only transaction at REPEATABLE READ: everything read through it belongs to the same positions, so
//! that the position an answer states is true for all of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledger::LedgerReader;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Executor, PgConnection, Postgres, Row, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::fold::signed;
use crate::generation::{self, Hold};
use crate::session::{self, Part};

/// Views open at once.
const CONNECTIONS: u32 = 16;
/// A generation may be dropped between finding it and reading it; the next one is then found at once.
const BEGIN_ATTEMPTS: u32 = 3;

/// A ledger in the read models.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LedgerRow {
    /// Its number in the database.
    #[serde(skip)]
    pub ledger_id: i64,
    /// Its origin.
    pub origin: String,
    /// The subnet.
    pub netuid: u16,
    /// The validator.
    pub hotkey: String,
    /// Genesis hash of the chain, hex.
    pub genesis_hash: String,
    /// Ed25519 key of its checkpoints, hex.
    pub checkpoint_key: String,
    /// Events folded.
    pub next_position: u64,
    /// Recording time of the last of them, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Block last seen at the last of them.
    pub block: u64,
}

/// Which ledger is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Its origin, if given.
    pub origin: Option<String>,
    /// Its subnet, if given.
    pub netuid: Option<u16>,
}

/// The moment that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsOf {
    /// Everything that is folded.
    #[default]
    Newest,
    /// Up to and including this position.
    Position(u64),
    /// The last event recorded when no later block was seen.
    Block(u64),
    /// The last event recorded at or before this time, microseconds since 1970 UTC.
    Time(u64),
}

/// A ledger as of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The ledger.
    pub ledger: Arc<LedgerRow>,
    /// The last position that is seen.
    pub position: u64,
    /// Recording time of the event there, microseconds since 1970 UTC.
    pub at: u64,
    /// Block last seen there.
    pub block: u64,
    /// The epoch after the last derived one: that of rounds which no derivation covers yet.
    pub open_epoch: u64,
}

impl Frame {
    pub(crate) fn id(&self) -> i64 {
        self.ledger.ledger_id
    }
    pub(crate) fn position_signed(&self) -> i64 {
        signed(self.position)
    }
}

/// At which position an answer was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Meta {
    /// The ledger's origin.
    pub origin: String,
    /// The last position that the answer takes into account.
    pub position: u64,
    /// Block last seen there.
    pub block: u64,
    /// Recording time there, microseconds since 1970 UTC.
    pub at: u64,
}

impl From<&Frame> for Meta {
    fn from(frame: &Frame) -> Self {
        Self { origin: frame.ledger.origin.clone(), position: frame.position, block: frame.block, at: frame.at }
    }
}

/// How many connections a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// That it may have.
    pub most: u32,
    /// That are open.
    pub open: u32,
    /// That are open and used by nobody.
    pub idle: u32,
}

/// The read models of a database, for queries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadModels {
    url: Arc<str>,
    pool: PgPool,
    readers: Arc<Mutex<BTreeMap<String, LedgerReader>>>,
}

impl ReadModels {
    /// Prepares to read; nothing is connected yet.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn open(url: &str) -> Result<Self> {
        let pool = session::pool(url, "assay query", Part::Query, CONNECTIONS)?;
        Ok(Self { url: url.into(), pool, readers: Arc::default() })
    }

    /// Connections of the pool now. Asks nothing of the database.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let (open, idle) = (self.pool.size(), u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX));
        PoolUse { most: CONNECTIONS, open, idle: idle.min(open) }
    }

    /// Begins a look at the live read models.
    ///
    /// # Errors
    /// [`Error::NotBuilt`], [`Error::OtherFormat`], or what the database says.
    pub async fn begin(&self) -> Result<View> {
        let mut attempt = 1;
        loop {
            match self.try_begin().await {
                Err(Error::Database { source, .. }) if attempt < BEGIN_ATTEMPTS && is_undefined(&source) => {
                    attempt += 1
                }
                begun => return begun,
            }
        }
    }

    async fn try_begin(&self) -> Result<View> {
        let failed = || Error::database("begin to read");
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed())?;
        let live = match generation::live(&mut transaction, Hold::No).await {
            Err(Error::Database { source, .. }) if is_undefined(&source) => return Err(Error::NotBuilt),
            found => found?.ok_or(Error::NotBuilt)?.readable()?,
        };
        live.enter(&mut transaction).await?;
        // Reading this table keeps the generation from being dropped until the view ends.
        let rows = sqlx::query(
            "SELECT ledger_id, origin, netuid, hotkey, genesis_hash, checkpoint_key, next_position, recorded_at, block
               FROM ledgers WHERE next_position > 0 ORDER BY origin",
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed())?;
        let ledgers = rows.iter().map(read_ledger).collect::<Result<Vec<_>, _>>().map_err(failed())?;
        let generation = live.number;
        Ok(View { transaction: Mutex::new(transaction), ledgers, generation, uses: AtomicU64::new(0) })
    }

    /// Events that are committed in the ledger and not yet in a frame of its newest position.
    ///
    /// # Errors
    /// What the ledger says.
    pub async fn lag(&self, ledger: &LedgerRow) -> Result<u64> {
        let reader = {
            let mut readers = self.readers.lock().await;
            match readers.get(&ledger.origin) {
                Some(reader) => reader.clone(),
                None => {
                    let reader = LedgerReader::open(&self.url, &ledger.origin).await?;
                    readers.insert(ledger.origin.clone(), reader.clone());
                    reader
                }
            }
        };
        Ok(reader.head().await?.size.saturating_sub(ledger.next_position))
    }
}

/// `undefined_table` and `invalid_schema_name`.
fn is_undefined(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(code.as_ref(), "42P01" | "3F000"))
}

fn read_ledger(row: &PgRow) -> Result<LedgerRow, sqlx::Error> {
    let netuid: i32 = row.try_get(2)?;
    Ok(LedgerRow {
        ledger_id: row.try_get(0)?,
        origin: row.try_get(1)?,
        netuid: u16::try_from(netuid).map_err(|error| sqlx::Error::Decode(error.into()))?,
        hotkey: row.try_get(3)?,
        genesis_hash: row.try_get(4)?,
        checkpoint_key: row.try_get(5)?,
        next_position: row.try_get::<i64, _>(6)?.unsigned_abs(),
        recorded_at: row.try_get::<i64, _>(7)?.unsigned_abs(),
        block: row.try_get::<i64, _>(8)?.unsigned_abs(),
    })
}

/// One consistent look. Its queries run one after the other on one connection.
#[derive(Debug)]
pub struct View {
    transaction: Mutex<Transaction<'static, Postgres>>,
    ledgers: Vec<LedgerRow>,
    generation: i64,
    uses: AtomicU64,
}

impl View {
    /// The ledgers, by origin.
    #[must_use]
    pub fn ledgers(&self) -> &[LedgerRow] {
        &self.ledgers
    }

    /// Number of the generation that is read.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.generation
    }

    pub(crate) async fn connection(&self) -> MutexGuard<'_, Transaction<'static, Postgres>> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.transaction.lock().await
    }

    /// How often the database was asked through this view: what a deep question costs.
    #[must_use]
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// The one ledger that is meant.
    ///
    /// # Errors
    /// [`Error::NoSuchLedger`] and [`Error::AmbiguousLedger`], both with what there is.
    pub fn ledger(&self, selector: &Selector) -> Result<&LedgerRow> {
        let fits = |ledger: &&LedgerRow| {
            selector.origin.as_ref().is_none_or(|origin| *origin == ledger.origin)
                && selector.netuid.is_none_or(|netuid| netuid == ledger.netuid)
        };
        let found: Vec<&LedgerRow> = self.ledgers.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let netuid = selector.netuid.map(|netuid| format!("of netuid {netuid}"));
                let wanted = selector.origin.clone().or(netuid).unwrap_or_else(|| "at all".to_owned());
                let candidates = self.ledgers.iter().map(|ledger| ledger.origin.clone()).collect();
                Err(Error::NoSuchLedger { wanted, candidates })
            }
            several => Err(Error::ambiguous(several)),
        }
    }

    /// A ledger as of a moment.
    ///
    /// # Errors
    /// Those of [`View::ledger`]; [`Error::Behind`] and [`Error::BeforeFirst`] for a moment outside of what is folded.
    pub async fn frame(&self, selector: &Selector, as_of: AsOf) -> Result<Frame> {
        let ledger = Arc::new(self.ledger(selector)?.clone());
        let mut connection = self.connection().await;
        let position = position_of(&mut connection, &ledger, as_of).await?;
        let failed = || Error::database("find a position");
        let row = sqlx::query(
            "SELECT recorded_at, block,
                    coalesce((SELECT max(epoch) + 1 FROM derivations WHERE ledger_id = $1 AND position <= $2), 0)
               FROM events WHERE ledger_id = $1 AND position = $2",
        )
        .bind(ledger.ledger_id)
        .bind(signed(position))
        .fetch_one(&mut **connection)
        .await
        .map_err(failed())?;
        let number = |column: usize| row.try_get::<i64, _>(column).map(i64::unsigned_abs).map_err(failed());
        let (at, block, open_epoch) = (number(0)?, number(1)?, number(2)?);
        Ok(Frame { ledger, position, at, block, open_epoch })
    }
}

async fn position_of(connection: &mut PgConnection, ledger: &LedgerRow, as_of: AsOf) -> Result<u64> {
    let newest = ledger.next_position.saturating_sub(1);
    let (statement, wanted, name) = match as_of {
        AsOf::Newest => return Ok(newest),
        AsOf::Position(position) if position <= newest => return Ok(position),
        AsOf::Position(wanted) => return Err(Error::Behind { origin: ledger.origin.clone(), wanted, newest }),
        AsOf::Block(block) => ("SELECT max(position) FROM events WHERE ledger_id = $1 AND block <= $2", block, "block"),
        AsOf::Time(time) => {
            ("SELECT max(position) FROM events WHERE ledger_id = $1 AND recorded_at <= $2", time, "time")
        }
    };
    let found: Option<i64> = sqlx::query_scalar(statement)
        .bind(ledger.ledger_id)
        .bind(signed(wanted))
        .fetch_one(connection)
        .await
        .map_err(Error::database("find a position"))?;
    found
        .map(i64::unsigned_abs)
        .ok_or_else(|| Error::BeforeFirst { origin: ledger.origin.clone(), wanted: format!("{name} {wanted}") })
}
