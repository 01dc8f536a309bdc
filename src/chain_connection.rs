//! The one place that opens a connection to a chain. Everybody else knows [`chain::Chain`] alone.
//!
//! A subtensor node and the development chain of `assay localnet` are asked in the same way.

use anyhow::{Context, Result, ensure};
use chain::Chain;
use std::sync::Arc;
use std::time::Duration;
use subtensor::{Settings, Subtensor};

/// How long a chain that may be gone is looked for.
const LOOK: Duration = Duration::from_secs(3);

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
    Ok(Arc::new(connected.context("the chain does not answer")?))
}

/// Whether a chain answers there now.
pub async fn answers(url: &str) -> bool {
    let settings = Settings { deadline: LOOK, connect_deadline: LOOK, ..Settings::default() };
    Subtensor::connect(&[url.to_owned()], settings).await.is_ok()
}
