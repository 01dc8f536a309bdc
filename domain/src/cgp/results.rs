//! What a round found out, for whoever gave the conversation: the tags of the whole and of each answer, with the vectors that were
//! scored. A function of the same recorded facts as the scores; scores are not in it.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::evidence::Evidence;
use super::task::Task;
use crate::mechanism::{EvaluationError, RoundFacts};
use crate::ruleset::RuleSet;
use crate::types::{Hotkey, Uid};

/// Tags and their vectors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tagged {
    /// The tags, in order.
    pub tags: Vec<String>,
    /// Vectors of length one by their tag; none under rules that need none, and of answers with too few tags.
    pub vectors: BTreeMap<String, Vec<f64>>,
}

/// One miner's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerResult {
    /// Whose it is.
    pub hotkey: Hotkey,
    /// The slot in which it was asked.
    pub uid: Uid,
    /// Tags as they were sent.
    pub sent: Vec<String>,
    /// Tags that count.
    pub tagged: Tagged,
}

/// A round's results. Without a ground truth the conversation was left out, and there are none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// The ground truth, of the whole conversation.
    pub truth: Option<Tagged>,
    /// The answers to the window, in order of arrival. None of a round that was given up.
    pub answers: Vec<AnswerResult>,
}

/// The results of a round that is evaluated.
///
/// # Errors
/// A rule set of another subnet, a task that is none, and evidence that is missing or malformed.
pub fn of(rule_set: &RuleSet, facts: &RoundFacts) -> Result<Results, EvaluationError> {
    let malformed = |problem| EvaluationError::MalformedTask { rule_set: rule_set.name(), problem };
    let constants: Constants = rule_set.constants().map_err(|error| malformed(error.to_string()))?;
    let task = Task::parse(facts.task.as_deref()).map_err(malformed)?;
    let evidence = Evidence { constants: &constants, facts, task: &task };
    let Some(truth) = evidence.known()?.truth else { return Ok(Results::default()) };
    let evaluator = constants.evaluator.as_ref();
    let mut answers = Vec::new();
    if !evidence.spoilt() {
        for response in &facts.responses {
            let found = evidence.tags(response)?;
            let tags = found.counting.unwrap_or_default();
            let vectors = match evaluator {
                Some(rule) if !rule.too_few(&tags) => owned(evidence.vectors(&tags, None)?),
                _ => BTreeMap::new(),
            };
            let (hotkey, uid) = (response.miner.hotkey, response.miner.uid);
            answers.push(AnswerResult { hotkey, uid, sent: found.sent, tagged: Tagged { tags, vectors } });
        }
    }
    let vectors = if evaluator.is_some() { evidence.truth_vectors(&truth)? } else { BTreeMap::new() };
    Ok(Results { truth: Some(Tagged { tags: truth, vectors }), answers })
}

fn owned(vectors: BTreeMap<&str, Vec<f64>>) -> BTreeMap<String, Vec<f64>> {
    vectors.into_iter().map(|(tag, vector)| (tag.to_owned(), vector)).collect()
}
