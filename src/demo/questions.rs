//! The shipped questions, pushed over HTTP as any client would.

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::Duration;

const SHIPPED: &str = include_str!("../../demo/questions.jsonl");

/// How often a busy validator is asked to take a challenge.
const ATTEMPTS: u32 = 10;
/// The pause between two of these times.
const RETRY: Duration = Duration::from_secs(2);

/// A shipped question.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// Its name.
    pub id: String,
    /// The question.
    pub prompt: String,
}

/// All shipped questions, in order.
pub fn shipped() -> Result<Vec<Question>> {
    SHIPPED.lines().map(|line| serde_json::from_str(line).context("a shipped question is malformed")).collect()
}

/// Pushes questions to a validator.
pub struct Pusher {
    client: reqwest::Client,
    url: String,
    prefix: String,
    questions: Vec<Question>,
    pushed: usize,
}

#[derive(Deserialize)]
struct Accepted {
    position: serde_json::Value,
}

impl Pusher {
    /// A pusher whose challenge ids begin with the prefix.
    pub fn new(validator: &str, prefix: String) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        Ok(Self { client, url: format!("{validator}/challenges"), prefix, questions: shipped()?, pushed: 0 })
    }

    /// Sends until it is accepted. A validator that is full or busy says so, and is asked again a few times.
    async fn send(&self, id: &str, body: &serde_json::Value) -> Result<String> {
        for attempt in 1.. {
            let reply = self.client.post(&self.url).json(body).send().await;
            let reply = reply.with_context(|| format!("{} does not answer", self.url))?;
            let status = reply.status();
            let text = reply.text().await?;
            let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            match status {
                StatusCode::CREATED => return Ok(text),
                _ if busy && attempt < ATTEMPTS => tokio::time::sleep(RETRY).await,
                _ => bail!("the validator refused challenge {id} with {status}: {text}"),
            }
        }
        bail!("challenge {id} was never sent")
    }

    /// Pushes the next question, beginning again after the last. Gives the challenge's id and position.
    pub async fn push(&mut self) -> Result<(String, String)> {
        let question = &self.questions[self.pushed % self.questions.len()];
        let id = format!("{}-{}-{}", self.prefix, self.pushed + 1, question.id);
        let body = serde_json::json!({
            "id": id, "prompt": question.prompt, "temperature": 0.7, "top_p": 0.95, "max_tokens": 512,
        });
        let text = self.send(&id, &body).await?;
        let accepted: Accepted = serde_json::from_str(&text).context("the validator's answer is malformed")?;
        self.pushed += 1;
        let position = match accepted.position {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok((id, position))
    }
}
