//! The client of a conversation server: reserves a conversation, brings results back.
//!
//! **Invariants.** A request has at most the configured attempts, each with its deadline; redirects are not followed, because
//! they would carry the key elsewhere; an answer is cut off at its limit while it arrives; the key is never logged.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use domain::cgp::reserved::{self, Reserved};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use crate::error::{Error, with_causes};
use crate::{retry, text};

/// Bytes of a conversation that is accepted.
const MAX_CONVERSATION: usize = 4 << 20;
/// Bytes of an answer to a record.
const MAX_ANSWER: usize = 64 << 10;
/// Bytes of a record that is sent.
pub(crate) const MAX_RECORD: usize = 4 << 20;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// Characters of a server's words that stand in an error.
const MAX_WORDS: usize = 200;
/// Attempts that can be configured.
const MOST_ATTEMPTS: u32 = 10;
/// The code by which our own server says that all conversations are reserved.
pub(crate) const NONE_FREE: &str = "none_free";

/// A bearer key. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(…)")
    }
}

impl Key {
    /// A key of printable ASCII, at most 1,024 bytes.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(key: &str) -> Result<Self, Error> {
        let key = key.trim();
        if key.is_empty() || key.len() > 1024 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "is no key: 1 to 1024 printable ASCII characters without spaces".to_owned();
            return Err(Error::Setting { setting: "key", problem });
        }
        Ok(Self(key.to_owned()))
    }

    /// The `api_key` of a JSON file such as upstream's `readyai_api_data.json`.
    ///
    /// # Errors
    /// [`Error::Read`], and [`Error::File`] without saying what stands in it.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Data {
            api_key: String,
        }
        let data: Data = serde_json::from_slice(&text::read(path)?).map_err(|_| Error::File {
            file: path.display().to_string(),
            problem: "no JSON object with a text api_key".to_owned(),
        })?;
        Self::new(&data.api_key)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// How to reach a conversation server.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base of the address that conversations are read from, such as `https://api.example.org`.
    pub read: String,
    /// Base of the address that results are written to; none for the same.
    pub write: Option<String>,
    /// The key.
    pub key: Option<Key>,
    /// `cgp_version` to ask with: some servers then answer with the newer bundle, which is understood, too.
    pub cgp_version: Option<String>,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Attempts of a request, 1 to 10.
    pub attempts: u32,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
}

impl ClientConfig {
    /// Upstream's 60 s, three attempts, waits of at most 20 s.
    #[must_use]
    pub fn new(read: impl Into<String>) -> Self {
        Self {
            read: read.into(),
            write: None,
            key: None,
            cgp_version: None,
            timeout: Duration::from_secs(60),
            attempts: 3,
            longest_wait: Duration::from_secs(20),
        }
    }
}

/// A conversation that is ours for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The conversation.
    pub conversation: Reserved,
    /// The reply as it came, to be recorded.
    pub reply: Vec<u8>,
}

/// A client; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    reserve: Url,
    record: Url,
    authorization: Option<HeaderValue>,
    attempts: u32,
    longest_wait: Duration,
    http: reqwest::Client,
}

