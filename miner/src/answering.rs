//! One question to one answer, for each kind of miner.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, StatusCode};
use domain::text::word_count;
use inference::EmbeddingService;

use crate::behaviour::{Behaviour, Malformation, SPAM};
use crate::config::{EmbeddingSource, MinerConfig};
use crate::measures::{self, Measures};
use crate::request::{InferenceRequest, InferenceResponse, ReceiptFields, Refusal, Usage};
use crate::retrieval::Index;
use crate::subnets::{Subnet, SynapseRequest};
use crate::{Corpus, Error, Writer, copying, drafts, malformed};

/// Longest wait of a slow miner.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// A slow miner answers this long after the deadline.
const AFTER_DEADLINE: Duration = Duration::from_millis(1_500);

/// What an honest miner answers with: ready once the corpus is embedded.
struct Retriever {
    index: Index,
    embedding: EmbeddingService,
}

/// A checked request.
pub(crate) enum Asked {
    /// One of Loosh's.
    Question(InferenceRequest),
    /// One of another subnet.
    Synapse(SynapseRequest),
}

impl Asked {
    pub(crate) fn receipt(&self) -> Option<&ReceiptFields> {
        match self {
            Self::Question(request) => request.receipt.as_ref(),
            Self::Synapse(request) => request.receipt.as_ref(),
        }
    }
}

/// An answer before it is sent.
pub(crate) enum Said {
    /// A body, to be signed.
    Body(Vec<u8>),
    /// A body with headers of its own.
    Malformed(HeaderMap, Vec<u8>),
}

/// The miner behind the routes.
pub(crate) struct Answering {
    pub(crate) config: MinerConfig,
    retriever: OnceLock<Retriever>,
    turn: AtomicUsize,
    copier: Option<copying::Copier>,
    pub(crate) measures: Measures,
}

impl Answering {
    pub(crate) fn new(mut config: MinerConfig) -> Result<Arc<Self>, Error> {
        let measures = Measures::default();
        config.gate = config.gate.map(|gate| measures.gate(gate));
        let copier = match &config.behaviour {
            Behaviour::Copycat { .. } => Some(copying::Copier::new(&config)?),
            _ => None,
        };
        Ok(Arc::new(Self { config, retriever: OnceLock::new(), turn: AtomicUsize::new(0), copier, measures }))
    }

    /// Whether it answers from the corpus.
    fn retrieves(&self) -> bool {
        self.config.subnet.is_none() && self.config.behaviour.retrieves()
    }

    /// Whether questions can be answered.
    pub(crate) fn is_ready(&self) -> bool {
        !self.retrieves() || self.retriever.get().is_some()
    }

