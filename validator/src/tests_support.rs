//! Small builders for this crate's unit tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use domain::events::Challenge;
use domain::mechanism::{self, Mechanism};

pub(crate) fn readme() -> Arc<dyn Mechanism> {
    mechanism::open(&mechanism::shipped_by_name("loosh/readme").unwrap()).unwrap()
}

pub(crate) fn challenge(id: &str, prompt: &str) -> Challenge {
    Challenge {
        id: id.to_owned(),
        correlation_id: None,
        prompt: Some(prompt.to_owned()),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.7,
        top_p: 0.95,
        max_tokens: 512,
        metadata: None,
        created_at: None,
        requester: None,
        task: None,
    }
}
