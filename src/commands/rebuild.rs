//! `assay rebuild`: the read models anew from the log.

use crate::cli::DatabaseArgs;
use crate::database::Database;
use crate::output;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Folds every ledger into new tables and switches to them.
pub async fn run(args: &DatabaseArgs) -> Result<ExitCode> {
    let database = Database::open(args.database.as_deref()).await?;
    let begun = std::time::Instant::now();
    let rebuilt = projections::rebuild(&database.url).await.context("the read models cannot be rebuilt")?;
    output::line(format!(
        "rebuilt: generation {} from {} events of {} ledgers in {:.1} s",
        rebuilt.generation,
        rebuilt.events,
        rebuilt.ledgers,
        begun.elapsed().as_secs_f64()
    ));
    Ok(ExitCode::SUCCESS)
}
