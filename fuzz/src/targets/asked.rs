//! What is asked of a validator and of a miner, and what the challenge service answers: bodies that are JSON throughout.

use std::sync::{Arc, LazyLock};

use axon::challenge_service::{read_public_key, read_sybil_scores, read_validators};
use domain::types::{Micros, Position};
use domain::wire::{Receipt, evaluation_prompt, inference_request};
use futures::executor::block_on;
use miner::InferenceRequest;
use miner::subnets::{Data, Subnet, SynapseRequest};
use serde_json::Value;
use validator::api::{ChallengeDefaults, read_challenge, read_label};

use super::{choice, choosing};

/// Longest text that a challenge or a question may ask, in bytes.
const LONGEST_TEXT: usize = 64 << 10;
/// Entries of the service's lists that are looked at.
const MAXIMUM_ENTRIES: usize = 4096;

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn challenge_seeds() -> Vec<Vec<u8>> {
    bytes(&[
        r#"{"id":"c-1","prompt":"Why is tea green?"}"#,
        r#"{"id":"c:2.a_b","correlation_id":"r","prompt":null,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why? τ"}],"model":"m","tools":[{"type":"function"}],"tool_choice":"auto","temperature":0.5,"top_p":1,"max_tokens":256,"metadata":{"a":[1,2.5e3]},"created_at":"2026-01-01T00:00:00Z","requester":"r","task":"t"}"#,
        r#"{"id":"c3","messages":[{"role":"assistant"},{"role":"user","content":"One"},{"role":"user","content":null}],"tool_choice":{"type":"function","function":{"name":"f"}}}"#,
        r#"{"challenge_id":"c-1","attempt":2,"source":"crm","label":{"b":1, "a":2.50}}"#,
        r#"{"challenge_id":"c-1","attempt":1,"source":"crm","label":"{\"b\":1}"}"#,
    ])
}

/// What passes can be stored, sent to a miner and evaluated; and a label is JSON or a text, of a round that can be.
pub(super) fn challenge(input: &[u8]) -> bool {
    let label = read_label(input);
    if let Ok(label) = &label {
        assert!(label.attempt > 0 && !label.source.trim().is_empty() && !label.challenge_id.is_empty());
        assert!(![&label.challenge_id, &label.source, &label.label].iter().any(|text| text.contains('\0')));
    }
    let Ok(challenge) = read_challenge(input, &ChallengeDefaults::README) else { return label.is_ok() };
    let question = evaluation_prompt(&challenge);
    assert!(!question.trim().is_empty() && question.len() <= LONGEST_TEXT);
    let stored = serde_json::to_string(&challenge).unwrap_or_default();
    assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(&challenge));
    let free = [&challenge.messages, &challenge.tools, &challenge.tool_choice, &challenge.metadata];
    for text in free.into_iter().flatten().chain([&stored]) {
        let value = serde_json::from_str::<Value>(text);
        assert!(value.is_ok_and(|value| !has_nul(&value)), "{text}");
    }
    let (position, deadline) = (Position(7), Micros(9));
    let receipt =
        Receipt { origin: "assay/0/1/h", challenge_id: &challenge.id, attempt: 1, position, nonce: "n", deadline };
    let sent = inference_request(&challenge, &receipt).unwrap_or_default();
    assert!(serde_json::from_slice::<Value>(&sent).is_ok(), "{}", String::from_utf8_lossy(&sent));
    true
}

/// Whether any text has a NUL, which the database cannot hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

pub(super) fn question_seeds() -> Vec<Vec<u8>> {
    bytes(&[
        r#"{"prompt":"Why is tea green?","max_tokens":100,"temperature":0.7,"top_p":1}"#,
        r#"{"prompt":null,"messages":[{"role":"user","content":[{"type":"text","text":"Part"},{"type":"image"}]},{"role":"assistant","content":"x"}],"max_tokens":1,"temperature":0,"top_p":0.5,"assay":{"origin":"assay/0/1/h","challenge_id":"c","attempt":1,"position":7,"nonce":"n","deadline":9}}"#,
        r#"{"synapse":"CgSynapse","request":{"cgp_input":[1, 2]},"assay":{"origin":"o","challenge_id":"c","position":3}}"#,
        r#"{"synapse":"X","request":"a text"}"#,
    ])
}

