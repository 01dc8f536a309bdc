//! Questions for BetterTherapy, and the end of its batches.
//!
//! Without a model a round's question and base answer are a shipped pair, each once before any comes again. With one
//! ([`Questions::written_by`]) that model writes the question, and its raw reply stands in the task; the base answer follows
//! as a judgement before any miner is asked. The call for the question stands in the task, with those before it that failed. The
//! model is asked at most [`CALLS`] times; then the challenge is a shipped pair, and its task says why. So no hour is lost by a
//! question that cannot be read, as one is upstream, and **no call outlives the challenge it was made for unrecorded**.
//!
//! Which shipped question comes next can be told from the ledger's name. Nothing is gained by hiding it: the list is public with
//! its base answers, so that whoever wants to has an answer to each at hand. Only a model's question is not known before.
//!
//! Upstream collects a batch 24 hours after its answers. The judge here replies at once, so that what remains of the batch is
//! its age: [`label`] says when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::bettertherapy::evaluation::{BATCH, BatchLabel, BatchStatus};
use domain::bettertherapy::evidence::question_request;
use domain::bettertherapy::generator::drawn;
use domain::bettertherapy::task::{Asked, MAX_FAILED, MAX_FAILURE, Question, Task};
use domain::events::Challenge;
use domain::mechanism::{JudgementRequest, Mechanism, is_verdict};
use domain::types::{Digest, Micros, sha256_parts};
use serde::Deserialize;

use super::{LabelSource, TaskSource};
use crate::judge::{Judge, Verdict};

/// Calls for a question of one challenge. Each has the retries of its endpoint besides.
pub const CALLS: usize = 3;
const _: () = assert!(CALLS <= MAX_FAILED, "a task has room for all of them");

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(200);

const SHIPPED: &str = include_str!("../../../demo/therapy.jsonl");

/// The alphabet of upstream's identifiers (Crockford's base 32, as in a ULID).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of an identifier behind `btai_`.
const IDENTIFIER: usize = 26;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    id: String,
    question: String,
    answer: String,
}

/// A round's questions, by number.
#[derive(Clone)]
pub struct Questions {
    seed: Digest,
    pairs: Vec<Pair>,
    writer: Option<(Arc<dyn Judge>, Arc<dyn Mechanism>)>,
}

impl fmt::Debug for Questions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, writer, .. } = self;
        formatter.debug_struct("Questions").field("pairs", &pairs.len()).field("model", &writer.is_some()).finish()
    }
}

impl Questions {
    /// The shipped questions in the order of a ledger: each has its own, and after a restart the same.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn of_ledger(origin: &str) -> Result<Self, String> {
        let parse = |(at, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| format!("shipped question {}: {error}", at + 1))
        };
        let pairs = SHIPPED.lines().enumerate().map(parse).collect::<Result<Vec<Pair>, String>>()?;
        let seed = sha256_parts(&[b"assay/bettertherapy/questions/1\0", origin.as_bytes()]);
        Ok(Self { seed, pairs, writer: None })
    }

    /// Questions of the model that the judge has for the purpose "question".
    #[must_use]
    pub fn written_by(self, judge: Arc<dyn Judge>, mechanism: Arc<dyn Mechanism>) -> Self {
        Self { writer: Some((judge, mechanism)), ..self }
    }

    /// The shipped challenge with this number.
    ///
    /// # Errors
    /// When nothing is shipped.
    pub fn shipped(&self, number: u64) -> Result<Challenge, String> {
        self.in_place(number, Vec::new())
    }

    /// The same in the place of a model's question, after calls that failed.
    fn in_place(&self, number: u64, failed: Vec<String>) -> Result<Challenge, String> {
        let place = drawn(self.seed, number, self.pairs.len()).ok_or("no question is shipped")?;
        let Pair { id, question, answer } = self.pairs[place].clone();
        self.challenge(number, Question::Shipped { id, question, answer, failed })
    }

    async fn written(&self, number: u64, judge: &dyn Judge, mechanism: &dyn Mechanism) -> Result<Challenge, String> {
        let request = question_request().map_err(|error| error.to_string())?;
        let mut failed = Vec::with_capacity(CALLS);
        for call in 0..CALLS {
            if call > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let asked = judge.judge(&request, mechanism).await;
            match asked.and_then(|verdict| self.generated(number, &request, verdict, &failed)) {
                Ok(challenge) => return Ok(challenge),
                Err(problem) => failed.push(problem.chars().take(MAX_FAILURE).collect()),
            }
        }
        tracing::warn!(?failed, "the model writes no question; a shipped one stands in its place");
        self.in_place(number, failed)
    }

    /// The challenge whose question a call wrote, with the call, and with those before it that failed.
    fn generated(
        &self,
        number: u64,
        request: &JudgementRequest,
        verdict: Verdict,
        failed: &[String],
    ) -> Result<Challenge, String> {
        let reply = String::from_utf8(verdict.reply).map_err(|_| "the model's question is no UTF-8".to_owned())?;
        if !is_verdict(&verdict.model) {
            return Err(reply);
        }
        let question = Question::Generated {
            model: verdict.model,
            request_hash: request.hash(),
            parameters: verdict.parameters,
            prompt_tokens: verdict.prompt_tokens,
            completion_tokens: verdict.completion_tokens,
            latency_ms: verdict.latency_ms,
            failed: failed.to_vec(),
            reply,
        };
        self.challenge(number, question)
    }

    fn challenge(&self, number: u64, question: Question) -> Result<Challenge, String> {
        let task = Task { request_id: self.identifier(number), question };
        let text = task.to_text();
        let asked = Asked::of(&task.request_id, Some(&text), "")?;
        Ok(super::task(asked.request_id, asked.question, text))
    }

    /// `btai_` and 26 characters that follow from seed and number.
    fn identifier(&self, number: u64) -> String {
        let digest = sha256_parts(&[&self.seed.0, &number.to_be_bytes()]);
        let characters = digest.0.iter().take(IDENTIFIER).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        format!("btai_{}", characters.collect::<String>())
    }
}

