//! Embeddings from async code: one thread owns the model, a bounded queue leads to it, and callers who wait at the same
//! time share batches.
//!
//! A caller's failure is its own: if a shared batch fails, each caller is tried alone. A model that panics is an error of
//! the call it panicked on, and the thread goes on. Nobody waits without a limit, not even for a model that hangs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::{Embedder, Error, Limits, ModelIdentity};

/// How much may wait. Every field must be at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Calls that wait. Default 256.
    pub queue: usize,
    /// Texts gathered from waiting calls into one. Default 256: eight batches.
    pub gathered_texts: usize,
    /// Longest wait for a place in the queue. Default 30 s.
    pub queue_wait: Duration,
    /// Longest wait for the vectors once there is a place: the calls in front and the own one. Default 600 s: 8,192 texts
    /// at 14 a second, a tenth of what two cores do.
    pub answer_wait: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        let (queue_wait, answer_wait) = (Duration::from_secs(30), Duration::from_secs(600));
        Self { queue: 256, gathered_texts: 256, queue_wait, answer_wait }
    }
}

struct Call {
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<Vec<f32>>, Error>>,
}

/// A handle on the embedding thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct EmbeddingService {
    calls: mpsc::Sender<Call>,
    identity: Arc<ModelIdentity>,
    limits: Limits,
    queue_wait: Duration,
    answer_wait: Duration,
}

impl EmbeddingService {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Limit`] if a limit is zero; [`Error::ServiceStopped`] if the system gives no thread.
    pub fn start(embedder: Box<dyn Embedder>, limits: &ServiceLimits) -> Result<Self, Error> {
        let answer_wait = usize::from(!limits.answer_wait.is_zero());
        let fields = [("queue", limits.queue), ("gathered_texts", limits.gathered_texts), ("answer_wait", answer_wait)];
        for (field, value) in fields {
            if value == 0 {
                return Err(Error::Limit { field, value });
            }
        }
        let (calls, waiting) = mpsc::channel(limits.queue);
        let identity = Arc::new(embedder.identity().clone());
        let embedder_limits = embedder.limits().clone();
        // A gathered call never holds more texts than one call may.
        let gathered = limits.gathered_texts.min(embedder_limits.texts);
        std::thread::Builder::new()
            .name("embedding".to_owned())
            .spawn(move || serve(embedder.as_ref(), waiting, gathered))
            .map_err(|_| Error::ServiceStopped)?;
        let (queue_wait, answer_wait) = (limits.queue_wait, limits.answer_wait);
        Ok(Self { calls, identity, limits: embedder_limits, queue_wait, answer_wait })
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
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let count = texts.len();
        let (answer, answered) = oneshot::channel();
        match self.calls.send_timeout(Call { texts, answer }, self.queue_wait).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Closed(_)) => return Err(Error::ServiceStopped),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                return Err(Error::Overloaded { waited_ms: millis(self.queue_wait) });
            }
        }
        // A receiver that is dropped here tells the thread that nobody wants the vectors any more.
        match tokio::time::timeout(self.answer_wait, answered).await {
            Ok(answer) => answer.map_err(|_| Error::ServiceStopped)?,
            Err(_) => Err(Error::Overdue { texts: count, waited_ms: millis(self.answer_wait) }),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn serve(embedder: &dyn Embedder, mut waiting: mpsc::Receiver<Call>, gathered: usize) {
    let mut held_over: Option<Call> = None;
    while let Some(first) = held_over.take().or_else(|| waiting.blocking_recv()) {
        let mut texts = first.texts.len();
        let mut calls = vec![first];
        while texts < gathered {
            let Ok(call) = waiting.try_recv() else { break };
            if texts + call.texts.len() > gathered {
                held_over = Some(call);
                break;
            }
            texts += call.texts.len();
            calls.push(call);
        }
        // Nobody waits for the answer of a call that was given up.
        calls.retain(|call| !call.answer.is_closed());
        answer(embedder, calls);
    }
}

fn answer(embedder: &dyn Embedder, calls: Vec<Call>) {
    if calls.len() > 1 {
        let all: Vec<String> = calls.iter().flat_map(|call| call.texts.iter().cloned()).collect();
        if let Ok(vectors) = embed_surviving(embedder, &all) {
            let mut vectors = vectors.into_iter();
            for call in calls {
                let own = vectors.by_ref().take(call.texts.len()).collect();
                // The receiver may have been dropped meanwhile; then nobody wants it.
                let _ = call.answer.send(Ok(own));
            }
            return;
        }
    }
    for call in calls.into_iter().filter(|call| !call.answer.is_closed()) {
        let _ = call.answer.send(embed_surviving(embedder, &call.texts));
    }
}

/// One run of the model. What it panics with is this run's error: a graph keeps nothing between two runs (see
/// `onnx_runtime` and `pure_rust`), so the next one finds it as it was.
fn embed_surviving(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
    let vectors = catch_unwind(AssertUnwindSafe(|| embedder.embed(texts))).unwrap_or_else(|panic| {
        let reason = words(panic.as_ref());
        tracing::error!(
            reason,
            texts = texts.len(),
            "the embedding model panicked; the next call is tried all the same"
        );
        Err(Error::Panicked { reason })
    })?;
    if vectors.len() == texts.len() {
        return Ok(vectors);
    }
    // Shared out, they would be somebody else's.
    Err(Error::Output { what: format!("{} vectors for {} texts", vectors.len(), texts.len()) })
}

/// What a panic says, at most 300 characters.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("it did not say why").chars().take(300).collect()
}
