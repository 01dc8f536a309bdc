//! The one place that opens a connection to a chain. Everybody else knows [`chain::Chain`] alone.

use anyhow::{Context, Result, bail};
use chain::Chain;
use chain::development::Client;
use std::sync::Arc;

/// Connects to the chain at a URL and asks it which one it is.
///
/// # Errors
/// A URL that is none, and a chain that does not answer.
pub async fn open(url: &str) -> Result<Arc<dyn Chain>> {
    let client = Client::connect(&development(url)?).await;
    Ok(Arc::new(client.with_context(|| format!("the chain at {url} does not answer"))?))
}

/// Whether a chain answers there now.
pub async fn answers(url: &str) -> bool {
    open(url).await.is_ok()
}

/// The development chain speaks HTTP on the port on which a node has its websocket.
fn development(url: &str) -> Result<String> {
    match url.split_once("://") {
        Some(("ws" | "http", rest)) => Ok(format!("http://{rest}")),
        Some(("wss" | "https", _)) => {
            bail!(
                "the chain at {url} is none that this build can speak to: it knows the development chain of `assay localnet`"
            )
        }
        _ => bail!("{url:?} is no URL of a chain, such as ws://127.0.0.1:9944"),
    }
}
