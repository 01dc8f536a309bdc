//! The miner's servers of fiber, Loosh's dialect and Epistula: one endpoint behind all of them.

use std::sync::Arc;

use async_trait::async_trait;
use axon::endpoint::{Admitted, Answered, Asked as Received, Endpoint, everybody};
use axon::epistula::EpistulaServer;
use axon::fiber::FiberServer;
use axon::loosh::LooshServer;
use axon::{AxonLimits, Clock, HandlerError};
use axum::Router;
use axum::http::StatusCode;
use network::fiber::loosh::Dialect;
use network::fiber::loosh::server::Signatures;
use network::fiber::rsa_key::MinerKey;

use super::{asked, check_receipt, synapse};
use crate::answering::{Answering, Said};
use crate::request::Refusal;
use crate::{Error, signing};

pub(super) fn epistula(answering: &Arc<Answering>) -> Result<Router, Error> {
    let keypair = answering.config.keypair.clone();
    let server = EpistulaServer::new(keypair, admitted(answering), limits(answering), Clock::system());
    server.endpoint(&path(answering), Answers::of(answering, false)).into_router().map_err(unfit)
}

pub(super) fn fiber(answering: &Arc<Answering>, key: MinerKey) -> Result<Router, Error> {
    let hotkey = answering.config.keypair.hotkey();
    let server = FiberServer::new(hotkey, key, admitted(answering), limits(answering), Clock::system());
    server.endpoint(&path(answering), Answers::of(answering, false)).into_router().map_err(unfit)
}

pub(super) fn loosh(answering: &Arc<Answering>, key: MinerKey) -> Result<Router, Error> {
    let (hotkey, signatures) = (answering.config.keypair.hotkey(), Signatures::Required);
    let (admitted, limits) = (admitted(answering), limits(answering));
    let server = LooshServer::new(hotkey, Dialect::Miner, signatures, key, admitted, limits, Clock::system());
    Ok(server.challenges(Answers::of(answering, true)).into_router())
}

fn unfit(error: axon::Error) -> Error {
    Error::Wire(error.to_string())
}

fn path(answering: &Answering) -> String {
    format!("/{}", synapse(answering))
}

fn limits(answering: &Answering) -> AxonLimits {
    let own = &answering.config.limits;
    AxonLimits {
        // A token has four letters for three bytes, and some more around them.
        body_bytes: own.body_bytes.saturating_add(own.body_bytes / 3).saturating_add(256),
        body_timeout: own.body_timeout,
        handlers: own.concurrent,
        ..AxonLimits::default()
    }
}

/// Whom the gate lets in; who has no rank comes last.
fn admitted(answering: &Answering) -> Admitted {
    let Some(gate) = answering.config.gate.clone() else { return everybody() };
    Arc::new(move |hotkey| {
        let refused = gate.refuses(Some(hotkey.as_str())).is_some();
        (!refused).then(|| gate.priority(hotkey).unwrap_or(f64::NEG_INFINITY))
    })
}

/// The one endpoint.
struct Answers {
    answering: Arc<Answering>,
    /// Whether what is wrong with a body is told with 400, as Loosh's miners do, instead of 422.
    plainly_bad: bool,
}

impl Answers {
    fn of(answering: &Arc<Answering>, plainly_bad: bool) -> Self {
        Self { answering: Arc::clone(answering), plainly_bad }
    }

    fn refused(&self, refusal: Refusal) -> HandlerError {
        match super::sdk::refused(refusal) {
            HandlerError::Refused { status, message }
                if self.plainly_bad && status == StatusCode::UNPROCESSABLE_ENTITY.as_u16() =>
            {
                HandlerError::Refused { status: StatusCode::BAD_REQUEST.as_u16(), message }
            }
            other => other,
        }
    }

    async fn said(&self, received: &Received) -> Result<Answered, Refusal> {
        let (answering, body) = (&self.answering, received.payload.as_ref());
        let limit = answering.config.limits.body_bytes;
        if body.len() > limit {
            let error = format!("the body may have {limit} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        let asked = asked(answering, body)?;
        check_receipt(answering, &received.hotkey, &received.headers, body, &asked)?;
        Ok(match answering.answer(&received.headers, body, &asked).await? {
            Said::Malformed(headers, body) => Answered { body, headers },
            Said::Body(answer) => {
                Answered { headers: signing::headers(&answering.config.keypair, body, &answer), body: answer }
            }
        })
    }
}

#[async_trait]
impl Endpoint for Answers {
    async fn answer(&self, received: Received) -> Result<Answered, HandlerError> {
        self.said(&received).await.map_err(|refusal| self.refused(refusal))
    }
}
