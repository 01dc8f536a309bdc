//! The one place that opens a connection to a chain. Everybody else knows [`chain::Chain`] alone.
//!
//! `wss://` and `ws://` lead to a subtensor node, `http://` to the development chain of `assay localnet`. The development
//! chain has its place where a local node would listen, so that it is looked for there first.

use crate::operator;
use anyhow::{Context, Result, bail};
use chain::Chain;
use chain::development::Client;
use std::sync::Arc;
use subtensor::{Settings, Subtensor};

/// Connects to the chain at a URL and asks it which one it is.
///
/// # Errors
/// A URL that is none, and a chain that does not answer.
pub async fn open(url: &str) -> Result<Arc<dyn Chain>> {
    let silent = || format!("the chain at {url} does not answer");
    match url.split_once("://") {
        Some(("http", _)) => Ok(Arc::new(Client::connect(url).await.with_context(silent)?)),
        Some(("ws", rest)) if operator::is_loopback(url) => match Client::connect(&format!("http://{rest}")).await {
            Ok(development) => Ok(Arc::new(development)),
            Err(_) => node(url).await.with_context(silent),
        },
        Some(("ws" | "wss", _)) => node(url).await.with_context(silent),
        _ => bail!(
            "{url:?} is no URL of a chain, such as wss://entrypoint-finney.opentensor.ai:443 or ws://127.0.0.1:9944"
        ),
    }
}

async fn node(url: &str) -> Result<Arc<dyn Chain>> {
    Ok(Arc::new(Subtensor::connect(&[url.to_owned()], Settings::default()).await?))
}

/// Whether a chain answers there now.
pub async fn answers(url: &str) -> bool {
    open(url).await.is_ok()
}
