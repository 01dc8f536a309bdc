//! The scores of one window's answers: the evaluator of the running upstream, and the bell curve of the document.
//!
//! One answer that cannot be scored never costs another one anything.

use std::collections::BTreeMap;

use super::bell;
use super::constants::Evaluator;
use super::overlap::{Overlap, OverlapScore, compare_sets, distinct, jaccard};
use super::penalties::{Counts, Penalty, penalised};
use super::similarity::{Neighbourhood, NoDirection, similarities};
use super::statistics::Statistics;
use crate::draw::{Stream, sample};
use crate::types::{Digest, sha256};

/// What answers are held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth<'a> {
    /// Tags of the whole conversation, as they are compared.
    pub tags: &'a [String],
    /// The mean of their vectors, if there are any.
    pub neighbourhood: Option<Neighbourhood>,
}

/// An answer after validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// Tags, repeated ones too; none when validation found nothing to judge.
    pub tags: Option<&'a [String]>,
    /// The validator's vectors by tag; none when there are none at all.
    pub vectors: Option<BTreeMap<&'a str, &'a [f64]>>,
}

/// Why an answer has no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotScored {
    /// The miner sent nothing.
    NoOutput,
    /// Fewer tags than the rule set asks for.
    TooFewTags,
    /// No vectors are known.
    NoVectors,
}

/// A scored answer with everything that led to its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Distinct tags that the ground truth has too.
    pub shared: usize,
    /// Distinct tags of its own.
    pub unique: usize,
    /// The tags that were scored, in alphabetical order, with their similarity.
    pub similarities: Vec<(String, f64)>,
    /// Statistics of the similarities.
    pub statistics: Statistics,
    /// Their weighted sum.
    pub adjusted: f64,
    /// Penalties with their factors, in the order of multiplication.
    pub penalties: Vec<(Penalty, f64)>,
    /// How many answers of the window share the score; 1 unless there are copies of it and the rule set has them share.
    pub sharers: usize,
    /// The final score.
    pub score: f64,
}

/// An answer's outcome.
pub type Outcome = Result<Scored, NotScored>;

/// The final score of an outcome.
pub fn score(outcome: &Outcome) -> f64 {
    outcome.as_ref().map_or(0.0, |scored| scored.score)
}

/// Which of an answer's distinct tags are scored: all, or a uniform sample of `limit`, in alphabetical order.
///
/// Upstream takes the first ones in the order of its hashes, which differs from run to run; here the stream
/// `cgp/scored/1/…` draws over the alphabetical order, so that no spelling comes first. It is of the round's seed and the
/// answer's own distinct tags, so that no other answer and no order of arrival changes it.
pub fn scored_tags<'a>(distinct: &[&'a str], limit: u64, seed: &Digest) -> Vec<&'a str> {
    if distinct.len() as u64 <= limit {
        return distinct.to_vec();
    }
    let mut stream = Stream::new(*seed, &format!("cgp/scored/1/{}", sha256(distinct.join("\n").as_bytes())));
    let mut drawn = sample(&mut stream, &vec![1; distinct.len()], limit as usize);
    drawn.sort_unstable();
    drawn.into_iter().filter_map(|at| distinct.get(at).copied()).collect()
}

impl Evaluator {
    /// Whether an answer has too few tags to be scored.
    pub(super) fn too_few(&self, tags: &[String]) -> bool {
        let count = if self.minimum_distinct { distinct(tags).len() } else { tags.len() };
        (count as u64) < self.minimum_tags
    }
}

/// What one answer is held against: the ground truth with its tags as a set.
type Held<'a> = (&'a [&'a str], Option<&'a Neighbourhood>);

