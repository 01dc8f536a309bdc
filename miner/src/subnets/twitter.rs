//! The Twitter scraper's miner: analyses the prompt itself, filters the tweets that it has, and quotes them.
//!
//! Nothing is made up: every statement of an answer is a count or a tweet's own text with its author and address, and what was
//! looked for is said even when nothing is found. Where tweets come from is a [`TweetSource`]; the one here is a file. Its
//! sample is fiction, written for this program: no account and no event in it is real.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use domain::twitter::analysis::QueryAnalysis;
use domain::twitter::summary::{chunks, compose};
use domain::twitter::task::{SYNAPSE, completion as completion_of};
use domain::twitter::tweet::{self, Tweet};
use domain::types::sha256;
use futures::stream::{self, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Pieces, Subnet};
use network::legacy::{Json, Kind, Shape};

use crate::Error;
use crate::behaviour::SPAM;
use crate::drafts::{self, Drafted};
use crate::request::{Refusal, invalid};

/// The tweets that come with the program.
const SHIPPED: &str = include_str!("../../../demo/tweets.jsonl");

const MAXIMUM_FILE_BYTES: u64 = 64 << 20;
const MAXIMUM_PROMPT_BYTES: usize = 16 << 10;

/// How the last field of a body begins.
const COMPLETION: &str = "\"completion\":";

/// One in so many tweets is not known to a miner, another one to each variant.
const HIDDEN: u64 = 4;

/// Where tweets come from.
#[async_trait]
pub trait TweetSource: Send + Sync {
    /// Tweets that may answer the query, in any order.
    ///
    /// # Errors
    /// Why there are none now, in a few words.
    async fn search(&self, analysis: &QueryAnalysis) -> Result<Vec<Tweet>, String>;
}

/// Tweets of a file, held in memory.
#[derive(Debug, Clone)]
pub struct TweetFile {
    tweets: Vec<Tweet>,
}

impl TweetFile {
    /// The sample that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn shipped() -> Result<Self, Error> {
        Self::parse(SHIPPED)
    }

    /// A file of tweets: a JSON array, or one JSON object a line.
    ///
    /// # Errors
    /// [`Error::ReadTweets`] and [`Error::Tweets`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::ReadTweets { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAXIMUM_FILE_BYTES {
            return Err(Error::Tweets { line: 0, reason: format!("{bytes} bytes; the limit is {MAXIMUM_FILE_BYTES}") });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`Error::Tweets`] names the line that is no JSON.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let unusable = |line: usize, reason: String| Error::Tweets { line, reason };
        let array = if text.trim_start().starts_with('[') {
            text.to_owned()
        } else {
            let mut items = Vec::new();
            for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let item: &RawValue = serde_json::from_str(line).map_err(|e| unusable(at + 1, e.to_string()))?;
                items.push(item.get());
            }
            format!("[{}]", items.join(","))
        };
        let tweets = tweet::parse(&array).map_err(|error| unusable(0, error.to_string()))?;
        if tweets.is_empty() {
            return Err(unusable(0, "there is no tweet in it".to_owned()));
        }
        Ok(Self { tweets })
    }

    /// The part of the tweets that this variant of a miner knows: three in four, so that honest miners differ. Variant 0
    /// knows all.
    #[must_use]
    pub fn known_to(mut self, variant: u16) -> Self {
        if variant > 0 {
            self.tweets.retain(|tweet| {
                let digest = sha256(format!("assay/tweets/1/{variant}/{}", tweet.id).as_bytes());
                let (words, _) = digest.0.as_chunks::<8>();
                words.first().is_none_or(|word| !u64::from_be_bytes(*word).is_multiple_of(HIDDEN))
            });
        }
        self
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tweets.len()
    }
}

#[async_trait]
impl TweetSource for TweetFile {
    async fn search(&self, _: &QueryAnalysis) -> Result<Vec<Tweet>, String> {
        // The summary filters by the query itself, and says of how many.
        Ok(self.tweets.clone())
    }
}

/// Answers by quoting tweets.
#[derive(Clone)]
pub struct TwitterScraper {
    tweets: Arc<dyn TweetSource>,
}

impl TwitterScraper {
    /// A miner with tweets of its own.
    #[must_use]
    pub fn new(tweets: Arc<dyn TweetSource>) -> Self {
        Self { tweets }
    }

    /// A miner with its variant's part of the shipped sample.
    ///
    /// # Errors
    /// As [`TweetFile::shipped`].
    pub fn shipped(variant: u16) -> Result<Self, Error> {
        Ok(Self::new(Arc::new(TweetFile::shipped()?.known_to(variant))))
    }
}

/// A request that has been read.
struct Asked {
    fields: Map<String, Value>,
    prompt: String,
    analysis: QueryAnalysis,
}

