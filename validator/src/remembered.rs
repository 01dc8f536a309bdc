//! Verdicts on a whole conversation are asked for once, not for each of its windows.
//!
//! Every round records the verdicts that it uses, so that each stands for itself in an audit; what is remembered here only spares
//! asking the model the very same question again. **Invariant:** a verdict is given for the request that it was the answer to,
//! under the rules it was asked by, and for no other; verdicts on miners' answers are never remembered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::cgp::requests::{GROUND_TRUTH, PROFILES, QUALITY};
use domain::mechanism::{JudgementRequest, Mechanism};
use domain::types::{Digest, sha256};
use tokio::sync::OnceCell;

use crate::judge::{Judge, Verdict};

/// Verdicts that are remembered: at most 128 × 256 KiB = 32 MiB of replies, and as a rule a few hundred bytes each.
const REMEMBERED: usize = 128;

/// A judge that is asked once about each conversation.
#[derive(Debug)]
pub(crate) struct Remembered {
    inner: Arc<dyn Judge>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    cells: BTreeMap<Digest, Arc<OnceCell<Verdict>>>,
    order: VecDeque<Digest>,
}

impl Remembered {
    /// Nothing remembered yet.
    pub(crate) fn new(inner: Arc<dyn Judge>) -> Self {
        Self { inner, memory: Mutex::default() }
    }

    /// The place of a verdict. The oldest one is forgotten for it when there are too many; whoever waits there still gets it.
    fn cell(&self, key: Digest) -> Arc<OnceCell<Verdict>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = memory.cells.get(&key) {
            return Arc::clone(cell);
        }
        if memory.order.len() >= REMEMBERED
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.cells.remove(&oldest);
        }
        memory.order.push_back(key);
        Arc::clone(memory.cells.entry(key).or_default())
    }
}

fn is_of_conversation(request: &JudgementRequest, mechanism: &dyn Mechanism) -> bool {
    mechanism.rule_set().algorithm() == "cgp"
        && request.hotkey.is_none()
        && [GROUND_TRUTH, QUALITY, PROFILES].contains(&request.purpose.as_str())
}

fn key(request: &JudgementRequest, mechanism: &dyn Mechanism) -> Digest {
    let (rules, purpose) = (mechanism.rule_set().hash(), sha256(request.purpose.as_bytes()));
    sha256(&[rules.0, purpose.0, request.hash().0].concat())
}

