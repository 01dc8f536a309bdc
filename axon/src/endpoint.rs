//! What the servers of fiber, Loosh's dialects and Epistula have in common: endpoints by path, who is admitted, and how much
//! at once. Which of them a request speaks is the affair of each.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::types::Hotkey;
use futures::FutureExt;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Error;
use crate::server::admission::{Admission, NoPlace};
use crate::server::bodies::{Bodies, Held};
use crate::server::{AxonLimits, HandlerError};

/// A request whose sender was proven.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asks.
    pub hotkey: Hotkey,
    /// From where.
    pub peer: SocketAddr,
    /// What, in clear.
    pub payload: Bytes,
    /// All headers, for extras such as a receipt.
    pub headers: HeaderMap,
}

/// An answer before it is written in the dialect.
#[derive(Debug, Clone, Default)]
pub struct Answered {
    /// The text of a JSON value.
    pub body: Vec<u8>,
    /// Header fields besides the dialect's own, such as a signature of the answer.
    pub headers: HeaderMap,
}

impl From<Vec<u8>> for Answered {
    fn from(body: Vec<u8>) -> Self {
        Self { body, headers: HeaderMap::new() }
    }
}

/// Answers the requests of one path with JSON.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// The answer.
    async fn answer(&self, asked: Asked) -> Result<Answered, HandlerError>;
}

#[async_trait]
impl<F, A, T> Endpoint for F
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Result<T, HandlerError>> + Send,
    T: Into<Answered> + Send,
{
    async fn answer(&self, asked: Asked) -> Result<Answered, HandlerError> {
        self(asked).await.map(Into::into)
    }
}

/// Who may ask, and how soon: a priority, the greater the sooner, or none for a hotkey that may not ask.
pub type Admitted = Arc<dyn Fn(&Hotkey) -> Option<f64> + Send + Sync>;

/// Everybody may ask, in the order of arrival.
#[must_use]
pub fn everybody() -> Admitted {
    Arc::new(|_| Some(0.0))
}

/// Paths, limits and places of a server.
pub(crate) struct Doors {
    pub(crate) clock: Clock,
    endpoints: BTreeMap<String, Arc<dyn Endpoint>>,
    admitted: Admitted,
    bodies: Bodies,
    admission: Arc<Admission>,
    limits: AxonLimits,
}

/// A status and a text for the caller.
pub(crate) type Refused = (StatusCode, String);

impl Doors {
    pub(crate) fn new(admitted: Admitted, limits: AxonLimits, clock: Clock) -> Self {
        let (bodies, admission) = (Bodies::new(&limits), Admission::new(limits.handlers, limits.waiting));
        Self { clock, endpoints: BTreeMap::new(), admitted, bodies, admission, limits }
    }

    pub(crate) fn add(&mut self, path: &str, endpoint: impl Endpoint) {
        self.endpoints.insert(path.to_owned(), Arc::new(endpoint));
    }

    /// Paths begin with a slash and have plain characters only.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
        let odd =
            |path: &&String| path.len() < 2 || path.len() > 128 || !path.starts_with('/') || !path.chars().all(plain);
        match self.endpoints.keys().find(odd) {
            Some(path) => {
                let problem = "a path must be a slash and up to 127 letters, digits, _, -, . and slashes";
                Err(Error::Route { name: path.clone(), problem })
            }
            None => Ok(()),
        }
    }

    pub(crate) fn endpoint(&self, path: &str) -> Option<Arc<dyn Endpoint>> {
        self.endpoints.get(path).map(Arc::clone)
    }

    pub(crate) fn admits(&self, hotkey: &Hotkey) -> bool {
        (self.admitted)(hotkey).is_some()
    }

    pub(crate) fn limits(&self) -> &AxonLimits {
        &self.limits
    }

    pub(crate) async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Held, Refused> {
        self.bodies.read(headers, body).await
    }

    /// Waits for a place and runs the endpoint, both within the longest time of a request.
    pub(crate) async fn run(&self, endpoint: &dyn Endpoint, asked: Asked, begun: Instant) -> Result<Answered, Refused> {
        let until = begun + self.limits.longest;
        let late = || (StatusCode::REQUEST_TIMEOUT, "Response timeout".to_owned());
        let priority = (self.admitted)(&asked.hotkey).unwrap_or(f64::NEG_INFINITY);
        let place = self.admission.place(priority, until).await.map_err(|refused| match refused {
            NoPlace::TimedOut => late(),
            NoPlace::Full => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests are waiting".to_owned()),
        })?;
        let answered = timeout_at(until, AssertUnwindSafe(endpoint.answer(asked)).catch_unwind()).await;
        drop(place);
        match answered.map_err(|_| late())? {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(HandlerError::Refused { status, message })) => {
                let status = StatusCode::from_u16(status).ok().filter(|s| s.is_client_error() || s.is_server_error());
                Err((status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), message))
            }
            Ok(Err(HandlerError::Failed(problem))) => Err(broken(&problem)),
            Err(_) => Err(broken("the endpoint panicked")),
        }
    }
}

fn broken(problem: &str) -> Refused {
    let number = Uuid::new_v4();
    tracing::warn!(%number, problem, "a request fails");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("Internal Server Error #{number}"))
}

/// An answer of JSON, with its further header fields.
pub(crate) fn answered(Answered { body, headers }: Answered) -> Response {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().extend(headers);
    response
}

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, text: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// `{"detail": …}`, as the Python servers of these protocols refuse.
pub(crate) fn detail((status, text): Refused) -> Response {
    json(status, serde_json::json!({ "detail": text }).to_string().into_bytes())
}

/// A header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
