//! The miner as an axon: the dialects of Bittensor's SDKs, on the route that is named after the subnet's synapse.
//!
//! The SDK's clients read an answer as the synapse that they sent, so every field of it goes back, filled or as it came. A
//! subnet's shape declares them; Loosh's questions have no class upstream, so there it is the body that says which they are.

use std::sync::Arc;

use async_trait::async_trait;
use axon::{Answer, Axon, Handler, HandlerError, PriorityError, Request, Route};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use network::legacy::{Json, Shape};
use serde::Deserialize;

use super::{asked, check_receipt};
use crate::answering::{Answering, Asked, Said};
use crate::request::{ReceiptFields, Refusal};
use crate::subnets::{Subnet, SynapseRequest};
use crate::{Behaviour, Error, malformed};

/// What the axon itself writes of every synapse, and never out of a body.
const OF_THE_BASE: [&str; 7] =
    ["name", "timeout", "total_size", "header_size", "dendrite", "axon", "computed_body_hash"];
/// The place in the ledger is the validator's own, and no field of the synapse.
const OF_THE_RECEIPT: &str = "assay";
/// Fields of a question that go back; no synapse has as many.
const MAXIMUM_ECHOED: usize = 128;

/// The axon's routes.
///
/// # Errors
/// [`Error::Wire`] for a synapse whose name is no route.
pub(super) fn router(answering: &Arc<Answering>) -> Result<Router, Error> {
    let config = &answering.config;
    let shape =
        config.subnet.as_ref().map_or_else(|| Shape::new(domain::wire::INFERENCE.name), |subnet| subnet.shape());
    let mut route = Route::new(shape, Answers(Arc::clone(answering)));
    if let Some(gate) = &config.gate {
        let (refuses, ranks) = (Arc::clone(gate), Arc::clone(gate));
        route = route
            .blacklist(move |claim| refuses.refuses(claim.hotkey))
            .priority(move |hotkey| ranks.priority(hotkey).ok_or(PriorityError::Failed));
    }
    let mut limits = axon::AxonLimits::default();
    limits.body_bytes = config.limits.body_bytes;
    limits.body_timeout = config.limits.body_timeout;
    limits.handlers = config.limits.concurrent;
    let axon = Axon::new(config.keypair.clone()).limits(limits).route(ping(answering)).route(route);
    let router = axon.into_router().map_err(|error| Error::Wire(error.to_string()))?;
    // What it sends cannot be said by an axon that means well.
    match config.behaviour {
        Behaviour::Malformed { .. } => Ok(Router::new().fallback(broken).with_state((Arc::clone(answering), router))),
        _ => Ok(router),
    }
}

/// Pings are answered once questions are, so that nobody asks a miner that only starts.
fn ping(answering: &Arc<Answering>) -> Route {
    let answering = Arc::clone(answering);
    Route::new(Shape::new(axon::server::PING), move |_: Request| {
        let ready = answering.is_ready();
        let initialising = HandlerError::Refused { status: 503, message: "Miner initializing".to_owned() };
        std::future::ready(if ready { Ok(Answer::unchanged()) } else { Err(initialising) })
    })
}

/// Answers pings as an axon does, and everything else so that it cannot be read.
async fn broken(State((answering, axon)): State<(Arc<Answering>, Router)>, request: HttpRequest) -> Response {
    use tower::ServiceExt;

    if request.method() != Method::POST || request.uri().path() == format!("/{}", axon::server::PING) {
        let Ok(response) = axon.oneshot(request).await;
        return response;
    }
    let limits = &answering.config.limits;
    let read = axum::body::to_bytes(request.into_body(), limits.body_bytes);
    let Ok(Ok(body)) = tokio::time::timeout(limits.body_timeout, read).await else {
        return Refusal::new(axum::http::StatusCode::BAD_REQUEST, "the body cannot be read").into_response();
    };
    let way = answering.next_malformation();
    tracing::info!(way = way.name(), "this miner answers malformed on purpose");
    let (headers, answer) = malformed::answer(way, &answering.config.keypair, &body);
    let mut response = Response::new(Body::from(answer));
    response.headers_mut().extend(headers);
    let content = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, content);
    response.headers_mut().insert("bt_header_axon_status_code", axum::http::HeaderValue::from_static("200"));
    response
}

/// The one handler: what is asked, how it is answered, and in which form that leaves.
struct Answers(Arc<Answering>);

