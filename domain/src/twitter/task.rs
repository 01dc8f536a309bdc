//! The task of a round, what miners are sent for it, and the text that is read from what they answer (spec 1.1).
//!
//! An answer is the synapse's own object. Only its `completion` is read: whatever else a miner writes into it, such as an
//! analysis of its own, has no say in its score.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::constants::Collection;
use super::criteria::{self, Criterion};
use crate::mechanism::SynapseKind;
use crate::text::strip;

/// The longest task, in bytes.
pub const MAX_TASK: usize = 64 * 1024;

/// The longest prompt, in bytes.
pub const MAX_PROMPT: usize = 16 * 1024;

/// The longest completion that is an answer, in bytes.
pub const MAX_COMPLETION: usize = 64 * 1024;

/// The synapse's name, which is upstream's path as well.
pub const SYNAPSE: &str = "TwitterScraper";

/// The type of a request; the prompt is the one field that a signature covers.
pub const KIND: SynapseKind =
    SynapseKind { name: SYNAPSE, required: &[("messages", "\"\"")], hashed: &["messages"], streamed: true };

/// What upstream calls the kind of task; the judge's template goes by it.
pub const TASK_NAME: &str = "augment";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The user's prompt.
    pub prompt: String,
    /// The number from which the source drew the prompt, so that anybody can repeat the choice. Nothing else follows from it.
    pub query_seed: u64,
    /// What the answer's form is asked for, which the prompt has to say as well. Upstream's tasks ask for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<Criterion>,
}

impl Task {
    /// A task that asks for nothing of an answer's form.
    #[must_use]
    pub fn new(prompt: impl Into<String>, query_seed: u64) -> Self {
        Self { prompt: prompt.into(), query_seed, criteria: Vec::new() }
    }

    /// Reads a task.
    ///
    /// # Errors
    /// A text that is too long, no such object, a prompt that is blank or too long, or criteria that cannot be measured.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TASK {
            return Err(format!("a task of {} bytes is over the limit of {MAX_TASK}", text.len()));
        }
        let task: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        task.checked()
    }

    /// The task of a challenge: its own, or the prompt of a client that has none.
    ///
    /// # Errors
    /// As [`Task::parse`].
    pub fn of(task: Option<&str>, prompt: &str) -> Result<Self, String> {
        match task {
            Some(task) => Self::parse(task),
            None => Self::new(prompt, 0).checked(),
        }
    }

    fn checked(self) -> Result<Self, String> {
        criteria::check(&self.criteria)?;
        match self.prompt.len() {
            _ if strip(&self.prompt).is_empty() => Err("the prompt is blank".to_owned()),
            0..=MAX_PROMPT => Ok(self),
            more => Err(format!("a prompt of {more} bytes is over the limit of {MAX_PROMPT}")),
        }
    }

    /// As canonical JSON.
    ///
    /// # Errors
    /// None: texts and whole numbers always serialise.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }
}

/// The fields of the synapse, in upstream's order.
#[derive(Debug, Serialize)]
struct TwitterScraper<'a> {
    messages: &'a str,
    completion: &'a str,
    required_hash_fields: [&'a str; 1],
    seed: i64,
    model: &'a str,
}

/// The body of a request: the prompt, and the model and seed that the rule set names.
///
/// # Errors
/// None: texts and whole numbers always serialise.
pub fn synapse(task: &Task, rule: &Collection) -> Result<String, String> {
    let body = TwitterScraper {
        messages: &task.prompt,
        completion: "",
        required_hash_fields: ["messages"],
        seed: rule.seed,
        model: &rule.model,
    };
    serde_json::to_string(&body).map_err(|error| error.to_string())
}