impl Asked {
    fn parse(request: &str) -> Result<Self, Refusal> {
        let fields: Map<String, Value> = match serde_json::from_str(request) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(invalid("request", "an object is needed")),
            Err(error) => return Err(invalid("request", error.to_string())),
        };
        let prompt = fields.get("messages").and_then(Value::as_str).filter(|prompt| !prompt.trim().is_empty());
        let prompt = prompt.ok_or_else(|| invalid("request.messages", "a text that says something is needed"))?;
        if prompt.len() > MAXIMUM_PROMPT_BYTES {
            let size = format!("{} bytes; the limit is {MAXIMUM_PROMPT_BYTES}", prompt.len());
            return Err(invalid("request.messages", size));
        }
        let (prompt, analysis) = (prompt.to_owned(), QueryAnalysis::of_words(prompt));
        Ok(Self { fields, prompt, analysis })
    }
}

/// The synapse as it was sent, with its completion behind everything else, so that a piece of it can leave before the next is
/// there.
pub(crate) fn body(mut fields: Map<String, Value>, completion: &str) -> Result<Vec<u8>, serde_json::Error> {
    fields.remove("completion");
    let mut body = serde_json::to_vec(&fields)?;
    body.pop();
    if !fields.is_empty() {
        body.push(b',');
    }
    body.extend_from_slice(COMPLETION.as_bytes());
    body.extend_from_slice(&serde_json::to_vec(completion)?);
    body.push(b'}');
    Ok(body)
}

/// A [`body`] in as many pieces as its completion has words, the first one with everything before; none of a body that is not
/// such a one.
fn words(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let completion = completion_of(body).ok()?;
    let tail = format!("{COMPLETION}{}}}", serde_json::to_string(&completion).ok()?);
    let head = body.strip_suffix(tail.as_bytes())?;
    let mut pieces = Vec::new();
    for word in chunks(&completion) {
        // Each character is escaped by itself, so that the pieces' escapes are the whole's.
        let escaped = serde_json::to_string(word).ok()?;
        pieces.push(escaped.get(1..escaped.len() - 1)?.as_bytes().to_vec());
    }
    pieces.first_mut()?.splice(..0, [head, COMPLETION.as_bytes(), b"\""].concat());
    pieces.last_mut()?.extend_from_slice(b"\"}");
    Some(pieces)
}

