//! What a recorded round came to, as the challenge service takes it: the batch, and the picture of how alike the answers are.
//!
//! Made of recorded events alone, so that it is the same whenever it is made. An answer that is erased is left out.

use std::collections::BTreeMap;

use domain::events::{Challenge, Event, ResponseReceived, ResponseScored, RoundEvaluated};
use domain::mechanism::Mechanism;
use domain::round;
use domain::types::{Hotkey, Micros, Position, sha256};
use pictures::Heatmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::board::decode;
use crate::shared::Shared;
use crate::{Error, rules};

/// The longest reason for an end that is passed on, in bytes.
const LONGEST_REASON: usize = 64;
/// Answers of a picture at most; a draw asks fewer.
const MOST_ROWS: usize = pictures::MAX_ROWS;

/// An evaluated round as recorded.
pub(super) struct Results {
    challenge: Challenge,
    responses: Vec<ResponseReceived>,
    scores: Vec<ResponseScored>,
    evaluated: RoundEvaluated,
    at: Micros,
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
    /// The picture is brought by itself, and no path of this machine is of use to anybody else.
    heatmap_path: Option<String>,
    /// Upstream has it off: a constant of its own says so.
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
        let (mut responses, mut scores, mut ended) = (Vec::new(), Vec::new(), None);
        for stored in shared.journal.ledger().reader().stream(round::STREAM_TYPE, &id, 1).await? {
            match decode(&stored)? {
                Some(Event::ResponseReceived(response)) => responses.push(response),
                Some(Event::ResponseScored(scored)) => scores.push(scored),
                Some(Event::RoundEvaluated(evaluated)) => ended = Some((evaluated, Micros(stored.recorded_at))),
                _ => {}
            }
        }
        let Some((evaluated, at)) = ended else { return Ok(None) };
        let Some(mechanism) = rules::of_round(shared, evaluated.rule_set).await? else { return Ok(None) };
        Ok(Some((Self { challenge, responses, scores, evaluated, at }, mechanism)))
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
                narrative: None,
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

    fn score(&self, hotkey: &Hotkey) -> Option<&ResponseScored> {
        self.scores.iter().find(|scored| scored.hotkey == *hotkey)
    }

    /// The picture of how alike the answers are that no filter dropped, as upstream draws it; none where there are not two.
    ///
    /// # Errors
    /// A recorded matrix that is none, or what cannot be written as PNG.
    pub(super) fn heatmap(&self) -> Result<Option<Vec<u8>>, String> {
        let (labels, block) = (&self.evaluated.labels, self.evaluated.similarity.bytes());
        let size = labels.len();
        let (numbers, rest) = block.as_chunks::<8>();
        if !rest.is_empty() || numbers.len() != size * (size + 1) / 2 {
            return Err(format!("a similarity block of {} bytes for {size} answers", block.len()));
        }
        // The upper triangle with its diagonal, row by row: before row r stand r rows, each one shorter than the last.
        let at = |row: usize, column: usize| {
            let (row, column) = (row.min(column), row.max(column));
            f64::from_be_bytes(numbers[row * size - row * row.saturating_sub(1) / 2 + column - row])
        };
        let kept = |place: &usize| self.score(&labels[*place]).is_some_and(|scored| scored.filtered.is_none());
        let kept: Vec<usize> = (0..size).filter(kept).collect();
        if kept.len() < 2 || kept.len() > MOST_ROWS {
            return Ok(None);
        }
        let uid = |place: &usize| self.score(&labels[*place]).map_or_else(String::new, |scored| scored.uid.to_string());
        let rows = kept.iter().map(|row| kept.iter().map(|column| at(*row, *column)).collect()).collect();
        let title = format!("{}/{}", self.challenge.id, self.evaluated.attempt);
        let note = self.challenge.correlation_id.clone().unwrap_or_default();
        let drawn = Heatmap::new(&title, &self.at.rfc3339(), &note, kept.iter().map(uid).collect(), rows);
        drawn.and_then(|map| map.png()).map(Some).map_err(|error| error.to_string())
    }
}

