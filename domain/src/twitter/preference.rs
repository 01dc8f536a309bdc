//! The preference reward: the mean log-probability that a language model gives the answer's tokens (spec 2.4).
//!
//! Despite its name nothing is optimised. Tokens that would repeat a run of tokens of the answer are penalised: their logit
//! is put far below the mean. Upstream's use of a library function looks at the answer's end alone and puts them there *at every
//! position*; a rule set may have it at the places where a run is completed for the second time. The model's outputs are
//! evidence: either all logits, or [what is left of them](Outputs) after the model's own sums.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::constants::Preference;
use super::numbers::{self, Real};
use crate::math;
use crate::text::{length, strip};

/// Whether the answer is measured at all: not blank, and longer than the shortest. Characters are counted before trimming.
pub fn is_measurable(answer: &str, rule: &Preference) -> bool {
    !strip(answer).is_empty() && length(answer) as u64 > rule.short_characters
}

/// The tokens that the model sees, and from which of them on they are the answer's; `None` when the prompt alone fills it.
pub fn fitting<'a>(tokens: &'a [u32], prompt: usize, rule: &Preference) -> Option<&'a [u32]> {
    let limit = usize::try_from(rule.maximum_tokens).unwrap_or(usize::MAX);
    (prompt < limit).then(|| &tokens[..tokens.len().min(limit)])
}

/// Tokens that followed the last `n − 1` tokens of the answer earlier in it, in order of their first such place.
pub fn repeated(answer: &[u32], n: usize) -> Vec<u32> {
    let Some(context) = n.checked_sub(1).filter(|context| answer.len() >= *context && *context > 0) else {
        return Vec::new();
    };
    let last = &answer[answer.len() - context..];
    let mut found = Vec::new();
    for window in answer.windows(n) {
        let next = window[context];
        if &window[..context] == last && !found.contains(&next) {
            found.push(next);
        }
    }
    found
}

/// The most tokens that are watched where each place has its own penalised ones; repetitions of further tokens go unpunished.
const MOST_WATCHED: usize = 2048;

/// Tokens that the rule penalises somewhere in the answer, in order of their first such place: their log-probabilities are
/// what a model is asked for besides those of the answer's own tokens.
pub fn watched(answer: &[u32], n: usize, only_where_repeated: bool) -> Vec<u32> {
    if !only_where_repeated {
        return repeated(answer, n);
    }
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for token in completions(answer, n).into_iter().flatten() {
        if found.len() < MOST_WATCHED && seen.insert(token) {
            found.push(token);
        }
    }
    found
}

/// For each place of the answer the tokens that would complete a run of `n` tokens for the second time there.
fn completions(answer: &[u32], n: usize) -> Vec<BTreeSet<u32>> {
    let mut followers: BTreeMap<&[u32], BTreeSet<u32>> = BTreeMap::new();
    let mut found = Vec::with_capacity(answer.len());
    for at in 0..answer.len() {
        let context = n.checked_sub(1).filter(|context| *context > 0).and_then(|context| at.checked_sub(context));
        let Some(before) = context.map(|from| &answer[from..at]) else {
            found.push(BTreeSet::new());
            continue;
        };
        let known = followers.entry(before).or_default();
        found.push(known.clone());
        known.insert(answer[at]);
    }
    found
}

/// The penalised tokens at each place of the answer.
struct Penalised {
    watched: Vec<u32>,
    /// Where each of them stands in `watched`, by place; none where all places have all of them.
    places: Option<Vec<Vec<usize>>>,
}

impl Penalised {
    fn of(answer: &[u32], rule: &Preference) -> Self {
        let n = usize::try_from(rule.repeated_tokens).unwrap_or(usize::MAX);
        let watched = watched(answer, n, rule.only_where_repeated);
        let place_of: BTreeMap<u32, usize> = watched.iter().enumerate().map(|(at, token)| (*token, at)).collect();
        let known = |here: BTreeSet<u32>| here.iter().filter_map(|token| place_of.get(token).copied()).collect();
        let places = rule.only_where_repeated.then(|| completions(answer, n).into_iter().map(known).collect());
        Self { watched, places }
    }

    /// Places in `watched` of the tokens that are penalised here.
    fn at(&self, place: usize) -> Vec<usize> {
        match &self.places {
            None => (0..self.watched.len()).collect(),
            Some(places) => places.get(place).cloned().unwrap_or_default(),
        }
    }
}

/// What a model says of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured<R> {
    /// The tokens that are penalised somewhere.
    pub repeated: Vec<u32>,
    /// Log-probability of each of the answer's tokens.
    pub per_token: Vec<R>,
    /// Their mean, or the floor.
    pub reward: R,
}

