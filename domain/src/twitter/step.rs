//! A round from answers to rewards: reward models, weighted sum, penalties, the best answer (spec 2, glue of one step).
//!
//! The order of the responses is upstream's order of summation: callers fix it (by hotkey), so that the same responses give
//! the same bits in whatever order they came.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::Error;
use super::analysis::QueryAnalysis;
use super::constants::{Constants, Remedies, RewardModel};
use super::criteria::Criterion;
use super::normaliser::Normaliser;
use super::numbers::{self, Real};
use super::penalty::{Penalty, accuracy, task_validation};
use super::reward::{Applied, SUCCESS, apply, stand_in, weighted_sum};
use crate::text::alike::company;
use crate::text::{lower, split, strip};

/// One response of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Status; only 200 is measured.
    pub status: u16,
    /// All that was streamed.
    pub completion: &'a str,
}

/// Raw rewards of one model, one place per response; places of responses that are not measured are not looked at.
pub type Raw<R> = Vec<Option<R>>;

/// What the reward models said. A model of weight 0 is not asked: its list may be empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence<R> {
    /// Logits.
    pub rlhf: Raw<R>,
    /// Marks over the best mark.
    pub prompt: Raw<R>,
    /// Mean log-probabilities.
    pub dpo: Raw<R>,
}

/// Running statistics of the three models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "R: Real")]
pub struct Statistics<R: Real> {
    /// Of logits.
    pub rlhf: Normaliser<R>,
    /// Of marks.
    pub prompt: Normaliser<R>,
    /// Of log-probabilities.
    pub dpo: Normaliser<R>,
}

impl<R: Real> Default for Statistics<R> {
    fn default() -> Self {
        Self { rlhf: Normaliser::default(), prompt: Normaliser::default(), dpo: Normaliser::default() }
    }
}

/// What a round came to, in the order of the responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<R> {
    /// Which responses were measured.
    pub measured: Vec<bool>,
    /// What each model made of them, in the order of the sum; `None` for a model of weight 0.
    pub models: [Option<Applied<R>>; 3],
    /// Their weighted sum.
    pub weighted: Vec<R>,
    /// The penalty for missing the task's criteria.
    pub task_validation: Penalty<R>,
    /// The penalty for missing what the query asks for.
    pub accuracy: Penalty<R>,
    /// Among how many equal answers each shares; 1 where answers do not share.
    pub sharing: Vec<u64>,
    /// The rewards.
    pub rewards: Vec<R>,
    /// The first response with the largest reward.
    pub best: Option<usize>,
}

impl<R> Outcome<R> {
    /// The best answer, trimmed; empty when there is none.
    pub fn best_completion<'a>(&self, responses: &[Response<'a>]) -> &'a str {
        self.best.and_then(|at| responses.get(at)).map_or("", |best| strip(best.completion))
    }
}

/// Whether the reward models are asked about a response.
pub fn is_measured(response: &Response<'_>, remedies: &Remedies) -> bool {
    response.status == SUCCESS && !(remedies.blank_answers_fail && strip(response.completion).is_empty())
}

/// Among how many equal answers (but for case and white space) each measured one is; 1 for all others. From a similarity of
/// word triples on answers are equal too, with all that are similar to them.
pub fn sharing(responses: &[Response<'_>], measured: &[bool], near: Option<f64>) -> Vec<u64> {
    let key = |response: &Response<'_>| {
        let lowered = lower(response.completion);
        split(&lowered).collect::<Vec<&str>>().join(" ")
    };
    let keys: Vec<Option<String>> =
        responses.iter().zip(measured).map(|(response, measured)| measured.then(|| key(response))).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for key in keys.iter().flatten() {
        *counts.entry(key).or_insert(0) += 1;
    }
    let equal = |key: &Option<String>| key.as_ref().and_then(|key| counts.get(key.as_str())).copied().unwrap_or(1);
    let Some(threshold) = near else { return keys.iter().map(equal).collect() };
    // What was not measured is a text without words, which is near nothing.
    let texts: Vec<&str> = keys.iter().map(|key| key.as_deref().unwrap_or_default()).collect();
    keys.iter().zip(company(&texts, threshold)).map(|(key, company)| equal(key).max(company)).collect()
}

/// Evaluates a round and takes its raw rewards into the running statistics.
///
/// # Errors
/// Missing evidence, evidence that does not fit the responses, a criterion that cannot be computed. The statistics are then
/// unchanged.
pub fn evaluate<R: Real>(
    responses: &[Response<'_>],
    evidence: &Evidence<R>,
    analysis: &QueryAnalysis,
    criteria: &[Criterion],
    statistics: &mut Statistics<R>,
    constants: &Constants,
) -> Result<Outcome<R>, Error> {
    let measured: Vec<bool> = responses.iter().map(|r| is_measured(r, &constants.remedies)).collect();
    let mut next = statistics.clone();
    let rules = &constants.rewards;
    let models = [
        model("rlhf", &rules.rlhf, &evidence.rlhf, &measured, &mut next.rlhf, constants)?,
        model("prompt", &rules.prompt, &evidence.prompt, &measured, &mut next.prompt, constants)?,
        model("dpo", &rules.dpo, &evidence.dpo, &measured, &mut next.dpo, constants)?,
    ];
    let unasked = stand_in(responses.len());
    let rewards = [0, 1, 2].map(|at| models[at].as_ref().map_or(&unasked[..], |applied| &applied.normalised[..]));
    let weights = [&rules.rlhf, &rules.prompt, &rules.dpo].map(|model| R::near(model.weight));
    let weighted = weighted_sum(&weights, &rewards, responses.len())?;
    let completions: Vec<&str> = responses.iter().map(|response| response.completion).collect();
    let task_validation = task_validation(criteria, &completions, constants.penalties.task_validation)?;
    let accuracy = accuracy(analysis, &completions, &constants.penalties);
    let remedies = &constants.remedies;
    let sharing = match remedies.equal_answers_share {
        true => sharing(responses, &measured, remedies.near_copies),
        false => vec![1; responses.len()],
    };
    let rewards: Vec<R> = (0..responses.len())
        .map(|at| {
            let penalised = weighted[at] * task_validation.applied[at] * accuracy.applied[at];
            if sharing[at] > 1 { penalised / R::near(sharing[at] as f64) } else { penalised }
        })
        .collect();
    *statistics = next;
    let best = numbers::first_largest(&rewards);
    Ok(Outcome { measured, models, weighted, task_validation, accuracy, sharing, rewards, best })
}

fn model<R: Real>(
    name: &'static str,
    rule: &RewardModel,
    raw: &[Option<R>],
    measured: &[bool],
    state: &mut Normaliser<R>,
    constants: &Constants,
) -> Result<Option<Applied<R>>, Error> {
    if rule.weight == 0.0 {
        return Ok(None);
    }
    if raw.len() != measured.len() {
        return Err(Error::Lengths { what: name, found: raw.len(), expected: measured.len() });
    }
    if let Some(response) = (0..raw.len()).find(|at| measured[*at] && raw[*at].is_none()) {
        return Err(Error::MissingReward { model: name, response });
    }
    let asked: Raw<R> = raw.iter().zip(measured).map(|(raw, measured)| raw.filter(|_| *measured)).collect();
    Ok(Some(apply(state, &asked, &constants.normalisation, constants.remedies.only_finite_rewards)))
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
