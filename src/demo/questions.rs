//! The shipped questions, pushed over HTTP as any client would.

use crate::cli::PushArgs;
use crate::secrets;
use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

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

/// Challenge ids must be new in a ledger that goes on from an earlier run.
pub fn prefix(word: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock stands before 1970")?;
    Ok(format!("{word}-{}", now.as_millis()))
}

/// Pushes questions to a validator.
pub struct Pusher {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
    prefix: String,
    questions: Vec<Question>,
    pushed: usize,
}

#[derive(Deserialize)]
struct Accepted {
    position: serde_json::Value,
}

impl Pusher {
    /// A pusher to the validator that the arguments name.
    pub fn of(args: &PushArgs, prefix: String) -> Result<Self> {
        Self::new(&args.validator, secrets::given("--token", None, args.token_file.as_deref())?, prefix)
    }

    /// A pusher whose challenge ids begin with the prefix. A validator on another machine asks for its token.
    pub fn new(validator: &str, token: Option<String>, prefix: String) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let url = format!("{}/challenges", validator.trim_end_matches('/'));
        Ok(Self { client, url, token, prefix, questions: shipped()?, pushed: 0 })
    }

    /// Sends until it is accepted. A validator that is full or busy says so, and is asked again a few times.
    async fn send(&self, id: &str, body: &serde_json::Value) -> Result<String> {
        for attempt in 1.. {
            let mut request = self.client.post(&self.url).json(body);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let reply = request.send().await;
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

    /// Pushes the next question, beginning again after the last. Gives the challenge's id and position. One whose answer was lost may be
    /// committed all the same, so its id is not used again.
    pub async fn push(&mut self) -> Result<(String, String)> {
        let question = self.questions[self.pushed % self.questions.len()].clone();
        let id = format!("{}-{}-{}", self.prefix, self.pushed + 1, question.id);
        self.pushed += 1;
        self.ask(id, &question.prompt).await
    }

    /// Pushes a question of one's own. Gives the challenge's id and position.
    pub async fn ask(&mut self, id: String, prompt: &str) -> Result<(String, String)> {
        let body = serde_json::json!({
            "id": id, "prompt": prompt, "temperature": 0.7, "top_p": 0.95, "max_tokens": 512,
        });
        let text = self.send(&id, &body).await?;
        let accepted: Accepted = serde_json::from_str(&text).context("the validator's answer is malformed")?;
        let position = match accepted.position {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok((id, position))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::Json;
    use axum::routing::post;
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    /// A validator that commits the first push and loses its answer, as when its database goes away.
    #[tokio::test]
    async fn a_lost_answer_does_not_stop_the_questions() {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let take = move |Json(body): Json<serde_json::Value>| async move {
            let mut seen = seen.lock().unwrap();
            let is_new = seen.insert(body["id"].to_string());
            let status = match (is_new, seen.len()) {
                (false, _) => StatusCode::CONFLICT,
                (true, 1) => StatusCode::INTERNAL_SERVER_ERROR,
                (true, _) => StatusCode::CREATED,
            };
            (status, Json(serde_json::json!({ "position": 7 })))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/challenges", post(take))).await });
        let mut pusher = Pusher::new(&url, None, "test".to_owned()).unwrap();
        assert!(pusher.push().await.is_err());
        assert_eq!(pusher.push().await.unwrap().1, "7");
    }
}
