//! The server: what a miner runs.
//!
//! A request passes, in the SDK's order of answers: its route (404), its headers (500), the blacklist (403), its signature (401),
//! the priority hook (408, 500), the size of its body (413), a place among the handlers (503, 408), its JSON (422) and its body hash
//! (500), and then the handler, whose time ends with the request's timeout (408).
//!
//! The blacklist stands before the signature, as in the SDK, and can only refuse: it is asked about a *claim*, which costs nothing
//! to deny. What it lets through still has to prove itself.

pub(crate) mod admission;
mod answer;
pub(crate) mod bodies;
mod btauth;
mod legacy;
mod route;
mod run;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Request as HttpRequest, StatusCode, header};
use axum::response::Response;
use network::btauth::Authenticator;
use network::keys::Keypair;
use network::legacy::nonces::NonceLimits;
use network::legacy::{Json, Shape, Verifier};
use tokio::net::TcpListener;
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Error;
use admission::Admission;
use bodies::Bodies;

pub use route::{Answer, Claim, Handler, HandlerError, PriorityError, Request, Route};

/// The name under which every axon answers pings.
pub const PING: &str = "Synapse";

/// Limits of an axon. All of them are finite.
#[derive(Debug, Clone)]
pub struct AxonLimits {
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Bytes of all bodies that are held at once.
    pub all_bodies_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Handlers that run at once.
    pub handlers: usize,
    /// Requests that wait for a handler.
    pub waiting: usize,
    /// The longest time a request may take, whatever timeout it states.
    pub longest: Duration,
    /// Bytes of a streamed answer.
    pub stream_bytes: usize,
    /// Bounds of the memory of used nonces, of each dialect.
    pub nonces: NonceLimits,
    /// Bounds of the connections.
    pub serving: serving::Limits,
}

impl Default for AxonLimits {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            all_bodies_bytes: 64 << 20,
            body_timeout: Duration::from_secs(10),
            handlers: 32,
            waiting: 256,
            longest: Duration::from_secs(300),
            stream_bytes: 64 << 20,
            nonces: NonceLimits::default(),
            serving: serving::Limits {
                connections: 1024,
                head_timeout: Duration::from_secs(10),
                request_timeout: Duration::from_secs(310),
                lifetime: Duration::from_secs(3600),
                drain: Duration::from_secs(10),
            },
        }
    }
}

/// An axon that is being put together, and then served.
pub struct Axon {
    keypair: Keypair,
    routes: Vec<Route>,
    limits: AxonLimits,
    clock: Clock,
    signs_answers: bool,
    receiver_needed: bool,
}

impl Axon {
    /// An axon of this hotkey. It answers pings and nothing else.
    #[must_use]
    pub fn new(keypair: Keypair) -> Self {
        let ping = Route::new(Shape::new(PING), |_: Request| async { Ok(Answer::unchanged()) });
        Self {
            keypair,
            routes: vec![ping],
            limits: AxonLimits::default(),
            clock: Clock::system(),
            signs_answers: true,
            receiver_needed: true,
        }
    }

    /// Adds a route. One of the same name is replaced, that of pings too.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        match self.routes.iter_mut().find(|known| known.shape.name == route.shape.name) {
            Some(known) => *known = route,
            None => self.routes.push(route),
        }
        self
    }

    /// Other limits.
    #[must_use]
    pub fn limits(mut self, limits: AxonLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether answers carry `assay-hotkey` and `assay-signature`, which the SDK's clients pass over. They do unless told otherwise.
    #[must_use]
    pub fn sign_answers(mut self, sign: bool) -> Self {
        self.signs_answers = sign;
        self
    }

    /// Whether a request under `btauth/1` must be bound to this hotkey. It must unless told otherwise.
    #[must_use]
    pub fn receiver_needed(mut self, needed: bool) -> Self {
        self.receiver_needed = needed;
        self
    }

    /// The axon as routes, for a server that has others besides.
    ///
    /// # Errors
    /// [`Error::Route`] for a name that is no segment of a path.
    pub fn into_router(self) -> Result<Router, Error> {
        let state = Arc::new(Server::new(self)?);
        Ok(Router::new().fallback(dispatch).with_state(state))
    }

    /// Serves until `stop` resolves.
    ///
    /// # Errors
    /// [`Error::Route`] for a name that is no segment of a path.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let limits = self.limits.serving;
        serving::serve(listener, self.into_router()?, limits, stop).await;
        Ok(())
    }
}

/// What every request needs.
struct Server {
    keypair: Keypair,
    hotkey: String,
    uuid: String,
    /// Names in the order in which they were added, for the answer to an unknown one.
    names: Vec<String>,
    routes: BTreeMap<String, Route>,
    limits: AxonLimits,
    clock: Clock,
    signs_answers: bool,
    verifier: Verifier,
    authenticator: Authenticator,
    admission: Arc<Admission>,
    bodies: Bodies,
}

impl Server {
    fn new(axon: Axon) -> Result<Self, Error> {
        let hotkey = axon.keypair.ss58();
        for route in &axon.routes {
            let name = &route.shape.name;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
                let problem = "it must be 1 to 128 letters, digits, underscores or hyphens";
                return Err(Error::Route { name: name.clone(), problem });
            }
        }
        Ok(Self {
            names: axon.routes.iter().map(|route| route.shape.name.clone()).collect(),
            routes: axon.routes.into_iter().map(|route| (route.shape.name.clone(), route)).collect(),
            verifier: Verifier::new(hotkey.clone(), axon.limits.nonces),
            authenticator: Authenticator::new(hotkey.clone(), axon.receiver_needed, axon.limits.nonces),
            admission: Admission::new(axon.limits.handlers, axon.limits.waiting),
            bodies: Bodies::new(&axon.limits),
            uuid: Uuid::new_v4().to_string(),
            keypair: axon.keypair,
            hotkey,
            limits: axon.limits,
            clock: axon.clock,
            signs_answers: axon.signs_answers,
        })
    }
}

/// What of a request is known before anything of it is believed.
struct Arrival {
    peer: SocketAddr,
    begun: Instant,
    parts: axum::http::request::Parts,
    body: axum::body::Body,
}

async fn dispatch(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: HttpRequest<axum::body::Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let arrival = Arrival { peer, begun: Instant::now(), parts, body };
    let path = arrival.parts.uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(route) = server.routes.get(name) else {
        return legacy::unknown(&server, &arrival, name);
    };
    if rest.is_some() {
        return answer::detail(StatusCode::NOT_FOUND, Json::text("Not Found"));
    }
    if !matches!(arrival.parts.method, Method::GET | Method::POST) {
        let mut response = answer::detail(StatusCode::METHOD_NOT_ALLOWED, Json::text("Method Not Allowed"));
        response.headers_mut().insert(header::ALLOW, axum::http::HeaderValue::from_static("GET, POST"));
        return response;
    }
    if arrival.parts.headers.contains_key(network::btauth::header::VERSION) {
        return btauth::respond(&server, route, arrival).await;
    }
    legacy::respond(&server, route, arrival).await
}

/// When a request's time is over: its own timeout, at most ours.
fn deadline(server: &Server, begun: Instant, timeout: Duration) -> Instant {
    begun + timeout.min(server.limits.longest)
}
