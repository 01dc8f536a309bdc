//! Generations: whole sets of read models, each in a schema of its own, one of them live.

use std::sync::LazyLock;

use ledger::migrate::Migration;
use sqlx::{Executor, PgConnection, Row};

use crate::error::{Error, Result};
use crate::session;

/// The roles and the book of generations; the tables themselves are made per generation.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "0101_read_side", sql: include_str!("../../migrations/0101_read_side/up.sql") }];

const TABLES: &str = include_str!("schema.sql");

/// Raised when a fold writes other rows for the same events, so that old read models are rebuilt.
const FOLD: &str = "1";

/// Held by whoever makes or drops a generation; `readside` in ASCII.
const LOCK: i64 = 0x72_65_61_64_73_69_64_65;

/// The word that tells which tables and folds made a generation.
#[must_use]
pub fn format() -> &'static str {
    static FORMAT: LazyLock<String> = LazyLock::new(|| {
        let tables = Migration { name: "tables", sql: TABLES };
        let fold = Migration { name: "fold", sql: FOLD };
        ledger::migrate::fingerprint(&[tables, fold])
    });
    &FORMAT
}

/// Applies [`MIGRATIONS`]. Safe to run twice. The ledger's own are not among them.
///
/// # Errors
/// What `ledger::migrate` says.
pub async fn migrate(url: &str) -> Result<Vec<&'static str>> {
    let applied = ledger::migrate::run_these(url, MIGRATIONS).await?;
    let mut connection = session::plain(url, "assay migrate").await?;
    // A right on the database itself is not in a copy or a dump of it, so it is looked after each time.
    sqlx::raw_sql(
        "DO $$ BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended('assay_projector may make schemas', 0));
            IF NOT has_database_privilege('assay_projector', current_database(), 'CREATE') THEN
                EXECUTE format('GRANT CREATE ON DATABASE %I TO assay_projector', current_database());
            END IF;
        END $$",
    )
    .execute(&mut connection)
    .await
    .map_err(Error::database("let the projector make schemas"))?;
    session::close(connection).await;
    Ok(applied)
}

/// A set of read models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i64,
    pub(crate) format: String,
}

impl Generation {
    pub(crate) fn schema(&self) -> String {
        format!("assay_read_{}", self.number)
    }

    /// Refuses a set that another version made.
    pub(crate) fn readable(self) -> Result<Self> {
        if self.format == format() {
            return Ok(self);
        }
        Err(Error::OtherFormat { found: self.format, expected: format().to_owned() })
    }

    /// Unqualified names mean this generation until the transaction ends.
    pub(crate) async fn enter(&self, connection: &mut PgConnection) -> Result<()> {
        let statement = format!("SET LOCAL search_path = {}, pg_temp", self.schema());
        connection.execute(statement.as_str()).await.map(drop).map_err(Error::database("enter a generation"))
    }

    /// Removes the tables, waiting for those who still read them.
    pub(crate) async fn drop(&self, connection: &mut PgConnection) -> Result<()> {
        let statement = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema());
        connection.execute(statement.as_str()).await.map_err(Error::database("drop a generation"))?;
        sqlx::query("DELETE FROM assay_read.generations WHERE generation = $1 AND state <> 'live'")
            .bind(self.number)
            .execute(connection)
            .await
            .map(drop)
            .map_err(Error::database("forget a generation"))
    }
}

/// How the row of the live generation is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hold {
    /// By a query.
    No,
    /// By a batch: the switch waits until it is committed.
    Share,
    /// By the switch: batches wait until it is done.
    Update,
}

/// The live generation, if there is one.
pub(crate) async fn live(connection: &mut PgConnection, hold: Hold) -> Result<Option<Generation>> {
    let statement = match hold {
        Hold::No => "SELECT generation, format FROM assay_read.generations WHERE state = 'live'",
        Hold::Share => "SELECT generation, format FROM assay_read.generations WHERE state = 'live' FOR SHARE",
        Hold::Update => "SELECT generation, format FROM assay_read.generations WHERE state = 'live' FOR UPDATE",
    };
    let failed = || Error::database("find the live generation");
    let row = sqlx::query(statement).fetch_optional(connection).await.map_err(failed())?;
    row.map(|row| Ok(Generation { number: row.try_get(0)?, format: row.try_get(1)? })).transpose().map_err(failed())
}

/// Everything that was begun and never became live, and generations whose switch could not drop them.
pub(crate) async fn leftovers(connection: &mut PgConnection) -> Result<Vec<Generation>> {
    let failed = || Error::database("find unfinished generations");
    let rows = sqlx::query("SELECT generation, format FROM assay_read.generations WHERE state = 'building'")
        .fetch_all(connection)
        .await
        .map_err(failed())?;
    let read = |row: &sqlx::postgres::PgRow| Ok(Generation { number: row.try_get(0)?, format: row.try_get(1)? });
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(failed())
}

/// Makes the empty tables of a new generation. To be called in a transaction.
pub(crate) async fn create(connection: &mut PgConnection) -> Result<Generation> {
    let failed = || Error::database("make a generation");
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO assay_read.generations (generation, format, state)
         VALUES (nextval('assay_read.generation_numbers'), $1, 'building') RETURNING generation",
    )
    .bind(format())
    .fetch_one(&mut *connection)
    .await
    .map_err(failed())?;
    let generation = Generation { number, format: format().to_owned() };
    let schema = generation.schema();
    connection.execute(format!("CREATE SCHEMA {schema}").as_str()).await.map_err(failed())?;
    generation.enter(connection).await?;
    sqlx::raw_sql(TABLES).execute(&mut *connection).await.map_err(failed())?;
    let grant = format!(
        "GRANT USAGE ON SCHEMA {schema} TO assay_query; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO assay_query"
    );
    sqlx::raw_sql(&grant).execute(&mut *connection).await.map_err(failed())?;
    Ok(generation)
}

/// Makes a generation live in place of the one that is. To be called in a transaction.
pub(crate) async fn make_live(connection: &mut PgConnection, generation: &Generation) -> Result<()> {
    let failed = || Error::database("switch to a generation");
    // The old one is kept as a leftover until its tables are dropped.
    sqlx::query("UPDATE assay_read.generations SET state = 'building' WHERE state = 'live'")
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let switched = sqlx::query("UPDATE assay_read.generations SET state = 'live' WHERE generation = $1")
        .bind(generation.number)
        .execute(connection)
        .await
        .map_err(failed())?;
    if switched.rows_affected() == 1 {
        return Ok(());
    }
    Err(Error::Damaged { what: format!("generation {} is not in the book of generations", generation.number) })
}

/// Takes the lock of whoever makes or drops generations, for the session; waits as long as a statement may take.
pub(crate) async fn lock(connection: &mut PgConnection) -> Result<()> {
    const CANCELED: &str = "57014";
    let locked = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(connection).await;
    locked.map(drop).map_err(|error| {
        let waited = error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == CANCELED);
        if waited { Error::RebuildRunning } else { Error::database("take the lock of the generations")(error) }
    })
}

/// As [`lock`], without waiting.
pub(crate) async fn try_lock(connection: &mut PgConnection) -> Result<bool> {
    let failed = Error::database("take the lock of the generations");
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection).await.map_err(failed)
}
