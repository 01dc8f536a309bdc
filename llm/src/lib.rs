//! Completions of language models: endpoints as configured, retries, limits and a token budget.
//!
//! A request is a system message and a user's message; a completion is the reply's text as it came, with the figures that the
//! log records. `async-openai` builds the requests and reads the answers; everything between the two (attempts, waits, sizes)
//! is `transport`'s. Every provider is asked through the chat completions interface of OpenAI, which all of them serve.
//!
//! **Architecture invariant:** nothing here judges a reply. Whether its text has the wanted shape is decided by whoever
//! asked, from the recorded bytes, so that an audit can repeat it. A key never shows: not in a log line, not in an error, not
//! in [`Completion::parameters_json`].

mod address;
mod budget;
mod client;
mod config;
mod error;
mod retry;
#[cfg(feature = "scripted")]
pub mod scripted;
mod transport;
mod wire;

use async_trait::async_trait;

pub use client::Client;
pub use config::{Endpoint, Environment, Provider, ReplyFormat, from_environment, parse};
pub use error::Error;

/// What a model is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The system message; left out when empty.
    pub system: String,
    /// The user's message.
    pub user: String,
    /// Tokens that the reply may have, at most the endpoint's own limit; 0 for that limit.
    pub maximum_tokens: u32,
    /// The JSON schema of the reply, as JSON text, for endpoints that take one. The reply is not checked against it.
    pub json_schema: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The reply, as it came.
    pub text: String,
    /// Tokens of the prompt, as the endpoint counted them; 0 if it did not.
    pub prompt_tokens: u32,
    /// Tokens of the reply, as the endpoint counted them; 0 if it did not.
    pub completion_tokens: u32,
    /// Milliseconds from sending to the last byte, of the attempt that succeeded.
    pub latency_ms: u32,
    /// Everything that was sent but the messages, the schema and the key, as canonical JSON: provider, model, sampling.
    pub parameters_json: String,
    /// Provider and model, as `openai/gpt-4o-2024-08-06`; the model as the endpoint named it in its answer.
    pub model: String,
}

/// Whatever completes requests: an endpoint, or a script in tests.
#[async_trait]
pub trait LanguageModel: Send + Sync + std::fmt::Debug {
    /// The completion of a request.
    ///
    /// # Errors
    /// As [`Client::complete`].
    async fn complete(&self, request: &Request) -> Result<Completion, Error>;
}