/// The file name of a picture: a challenge's id may hold anything.
pub(super) fn file_name(challenge_id: &str, evaluated: Position) -> String {
    format!("heatmap-{}-{evaluated}.png", &sha256(challenge_id.as_bytes()).to_string()[..16])
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::events::FilterStage;
    use domain::mechanism;
    use domain::types::{Block, HexBytes, Uid};

    use super::*;

    fn hotkey(number: u8) -> Hotkey {
        Hotkey::from_public(&[number; 32])
    }

    fn answered(number: u8, body: &str) -> ResponseReceived {
        ResponseReceived {
            challenge_id: "c".into(),
            attempt: 1,
            hotkey: hotkey(number),
            address: "http://127.0.0.1:1".into(),
            dialect: "assay/http/1".into(),
            status: 200,
            sent_at: Micros(1),
            first_byte_at: Micros(2),
            received_at: Micros(3),
            response_time_ms: 7,
            request_hash: HexBytes([0; 32]),
            signature: None,
            body: Block::new(body.as_bytes().to_vec()),
        }
    }

    fn scored(number: u8, filtered: Option<FilterStage>) -> ResponseScored {
        ResponseScored {
            challenge_id: "c".into(),
            attempt: 1,
            hotkey: hotkey(number),
            uid: Uid(u16::from(number)),
            score: f64::from(number) / 8.0,
            counted: number != 4,
            filtered,
            reason: None,
            components: Vec::new(),
        }
    }

    /// Four answers, of which the second is dropped; their cosines are 0.11, 0.12, … by row and column.
    fn results(bodies: [&str; 4]) -> Results {
        let numbers = (1..=4).flat_map(|row| (row..=4).map(move |column| cosine(row, column)));
        let challenge = crate::sources::task("c".to_owned(), "A question?".to_owned(), "{}".to_owned());
        Results {
            challenge: Challenge { metadata: Some("{\"a\":[1]}".into()), tools: Some("no JSON".into()), ..challenge },
            responses: (1..).zip(bodies).map(|(number, body)| answered(number, body)).collect(),
            scores: (1..=4).map(|number| scored(number, (number == 2).then_some(FilterStage::Outlier))).collect(),
            evaluated: RoundEvaluated {
                challenge_id: "c".into(),
                attempt: 1,
                rule_set: HexBytes([0; 32]),
                consensus: 0.75,
                consensus_achieved: true,
                best: Some(hotkey(3)),
                components: Vec::new(),
                labels: (1..=4).map(hotkey).collect(),
                label: None,
                statistics: Vec::new(),
                similarity: Block::new(numbers.flat_map(f64::to_be_bytes).collect()),
            },
            at: Micros(0),
        }
    }

    fn cosine(row: u8, column: u8) -> f64 {
        f64::from(row.min(column)) / 10.0 + f64::from(row.max(column)) / 100.0
    }

    #[test]
    fn what_miners_say_of_tool_calls_and_usage_goes_with_the_batch() {
        let calls = r#"{"response_text":"a","tool_calls":[{"id":"x"}],"finish_reason":"tool_calls","usage":{"prompt_tokens":2,"total_tokens":5}}"#;
        let long =
            format!(r#"{{"response_text":"b","tool_calls":"x","finish_reason":"{}","usage":[-1]}}"#, "y".repeat(65));
        let found = results([calls, &long, r#"{"response_text":"c"}"#, "no answer"]);
        let rules = mechanism::open(&mechanism::shipped_by_name("loosh/1.2.8").unwrap()).unwrap();
        let batch = found.batch(rules.as_ref(), hotkey(9)).unwrap();
        assert_eq!(batch, found.batch(rules.as_ref(), hotkey(9)).unwrap());
        let batch: Value = serde_json::from_slice(&batch).unwrap();
        let answer = |number: u8, text: &str, calls: Value, reason: &str, usage: [u64; 3]| {
            let [prompt, completion, total] = usage;
            serde_json::json!({
                "miner_id": hotkey(number), "miner_uid": number, "text": text, "tool_calls": calls, "finish_reason": reason,
                "response_time_ms": 7,
                "usage": { "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total },
            })
        };
        let expected = serde_json::json!([
            answer(1, "a", serde_json::json!([{ "id": "x" }]), "tool_calls", [2, 0, 5]),
            answer(2, "b", Value::Null, "stop", [0; 3]),
            answer(3, "c", Value::Null, "stop", [0; 3]),
        ]);
        assert_eq!(batch["responses"], expected);
        let emissions = batch["evaluation"]["emissions"].as_object().unwrap();
        assert_eq!((emissions.len(), &emissions[hotkey(3).as_str()]), (3, &serde_json::json!(0.375)));
        assert_eq!(batch["evaluation"]["best_miner_id"], hotkey(3).as_str());
        assert_eq!(batch["original_request"]["metadata"], serde_json::json!({ "a": [1] }));
        assert_eq!(batch["original_request"]["tools"], "no JSON");
    }

    #[test]
    fn the_picture_shows_the_answers_that_no_filter_dropped() {
        let found = results([""; 4]);
        let rows = [1, 3, 4].map(|row| [1, 3, 4].map(|column| cosine(row, column)).to_vec()).to_vec();
        let labels = ["1", "3", "4"].map(str::to_owned).to_vec();
        let expected = Heatmap::new("c/1", &Micros(0).rfc3339(), "", labels, rows).unwrap().png().unwrap();
        assert_eq!(found.heatmap().unwrap(), Some(expected));
        let mut alone = results([""; 4]);
        alone.scores.truncate(2);
        assert_eq!(alone.heatmap().unwrap(), None);
        alone.evaluated.similarity = Block::new(vec![0; 9]);
        assert!(alone.heatmap().unwrap_err().contains("9 bytes"));
    }
}
