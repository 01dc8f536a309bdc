//! Bytes that cross the wire and are hashed or signed: they must be the same for the validator, the miner and the audit.

use crate::events::{Challenge, ChallengeIssued};
use crate::mechanism::{Mechanism, Synapse};
use crate::types::{Digest, Hotkey, Micros, Position, Signature, sha256, sha256_parts};
use serde::Serialize;
use serde_json::value::RawValue;

/// The dialect whose request bytes are [`inference_request`], as recorded in `ChallengeIssued`.
pub const DIALECT_HTTP: &str = "assay/http/1";

/// What a receipt signs: `assay/request/1` 0x00 ‖ SHA-256 of the request body.
#[must_use]
pub fn request_message(request_hash: &[u8; 32]) -> Vec<u8> {
    [b"assay/request/1\0".as_slice(), request_hash].concat()
}

/// What a miner signs: `assay/response/1` 0x00 ‖ SHA-256 of the request body ‖ SHA-256 of the response body.
#[must_use]
pub fn response_message(request_hash: &[u8; 32], body_hash: &[u8; 32]) -> Vec<u8> {
    [b"assay/response/1\0".as_slice(), request_hash, body_hash].concat()
}

/// Whether what came with an answer is a signature of the miner that was asked: 128 hex digits that verify, and no other
/// signer named. `verify` checks sr25519 for a public key, a message and a signature.
#[must_use]
pub fn is_signed_by(
    hotkey: &Hotkey,
    request_hash: &Digest,
    body: &[u8],
    signature: &str,
    signed_by: Option<&str>,
    verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
) -> Option<Signature> {
    let signature: Signature = signature.parse().ok()?;
    let public = hotkey.public().ok().filter(|_| signed_by.is_none_or(|signer| signer == hotkey.as_str()))?;
    let message = response_message(&request_hash.0, &sha256(body).0);
    verify(&public, &message, &signature.0).then_some(signature)
}

/// Commitment of a challenge: SHA-256("assay/challenge/1" 0x00 ‖ canonical JSON).
///
/// # Errors
/// A temperature or `top_p` that is not finite.
pub fn commitment(challenge: &Challenge) -> Result<Digest, serde_json::Error> {
    Ok(sha256_parts(&[b"assay/challenge/1\0", &serde_json::to_vec(challenge)?]))
}

/// What of an issue goes into the request besides the challenge.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt<'a> {
    /// The ledger's origin.
    pub origin: &'a str,
    /// The challenge.
    pub challenge_id: &'a str,
    /// The attempt.
    pub attempt: u32,
    /// Position of the attempt's `MinersSelected`.
    pub position: Position,
    /// Nonce of this request.
    pub nonce: &'a str,
    /// When the collector gives up.
    pub deadline: Micros,
}

#[derive(Serialize)]
struct InferenceRequest<'a> {
    prompt: Option<&'a str>,
    messages: Option<&'a RawValue>,
    model: Option<&'a str>,
    max_tokens: u32,
    temperature: f64,
    top_p: f64,
    tools: Option<&'a RawValue>,
    tool_choice: Option<&'a RawValue>,
    correlation_id: Option<&'a str>,
    created_at: Option<&'a str>,
    assay: &'a Receipt<'a>,
}

/// The exact request bytes for a miner: the challenge with the receipt's fields. Keys unknown to a miner are ignored by it.
///
/// # Errors
/// When a free JSON text of the challenge is not JSON.
pub fn inference_request(challenge: &Challenge, receipt: &Receipt<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let raw = |text: &'_ Option<String>| -> Result<Option<Box<RawValue>>, serde_json::Error> {
        text.as_ref().map(|text| RawValue::from_string(text.clone())).transpose()
    };
    let (messages, tools, tool_choice) =
        (raw(&challenge.messages)?, raw(&challenge.tools)?, raw(&challenge.tool_choice)?);
    serde_json::to_vec(&InferenceRequest {
        prompt: challenge.prompt.as_deref(),
        messages: messages.as_deref(),
        model: challenge.model.as_deref(),
        max_tokens: challenge.max_tokens,
        temperature: challenge.temperature,
        top_p: challenge.top_p,
        tools: tools.as_deref(),
        tool_choice: tool_choice.as_deref(),
        correlation_id: challenge.correlation_id.as_deref(),
        created_at: challenge.created_at.as_deref(),
        assay: receipt,
    })
}

