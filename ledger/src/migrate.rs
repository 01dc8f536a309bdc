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

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<bool> {
    let failed = || Error::database("apply a migration");
    let checksum = Sha256::digest(migration.sql).to_vec();
    let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT checksum FROM assay.migrations WHERE name = $1")
        .bind(migration.name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed())?;
    if let Some(known) = known {
        let same = known == checksum;
        return if same { Ok(false) } else { Err(Error::MigrationChanged { name: migration.name.to_owned() }) };
    }
    let mut transaction = connection.begin().await.map_err(failed())?;
    sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(failed())?;
    transaction.execute("RESET ROLE").await.map_err(failed())?;
    sqlx::query("INSERT INTO assay.migrations (name, checksum) VALUES ($1, $2)")
        .bind(migration.name)
        .bind(checksum)
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(true)
}
