//! Bytes that cross the wire and are hashed or signed: they must be the same for the validator, the miner and the audit.

mod dialect;
mod request;

use crate::events::Challenge;
use crate::types::{Digest, Hotkey, Signature, sha256, sha256_parts};

pub use dialect::Dialect;
pub use request::{
    INFERENCE, IssuedRequest, Receipt, RequestError, inference_request, issued_request, synapse_request, with_nonce,
};

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
