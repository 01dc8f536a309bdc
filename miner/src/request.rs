//! The bodies of `POST /inference`: what is asked, what is answered, and how a bad question is refused.
//!
//! A question is read field by field, so that a refusal can name the field. Unknown fields are ignored, null counts as absent.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest prompt and longest content of one message, in bytes.
const MAXIMUM_TEXT_BYTES: usize = 64 << 10;
const MAXIMUM_MESSAGES: usize = 256;
/// More tokens than any answer has.
const MAXIMUM_TOKENS: u64 = 1_000_000;
/// Longest receipt field (origin, id, nonce), in bytes.
const MAXIMUM_RECEIPT_BYTES: usize = 512;

/// A question after all checks.
#[derive(Clone, Debug, PartialEq)]
pub struct InferenceRequest {
    /// The text to answer: the last user message, else the prompt.
    pub question: String,
    /// Most words the answer may have.
    pub max_tokens: u64,
    /// What the request says about the round it belongs to.
    pub receipt: Option<ReceiptFields>,
}

/// The `assay` object of a request: the place in a ledger that the question was issued at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFields {
    /// The ledger, `assay/<genesis>/<netuid>/<hotkey>`.
    pub origin: String,
    /// The round.
    pub challenge_id: String,
    /// Position of the attempt's draw.
    pub position: u64,
    /// Microseconds since the Unix epoch after which no answer counts.
    pub deadline: Option<u64>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InferenceResponse {
    /// The text.
    pub response_text: String,
    /// Milliseconds this miner took.
    pub response_time_ms: u64,
    /// `stop`, or `length` when `max_tokens` cut the answer.
    pub finish_reason: String,
    /// Sizes.
    pub usage: Usage,
}

/// Sizes of question and answer. This miner has no token of its own: it counts words between white space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Words of the question.
    pub prompt_tokens: u64,
    /// Words of the answer.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
}

/// Why a request is not answered: a status, a sentence, and the field it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 4xx for the caller's mistakes, 5xx for the miner's troubles.
    pub status: StatusCode,
    /// What is wrong.
    pub error: String,
    /// The field of the body or the header, if it is about one.
    pub field: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), field: None }
    }

    pub(crate) fn of_field(status: StatusCode, field: impl Into<String>, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), field: Some(field.into()) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let retry = matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let mut body = Map::new();
        body.insert("error".to_owned(), Value::String(self.error));
        if let Some(field) = self.field {
            body.insert("field".to_owned(), Value::String(field));
        }
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        if retry {
            response.headers_mut().insert("retry-after", axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}

pub(crate) fn invalid(field: impl Into<String>, error: impl Into<String>) -> Refusal {
    Refusal::of_field(StatusCode::UNPROCESSABLE_ENTITY, field, error)
}

impl InferenceRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 when it is no JSON object, 422 naming the field otherwise.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let not_json =
            |error: String| Refusal::new(StatusCode::BAD_REQUEST, format!("the body is no JSON object: {error}"));
        let value: Value = serde_json::from_slice(body).map_err(|error| not_json(error.to_string()))?;
        let Value::Object(fields) = value else { return Err(not_json("it is another JSON value".to_owned())) };
        let field = |name: &str| fields.get(name).filter(|value| !value.is_null());

        let prompt = field("prompt").map(|value| text(value, "prompt")).transpose()?;
        let message = field("messages").map(last_user_message).transpose()?.flatten();
        let question = message.or(prompt).filter(|question| !question.trim().is_empty());
        let question = question.ok_or_else(|| invalid("prompt", "neither prompt nor a user message says anything"))?;

        let max_tokens = field("max_tokens").and_then(Value::as_u64).filter(|n| (1..=MAXIMUM_TOKENS).contains(n));
        let max_tokens = max_tokens
            .ok_or_else(|| invalid("max_tokens", format!("a whole number from 1 to {MAXIMUM_TOKENS} is needed")))?;
        // This miner does not sample; the two are checked because every caller has to send them.
        number(field("temperature"), "temperature", 100.0)?;
        number(field("top_p"), "top_p", 1.0)?;
        Ok(Self { question, max_tokens, receipt: field("assay").map(receipt).transpose()? })
    }
}

fn text(value: &Value, name: &str) -> Result<String, Refusal> {
    let text = value.as_str().ok_or_else(|| invalid(name, "a string is needed"))?;
    if text.len() > MAXIMUM_TEXT_BYTES {
        return Err(invalid(name, format!("{} bytes; the limit is {MAXIMUM_TEXT_BYTES}", text.len())));
    }
    if text.contains('\0') {
        return Err(invalid(name, "it contains a NUL character"));
    }
    Ok(text.to_owned())
}

/// The content of the last message of role `user`: a string, or a list of parts of which the texts count.
fn last_user_message(messages: &Value) -> Result<Option<String>, Refusal> {
    let messages = messages.as_array().ok_or_else(|| invalid("messages", "a list is needed"))?;
    if messages.len() > MAXIMUM_MESSAGES {
        return Err(invalid("messages", format!("{} messages; the limit is {MAXIMUM_MESSAGES}", messages.len())));
    }
    let mut last = None;
    for (index, message) in messages.iter().enumerate() {
        let name = format!("messages[{index}]");
        let message = message.as_object().ok_or_else(|| invalid(&*name, "an object is needed"))?;
        let content = message.get("content").filter(|content| !content.is_null());
        let content = content.map(|content| self::content(content, &format!("{name}.content"))).transpose()?;
        if message.get("role").and_then(Value::as_str) == Some("user") {
            last = content.or(last);
        }
    }
    Ok(last)
}

