//! The routes, and what is around all of them: places, time, counting.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use domain::types::sha256;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::metrics::{Gauges, Metrics};
use super::records::{Outcome, Records};
use super::replies::{self, later, refused};
use super::reservations::{Journal, Micros, Taken};
use super::{Config, folder};
use crate::client::NONE_FREE;
use crate::conversation::Conversation;
use crate::error::{Error, with_causes};

/// Bytes of a request for a conversation.
const RESERVE_BYTES: usize = 4 << 10;

/// What the handlers share.
pub(super) struct App {
    config: Config,
    /// SHA-256 of the key.
    key: Option<[u8; 32]>,
    conversations: BTreeMap<u128, Conversation>,
    journal: Mutex<Journal>,
    records: Mutex<Records>,
    places: Semaphore,
    metrics: Metrics,
    /// Held while the server lives.
    _lock: std::fs::File,
}

impl App {
    /// Takes the folder and reads what is in it.
    pub(super) fn open(config: Config, conversations: Vec<Conversation>) -> Result<Arc<Self>, Error> {
        let lock = folder::take(&config.folder)?;
        let order = conversations.iter().map(|conversation| conversation.guid);
        let journal = Journal::open(&config.folder, order, now())?;
        let records = Records::open(&config.folder, config.limits.all_record_bytes)?;
        Ok(Arc::new(Self {
            key: config.key.as_ref().map(|key| sha256(key.text().as_bytes()).0),
            conversations: conversations.into_iter().map(|found| (found.guid, found)).collect(),
            journal: Mutex::new(journal),
            records: Mutex::new(records),
            places: Semaphore::new(config.limits.requests.min(Semaphore::MAX_PERMITS)),
            metrics: Metrics::default(),
            config,
            _lock: lock,
        }))
    }

    /// Whether a request may read and change something. With a key it must bring it; without one it must come from this
    /// machine, and not from a page in a browser there.
    fn admit(&self, peer: IpAddr, headers: &HeaderMap, query: &str) -> Result<(), Box<Response>> {
        let Some(key) = &self.key else {
            if peer.is_loopback() && !headers.contains_key(header::ORIGIN) && !forwarded(headers) {
                return Ok(());
            }
            return Err(Box::new(refused(
                StatusCode::FORBIDDEN,
                "forbidden",
                "only this machine is served without a key",
            )));
        };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer =
            bearer.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let given = bearer.map(|(_, key)| key.trim()).or_else(|| parameter(query, "api"));
        // Digests are compared, so that the time tells nothing about the key.
        match given {
            Some(given) if sha256(given.as_bytes()).0 == *key => Ok(()),
            Some(_) => Err(Box::new(refused(StatusCode::UNAUTHORIZED, "unauthorized", "the key is not accepted"))),
            None => Err(Box::new(refused(StatusCode::UNAUTHORIZED, "unauthorized", "send Authorization: Bearer KEY"))),
        }
    }
}

fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Whether a proxy says that the request comes from elsewhere.
fn forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name))
}

/// A parameter of a query as it stands there; the ones that matter have nothing to decode.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(found, _)| *found == name).map(|(_, value)| value))
}

/// All routes with what is around them.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/conversation/reserve", post(reserve))
        .route("/api/v1/conversation/record/{guid}", put(record))
        .route("/metrics", get(figures))
        .fallback(|| async { refused(StatusCode::NOT_FOUND, "no_such_route", "there is no such route") })
        .method_not_allowed_fallback(|| async {
            refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route does not take this method")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// Limits the number and the time of requests, and counts them.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/api/v1/conversation/reserve") => "/api/v1/conversation/reserve",
        Some("/api/v1/conversation/record/{guid}") => "/api/v1/conversation/record",
        Some("/metrics") => "/metrics",
        _ => "other",
    };
    let response = match app.places.try_acquire() {
        Ok(_place) => match tokio::time::timeout(app.config.limits.request_timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refused(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long"),
        },
        Err(_) => later("busy", "too many requests at once", 1),
    };
    app.metrics.count(route, response.status().as_u16());
    response
}

#[derive(Default, Deserialize)]
struct Wish<'a> {
    task_type: Option<String>,
    #[serde(borrow)]
    task_guid: Option<&'a RawValue>,
}

