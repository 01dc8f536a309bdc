//! The server of one validator's routes.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::config::ApiConfig;
use super::routes::router_with;
use super::{SealedPush, Service};
use crate::Error;

/// Serves the routes of one validator until `shutdown` completes; open requests then get [`super::ApiLimits::drain_timeout`].
///
/// # Errors
/// [`Error::Setting`] when others can reach the listener's address and neither token nor hotkey is configured;
/// [`Error::Randomness`] when no RSA key can be made for a sealed push.
pub async fn serve(
    listener: TcpListener,
    service: impl Service + 'static,
    config: ApiConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let setting = |error: std::io::Error| Error::Setting { setting: "listen", problem: error.to_string() };
    let address = listener.local_addr().map_err(setting)?;
    config.check(address)?;
    let sealed = match &config.sealed {
        Some(push) => Some((push, SealedPush::key().await?)),
        None => None,
    };
    let routes = router_with(Arc::new(service), &config, sealed);
    tracing::info!(
        %address,
        token = config.token.is_some(),
        allowed_hotkeys = config.allowed_hotkeys.len(),
        sealed_push = config.sealed.as_ref().map_or(0, |push| push.pushers.len()),
        "challenges are taken"
    );
    serving::serve(listener, routes, config.limits.serving(), shutdown).await;
    Ok(())
}
