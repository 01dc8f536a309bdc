//! Miners asked over plain HTTP/1.1: `POST {axon}/inference`, `GET {axon}/availability`.
//!
//! The peer is hostile: its address passes the guard and is connected to as the literal it is (no name is resolved, no
//! redirect followed, no proxy asked), one deadline covers the whole exchange, and no body is read beyond its limit. A
//! connection is never kept for a second request: a miner that closes an idle one must not look like one that failed.
//!
//! Requests say `te: trailers`, so that a miner may send its answer while it makes it and its signature, which covers the whole
//! body, behind it ([RFC 9110, 6.5](https://www.rfc-editor.org/rfc/rfc9110#section-6.5)). A signature in the head goes before one
//! in the trailers.
//!
//! **Architecture invariant:** the only bytes that leave here are those of a [`TransportRequest`], whose event is committed.

use std::error::Error as _;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axon::hostile::{self, causes};
use domain::events::FailureReason;
use domain::types::{Hotkey, Micros};
use domain::wire::{Dialect, header};
use http_body_util::BodyExt;
use network::address::AddressGuard;
use reqwest::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Response, StatusCode};
use tokio::sync::Semaphore;

use super::{
    LARGEST_ANSWER, LARGEST_FAILED_BODY, MinerTransport, TransportError, TransportReply, TransportRequest, axon_at,
    not_streamed, plain, receipt, text_of,
};
use crate::Error;
use crate::clock::now;

/// Connections open at once. Sweeps take up to 256 of them, 15 rounds of 7 miners 105.
const MOST_CONNECTIONS: usize = 512;

/// The longest wait for a connection, within the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer to `GET /availability`, in bytes.
const LARGEST_AVAILABILITY: usize = 4 << 10;

/// Asks miners over plain HTTP.
#[derive(Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    guard: AddressGuard,
    places: Semaphore,
}

/// What is known of an exchange so far; it outlives a deadline that cuts the exchange off.
#[derive(Default)]
struct Received {
    sent_at: Option<Micros>,
    first_byte_at: Option<Micros>,
    status: u16,
    body: Vec<u8>,
    signature: Option<String>,
    signed_by: Option<String>,
}

impl Received {
    /// Takes what headers or trailers say of the signature, where nothing before them did.
    fn signature_in(&mut self, headers: &HeaderMap) {
        if self.signature.is_none() {
            self.signature = text_of(headers, header::SIGNATURE);
        }
        if self.signed_by.is_none() {
            self.signed_by = text_of(headers, header::HOTKEY);
        }
    }
}

type Failure = (FailureReason, String);

impl HttpTransport {
    /// A transport; miners in private address ranges are asked only when the network is a local one.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(network_is_local: bool) -> Result<Self, Error> {
        let client = hostile::client(CONNECT_TIMEOUT)
            .map_err(|error| Error::Setting { setting: "http client", problem: causes(&error) })?;
        let guard = AddressGuard::for_network(if network_is_local { "local" } else { "public" });
        Ok(Self { client, guard, places: Semaphore::new(MOST_CONNECTIONS) })
    }

    async fn exchange(&self, request: &TransportRequest, received: &mut Received) -> Result<(), Failure> {
        let axon =
            axon_at(&self.guard, &request.address).map_err(|detail| (FailureReason::ForbiddenAddress, detail))?;
        let headers = request_headers(request).map_err(|detail| (FailureReason::Unreachable, detail))?;
        let _place = self.places.acquire().await.map_err(|_| closed())?;
        let builder = self.client.post(format!("http://{axon}/inference")).headers(headers).body(request.body.clone());
        received.sent_at = Some(now());
        let response = builder.send().await.map_err(before_answer)?;
        received.status = response.status().as_u16();
        received.signature_in(response.headers());
        if response.status() != StatusCode::OK {
            let refused = refusal(response.status());
            // What a person may look at. That it breaks off, or is longer, changes nothing.
            let _ = read(response, received, LARGEST_FAILED_BODY).await;
            return Err((FailureReason::Refused, refused));
        }
        announced(&response, LARGEST_ANSWER)?;
        let content_type = text_of(response.headers(), CONTENT_TYPE.as_str());
        read(response, received, LARGEST_ANSWER).await?;
        let none = not_streamed(request.kind, content_type.as_deref(), &received.body);
        none.map_or(Ok(()), |detail| Err((FailureReason::Protocol, detail)))
    }

    /// Asks a miner whether it is available, within `timeout`. `known` says whether its dialect has the route: where it has
    /// none, a miner that does not know it is there all the same.
    pub(super) async fn answers(&self, address: &str, known: bool, timeout: Duration) -> Result<Duration, String> {
        let started = Instant::now();
        match tokio::time::timeout(timeout, self.probe(address, known)).await {
            Ok(Ok(())) => Ok(started.elapsed()),
            Ok(Err(detail)) => Err(plain(&detail)),
            Err(_) => Err(format!("no answer within {} ms", timeout.as_millis())),
        }
    }

    async fn probe(&self, address: &str, known: bool) -> Result<(), String> {
        let axon = axon_at(&self.guard, address)?;
        let _place = self.places.acquire().await.map_err(|_| closed().1)?;
        let sent = self.client.get(format!("http://{axon}/availability")).send().await;
        let response = sent.map_err(|error| before_answer(error).1)?;
        if !known && matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return Ok(());
        }
        if response.status() != StatusCode::OK {
            return Err(refusal(response.status()));
        }
        let mut received = Received::default();
        announced(&response, LARGEST_AVAILABILITY).map_err(|(_, detail)| detail)?;
        read(response, &mut received, LARGEST_AVAILABILITY).await.map_err(|(_, detail)| detail)?;
        is_available(&received.body)
    }
}

