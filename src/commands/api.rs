//! `assay api`: projections and the read side over HTTP.

use crate::cli::ApiArgs;
use crate::database::Database;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result};
use projections::{Projector, Settings};
use std::process::ExitCode;

/// Folds the log into the read models and answers questions about them, until it is told to end.
pub async fn run(args: ApiArgs, stop: Shutdown) -> Result<ExitCode> {
    let database = Database::open(args.database.database.as_deref()).await?;
    let projector = Projector::open(&database.url, Settings::default()).await.context("the read models")?;
    let folding = tokio::spawn({
        let stop = stop.clone();
        async move { projector.run(async move { stop.wait().await }).await }
    });
    let config = web::Config::new(&database.url, args.listen);
    web::serve(config, async move { stop.wait().await }).await.context("the read side")?;
    folding.await?;
    Ok(ExitCode::SUCCESS)
}
