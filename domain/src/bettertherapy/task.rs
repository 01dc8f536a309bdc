//! What a round is about: the task that stands in its challenge, and what miners are sent of it.
//!
//! Who makes a question, and when: the question has to be known when the challenge is accepted, because the request to miners
//! is a function of the challenge alone. So a shipped pair stands in the task as it is, and where a model wrote the question,
//! the task holds that model's raw reply, parsed here by everybody alike. The base answer is asked for after the draw and
//! before any miner is asked, and recorded as a judgement ([`super::evidence`]); without a model the reply to that is the
//! shipped pair.
//!
//! A client's own question has no task: its prompt is the question, and its base answer needs a model.

use serde::{Deserialize, Serialize};

use super::{evidence, generator};
use crate::mechanism::{Synapse, SynapseKind};
use crate::text::strip;
use crate::types::Digest;

/// A longer task is not read, in bytes.
pub const MAX_TASK_BYTES: usize = 128 * 1024;
/// A longer answer is no answer, in bytes. The judge sees its beginning only.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// Failed calls that stand in a task at most, and characters of each.
pub const MAX_FAILED: usize = 16;
/// Characters of why a call failed.
pub const MAX_FAILURE: usize = 300;
/// Name of the request, as the subnet's own clients call it.
pub const SYNAPSE: &str = "InferenceSynapse";

/// The type of a request.
pub const KIND: SynapseKind = SynapseKind {
    name: SYNAPSE,
    required: &[("prompt", "\"\""), ("request_id", "\"\"")],
    hashed: &[],
    streamed: false,
};

/// The task of a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// `btai_` and 26 characters.
    pub request_id: String,
    /// Where the question comes from.
    pub question: Question,
}

/// Where a question comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// A pair of a list.
    Shipped {
        /// Its name in the list.
        id: String,
        /// The question.
        question: String,
        /// The base answer.
        answer: String,
        /// The calls in whose place it stands, oldest first, at most [`MAX_FAILED`]: why each led to no question.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<String>,
    },
    /// A model's. The call stands here like that of a judgement, and is committed with the challenge before anybody is asked.
    Generated {
        /// Provider and model.
        model: String,
        /// SHA-256 of [`evidence::question_request`], which is the same for every question.
        request_hash: Digest,
        /// Sampling and other parameters as JSON text.
        parameters: String,
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Tokens of the completion.
        completion_tokens: u32,
        /// Milliseconds.
        latency_ms: u32,
        /// The calls before this one that led to no question, oldest first, at most [`MAX_FAILED`]: why not.
        failed: Vec<String>,
        /// The raw reply to the request.
        reply: String,
    },
}

/// A task as a round uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Names the request to miners.
    pub request_id: String,
    /// What miners are asked.
    pub question: String,
    /// A base answer that is at hand without a model.
    pub base_answer: Option<String>,
}

impl Task {
    /// Its canonical JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        // A struct of texts always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a task.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TASK_BYTES {
            return Err(format!("{} bytes are over the limit of {MAX_TASK_BYTES}", text.len()));
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

impl Asked {
    /// What a challenge asks: its task, or else its prompt.
    ///
    /// # Errors
    /// A task that cannot be read, and one without a question.
    pub fn of(challenge: &str, task: Option<&str>, prompt: &str) -> Result<Self, String> {
        let asked = match task.map(Task::parse).transpose()? {
            None => Self { request_id: challenge.to_owned(), question: prompt.to_owned(), base_answer: None },
            Some(Task { request_id, question: Question::Shipped { question, answer, failed, .. } }) => {
                bounded(&failed)?;
                Self { request_id, question, base_answer: Some(answer) }
            }
            Some(Task { request_id, question: Question::Generated { reply, request_hash, failed, .. } }) => {
                let request = evidence::question_request().map_err(|error| error.to_string())?;
                if request_hash != request.hash() {
                    return Err("the model was asked something else than for a question".to_owned());
                }
                bounded(&failed)?;
                let question = generator::question(&reply).map_err(|error| error.to_string())?;
                Self { request_id, question, base_answer: None }
            }
        };
        if strip(&asked.question).is_empty() {
            return Err("there is no question".to_owned());
        }
        Ok(asked)
    }

    /// What miners are sent.
    ///
    /// # Errors
    /// None that a text can cause.
    pub fn synapse(&self) -> Result<Synapse, String> {
        #[derive(Serialize)]
        struct Body<'a> {
            prompt: &'a str,
            request_id: &'a str,
            output: Option<&'a str>,
        }
        let body = Body { prompt: &self.question, request_id: &self.request_id, output: None };
        let body = serde_json::to_string(&body).map_err(|error| error.to_string())?;
        Ok(Synapse { kind: &KIND, body })
    }
}

fn bounded(failed: &[String]) -> Result<(), String> {
    if failed.len() > MAX_FAILED || failed.iter().any(|why| why.chars().count() > MAX_FAILURE) {
        return Err(format!("more than {MAX_FAILED} failed calls of {MAX_FAILURE} characters"));
    }
    Ok(())
}

