//! Whoever gives the verdicts that mechanisms ask for: a model, or the mechanism's own rule where no model is configured.

use async_trait::async_trait;
use domain::mechanism::{JudgementRequest, Mechanism, NO_REPLY, NO_VERDICT, OFFLINE};

/// The longest reply that is recorded, in bytes.
pub const LONGEST_REPLY: usize = 256 * 1024;

/// Characters of a recorded refusal.
const LONGEST_PROBLEM: usize = 500;

/// A verdict and how it came about, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Provider and model; [`OFFLINE`] when none was asked, [`NO_VERDICT`] when it refuses this very request, [`NO_REPLY`] when
    /// it did not reply.
    pub model: String,
    /// Sampling and other parameters as JSON text.
    pub parameters: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the completion.
    pub completion_tokens: u32,
    /// Milliseconds.
    pub latency_ms: u32,
    /// The raw reply, at most [`LONGEST_REPLY`] bytes.
    pub reply: Vec<u8>,
}

impl Verdict {
    /// There is none: a model refuses this very request, and would again.
    #[must_use]
    pub fn refused(problem: &str) -> Self {
        Self::without_model(NO_VERDICT, problem.chars().take(LONGEST_PROBLEM).collect())
    }

    /// There is none: no reply came.
    #[must_use]
    pub fn missing(problem: &str) -> Self {
        Self::without_model(NO_REPLY, problem.chars().take(LONGEST_PROBLEM).collect())
    }

    fn without_model(model: &str, reply: String) -> Self {
        Self {
            model: model.to_owned(),
            parameters: "{}".to_owned(),
            prompt_tokens: 0,
            completion_tokens: 0,
            latency_ms: 0,
            reply: reply.into_bytes(),
        }
    }
}

/// Gives verdicts. Retries that a failure of the wire asks for are its own; beyond them the mechanism says how often it is asked.
#[async_trait]
pub trait Judge: Send + Sync + std::fmt::Debug {
    /// The verdict on a request of the mechanism.
    ///
    /// # Errors
    /// Why there is none, in a few words.
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String>;

    /// Whether a model answers requests of the purpose.
    fn has_model(&self, purpose: &str) -> bool;
}

/// No model: what the mechanism says itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

#[async_trait]
impl Judge for Offline {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        let reply = mechanism.offline(request).ok_or_else(|| {
            let (purpose, rules) = (&request.purpose, mechanism.rule_set().name());
            format!("{rules} needs a model for {purpose:?}, and none is configured")
        })?;
        Ok(Verdict::without_model(OFFLINE, reply))
    }

    fn has_model(&self, _: &str) -> bool {
        false
    }
}
