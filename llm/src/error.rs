//! What can go wrong on the way to a completion. Texts of a provider are shortened, cleaned and without the key.

/// Why there is no completion.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no TOML, or has a key that nobody knows.
    #[error("line {line}: {problem}")]
    File {
        /// 1-based.
        line: usize,
        /// What is the matter; names the key.
        problem: String,
    },
    /// A setting that cannot work.
    #[error("[llm.{endpoint}] {problem}")]
    Setting {
        /// Its name.
        endpoint: String,
        /// Which key, and what to write instead.
        problem: String,
    },
    /// The HTTP client cannot be made, as where the system has no certificates.
    #[error("[llm.{endpoint}] no HTTP client can be made: {problem}")]
    Transport {
        /// Its name.
        endpoint: String,
        /// Why.
        problem: String,
    },
    /// A request that cannot be sent.
    #[error("[llm.{endpoint}] the request cannot be sent: {problem}")]
    Request {
        /// Its name.
        endpoint: String,
        /// Why.
        problem: String,
    },
    /// The budget of this process does not hold the request.
    #[error(
        "[llm.{endpoint}] the token budget is spent: {spent} of {budget} tokens are used or reserved, and the request may need \
         {wanted}; raise token_budget or start the process anew"
    )]
    Budget {
        /// Its name.
        endpoint: String,
        /// Tokens that the process may use.
        budget: u64,
        /// Tokens used, and reserved by requests under way.
        spent: u64,
        /// Tokens that the request may need.
        wanted: u64,
    },
    /// Too many requests wait already.
    #[error("[llm.{endpoint}] {concurrency} requests are under way and none ended in {waited_seconds} s")]
    Busy {
        /// Its name.
        endpoint: String,
        /// How many may be under way.
        concurrency: u32,
        /// Seconds.
        waited_seconds: u64,
    },
    /// The endpoint does not accept the key.
    #[error("[llm.{endpoint}] the key is refused with status {status}: {message}")]
    KeyRefused {
        /// Its name.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// What the endpoint says.
        message: String,
    },
    /// The endpoint refuses the request, and would again.
    #[error("[llm.{endpoint}] the request is refused with status {status}: {message}")]
    Refused {
        /// Its name.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// What the endpoint says.
        message: String,
    },
    /// Every attempt failed.
    #[error("[llm.{endpoint}] no answer in {attempts} attempts; the last one: {problem}")]
    Unavailable {
        /// Its name.
        endpoint: String,
        /// How many were made.
        attempts: u32,
        /// What became of the last one.
        problem: String,
    },
    /// The endpoint asks for a longer wait than is allowed.
    #[error(
        "[llm.{endpoint}] the endpoint asks to wait {asked_seconds} s, more than longest_wait_seconds = {limit_seconds}: {problem}"
    )]
    WaitTooLong {
        /// Its name.
        endpoint: String,
        /// Seconds.
        asked_seconds: u64,
        /// Seconds.
        limit_seconds: u64,
        /// The status that came with it.
        problem: String,
    },
    /// The answer is larger than any completion.
    #[error("[llm.{endpoint}] the answer is over {limit} bytes")]
    TooLarge {
        /// Its name.
        endpoint: String,
        /// Bytes.
        limit: usize,
    },
    /// The answer is no chat completion.
    #[error("[llm.{endpoint}] the answer is no chat completion: {problem}")]
    NotACompletion {
        /// Its name.
        endpoint: String,
        /// What is the matter with it.
        problem: String,
    },
    /// The model gave no text.
    #[error("[llm.{endpoint}] the model gave no text: {reason}")]
    NoText {
        /// Its name.
        endpoint: String,
        /// The reason it ended for, or its refusal.
        reason: String,
    },
}

impl Error {
    /// Whether the endpoint has answered and will not serve this very request, whatever it does with others: a content
    /// filter, a text that is too long for it, a refusal in words. Wrong keys, spent budgets and outages are none of these.
    #[must_use]
    pub fn is_of_request(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 400 | 413 | 422),
            Self::TooLarge { .. } | Self::NoText { .. } => true,
            _ => false,
        }
    }
}

/// An error with its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