async fn reserve(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    let query = query.unwrap_or_default();
    if let Err(refusal) = app.admit(peer.ip(), &headers, &query) {
        return *refusal;
    }
    let body = match bytes(body, RESERVE_BYTES).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let wanted = match wish(&body) {
        Ok(wanted) => wanted,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, "malformed", problem),
    };
    let expiry = u64::try_from(app.config.expiry.as_micros()).unwrap_or(u64::MAX);
    let journal = Arc::clone(&app);
    let reserved = blocking(move || {
        let mut journal = journal.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.reserve(wanted, now(), expiry)
    });
    match reserved.await {
        Ok(Ok((guid, _))) => match app.conversations.get(&guid) {
            Some(found) => replies::conversation(found, parameter(&query, "cgp_version").is_some()),
            None => refused(StatusCode::NOT_FOUND, "unknown", "there is no such conversation"),
        },
        Ok(Err(Taken::Unknown)) => refused(StatusCode::NOT_FOUND, "unknown", "there is no such conversation"),
        Ok(Err(Taken::Until(end))) => {
            let wait = Duration::from_micros(end.saturating_sub(now()));
            later(NONE_FREE, "no conversation is free now", wait.as_secs() + 1)
        }
        Err(refusal) => *refusal,
    }
}

/// Which conversation a client asks for, if it does.
fn wish(body: &[u8]) -> Result<Option<u128>, &'static str> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let wish: Wish<'_> =
        serde_json::from_slice(body).map_err(|_| "the body is no JSON object of task_type and task_guid")?;
    if wish.task_type.is_some_and(|kind| kind != "conversation") {
        return Err("task_type: there are only conversations here");
    }
    let Some(guid) = wish.task_guid else { return Ok(None) };
    let digits = guid.get().trim_matches('"');
    digits.parse().map(Some).map_err(|_| "task_guid: no whole number of up to 128 bits")
}

async fn record(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(guid): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    if let Err(refusal) = app.admit(peer.ip(), &headers, &query.unwrap_or_default()) {
        return *refusal;
    }
    let known = guid.parse::<u128>().ok().filter(|guid| app.conversations.contains_key(guid));
    let Some(guid) = known.filter(|_| guid.bytes().all(|byte| byte.is_ascii_digit())) else {
        return refused(StatusCode::NOT_FOUND, "unknown", "there is no such conversation");
    };
    let body = match bytes(body, app.config.limits.record_bytes).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let records = Arc::clone(&app);
    let stored = blocking(move || {
        let mut records = records.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.put(guid, &body, now())
    });
    match stored.await {
        Ok(Outcome::Stored) => replies::stored("stored"),
        Ok(Outcome::Known) => replies::stored("was stored before"),
        Ok(Outcome::Full) => refused(StatusCode::INSUFFICIENT_STORAGE, "full", "there is no room for more records"),
        Ok(Outcome::Malformed) => refused(StatusCode::BAD_REQUEST, "malformed", "the body is no JSON object in UTF-8"),
        Err(refusal) => *refusal,
    }
}

async fn figures(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if !peer.ip().is_loopback() || forwarded(&headers) {
        return refused(StatusCode::FORBIDDEN, "forbidden", "metrics are for this machine only");
    }
    let shared = Arc::clone(&app);
    let gauges = blocking(move || {
        Ok(Gauges {
            conversations: shared.conversations.len(),
            reserved: shared.journal.lock().unwrap_or_else(PoisonError::into_inner).reservations.reserved(now()),
            record_bytes: shared.records.lock().unwrap_or_else(PoisonError::into_inner).bytes(),
        })
    });
    match gauges.await {
        Ok(gauges) => metrics::reply(app.metrics.page(gauges)),
        Err(refusal) => *refusal,
    }
}

/// The whole body, unless it is too large.
async fn bytes(body: Body, limit: usize) -> Result<Vec<u8>, Box<Response>> {
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) if is_length_limit(&error) => {
            let message = format!("the body may have {limit} bytes");
            Err(Box::new(refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &message)))
        }
        Err(_) => Err(Box::new(refused(StatusCode::BAD_REQUEST, "malformed", "the body broke off"))),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

/// Runs what waits for the disk where it holds nobody up. What goes wrong is logged here and not told.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Box<Response>> {
    let problem = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => with_causes(&error),
        Err(error) => error.to_string(),
    };
    tracing::error!(problem, "the conversation server cannot write");
    Err(Box::new(refused(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server cannot write now")))
}