#[async_trait]
impl TaskSource for Questions {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        match &self.writer {
            None => self.shipped(number),
            Some((judge, mechanism)) => self.written(number, judge.as_ref(), mechanism.as_ref()).await,
        }
    }
}

/// The label of a round that waits for its batch, once the batch is old enough: its source and itself. None for rounds that
/// are not this subnet's, and where nothing waits.
#[must_use]
pub fn label(
    challenge: &Challenge,
    evaluated: Micros,
    now: Micros,
    ready_after_seconds: u64,
) -> Option<(String, String)> {
    Asked::of(&challenge.id, challenge.task.as_deref(), challenge.prompt.as_deref().unwrap_or_default()).ok()?;
    let ready = ready_after_seconds.saturating_mul(1_000_000);
    if ready == 0 || now.0.saturating_sub(evaluated.0) <= ready {
        return None;
    }
    let label = serde_json::to_string(&BatchLabel { status: BatchStatus::Completed }).ok()?;
    Some((BATCH.to_owned(), label))
}

/// Completes batches by their age.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    /// Seconds from a round's evaluation to the end of its batch: the rule set's `judge.ready_after_seconds`.
    pub ready_after_seconds: u64,
    /// Between two challenges: the rule set's `collection.interval_seconds`.
    pub interval: Duration,
}