/// A question says something and has its limits; a synapse's request is what was sent, letter by letter.
pub(super) fn question(input: &[u8]) -> bool {
    let question = InferenceRequest::parse(input);
    if let Ok(found) = &question {
        assert!(!found.question.trim().is_empty() && !found.question.contains('\0'));
        assert!(found.question.len() <= LONGEST_TEXT && found.max_tokens > 0);
    }
    let synapse = SynapseRequest::parse(input);
    if let Ok(Some(found)) = &synapse {
        // What of it is no text of JSON after all, such as half a surrogate pair, is for the subnet to refuse.
        assert!(std::str::from_utf8(input).is_ok_and(|body| body.contains(&found.request)));
    }
    question.is_ok() || matches!(synapse, Ok(Some(_)))
}

/// The subnets that answer without a model.
static SUBNETS: LazyLock<Vec<Arc<dyn Subnet>>> = LazyLock::new(|| {
    let open = |name: &&str| miner::subnets::open(name, 0, &Data::default()).ok().flatten();
    ["bettertherapy", "cgp", "twitter"].iter().filter_map(open).collect()
});

pub(super) fn synapse_seeds() -> Vec<Vec<u8>> {
    [
        (0, r#"{"prompt":"How do I rest?","request_id":"btai_1"}"#),
        (
            1,
            r#"{"cgp_input":[{"guid":"HIDDEN","window_idx":-1,"lines":[[0,"The kitchen sink leaks again."],[1,"Call a plumber."]]}]}"#,
        ),
        (2, r##"{"messages":"What do people say about #Starship?","completion":"","seed":1,"model":"m"}"##),
    ]
    .iter()
    .map(|(number, body)| choosing(*number, body.as_bytes()))
    .collect()
}

/// The first two bytes choose the subnet. What a miner answers is JSON, and its pieces are it.
pub(super) fn synapse(input: &[u8]) -> bool {
    let Some((subnet, body)) = choice(&SUBNETS, input) else { return false };
    let Ok(request) = std::str::from_utf8(body) else { return false };
    let Ok(answer) = block_on(subnet.answer(request)) else { return false };
    let whole = serde_json::from_slice::<Value>(&answer).is_ok();
    assert!(whole || subnet.tokens(&answer).is_some(), "{}: {}", subnet.synapse(), String::from_utf8_lossy(&answer));
    let pieces: Vec<Vec<u8>> = block_on(futures::StreamExt::collect(subnet.pieces(answer.clone())));
    assert_eq!(pieces.concat(), answer, "{}", subnet.synapse());
    true
}

pub(super) fn service_seeds() -> Vec<Vec<u8>> {
    let (alice, bob) =
        ("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty");
    [
        format!(r#"{{"validators":[{{"hotkey_ss58":"{alice}","validator_permit":true}},{{"hotkey":"{bob}"}}]}}"#),
        format!(r#"[{{"hotkey":"{bob}","metadata":{{"admin_approved":true}}}},"{alice}",null]"#),
        format!(r#"{{"scores":{{"{alice}":{{"sybil_score":0.5,"priority_weight":1}},"{bob}":0.25,"nobody":1}}}}"#),
        r#"{"public_key":"-----BEGIN PUBLIC KEY-----\n"}"#.to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Lists are bounded and numbers are finite, whatever the service says.
pub(super) fn service(input: &[u8]) -> bool {
    let (validators, scores) = (read_validators(input), read_sybil_scores(input));
    assert!(validators.as_ref().is_ok_and(|found| found.len() <= MAXIMUM_ENTRIES) || validators.is_err());
    if let Ok(scores) = &scores {
        assert!(scores.len() <= MAXIMUM_ENTRIES);
        assert!(scores.values().all(|score| {
            score.sybil_score.is_finite()
                && score.priority_weight.is_none_or(|weight| weight.is_finite() && weight >= 0.0)
        }));
    }
    validators.is_ok() || scores.is_ok() || read_public_key(input).is_ok()
}