/// The answer's text in a miner's body: `output` of the synapse that comes back, with whatever else stands there. A missing
/// or null output is an empty answer.
///
/// # Errors
/// Says what is wrong with the body.
pub fn output(body: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Body {
        output: Option<String>,
    }
    let Body { output } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let output = output.unwrap_or_default();
    if output.len() > MAX_OUTPUT_BYTES {
        return Err(format!("output of {} bytes is over the limit of {MAX_OUTPUT_BYTES}", output.len()));
    }
    if output.contains('\0') {
        return Err("output contains a NUL byte".to_owned());
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn generated(reply: &str) -> String {
        of(evidence::question_request().unwrap().hash(), Vec::new(), reply).to_text()
    }

    fn of(request_hash: Digest, failed: Vec<String>, reply: &str) -> Task {
        let (prompt_tokens, completion_tokens, latency_ms) = (90, 30, 700);
        let (model, parameters, reply) = ("m".to_owned(), "{}".to_owned(), reply.to_owned());
        let question = Question::Generated {
            model,
            request_hash,
            parameters,
            prompt_tokens,
            completion_tokens,
            latency_ms,
            failed,
            reply,
        };
        Task { request_id: "btai_1".to_owned(), question }
    }

    #[test]
    fn the_call_for_a_question_is_the_one_that_everybody_knows() {
        let reply = "{\"question\":\"Why?\"}";
        let known = evidence::question_request().unwrap().hash();
        let asked = |task: Task| Asked::of("c", Some(&task.to_text()), "");
        assert!(asked(of(known, vec!["timed out".to_owned()], reply)).is_ok());
        assert!(asked(of(crate::types::sha256(b"another"), Vec::new(), reply)).unwrap_err().contains("something else"));
        assert!(asked(of(known, vec![String::new(); MAX_FAILED + 1], reply)).is_err());
        assert!(asked(of(known, vec!["x".repeat(MAX_FAILURE + 1)], reply)).is_err());
    }

    #[test]
    fn tasks_come_back_and_are_bounded() {
        let shipped = |failed: &[&str]| Question::Shipped {
            id: "t1".to_owned(),
            question: "Why?".to_owned(),
            answer: "So.".to_owned(),
            failed: failed.iter().map(|&why| why.to_owned()).collect(),
        };
        let task = Task { request_id: "btai_1".to_owned(), question: shipped(&[]) };
        let text = r#"{"request_id":"btai_1","question":{"shipped":{"id":"t1","question":"Why?","answer":"So."}}}"#;
        assert_eq!(task.to_text(), text);
        assert_eq!(Task::parse(text), Ok(task));
        let asked = Asked::of("c", Some(text), "").unwrap();
        assert_eq!((asked.question.as_str(), asked.base_answer.as_deref()), ("Why?", Some("So.")));
        let in_place = |failed: &[&str]| Task { request_id: "btai_1".to_owned(), question: shipped(failed) };
        let one = in_place(&["timed out"]);
        assert!(one.to_text().contains(r#","failed":["timed out"]}"#));
        assert_eq!(Task::parse(&one.to_text()), Ok(one));
        assert!(Asked::of("c", Some(&in_place(&["x"; MAX_FAILED + 1]).to_text()), "").is_err());
        for wrong in ["", "{}", &text.replace("\"id\"", "\"identity\""), &text.replace("\"request_id\"", "\"x\"")] {
            assert!(Task::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Task::parse(&" ".repeat(MAX_TASK_BYTES + 1)).unwrap_err().contains("limit"));
    }

    #[test]
    fn questions_of_a_model_and_of_a_client() {
        let asked = Asked::of("c", Some(&generated("\"question\": \"Why?\"")), "").unwrap();
        assert_eq!(asked, Asked { request_id: "btai_1".into(), question: "Why?".into(), base_answer: None });
        for reply in ["", "no", "{\"question\":3}", "{\"question\":\" \"}"] {
            assert!(Asked::of("c", Some(&generated(reply)), "").is_err(), "{reply}");
        }
        let pushed = Asked::of("c", None, "Help?").unwrap();
        assert_eq!((pushed.request_id.as_str(), pushed.base_answer), ("c", None));
        assert!(Asked::of("c", None, " ").is_err());
    }

    #[test]
    fn the_synapse_has_upstreams_fields() {
        let asked = Asked { request_id: "btai_1".into(), question: "a \"b\"\n".into(), base_answer: Some("x".into()) };
        let synapse = asked.synapse().unwrap();
        assert_eq!(synapse.kind.name, "InferenceSynapse");
        assert_eq!(synapse.body, r#"{"prompt":"a \"b\"\n","request_id":"btai_1","output":null}"#);
    }

    #[test]
    fn bodies_are_read_with_care() {
        assert_eq!(output(br#"{"prompt":"p","request_id":"r","output":"hi","axon":{}}"#), Ok("hi".to_owned()));
        assert_eq!((output(b"{}"), output(br#"{"output":null}"#)), (Ok(String::new()), Ok(String::new())));
        let long = format!("{{\"output\":\"{}\"}}", "x".repeat(MAX_OUTPUT_BYTES + 1));
        for body in [&b""[..], b"[]", b"\xff", br#"{"output":3}"#, br#"{"output":"a\u0000"}"#, long.as_bytes()] {
            assert!(output(body).is_err());
        }
    }
}