impl Client {
    /// Checks the configuration. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn open(config: &ClientConfig) -> Result<Self, Error> {
        let setting = |setting, problem: String| Error::Setting { setting, problem };
        if config.attempts == 0 || config.attempts > MOST_ATTEMPTS {
            return Err(setting("attempts", format!("is {}; from 1 to {MOST_ATTEMPTS}", config.attempts)));
        }
        let read = base("read", &config.read)?;
        let write = config.write.as_ref().map_or_else(|| Ok(read.clone()), |write| base("write", write))?;
        let mut authorization = None;
        if let Some(key) = &config.key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.text()))
                .map_err(|_| setting("key", "has characters that no header can have".to_owned()))?;
            value.set_sensitive(true);
            authorization = Some(value);
            if [&read, &write].iter().any(|url| url.scheme() == "http" && !is_local(url)) {
                tracing::warn!("the key of the conversation server goes over the network unencrypted");
            }
        }
        let mut reserve = path(&read, &["conversation", "reserve"])?;
        if let Some(version) = &config.cgp_version {
            reserve.query_pairs_mut().append_pair("cgp_version", version);
        }
        // The first one of a process stands; whoever came before brought one, too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
        if [&read, &write].iter().all(|url| url.scheme() == "http") {
            // Plain HTTP needs no certificates, so a system without any is as good.
            http = http.tls_certs_only([]);
        }
        if [&read, &write].iter().all(|url| is_local(url)) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| setting("read", with_causes(&error)))?;
        let record = path(&write, &["conversation", "record"])?;
        Ok(Self { reserve, record, authorization, attempts: config.attempts, longest_wait: config.longest_wait, http })
    }

    /// Reserves a conversation.
    ///
    /// # Errors
    /// [`Error::NoneFree`] at once when the server says so; [`Error::NotAConversation`] for a reply that holds none; else what
    /// became of the attempts.
    pub async fn reserve(&self) -> Result<Reservation, Error> {
        let reply = self.send(Method::POST, &self.reserve, b"{}".to_vec(), MAX_CONVERSATION).await?;
        match reserved::parse(&reply) {
            Ok(conversation) => Ok(Reservation { conversation, reply }),
            Err(source) => Err(Error::NotAConversation { url: shown(&self.reserve), source }),
        }
    }

    /// Brings a result back. The same record sent again, as after a lost answer, counts once on our own server.
    ///
    /// # Errors
    /// [`Error::Guid`], [`Error::Record`] before anything is sent; [`Error::Refused`] also for an answer that says
    /// `success: 0`; else what became of the attempts.
    pub async fn record<T: Serialize + Sync>(&self, guid: &str, record: &T) -> Result<(), Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if guid.is_empty() || guid.len() > 128 || !guid.bytes().all(allowed) {
            return Err(Error::Guid(guid.chars().take(MAX_WORDS).collect()));
        }
        let unsendable = |problem: String| Error::Record { guid: guid.to_owned(), problem };
        let body = serde_json::to_vec(record).map_err(|error| unsendable(error.to_string()))?;
        if body.len() > MAX_RECORD {
            return Err(unsendable(format!("{} bytes are over the limit of {MAX_RECORD}", body.len())));
        }
        let mut url = self.record.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(guid);
        }
        let answer = self.send(Method::PUT, &url, body, MAX_ANSWER).await?;
        match serde_json::from_slice::<Answer>(&answer) {
            // A server may say that it failed under status 200.
            Ok(answer) if answer.success == Some(0) => {
                Err(Error::Refused { url: shown(&url), status: 200, problem: answer.words() })
            }
            _ => Ok(()),
        }
    }

    async fn send(&self, method: Method, url: &Url, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Error> {
        let mut attempt = 1;
        loop {
            let (problem, asked) = match self.attempt(&method, url, body.clone(), limit).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { problem, retry_after }) => (problem, retry_after),
            };
            let wait = retry::wait(attempt, asked, self.longest_wait, getrandom::u32().unwrap_or(u32::MAX));
            let Some(wait) = wait.filter(|_| attempt < self.attempts) else {
                return Err(Error::Unreachable { url: shown(url), attempts: attempt, problem });
            };
            tracing::debug!(url = shown(url), problem, attempt, "asking the conversation server again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, method: &Method, url: &Url, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Failure> {
        let passing = |error: reqwest::Error| Failure::Passing {
            // The address would bring the query along.
            problem: with_causes(&error.without_url()),
            retry_after: None,
        };
        let mut request =
            self.http.request(method.clone(), url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(passing)?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| retry::retry_after(value, SystemTime::now()));
        let limit = if status.is_success() { limit } else { MAX_ANSWER };
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(passing)? {
            if answer.len() + chunk.len() > limit {
                return Err(Failure::Final(Error::AnswerTooLarge { url: shown(url), limit }));
            }
            answer.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(answer);
        }
        let (status, words) = (status.as_u16(), Answer::read(&answer));
        if words.is(NONE_FREE) {
            return Err(Failure::Final(Error::NoneFree { url: shown(url) }));
        }
        if retry::may_pass(status) {
            return Err(Failure::Passing { problem: format!("status {status}: {}", words.words()), retry_after });
        }
        Err(Failure::Final(Error::Refused { url: shown(url), status, problem: words.words() }))
    }
}

