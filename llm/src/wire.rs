//! The bytes on the wire: the body of a chat completion request, and what is read of its answer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::address::Address;
use crate::{Endpoint, Error, Provider, ReplyFormat, Request};

/// The name of the field that limits a reply: OpenAI's own models take the newer one only, most others know only the older.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// A request's body, and what of it is recorded.
#[derive(Debug)]
pub(crate) struct Body {
    /// What is sent. In order of the keys, so that equal requests are equal bytes.
    pub(crate) fields: BTreeMap<String, Value>,
    /// Everything but messages and schema, as JSON text.
    pub(crate) parameters: String,
    /// Tokens that the reply may have.
    pub(crate) reply_tokens: u64,
}

impl Body {
    /// The body of a request at an endpoint.
    pub(crate) fn new(name: &str, endpoint: &Endpoint, address: &Address, request: &Request) -> Result<Self, Error> {
        let mut fields = endpoint.parameters.clone();
        fields.insert("model".to_owned(), json!(endpoint.model));
        if let Some(temperature) = endpoint.temperature {
            fields.insert("temperature".to_owned(), json!(temperature));
        }
        let asked = if request.maximum_tokens == 0 { endpoint.maximum_tokens } else { request.maximum_tokens };
        let asked = asked.min(endpoint.maximum_tokens);
        // A limit among the free parameters stands: models that think before they write need more than the text has.
        let given = LIMITS.iter().find_map(|limit| fields.get(*limit)).map(Value::as_u64);
        let reply_tokens = match given {
            Some(tokens) => tokens.ok_or_else(|| Error::Setting {
                endpoint: name.to_owned(),
                problem: format!("parameters.{} and parameters.{} take a whole number", LIMITS[0], LIMITS[1]),
            })?,
            None => {
                let newer = endpoint.provider == Provider::AzureOpenai || address.is_of(Provider::Openai);
                fields.insert(LIMITS[usize::from(!newer)].to_owned(), json!(asked));
                u64::from(asked)
            }
        };
        let format = reply_format(name, endpoint.reply_format(), request)?;
        let mut recorded = fields.clone();
        recorded.insert("provider".to_owned(), json!(endpoint.provider.name()));
        if let Some(format) = format {
            recorded.insert("response_format".to_owned(), format["type"].clone());
            fields.insert("response_format".to_owned(), format);
        }
        let mut messages = Vec::with_capacity(2);
        if !request.system.is_empty() {
            messages.push(json!({"role": "system", "content": request.system}));
        }
        messages.push(json!({"role": "user", "content": request.user}));
        fields.insert("messages".to_owned(), Value::Array(messages));
        fields.insert("stream".to_owned(), Value::Bool(false));
        let parameters = serde_json::to_string(&recorded).map_err(|error| unsendable(name, &error))?;
        Ok(Self { fields, parameters, reply_tokens })
    }
}

fn reply_format(name: &str, format: ReplyFormat, request: &Request) -> Result<Option<Value>, Error> {
    let Some(schema) = &request.json_schema else { return Ok(None) };
    let schema: Value = serde_json::from_str(schema).map_err(|error| unsendable(name, &error))?;
    Ok(match format {
        ReplyFormat::JsonSchema => {
            Some(json!({"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": false}}))
        }
        ReplyFormat::JsonObject => Some(json!({"type": "json_object"})),
        ReplyFormat::Text => None,
    })
}

fn unsendable(name: &str, error: &serde_json::Error) -> Error {
    Error::Request { endpoint: name.to_owned(), problem: error.to_string() }
}

/// What is read of a chat completion. Everything else in it is ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatCompletion {
    #[serde(default)]
    pub(crate) model: Option<String>,
    pub(crate) choices: Vec<Choice>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
}

/// One of the replies; one is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    pub(crate) message: Message,
    #[serde(default)]
    pub(crate) finish_reason: Option<String>,
}

/// What the model says.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    pub(crate) content: Option<String>,
    #[serde(default)]
    pub(crate) refusal: Option<String>,
}

/// Tokens as the endpoint counts them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) prompt_tokens: u64,
    #[serde(default)]
    pub(crate) completion_tokens: u64,
}

/// What an endpoint says when it refuses: `{"error": {"message", "code"}}`, `{"error": "…"}`, or anything.
pub(crate) struct Refusal {
    /// The message, or the begin of the body.
    pub(crate) message: String,
    /// The account has no credit left.
    pub(crate) quota_is_spent: bool,
}

impl Refusal {
    /// Reads the body of an answer that is no success.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self { message: String::from_utf8_lossy(body).into_owned(), quota_is_spent: false };
        };
        let error = &value["error"];
        let message = error["message"].as_str().or(error.as_str()).or(value["message"].as_str());
        let message = message.map_or_else(|| value.to_string(), ToOwned::to_owned);
        let code = ["code", "type"].map(|field| error[field].as_str());
        Self { message, quota_is_spent: code.contains(&Some("insufficient_quota")) }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
