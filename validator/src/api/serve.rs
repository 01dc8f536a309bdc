//! The server: connections that are bounded in number, in what a head may have and how long it may take, and in age.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::config::{ApiConfig, ApiLimits};
use super::{Service, router};
use crate::Error;

/// Header lines of a request.
const MOST_HEADERS: usize = 64;

/// Bytes of a request's head.
const LARGEST_HEAD: usize = 32 << 10;

/// Pause after an error of `accept`, which is nearly always a lack of file handles.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// Serves the routes of one validator until `shutdown` completes; open requests then get [`ApiLimits::drain_timeout`].
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
    let limits = config.limits;
    tracing::info!(
        %address,
        token = config.token.is_some(),
        allowed_hotkeys = config.allowed_hotkeys.len(),
        "challenges are taken"
    );
    let (stop, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (stream, peer, place) = next(&listener, &places) => {
                let (routes, limits, stopped) = (routes.clone(), limits.clone(), stopped.clone());
                connections.spawn(connection(stream, peer, routes, limits, stopped, place));
            }
        }
    }
    drop(listener);
    // Connections see that the sender is gone.
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, drained).await.is_err() {
        tracing::info!(connections = connections.len(), "open requests are cut off");
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Only latency suffers if this cannot be set.
                let _ = stream.set_nodelay(true);
                return (stream, peer, place);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                drop(place);
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    limits: ApiLimits,
    mut stopped: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(MOST_HEADERS)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // That a client broke off or talked nonsense is its own affair.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => {}
        () = tokio::time::sleep(limits.connection_lifetime) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.request_timeout + limits.head_timeout, connection).await;
}
