//! The exact bytes of a request, rebuilt from facts by whoever checks them.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Dialect;
use crate::events::{Challenge, ChallengeIssued};
use crate::mechanism::{Mechanism, Synapse, SynapseKind};
use crate::types::{Digest, Micros, Position, sha256};

/// The type of Loosh's questions. Upstream's have no name on the wire: they travel encrypted, or to a route of their own.
pub const INFERENCE: SynapseKind = SynapseKind { name: "Inference", required: &[], hashed: &[], streamed: false };

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
    serde_json::to_vec(&SynapseRequest { synapse: synapse.kind.name, request: &request, assay: receipt })
}

/// The exact request bytes for a miner in the dialects whose route names the synapse: its JSON object, with the receipt as one
/// more field. A miner that does not know the field ignores it.
fn flat_request(synapse: &Synapse, receipt: &Receipt<'_>) -> Result<Vec<u8>, RequestError> {
    // Both are checked to be JSON; only a whole object can be continued.
    let fields: Box<RawValue> = RawValue::from_string(synapse.body.clone())?;
    let not_an_object = || RequestError::Task(format!("the body of {} is no JSON object", synapse.kind.name));
    let inner =
        fields.get().trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(not_an_object)?;
    let comma = if inner.trim().is_empty() { "" } else { "," };
    let receipt = serde_json::to_string(receipt)?;
    Ok(format!("{{{inner}{comma}\"assay\":{receipt}}}").into_bytes())
}

/// A request's object with a nonce as its last field, as fiber's encrypted mode has it. What is recorded is so what the miner
/// decrypts.
///
/// # Errors
/// What does not end as a JSON object does.
pub fn with_nonce(mut body: Vec<u8>, nonce: &str) -> Result<Vec<u8>, RequestError> {
    body.truncate(body.trim_ascii_end().len());
    if body.pop() != Some(b'}') {
        return Err(RequestError::Task("the request is no JSON object".to_owned()));
    }
    let comma = if body.trim_ascii_end().ends_with(b"{") { "" } else { "," };
    body.extend_from_slice(format!("{comma}\"nonce\":{}}}", serde_json::to_string(nonce)?).as_bytes());
    Ok(body)
}

/// A request as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRequest {
    /// The exact bytes.
    pub body: Vec<u8>,
    /// Their SHA-256.
    pub hash: Digest,
    /// The type that they are of.
    pub kind: &'static SynapseKind,
}

/// Why an issue's request cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody knows the dialect's bytes.
    #[error("{0:?} is no dialect of the wire; known are {known}", known = Dialect::names())]
    Dialect(String),
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
/// A dialect that is not known, a task that is not one of the mechanism, or free texts that are not JSON.
pub fn issued_request(
    mechanism: &dyn Mechanism,
    challenge: &Challenge,
    origin: &str,
    selected: Position,
    issued: &ChallengeIssued,
) -> Result<IssuedRequest, RequestError> {
    let receipt = Receipt {
        origin,
        challenge_id: &issued.challenge_id,
        attempt: issued.attempt,
        position: selected,
        nonce: &issued.nonce,
        deadline: issued.deadline,
    };
    let dialect = Dialect::of(&issued.dialect).ok_or_else(|| RequestError::Dialect(issued.dialect.clone()))?;
    let (kind, body) = match mechanism.synapse(challenge).map_err(RequestError::Task)? {
        Some(synapse) if dialect.names_the_synapse() => (synapse.kind, synapse_request(&synapse, &receipt)?),
        Some(synapse) => (synapse.kind, flat_request(&synapse, &receipt)?),
        None => (&INFERENCE, inference_request(challenge, &receipt)?),
    };
    let body = if dialect.adds_a_nonce() { with_nonce(body, &issued.nonce)? } else { body };
    let hash = sha256(&body);
    Ok(IssuedRequest { body, hash, kind })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KIND: SynapseKind =
        SynapseKind { name: "Echo", required: &[("prompt", "\"\"")], hashed: &[], streamed: false };

    fn receipt() -> Receipt<'static> {
        let (position, deadline) = (Position(7), Micros(9));
        Receipt { origin: "assay/0/1/h", challenge_id: "c", attempt: 1, position, nonce: "n", deadline }
    }

    #[test]
    fn a_flat_request_is_the_synapse_with_one_field_more() {
        let assay =
            r#""assay":{"origin":"assay/0/1/h","challenge_id":"c","attempt":1,"position":7,"nonce":"n","deadline":9}"#;
        for (body, expected) in
            [(r#"{"prompt":"Why?"}"#, format!(r#"{{"prompt":"Why?",{assay}}}"#)), (" { } ", format!("{{ {assay}}}"))]
        {
            let synapse = Synapse { kind: &KIND, body: body.to_owned() };
            assert_eq!(String::from_utf8(flat_request(&synapse, &receipt()).unwrap()).unwrap(), expected);
        }
        assert_eq!(with_nonce(b"{\"a\":{}}".to_vec(), "n\"").unwrap(), b"{\"a\":{},\"nonce\":\"n\\\"\"}");
        assert_eq!(with_nonce(b"{ } \n".to_vec(), "n").unwrap(), b"{ \"nonce\":\"n\"}");
        assert!(with_nonce(b"[]".to_vec(), "n").is_err() && with_nonce(Vec::new(), "n").is_err());
        for body in ["", "[]", "7", "{", r#"{"a":1}}"#, r#"{"a":1} {"b":2}"#] {
            assert!(flat_request(&Synapse { kind: &KIND, body: body.to_owned() }, &receipt()).is_err(), "{body}");
        }
    }
}
