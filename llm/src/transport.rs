//! Between async-openai's requests and the wire: attempts, waits and sizes. A tower service that replaces its own, whose retries
//! know no limit on the answer's size.
//!
//! **Architecture invariant:** what leaves this service upwards is a well-formed chat completion or an [`Error`]: async-openai
//! logs what it cannot read.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use async_openai::middleware::HttpRequestFactory;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use tower::BoxError;

use crate::address::Address;
use crate::error::with_causes;
use crate::retry::{self, Meaning};
use crate::wire::{ChatCompletion, Refusal};
use crate::{Endpoint, Error};

/// The largest answer that is read: the longest reply that is recorded (256 KiB) with every byte escaped, and the frame.
pub(crate) const MAXIMUM_ANSWER: usize = 2 * 1024 * 1024;
/// How much of a refusal is read.
const MAXIMUM_REFUSAL: usize = 16 * 1024;

/// What the attempts of one call came to.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// How long the successful attempt took.
    pub(crate) latency: Duration,
    /// Attempts that were cut off and may have been charged.
    pub(crate) uncertain: u32,
}

/// Sends the requests of one call.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    pub(crate) name: Arc<str>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) address: Address,
    pub(crate) http: reqwest::Client,
    pub(crate) record: Arc<Mutex<Record>>,
}

/// Why an attempt gave no answer.
enum Failure {
    /// It may succeed later, perhaps after a wait that the endpoint asks for.
    Later { problem: String, wait: Option<Duration> },
    /// It would fail again.
    Final(Error),
}

impl tower::Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, requests: HttpRequestFactory) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move { transport.attempts(&requests).await.map_err(BoxError::from) })
    }
}

impl Transport {
    async fn attempts(&self, requests: &HttpRequestFactory) -> Result<Response, Error> {
        let mut attempt = 1;
        loop {
            let (problem, wait) = match self.attempt(requests).await {
                Ok(response) => return Ok(response),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Later { problem, wait }) => (problem, wait),
            };
            let endpoint = self.name.to_string();
            if attempt >= self.endpoint.attempts {
                return Err(Error::Unavailable { endpoint, attempts: attempt, problem });
            }
            let limit = Duration::from_secs(self.endpoint.longest_wait_seconds);
            if let Some(asked) = wait.filter(|wait| *wait > limit) {
                let (asked_seconds, limit_seconds) = (asked.as_secs(), limit.as_secs());
                return Err(Error::WaitTooLong { endpoint, asked_seconds, limit_seconds, problem });
            }
            // Without randomness validators may come back together, and nothing worse.
            let wait = wait.unwrap_or_else(|| retry::backoff(attempt, getrandom::u32().unwrap_or(u32::MAX)).min(limit));
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(endpoint, attempt, wait_ms, problem, "a language model did not answer; trying again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, requests: &HttpRequestFactory) -> Result<Response, Failure> {
        let request = requests.build().await.map_err(|error| {
            let problem = self.address.clean(&with_causes(&error));
            Failure::Final(Error::Request { endpoint: self.name.to_string(), problem })
        })?;
        let begun = Instant::now();
        let response = self.http.execute(request).await.map_err(|error| self.broken(error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response).await);
        }
        let body = self.read(response, MAXIMUM_ANSWER).await?;
        if let Err(error) = serde_json::from_slice::<ChatCompletion>(&body) {
            let problem = self.address.clean(&error.to_string());
            // It was answered, so it was charged.
            self.count_uncertain();
            return Err(Failure::Final(Error::NotACompletion { endpoint: self.name.to_string(), problem }));
        }
        self.record.lock().unwrap_or_else(PoisonError::into_inner).latency = begun.elapsed();
        let answer = http::Response::builder().status(status).body(body);
        answer.map(Response::from).map_err(|error| {
            Failure::Final(Error::NotACompletion { endpoint: self.name.to_string(), problem: error.to_string() })
        })
    }

    fn count_uncertain(&self) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.uncertain = record.uncertain.saturating_add(1);
    }

    /// A connection that did not come about or broke.
    fn broken(&self, error: reqwest::Error) -> Failure {
        if !error.is_connect() {
            self.count_uncertain();
        }
        let problem = if error.is_timeout() && !error.is_connect() {
            format!("no answer within timeout_seconds = {}", self.endpoint.timeout_seconds)
        } else {
            self.address.clean(&with_causes(&error))
        };
        Failure::Later { problem, wait: None }
    }

    async fn refused(&self, response: Response) -> Failure {
        let status = response.status().as_u16();
        let endpoint = self.name.to_string();
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry::retry_after(value, SystemTime::now()));
        // A refusal that cannot be read to its end says enough with its status.
        let refusal = Refusal::read(&begin_of(response, MAXIMUM_REFUSAL).await);
        let message = self.address.clean(&refusal.message);
        match retry::meaning(status, refusal.quota_is_spent) {
            Meaning::Later => Failure::Later { problem: format!("status {status}: {message}"), wait },
            Meaning::Key => Failure::Final(Error::KeyRefused { endpoint, status, message }),
            Meaning::Success | Meaning::Never => Failure::Final(Error::Refused { endpoint, status, message }),
        }
    }

    /// The body, which must not be larger than `limit`.
    async fn read(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > limit {
                self.count_uncertain();
                return Err(Failure::Final(Error::TooLarge { endpoint: self.name.to_string(), limit }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// At most `limit` bytes of a body, as far as it comes.
async fn begin_of(mut response: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == limit {
            break;
        }
    }
    body
}
