//! How miners are asked. The rounds know this trait only; wire dialects implement it.
//!
//! A transport measures the times that end up in the log and caps what it reads. Whether a signature holds and a body is an answer
//! is decided by the round, from the bytes that are recorded. What these do not show is decided here: a text that was not sent as a
//! stream, such as the page of a proxy, is no streamed answer.

mod dendrite;
mod http;
mod signed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon::Failure;
use domain::events::FailureReason;
use domain::mechanism::SynapseKind;
use domain::types::{Digest, Hotkey, Micros, Position, Signature};
use domain::wire::{Dialect, header};
use network::address::AddressGuard;
use network::keys::Keypair;
use reqwest::header::HeaderMap;

pub use dendrite::DendriteTransport;
pub use http::HttpTransport;
pub use signed::SignedTransport;

use crate::Error;
use crate::clock::now;

/// The largest answer that is read, in bytes. Design: sizes are capped before parsing.
pub const LARGEST_ANSWER: usize = 1 << 20;

/// The largest part of a failed answer that is kept for a person to look at, in bytes.
pub const LARGEST_FAILED_BODY: usize = 4 << 10;

/// One request to one miner. Its `ChallengeIssued` is committed already.
#[derive(Debug, Clone)]
pub struct TransportRequest {
    /// Who is asked.
    pub hotkey: Hotkey,
    /// The announced axon, `http://ip:port`. Chosen by the miner: hostile until the address guard has seen it.
    pub address: String,
    /// The exact request body.
    pub body: Vec<u8>,
    /// The type that the body is of.
    pub kind: &'static SynapseKind,
    /// SHA-256 of `body`.
    pub request_hash: Digest,
    /// Who asks: the validator's hotkey.
    pub validator: Hotkey,
    /// The validator's signature over `assay/request/1` 0x00 ‖ `request_hash`.
    pub receipt: Signature,
    /// The ledger's origin; empty for a question that no ledger records, which then names no place in one.
    pub origin: String,
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Position of the attempt's `MinersSelected`, as the request says.
    pub position: Position,
    /// When the collector gives up, as the request says.
    pub deadline: Micros,
    /// How long the whole exchange may take: what is left until `deadline` when it starts.
    pub timeout: Duration,
}

/// A complete answer with status 200, whatever it contains.
#[derive(Debug, Clone)]
pub struct TransportReply {
    /// HTTP status.
    pub status: u16,
    /// The body, at most [`LARGEST_ANSWER`] bytes.
    pub body: Vec<u8>,
    /// The signature that came before or behind it, if any, unchecked.
    pub signature: Option<String>,
    /// The hotkey named with it, if any, unchecked.
    pub signed_by: Option<String>,
    /// Just before the first byte was sent.
    pub sent_at: Micros,
    /// Just after the first bytes of the body were read; the end where there were none. When they come is the miner's choice:
    /// it may hold back a text that it has, and send a brace before it has any.
    pub first_byte_at: Micros,
    /// Just after the last byte was read.
    pub received_at: Micros,
}

/// Why there is no complete answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct TransportError {
    /// The kind of failure as recorded.
    pub reason: FailureReason,
    /// What happened, for a person; no more than a few hundred characters.
    pub detail: String,
    /// HTTP status, 0 if there was none.
    pub status: u16,
    /// What was received, at most [`LARGEST_FAILED_BODY`] bytes.
    pub body: Vec<u8>,
    /// The signature header that came with it, if any.
    pub signature: Option<String>,
    /// The hotkey header that came with it, if any.
    pub signed_by: Option<String>,
    /// Just before the first byte was sent; the time of the decision if none was.
    pub sent_at: Micros,
    /// When it was given up.
    pub failed_at: Micros,
}

/// A way to ask miners.
#[async_trait]
pub trait MinerTransport: Send + Sync {
    /// The wire dialect, as recorded in `ChallengeIssued`.
    fn dialect(&self) -> Dialect;

    /// Sends one request and reads the answer, within `request.timeout`.
    ///
    /// # Errors
    /// [`TransportError`] when there is no complete answer with status 200 in time.
    async fn ask(&self, request: TransportRequest) -> Result<TransportReply, TransportError>;

