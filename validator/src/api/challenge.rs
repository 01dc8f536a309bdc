//! What a pushed challenge may look like. Whatever passes can be stored, sent to miners, and evaluated.
//!
//! Upstream has no bounds at all and drops a challenge with neither prompt nor messages later without a word; here it is
//! refused at once. Free JSON (`messages`, `tools`, `tool_choice`, `metadata`) is kept as the text that was sent. Whether the
//! rule set in force can use a task is looked at where challenges are accepted.

use domain::events::Challenge;
use domain::types::Hotkey;
use domain::wire::evaluation_prompt;
use serde_json::Value;

use super::config::ChallengeDefaults;
use super::fields::Fields;
use super::problem::Problem;

const LONGEST_ID: usize = 128;
const LONGEST_PROMPT: usize = 64 << 10;
const LONGEST_MESSAGES: usize = 128 << 10;
const MOST_MESSAGES: usize = 256;
const LONGEST_TOOLS: usize = 64 << 10;
const MOST_TOOLS: usize = 128;
const LONGEST_TOOL_CHOICE: usize = 8 << 10;
const LONGEST_METADATA: usize = 32 << 10;
const LONGEST_TASK: usize = 128 << 10;
const LONGEST_LABEL: usize = 256;
const MOST_TOKENS: u32 = 131_072;

/// Roles of chat messages.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// `GET /challenges/stats` is a route, so nothing else can be called that.
const RESERVED_ID: &str = "stats";

const FIELDS: &[&str] = &[
    "id",
    "correlation_id",
    "prompt",
    "messages",
    "model",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "max_tokens",
    "metadata",
    "created_at",
    "requester",
    "task",
];

/// Reads a challenge.
///
/// # Errors
/// 422 naming the field.
pub(crate) fn read(body: &[u8], defaults: &ChallengeDefaults) -> Result<Challenge, Problem> {
    let fields = Fields::read(body, FIELDS)?;
    let id = fields.required_text("id", LONGEST_ID)?;
    if !is_id(&id) {
        return Err(Problem::field(
            "id",
            "is not 1 to 128 letters, digits or -_.: of ASCII beginning with a letter or digit, or is \"stats\"; take another",
        ));
    }
    let challenge = Challenge {
        id,
        correlation_id: fields.text("correlation_id", LONGEST_LABEL)?,
        prompt: prompt(&fields)?,
        messages: messages(&fields)?,
        model: fields.text("model", LONGEST_LABEL)?,
        tools: tools(&fields)?,
        tool_choice: tool_choice(&fields)?,
        temperature: fields.number("temperature", 0.0..=2.0)?.unwrap_or(defaults.temperature),
        top_p: fields.number("top_p", 0.0..=1.0)?.unwrap_or(defaults.top_p),
        max_tokens: fields.whole("max_tokens", 1..=MOST_TOKENS)?.unwrap_or(defaults.max_tokens),
        metadata: metadata(&fields)?,
        created_at: fields.text("created_at", LONGEST_LABEL)?,
        requester: fields.text("requester", LONGEST_LABEL)?,
        task: fields.text("task", LONGEST_TASK)?,
    };
    if challenge.prompt.is_none() && challenge.messages.is_none() {
        return Err(Problem::field("prompt", "is missing; send a prompt, or messages with one of the role user"));
    }
    let question = evaluation_prompt(&challenge);
    if question.trim().is_empty() {
        return Err(Problem::field(
            "messages",
            "has no text in its last message of the role user, and there is no prompt",
        ));
    }
    if question.len() > LONGEST_PROMPT {
        let problem = format!("has over {LONGEST_PROMPT} bytes in its last message of the role user; shorten it");
        return Err(Problem::field("messages", problem));
    }
    Ok(challenge)
}

/// Whether a text can be a challenge's id.
pub(crate) fn is_id(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len())
        && text.bytes().all(safe)
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text != RESERVED_ID
}

fn prompt(fields: &Fields) -> Result<Option<String>, Problem> {
    let prompt = fields.text("prompt", LONGEST_PROMPT)?;
    match prompt {
        Some(text) if text.trim().is_empty() => {
            Err(Problem::field("prompt", "is blank; ask something, or leave it out when messages carry the question"))
        }
        prompt => Ok(prompt),
    }
}

fn messages(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some((value, text)) = fields.json("messages", LONGEST_MESSAGES)? else { return Ok(None) };
    let wrong = |problem: String| Err(Problem::field("messages", problem));
    let Some(messages) = value.as_array().filter(|messages| (1..=MOST_MESSAGES).contains(&messages.len())) else {
        return wrong(format!("is not an array of 1 to {MOST_MESSAGES} objects"));
    };
    for (at, message) in messages.iter().enumerate() {
        let Some(message) = message.as_object() else {
            return wrong(format!("has at index {at} something else than an object"));
        };
        let role = message.get("role").and_then(Value::as_str);
        if !role.is_some_and(|role| ROLES.contains(&role)) {
            return wrong(format!("has at index {at} no role, or none of {}", ROLES.join(", ")));
        }
        if !matches!(message.get("content"), None | Some(Value::Null | Value::String(_))) {
            return wrong(format!("has at index {at} a content that is not a string; send text only"));
        }
    }
    if is_ambiguous(&text) {
        return wrong("has a key twice in one message; send each once".to_owned());
    }
    Ok(Some(text))
}

/// Whether the texts of roles and contents are read in one way only: a reader that is typed refuses what is given twice.
fn is_ambiguous(messages: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[allow(dead_code)]
    struct Message {
        role: String,
        #[serde(default)]
        content: Option<String>,
    }
    serde_json::from_str::<Vec<Message>>(messages).is_err()
}

fn tools(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some((value, text)) = fields.json("tools", LONGEST_TOOLS)? else { return Ok(None) };
    let sound = value.as_array().is_some_and(|tools| tools.len() <= MOST_TOOLS && tools.iter().all(Value::is_object));
    sound
        .then_some(Some(text))
        .ok_or_else(|| Problem::field("tools", format_args!("is not an array of up to {MOST_TOOLS} objects")))
}

fn tool_choice(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some((value, text)) = fields.json("tool_choice", LONGEST_TOOL_CHOICE)? else { return Ok(None) };
    let sound = value.is_string() || value.is_object();
    sound.then_some(Some(text)).ok_or_else(|| Problem::field("tool_choice", "is neither a string nor an object"))
}

fn metadata(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some((value, text)) = fields.json("metadata", LONGEST_METADATA)? else { return Ok(None) };
    value.is_object().then_some(Some(text)).ok_or_else(|| Problem::field("metadata", "is not an object"))
}

/// The hotkey of a body `{"hotkey": …}`.
///
/// # Errors
/// 422 naming what is wrong with the address.
pub(crate) fn read_hotkey(body: &[u8]) -> Result<Hotkey, Problem> {
    let text = Fields::read(body, &["hotkey"])?.required_text("hotkey", LONGEST_LABEL)?;
    text.parse().map_err(|error| Problem::field("hotkey", format_args!("is no SS58 address: {error}")))
}

/// The wish of a body `{"running": …}`.
///
/// # Errors
/// 422.
pub(crate) fn read_running(body: &[u8]) -> Result<bool, Problem> {
    Fields::read(body, &["running"])?.required_truth("running")
}

#[cfg(test)]
#[path = "challenge_tests.rs"]
mod tests;
