//! The server of one validator's routes.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::config::ApiConfig;
use super::{Service, router};
use crate::Error;

/// Serves the routes of one validator until `shutdown` completes; open requests then get [`super::ApiLimits::drain_timeout`].
///
/// # Errors
/// [`Error::Setting`] when others can reach the listener's address and neither token nor hotkey is configured.
pub async fn serve(
    listener: TcpListener,
    service: impl Service + 'static,
    config: ApiConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let setting = |error: std::io::Error| Error::Setting { setting: "listen", problem: error.to_string() };
    let address = listener.local_addr().map_err(setting)?;
    config.check(address)?;
    let routes = router(Arc::new(service), &config);
    tracing::info!(
        %address,
        token = config.token.is_some(),
        allowed_hotkeys = config.allowed_hotkeys.len(),
        "challenges are taken"
    );
    serving::serve(listener, routes, config.limits.serving(), shutdown).await;
    Ok(())
}
