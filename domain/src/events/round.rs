//! Facts of a challenge and of its rounds (attempts).

use crate::types::{Block, BlockNumber, Digest, Hotkey, Micros, Position, Signature, Uid};
use serde::{Deserialize, Serialize};

/// What was asked of the validator. Free JSON of the client (`messages`, `tools`, …) is kept as its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The client's id; unique in the ledger.
    pub id: String,
    /// The client's correlation id.
    pub correlation_id: Option<String>,
    /// The prompt, when given as one text.
    pub prompt: Option<String>,
    /// Chat messages as JSON text (an array of objects).
    pub messages: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// Tools as JSON text.
    pub tools: Option<String>,
    /// Tool choice as JSON text.
    pub tool_choice: Option<String>,
    /// Sampling temperature.
    pub temperature: f64,
    /// Nucleus sampling.
    pub top_p: f64,
    /// Longest answer in tokens.
    pub max_tokens: u32,
    /// Free metadata as JSON text.
    pub metadata: Option<String>,
    /// The client's time of creation, as it wrote it.
    pub created_at: Option<String>,
    /// Who asked, as the client wrote it.
    pub requester: Option<String>,
    /// The mechanism's own task as JSON text; none for what a client asked.
    pub task: Option<String>,
}

/// A challenge was taken on. It is answered with 201 only after this event is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeAccepted {
    /// The newest block when it was accepted: the draw's randomness, unknown to whoever wrote the challenge.
    pub block: BlockNumber,
    /// That block's hash.
    pub block_hash: Digest,
    /// SHA-256("assay/challenge/1" 0x00 ‖ canonical JSON of `challenge`).
    pub commitment: Digest,
    /// The challenge.
    pub challenge: Challenge,
}

/// A miner that could be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The miner.
    pub hotkey: Hotkey,
    /// Its integer weight in the draw.
    pub weight: u64,
}

/// Why a neuron was no candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// The validator itself.
    Own,
    /// Holds a validator permit, or is listed as a validator by the service whose scores are used.
    Validator,
    /// Announced no axon.
    NoAxon,
    /// Did not answer the last availability sweep.
    Unavailable,
    /// Has not been swept yet.
    NotSwept,
    /// Its address has used up the rule set's quota.
    AddressQuota,
    /// An earlier slot has the same address and port.
    SameEndpoint,
    /// Its coldkey has used up the rule set's quota.
    ColdkeyQuota,
}

/// A neuron that was no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// The neuron.
    pub hotkey: Hotkey,
    /// Why.
    pub reason: Exclusion,
}

/// A drawn miner with what the chain said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnMiner {
    /// The miner.
    pub hotkey: Hotkey,
    /// Its slot.
    pub uid: Uid,
    /// Its owner.
    pub coldkey: Hotkey,
    /// Announced axon address.
    pub ip: String,
    /// Announced axon port.
    pub port: u16,
}

/// The draw of one attempt: a pure function of the referenced facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinersSelected {
    /// The challenge.
    pub challenge_id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where the challenge was accepted.
    pub accepted: Position,
    /// The metagraph observation it uses, folded up to there.
    pub metagraph: Position,
    /// The availability sweep it uses.
    pub sweep: Position,
    /// The external scores it uses, if there were any.
    pub external_scores: Option<Position>,
    /// SHA-256 of rule set bytes in force.
    pub rule_set: Digest,
    /// Seed of the draw.
    pub seed: Digest,
    /// How many could be drawn at most.
    pub limit: u16,
    /// Candidates sorted by hotkey.
    pub candidates: Vec<Candidate>,
    /// The rest of the metagraph with reasons, sorted by hotkey.
    pub excluded: Vec<Excluded>,
    /// The drawn, in order of the draw.
    pub drawn: Vec<DrawnMiner>,
}

/// A request is about to be sent to a drawn miner. Committed before its first byte leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeIssued {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: Hotkey,
    /// The address asked, `http://ip:port`.
    pub address: String,
    /// The wire dialect.
    pub dialect: String,
    /// SHA-256 of the exact request bytes.
    pub request_hash: Digest,
    /// Nonce inside the request.
    pub nonce: String,
    /// When the collector gives up.
    pub deadline: Micros,
    /// The validator's sr25519 signature over `assay/request/1` 0x00 ‖ `request_hash`: the miner's receipt.
    pub receipt: Signature,
}

/// A miner's answer, raw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseReceived {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: Hotkey,
    /// The address asked.
    pub address: String,
    /// The wire dialect.
    pub dialect: String,
    /// HTTP status.
    pub status: u16,
    /// Just before the first byte was sent.
    pub sent_at: Micros,
    /// Just after the first bytes of the body were read.
    pub first_byte_at: Micros,
    /// Just after the last byte was read.
    pub received_at: Micros,
    /// `(received_at - sent_at) / 1000`, cut to whole milliseconds.
    pub response_time_ms: u32,
    /// SHA-256 of the request it answers.
    pub request_hash: Digest,
    /// The miner's sr25519 signature over `assay/response/1` 0x00 ‖ request hash ‖ body hash, if it gave one.
    pub signature: Option<Signature>,
    /// The body as received.
    pub body: Block,
}

/// Why there is no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// No connection could be made.
    Unreachable,
    /// Not complete at the deadline.
    TimedOut,
    /// A status other than 200.
    Refused,
    /// What came is no complete answer of the protocol: it broke off, or was no HTTP.
    Protocol,
    /// A complete body that is no answer of the dialect.
    Malformed,
    /// A body over the limit.
    TooLarge,
    /// A signature that does not verify.
    BadSignature,
    /// The address is not one that the validator may contact.
    ForbiddenAddress,
    /// The answer came, but a model refused to judge it. Follows from the recorded verdict; no `ResponseFailed` says so.
    NotJudged,
}

/// A drawn miner gave no usable answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseFailed {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: Hotkey,
    /// Why.
    pub reason: FailureReason,
    /// Details for a person.
    pub detail: String,
    /// Just before the first byte was sent.
    pub sent_at: Micros,
    /// When it was given up.
    pub failed_at: Micros,
    /// HTTP status, 0 if there was none.
    pub status: u16,
    /// SHA-256 of the request.
    pub request_hash: Digest,
    /// The signature header that came with the body, as text and cut to 256 characters, whatever it says.
    pub signature: Option<String>,
    /// The hotkey header that came with it, likewise.
    pub signed_by: Option<String>,
    /// What was received, capped.
    pub body: Block,
}

/// Why an attempt or a challenge was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonReason {
    /// The process ended in mid-round.
    Restart,
    /// Nobody could be drawn in time.
    NoMiners,
    /// Nobody answered.
    NoResponses,
    /// Evidence could not be produced.
    EvidenceFailed,
}

/// A round ended without scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundAbandoned {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub reason: AbandonReason,
    /// Whether the challenge ends with it; otherwise it is drawn again.
    pub last: bool,
    /// Details for a person.
    pub detail: String,
}
