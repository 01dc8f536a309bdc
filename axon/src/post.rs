//! One request to a miner and its whole answer: a literal address that the guard lets through, no redirect, no body beyond
//! its limit. The time is the caller's: it wraps all requests of one exchange in one deadline.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::BodyExt;
use network::address::AddressGuard;
use tokio::sync::Semaphore;

use crate::client::{DendriteLimits, Failure};
use crate::error::Error;

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
}

impl Problem {
    pub(crate) fn new(failure: Failure, text: impl ToString) -> Self {
        Self { failure, text: text.to_string(), status: None }
    }

    pub(crate) fn protocol(text: impl ToString) -> Self {
        Self::new(Failure::Protocol, text)
    }

    /// An answer of another status than those that are wanted.
    pub(crate) fn refused(reply: &Reply) -> Self {
        let said: String = String::from_utf8_lossy(&reply.body).chars().filter(|c| !c.is_control()).take(200).collect();
        Self { failure: Failure::Refused, text: format!("status {}: {said}", reply.status), status: Some(reply.status) }
    }
}

/// A whole answer of any status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

pub(crate) struct Post {
    guard: AddressGuard,
    client: reqwest::Client,
    places: Semaphore,
    answer_bytes: usize,
}

/// What leaves.
pub(crate) struct Parcel<'a> {
    pub(crate) method: Method,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn new(guard: AddressGuard, limits: &DendriteLimits) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(limits.connect)
            .tcp_nodelay(true)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Client)?;
        let places = Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { guard, client, places, answer_bytes: limits.answer_bytes })
    }

    pub(crate) async fn send(&self, parcel: Parcel<'_>) -> Result<Reply, Problem> {
        let address =
            self.guard.check(parcel.address).map_err(|error| Problem::new(Failure::ForbiddenAddress, error))?;
        let mut headers = HeaderMap::with_capacity(parcel.headers.len() + 1);
        for (name, value) in parcel.headers {
            let value = HeaderValue::from_str(&value).map_err(|_| Problem::protocol(format!("{name} is no header")))?;
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(Problem::protocol)?, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(parcel.content_type));
        // The semaphore is never closed.
        let _place = self.places.acquire().await.map_err(|error| Problem::new(Failure::Unreachable, error))?;
        let url = format!("http://{address}{}", parcel.path);
        let request = self.client.request(parcel.method, url).headers(headers).body(parcel.body);
        let response = request.send().await.map_err(|error| {
            let failure = if error.is_connect() { Failure::Unreachable } else { Failure::Disconnected };
            Problem::new(failure, error.without_url())
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.read(response).await?;
        Ok(Reply { status, headers, body })
    }

    async fn read(&self, response: reqwest::Response) -> Result<Bytes, Problem> {
        let too_large = || Problem::new(Failure::TooLarge, format!("more than {} bytes", self.answer_bytes));
        if response.content_length().is_some_and(|length| length > self.answer_bytes as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        let mut frames = reqwest::Body::from(response);
        while let Some(frame) = frames.frame().await {
            let frame = frame.map_err(|error| Problem::new(Failure::Disconnected, error.without_url()))?;
            let Some(piece) = frame.data_ref() else { continue };
            if piece.len() > self.answer_bytes - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(piece);
        }
        Ok(Bytes::from(body))
    }
}

/// Runs an exchange within one deadline.
pub(crate) async fn within<T>(
    timeout: Duration,
    exchange: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let ended = tokio::time::timeout(timeout, exchange).await;
    ended.unwrap_or_else(|_| Err(Problem::new(Failure::TimedOut, format!("no whole answer in {timeout:?}"))))
}
