//! The scores of one window's answers: the evaluator of the running upstream, and the bell curve of the document.
//!
//! One answer that cannot be scored never costs another one anything.

use std::collections::{BTreeMap, BTreeSet};

use super::bell;
use super::constants::Evaluator;
use super::overlap::{Overlap, OverlapScore, compare};
use super::penalties::{Counts, Penalty, penalised};
use super::similarity::{Neighbourhood, NoDirection, similarity};
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
    /// How many answers of the window share the score; 1 unless they are the same and the rule set has them share.
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
/// `cgp/scored/1/…` of the answer draws over the alphabetical order, so that no spelling comes first.
pub fn scored_tags<'a>(distinct: &BTreeSet<&'a str>, limit: u64, stream: &mut Stream) -> Vec<&'a str> {
    let all: Vec<&str> = distinct.iter().copied().collect();
    if all.len() as u64 <= limit {
        return all;
    }
    let mut drawn = sample(stream, &vec![1; all.len()], limit as usize);
    drawn.sort_unstable();
    drawn.into_iter().filter_map(|at| all.get(at).copied()).collect()
}

/// The stream that picks an answer's scored tags: of the round's seed and the answer's own distinct tags, so that no other
/// answer and no order of arrival changes it.
fn own_stream(seed: &Digest, distinct: &BTreeSet<&str>) -> Stream {
    let tags = distinct.iter().copied().collect::<Vec<_>>().join("\n");
    Stream::new(*seed, &format!("cgp/scored/1/{}", sha256(tags.as_bytes())))
}

impl Evaluator {
    /// Whether an answer has too few tags to be scored.
    pub(super) fn too_few(&self, tags: &[String]) -> bool {
        let distinct = || tags.iter().collect::<BTreeSet<_>>().len();
        let count = if self.minimum_distinct { distinct() } else { tags.len() };
        (count as u64) < self.minimum_tags
    }
}

fn evaluate_one(truth: &Truth<'_>, answer: Option<&Answer<'_>>, rule: &Evaluator, seed: &Digest) -> Outcome {
    let answer = answer.ok_or(NotScored::NoOutput)?;
    let tags = answer.tags.ok_or(NotScored::TooFewTags)?;
    let distinct: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
    if rule.too_few(tags) {
        return Err(NotScored::TooFewTags);
    }
    let vectors = answer.vectors.as_ref().ok_or(NotScored::NoVectors)?;
    let no_direction = if rule.isolate_not_finite { NoDirection::Zero } else { NoDirection::NotANumber };
    let compared = compare(truth.tags, tags);
    let mut similarities = Vec::new();
    let (mut all, mut unique) = (Vec::new(), Vec::new());
    for tag in scored_tags(&distinct, rule.scored_tags, &mut own_stream(seed, &distinct)) {
        let found =
            vectors.get(tag).map_or(0.0, |vector| similarity(truth.neighbourhood.as_ref(), Some(vector), no_direction));
        all.push(found);
        if compared.only_second.binary_search(&tag).is_ok() {
            unique.push(found);
        }
        similarities.push((tag.to_owned(), found));
    }
    let statistics = Statistics::of(&all, &unique);
    let adjusted = statistics.adjusted(&rule.weights);
    let counts = Counts { tags: distinct.len(), unique: compared.only_second.len(), maximum: statistics.maximum };
    let penalties = rule.penalties.as_ref().map(|penalties| penalties.applying(counts)).unwrap_or_default();
    let held = if rule.hold_at_zero { adjusted.max(0.0) } else { adjusted };
    Ok(Scored {
        shared: compared.both.len(),
        unique: compared.only_second.len(),
        similarities,
        statistics,
        adjusted,
        score: penalised(held, &penalties),
        penalties,
        sharers: 1,
    })
}

/// Scores the answers of one window, in their order; `None` where a miner sent nothing.
pub fn evaluate(truth: &Truth<'_>, answers: &[Option<Answer<'_>>], rule: &Evaluator, seed: &Digest) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> =
        answers.iter().map(|answer| evaluate_one(truth, answer.as_ref(), rule, seed)).collect();
    if rule.share_duplicates {
        let set = |answer: &Option<Answer<'_>>| -> BTreeSet<String> {
            answer.as_ref().and_then(|answer| answer.tags).unwrap_or_default().iter().cloned().collect()
        };
        let sets: Vec<BTreeSet<String>> = answers.iter().map(set).collect();
        for (outcome, own) in outcomes.iter_mut().zip(&sets) {
            if let Ok(scored) = outcome {
                scored.sharers = sets.iter().filter(|other| *other == own).count();
                scored.score /= scored.sharers as f64;
            }
        }
    }
    outcomes
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
