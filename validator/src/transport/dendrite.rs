//! Miners asked as Bittensor's SDKs ask them: a dendrite's signed headers, or `btauth/1`, to the axon's route of the synapse.
//!
//! The body is the recorded one to the byte; headers carry the dialect's own nonce and signature, and the receipt besides.
//!
//! **Architecture invariant:** as of [`super::HttpTransport`]: what leaves here is committed.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use axon::client::DendriteLimits;
use axon::{Call, Dendrite, Failure, Outcome, Target};
use domain::events::FailureReason;
use domain::types::Hotkey;
use domain::wire::{Dialect, header};
use network::address::AddressGuard;
use network::keys::Keypair;

use super::{
    LARGEST_ANSWER, LARGEST_FAILED_BODY, MinerTransport, TransportError, TransportReply, TransportRequest, axon_at,
    plain, reason, receipt, text_of, unsent,
};
use crate::Error;

/// What this dendrite says of its own address, which no axon checks and no miner needs.
const OWN_ADDRESS: &str = "0.0.0.0";

/// Asks axons.
#[derive(Debug)]
pub struct DendriteTransport {
    dendrite: Dendrite,
    guard: AddressGuard,
    dialect: Dialect,
}

impl DendriteTransport {
    /// A transport that signs as `hotkey`; `dialect` is [`Dialect::BtAuth`] or else the one of SDK 6 to 10.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(dialect: Dialect, hotkey: Keypair, network_is_local: bool) -> Result<Self, Error> {
        let guard = AddressGuard::for_network(if network_is_local { "local" } else { "public" });
        let limits = DendriteLimits { answer_bytes: LARGEST_ANSWER, ..DendriteLimits::default() };
        let dendrite = Dendrite::new(hotkey, OWN_ADDRESS, guard, limits)
            .map_err(|error| Error::Setting { setting: "http client", problem: error.to_string() })?;
        Ok(Self { dendrite, guard, dialect })
    }

    async fn send(&self, target: &Target, call: &Call) -> Outcome {
        match self.dialect {
            Dialect::BtAuth => self.dendrite.ask_btauth(target, call).await,
            _ => self.dendrite.ask(target, call).await,
        }
    }
}

#[async_trait]
impl MinerTransport for DendriteTransport {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn ask(&self, request: TransportRequest) -> Result<TransportReply, TransportError> {
        let address = axon_at(&self.guard, &request.address)
            .map_err(|detail| unsent(FailureReason::ForbiddenAddress, &detail))?;
        let (receipt, kind) = (receipt(&request), request.kind);
        let call = Call::exact(kind.name, request.body, kind.hashed, kind.required, request.timeout);
        let call = call.map_err(|error| unsent(FailureReason::Protocol, &error.to_string()))?;
        let call = receipt.into_iter().fold(call, |call, (name, value)| call.with_header(name, value));
        let outcome = self.send(&Target { hotkey: request.hotkey, address }, &call).await;
        reply(outcome)
    }

    async fn available(&self, hotkey: &Hotkey, address: &str, timeout: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        let target = Target { hotkey: *hotkey, address: axon_at(&self.guard, address)? };
        let ping = Call::exact(axon::server::PING, "{}", &[], &[], timeout).map_err(|error| error.to_string())?;
        let outcome = self.send(&target, &ping).await;
        match outcome.failure {
            None => Ok(begun.elapsed()),
            Some(failure) => Err(plain(&told(&outcome, failure))),
        }
    }
}

/// What happened, for a person.
fn told(outcome: &Outcome, failure: Failure) -> String {
    match (&outcome.status_message, outcome.http_status) {
        (Some(message), 0) => message.clone(),
        (Some(message), status) => format!("status {status}: {message}"),
        (None, 0) => format!("{failure:?}"),
        (None, status) => format!("status {status}, and no word about it"),
    }
}

fn reply(outcome: Outcome) -> Result<TransportReply, TransportError> {
    let signature = text_of(&outcome.headers, header::SIGNATURE);
    let signed_by = text_of(&outcome.headers, header::HOTKEY);
    let (status, sent_at, received_at) = (outcome.http_status, outcome.sent_at, outcome.received_at);
    let Some(failure) = outcome.failure else {
        let (first_byte_at, body) = (outcome.first_byte_at, outcome.body.to_vec());
        return Ok(TransportReply { status, body, signature, signed_by, sent_at, first_byte_at, received_at });
    };
    let detail = plain(&told(&outcome, failure));
    let mut body = outcome.body.to_vec();
    body.truncate(LARGEST_FAILED_BODY);
    // What would have been a refusal is one, whatever came with it or broke off.
    let refused = !matches!(status, 0 | 200) && failure != Failure::TimedOut;
    let reason = if refused { FailureReason::Refused } else { reason(failure) };
    let failed_at = received_at;
    Err(TransportError { reason, detail, status, body, signature, signed_by, sent_at, failed_at })
}

#[cfg(test)]
#[path = "dendrite_tests.rs"]
mod tests;
