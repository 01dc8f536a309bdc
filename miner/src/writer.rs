//! A language model that writes a miner's answers: side by side up to a limit, never beyond the time that a request leaves.
//!
//! **Architecture invariant:** whatever goes wrong here, there is an answer without the model. Its log says which of the two was
//! given, and why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use llm::LanguageModel;
use tokio::sync::Semaphore;

use crate::drafts::Drafted;

/// Requests to the model that are under way at once; more wait for theirs within their time.
const AT_ONCE: usize = 8;
/// A model that has less time than this is not asked.
const SHORTEST: Duration = Duration::from_millis(250);
/// What is kept of the time that a request leaves, so that the answer still gets there: a fifth, and at least so much.
const KEPT: Duration = Duration::from_millis(500);
/// Characters of a reason in the log: a reply may have a part in it.
const LONGEST_REASON: usize = 200;

/// Writes answers.
#[derive(Debug, Clone)]
pub struct Writer {
    model: Arc<dyn LanguageModel>,
    places: Arc<Semaphore>,
}

impl Writer {
    /// A writer that asks this model.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>) -> Self {
        Self { model, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The answer that the model gives within a time; none when it gives none that can be used. `left` is the time until the
    /// request's deadline, and `draft` what the model is asked, if the request is one for a model.
    pub(crate) async fn write<T>(&self, draft: impl Future<Output = Drafted<T>>, left: Duration) -> Option<T> {
        match self.try_write(draft, left).await {
            Ok(answer) => answer,
            Err(reason) => {
                let reason = plain(&reason);
                tracing::warn!(reason, "answered without the language model");
                None
            }
        }
    }

    async fn try_write<T>(&self, draft: impl Future<Output = Drafted<T>>, left: Duration) -> Result<Option<T>, String> {
        let within = left.saturating_sub(KEPT.max(left / 5));
        if within < SHORTEST {
            return Err(format!("only {} ms are left", left.as_millis()));
        }
        let until = Instant::now() + within;
        let asked = async {
            let draft = draft.await.map_err(|problem| format!("the request is nothing for it: {problem}"))?;
            let Some(draft) = draft else { return Ok(None) };
            let _place = self.places.acquire().await.map_err(|error| error.to_string())?;
            // A request that is cut off at once may be charged in full.
            if until.saturating_duration_since(Instant::now()) < SHORTEST {
                return Err(format!("{AT_ONCE} others were under way until it was too late"));
            }
            let completion = self.model.complete(&draft.request).await.map_err(|error| error.to_string())?;
            Ok(Some((completion, draft.read)))
        };
        let late = |_| format!("it has not answered within {} ms", within.as_millis());
        let answered: Result<_, String> = tokio::time::timeout(within, asked).await.map_err(late)?;
        let Some((completion, read)) = answered? else {
            tracing::info!("answered without the language model: there is nothing to write about");
            return Ok(None);
        };
        let answer = read(&completion.text).map_err(|problem| format!("its reply is not used: {problem}"))?;
        tracing::info!(
            model = completion.model,
            latency_ms = completion.latency_ms,
            prompt_tokens = completion.prompt_tokens,
            completion_tokens = completion.completion_tokens,
            "answered by the language model"
        );
        Ok(Some(answer))
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::drafts::Draft;
    use async_trait::async_trait;
    use llm::scripted::Scripted;
    use llm::{Completion, Error, Request};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PLENTY: Duration = Duration::from_secs(20);

    async fn draft() -> Drafted<String> {
        let read = |reply: &str| reply.strip_prefix("good ").map(str::to_owned).ok_or_else(|| "bad\nreply".to_owned());
        Draft::new("Task.", "{}", 5, &"data", read).map(Some)
    }

    #[tokio::test]
    async fn a_reply_that_cannot_be_read_or_had_is_no_answer() {
        let spent = || Error::Budget { endpoint: "e".to_owned(), budget: 1, spent: 1, wanted: 1 };
        let model = Arc::new(Scripted::new([Ok("good one".to_owned()), Ok("other".to_owned()), Err(spent())]));
        let writer = Writer::new(model.clone());
        assert_eq!(writer.write(draft(), PLENTY).await.as_deref(), Some("one"));
        assert_eq!(writer.try_write(draft(), PLENTY).await, Err("its reply is not used: bad\nreply".to_owned()));
        assert!(writer.try_write(draft(), PLENTY).await.unwrap_err().contains("the token budget is spent"));
        assert!(writer.write(draft(), PLENTY).await.is_none(), "the script is at its end");
        assert_eq!(model.asked().len(), 4);
        // Nobody is asked what cannot be asked, or what would come too late.
        assert_eq!(writer.try_write(async { Drafted::<()>::Ok(None) }, PLENTY).await, Ok(None));
        let refused = writer.try_write(async { Drafted::<()>::Err("too long".to_owned()) }, PLENTY).await;
        assert_eq!(refused, Err("the request is nothing for it: too long".to_owned()));
        let said = writer.try_write(draft(), Duration::from_millis(700)).await;
        assert_eq!(said, Err("only 700 ms are left".to_owned()));
        assert!(writer.write(draft(), Duration::ZERO).await.is_none());
        assert_eq!(model.asked().len(), 4);
    }

    /// A model that never answers, and counts how often it is asked.
    #[derive(Debug, Default)]
    struct Silent(AtomicUsize);

    #[async_trait]
    impl LanguageModel for Silent {
        async fn complete(&self, _: &Request) -> Result<Completion, Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_silent_model_is_given_up_in_time_and_asked_by_few_at_once() {
        let model = Arc::new(Silent::default());
        let writer = Writer::new(model.clone());
        let (begun, left) = (Instant::now(), Duration::from_secs(3));
        let answers = futures::future::join_all((0..40).map(|_| writer.write(draft(), left))).await;
        assert!(answers.iter().all(Option::is_none));
        assert!(begun.elapsed() < left, "a part of the time is left for the answer: {:?}", begun.elapsed());
        assert!(begun.elapsed() >= left * 4 / 5);
        assert_eq!(model.0.load(Ordering::SeqCst), AT_ONCE, "nobody is asked when the time is over");
    }

    #[test]
    fn reasons_are_short_and_printable() {
        assert_eq!(plain("a\nb\u{1b}[2J"), "a b [2J");
        assert_eq!(plain(&"x".repeat(10_000)).len(), LONGEST_REASON);
    }
}
