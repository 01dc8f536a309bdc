//! The scores of one round: gate, terms, mix, and the truths that the class weights learn from (spec 2, 3.3).
//!
//! A round is scored with the class weights as they were when it began, so that the order of the answers does not matter;
//! its truths are counted afterwards. Every score is finite: where upstream would compute NaN or infinity the answer earns
//! 0, as upstream's averages make of NaN (spec 2.9). [`Scorer`] is upstream's scorer by itself, answer after answer.

use std::collections::BTreeMap;

use super::average::average;
use super::classes::ClassState;
use super::constants::Constants;
use super::prediction::{Prediction, passes};
use super::reward;
use super::synapse::Submission;
use super::truth::Truth;

/// One drawn miner of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Its coldkey; empty for unknown, which is shared with nobody.
    pub coldkey: &'a str,
    /// What it answered; `None` for a failure of any kind.
    pub submission: Option<&'a Submission>,
    /// Seconds as the validator measured them.
    pub measured_seconds: f64,
}

/// Why an answer earns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// No answer, or one without a prediction.
    NoAnswer,
    /// The prediction did not pass the gate.
    Invalid,
    /// The wrong class.
    WrongClass,
    /// The reward is no finite number.
    NotFinite,
    /// Nothing of the mix is above 0, although the class is right.
    NothingEarned,
}

/// The score of one miner with its parts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scored {
    /// What was scored, after defaults; `None` where nothing was.
    pub prediction: Option<Prediction>,
    /// Classification term.
    pub classification: f64,
    /// Regression term.
    pub regression: f64,
    /// Diversity term.
    pub diversity: f64,
    /// The mix of the three.
    pub prediction_reward: f64,
    /// Time term.
    pub time: f64,
    /// Part of the reward that is paid: 1 ÷ answers that share it, of the same coldkey or equal, where the rule set says so.
    pub share: f64,
    /// What the miner earns: the mix of prediction and time, times the share.
    pub score: f64,
    /// Why that is 0, if it is.
    pub zero: Option<Zero>,
}

/// A scored round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// One score per entry, in their order.
    pub scores: Vec<Scored>,
    /// The class weights that it was scored with.
    pub before: ClassState,
    /// The class statistics to carry on; the first ones where the rule set carries nothing.
    pub classes: ClassState,
}

/// What of an answer goes into the terms. It is settled when the answers are in: neither the truth nor the class weights are
/// needed for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// What is scored, after defaults; it has passed the gate.
    pub prediction: Prediction,
    /// Probability of "yes", after the default.
    pub confidence: f64,
    /// Seconds that the time term counts.
    pub seconds: f64,
    /// Part of the reward that is paid: 1 ÷ answers that share it, of the same coldkey or equal, where the rule set says so.
    pub share: f64,
}