#[async_trait]
impl LabelSource for Batches {
    async fn label(&self, challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)> {
        label(challenge, evaluated, now, self.ready_after_seconds)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::judge::Offline;
    use domain::bettertherapy::mechanism::BetterTherapy;
    use domain::mechanism::{RoundFacts, Stage, Want};
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    fn mechanism() -> Arc<dyn Mechanism> {
        Arc::new(BetterTherapy::new(BetterTherapy::shipped().remove(0)).unwrap())
    }

    #[tokio::test]
    async fn shipped_questions_come_once_each_and_can_be_issued() {
        let questions = Questions::of_ledger("assay/x/1/y").unwrap();
        let (mut prompts, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let count = questions.pairs.len() as u64;
        for number in 0..count {
            let challenge = questions.next(number).await.unwrap();
            assert_eq!(challenge, questions.next(number).await.unwrap());
            let synapse = mechanism().synapse(&challenge).unwrap().unwrap();
            let sent: serde_json::Value = serde_json::from_str(&synapse.body).unwrap();
            assert_eq!(
                (sent["prompt"].as_str(), sent["request_id"].as_str()),
                (challenge.prompt.as_deref(), Some(&*challenge.id))
            );
            assert!(challenge.id.starts_with("btai_") && challenge.id.len() == 31, "{}", challenge.id);
            prompts.insert(challenge.prompt);
            ids.insert(challenge.id);
        }
        assert_eq!((prompts.len() as u64, ids.len() as u64), (count, count));
        assert_ne!(Questions::of_ledger("other").unwrap().next(0).await.unwrap(), questions.next(0).await.unwrap());
    }

    #[derive(Debug)]
    struct Scripted(&'static str);

    #[async_trait]
    impl Judge for Scripted {
        async fn judge(&self, request: &JudgementRequest, _: &dyn Mechanism) -> Result<Verdict, String> {
            assert_eq!(request.purpose, "question");
            Ok(Verdict {
                model: "m".to_owned(),
                parameters: "{}".to_owned(),
                prompt_tokens: 1,
                completion_tokens: 1,
                latency_ms: 1,
                reply: self.0.as_bytes().to_vec(),
            })
        }

        fn has_model(&self, _: &str) -> bool {
            true
        }
    }

    /// Calls before the question that failed, and the shipped question where one stands in.
    fn calls(challenge: &Challenge) -> (Vec<String>, Option<String>) {
        match Task::parse(challenge.task.as_deref().unwrap()).unwrap().question {
            Question::Generated { failed, request_hash, prompt_tokens, completion_tokens, latency_ms, .. } => {
                assert_eq!(request_hash, question_request().unwrap().hash());
                assert_eq!((prompt_tokens, completion_tokens, latency_ms), (1, 1, 1));
                (failed, None)
            }
            Question::Shipped { failed, question, .. } => (failed, Some(question)),
        }
    }

    #[tokio::test]
    async fn a_models_question_is_parsed_from_its_recorded_reply() {
        let written = |judge: Arc<dyn Judge>| Questions::of_ledger("o").unwrap().written_by(judge, mechanism());
        let questions = written(Arc::new(Scripted("\"question\": \"How do I rest?\"")));
        let challenge = questions.next(3).await.unwrap();
        assert_eq!(challenge.prompt.as_deref(), Some("How do I rest?"));
        assert!(challenge.task.as_deref().unwrap().contains(r#""reply":"\"question\": \"How do I rest?\"""#));
        assert!(mechanism().synapse(&challenge).unwrap().unwrap().body.contains("How do I rest?"));
        let facts = RoundFacts { challenge_id: challenge.id, task: challenge.task, ..RoundFacts::default() };
        let wants = mechanism().wants(Stage::BeforeIssue, &facts);
        let [Want::Judgement(request)] = &wants[..] else { panic!("{wants:?}") };
        assert!(request.request.contains("How do I rest?") && mechanism().offline(request).is_none());
        let shipped = Questions::of_ledger("o").unwrap().shipped(3).unwrap();
        for reply in ["", "no", "{\"question\":\" \"}"] {
            let found = written(Arc::new(Scripted(reply))).next(3).await.unwrap();
            let (failed, question) = calls(&found);
            assert_eq!((failed.len(), question), (CALLS, shipped.prompt.clone()), "{reply}");
            assert_eq!((found.prompt, found.id), (shipped.prompt.clone(), shipped.id.clone()));
        }
        let (failed, question) = calls(&written(Arc::new(Offline)).next(3).await.unwrap());
        assert!(failed[0].contains("question") && question == shipped.prompt, "{failed:?}");
    }

    /// Replies with the first text left.
    #[derive(Debug)]
    struct Changing(Mutex<Vec<Result<&'static str, &'static str>>>);

    #[async_trait]
    impl Judge for Changing {
        async fn judge(&self, _: &JudgementRequest, _: &dyn Mechanism) -> Result<Verdict, String> {
            let next = self.0.lock().unwrap().remove(0);
            match next {
                Ok("refused") => Ok(Verdict::refused("content filter")),
                Ok(reply) => Scripted(reply).judge(&question_request().unwrap(), mechanism().as_ref()).await,
                Err(problem) => Err(problem.to_owned()),
            }
        }

        fn has_model(&self, _: &str) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_failed_call_stands_in_the_challenge_it_was_made_for_and_loses_no_round() {
        let good = "{\"question\":\"How do I rest?\"}";
        let first = [Ok("no JSON at all"), Err("timed out"), Ok("refused")];
        let replies = [&first[..], &[Err("timed out"), Ok("no JSON"), Ok(good)], &[Ok(good)]].concat();
        let judge = Arc::new(Changing(Mutex::new(replies)));
        let questions = Questions::of_ledger("o").unwrap().written_by(judge, mechanism());
        let (failed, question) = calls(&questions.next(2).await.unwrap());
        assert!(failed[0].contains("JSON"), "{failed:?}");
        assert_eq!(failed[1..], ["timed out", "content filter"]);
        assert!(question.is_some(), "a shipped one stands in");
        let challenge = questions.next(3).await.unwrap();
        assert_eq!(challenge.prompt.as_deref(), Some("How do I rest?"));
        let (failed, question) = calls(&challenge);
        assert_eq!((failed.len(), failed[0].as_str(), question), (2, "timed out", None));
        assert_eq!(calls(&questions.next(4).await.unwrap()), (Vec::new(), None));
    }

    #[tokio::test]
    async fn a_batch_is_complete_when_it_is_old_enough() {
        let challenge = Questions::of_ledger("o").unwrap().next(0).await.unwrap();
        let of = |age: u64, ready: u64| label(&challenge, Micros(7), Micros(7 + age), ready);
        let complete = Some(("batch".to_owned(), r#"{"status":"completed"}"#.to_owned()));
        assert_eq!((of(3_000_000, 3), of(3_000_001, 3), of(3_000_001, 0)), (None, complete.clone(), None));
        let source = Batches { ready_after_seconds: 3, interval: Duration::from_secs(1) };
        assert_eq!(source.label(&challenge, Micros(7), Micros(4_000_007)).await, complete);
        let foreign = Challenge { task: Some("{}".to_owned()), ..challenge };
        assert_eq!(label(&foreign, Micros(7), Micros(u64::MAX), 3), None);
    }
}
