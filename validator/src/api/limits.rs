//! What every request passes on its way in, outermost first: an id and a line in the log, a place among the requests that
//! may be worked on, a deadline; and the reading of a body within its limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::authorisation::Caller;
use super::problem::Problem;
use super::routes::App;
use crate::clock;

/// By which a client can name a request to the operator.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id and logs what came of it. The route is logged as it is written in the code: neither the path
/// nor anything else that the client sent goes into the log.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let started = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let peer = peer_of(&request).map(|peer| peer.ip().to_canonical());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tracing::info!(
        request = id,
        peer = peer.map(tracing::field::display),
        %method,
        route = matched.as_ref().map_or("none", MatchedPath::as_str),
        status = response.status().as_u16(),
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// Sheds what is too much, and ends what takes too long.
pub(crate) async fn bound(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.places.try_acquire() else {
        return Problem::busy("too many requests at once; try again").into_response();
    };
    let within = app.limits.request_timeout;
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!(
                "no outcome within {} s; it is not known whether anything was changed. Send a challenge or a label again: 409 means that it was taken",
                within.as_secs_f64()
            );
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).after(1).into_response()
        }
    }
}

/// A body of at most `LIMIT` bytes from somebody who may change something.
pub(crate) struct Authorised<const LIMIT: usize> {
    pub(crate) caller: Caller,
    pub(crate) body: Bytes,
}

impl<const LIMIT: usize> FromRequest<Arc<App>> for Authorised<LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let claim = app.guard.claim(peer_of(&request), request.headers())?;
        expect_json(request.headers())?;
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > LIMIT as u64) {
            return Err(Problem::too_large(LIMIT));
        }
        let body = read_body(request.into_body(), LIMIT, app.limits.body_timeout).await?;
        let caller = app.guard.admit(claim, &body, clock::now())?;
        Ok(Self { caller, body })
    }
}

/// Only JSON is taken. A browser asks before it sends JSON to another site, and is never told that it may.
fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = "the body must be JSON; send the header Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message))
}

async fn read_body(body: Body, limit: usize, within: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(within, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "broken_body", "the body broke off; send it again")),
        Err(_) => {
            let message = format!("the body did not come within {} s; send it again", within.as_secs_f64());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", message))
        }
    }
}

pub(crate) fn peer_of(request: &Request) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
}