enum Failure {
    Final(Error),
    Passing { problem: String, retry_after: Option<Duration> },
}

/// What a server says beside conversations.
#[derive(Default, Deserialize)]
struct Answer {
    success: Option<u8>,
    #[serde(default)]
    errors: Vec<(serde_json::Value, String)>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn is(&self, code: &str) -> bool {
        self.errors.iter().any(|(found, _)| found.as_str() == Some(code))
    }

    fn words(&self) -> String {
        let words = self.errors.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join("; ");
        let words: String = words.chars().filter(|character| !character.is_control()).take(MAX_WORDS).collect();
        if words.is_empty() { "it says nothing about it".to_owned() } else { words }
    }
}

/// The base of an address, checked.
fn base(setting: &'static str, text: &str) -> Result<Url, Error> {
    let wrong = |problem: &str| Error::Setting { setting, problem: problem.to_owned() };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&format!("is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("needs http:// or https:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("may not have a user, a password, a query or a fragment"));
    }
    Ok(url)
}

/// `base` + `/api/v1/` + path.
fn path(base: &Url, path: &[&str]) -> Result<Url, Error> {
    let mut url = base.clone();
    let cannot = Error::Setting { setting: "read", problem: "cannot be the base of an address".to_owned() };
    let mut segments = url.path_segments_mut().map_err(|()| cannot)?;
    segments.pop_if_empty().extend(["api", "v1"]).extend(path);
    drop(segments);
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address without its query.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn addresses_are_put_together() {
        let mut config = ClientConfig::new("https://api.example.org:443/under/");
        config.write = Some("http://[::1]:9/".to_owned());
        config.cgp_version = Some("3.1&x".to_owned());
        let client = Client::open(&config).unwrap();
        assert_eq!(
            client.reserve.as_str(),
            "https://api.example.org/under/api/v1/conversation/reserve?cgp_version=3.1%26x"
        );
        assert_eq!(client.record.as_str(), "http://[::1]:9/api/v1/conversation/record");
        assert!(is_local(&client.record) && !is_local(&client.reserve));
    }

    #[test]
    fn what_cannot_work_is_said_before_anything_is_sent() {
        for (read, expected) in [
            ("api.example.org", "read is no address: relative URL without a base"),
            ("ftp://example.org", "read needs http:// or https:// and a host"),
            ("https://user:word@example.org", "read may not have a user, a password, a query or a fragment"),
            ("https://example.org?api=1", "read may not have a user, a password, a query or a fragment"),
        ] {
            assert_eq!(Client::open(&ClientConfig::new(read)).unwrap_err().to_string(), expected);
        }
        for attempts in [0, 11] {
            let config = ClientConfig { attempts, ..ClientConfig::new("http://localhost") };
            assert!(Client::open(&config).unwrap_err().to_string().starts_with("attempts is"));
        }
        for key in ["", "two words", "ключ", &"k".repeat(1025)] {
            assert!(Key::new(key).is_err(), "{key}");
        }
        assert_eq!(format!("{:?}", Key::new(" secret ").unwrap()), "Key(…)");
    }

    #[test]
    fn the_key_file_of_upstream_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("readyai_api_data.json");
        std::fs::write(&file, r#"{"api_key": "abc", "other": 1}"#).unwrap();
        assert_eq!(Key::from_file(&file).unwrap().text(), "abc");
        std::fs::write(&file, r#"{"api_key": 7, "hidden": "secret"}"#).unwrap();
        assert!(!Key::from_file(&file).unwrap_err().to_string().contains("secret"));
    }
}
