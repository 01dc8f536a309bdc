//! Endpoints as a person configures them: the `[llm.NAME]` tables of a TOML file, or three variables of the environment.
//!
//! A key that nobody knows is an error that names it. No message quotes a line of the file: it may hold a secret.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// How the environment is read; tests bring their own.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + Send + Sync + 'a;

/// The model that is asked when only a key is in the environment.
const DEFAULT_MODEL: &str = "gpt-4o-mini";
/// The name of the endpoint that the environment gives.
pub(crate) const FROM_ENVIRONMENT: &str = "environment";
/// Names that a request needs for itself.
const RESERVED: [&str; 5] = ["model", "messages", "stream", "n", "response_format"];

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// OpenAI, or with `base` whatever speaks its interface.
    Openai,
    /// Azure OpenAI: `base` is the resource's address, `model` the deployment.
    AzureOpenai,
    /// Ollama, on this machine unless `base` says otherwise.
    Ollama,
    /// Anthropic, through its interface in OpenAI's form.
    Anthropic,
    /// Anything that speaks OpenAI's interface; `base` is needed, a key is not.
    OpenaiCompatible,
}

impl Provider {
    /// As it is written in the file and recorded.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::AzureOpenai => "azure_openai",
            Self::Ollama => "ollama",
            Self::Anthropic => "anthropic",
            Self::OpenaiCompatible => "openai_compatible",
        }
    }

    /// Where it is when `base` does not say.
    pub(crate) fn default_base(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::AzureOpenai | Self::OpenaiCompatible => None,
        }
    }

    /// The variable that its own clients read the key from.
    fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("OPENAI_API_KEY"),
            Self::AzureOpenai => Some("AZURE_OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Ollama | Self::OpenaiCompatible => None,
        }
    }
}

/// How the shape of a reply is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyFormat {
    /// `response_format` with the request's schema.
    JsonSchema,
    /// `response_format` asks for some JSON object.
    JsonObject,
    /// The messages alone say it.
    Text,
}

/// An `[llm.NAME]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Whose interface it is.
    pub provider: Provider,
    /// The model; for Azure the deployment.
    pub model: String,
    /// The key itself. Better is a file that nobody else can read, or `key_variable`.
    pub key: Option<SecretString>,
    /// The variable of the environment that holds the key. Default: the provider's own, if `base` is.
    pub key_variable: Option<String>,
    /// The address up to and including `/v1`; for Azure the resource's.
    pub base: Option<String>,
    /// Azure's version of the interface.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Sampling temperature, 0 to 2. Default: not sent.
    pub temperature: Option<f64>,
    /// Tokens that a reply may have at most; requests may ask for fewer.
    #[serde(default = "maximum_tokens", alias = "max_tokens")]
    pub maximum_tokens: u32,
    /// Default: `json_schema`; for Anthropic, which ignores it, `text`.
    pub reply_format: Option<ReplyFormat>,
    /// Seconds that one attempt may take.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// How many attempts a request gets.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// The longest wait between two attempts that an endpoint may ask for, in seconds.
    #[serde(default = "longest_wait_seconds")]
    pub longest_wait_seconds: u64,
    /// Requests under way at once.
    #[serde(default = "concurrency")]
    pub concurrency: u32,
    /// Tokens that one process may use here, of prompts and replies.
    #[serde(default = "token_budget")]
    pub token_budget: u64,
    /// Further parameters of the provider, sent as they are.
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
}

fn api_version() -> String {
    "2024-10-21".to_owned()
}

fn maximum_tokens() -> u32 {
    4096
}

fn timeout_seconds() -> u64 {
    60
}

fn attempts() -> u32 {
    4
}

fn longest_wait_seconds() -> u64 {
    60
}

fn concurrency() -> u32 {
    8
}

/// 20 million: some 10,000 judgements of 2,000 tokens.
fn token_budget() -> u64 {
    20_000_000
}

impl Endpoint {
    /// An endpoint with every other setting at its default.
    #[must_use]
    pub fn new(provider: Provider, model: &str) -> Self {
        Self {
            provider,
            model: model.to_owned(),
            key: None,
            key_variable: None,
            base: None,
            api_version: api_version(),
            temperature: None,
            maximum_tokens: maximum_tokens(),
            reply_format: None,
            timeout_seconds: timeout_seconds(),
            attempts: attempts(),
            longest_wait_seconds: longest_wait_seconds(),
            concurrency: concurrency(),
            token_budget: token_budget(),
            parameters: BTreeMap::new(),
        }
    }

