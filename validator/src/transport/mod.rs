//! How miners are asked. The rounds know this trait only; wire dialects implement it.
//!
//! A transport measures the times that end up in the log, caps what it reads, and checks nothing else: whether a signature
//! holds and a body is an answer is decided by the round, from the bytes that are recorded.

mod http;

use std::time::Duration;

use async_trait::async_trait;
use domain::events::FailureReason;
use domain::types::{Digest, Hotkey, Micros, Position, Signature};

pub use http::HttpTransport;

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
    /// SHA-256 of `body`.
    pub request_hash: Digest,
    /// Who asks: the validator's hotkey.
    pub validator: Hotkey,
    /// The validator's signature over `assay/request/1` 0x00 ‖ `request_hash`.
    pub receipt: Signature,
    /// The ledger's origin.
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
    /// The wire dialect as recorded in `ChallengeIssued`, for example `assay/http/1`.
    fn dialect(&self) -> &'static str;

    /// Sends one request and reads the answer, within `request.timeout`.
    ///
    /// # Errors
    /// [`TransportError`] when there is no complete answer with status 200 in time.
    async fn ask(&self, request: TransportRequest) -> Result<TransportReply, TransportError>;

    /// Asks whether a miner is available. Gives the time it took.
    ///
    /// # Errors
    /// Why it is not, in a few words, as recorded in the sweep.
    async fn available(&self, address: &str, timeout: Duration) -> Result<Duration, String>;
}
