//! A miner's side.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use domain::types::Hotkey;
use network::fiber::Refusal;
use network::fiber::client::{EXCHANGE_PATH, PUBLIC_KEY_PATH};
use network::fiber::headers::Headers;
use network::fiber::rsa_key::MinerKey;
use network::fiber::server::Miner;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::endpoint::{Admitted, Asked, Doors, Endpoint, Refused, answered, detail, json, text};
use crate::error::Error;
use crate::server::AxonLimits;

/// A fiber server that is being put together, and then served.
pub struct FiberServer {
    miner: Miner,
    doors: Doors,
}

impl FiberServer {
    /// A server of this hotkey for those who are admitted. `key` is made anew with each start.
    #[must_use]
    pub fn new(hotkey: Hotkey, key: MinerKey, admitted: Admitted, limits: AxonLimits, clock: Clock) -> Self {
        Self { miner: Miner::new(hotkey, key), doors: Doors::new(admitted, limits, clock) }
    }

    /// Adds an endpoint, which takes requests in both modes.
    #[must_use]
    pub fn endpoint(mut self, path: &str, endpoint: impl Endpoint) -> Self {
        self.doors.add(path, endpoint);
        self
    }

    /// The server as routes.
    ///
    /// # Errors
    /// [`Error::Route`] for a path that cannot be served.
    pub fn into_router(self) -> Result<Router, Error> {
        self.doors.check()?;
        Ok(Router::new().fallback(dispatch).with_state(Arc::new(self)))
    }

    /// Serves until `stop` resolves.
    ///
    /// # Errors
    /// As [`Self::into_router`].
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let limits = self.doors.limits().serving;
        serving::serve(listener, self.into_router()?, limits, stop).await;
        Ok(())
    }
}

pub(super) fn refused(refusal: Refusal) -> Refused {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, refusal.to_string())
}

async fn dispatch(
    State(server): State<Arc<FiberServer>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    respond(&server, peer, &parts, body, begun).await.unwrap_or_else(detail)
}

async fn respond(
    server: &FiberServer,
    peer: SocketAddr,
    parts: &Parts,
    body: Body,
    begun: Instant,
) -> Result<Response, Refused> {
    let path = parts.uri.path();
    let endpoint = server.doors.endpoint(path);
    let wanted = match path {
        PUBLIC_KEY_PATH => Method::GET,
        _ if path == EXCHANGE_PATH || endpoint.is_some() => Method::POST,
        _ => return Err((StatusCode::NOT_FOUND, "Not Found".to_owned())),
    };
    if parts.method != wanted {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()));
    }
    if wanted == Method::GET {
        let answer = serde_json::to_vec(&server.miner.public_key(server.doors.clock.now())).unwrap_or_default();
        return Ok(json(StatusCode::OK, answer));
    }
    let headers = Headers::read(|name| text(&parts.headers, name)).map_err(refused)?;
    // Strangers are turned away before their body is read; the miner looks again.
    if !server.doors.admits(&headers.validator) {
        return Err(refused(Refusal::NotAllowed));
    }
    let held = server.doors.body(&parts.headers, body).await?;
    let (now, admits) = (server.doors.clock.now(), |hotkey: &Hotkey| server.doors.admits(hotkey));
    let Some(endpoint) = endpoint else {
        server.miner.exchange(&headers, &held.bytes, now, admits).map_err(refused)?;
        return Ok(json(StatusCode::OK, br#"{"status":"Symmetric key exchanged successfully"}"#.to_vec()));
    };
    let accepted = server.miner.open(&headers, &held.bytes, now, admits).map_err(refused)?;
    let (hotkey, payload) = (accepted.validator, Bytes::from(accepted.payload));
    let asked = Asked { hotkey, peer, payload, headers: parts.headers.clone() };
    server.doors.run(endpoint.as_ref(), asked, begun).await.map(answered)
}