/// The completion of an answer's body: of the synapse's object, or the text itself where it was streamed as the SDK streams
/// it. A body that is JSON is that object or no answer, and one that begins with a brace is meant as JSON. A blank completion is an
/// answer: what it earns is for the rule set to say.
///
/// # Errors
/// An object without a text `completion`, other JSON, a stream that is no text, a NUL character, or more than an answer may have.
pub fn completion(body: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        completion: String,
    }
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let completion = if text.trim_ascii_start().starts_with('{') {
        serde_json::from_str::<Answer>(text).map_err(|error| error.to_string())?.completion
    } else if text.is_empty() || serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Err("the body is neither an object with a completion nor a streamed text".to_owned());
    } else {
        text.to_owned()
    };
    match completion.len() {
        _ if completion.contains('\0') => Err("completion contains a NUL character".to_owned()),
        0..=MAX_COMPLETION => Ok(completion),
        more => Err(format!("a completion of {more} bytes is over the limit of {MAX_COMPLETION}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::twitter::constants::Constants;
    use proptest::prelude::*;

    #[test]
    fn tasks_are_read_strictly() {
        let task = Task::new("What about SpaceX?", 7);
        assert_eq!(task.to_json().unwrap(), r#"{"prompt":"What about SpaceX?","query_seed":7}"#);
        assert_eq!(Task::parse(&task.to_json().unwrap()), Ok(task));
        assert_eq!(Task::of(None, "rain").unwrap().query_seed, 0);
        let asking = r#"{"prompt":"a","query_seed":1,"criteria":[{"plain":{"penalty":0.5}}]}"#;
        assert_eq!(Task::parse(asking).unwrap().to_json().unwrap(), asking);
        let long = format!(r#"{{"prompt":"{}","query_seed":1}}"#, "x".repeat(MAX_PROMPT + 1));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"prompt":" \n","query_seed":1}"#,
            r#"{"prompt":"a","query_seed":-1}"#,
            r#"{"prompt":"a","query_seed":1,"more":2}"#,
            r#"{"prompt":"a","query_seed":1,"criteria":[{"plain":{"penalty":2}}]}"#,
            &long,
            &" ".repeat(MAX_TASK + 1),
        ] {
            assert!(Task::parse(bad).is_err(), "{}", bad.get(..40).unwrap_or(bad));
        }
        assert!(Task::of(None, " ").is_err());
    }

    #[test]
    fn requests_are_upstreams_synapse() {
        let task = Task::new("a \"b\"", 7);
        let expected = r#"{"messages":"a \"b\"","completion":"","required_hash_fields":["messages"],"seed":1234,"model":"gpt-4-1106-preview"}"#;
        assert_eq!(synapse(&task, &Constants::readme().collection).unwrap(), expected);
    }

    #[test]
    fn answers_are_hostile() {
        let with = r#"{"messages":"q","completion":" ans ","prompt_analysis":{"keywords":["ans"]}}"#;
        assert_eq!(completion(with.as_bytes()).unwrap(), " ans ");
        assert_eq!(completion(br#"{"completion":""}"#).unwrap(), "");
        assert_eq!(completion(b"Tweets say: {go}").unwrap(), "Tweets say: {go}");
        assert_eq!(completion(b"[1] Tweets say: go").unwrap(), "[1] Tweets say: go");
        let long = format!(r#"{{"completion":"{}"}}"#, "x".repeat(MAX_COMPLETION + 1));
        for bad in [
            b"".as_slice(),
            b"{",
            b" {\"text\"",
            b"[]",
            b" null\n",
            b"42",
            b"\"a text\"",
            b"[\"completion\"]",
            b"a stream with \0 in it",
            b"a stream that is no text \xff",
            br#"{"completion":null}"#,
            br#"{"completion":["a"]}"#,
            br#"{"messages":"q"}"#,
            br#"{"completion":"a","completion":"b"}"#,
            br#"{"completion":"a\u0000"}"#,
            b"{\"completion\":\"\xff\"}",
            long.as_bytes(),
        ] {
            assert!(completion(bad).is_err(), "{}", String::from_utf8_lossy(&bad[..bad.len().min(40)]));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(text in "\\PC{0,60}") {
            let body = serde_json::to_vec(&serde_json::json!({"messages": "q", "completion": text})).unwrap();
            prop_assert_eq!(completion(&body).unwrap(), text);
        }
    }
}
