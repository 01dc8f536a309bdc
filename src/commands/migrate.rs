//! `assay migrate`: brings the schema up to date as the owner.

use crate::cli::DatabaseArgs;
use crate::database::Database;
use crate::output;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Applies what is missing and says what it was.
pub async fn run(args: &DatabaseArgs) -> Result<ExitCode> {
    let database = Database::open_bare(args.database.as_deref()).await?;
    let mut applied = ledger::migrate::run(&database.url).await.context("the schema cannot be brought up to date")?;
    applied.extend(
        projections::migrate(&database.url).await.context("the read models' schema cannot be brought up to date")?,
    );
    for name in &applied {
        output::line(format!("applied {name}"));
    }
    if applied.is_empty() {
        output::line("nothing to do: the schema is up to date");
    }
    Ok(ExitCode::SUCCESS)
}
