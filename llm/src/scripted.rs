//! A model for tests that answers from a script and remembers what it was asked. Behind the feature `scripted`, which no product
//! crate enables.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::{Completion, Error, LanguageModel, Request};

/// Answers in order; once the script is at its end, every request fails.
#[derive(Debug, Default)]
pub struct Scripted {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Result<String, Error>>,
    asked: Vec<Request>,
}

impl Scripted {
    /// A model with these replies.
    #[must_use]
    pub fn new(replies: impl IntoIterator<Item = Result<String, Error>>) -> Self {
        Self { state: Mutex::new(State { replies: replies.into_iter().collect(), asked: Vec::new() }) }
    }

    /// What it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

#[async_trait]
impl LanguageModel for Scripted {
    async fn complete(&self, request: &Request) -> Result<Completion, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(request.clone());
        let end = || Error::Unavailable {
            endpoint: "scripted".to_owned(),
            attempts: 1,
            problem: "the script is at its end".to_owned(),
        };
        let text = state.replies.pop_front().unwrap_or_else(|| Err(end()))?;
        Ok(Completion {
            completion_tokens: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
            prompt_tokens: u32::try_from(request.user.split_whitespace().count()).unwrap_or(u32::MAX),
            latency_ms: 1,
            parameters_json: r#"{"provider":"scripted"}"#.to_owned(),
            model: "scripted/script".to_owned(),
            text,
        })
    }
}