    /// How the shape of a reply is asked for here.
    #[must_use]
    pub fn reply_format(&self) -> ReplyFormat {
        let default = if self.provider == Provider::Anthropic { ReplyFormat::Text } else { ReplyFormat::JsonSchema };
        self.reply_format.unwrap_or(default)
    }

    /// Checks everything that needs no network.
    pub(crate) fn check(&self, name: &str) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::Setting { endpoint: name.to_owned(), problem });
        if self.model.trim().is_empty() || self.model.chars().any(char::is_control) {
            return wrong("model is empty or has control characters".to_owned());
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return wrong("temperature is not between 0 and 2".to_owned());
        }
        let ranges = [
            ("maximum_tokens", u64::from(self.maximum_tokens), 1, 1_000_000),
            ("timeout_seconds", self.timeout_seconds, 1, 600),
            ("attempts", u64::from(self.attempts), 1, 10),
            ("longest_wait_seconds", self.longest_wait_seconds, 0, 600),
            ("concurrency", u64::from(self.concurrency), 1, 64),
            ("token_budget", self.token_budget, 1, 1 << 53),
        ];
        for (key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return wrong(format!("{key} = {value} is not between {least} and {most}"));
            }
        }
        if let Some(reserved) = self.parameters.keys().find(|key| RESERVED.contains(&key.as_str())) {
            return wrong(format!("parameters.{reserved} is set by the request itself; remove it"));
        }
        if self.key.is_some() && self.key_variable.is_some() {
            return wrong("key and key_variable are both given; keep one".to_owned());
        }
        Ok(())
    }

    /// The key, if one is configured.
    pub(crate) fn find_key(&self, name: &str, environment: &Environment<'_>) -> Result<Option<SecretString>, Error> {
        let wrong = |problem: String| Err(Error::Setting { endpoint: name.to_owned(), problem });
        // The provider's own variable counts only at the provider's own address: a key must not go to another by oversight.
        let own_address = self.base.is_none() || self.provider == Provider::AzureOpenai;
        let variable = self.key_variable.as_deref().or(self.provider.key_variable().filter(|_| own_address));
        let (source, key) = match (&self.key, variable) {
            (Some(key), _) => ("key", Some(key.clone())),
            (None, Some(variable)) => (variable, environment(variable).map(SecretString::from)),
            (None, None) if self.provider == Provider::Anthropic => {
                return wrong("no key: give key or key_variable".to_owned());
            }
            (None, None) => return Ok(None),
        };
        let Some(key) = key.map(|key| SecretString::from(key.expose_secret().trim())) else {
            return wrong(format!("the variable {source} is not set; set it, or give key or key_variable"));
        };
        if key.expose_secret().is_empty() || !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong(format!("the key in {source} is empty or has characters that no key has"));
        }
        Ok(Some(key))
    }
}

/// Reads a TOML file's text as `T`, whose `llm` field is a map of [`Endpoint`]s.
///
/// # Errors
/// [`Error::File`] with the line and the key.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::File { line, problem: error.message().lines().collect::<Vec<_>>().join(" ") }
    })
}

/// The endpoint that `OPENAI_API_URL`, `OPENAI_API_KEY` and `OPENAI_MODEL` describe; none when neither address nor key is set.
/// The address may be that of the completions themselves; without a key it is asked without one.
#[must_use]
pub fn from_environment(environment: &Environment<'_>) -> Option<(String, Endpoint)> {
    let read = |name| environment(name).filter(|value| !value.trim().is_empty());
    let (address, key) = (read("OPENAI_API_URL"), read("OPENAI_API_KEY"));
    if address.is_none() && key.is_none() {
        return None;
    }
    let mut endpoint = Endpoint::new(Provider::Openai, read("OPENAI_MODEL").as_deref().unwrap_or(DEFAULT_MODEL).trim());
    endpoint.base = address;
    endpoint.key_variable = key.map(|_| "OPENAI_API_KEY".to_owned());
    Some((FROM_ENVIRONMENT.to_owned(), endpoint))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
