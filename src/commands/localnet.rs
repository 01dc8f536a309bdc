//! `assay localnet`: the development chain as a process of its own, so that it outlives a killed validator.

use crate::cli::LocalnetArgs;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result};
use localnet::{Specification, server};
use std::process::ExitCode;
use std::time::Duration;

/// Serves the chain until it is told to end.
pub async fn run(args: LocalnetArgs, stop: Shutdown) -> Result<ExitCode> {
    let text = std::fs::read(&args.genesis).with_context(|| format!("cannot read {}", args.genesis.display()))?;
    let specification: Specification = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no genesis specification", args.genesis.display()))?;
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make {}", args.data.display()))?;
    let configuration = server::Configuration {
        path: args.data.join("blocks.jsonl"),
        listen: args.listen,
        block_time: (!args.on_demand).then(|| Duration::from_millis(args.block_time_ms)),
        serve_other_machines: args.serve_other_machines,
    };
    let mut running = server::start(configuration, &specification).await.context("the development chain")?;
    tracing::info!(url = running.url(), block_time_ms = args.block_time_ms, "development chain is up");
    tokio::select! {
        () = stop.wait() => Ok(ExitCode::SUCCESS),
        fault = running.fault() => Err(fault).context("the development chain stopped by itself"),
    }
}