#[async_trait]
impl MinerTransport for HttpTransport {
    fn dialect(&self) -> Dialect {
        Dialect::Http
    }

    async fn ask(&self, request: TransportRequest) -> Result<TransportReply, TransportError> {
        let mut received = Received::default();
        let exchange = tokio::time::timeout(request.timeout, self.exchange(&request, &mut received)).await;
        let outcome = exchange.unwrap_or_else(|_| {
            let detail = format!("no complete answer within {} ms", request.timeout.as_millis());
            Err((FailureReason::TimedOut, detail))
        });
        let ended = now();
        let sent_at = received.sent_at.unwrap_or(ended);
        match outcome {
            Ok(()) => Ok(TransportReply {
                status: received.status,
                body: received.body,
                signature: received.signature,
                signed_by: received.signed_by,
                sent_at,
                first_byte_at: received.first_byte_at.unwrap_or(ended),
                received_at: ended,
            }),
            Err((reason, detail)) => {
                received.body.truncate(LARGEST_FAILED_BODY);
                Err(TransportError {
                    reason,
                    detail: plain(&detail),
                    status: received.status,
                    body: received.body,
                    signature: received.signature,
                    signed_by: received.signed_by,
                    sent_at,
                    failed_at: ended,
                })
            }
        }
    }

    async fn available(&self, _: &Hotkey, address: &str, timeout: Duration) -> Result<Duration, String> {
        self.answers(address, true, timeout).await
    }
}

fn request_headers(request: &TransportRequest) -> Result<HeaderMap, String> {
    let fields = receipt(request);
    let mut headers = HeaderMap::with_capacity(fields.len() + 3);
    for (name, value) in fields {
        let value = HeaderValue::from_str(&value).map_err(|_| format!("{name} cannot be written as a header"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Who says the one has to say the other (RFC 9110, 10.1.4).
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONNECTION, HeaderValue::from_static("te"));
    Ok(headers)
}

/// Refuses a body by the length that it announces.
fn announced(response: &Response, limit: usize) -> Result<(), Failure> {
    match response.content_length() {
        Some(length) if length > limit as u64 => {
            Err((FailureReason::TooLarge, format!("announces {length} bytes, the limit is {limit}")))
        }
        _ => Ok(()),
    }
}

/// Reads a body up to `limit` bytes, and the trailers behind it. What was read stays in `received` whatever happens, and when
/// the first bytes came.
async fn read(response: Response, received: &mut Received, limit: usize) -> Result<(), Failure> {
    let mut frames = reqwest::Body::from(response);
    loop {
        let frame = match frames.frame().await {
            None => return Ok(()),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                let (count, cause) = (received.body.len(), causes(&error.without_url()));
                return Err((FailureReason::Protocol, format!("the answer broke off after {count} bytes: {cause}")));
            }
        };
        if let Some(trailers) = frame.trailers_ref() {
            received.signature_in(trailers);
        } else if let Some(chunk) = frame.data_ref() {
            received.first_byte_at.get_or_insert_with(now);
            let room = limit.saturating_sub(received.body.len());
            received.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return Err((FailureReason::TooLarge, format!("more than {limit} bytes")));
            }
        }
    }
}

fn is_available(body: &[u8]) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Availability {
        available: bool,
        #[serde(default)]
        reason: Option<String>,
    }
    match serde_json::from_slice(body) {
        Ok(Availability { available: true, .. }) => Ok(()),
        Ok(Availability { reason, .. }) => Err(format!("says that it is not: {}", reason.unwrap_or_default())),
        Err(error) => Err(format!("the answer is not understood: {error}")),
    }
}

fn refusal(status: StatusCode) -> String {
    let what = if status.is_redirection() { "a redirect, which is not followed" } else { "no answer" };
    format!("status {}: {what}", status.as_u16())
}

/// Nothing of an answer came: either there was no connection, or it did not speak HTTP, or it ended first.
fn before_answer(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let reason = if is_unreadable(&error) { FailureReason::Protocol } else { FailureReason::Unreachable };
    (reason, causes(&error))
}

fn is_unreadable(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The semaphore is never closed.
fn closed() -> Failure {
    (FailureReason::Unreachable, "the validator is stopping".to_owned())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