    /// Asks whether a miner is available. Gives the time it took.
    ///
    /// # Errors
    /// Why it is not, in a few words, as recorded in the sweep.
    async fn available(&self, hotkey: &Hotkey, address: &str, timeout: Duration) -> Result<Duration, String>;
}

/// The transport of a dialect; miners in private address ranges are asked only when the network is a local one.
///
/// # Errors
/// An HTTP client that cannot be made.
pub fn open(dialect: Dialect, hotkey: &Keypair, network_is_local: bool) -> Result<Arc<dyn MinerTransport>, Error> {
    match dialect {
        Dialect::Http => Ok(Arc::new(HttpTransport::new(network_is_local)?)),
        Dialect::Axon | Dialect::BtAuth => {
            Ok(Arc::new(DendriteTransport::new(dialect, hotkey.clone(), network_is_local)?))
        }
        Dialect::FiberPlain | Dialect::FiberEncrypted | Dialect::FiberLoosh | Dialect::Epistula => {
            Ok(Arc::new(SignedTransport::new(dialect, hotkey.clone(), network_is_local)?))
        }
    }
}

/// The place in the ledger that a request was issued at, signed: headers that every dialect carries besides its own, and that
/// peers of other makes pass over.
fn receipt(request: &TransportRequest) -> Vec<(&'static str, String)> {
    let mut lines = Vec::with_capacity(5);
    if !request.origin.is_empty() {
        lines.push((header::ORIGIN, request.origin.clone()));
        lines.push((header::ROUND, format!("{}/{}", request.challenge_id, request.attempt)));
        lines.push((header::POSITION, request.position.to_string()));
    }
    lines.push((header::VALIDATOR_HOTKEY, request.validator.to_string()));
    lines.push((header::SIGNATURE, request.receipt.to_string()));
    lines
}

/// The axon that an announced address stands for: `http://ip:port` and nothing more.
fn axon_at(guard: &AddressGuard, address: &str) -> Result<SocketAddr, String> {
    let literal = address.strip_prefix("http://").ok_or("address does not begin with http://")?;
    guard.parse(literal.strip_suffix('/').unwrap_or(literal)).map_err(|error| error.to_string())
}

/// The failure of a request that was never sent.
fn unsent(reason: FailureReason, detail: &str) -> TransportError {
    let (detail, time) = (plain(detail), now());
    TransportError {
        reason,
        detail,
        status: 0,
        body: Vec::new(),
        signature: None,
        signed_by: None,
        sent_at: time,
        failed_at: time,
    }
}

/// How a failure of the wire is recorded.
fn reason(failure: Failure) -> FailureReason {
    match failure {
        Failure::ForbiddenAddress => FailureReason::ForbiddenAddress,
        Failure::Unreachable => FailureReason::Unreachable,
        Failure::TimedOut => FailureReason::TimedOut,
        Failure::Disconnected | Failure::Protocol => FailureReason::Protocol,
        Failure::TooLarge => FailureReason::TooLarge,
        Failure::Refused => FailureReason::Refused,
    }
}

/// The longest text about a failure, in characters.
const LONGEST_DETAIL: usize = 300;

/// What a peer may have had a hand in, fit for a log: printable and short.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_DETAIL).collect()
}

/// Why a whole body of status 200 is no answer, where its bytes alone do not tell: a text counts only where answers are streamed
/// and this one was sent as the stream that SDK 6 to 10 sends. What is meant as an object is for the round to read.
fn not_streamed(kind: &SynapseKind, content_type: Option<&str>, body: &[u8]) -> Option<String> {
    if !kind.streamed || body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let text = || plain(&format!("neither an object nor a stream: the content type is {essence:?}"));
    (!essence.eq_ignore_ascii_case("text/event-stream")).then(text)
}

/// A header as text, whatever it holds; several of one name are joined. Whether it says anything is judged elsewhere.
fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    const LONGEST: usize = 256;
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", ").chars().take(LONGEST).collect())
}
