//! Miners asked in fiber (plain and encrypted), in Loosh's dialect of it, and in Epistula.
//!
//! What is recorded is what the miner reads: in the encrypted dialects the body before it is sealed and the answer after it was
//! opened, to the byte. The receipt travels as header fields beside the token. A key is brought to a miner once and kept while it
//! lives; that exchange counts against the deadline, and not into the time that the miner took.
//!
//! **Architecture invariant:** as of [`super::HttpTransport`]: what leaves here is committed.

use std::time::Duration;

use async_trait::async_trait;
use axon::client::DendriteLimits;
use axon::epistula::{EpistulaClient, Vouched};
use axon::fiber::FiberClient;
use axon::loosh::LooshClient;
use axon::post::{Line, Problem, Reply};
use axon::{Clock, Failure, Target};
use domain::events::FailureReason;
use domain::mechanism::SynapseKind;
use domain::types::Hotkey;
use domain::wire::{Dialect, header};
use network::address::AddressGuard;
use network::keys::Keypair;
use reqwest::header::CONTENT_TYPE;

use super::{
    HttpTransport, LARGEST_ANSWER, LARGEST_FAILED_BODY, MinerTransport, TransportError, TransportReply,
    TransportRequest, axon_at, not_streamed, plain, reason, receipt, text_of, unsent,
};
use crate::Error;
use crate::clock::now;

/// The token of the largest answer: four letters for three bytes, and what Fernet adds.
const LARGEST_TOKEN: usize = LARGEST_ANSWER / 3 * 4 + 256;

/// Asks miners in one of the dialects whose requests carry a nonce and a signature of their own.
pub struct SignedTransport {
    asks: Asks,
    guard: AddressGuard,
    probe: HttpTransport,
}

enum Asks {
    Plain(FiberClient),
    Encrypted(FiberClient),
    Loosh(LooshClient),
    Epistula(EpistulaClient),
}

/// An answer of any status, or what there is instead.
type Exchange = Result<Reply, Problem>;

impl SignedTransport {
    /// A transport that signs as `hotkey`; `dialect` is one of fiber's, Loosh's or Epistula.
    ///
    /// # Errors
    /// A dialect of another transport, or an HTTP client that cannot be made.
    pub fn new(dialect: Dialect, hotkey: Keypair, network_is_local: bool) -> Result<Self, Error> {
        let guard = AddressGuard::for_network(if network_is_local { "local" } else { "public" });
        let sealed = dialect == Dialect::FiberLoosh;
        let answer_bytes = if sealed { LARGEST_TOKEN } else { LARGEST_ANSWER };
        let (limits, clock) = (DendriteLimits { answer_bytes, ..DendriteLimits::default() }, Clock::system());
        let asks = match dialect {
            Dialect::FiberPlain => FiberClient::new(hotkey, guard, &limits, clock).map(Asks::Plain),
            Dialect::FiberEncrypted => FiberClient::new(hotkey, guard, &limits, clock).map(Asks::Encrypted),
            Dialect::FiberLoosh => LooshClient::new(hotkey, guard, &limits, clock).map(Asks::Loosh),
            Dialect::Epistula => EpistulaClient::new(hotkey, guard, &limits, clock).map(Asks::Epistula),
            Dialect::Http | Dialect::Axon | Dialect::BtAuth => {
                let problem = format!("{} is spoken by another transport", dialect.name());
                return Err(Error::Setting { setting: "dialect", problem });
            }
        };
        let asks = asks.map_err(|error| Error::Setting { setting: "http client", problem: error.to_string() })?;
        Ok(Self { asks, guard, probe: HttpTransport::new(network_is_local)? })
    }

    async fn exchange(
        &self,
        target: &Target,
        path: &str,
        body: Vec<u8>,
        extra: &[Line],
        timeout: Duration,
    ) -> Exchange {
        match &self.asks {
            Asks::Plain(client) => client.ask_plain(target, path, body, extra, timeout).await,
            Asks::Encrypted(client) => client.ask_encrypted(target, path, &body, extra, timeout).await,
            Asks::Loosh(client) => client.ask(target, &body, extra, timeout).await,
            Asks::Epistula(client) => {
                let (reply, vouched) = client.ask(target, path, body, extra, timeout).await?;
                if vouched == Vouched::Wrong && reply.status == 200 {
                    return Err(forged(reply));
                }
                Ok(reply)
            }
        }
    }

