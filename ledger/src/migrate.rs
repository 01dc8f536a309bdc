//! Applies the migrations of `migrations/`, each once, in their order. Safe to run twice and by two processes at once.

use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection};

use crate::error::{Error, Result};

/// Held while migrating; `assay` and a version in ASCII.
const LOCK: i64 = 0x61_73_73_61_79_01;

/// One change of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The directory's name, which also gives the order.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// The write side's schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_roles", sql: include_str!("../../migrations/0001_roles/up.sql") },
    Migration { name: "0002_ledger", sql: include_str!("../../migrations/0002_ledger/up.sql") },
    Migration { name: "0003_append", sql: include_str!("../../migrations/0003_append/up.sql") },
    Migration { name: "0004_book", sql: include_str!("../../migrations/0004_book/up.sql") },
];

const BOOK: &str = "CREATE SCHEMA IF NOT EXISTS assay;
CREATE TABLE IF NOT EXISTS assay.migrations (
    name text PRIMARY KEY, checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());";

/// A word that changes when any migration changes; names templates of test databases.
#[must_use]
pub fn fingerprint(migrations: &[Migration]) -> String {
    let mut hash = Sha256::new();
    for migration in migrations {
        hash.update(migration.name);
        hash.update([0]);
        hash.update(migration.sql);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}

/// Applies [`MIGRATIONS`] and returns the names of those that were missing.
///
/// # Errors
/// [`Error::MigrationChanged`], or what the database said; a failed migration leaves nothing of itself.
pub async fn run(url: &str) -> Result<Vec<&'static str>> {
    run_these(url, MIGRATIONS).await
}

/// As [`run`], for a given list: a further part of the schema brings its own.
///
/// # Errors
/// As [`run`].
pub async fn run_these(url: &str, migrations: &[Migration]) -> Result<Vec<&'static str>> {
    let mut connection = PgConnection::connect(url).await.map_err(Error::database("connect to the database"))?;
    if is_up_to_date(&mut connection, migrations).await? {
        connection.close().await.map_err(Error::database("disconnect"))?;
        return Ok(Vec::new());
    }
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await;
    lock.map_err(Error::database("wait for other migrations"))?;
    connection.execute(BOOK).await.map_err(Error::database("keep the book of migrations"))?;
    let mut applied = Vec::new();
    for migration in migrations {
        if apply(&mut connection, migration).await? {
            tracing::info!(name = migration.name, "applied a migration");
            applied.push(migration.name);
        }
    }
    connection.close().await.map_err(Error::database("disconnect"))?;
    Ok(applied)
}

/// Whether the book can be read and has them all, which needs no right to change anything.
async fn is_up_to_date(connection: &mut PgConnection, migrations: &[Migration]) -> Result<bool> {
    let failed = || Error::database("read the book of migrations");
    // A schema that may not be looked into is an error to the functions that take a name, so it is asked for by its number.
    let readable: Option<bool> = sqlx::query_scalar(
        "SELECT has_schema_privilege(namespace.oid, 'USAGE') AND has_table_privilege(book.oid, 'SELECT')
         FROM pg_namespace AS namespace JOIN pg_class AS book ON book.relnamespace = namespace.oid
         WHERE namespace.nspname = 'assay' AND book.relname = 'migrations'",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed())?;
    if readable != Some(true) {
        return Ok(false);
    }
    for migration in migrations {
        if !is_applied(connection, migration).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a migration is in the book, as it is now.
async fn is_applied(connection: &mut PgConnection, migration: &Migration) -> Result<bool> {
    let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT checksum FROM assay.migrations WHERE name = $1")
        .bind(migration.name)
        .fetch_optional(connection)
        .await
        .map_err(Error::database("read the book of migrations"))?;
    match known {
        None => Ok(false),
        Some(known) if known == Sha256::digest(migration.sql).as_slice() => Ok(true),
        Some(_) => Err(Error::MigrationChanged { name: migration.name.to_owned() }),
    }
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<bool> {
    let failed = || Error::database("apply a migration");
    if is_applied(connection, migration).await? {
        return Ok(false);
    }
    let mut transaction = connection.begin().await.map_err(failed())?;
    sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(failed())?;
    transaction.execute("RESET ROLE").await.map_err(failed())?;
    sqlx::query("INSERT INTO assay.migrations (name, checksum) VALUES ($1, $2)")
        .bind(migration.name)
        .bind(Sha256::digest(migration.sql).as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(true)
}
