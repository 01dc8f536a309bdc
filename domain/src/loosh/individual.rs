//! Individual scores and the diversity bonus (spec 3.7).
//!
//! Survivors score by similarity, quality, confidence and membership; those filtered out by similarity to the survivors
//! and by length. Only survivors can get the diversity bonus, whatever upstream's documentation says.

use super::constants::{Diversity, Individual};
use super::matrix::{Embedding, SquareMatrix, cosines, indices};
use crate::math;

/// A round after filtering. Slices are over all responses unless they say survivors.
#[derive(Debug, Clone, Copy)]
pub struct Filtered<'a> {
    /// Vectors.
    pub embeddings: &'a [Embedding],
    /// Who survived.
    pub kept: &'a [bool],
    /// Word counts.
    pub words: &'a [u64],
    /// Vote caps.
    pub votes: Option<&'a [f64]>,
    /// Confidences; upstream always has 1.
    pub confidences: &'a [f64],
    /// Survivors' similarity.
    pub similarity: &'a SquareMatrix,
    /// Survivors' quality; word share stands in for it.
    pub quality: Option<&'a [f64]>,
}

/// Scores of all responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One per response.
    pub scores: Vec<f64>,
    /// Mean similarity to the (other) survivors.
    pub alignment: Vec<f64>,
    /// Diversity bonus, 0 for those filtered out.
    pub diversity: Vec<f64>,
    /// Upstream's order of insertion, which breaks ties for the best: survivors, then the rest.
    pub order: Vec<usize>,
}

/// Scores everybody; `None` when nobody survived.
pub fn scores(round: &Filtered<'_>, weights: &Individual, diversity: Option<&Diversity>) -> Option<Scores> {
    let survivors = indices(round.kept);
    if survivors.is_empty() {
        return None;
    }
    let count = round.embeddings.len();
    let others: Vec<usize> = (0..count).filter(|at| !round.kept[*at]).collect();
    let mut out = Scores {
        scores: vec![0.0; count],
        alignment: vec![0.0; count],
        diversity: vec![0.0; count],
        order: survivors.iter().chain(&others).copied().collect(),
    };
    let quality = survivors_quality(round, &survivors);
    let bonus = diversity_bonus(round.similarity, round.quality, diversity);
    for (place, at) in survivors.iter().enumerate() {
        out.alignment[*at] = alignment(round, &survivors, place);
        out.diversity[*at] = bonus[place];
        let sum = [
            out.alignment[*at] * weights.inside_similarity,
            quality[place] * weights.inside_quality,
            round.confidences[*at] * weights.inside_confidence,
            weights.membership,
            bonus[place],
        ];
        out.scores[*at] = math::sum(&sum) * vote(round, *at);
    }
    let near: Vec<Embedding> = survivors.iter().map(|at| round.embeddings[*at].clone()).collect();
    let longest = round.words.iter().copied().max().unwrap_or_default();
    for at in others {
        out.alignment[at] = math::mean(&cosines(&round.embeddings[at], &near));
        let sum = [
            out.alignment[at] * weights.outside_similarity,
            share(round.words[at], longest).unwrap_or_default() * weights.outside_length,
            round.confidences[at] * weights.outside_confidence,
        ];
        out.scores[at] = math::sum(&sum) * vote(round, at);
    }
    Some(out)
}

fn vote(round: &Filtered<'_>, at: usize) -> f64 {
    round.votes.map_or(1.0, |votes| votes[at])
}

fn share(words: u64, longest: u64) -> Option<f64> {
    (longest > 0).then(|| words as f64 / longest as f64)
}

fn survivors_quality(round: &Filtered<'_>, survivors: &[usize]) -> Vec<f64> {
    if let Some(quality) = round.quality {
        return quality.to_vec();
    }
    let longest = survivors.iter().map(|at| round.words[*at]).max().unwrap_or_default();
    // Without a single word everybody counts as full length.
    survivors.iter().map(|at| share(round.words[*at], longest).unwrap_or(1.0)).collect()
}

/// Mean similarity to the other survivors, weighed by their votes; 0 for a lone survivor.
fn alignment(round: &Filtered<'_>, survivors: &[usize], place: usize) -> f64 {
    let similarities = round.similarity.others(place);
    let votes = round.votes.map(|votes| {
        let others = survivors.iter().enumerate().filter(|(other, _)| *other != place);
        others.map(|(_, at)| votes[*at]).collect::<Vec<f64>>()
    });
    votes.and_then(|votes| math::weighted_mean(&similarities, &votes)).unwrap_or_else(|| math::mean(&similarities))
}

/// Bonus of each survivor for being good and unlike the others; 0 without qualities or for a lone survivor.
pub fn diversity_bonus(similarity: &SquareMatrix, quality: Option<&[f64]>, rule: Option<&Diversity>) -> Vec<f64> {
    let size = similarity.size();
    let (Some(quality), Some(rule)) = (quality.filter(|_| size >= 2), rule) else { return vec![0.0; size] };
    let bonus = |at: usize| {
        let uniqueness = 1.0 - math::mean(&similarity.others(at));
        let earned = uniqueness * (quality[at] / rule.minimum_quality) * rule.maximum;
        if quality[at] > rule.minimum_quality { earned.min(rule.maximum) } else { 0.0 }
    };
    (0..size).map(bonus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loosh::constants::Constants;
    use crate::loosh::matrix::similarity;

    #[test]
    fn a_lone_survivor_and_wordless_answers() {
        let embeddings = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        let all = similarity(&embeddings);
        let constants = Constants::readme();
        let kept = [true, false];
        let lone = all.select(&kept);
        let round = Filtered {
            embeddings: &embeddings,
            kept: &kept,
            words: &[0, 0],
            votes: None,
            confidences: &[1.0, 1.0],
            similarity: &lone,
            quality: None,
        };
        let found = scores(&round, &constants.individual, None);
        assert_eq!(found.as_ref().map(|f| f.scores.clone()), Some(vec![0.2 + 0.2 + 0.1, 0.2]));
        let nobody = Filtered { kept: &[false, false], similarity: &all.select(&[false, false]), ..round };
        assert_eq!(scores(&nobody, &constants.individual, None), None);
    }
}
