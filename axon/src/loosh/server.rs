//! A receiver.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header::InvalidHeaderValue;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::types::Hotkey;
use network::fiber::Refusal;
use network::fiber::loosh::server::{Opened, Signatures};
use network::fiber::loosh::{CHALLENGE_PATH, Dialect, EXCHANGE_PATH, PUBLIC_KEY_PATH, Receiver, STATISTICS_PATH};
use network::fiber::rsa_key::MinerKey;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::endpoint::{Admitted, Answered, Asked, Doors, Endpoint, Refused, detail, json as answer, text};
use crate::error::Error;
use crate::server::AxonLimits;

const SECOND: u64 = 1_000_000_000;

/// A receiver that is being put together, and then served. Its one endpoint takes challenges.
pub struct LooshServer {
    own: Hotkey,
    dialect: Dialect,
    receiver: Receiver,
    doors: Doors,
}

impl LooshServer {
    /// A receiver of this hotkey for those who are admitted. `key` is made anew with each start. Between validators and miners
    /// signatures are always required; the challenge service may be allowed to leave its own out.
    #[must_use]
    pub fn new(
        own: Hotkey,
        dialect: Dialect,
        signatures: Signatures,
        key: MinerKey,
        admitted: Admitted,
        limits: AxonLimits,
        clock: Clock,
    ) -> Self {
        let signatures = if dialect == Dialect::Miner { Signatures::Required } else { signatures };
        let receiver = Receiver::new(dialect, signatures, key);
        Self { own, dialect, receiver, doors: Doors::new(admitted, limits, clock) }
    }

    /// What answers challenges.
    #[must_use]
    pub fn challenges(mut self, endpoint: impl Endpoint) -> Self {
        self.doors.add(CHALLENGE_PATH, endpoint);
        self
    }

    /// The receiver as routes, for a server that has others besides.
    pub fn into_router(self) -> Router {
        Router::new().fallback(dispatch).with_state(Arc::new(self))
    }

    /// Serves until `stop` resolves.
    ///
    /// # Errors
    /// None today.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let limits = self.doors.limits().serving;
        serving::serve(listener, self.into_router(), limits, stop).await;
        Ok(())
    }

    /// A refusal in the dialect: a miner shows its key to whoever lacks one.
    fn refused(&self, refusal: Refusal) -> Response {
        let lacks_key = matches!(refusal, Refusal::UnknownKey | Refusal::Undecryptable);
        let text = refusal.to_string();
        if lacks_key && self.dialect == Dialect::Miner {
            let pem = self.receiver.public_pem();
            let body = json!({ "detail": text, "public_key": pem, "requires_handshake": true });
            return answer(StatusCode::UNAUTHORIZED, body.to_string().into_bytes());
        }
        let status = match refusal {
            _ if lacks_key => StatusCode::UNAUTHORIZED,
            Refusal::Header(_) => StatusCode::UNPROCESSABLE_ENTITY,
            other => StatusCode::from_u16(other.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        detail((status, text))
    }

    /// As [`Self::refused`], for an exchange: upstream's miners answer 400 to whatever is wrong with one.
    fn refused_exchange(&self, refusal: Refusal) -> Response {
        let status = match refusal {
            Refusal::NotAllowed | Refusal::Full => refusal.status(),
            _ => 400,
        };
        detail((StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), refusal.to_string()))
    }
}

async fn dispatch(
    State(server): State<Arc<LooshServer>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let now = server.doors.clock.now();
    match (parts.method.clone(), parts.uri.path()) {
        (Method::GET, PUBLIC_KEY_PATH) => {
            let shown = json!({ "public_key": server.receiver.public_pem() });
            answer(StatusCode::OK, shown.to_string().into_bytes())
        }
        (Method::GET, STATISTICS_PATH) => {
            let statistics = serde_json::to_vec(&server.receiver.statistics(now / SECOND));
            answer(StatusCode::OK, statistics.unwrap_or_default())
        }
        (Method::POST, EXCHANGE_PATH) => exchange(&server, &parts.headers, body).await.unwrap_or_else(detail),
        (Method::POST, CHALLENGE_PATH) => challenge(&server, peer, &parts, body, begun).await.unwrap_or_else(detail),
        (_, PUBLIC_KEY_PATH | STATISTICS_PATH | EXCHANGE_PATH | CHALLENGE_PATH) => {
            detail((StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()))
        }
        _ => detail((StatusCode::NOT_FOUND, "Not Found".to_owned())),
    }
}

async fn exchange(server: &LooshServer, headers: &HeaderMap, body: Body) -> Result<Response, Refused> {
    let held = server.doors.body(headers, body).await?;
    let now = server.doors.clock.now() / 1_000;
    let taken = server.receiver.exchange(&held.bytes, now, |hotkey| server.doors.admits(hotkey));
    Ok(match taken {
        Ok(_) => answer(
            StatusCode::OK,
            json!({ "success": true, "message": "Symmetric key exchanged" }).to_string().into_bytes(),
        ),
        Err(refusal) => server.refused_exchange(refusal),
    })
}

async fn challenge(
    server: &LooshServer,
    peer: SocketAddr,
    parts: &Parts,
    body: Body,
    begun: Instant,
) -> Result<Response, Refused> {
    let unavailable = || (StatusCode::SERVICE_UNAVAILABLE, "No challenges are taken yet".to_owned());
    let endpoint = server.doors.endpoint(CHALLENGE_PATH).ok_or_else(unavailable)?;
    let claimed = text(&parts.headers, server.dialect.sender_header()).and_then(|text| text.parse::<Hotkey>().ok());
    if claimed.is_some_and(|claimed| !server.doors.admits(&claimed)) {
        return Ok(server.refused(Refusal::NotAllowed));
    }
    let held = server.doors.body(&parts.headers, body).await?;
    let now = server.doors.clock.now() / SECOND;
    let opened = match server.receiver.open(|name| text(&parts.headers, name), &held.bytes, now) {
        Ok(opened) => opened,
        Err(refusal) => return Ok(server.refused(refusal)),
    };
    drop(held);
    let (hotkey, payload) = (opened.sender, Bytes::from(opened.payload.clone()));
    let asked = Asked { hotkey, peer, payload, headers: parts.headers.clone() };
    let answered = server.doors.run(endpoint.as_ref(), asked, begun).await?;
    match server.dialect {
        Dialect::Service => Ok(answer(StatusCode::CREATED, answered.body)),
        Dialect::Miner => sealed(server, &opened, answered),
    }
}

fn sealed(server: &LooshServer, opened: &Opened, answered: Answered) -> Result<Response, Refused> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, "an answer cannot be sealed");
        (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".to_owned())
    };
    let token = opened.seal(&answered.body, server.doors.clock.now() / SECOND).map_err(|error| failed(&error))?;
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, "application/octet-stream")], token).into_response();
    response.headers_mut().extend(answered.headers);
    for (name, value) in opened.answer_headers(&server.own) {
        let value = value.parse().map_err(|error: InvalidHeaderValue| failed(&error))?;
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}
