//! Models from async code: each has a thread of its own behind a bounded queue, and every wait has a limit (see `worker`).

use std::sync::Arc;
use std::time::Duration;

use crate::worker::Worker;
use crate::{Classifier, Embedder, Error, LanguageModel, Limits, ModelIdentity, Reading, Score, Sequence, TextPair};

/// How much may wait. Every field must be at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Calls that wait. Default 256.
    pub queue: usize,
    /// Texts gathered from waiting calls into one. Default 256: eight batches.
    pub gathered_texts: usize,
    /// Longest wait for a place in the queue. Default 30 s.
    pub queue_wait: Duration,
    /// Longest wait for the answer once there is a place: the calls in front and the own one. Default 600 s: 8,192 texts
    /// at 14 a second, a tenth of what two cores do.
    pub answer_wait: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        let (queue_wait, answer_wait) = (Duration::from_secs(30), Duration::from_secs(600));
        Self { queue: 256, gathered_texts: 256, queue_wait, answer_wait }
    }
}

/// A handle on the embedding thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct EmbeddingService {
    worker: Worker<String, Vec<f32>>,
    identity: Arc<ModelIdentity>,
    limits: Limits,
}

impl EmbeddingService {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Limit`] if a limit is zero; [`Error::ServiceStopped`] if the system gives no thread.
    pub fn start(embedder: Box<dyn Embedder>, limits: &ServiceLimits) -> Result<Self, Error> {
        let (identity, own) = (Arc::new(embedder.identity().clone()), embedder.limits().clone());
        let run = Box::new(move |texts: &[String]| embedder.embed(texts));
        Ok(Self { worker: Worker::start("embedding", limits, own.texts, run)?, identity, limits: own })
    }

    /// The model, the runtime and the provider.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// One vector per text, as [`Embedder::embed`].
    ///
    /// # Errors
    /// Those of [`Embedder::embed`]; [`Error::Panicked`] if the model did on these texts; [`Error::Overloaded`] if the queue
    /// stays full; [`Error::Overdue`] if the vectors do not come in time; [`Error::ServiceStopped`].
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        self.limits.admit(&texts)?;
        self.worker.ask(texts).await
    }
}

/// A handle on a classifier's thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct ClassifierService {
    worker: Worker<TextPair, Score>,
    identity: Arc<ModelIdentity>,
    limits: Limits,
}

impl ClassifierService {
    /// Starts the thread.
    ///
    /// # Errors
    /// As [`EmbeddingService::start`].
    pub fn start(classifier: Box<dyn Classifier>, limits: &ServiceLimits) -> Result<Self, Error> {
        let (identity, own) = (Arc::new(classifier.identity().clone()), classifier.limits().clone());
        let run = Box::new(move |pairs: &[TextPair]| classifier.score(pairs));
        Ok(Self { worker: Worker::start("classifier", limits, own.texts, run)?, identity, limits: own })
    }

    /// The model, the runtime and the provider.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// One score per pair, as [`Classifier::score`].
    ///
    /// # Errors
    /// Those of [`Classifier::score`], and of waiting as [`EmbeddingService::embed`] has them.
    pub async fn score(&self, pairs: Vec<TextPair>) -> Result<Vec<Score>, Error> {
        self.limits.admit_bytes(pairs.iter().map(TextPair::bytes))?;
        self.worker.ask(pairs).await
    }
}

/// A handle on a language model's two threads, one that cuts texts into tokens and one that reads them; clones share them.
/// They end when the last handle is dropped.
#[derive(Clone)]
pub struct LanguageModelService {
    tokenizer: Worker<String, Vec<u32>>,
    reader: Worker<Sequence, Reading>,
    identity: Arc<ModelIdentity>,
    limits: Limits,
}

impl LanguageModelService {
    /// Starts the threads.
    ///
    /// # Errors
    /// As [`EmbeddingService::start`].
    pub fn start(model: Box<dyn LanguageModel>, limits: &ServiceLimits) -> Result<Self, Error> {
        let (identity, own) = (Arc::new(model.identity().clone()), model.limits().clone());
        let model: Arc<dyn LanguageModel> = Arc::from(model);
        let tokenizer = Arc::clone(&model);
        let cut = Box::new(move |texts: &[String]| tokenizer.tokens(texts));
        let read = Box::new(move |sequences: &[Sequence]| model.read(sequences));
        Ok(Self {
            tokenizer: Worker::start("tokenizer", limits, own.texts, cut)?,
            reader: Worker::start("language-model", limits, own.texts, read)?,
            identity,
            limits: own,
        })
    }

    /// The model, the runtime and the provider.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// Tokens of the longest sequence that is read: the model's own limit, or that of logits ([`Limits::logits`]).
    #[must_use]
    pub fn longest_sequence(&self) -> usize {
        self.identity.max_word_pieces.min(self.limits.logits / self.identity.dimensions.max(1))
    }

    /// The tokens of each text, as [`LanguageModel::tokens`].
    ///
    /// # Errors
    /// Those of [`LanguageModel::tokens`], and of waiting as [`EmbeddingService::embed`] has them.
    pub async fn tokens(&self, texts: Vec<String>) -> Result<Vec<Vec<u32>>, Error> {
        self.limits.admit(&texts)?;
        self.tokenizer.ask(texts).await
    }

    /// One reading per sequence, as [`LanguageModel::read`].
    ///
    /// # Errors
    /// Those of [`LanguageModel::read`], and of waiting as [`EmbeddingService::embed`] has them.
    pub async fn read(&self, sequences: Vec<Sequence>) -> Result<Vec<Reading>, Error> {
        self.limits.admit_count(sequences.len())?;
        self.reader.ask(sequences).await
    }
}
