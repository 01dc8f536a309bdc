//! Where an endpoint is and how a request says who asks: the part of a provider that differs.

use async_openai::config::Config;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::{Endpoint, Error, Provider};

/// The path that async-openai asks; people paste it together with the base.
const COMPLETIONS: &str = "/chat/completions";

/// An endpoint's address with its key.
#[derive(Clone)]
pub(crate) struct Address {
    base: String,
    prefix: String,
    version: Option<String>,
    key: SecretString,
    headers: HeaderMap,
    local: bool,
    encrypted: bool,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Address").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Address {
    /// The address of an endpoint, checked.
    pub(crate) fn new(name: &str, endpoint: &Endpoint, key: Option<SecretString>) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Setting { endpoint: name.to_owned(), problem };
        let given = endpoint.base.as_deref().or(endpoint.provider.default_base());
        let given = given.ok_or_else(|| wrong(format!("base is needed for {}", endpoint.provider.name())))?;
        let url = parse(given).map_err(|problem| wrong(format!("base {problem}")))?;
        let mut base = url.as_str().trim_end_matches('/').to_owned();
        if let Some(shorter) = base.strip_suffix(COMPLETIONS) {
            base.truncate(shorter.len());
        }
        if endpoint.provider == Provider::Ollama && url.path() == "/" {
            base.push_str("/v1");
        }
        let azure = endpoint.provider == Provider::AzureOpenai;
        let prefix = if azure {
            format!("/openai/deployments/{}", deployment(&endpoint.model).map_err(wrong)?)
        } else {
            String::new()
        };
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let (header, value) = if azure {
                (HeaderName::from_static("api-key"), key.expose_secret().to_owned())
            } else {
                (AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
            };
            let value = HeaderValue::try_from(value);
            let mut value = value.map_err(|_| wrong("the key has characters that no header can have".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self {
            base,
            prefix,
            version: azure.then(|| endpoint.api_version.clone()),
            key: key.unwrap_or_default(),
            headers,
            local: is_local(&url),
            encrypted: url.scheme() == "https",
        })
    }

    /// Whether it is the provider's own address.
    pub(crate) fn is_of(&self, provider: Provider) -> bool {
        provider.default_base() == Some(self.base.as_str())
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// Whether the way to it is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether a key is sent.
    pub(crate) fn has_key(&self) -> bool {
        !self.headers.is_empty()
    }

    /// A text of the endpoint without the key, without control characters, and not long.
    pub(crate) fn clean(&self, text: &str) -> String {
        const LONGEST: usize = 300;
        let key = self.key.expose_secret();
        let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "[key]") };
        let clean = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        clean.take(LONGEST).collect::<String>().trim().to_owned()
    }
}

fn parse(given: &str) -> Result<Url, &'static str> {
    let url = Url::parse(given.trim()).map_err(|_| "is no URL, such as https://api.openai.com/v1")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("is no address of HTTP, such as https://api.openai.com/v1");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password; give key or key_variable instead");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment; further parameters belong into the table parameters");
    }
    Ok(url)
}

/// Azure's name of a deployment stands in the path.
fn deployment(model: &str) -> Result<&str, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if model.bytes().all(plain) && !model.starts_with('.') {
        Ok(model)
    } else {
        Err(format!("model {model:?} is no name of a deployment: letters, digits, - _ and . only"))
    }
}

fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Config for Address {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.base, self.prefix)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.version.iter().map(|version| ("api-version", version.as_str())).collect()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn url(provider: Provider, model: &str, base: Option<&str>) -> Result<String, String> {
        let mut endpoint = Endpoint::new(provider, model);
        endpoint.base = base.map(ToOwned::to_owned);
        let address = Address::new("x", &endpoint, Some("secret-key".into())).map_err(|error| error.to_string())?;
        Ok(address.url(COMPLETIONS))
    }

    #[test]
    fn each_provider_is_asked_at_its_own_address() {
        use Provider::{Anthropic, AzureOpenai, Ollama, Openai, OpenaiCompatible};
        for (provider, base, expected) in [
            (Openai, None, "https://api.openai.com/v1/chat/completions"),
            (Openai, Some("https://api.openai.com/v1/chat/completions"), "https://api.openai.com/v1/chat/completions"),
            (Openai, Some("https://api.openai.com/v1/chat/completions/"), "https://api.openai.com/v1/chat/completions"),
            (OpenaiCompatible, Some("http://vllm:8000/v1/"), "http://vllm:8000/v1/chat/completions"),
            (OpenaiCompatible, Some("http://[::1]:8000"), "http://[::1]:8000/chat/completions"),
            (Ollama, None, "http://127.0.0.1:11434/v1/chat/completions"),
            (Ollama, Some("http://gpu:11434"), "http://gpu:11434/v1/chat/completions"),
            (Ollama, Some("http://gpu:11434/v1"), "http://gpu:11434/v1/chat/completions"),
            (Anthropic, None, "https://api.anthropic.com/v1/chat/completions"),
            (
                AzureOpenai,
                Some("https://mine.openai.azure.com/"),
                "https://mine.openai.azure.com/openai/deployments/gpt-4.1/chat/completions",
            ),
        ] {
            assert_eq!(url(provider, "gpt-4.1", base).unwrap(), expected, "{provider:?} {base:?}");
        }
    }

    #[test]
    fn addresses_that_cannot_work_are_refused_with_the_reason() {
        use Provider::{AzureOpenai, OpenaiCompatible};
        for (provider, model, base, reason) in [
            (OpenaiCompatible, "m", None, "base is needed for openai_compatible"),
            (AzureOpenai, "m", None, "base is needed for azure_openai"),
            (OpenaiCompatible, "m", Some("localhost:8000/v1"), "no address of HTTP"),
            (OpenaiCompatible, "m", Some("nowhere"), "is no URL"),
            (OpenaiCompatible, "m", Some("ftp://host/v1"), "no address of HTTP"),
            (OpenaiCompatible, "m", Some("https://user:password@host/v1"), "user or a password"),
            (OpenaiCompatible, "m", Some("https://host/v1?key=1"), "query"),
            (AzureOpenai, "../other", Some("https://host"), "no name of a deployment"),
        ] {
            let error = url(provider, model, base).unwrap_err();
            assert!(error.starts_with("[llm.x] ") && error.contains(reason), "{base:?}: {error}");
            assert!(!error.contains("password@"), "{error}");
        }
    }

    #[test]
    fn the_key_is_in_its_header_alone_and_never_shown() {
        let mut endpoint = Endpoint::new(Provider::Openai, "m");
        let address = Address::new("x", &endpoint, Some("secret-key".into())).unwrap();
        assert_eq!(address.headers()[AUTHORIZATION].to_str().unwrap(), "Bearer secret-key");
        let shown = format!("{address:?} {:?} {:?}", address.headers(), address.api_key());
        assert!(!shown.contains("secret-key"), "{shown}");
        endpoint = Endpoint::new(Provider::AzureOpenai, "m");
        endpoint.base = Some("https://host".to_owned());
        let azure = Address::new("x", &endpoint, Some("secret-key".into())).unwrap();
        assert_eq!(azure.headers()["api-key"].to_str().unwrap(), "secret-key");
        assert_eq!(azure.query(), [("api-version", "2024-10-21")]);
        assert_eq!(azure.clean("Incorrect key secret-key\nprovided"), "Incorrect key [key] provided");
        assert_eq!(azure.clean(&"é".repeat(1_000)).chars().count(), 300);
    }

    #[test]
    fn what_is_local_is_known() {
        for (base, local) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_local(&Url::parse(base).unwrap()), local, "{base}");
        }
    }
}
