//! `assay health`: whether a service answers, for supervisors in images that hold no other program.

use crate::cli::HealthArgs;
use crate::{chain_connection, output};
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::time::Duration;

/// Asks once.
pub async fn run(args: &HealthArgs) -> Result<ExitCode> {
    let limit = Duration::from_millis(args.timeout_ms);
    let asked = tokio::time::timeout(limit, ask(&args.url, limit)).await;
    match asked.unwrap_or_else(|_| anyhow::bail!("no answer in {} ms", args.timeout_ms)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            output::error(&error.context(format!("{} is not healthy", args.url)));
            Ok(ExitCode::from(1))
        }
    }
}

async fn ask(url: &str, limit: Duration) -> Result<()> {
    if url.starts_with("ws://") || url.starts_with("wss://") {
        chain_connection::open(url).await?.head().await?;
        return Ok(());
    }
    let client = reqwest::Client::builder().timeout(limit).redirect(reqwest::redirect::Policy::none()).build()?;
    let reply = client.get(url).send().await.context("it does not answer")?;
    anyhow::ensure!(reply.status().is_success(), "it answers {}", reply.status());
    // Validators and miners say with success that they are not ready yet.
    if let Ok(body) = reply.json::<serde_json::Value>().await {
        anyhow::ensure!(body.get("available") != Some(&false.into()), "it answers, and is not available yet");
    }
    Ok(())
}