#[async_trait]
impl Handler for Answers {
    async fn answer(&self, request: Request) -> Result<Answer, HandlerError> {
        let answering = &self.0;
        let asked = asked(answering, &request.body).map_err(refused)?;
        let Request { hotkey, headers, body, .. } = &request;
        check_receipt(answering, hotkey, headers, body, &asked).map_err(refused)?;
        let answer = match answering.answer(&request.headers, &request.body, &asked).await.map_err(refused)? {
            Said::Body(answer) => answer,
            Said::Malformed(..) => return Err(HandlerError::Failed("this answer has no form".to_owned())),
        };
        if let Some(pieces) = answering.in_pieces().and_then(|subnet| subnet.tokens(&answer)) {
            return Ok(Answer::stream(pieces.map(|piece| Ok(Bytes::from(piece)))));
        }
        if let Ok(Json::Object(fields)) = Json::parse(&answer) {
            let came = if matches!(asked, Asked::Question(_)) { echoed(body) } else { Vec::new() };
            return Ok(Answer::Fields(overlaid(came, fields), HeaderMap::new()));
        }
        // A text that somebody else streamed.
        match answering.config.subnet.as_ref().and_then(|subnet| subnet.tokens(&answer)) {
            Some(pieces) => Ok(Answer::stream(pieces.map(|piece| Ok(Bytes::from(piece))))),
            None => Err(HandlerError::Failed("the answer is no object".to_owned())),
        }
    }
}

/// The fields of a question's synapse, as they came.
fn echoed(body: &[u8]) -> Vec<(String, Json)> {
    let Ok(Json::Object(fields)) = Json::parse(body) else { return Vec::new() };
    let is_own = |name: &str| !OF_THE_BASE.contains(&name) && name != OF_THE_RECEIPT;
    fields.into_iter().filter(|(name, _)| is_own(name)).take(MAXIMUM_ECHOED).collect()
}

/// The fields that came, with what the answer says in their place, and after them what only the answer has.
fn overlaid(mut came: Vec<(String, Json)>, answer: Vec<(String, Json)>) -> Vec<(String, Json)> {
    came.retain(|(name, _)| !answer.iter().any(|(filled, _)| filled == name));
    came.extend(answer);
    came
}

/// A synapse whose own object is the body; the receipt's place in a ledger is one field more.
pub(super) fn flat(subnet: &dyn Subnet, body: &[u8]) -> Result<SynapseRequest, Refusal> {
    #[derive(Deserialize)]
    struct Extra {
        assay: Option<serde_json::Value>,
    }
    let bad = |error: String| Refusal::new(axum::http::StatusCode::BAD_REQUEST, error);
    let request = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?.to_owned();
    let Extra { assay } = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let receipt: Option<ReceiptFields> = assay.as_ref().map(crate::request::receipt).transpose()?;
    Ok(SynapseRequest { synapse: subnet.synapse().to_owned(), request, receipt })
}

pub(super) fn refused(refusal: Refusal) -> HandlerError {
    let message = match refusal.field {
        Some(field) => format!("{field}: {}", refusal.error),
        None => refusal.error,
    };
    HandlerError::Refused { status: refusal.status.as_u16(), message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_questions_fields_go_back_without_what_the_axon_and_the_receipt_say() {
        let check = |body: &str, answer: &str, expected: &str| {
            let Json::Object(answer) = Json::parse(answer.as_bytes()).unwrap() else { panic!("{answer}") };
            let whole = Json::Object(overlaid(echoed(body.as_bytes()), answer));
            assert_eq!(whole, Json::parse(expected.as_bytes()).unwrap(), "{body}");
        };
        check(
            r#"{"prompt":"Why?","n":1.0,"more":[null]}"#,
            r#"{"text":"b"}"#,
            r#"{"prompt":"Why?","n":1.0,"more":[null],"text":"b"}"#,
        );
        check(r#"{"text":null,"prompt":"Why?"}"#, r#"{"text":"b"}"#, r#"{"prompt":"Why?","text":"b"}"#);
        check(r#"{"assay":{"position":7},"prompt":"Why?"}"#, "{}", r#"{"prompt":"Why?"}"#);
        let base = OF_THE_BASE.map(|name| format!(r#""{name}":{{"hotkey":"another"}}"#)).join(",");
        check(&format!("{{{base}}}"), r#"{"text":"b"}"#, r#"{"text":"b"}"#);
        for body in ["", "[]", "{", "7"] {
            check(body, r#"{"text":"b"}"#, r#"{"text":"b"}"#);
        }
    }

    #[test]
    fn no_more_fields_go_back_than_a_synapse_has() {
        let names: Vec<String> = (0..MAXIMUM_ECHOED + 1).map(|at| format!(r#""n{at}":{at}"#)).collect();
        let found = echoed(format!("{{{}}}", names.join(",")).as_bytes());
        assert_eq!(found.len(), MAXIMUM_ECHOED);
        assert_eq!(found[0], ("n0".to_owned(), Json::Integer(0)));
    }
}
