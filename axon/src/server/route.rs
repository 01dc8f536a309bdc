//! A route: the synapse it is for, its handler, and who may come to it when.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::HeaderMap;
use domain::types::Hotkey;
use futures::Stream;
use futures::stream::BoxStream;
use network::legacy::{Json, Shape};

/// A request whose sender is verified and whose body is one of the route's shape.
#[derive(Debug)]
pub struct Request {
    /// Who asks: the signer. Nothing in `fields`, `body` or `headers` says so.
    pub hotkey: Hotkey,
    /// Where the connection came from.
    pub peer: SocketAddr,
    /// The synapse's own fields in order of declaration, of their declared types, with defaults filled in.
    pub fields: Vec<(String, Json)>,
    /// The exact body.
    pub body: Bytes,
    /// How long the handler may take from now.
    pub timeout: Duration,
    /// All headers, for extras such as a receipt. None of them is covered by the signature of SDK 6 to 10.
    pub headers: HeaderMap,
}

impl Request {
    /// A field of the synapse.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}

/// What a handler answers.
pub enum Answer {
    /// The synapse's fields that it filled; the others go back as they came.
    Fields(Vec<(String, Json)>, HeaderMap),
    /// Pieces of a stream, sent as `text/event-stream` as they come.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

impl Answer {
    /// Filled fields.
    pub fn fields<S: Into<String>>(fields: impl IntoIterator<Item = (S, Json)>) -> Self {
        Self::Fields(fields.into_iter().map(|(name, value)| (name.into(), value)).collect(), HeaderMap::new())
    }

    /// A stream.
    pub fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::Stream(Box::pin(pieces))
    }
}

impl Answer {
    /// No field filled: everything goes back as it came.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::Fields(Vec::new(), HeaderMap::new())
    }
}

/// Why a handler does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// Something broke. The caller gets a number that the log has too, and nothing of this text.
    #[error("{0}")]
    Failed(String),
    /// The caller is told why: a status of 4xx or 5xx and a text.
    #[error("{message}")]
    Refused {
        /// The status; anything that is no error becomes 500.
        status: u16,
        /// The text.
        message: String,
    },
}

/// Answers requests.
#[async_trait]
pub trait Handler: Send + Sync {
    /// One answer. It is dropped when the request's time is over.
    async fn answer(&self, request: Request) -> Result<Answer, HandlerError>;
}

#[async_trait]
impl<F, R> Handler for F
where
    F: Fn(Request) -> R + Send + Sync,
    R: Future<Output = Result<Answer, HandlerError>> + Send,
{
    async fn answer(&self, request: Request) -> Result<Answer, HandlerError> {
        self(request).await
    }
}

/// What a request says of itself before its signature is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The hotkey that it names, if it names one; anybody can write any.
    pub hotkey: Option<&'a str>,
    /// The synapse that it is for.
    pub synapse: &'a str,
    /// Where the connection came from.
    pub peer: SocketAddr,
}

/// Why there is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorityError {
    /// It could not be found out in time: 408.
    TimedOut,
    /// It could not be found out: 500.
    Failed,
}

type Blacklist = Box<dyn Fn(&Claim<'_>) -> Option<String> + Send + Sync>;
type Priority = Box<dyn Fn(&Hotkey) -> Result<f64, PriorityError> + Send + Sync>;

/// A route of an axon.
pub struct Route {
    pub(super) shape: Shape,
    pub(super) handler: Box<dyn Handler>,
    pub(super) blacklist: Option<Blacklist>,
    pub(super) priority: Option<Priority>,
}

impl Route {
    /// A route for a synapse; its name is the path.
    pub fn new(shape: Shape, handler: impl Handler + 'static) -> Self {
        Self { shape, handler: Box::new(handler), blacklist: None, priority: None }
    }

    /// Who is refused, and why. It is asked before the signature is verified and can therefore only refuse; it must be quick,
    /// for anybody can have it asked.
    #[must_use]
    pub fn blacklist(mut self, hook: impl Fn(&Claim<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        self.blacklist = Some(Box::new(hook));
        self
    }

    /// Who comes first when handlers are scarce: the greater number. Usually the stake. Without it all are equal.
    #[must_use]
    pub fn priority(mut self, hook: impl Fn(&Hotkey) -> Result<f64, PriorityError> + Send + Sync + 'static) -> Self {
        self.priority = Some(Box::new(hook));
        self
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Route").field("shape", &self.shape).finish_non_exhaustive()
    }
}