#[derive(Serialize)]
struct SynapseRequest<'a> {
    synapse: &'a str,
    request: &'a RawValue,
    assay: &'a Receipt<'a>,
}

/// The exact request bytes for a miner of a mechanism with requests of its own.
///
/// # Errors
/// When the synapse's body is not JSON.
pub fn synapse_request(synapse: &Synapse, receipt: &Receipt<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let request = RawValue::from_string(synapse.body.clone())?;
    serde_json::to_vec(&SynapseRequest { synapse: synapse.name, request: &request, assay: receipt })
}

/// Why an issue's request cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The task is not one of the mechanism.
    #[error("the task is not one of the rule set: {0}")]
    Task(String),
    /// A free text of the challenge is not JSON.
    #[error("a text of the challenge is not JSON")]
    Json(#[from] serde_json::Error),
}

/// The request that an issue stands for, rebuilt from facts; its hash must equal `issued.request_hash`.
///
/// # Errors
/// A task that is not one of the mechanism, or free texts that are not JSON.
pub fn issued_request(
    mechanism: &dyn Mechanism,
    challenge: &Challenge,
    origin: &str,
    selected: Position,
    issued: &ChallengeIssued,
) -> Result<(Vec<u8>, Digest), RequestError> {
    let receipt = Receipt {
        origin,
        challenge_id: &issued.challenge_id,
        attempt: issued.attempt,
        position: selected,
        nonce: &issued.nonce,
        deadline: issued.deadline,
    };
    let bytes = match mechanism.synapse(challenge).map_err(RequestError::Task)? {
        Some(synapse) => synapse_request(&synapse, &receipt)?,
        None => inference_request(challenge, &receipt)?,
    };
    let hash = sha256(&bytes);
    Ok((bytes, hash))
}

/// The bytes that a validator anchors on chain for a checkpoint: `root[32] ‖ u64 size (big-endian)`.
#[must_use]
pub fn anchor_data(root: &Digest, size: u64) -> Vec<u8> {
    [root.0.as_slice(), &size.to_be_bytes()].concat()
}

#[derive(serde::Deserialize)]
struct Message {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Option<String>,
}

/// The text that an answer is measured against: the prompt, else the content of the last user message.
#[must_use]
pub fn evaluation_prompt(challenge: &Challenge) -> String {
    if let Some(prompt) = challenge.prompt.as_ref().filter(|prompt| !prompt.is_empty()) {
        return prompt.clone();
    }
    let messages: Vec<Message> =
        challenge.messages.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let last = messages.into_iter().rev().find(|message| message.role == "user");
    last.and_then(|message| message.content).unwrap_or_default()
}

/// Names of the headers by which requests and answers are signed.
pub mod header {
    /// SS58 hotkey of the miner, on an answer.
    pub const HOTKEY: &str = "assay-hotkey";
    /// sr25519 signature as 128 hex digits: over [`super::request_message`] on a request, over
    /// [`super::response_message`] on an answer.
    pub const SIGNATURE: &str = "assay-signature";
    /// SS58 hotkey of the validator, on a request. The name is the Loosh miner's.
    pub const VALIDATOR_HOTKEY: &str = "validator-hotkey";
    /// The ledger's origin, on a request.
    pub const ORIGIN: &str = "assay-origin";
    /// The round, on a request.
    pub const ROUND: &str = "assay-round";
    /// Position of this request's `ChallengeIssued`, on a request.
    pub const POSITION: &str = "assay-position";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::HexBytes;

    #[test]
    fn an_anchor_is_root_and_size() {
        let data = anchor_data(&HexBytes([7; 32]), 258);
        assert_eq!(data, [[7; 32].as_slice(), &[0, 0, 0, 0, 0, 0, 1, 2]].concat());
    }
}
