//! One request to a miner and its whole answer: a literal address that the guard lets through, no redirect, no body beyond
//! its limit. The time is the caller's: it wraps all requests of one exchange in one deadline.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use domain::types::Micros;
use http_body_util::BodyExt;
use network::address::AddressGuard;
use tokio::sync::Semaphore;

use crate::client::{DendriteLimits, Failure};
use crate::clock::Clock;
use crate::error::Error;
use crate::hostile;

/// Why there is no answer that can be used, with a text for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// In a closed set of words.
    pub failure: Failure,
    /// What happened.
    pub text: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The answer, where a whole one came that is a refusal.
    pub reply: Option<Box<Reply>>,
    /// When the request itself was sent, if it was: after whatever had to be exchanged first.
    pub sent_at: Option<Micros>,
}

impl Problem {
    pub(crate) fn new(failure: Failure, text: impl ToString) -> Self {
        Self { failure, text: text.to_string(), status: None, reply: None, sent_at: None }
    }

    pub(crate) fn protocol(text: impl ToString) -> Self {
        Self::new(Failure::Protocol, text)
    }

    /// An answer of another status than those that are wanted.
    #[must_use]
    pub fn refused(reply: &Reply) -> Self {
        let said: String = String::from_utf8_lossy(&reply.body).chars().filter(|c| !c.is_control()).take(200).collect();
        let (status, text) = (Some(reply.status), format!("status {}: {said}", reply.status));
        Self { status, reply: Some(Box::new(reply.clone())), ..Self::new(Failure::Refused, text) }
    }
}

/// A whole answer of any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Just before the request was sent; where the same question was sent twice, the first time.
    pub sent_at: Micros,
    /// Just after the first bytes of the body were read; the end where there were none.
    pub first_byte_at: Micros,
    /// Just after the last byte was read.
    pub received_at: Micros,
}

/// A header field besides those of the dialect. Where both have one of a name, the dialect's goes.
pub type Line = (&'static str, String);

/// When a question was sent first. It outlives the deadline that cuts an exchange off.
///
/// **Invariant:** a second sending does not change it. Who has read the question works from then on, and would otherwise stop its
/// own clock by asking for another key.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicU64);

impl Sent {
    /// Notes a sending, and says when the first one was.
    fn note(&self, now: Micros) -> Micros {
        let noted = self.0.compare_exchange(0, now.0, Ordering::Relaxed, Ordering::Relaxed);
        noted.err().map_or(now, Micros)
    }

    fn at(&self) -> Option<Micros> {
        Some(self.0.load(Ordering::Relaxed)).filter(|time| *time > 0).map(Micros)
    }
}

pub(crate) struct Post {
    guard: AddressGuard,
    client: reqwest::Client,
    clock: Clock,
    places: Semaphore,
    answer_bytes: usize,
}

/// What leaves.
pub(crate) struct Parcel<'a> {
    pub(crate) method: Method,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'a str,
    pub(crate) extra: &'a [Line],
    pub(crate) headers: Vec<Line>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// Where to note when it is sent.
    pub(crate) sent: Option<&'a Sent>,
}

impl Post {
    pub(crate) fn new(guard: AddressGuard, limits: &DendriteLimits, clock: Clock) -> Result<Self, Error> {
        let client = hostile::client(limits.connect)?;
        let places = Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { guard, client, clock, places, answer_bytes: limits.answer_bytes })
    }

    pub(crate) async fn send(&self, parcel: Parcel<'_>) -> Result<Reply, Problem> {
        let address =
            self.guard.check(parcel.address).map_err(|error| Problem::new(Failure::ForbiddenAddress, error))?;
        let mut headers = HeaderMap::with_capacity(parcel.extra.len() + parcel.headers.len() + 1);
        for (name, value) in parcel.extra.iter().chain(&parcel.headers) {
            let value = HeaderValue::from_str(value).map_err(|_| Problem::protocol(format!("{name} is no header")))?;
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(Problem::protocol)?, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(parcel.content_type));
        // The semaphore is never closed.
        let _place = self.places.acquire().await.map_err(|error| Problem::new(Failure::Unreachable, error))?;
        let url = format!("http://{address}{}", parcel.path);
        let request = self.client.request(parcel.method, url).headers(headers).body(parcel.body);
        let now = self.now();
        let sent_at = parcel.sent.map_or(now, |sent| sent.note(now));
        let response = request.send().await.map_err(|error| {
            let failure = if error.is_connect() { Failure::Unreachable } else { Failure::Disconnected };
            Problem::new(failure, error.without_url())
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let read = self.read(response).await;
        let (body, first) = read.map_err(|problem| Problem { status: Some(status), ..problem })?;
        let received_at = self.now();
        Ok(Reply { status, headers, body, sent_at, first_byte_at: first.unwrap_or(received_at), received_at })
    }

    fn now(&self) -> Micros {
        Micros(self.clock.now() / 1_000)
    }

    /// The body, and when its first bytes came.
    async fn read(&self, response: reqwest::Response) -> Result<(Bytes, Option<Micros>), Problem> {
        let too_large = || Problem::new(Failure::TooLarge, format!("more than {} bytes", self.answer_bytes));
        if response.content_length().is_some_and(|length| length > self.answer_bytes as u64) {
            return Err(too_large());
        }
        let (mut body, mut first) = (Vec::new(), None);
        let mut frames = reqwest::Body::from(response);
        while let Some(frame) = frames.frame().await {
            let frame = frame.map_err(|error| Problem::new(Failure::Disconnected, error.without_url()))?;
            let Some(piece) = frame.data_ref() else { continue };
            first.get_or_insert_with(|| self.now());
            if piece.len() > self.answer_bytes - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(piece);
        }
        Ok((Bytes::from(body), first))
    }
}

/// Runs an exchange within one deadline.
pub(crate) async fn within<T>(
    timeout: Duration,
    exchange: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let ended = tokio::time::timeout(timeout, exchange).await;
    let late = |_| Err(Problem::new(Failure::TimedOut, format!("no whole answer in {timeout:?}")));
    ended.unwrap_or_else(late)
}

/// As [`within`]; what goes wrong says when the request was sent.
pub(crate) async fn telling<T>(
    timeout: Duration,
    sent: &Sent,
    exchange: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    within(timeout, exchange).await.map_err(|problem| Problem { sent_at: sent.at(), ..problem })
}
