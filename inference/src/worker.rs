//! One thread that runs a model, and the bounded queue that leads to it; callers who wait at the same time share runs.
//!
//! A caller's failure is its own: if a shared run fails, each caller is tried alone. A model that panics is an error of
//! the call it panicked on, and the thread goes on. Nobody waits without a limit, not even for a model that hangs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::{Error, ServiceLimits};

/// One answer for each of the things asked.
type Run<I, O> = dyn Fn(&[I]) -> Result<Vec<O>, Error> + Send;

struct Call<I, O> {
    asked: Vec<I>,
    answer: oneshot::Sender<Result<Vec<O>, Error>>,
}

/// A handle on the thread; clones share it. The thread ends when the last handle is dropped.
pub(crate) struct Worker<I, O> {
    calls: mpsc::Sender<Call<I, O>>,
    queue_wait: Duration,
    answer_wait: Duration,
}

// Derived, it would ask for `I: Clone` and `O: Clone`.
impl<I, O> Clone for Worker<I, O> {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone(), queue_wait: self.queue_wait, answer_wait: self.answer_wait }
    }
}

impl<I: Clone + Send + 'static, O: Send + 'static> Worker<I, O> {
    /// Starts the thread. `most` is what one call may ask; gathered calls never hold more.
    pub(crate) fn start(name: &str, limits: &ServiceLimits, most: usize, run: Box<Run<I, O>>) -> Result<Self, Error> {
        let answer_wait = usize::from(!limits.answer_wait.is_zero());
        let fields = [("queue", limits.queue), ("gathered_texts", limits.gathered_texts), ("answer_wait", answer_wait)];
        for (field, value) in fields {
            if value == 0 {
                return Err(Error::Limit { field, value });
            }
        }
        let (calls, waiting) = mpsc::channel(limits.queue);
        let gathered = limits.gathered_texts.min(most);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(run.as_ref(), waiting, gathered))
            .map_err(|_| Error::ServiceStopped)?;
        Ok(Self { calls, queue_wait: limits.queue_wait, answer_wait: limits.answer_wait })
    }

    pub(crate) async fn ask(&self, asked: Vec<I>) -> Result<Vec<O>, Error> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let count = asked.len();
        let (answer, answered) = oneshot::channel();
        match self.calls.send_timeout(Call { asked, answer }, self.queue_wait).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Closed(_)) => return Err(Error::ServiceStopped),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                return Err(Error::Overloaded { waited_ms: millis(self.queue_wait) });
            }
        }
        // A receiver that is dropped here tells the thread that nobody wants the answer any more.
        match tokio::time::timeout(self.answer_wait, answered).await {
            Ok(answer) => answer.map_err(|_| Error::ServiceStopped)?,
            Err(_) => Err(Error::Overdue { texts: count, waited_ms: millis(self.answer_wait) }),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn serve<I: Clone, O>(run: &Run<I, O>, mut waiting: mpsc::Receiver<Call<I, O>>, gathered: usize) {
    let mut held_over: Option<Call<I, O>> = None;
    while let Some(first) = held_over.take().or_else(|| waiting.blocking_recv()) {
        let mut count = first.asked.len();
        let mut calls = vec![first];
        while count < gathered {
            let Ok(call) = waiting.try_recv() else { break };
            if count + call.asked.len() > gathered {
                held_over = Some(call);
                break;
            }
            count += call.asked.len();
            calls.push(call);
        }
        // Nobody waits for the answer of a call that was given up.
        calls.retain(|call| !call.answer.is_closed());
        answer(run, calls);
    }
}

fn answer<I: Clone, O>(run: &Run<I, O>, calls: Vec<Call<I, O>>) {
    if calls.len() > 1 {
        let all: Vec<I> = calls.iter().flat_map(|call| call.asked.iter().cloned()).collect();
        if let Ok(answers) = run_surviving(run, &all) {
            let mut answers = answers.into_iter();
            for call in calls {
                let own = answers.by_ref().take(call.asked.len()).collect();
                // The receiver may have been dropped meanwhile; then nobody wants it.
                let _ = call.answer.send(Ok(own));
            }
            return;
        }
    }
    for call in calls.into_iter().filter(|call| !call.answer.is_closed()) {
        let _ = call.answer.send(run_surviving(run, &call.asked));
    }
}

/// One run of the model. What it panics with is this run's error: a graph keeps nothing between two runs (see
/// `onnx_runtime` and `pure_rust`), so the next one finds it as it was.
fn run_surviving<I, O>(run: &Run<I, O>, asked: &[I]) -> Result<Vec<O>, Error> {
    let answers = catch_unwind(AssertUnwindSafe(|| run(asked))).unwrap_or_else(|panic| {
        let reason = words(panic.as_ref());
        tracing::error!(reason, texts = asked.len(), "the model panicked; the next call is tried all the same");
        Err(Error::Panicked { reason })
    })?;
    if answers.len() == asked.len() {
        return Ok(answers);
    }
    // Shared out, they would be somebody else's.
    Err(Error::Output { what: format!("{} answers for {} texts", answers.len(), asked.len()) })
}

/// What a panic says, at most 300 characters.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("it did not say why").chars().take(300).collect()
}
