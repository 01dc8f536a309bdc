//! An HTTP server around routes: connections that are bounded in number, in what a head may have and how long it may take, and
//! in age. What a request may do is its routes' affair.

use std::future::Future;
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

/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 32 << 10;
/// Pause after an error of `accept`, which is nearly always a lack of file handles.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// Limits of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; more wait in the system's backlog.
    pub connections: usize,
    /// How long the head of a request may take, and how long a connection may idle.
    pub head_timeout: Duration,
    /// How long a request may take in all. A connection that is to end waits so long for its last one.
    pub request_timeout: Duration,
    /// How long a connection may live; then it ends after its current request.
    pub lifetime: Duration,
    /// How long open requests may take to end when the server stops.
    pub drain: Duration,
}

/// Serves the routes until `stop` resolves; open requests then get [`Limits::drain`]. Routes find the peer's address in
/// `ConnectInfo<SocketAddr>`.
pub async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: impl Future<Output = ()> + Send) {
    let (stopping, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = open.join_next() => {}
            (stream, peer, place) = next(&listener, &places) => {
                open.spawn(connection(stream, peer, routes.clone(), limits, stopped.clone(), place));
            }
        }
    }
    drop(listener);
    // Connections see that the sender is gone.
    drop(stopping);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::info!(connections = open.len(), "open requests are cut off");
    }
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
    limits: Limits,
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
        () = tokio::time::sleep(limits.lifetime) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.request_timeout + limits.head_timeout, connection).await;
}