#[async_trait]
impl Subnet for TwitterScraper {
    fn synapse(&self) -> &'static str {
        SYNAPSE
    }

    fn shape(&self) -> Shape {
        let empty = || Json::text("");
        Shape::new(SYNAPSE)
            .required("messages", Kind::Text)
            .defaulted("completion", Kind::Text, empty())
            .defaulted(
                "required_hash_fields",
                Kind::List(Box::new(Kind::Text)),
                Json::List(vec![Json::text("messages")]),
            )
            .defaulted("seed", Kind::Any, empty())
            .defaulted("model", Kind::Text, empty())
            .hashed(["messages"])
    }

    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal> {
        let asked = Asked::parse(request)?;
        let unavailable = |problem| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem);
        let tweets = self.tweets.search(&asked.analysis).await.map_err(unavailable)?;
        body(asked.fields, &compose(&asked.analysis, &tweets))
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    async fn draft(&self, request: &str) -> Drafted<Vec<u8>> {
        let Asked { fields, prompt, analysis } = Asked::parse(request).map_err(|refusal| refusal.error)?;
        let tweets = self.tweets.search(&analysis).await?;
        let body = move |summary: &str| body(fields.clone(), summary).map_err(|error| error.to_string());
        drafts::twitter::draft(&prompt, &analysis, &tweets, body)
    }

    fn pieces(&self, body: Vec<u8>) -> Pieces {
        stream::iter(words(&body).unwrap_or_else(|| vec![body])).boxed()
    }

    fn tokens(&self, answer: &[u8]) -> Option<Pieces> {
        let completion = completion_of(answer).ok()?;
        let tokens: Vec<Vec<u8>> = chunks(&completion).into_iter().map(|word| word.as_bytes().to_vec()).collect();
        Some(stream::iter(tokens).boxed())
    }

    fn spam(&self) -> Vec<u8> {
        serde_json::json!({ "completion": SPAM }).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::mechanism::{Mechanism, open, shipped_by_name};

    fn completion(body: &[u8]) -> String {
        let mechanism: Arc<dyn Mechanism> = open(&shipped_by_name("twitter/readme").unwrap()).unwrap();
        mechanism.parse_response(body).unwrap()
    }

    async fn ask(variant: u16, prompt: &str) -> String {
        let request = serde_json::json!({"messages": prompt, "completion": "", "seed": 1234, "model": "m"});
        completion(&TwitterScraper::shipped(variant).unwrap().answer(&request.to_string()).await.unwrap())
    }

    #[test]
    fn the_sample_is_large_and_sound() {
        let all = TweetFile::shipped().unwrap();
        assert!(all.count() >= 120, "{}", all.count());
        for tweet in &all.tweets {
            assert!(tweet.timestamp.len() == 24 && tweet.url.starts_with("https://example.org/"), "{}", tweet.id);
            assert!(!tweet.search_query.is_empty() && !tweet.user.username.is_empty(), "{}", tweet.id);
        }
        assert!(all.tweets.iter().any(|tweet| tweet.text.is_none()));
        assert!(all.tweets.iter().any(|tweet| tweet.quoted_tweet.is_some()));
        let known: Vec<usize> = (1..5).map(|variant| all.clone().known_to(variant).count()).collect();
        assert!(known.iter().all(|count| *count > all.count() / 2 && *count < all.count()), "{known:?}");
    }

    #[tokio::test]
    async fn answers_quote_what_was_asked_for() {
        let found = ask(0, "What are people saying about the SpaceX #Starship launch?").await;
        assert!(found.contains("@padside_petra") && found.contains("#Starship"), "{found}");
        assert!(found == ask(0, "What are people saying about the SpaceX #Starship launch?").await);
        let nothing = ask(0, "Are there any tweets about volcanoes in Iceland?").await;
        assert!(nothing.starts_with("None of the"), "{nothing}");
    }

    #[tokio::test]
    async fn honest_miners_differ() {
        let mut answers = Vec::new();
        for variant in 1..5 {
            answers.push(ask(variant, "What is the latest news about #climatechange?").await);
        }
        answers.sort();
        answers.dedup();
        assert_eq!(answers.len(), 4);
    }

    #[tokio::test]
    async fn the_synapse_comes_back_with_its_completion() {
        let miner = TwitterScraper::shipped(1).unwrap();
        let body =
            miner.answer(r#"{"messages":"bread","seed":1234,"required_hash_fields":["messages"]}"#).await.unwrap();
        let back: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&back["messages"], &back["seed"]), (&Value::from("bread"), &Value::from(1234)));
        assert!(back["completion"].as_str().unwrap().contains("bread"));
        assert_eq!(completion(&miner.spam()), SPAM);
        for bad in ["", "[]", "{}", r#"{"messages":" "}"#, r#"{"messages":["a"]}"#] {
            let refusal = miner.answer(bad).await.unwrap_err();
            assert_eq!(refusal.status.as_u16(), 422, "{bad}");
        }
        let long = format!(r#"{{"messages":"{}"}}"#, "x".repeat(MAXIMUM_PROMPT_BYTES + 1));
        assert!(miner.answer(&long).await.is_err());
    }

    #[tokio::test]
    async fn pieces_are_the_body_word_by_word() {
        let miner = TwitterScraper::shipped(0).unwrap();
        let pieces = async |body: &[u8]| miner.pieces(body.to_vec()).collect::<Vec<_>>().await;
        let request = r#"{"messages":"What about \"bread\" and #Starship?","completion":"x","seed":1}"#;
        let body = miner.answer(request).await.unwrap();
        let sent = pieces(&body).await;
        assert_eq!(sent.concat(), body);
        let said = completion(&body);
        assert_eq!(sent.len(), chunks(&said).len());
        let first = String::from_utf8(sent[0].clone()).unwrap();
        assert!(first.contains("\"seed\":1") && !first.contains("mention"), "{first}");
        for text in ["", "one", "a \"quoted\"\n\\ word\t\u{1f4a1} end ", "\u{1} \u{7f}"] {
            let whole = body_of(text);
            assert_eq!(pieces(&whole).await.concat(), whole, "{text:?}");
        }
        for other in [&b""[..], b"{}", br#"{"completion":"a b","z":1}"#, b"\xff"] {
            assert_eq!(pieces(other).await, [other.to_vec()]);
        }
    }

    fn body_of(text: &str) -> Vec<u8> {
        let whole = body(Map::new(), text).unwrap();
        assert_eq!(completion(&whole), text);
        whole
    }

    #[test]
    fn files_are_arrays_or_lines() {
        let lines = "{\"id\":\"1\",\"text\":\"a\"}\n\n{\"id\":\"2\"}\n";
        assert_eq!(TweetFile::parse(lines).unwrap().count(), 2);
        assert_eq!(TweetFile::parse(r#"[{"id":"1"}]"#).unwrap().count(), 1);
        for bad in ["", "[]", "{\"id\":\"1\"}\n{\"id\":\"1\"}", "{\"id\":\"1\"}\nno", "{\"id\":1}"] {
            assert!(TweetFile::parse(bad).is_err(), "{bad}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tweets.jsonl");
        assert!(TweetFile::open(&path).is_err());
        std::fs::write(&path, lines).unwrap();
        assert_eq!(TweetFile::open(&path).unwrap().count(), 2);
    }
}
