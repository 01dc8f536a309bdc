//! Epistula 2 over HTTP: a receiver's routes and a sender. Bytes and rules are `network::epistula`.
//!
//! The signature covers the body, so the body is read before its sender is known; its size counts against the common budget,
//! those who are not admitted are turned away before it, and nothing of it is parsed before the signature holds.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use domain::types::Hotkey;
use network::address::AddressGuard;
use network::epistula::{Receiver, Refusal, SIGNED_BY, sign};
use network::keys::Keypair;
use network::replay::ReplayStore;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::client::{DendriteLimits, Target};
use crate::clock::Clock;
use crate::endpoint::{Admitted, Asked, Doors, Endpoint, Refused, answered, detail, text};
use crate::error::Error;
use crate::post::{Line, Parcel, Post, Problem, Reply, Sent, telling};
use crate::server::AxonLimits;

const MILLISECOND: u64 = 1_000_000;

/// A server of Epistula that is being put together, and then served.
pub struct EpistulaServer {
    keypair: Keypair,
    receiver: Receiver,
    seen: Mutex<ReplayStore>,
    doors: Doors,
}

impl EpistulaServer {
    /// A server of this hotkey for those who are admitted. Requests must name it as their receiver, and its answers are
    /// signed for who asked, as some senders expect.
    #[must_use]
    pub fn new(keypair: Keypair, admitted: Admitted, limits: AxonLimits, clock: Clock) -> Self {
        let receiver = Receiver { own: keypair.hotkey(), unaddressed: false };
        Self { keypair, receiver, seen: Mutex::default(), doors: Doors::new(admitted, limits, clock) }
    }

    /// Also takes requests that name no receiver.
    #[must_use]
    pub fn accept_unaddressed(mut self) -> Self {
        self.receiver.unaddressed = true;
        self
    }

    /// Adds an endpoint.
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

async fn dispatch(
    State(server): State<Arc<EpistulaServer>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    respond(&server, peer, &parts, body, begun).await.unwrap_or_else(detail)
}

fn refused(refusal: Refusal) -> Refused {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, refusal.to_string())
}

async fn respond(
    server: &EpistulaServer,
    peer: SocketAddr,
    parts: &Parts,
    body: Body,
    begun: Instant,
) -> Result<Response, Refused> {
    let Some(endpoint) = server.doors.endpoint(parts.uri.path()) else {
        return Err((StatusCode::NOT_FOUND, "Not Found".to_owned()));
    };
    if parts.method != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()));
    }
    let claimed = text(&parts.headers, SIGNED_BY).and_then(|claimed| claimed.parse::<Hotkey>().ok());
    if claimed.is_some_and(|claimed| !server.doors.admits(&claimed)) {
        return Err(refused(Refusal::NotAllowed));
    }
    let held = server.doors.body(&parts.headers, body).await?;
    let now = server.doors.clock.now() / MILLISECOND;
    let (get, admits) = (|name: &str| text(&parts.headers, name), |hotkey: &Hotkey| server.doors.admits(hotkey));
    let hotkey = server.receiver.verify(get, &held.bytes, now, admits, &server.seen).map_err(refused)?;
    let asked = Asked { hotkey, peer, payload: held.bytes, headers: parts.headers.clone() };
    let answer = server.doors.run(endpoint.as_ref(), asked, begun).await?;
    let signed = sign(&server.keypair, &answer.body, Some(&hotkey), server.doors.clock.now() / MILLISECOND);
    let mut response = answered(answer);
    for (name, value) in signed.unwrap_or_default() {
        if let (Ok(name), Ok(value)) = (name.parse::<axum::http::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Asks in Epistula.
pub struct EpistulaClient {
    keypair: Keypair,
    post: Post,
    clock: Clock,
    own: Receiver,
    seen: Mutex<ReplayStore>,
}

/// Whether the receiver signed its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// The target's signature over the answer, for this sender.
    Signed,
    /// There is none.
    Unsigned,
    /// There is one that is wrong, too old, or another's.
    Wrong,
}

impl EpistulaClient {
    /// A client of this hotkey.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(keypair: Keypair, guard: AddressGuard, limits: &DendriteLimits, clock: Clock) -> Result<Self, Error> {
        let own = Receiver { own: keypair.hotkey(), unaddressed: true };
        Ok(Self { keypair, post: Post::new(guard, limits, clock.clone())?, clock, own, seen: Mutex::default() })
    }

    /// Asks: exactly these bytes are signed and sent, with the `extra` header fields besides. An answer of another status than
    /// 200 is an answer, too.
    ///
    /// # Errors
    /// [`Problem`] where there is no whole answer in time.
    pub async fn ask(
        &self,
        target: &Target,
        path: &str,
        body: Vec<u8>,
        extra: &[Line],
        timeout: Duration,
    ) -> Result<(Reply, Vouched), Problem> {
        let now = self.clock.now() / MILLISECOND;
        let headers = sign(&self.keypair, &body, Some(&target.hotkey), now).map_err(Problem::protocol)?;
        let (method, address, content_type) = (Method::POST, target.address, "application/json");
        let sent = Sent::default();
        let parcel = Parcel { method, address, path, extra, headers, content_type, body, sent: Some(&sent) };
        let reply = telling(timeout, &sent, self.post.send(parcel)).await?;
        let vouched = self.vouched(target, &reply);
        Ok((reply, vouched))
    }

    fn vouched(&self, target: &Target, reply: &Reply) -> Vouched {
        if !reply.headers.contains_key(network::epistula::SIGNATURE) {
            return Vouched::Unsigned;
        }
        let (get, now) = (|name: &str| text(&reply.headers, name), self.clock.now() / MILLISECOND);
        match self.own.verify(get, &reply.body, now, |signer| *signer == target.hotkey, &self.seen) {
            Ok(_) => Vouched::Signed,
            Err(_) => Vouched::Wrong,
        }
    }
}
