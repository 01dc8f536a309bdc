//! Embeddings from async code: one thread owns the model, a bounded queue leads to it, and callers who wait at the same
//! time share batches.
//!
//! A caller's failure is its own: if a shared batch fails, each caller is tried alone.

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
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self { queue: 256, gathered_texts: 256, queue_wait: Duration::from_secs(30) }
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
}

impl EmbeddingService {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Limit`] if a limit is zero; [`Error::ServiceStopped`] if the system gives no thread.
    pub fn start(embedder: Box<dyn Embedder>, limits: &ServiceLimits) -> Result<Self, Error> {
        for (field, value) in [("queue", limits.queue), ("gathered_texts", limits.gathered_texts)] {
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
        Ok(Self { calls, identity, limits: embedder_limits, queue_wait: limits.queue_wait })
    }

    /// The model, the runtime and the provider.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// One vector per text, as [`Embedder::embed`].
    ///
    /// # Errors
    /// Those of [`Embedder::embed`]; [`Error::Overloaded`] if the queue stays full; [`Error::ServiceStopped`].
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        self.limits.admit(&texts)?;
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        match self.calls.send_timeout(Call { texts, answer }, self.queue_wait).await {
            Ok(()) => answered.await.map_err(|_| Error::ServiceStopped)?,
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Error::ServiceStopped),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Error::Overloaded { waited_ms: u64::try_from(self.queue_wait.as_millis()).unwrap_or(u64::MAX) })
            }
        }
    }
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
        if let Ok(vectors) = embedder.embed(&all) {
            let mut vectors = vectors.into_iter();
            for call in calls {
                let own = vectors.by_ref().take(call.texts.len()).collect();
                // The receiver may have been dropped meanwhile; then nobody wants it.
                let _ = call.answer.send(Ok(own));
            }
            return;
        }
    }
    for call in calls {
        let _ = call.answer.send(embedder.embed(&call.texts));
    }
}