    /// Opens the model and the corpus; takes seconds.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        if !self.retrieves() {
            return Ok(());
        }
        let start = Instant::now();
        let path = self.config.corpus.clone();
        let blocking = tokio::task::spawn_blocking({
            let source = self.config.embedding.clone();
            move || -> Result<(Corpus, EmbeddingService), Error> {
                let corpus = path.map_or_else(Corpus::shipped, |path| Corpus::open(&path))?;
                let embedding = match source {
                    EmbeddingSource::Shared(service) => service,
                    EmbeddingSource::Open(config) => {
                        EmbeddingService::start(inference::open(&config)?, &inference::ServiceLimits::default())?
                    }
                };
                Ok((corpus, embedding))
            }
        });
        let (corpus, embedding) = blocking.await.map_err(|error| Error::Task(error.to_string()))??;
        let cache = self.config.cache.as_deref();
        let index = Index::build(&corpus, &self.config.profile, &embedding, cache).await?;
        tracing::info!(passages = index.len(), elapsed_ms = milliseconds(start), "the corpus is ready");
        // Prepared once; a second time would be the same.
        let _ = self.retriever.set(Retriever { index, embedding });
        Ok(())
    }

    /// The way of being malformed whose turn it is, or the one that is asked for.
    pub(crate) fn next_malformation(&self) -> Malformation {
        if let Behaviour::Malformed { way: Some(way) } = &self.config.behaviour {
            return *way;
        }
        Malformation::ALL[self.turn.fetch_add(1, Ordering::Relaxed) % Malformation::ALL.len()]
    }

    /// The subnet whose answers leave piece by piece. Whoever misbehaves sends one body, so that it does so in one way only.
    pub(crate) fn in_pieces(&self) -> Option<&dyn Subnet> {
        self.config.subnet.as_deref().filter(|_| self.config.behaviour == Behaviour::Honest)
    }

    /// The answer to a checked request.
    pub(crate) async fn answer(&self, headers: &HeaderMap, body: &[u8], asked: &Asked) -> Result<Said, Refusal> {
        measures::timed(&self.measures, self.find(headers, body, asked)).await
    }

    async fn find(&self, headers: &HeaderMap, body: &[u8], asked: &Asked) -> Result<Said, Refusal> {
        let response = match &self.config.behaviour {
            Behaviour::Honest => self.honest(asked).await?,
            Behaviour::Spammer => match (asked, &self.config.subnet) {
                (Asked::Question(request), _) => encode(&response(request, SPAM.to_owned(), Instant::now()))?,
                (Asked::Synapse(_), subnet) => subnet.as_ref().map(|subnet| subnet.spam()).unwrap_or_default(),
            },
            Behaviour::Slow { wait } => {
                let wait = until_after_deadline(asked).max(*wait).min(LONGEST_WAIT);
                tracing::info!(wait_ms = wait.as_millis(), "this miner is slow on purpose");
                tokio::time::sleep(wait).await;
                self.honest(asked).await?
            }
            Behaviour::Copycat { .. } => match &self.copier {
                Some(copier) => copier.copy(headers, body, asked).await?,
                None => Vec::new(),
            },
            Behaviour::Malformed { way } => {
                let way = way.unwrap_or_else(|| self.next_malformation());
                tracing::info!(way = way.name(), "this miner answers malformed on purpose");
                let (headers, body) = malformed::answer(way, &self.config.keypair, body);
                return Ok(Said::Malformed(headers, body));
            }
            Behaviour::Dead => {
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "this miner is dead on purpose"));
            }
        };
        Ok(Said::Body(response))
    }

    async fn honest(&self, asked: &Asked) -> Result<Vec<u8>, Refusal> {
        match (asked, &self.config.subnet) {
            (Asked::Question(request), _) => self.question(request, self.time_left(asked)).await,
            (Asked::Synapse(request), Some(subnet)) => {
                let answered = tokio::time::timeout(self.config.limits.answer_timeout, subnet.answer(&request.request));
                let late = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long");
                let found = answered.await.map_err(late)??;
                let written = match self.writer() {
                    Some(writer) => writer.write(subnet.draft(&request.request), self.time_left(asked)).await,
                    None => None,
                };
                self.measures.written(written.is_some());
                Ok(written.unwrap_or(found))
            }
            (Asked::Synapse(_), None) => Err(Refusal::new(StatusCode::NOT_FOUND, "this miner answers questions")),
        }
    }

    /// The language model, if one writes. Only an honest miner has it write.
    fn writer(&self) -> Option<&Writer> {
        self.config.writer.as_ref().filter(|_| self.config.behaviour == Behaviour::Honest)
    }

    /// How long an answer may still take.
    fn time_left(&self, asked: &Asked) -> Duration {
        let longest = self.config.limits.answer_timeout;
        until_deadline(asked).map_or(longest, |left| left.min(longest))
    }

    async fn question(&self, request: &InferenceRequest, left: Duration) -> Result<Vec<u8>, Refusal> {
        let start = Instant::now();
        let found = self.retrieve(request).await?;
        let notes = &found.response_text;
        let draft = async { drafts::loosh::draft(&request.question, notes, request.max_tokens).map(Some) };
        let written = match self.writer() {
            Some(writer) => writer.write(draft, left.saturating_sub(start.elapsed())).await,
            None => None,
        };
        self.measures.written(written.is_some());
        match written {
            Some(text) => encode(&response(request, text, start)),
            None => encode(&found),
        }
    }

    async fn retrieve(&self, request: &InferenceRequest) -> Result<InferenceResponse, Refusal> {
        let initialising = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Miner initializing");
        let retriever = self.retriever.get().ok_or_else(initialising)?;
        let start = Instant::now();
        let embedded = retriever.embedding.embed(vec![request.question.clone()]);
        let vectors = tokio::time::timeout(self.config.limits.answer_timeout, embedded)
            .await
            .map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the model takes too long"))?;
        let vectors = vectors.map_err(|error| {
            tracing::error!(%error, "the question cannot be embedded");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the model does not answer")
        })?;
        let answer = retriever.index.answer(vectors.first().map_or(&[], Vec::as_slice));
        tracing::debug!(relevance = answer.relevance, passages = ?answer.passages, "answered");
        Ok(response(request, answer.text, start))
    }
}

fn encode(response: &InferenceResponse) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(response).map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn response(request: &InferenceRequest, text: String, start: Instant) -> InferenceResponse {
    let (text, cut) = cut_to(text, request.max_tokens);
    let count = |text: &str| u64::try_from(word_count(text)).unwrap_or(u64::MAX);
    let (prompt_tokens, completion_tokens) = (count(&request.question), count(&text));
    InferenceResponse {
        response_text: text,
        response_time_ms: milliseconds(start),
        finish_reason: if cut { "length" } else { "stop" }.to_owned(),
        usage: Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        },
    }
}

/// The first `words` words of a text, and whether that is less than all.
fn cut_to(text: String, words: u64) -> (String, bool) {
    let all = u64::try_from(word_count(&text)).unwrap_or(u64::MAX);
    if all <= words {
        return (text, false);
    }
    let kept: Vec<&str> = domain::text::split(&text).take(usize::try_from(words).unwrap_or(usize::MAX)).collect();
    (kept.join(" "), true)
}

fn milliseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Time until the request's deadline and a little more; zero without a deadline.
fn until_after_deadline(asked: &Asked) -> Duration {
    until_deadline(asked).map_or(Duration::ZERO, |left| left + AFTER_DEADLINE)
}

/// Time until the request's deadline, zero when it is over; none without a deadline.
fn until_deadline(asked: &Asked) -> Option<Duration> {
    let deadline = asked.receipt()?.deadline?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Duration::from_micros(deadline).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::cut_to;

    #[test]
    fn an_answer_has_no_more_words_than_allowed() {
        assert_eq!(cut_to("one two three".to_owned(), 3), ("one two three".to_owned(), false));
        assert_eq!(cut_to("one two three".to_owned(), 2), ("one two".to_owned(), true));
        assert_eq!(cut_to("one two".to_owned(), u64::MAX), ("one two".to_owned(), false));
    }
}