fn evaluate_one(
    (truth, neighbourhood): Held<'_>,
    answer: Option<&Answer<'_>>,
    rule: &Evaluator,
    seed: &Digest,
) -> Outcome {
    let answer = answer.ok_or(NotScored::NoOutput)?;
    let tags = answer.tags.ok_or(NotScored::TooFewTags)?;
    if rule.too_few(tags) {
        return Err(NotScored::TooFewTags);
    }
    let vectors = answer.vectors.as_ref().ok_or(NotScored::NoVectors)?;
    let no_direction = if rule.isolate_not_finite { NoDirection::Zero } else { NoDirection::NotANumber };
    let tags = distinct(tags);
    let compared = compare_sets(truth, &tags);
    let scored = scored_tags(&tags, rule.scored_tags, seed);
    let of_tags: Vec<Option<&[f64]>> = scored.iter().map(|tag| vectors.get(tag).copied()).collect();
    let all = similarities(neighbourhood, &of_tags, no_direction);
    let is_unique = |tag: &str| compared.only_second.binary_search(&tag).is_ok();
    let unique: Vec<f64> = scored.iter().zip(&all).filter(|(tag, _)| is_unique(tag)).map(|(_, found)| *found).collect();
    let statistics = Statistics::of(&all, &unique);
    let adjusted = statistics.adjusted(&rule.weights);
    let counts = Counts { tags: tags.len(), unique: compared.only_second.len(), maximum: statistics.maximum };
    let penalties = rule.penalties.as_ref().map(|penalties| penalties.applying(counts)).unwrap_or_default();
    let held = if rule.hold_at_zero { adjusted.max(0.0) } else { adjusted };
    Ok(Scored {
        shared: compared.both.len(),
        unique: compared.only_second.len(),
        similarities: scored.into_iter().map(str::to_owned).zip(all).collect(),
        statistics,
        adjusted,
        score: penalised(held, &penalties),
        penalties,
        sharers: 1,
    })
}

/// Scores the answers of one window, in their order; `None` where a miner sent nothing.
pub fn evaluate(truth: &Truth<'_>, answers: &[Option<Answer<'_>>], rule: &Evaluator, seed: &Digest) -> Vec<Outcome> {
    let known = distinct(truth.tags);
    let held = (known.as_slice(), truth.neighbourhood.as_ref());
    let mut outcomes: Vec<Outcome> =
        answers.iter().map(|answer| evaluate_one(held, answer.as_ref(), rule, seed)).collect();
    if let Some(least) = rule.share_copies {
        share(&mut outcomes, answers, least);
    }
    outcomes
}

/// Divides each score by the number of answers with a score that are copies of it, itself among them. Who earned nothing takes
/// nothing from anybody.
fn share(outcomes: &mut [Outcome], answers: &[Option<Answer<'_>>], least: f64) {
    let tags = answers.iter().map(|answer| answer.as_ref().and_then(|answer| answer.tags).unwrap_or_default());
    let earned = outcomes.iter().map(|outcome| score(outcome) > 0.0);
    let sets: Vec<Vec<&str>> =
        tags.zip(earned).map(|(tags, earned)| if earned { distinct(tags) } else { Vec::new() }).collect();
    for (outcome, own) in outcomes.iter_mut().zip(&sets) {
        if let Ok(scored) = outcome {
            scored.sharers = sets.iter().filter(|other| jaccard(own, other) >= least).count().max(1);
            scored.score /= scored.sharers as f64;
        }
    }
}

/// An answer under the document's rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BellReward {
    /// Base score by overlap; 0 for an answer without tags.
    pub base: f64,
    /// Its share of the window's reward.
    pub reward: f64,
}

/// Rewards of one window by the document: base scores by overlap, shares by the bell curve over this window alone.
pub fn bell_rewards(truth: &[String], answers: &[&[String]], rule: &OverlapScore) -> Vec<BellReward> {
    let bases: Vec<f64> = answers.iter().map(|answer| rule.score(&Overlap::of(truth, answer)).unwrap_or(0.0)).collect();
    bases.iter().zip(bell::rewards(&bases)).map(|(base, reward)| BellReward { base: *base, reward }).collect()
}

#[cfg(test)]
#[path = "evaluation_tests.rs"]
mod tests;
