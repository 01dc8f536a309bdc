//! The one place that opens a connection to a chain. Everybody else knows [`chain::Chain`] alone.
//!
//! A subtensor node and the development chain of `assay localnet` are asked in the same way.

use anyhow::{Context, Result, ensure};
use chain::Chain;
use std::sync::Arc;
use subtensor::{Settings, Subtensor};

/// Connects to the chain at a URL and asks it which one it is.
///
/// # Errors
/// A URL that is none, and a chain that does not answer.
pub async fn open(url: &str) -> Result<Arc<dyn Chain>> {
    let known = ["ws", "wss"].iter().any(|scheme| url.split_once("://").is_some_and(|(given, _)| given == *scheme));
    ensure!(
        known,
        "{url:?} is no URL of a chain, such as wss://entrypoint-finney.opentensor.ai:443 or ws://127.0.0.1:9944"
    );
    let connected = Subtensor::connect(&[url.to_owned()], Settings::default()).await;
    Ok(Arc::new(connected.with_context(|| format!("the chain at {url} does not answer"))?))
}

/// Whether a chain answers there now.
pub async fn answers(url: &str) -> bool {
    open(url).await.is_ok()
}