fn content(content: &Value, name: &str) -> Result<String, Refusal> {
    let Value::Array(parts) = content else { return text(content, name) };
    let texts: Result<Vec<String>, Refusal> =
        parts.iter().filter_map(|part| part.get("text")).map(|part| text(part, name)).collect();
    text(&Value::String(texts?.join("\n")), name)
}

fn number(value: Option<&Value>, name: &str, maximum: f64) -> Result<(), Refusal> {
    match value.and_then(Value::as_f64) {
        Some(number) if (0.0..=maximum).contains(&number) => Ok(()),
        _ => Err(invalid(name, format!("a number from 0 to {maximum} is needed"))),
    }
}

pub(crate) fn receipt(value: &Value) -> Result<ReceiptFields, Refusal> {
    let string = |name: &str| {
        let found = value.get(name).and_then(Value::as_str).filter(|text| text.len() <= MAXIMUM_RECEIPT_BYTES);
        found.map(str::to_owned).ok_or_else(|| invalid(format!("assay.{name}"), "a short string is needed"))
    };
    let position = value.get("position").and_then(Value::as_u64);
    let position = position.ok_or_else(|| invalid("assay.position", "a whole number is needed"))?;
    let deadline = value.get("deadline").and_then(Value::as_u64);
    Ok(ReceiptFields { origin: string("origin")?, challenge_id: string("challenge_id")?, position, deadline })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn body(change: Value) -> Vec<u8> {
        let mut body = json!({"prompt": "Why?", "max_tokens": 100, "temperature": 0.7, "top_p": 1});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::to_vec(&body).unwrap()
    }

    #[test]
    fn reads_prompts_and_messages() {
        let check = |change: Value, expected: &str| {
            assert_eq!(InferenceRequest::parse(&body(change)).unwrap().question, expected);
        };
        check(json!({}), "Why?");
        check(json!({"messages": null, "tools": null, "surprise": [1]}), "Why?");
        check(json!({"messages": []}), "Why?");
        check(json!({"messages": [{"role": "user", "content": "One"}, {"role": "assistant", "content": "x"}]}), "One");
        check(json!({"messages": [{"role": "user", "content": "One"}, {"role": "user", "content": "Two"}]}), "Two");
        check(
            json!({"prompt": null, "messages": [{"role": "user", "content": [{"type": "text", "text": "Part"}]}]}),
            "Part",
        );
    }

    #[test]
    fn reads_the_place_in_the_ledger() {
        let assay = json!({"origin": "assay/0/1/h", "challenge_id": "c", "attempt": 1, "position": 7, "nonce": "n", "deadline": 9});
        let receipt = InferenceRequest::parse(&body(json!({"assay": assay}))).unwrap().receipt.unwrap();
        assert_eq!((receipt.origin.as_str(), receipt.position, receipt.deadline), ("assay/0/1/h", 7, Some(9)));
    }

    #[test]
    fn refusals_name_the_field() {
        let check = |change: Value, field: &str| {
            let refusal = InferenceRequest::parse(&body(change.clone())).expect_err(&change.to_string());
            assert_eq!((refusal.status.as_u16(), refusal.field.as_deref()), (422, Some(field)), "{change}");
        };
        check(json!({"prompt": null}), "prompt");
        check(json!({"prompt": " \n"}), "prompt");
        check(json!({"prompt": 5}), "prompt");
        check(json!({"prompt": "a\u{0}b"}), "prompt");
        check(json!({"prompt": "x".repeat(70_000)}), "prompt");
        check(json!({"messages": "hello"}), "messages");
        check(json!({"messages": ["hello"]}), "messages[0]");
        check(json!({"messages": vec![json!({}); 257]}), "messages");
        check(json!({"messages": [{"role": "user", "content": 5}]}), "messages[0].content");
        check(json!({"max_tokens": null}), "max_tokens");
        check(json!({"max_tokens": 0}), "max_tokens");
        check(json!({"max_tokens": 1.5}), "max_tokens");
        check(json!({"temperature": -1}), "temperature");
        check(json!({"temperature": "hot"}), "temperature");
        check(json!({"top_p": 1.01}), "top_p");
        check(json!({"assay": {"origin": "o", "challenge_id": "c"}}), "assay.position");
        check(json!({"assay": {"origin": "o".repeat(600), "challenge_id": "c", "position": 1}}), "assay.origin");
    }

    #[test]
    fn what_is_no_object_is_a_bad_request() {
        for bytes in [b"".as_slice(), b"{", b"[]", b"\xff\xfe", b"{\"prompt\": NaN}"] {
            assert_eq!(InferenceRequest::parse(bytes).unwrap_err().status, StatusCode::BAD_REQUEST, "{bytes:?}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(200));
        assert_eq!(InferenceRequest::parse(deep.as_bytes()).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