#[async_trait]
impl Judge for Remembered {
    /// A remembered verdict has cost nothing: its tokens and its time count in the round that asked for it.
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        if !is_of_conversation(request, mechanism) {
            return self.inner.judge(request, mechanism).await;
        }
        let (cell, asked) = (self.cell(key(request, mechanism)), AtomicBool::new(false));
        // Windows of one conversation are under way at once: the second waits for the verdict that the first asks for. One that
        // fails is nobody's, and whoever waited asks for itself.
        let verdict = cell.get_or_try_init(|| {
            asked.store(true, Ordering::Relaxed);
            self.inner.judge(request, mechanism)
        });
        let verdict = verdict.await?.clone();
        if asked.load(Ordering::Relaxed) {
            return Ok(verdict);
        }
        Ok(Verdict { prompt_tokens: 0, completion_tokens: 0, latency_ms: 0, ..verdict })
    }

    fn has_model(&self, purpose: &str) -> bool {
        self.inner.has_model(purpose)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use super::*;

    /// Counts how often it is asked; fails the first so many times.
    #[derive(Debug, Default)]
    struct Counting {
        asked: AtomicU32,
        failures: u32,
    }

    #[async_trait]
    impl Judge for Counting {
        async fn judge(&self, request: &JudgementRequest, _: &dyn Mechanism) -> Result<Verdict, String> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if number < self.failures {
                return Err("not now".to_owned());
            }
            Ok(Verdict {
                model: "a/model".to_owned(),
                parameters: "{}".to_owned(),
                prompt_tokens: 7,
                completion_tokens: 3,
                latency_ms: 20,
                reply: format!("{} {number}", request.purpose).into_bytes(),
            })
        }

        fn has_model(&self, _: &str) -> bool {
            true
        }
    }

    fn mechanism(name: &str) -> Arc<dyn Mechanism> {
        domain::mechanism::open(&domain::mechanism::shipped_by_name(name).unwrap()).unwrap()
    }

    fn request(purpose: &str, text: &str) -> JudgementRequest {
        JudgementRequest { purpose: purpose.to_owned(), hotkey: None, request: text.to_owned() }
    }

    #[tokio::test]
    async fn a_conversation_is_asked_about_once_by_all_of_its_windows() {
        let counting = Arc::new(Counting::default());
        let judge = Remembered::new(counting.clone());
        let rules = mechanism("cgp/assay-1");
        let asked = request(GROUND_TRUTH, "{}");
        let all = (0..5).map(|_| judge.judge(&asked, rules.as_ref()));
        let verdicts: Vec<Verdict> =
            futures::future::join_all(all).await.into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(counting.asked.load(Ordering::SeqCst), 1);
        assert!(verdicts.iter().all(|verdict| verdict.reply == verdicts[0].reply));
        let tokens: Vec<u32> = verdicts.iter().map(|verdict| verdict.prompt_tokens).collect();
        assert_eq!(tokens.iter().sum::<u32>(), 7, "what was spent counts once: {tokens:?}");
    }

    #[tokio::test]
    async fn other_questions_are_asked() {
        let counting = Arc::new(Counting::default());
        let judge = Remembered::new(counting.clone());
        let (ours, document) = (mechanism("cgp/assay-1"), mechanism("cgp/readme"));
        let other = mechanism("bettertherapy/readme");
        let of_answer = JudgementRequest {
            hotkey: Some(domain::types::Hotkey::from_public(&[1; 32])),
            ..request("validate_tags", "{}")
        };
        let rows: [(JudgementRequest, &dyn Mechanism); 5] = [
            (request(GROUND_TRUTH, "a"), ours.as_ref()),
            (request(GROUND_TRUTH, "b"), ours.as_ref()),
            (request(QUALITY, "a"), ours.as_ref()),
            (request(GROUND_TRUTH, "a"), document.as_ref()),
            (request(QUALITY, "a"), other.as_ref()),
        ];
        let mut replies = std::collections::BTreeSet::new();
        for (asked, rules) in &rows {
            replies.insert(judge.judge(asked, *rules).await.unwrap().reply);
        }
        assert_eq!(replies.len(), rows.len());
        for _ in 0..2 {
            judge.judge(&of_answer, ours.as_ref()).await.unwrap();
            judge.judge(&request(QUALITY, "a"), other.as_ref()).await.unwrap();
        }
        assert_eq!(
            counting.asked.load(Ordering::SeqCst),
            9,
            "verdicts on answers and of others are asked for each time"
        );
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered_and_the_oldest_is_forgotten() {
        let counting = Arc::new(Counting { failures: 1, ..Counting::default() });
        let judge = Remembered::new(counting.clone());
        let rules = mechanism("cgp/assay-1");
        let asked = |n: usize| request(GROUND_TRUTH, &n.to_string());
        assert!(judge.judge(&asked(0), rules.as_ref()).await.is_err());
        let first = judge.judge(&asked(0), rules.as_ref()).await.unwrap();
        let (judge_ref, rules_ref) = (&judge, rules.as_ref());
        let many = (1..=REMEMBERED).map(|n| async move { judge_ref.judge(&asked(n), rules_ref).await.unwrap() });
        futures::future::join_all(many).await;
        assert_eq!(judge.memory.lock().unwrap().cells.len(), REMEMBERED);
        assert_ne!(judge.judge(&asked(0), rules.as_ref()).await.unwrap().reply, first.reply, "forgotten, asked anew");
    }
}