    /// A whole answer of status 200. What was sealed is no stream, whatever its header says.
    fn answered(&self, kind: &SynapseKind, reply: Reply) -> Result<TransportReply, TransportError> {
        let sealed = matches!(self.asks, Asks::Loosh(_));
        let content_type = text_of(&reply.headers, CONTENT_TYPE.as_str()).filter(|_| !sealed);
        let Some(text) = not_streamed(kind, content_type.as_deref(), &reply.body) else { return Ok(whole(reply)) };
        let (status, sent_at) = (Some(reply.status), Some(reply.sent_at));
        Err(failed(Problem { failure: Failure::Protocol, text, status, sent_at, reply: Some(Box::new(reply)) }))
    }
}

/// Receivers need not sign in Epistula; one that does has to do it right.
fn forged(reply: Reply) -> Problem {
    Problem {
        failure: Failure::Protocol,
        text: "the answer's Epistula signature is not of the miner that was asked, for this validator and now"
            .to_owned(),
        status: Some(reply.status),
        sent_at: Some(reply.sent_at),
        reply: Some(Box::new(reply)),
    }
}

#[async_trait]
impl MinerTransport for SignedTransport {
    fn dialect(&self) -> Dialect {
        match self.asks {
            Asks::Plain(_) => Dialect::FiberPlain,
            Asks::Encrypted(_) => Dialect::FiberEncrypted,
            Asks::Loosh(_) => Dialect::FiberLoosh,
            Asks::Epistula(_) => Dialect::Epistula,
        }
    }

    async fn ask(&self, request: TransportRequest) -> Result<TransportReply, TransportError> {
        let address = axon_at(&self.guard, &request.address);
        let address = address.map_err(|detail| unsent(FailureReason::ForbiddenAddress, &detail))?;
        let (extra, path) = (receipt(&request), format!("/{}", request.kind.name));
        let target = Target { hotkey: request.hotkey, address };
        match self.exchange(&target, &path, request.body, &extra, request.timeout).await {
            Ok(reply) if reply.status != 200 => Err(failed(Problem::refused(&reply))),
            Ok(reply) if reply.body.len() > LARGEST_ANSWER => Err(too_large(reply)),
            Ok(reply) => self.answered(request.kind, reply),
            Err(problem) => Err(failed(problem)),
        }
    }

    async fn available(&self, _: &Hotkey, address: &str, timeout: Duration) -> Result<Duration, String> {
        // Of these dialects only Loosh's has the route, and none has a ping.
        self.probe.answers(address, matches!(self.asks, Asks::Loosh(_)), timeout).await
    }
}

fn whole(reply: Reply) -> TransportReply {
    TransportReply {
        status: reply.status,
        signature: text_of(&reply.headers, header::SIGNATURE),
        signed_by: text_of(&reply.headers, header::HOTKEY),
        body: reply.body.into(),
        sent_at: reply.sent_at,
        first_byte_at: reply.first_byte_at,
        received_at: reply.received_at,
    }
}

fn too_large(reply: Reply) -> TransportError {
    let text = format!("more than {LARGEST_ANSWER} bytes");
    let (status, sent_at) = (Some(reply.status), Some(reply.sent_at));
    failed(Problem { failure: Failure::TooLarge, text, status, sent_at, reply: Some(Box::new(reply)) })
}

fn failed(problem: Problem) -> TransportError {
    let failed_at = problem.reply.as_ref().map_or_else(now, |reply| reply.received_at);
    let field = |name| problem.reply.as_ref().and_then(|reply| text_of(&reply.headers, name));
    let mut body = problem.reply.as_ref().map_or_else(Vec::new, |reply| reply.body.to_vec());
    body.truncate(LARGEST_FAILED_BODY);
    TransportError {
        // An answer that broke off, or is too large, and would have been a refusal, is one.
        reason: match problem.status {
            Some(status) if status != 200 && problem.failure != Failure::TimedOut => FailureReason::Refused,
            _ => reason(problem.failure),
        },
        detail: plain(&problem.text),
        status: problem.status.unwrap_or(0),
        signature: field(header::SIGNATURE),
        signed_by: field(header::HOTKEY),
        body,
        sent_at: problem.sent_at.or(problem.reply.as_ref().map(|reply| reply.sent_at)).unwrap_or(failed_at),
        failed_at,
    }
}

#[cfg(test)]
#[path = "signed_tests.rs"]
mod tests;
