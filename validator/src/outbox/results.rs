//! What a recorded round came to, as the challenge service takes it: the batch. Its pictures are `pictures`', its narrative `told`'s.
//!
//! Made of recorded events alone, so that it is the same whenever it is made. An answer that is erased is left out.

use std::collections::BTreeMap;

use domain::events::{
    Challenge, Event, MinersSelected, ResponseFailed, ResponseReceived, ResponseScored, RoundEvaluated,
};
use domain::mechanism::Mechanism;
use domain::round;
use domain::types::{Hotkey, Micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::told;
use crate::board::decode;
use crate::shared::Shared;
use crate::{Error, rules};

/// The longest reason for an end that is passed on, in bytes.
const LONGEST_REASON: usize = 64;

/// An evaluated round as recorded.
pub(super) struct Results {
    pub(super) challenge: Challenge,
    /// None where it is erased.
    pub(super) selected: Option<MinersSelected>,
    pub(super) responses: Vec<ResponseReceived>,
    pub(super) failures: Vec<ResponseFailed>,
    pub(super) scores: Vec<ResponseScored>,
    pub(super) evaluated: RoundEvaluated,
    pub(super) at: Micros,
}

#[derive(Serialize)]
struct Batch<'a> {
    challenge_id: &'a str,
    responses: Vec<Response>,
    evaluation: Evaluation,
    validator_hotkey: Hotkey,
    original_request: Request<'a>,
}

#[derive(Serialize)]
struct Response {
    miner_id: Hotkey,
    miner_uid: Option<u16>,
    text: String,
    tool_calls: Option<Vec<Value>>,
    finish_reason: String,
    response_time_ms: u32,
    usage: Usage,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Evaluation {
    consensus_score: f64,
    emissions: BTreeMap<Hotkey, f64>,
    best_miner_id: Option<Hotkey>,
    /// The picture is brought by itself. What the service answers to it is not documented to name a path, and none of this machine
    /// is of use to anybody else.
    heatmap_path: Option<String>,
    /// The round told by rules.
    narrative: Option<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    id: &'a str,
    correlation_id: Option<&'a str>,
    prompt: Option<&'a str>,
    messages: Option<Value>,
    model: Option<&'a str>,
    tools: Option<Value>,
    tool_choice: Option<Value>,
    temperature: f64,
    top_p: f64,
    max_tokens: u32,
    metadata: Option<Value>,
    created_at: Option<&'a str>,
    requester: Option<&'a str>,
}

/// The challenge of that id; none where it is erased.
///
/// # Errors
/// What the ledger says.
pub(super) async fn challenge(shared: &Shared, id: &str) -> Result<Option<Challenge>, Error> {
    let stored = shared.journal.ledger().reader().stream(crate::streams::CHALLENGE, id, 1).await?;
    let event = stored.first().map(decode).transpose()?.flatten();
    Ok(match event {
        Some(Event::ChallengeAccepted(accepted)) => Some(accepted.challenge),
        _ => None,
    })
}

impl Results {
    /// The round whose evaluation stands there, with the rules that it was evaluated under; none where too much is erased.
    ///
    /// # Errors
    /// What the ledger says.
    pub(super) async fn read(
        shared: &Shared,
        challenge_id: &str,
        attempt: u32,
    ) -> Result<Option<(Self, std::sync::Arc<dyn Mechanism>)>, Error> {
        let Some(challenge) = challenge(shared, challenge_id).await? else { return Ok(None) };
        let id = round::stream_id(challenge_id, attempt);
        let (mut selected, mut ended) = (None, None);
        let (mut responses, mut failures, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        for stored in shared.journal.ledger().reader().stream(round::STREAM_TYPE, &id, 1).await? {
            match decode(&stored)? {
                Some(Event::MinersSelected(drawn)) => selected = Some(drawn),
                Some(Event::ResponseReceived(response)) => responses.push(response),
                Some(Event::ResponseFailed(failure)) => failures.push(failure),
                Some(Event::ResponseScored(scored)) => scores.push(scored),
                Some(Event::RoundEvaluated(evaluated)) => ended = Some((evaluated, Micros(stored.recorded_at))),
                _ => {}
            }
        }
        let Some((evaluated, at)) = ended else { return Ok(None) };
        let Some(mechanism) = rules::of_round(shared, evaluated.rule_set).await? else { return Ok(None) };
        Ok(Some((Self { challenge, selected, responses, failures, scores, evaluated, at }, mechanism)))
    }

    /// The batch.
    ///
    /// # Errors
    /// None in practice: all of it is text and finite numbers.
    pub(super) fn batch(&self, mechanism: &dyn Mechanism, own: Hotkey) -> Result<Vec<u8>, serde_json::Error> {
        let counted = self.scores.iter().filter(|scored| scored.counted);
        let batch = Batch {
            challenge_id: &self.challenge.id,
            responses: self.responses.iter().filter_map(|response| self.response(mechanism, response)).collect(),
            evaluation: Evaluation {
                consensus_score: self.evaluated.consensus,
                emissions: counted.map(|scored| (scored.hotkey, scored.score)).collect(),
                best_miner_id: self.evaluated.best,
                heatmap_path: None,
                narrative: told::narrative(self, mechanism),
            },
            validator_hotkey: own,
            original_request: request(&self.challenge),
        };
        serde_json::to_vec(&batch)
    }

    /// An answer as it is passed on: what the miner said of tool calls, end and usage goes with it, where it makes sense.
    fn response(&self, mechanism: &dyn Mechanism, response: &ResponseReceived) -> Option<Response> {
        #[derive(Deserialize)]
        struct Said {
            tool_calls: Option<Value>,
            finish_reason: Option<Value>,
            usage: Option<Value>,
        }
        let text = mechanism.parse_response(response.body.bytes()).ok()?;
        let said: Said = serde_json::from_slice(response.body.bytes()).ok()?;
        let reason = said.finish_reason.as_ref().and_then(Value::as_str).filter(|text| text.len() <= LONGEST_REASON);
        Some(Response {
            miner_id: response.hotkey,
            miner_uid: self.score(&response.hotkey).map(|scored| scored.uid.0),
            text,
            tool_calls: said
                .tool_calls
                .and_then(|calls| if let Value::Array(calls) = calls { Some(calls) } else { None }),
            finish_reason: reason.unwrap_or("stop").to_owned(),
            response_time_ms: response.response_time_ms,
            usage: said.usage.and_then(|usage| serde_json::from_value(usage).ok()).unwrap_or_default(),
        })
    }

    pub(super) fn score(&self, hotkey: &Hotkey) -> Option<&ResponseScored> {
        self.scores.iter().find(|scored| scored.hotkey == *hotkey)
    }
}

/// The request as the client made it.
fn request(challenge: &Challenge) -> Request<'_> {
    // Text of a client that is no JSON stays text.
    let json = |text: &Option<String>| {
        text.as_ref().map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
    };
    Request {
        id: &challenge.id,
        correlation_id: challenge.correlation_id.as_deref(),
        prompt: challenge.prompt.as_deref(),
        messages: json(&challenge.messages),
        model: challenge.model.as_deref(),
        tools: json(&challenge.tools),
        tool_choice: json(&challenge.tool_choice),
        temperature: challenge.temperature,
        top_p: challenge.top_p,
        max_tokens: challenge.max_tokens,
        metadata: json(&challenge.metadata),
        created_at: challenge.created_at.as_deref(),
        requester: challenge.requester.as_deref(),
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