/// Scores a round whose truth is known. `classes` is the state carried in; it is used only where the rule set carries it.
#[must_use]
pub fn evaluate(truth: &Truth, entries: &[Entry<'_>], classes: Option<&ClassState>, constants: &Constants) -> Round {
    rewarded(truth, &taken(entries, constants), classes, constants)
}

/// What of each entry is scored, in their order; the reason why nothing of it is otherwise.
#[must_use]
pub fn taken(entries: &[Entry<'_>], constants: &Constants) -> Vec<Result<Taken, Zero>> {
    let mut all: Vec<Result<Taken, Zero>> = entries.iter().map(|entry| take(entry, constants)).collect();
    if !constants.share_within_coldkey && !constants.share_equal_answers {
        return all;
    }
    let known: Vec<(&str, Spelling)> = entries
        .iter()
        .zip(&all)
        .filter_map(|(entry, taken)| Some((entry.coldkey, Spelling::of(taken.as_ref().ok()?))))
        .collect();
    let shares_with = |own: &(&str, Spelling), other: &(&str, Spelling)| {
        let owned = constants.share_within_coldkey && !own.0.is_empty() && own.0 == other.0;
        owned || (constants.share_equal_answers && own.1 == other.1)
    };
    for (taken, own) in all.iter_mut().flatten().zip(&known) {
        let sharers = known.iter().filter(|other| shares_with(own, other)).count().max(1);
        taken.share = 1.0 / sharers as f64;
    }
    all
}

/// What makes two answers equal: class, seconds and confidence, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spelling(i128, u64, u64);

impl Spelling {
    fn of(taken: &Taken) -> Self {
        // 0 and -0 are one number.
        let bits = |number: f64| (number + 0.0).to_bits();
        Self(taken.prediction.class, bits(taken.prediction.seconds), bits(taken.confidence))
    }
}

/// The rewards that follow from the truth, one per entry, in their order.
#[must_use]
pub fn rewarded(
    truth: &Truth,
    taken: &[Result<Taken, Zero>],
    classes: Option<&ClassState>,
    constants: &Constants,
) -> Round {
    let rule = &constants.classes;
    let initial = ClassState::initial(rule);
    let before = classes.filter(|_| rule.carried).unwrap_or(&initial);
    let scores = taken.iter().map(|taken| match taken {
        Ok(taken) => scored(taken, truth, before, constants),
        Err(zero) => Scored { zero: Some(*zero), ..Scored::default() },
    });
    let scores = scores.collect();
    let mut after = before.clone();
    if rule.carried {
        let answers = taken.iter().filter(|taken| taken.is_ok()).count();
        for _ in 0..if rule.per_answer { answers } else { 1 } {
            after.record(truth.happened, rule);
        }
    }
    Round { scores, before: before.clone(), classes: after }
}

fn take(entry: &Entry<'_>, constants: &Constants) -> Result<Taken, Zero> {
    let gate = &constants.gate;
    let read = entry.submission.filter(|_| gate.answers_read);
    let (given, measured) = match read {
        Some(submission) => (*submission, entry.measured_seconds),
        // Upstream scores a fresh message in the place of the answer. It took no time, and a failure took all of it.
        None if !gate.answers_read => (Submission::default(), 0.0),
        None => (Submission::default(), constants.reward.timeout_seconds),
    };
    let prediction = match given.prediction {
        Some(prediction) => prediction,
        None if gate.missing_is_no => Prediction::NO,
        None => return Err(Zero::NoAnswer),
    };
    if !passes(&prediction, given.confidence, gate) {
        return Err(Zero::Invalid);
    }
    let seconds = if constants.reward.claimed_time { given.claimed_seconds } else { measured };
    let confidence = given.confidence.unwrap_or(gate.default_confidence);
    Ok(Taken { prediction, confidence, seconds, share: 1.0 })
}

fn scored(taken: &Taken, truth: &Truth, classes: &ClassState, constants: &Constants) -> Scored {
    let (rule, share) = (&constants.reward, taken.share);
    let right = taken.prediction.class == i128::from(truth.happened);
    let classification = reward::classification(&taken.prediction, truth, classes);
    let regression = reward::regression(&taken.prediction, truth, rule.baseline_seconds);
    let diversity = reward::diversity(Some(taken.confidence), rule.diversity_curve);
    let near = !truth.happened || regression > 0.0;
    let counts = (right && near) || !rule.right_answers_only;
    let time = if counts { reward::time(taken.seconds, rule.timeout_seconds) } else { 0.0 };
    let diversity = if counts { diversity } else { 0.0 };
    let prediction_reward = reward::prediction(classification, regression, diversity, rule);
    let score = reward::total(prediction_reward, time, rule) * share;
    let parts = [classification, regression, diversity, prediction_reward, time, score];
    if !parts.iter().all(|part| part.is_finite()) {
        return Scored { zero: Some(Zero::NotFinite), ..Scored::default() };
    }
    let zero = match (score > 0.0, right) {
        (true, _) => None,
        (false, false) => Some(Zero::WrongClass),
        (false, true) => Some(Zero::NothingEarned),
    };
    let prediction = Some(taken.prediction).filter(|prediction| prediction.seconds.is_finite());
    Scored { prediction, classification, regression, diversity, prediction_reward, time, share, score, zero }
}

/// Weight of the newest reward in the scorer's own averages, which the running upstream drops.
pub const SCORER_BETA: f64 = 0.1;

/// Upstream's scorer by itself: class weights move between answers, and each uid has a moving average of its rewards. The
/// running upstream builds a new one for each challenge and drops it afterwards (spec 2.9).
#[derive(Debug, Clone, PartialEq)]
pub struct Scorer {
    /// Class statistics.
    pub classes: ClassState,
    /// Moving averages by claimed uid.
    pub averages: BTreeMap<i128, f64>,
    /// Weight of the newest reward in them; upstream's is [`SCORER_BETA`].
    pub beta: f64,
}

impl Scorer {
    /// The reward of one answer, in seconds of its own claim. A confidence of null moves average and statistics and then
    /// fails in upstream's log line, so that the reward is 0.
    pub fn reward(&mut self, truth: &Truth, given: &Submission, uid: i128, constants: &Constants) -> f64 {
        let rule = &constants.reward;
        let prediction = given.prediction.unwrap_or(Prediction::NO);
        let parts = reward::prediction(
            reward::classification(&prediction, truth, &self.classes),
            reward::regression(&prediction, truth, rule.baseline_seconds),
            reward::diversity(given.confidence, rule.diversity_curve),
            rule,
        );
        let total = reward::total(parts, reward::time(given.claimed_seconds, rule.timeout_seconds), rule);
        let previous = self.averages.get(&uid).copied().unwrap_or(0.0);
        self.averages.insert(uid, average(total, previous, self.beta));
        self.classes.record(truth.happened, &constants.classes);
        if given.confidence.is_none() { 0.0 } else { total }
    }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