/// The reward from all logits. `logits[i]` predicts token `i + 1`; rows beyond the last token are not looked at. `prompt`
/// is the number of the prompt's tokens; the first token is never predicted.
///
/// # Errors
/// Too few rows, rows of different lengths, and tokens that no row has.
pub fn measure<R: Real>(
    tokens: &[u32],
    prompt: usize,
    logits: &[Vec<R>],
    rule: &Preference,
) -> Result<Measured<R>, Error> {
    let floor = || Measured { repeated: Vec::new(), per_token: Vec::new(), reward: R::near(rule.floor) };
    let Some(tokens) = fitting(tokens, prompt, rule) else { return Ok(floor()) };
    let Some(predicted) = tokens.len().checked_sub(1).filter(|predicted| *predicted > 0) else { return Ok(floor()) };
    let malformed = |problem: String| Error::ModelOutput(problem);
    let rows = logits
        .get(..predicted)
        .ok_or_else(|| malformed(format!("{} rows of logits for {} tokens", logits.len(), tokens.len())))?;
    let width = rows[0].len();
    if rows.iter().any(|row| row.len() != width) {
        return Err(malformed("rows of logits have different lengths".to_owned()));
    }
    if let Some(token) = tokens.iter().find(|token| **token as usize >= width) {
        return Err(malformed(format!("token {token} is outside of a vocabulary of {width}")));
    }
    let penalised = Penalised::of(&tokens[prompt.min(tokens.len())..], rule);
    let all: Vec<R> = rows.iter().flatten().copied().collect();
    let put = numbers::mean(&all) - numbers::root(numbers::unbiased_variance(&all)) * R::near(rule.penalty_deviations);
    let lowest = R::near(f64::NEG_INFINITY);
    let first = prompt.max(1);
    let mut per_token = Vec::new();
    for at in first..tokens.len() {
        let mut row = rows[at - 1].clone();
        for watched in penalised.at(at - prompt) {
            row[penalised.watched[watched] as usize] = lowest;
        }
        for logit in row.iter_mut().filter(|logit| **logit == lowest) {
            *logit = put;
        }
        per_token.push(log_softmax_at(&row, tokens[at] as usize));
    }
    let reward = mean_or_floor(&per_token, rule);
    Ok(Measured { repeated: penalised.watched, per_token, reward })
}

/// The mean; the floor when it is NaN or infinite, as it is for no tokens.
pub fn mean_or_floor<R: Real>(per_token: &[R], rule: &Preference) -> R {
    let mean = numbers::mean(per_token);
    if numbers::is_finite(mean) { mean } else { R::near(rule.floor) }
}

/// `x − max − ln Σ e^(x − max)` at one place.
fn log_softmax_at<R: Real>(row: &[R], at: usize) -> R {
    let most = row.iter().fold(R::near(f64::NEG_INFINITY), |most, x| if *x > most { *x } else { most });
    let total = row.iter().fold(R::near(0.0), |total, x| total + numbers::exp(*x - most));
    row[at] - most - numbers::ln(total)
}

/// What a model says of one token of the answer, recorded instead of a whole row of logits.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenOutput {
    /// The token's log-probability without penalty.
    pub log_probability: f64,
    /// The logarithm of the row's sum of exponentials.
    pub log_sum: f64,
    /// Log-probabilities of the [watched] tokens at this place, in their order.
    pub repeated: Vec<f64>,
}

/// What is recorded of a model's outputs for one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// One for each of the answer's tokens.
    pub tokens: Vec<TokenOutput>,
    /// Mean of all logits of all predicting rows.
    pub mean: f64,
    /// Their unbiased standard deviation.
    pub deviation: f64,
}

/// The reward from recorded outputs: the same law as [`measure`], up to rounding.
///
/// `answer` are the answer's tokens (without the very first token of all, if the prompt is empty).
///
/// # Errors
/// Outputs that do not fit the tokens.
pub fn from_outputs(answer: &[u32], outputs: &Outputs, rule: &Preference) -> Result<f64, Error> {
    if answer.len() != outputs.tokens.len() {
        let problem = format!("{} outputs for {} tokens", outputs.tokens.len(), answer.len());
        return Err(Error::ModelOutput(problem));
    }
    let penalised = Penalised::of(answer, rule);
    let put = outputs.mean - outputs.deviation * rule.penalty_deviations;
    let mut per_token = Vec::with_capacity(answer.len());
    for (place, (token, output)) in answer.iter().zip(&outputs.tokens).enumerate() {
        if output.repeated.len() != penalised.watched.len() {
            let problem = format!("{} repeated tokens, {} values", penalised.watched.len(), output.repeated.len());
            return Err(Error::ModelOutput(problem));
        }
        let here = penalised.at(place);
        if here.is_empty() {
            per_token.push(output.log_probability);
            continue;
        }
        // Of a total probability of 1, the repeated tokens' is taken away and that of the put logits is added.
        let taken = here.iter().fold(0.0, |total, at| total + math::exp(output.repeated[*at]));
        let added = here.len() as f64 * math::exp(put - output.log_sum);
        let total = math::ln((1.0 - taken).max(0.0) + added);
        let own = if here.iter().any(|at| penalised.watched[*at] == *token) {
            put - output.log_sum
        } else {
            output.log_probability
        };
        per_token.push(own - total);
    }
    Ok(mean_or_floor(&per_token, rule))
}

#[cfg(test)]
#[path = "preference_tests.rs"]
mod tests;
