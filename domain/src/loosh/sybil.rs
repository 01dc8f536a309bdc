//! Sybil detection on a round's similarity (spec 3.11): adaptive thresholds, suspicious pairs, strict groups, structure.
//!
//! A report, not a score: nothing here enters emissions or weights. Upstream's trajectory fingerprints are left out: they
//! are centroids of k-means with a library's random numbers, which no other program can repeat. In small rounds the closest
//! pair is always flagged, by construction; our own rules wait for enough pairs before they look at percentiles.

use serde::{Deserialize, Serialize};

use super::graph::components;
use super::heuristics::{plain_sentences, words_per_sentence};
use super::matrix::{SquareMatrix, pairs};
use crate::math;
use crate::math::order::percentile;
use crate::text::patterns::{has_bulleted_item, has_numbered_item};
use crate::text::{length, strip};

/// Limits of the detector (upstream's frozen constants).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Least similarity of a suspicious pair.
    pub high: f64,
    /// Least similarity of a very suspicious pair.
    pub very_high: f64,
    /// With fewer pairs than this the thresholds above stand, whatever the percentiles are.
    pub percentile_pairs: u64,
    /// Percentile for suspicious pairs.
    pub high_percentile: f64,
    /// Percentile for very suspicious pairs.
    pub very_high_percentile: f64,
    /// Answers with fewer characters are left out.
    pub minimum_characters: u32,
    /// Members of a group.
    pub minimum_group: u32,
    /// Least similarity inside a group.
    pub internal: f64,
    /// Pairs that are alike in several ways at once.
    pub fusion: Fusion,
}

/// When a pair is alike in several ways at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// Least similarity of the vectors.
    pub meaning: f64,
    /// Least similarity of the words.
    pub words: f64,
    /// Least similarity of the structure.
    pub structure: f64,
    /// In how many of the three a pair must be alike.
    pub ways: u8,
}

impl Limits {
    /// Whether its percentiles are some, and of something.
    pub fn usable(&self) -> bool {
        self.percentile_pairs > 0
            && [self.high_percentile, self.very_high_percentile].iter().all(|q| (0.0..=100.0).contains(q))
    }

    fn least_members(&self) -> usize {
        self.minimum_group.max(2) as usize
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            high: 0.80,
            very_high: 0.88,
            percentile_pairs: 3,
            high_percentile: 99.9,
            very_high_percentile: 99.99,
            minimum_characters: 50,
            minimum_group: 2,
            internal: 0.90,
            fusion: Fusion { meaning: 0.92, words: 0.85, structure: 0.80, ways: 2 },
        }
    }
}

/// How the similarities of a round are distributed, and the thresholds that follow. The distribution is all zeros when
/// too few pairs are long enough to be looked at.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "percentiles and thresholds under upstream's names")]
pub struct Distribution {
    pub mean: f64,
    pub std: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub p9999: f64,
    pub adaptive_high_threshold: f64,
    pub adaptive_very_high_threshold: f64,
    pub floor_high_threshold: f64,
    pub floor_very_high_threshold: f64,
}

/// Which answers are long enough to be compared.
pub fn long_enough(texts: &[&str], limits: &Limits) -> Vec<bool> {
    texts.iter().map(|text| length(text) >= limits.minimum_characters as usize).collect()
}

/// The distribution among the answers that `included` says.
pub fn distribution(similarity: &SquareMatrix, included: &[bool], limits: &Limits) -> Distribution {
    let values = similarity.select(included).upper();
    let floors = Distribution {
        adaptive_high_threshold: limits.high,
        adaptive_very_high_threshold: limits.very_high,
        floor_high_threshold: limits.high,
        floor_very_high_threshold: limits.very_high,
        ..Distribution::default()
    };
    if (values.len() as u64) < limits.percentile_pairs {
        return floors;
    }
    let at = |q: f64| percentile(&values, q).unwrap_or_default();
    let most = if values.len() >= 100 { at(99.99) } else { at(100.0) };
    let high = at(limits.high_percentile).max(limits.high);
    let very_high = at(limits.very_high_percentile).max(limits.very_high);
    Distribution {
        mean: math::mean(&values),
        std: math::population_deviation(&values),
        p50: at(50.0),
        p90: at(90.0),
        p95: at(95.0),
        p99: at(99.0),
        p999: at(99.9),
        p9999: most,
        adaptive_high_threshold: high,
        adaptive_very_high_threshold: very_high.max(high + 0.01),
        ..floors
    }
}

/// Pairs with at least `threshold`, most similar first, equals in order of the answers.
pub fn suspicious_pairs(similarity: &SquareMatrix, included: &[bool], threshold: f64) -> Vec<(usize, usize, f64)> {
    let mut found: Vec<(usize, usize, f64)> = pairs(similarity.size())
        .filter(|(i, j)| included[*i] && included[*j])
        .map(|(i, j)| (i, j, similarity.get(i, j)))
        .filter(|(_, _, value)| *value >= threshold)
        .collect();
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    found
}

/// A pair that is alike in several ways at once.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedPair {
    /// The answers, the earlier one first.
    pub pair: (usize, usize),
    /// Similarity of the vectors.
    pub meaning: f64,
    /// Similarity of the words.
    pub words: f64,
    /// Similarity of the structure.
    pub structure: f64,
}

/// Pairs that are alike in as many ways as the rule asks, in order of the answers.
pub fn fused_pairs(
    similarity: &SquareMatrix,
    words: &SquareMatrix,
    structure: &[Vec<f32>],
    included: &[bool],
    rule: &Fusion,
) -> Vec<FusedPair> {
    let among = pairs(similarity.size()).filter(|(i, j)| included[*i] && included[*j]);
    let measured = among.map(|(i, j)| FusedPair {
        pair: (i, j),
        meaning: similarity.get(i, j),
        words: words.get(i, j),
        structure: f64::from(structure[i][j]),
    });
    let ways = |found: &FusedPair| {
        let alike = [found.meaning >= rule.meaning, found.words >= rule.words, found.structure >= rule.structure];
        alike.into_iter().filter(|alike| *alike).count() >= usize::from(rule.ways)
    };
    measured.filter(ways).collect()
}

/// Answers of which every two resemble each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Indices in order of discovery.
    pub members: Vec<usize>,
    /// Mean similarity of its pairs.
    pub average: f64,
    /// The smallest one.
    pub minimum: f64,
    /// The largest one.
    pub maximum: f64,
}

/// Connected components at `threshold`, pruned until all pairs reach the internal limit; highest mean first.
pub fn strict_groups(similarity: &SquareMatrix, included: &[bool], threshold: f64, limits: &Limits) -> Vec<Group> {
    let size = similarity.size();
    let joined = |i: usize, j: usize| i != j && included[i] && included[j] && similarity.get(i, j) >= threshold;
    let neighbours: Vec<Vec<usize>> = (0..size).map(|i| (0..size).filter(|j| joined(i, *j)).collect()).collect();
    let mut groups: Vec<Group> = components(&neighbours)
        .into_iter()
        .filter(|members| members.len() >= limits.least_members() && members.iter().all(|at| included[*at]))
        .map(|members| pruned(members, similarity, limits))
        .filter(|members| members.len() >= limits.least_members())
        .map(|members| group(members, similarity))
        .collect();
    groups.sort_by(|a, b| b.average.total_cmp(&a.average));
    groups
}

fn group(members: Vec<usize>, similarity: &SquareMatrix) -> Group {
    let values: Vec<f64> = pairs(members.len()).map(|(a, b)| similarity.get(members[a], members[b])).collect();
    Group {
        average: math::mean(&values),
        minimum: values.iter().copied().fold(f64::INFINITY, f64::min),
        maximum: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        members,
    }
}

/// Takes out the member with the lowest similarity to any other, first of equals, until none is below the limit.
fn pruned(mut members: Vec<usize>, similarity: &SquareMatrix, limits: &Limits) -> Vec<usize> {
    while members.len() >= limits.least_members() {
        let weakest = |at: &usize| {
            let others = members.iter().filter(|other| *other != at);
            others.map(|other| similarity.get(*at, *other)).fold(f64::INFINITY, f64::min)
        };
        let mut worst = (f64::INFINITY, 0);
        for (place, at) in members.iter().enumerate() {
            let value = weakest(at);
            if value < worst.0 {
                worst = (value, place);
            }
        }
        if worst.0 >= limits.internal {
            break;
        }
        members.remove(worst.1);
    }
    members
}

/// Cosine of structural features, in f32 as upstream: length, sentences, lists, code, paragraphs, sentence length.
pub fn structural_similarity(texts: &[&str]) -> Vec<Vec<f32>> {
    let rows: Vec<[f32; 7]> = texts.iter().map(|text| unit(features(text))).collect();
    let dot = |a: &[f32; 7], b: &[f32; 7]| a.iter().zip(b).fold(0.0f32, |total, (x, y)| total + x * y);
    rows.iter().map(|a| rows.iter().map(|b| dot(a, b)).collect()).collect()
}

fn features(text: &str) -> [f32; 7] {
    let sentences = plain_sentences(text);
    let paragraphs = text.split("\n\n").filter(|part| !strip(part).is_empty()).count();
    let flag = |yes: bool| f32::from(u8::from(yes));
    [
        (length(text) as f64 / 10_000.0) as f32,
        (sentences.len() as f64 / 50.0) as f32,
        flag(has_numbered_item(text)),
        flag(has_bulleted_item(text)),
        flag(text.contains("```")),
        (paragraphs as f64 / 20.0) as f32,
        (words_per_sentence(&sentences) / 50.0) as f32,
    ]
}

fn unit(row: [f32; 7]) -> [f32; 7] {
    let square = row.iter().fold(0.0f32, |total, x| total + x * x);
    let length = libm::sqrtf(square).max(1e-9);
    row.map(|x| x / length)
}

/// Everything that the detector says of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Distribution and thresholds.
    pub distribution: Distribution,
    /// Suspicious pairs.
    pub pairs: Vec<(usize, usize, f64)>,
    /// Suspicious groups.
    pub groups: Vec<Group>,
}

/// Looks at the unfiltered similarity of a round.
pub fn detect(similarity: &SquareMatrix, included: &[bool], limits: &Limits) -> Report {
    let distribution = distribution(similarity, included, limits);
    let threshold = distribution.adaptive_high_threshold;
    Report {
        pairs: suspicious_pairs(similarity, included, threshold),
        groups: strict_groups(similarity, included, threshold, limits),
        distribution,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loosh::constants::Constants;
    use proptest::prelude::*;

    fn matrix(upper: &[f64]) -> SquareMatrix {
        let places: Vec<(usize, usize)> = pairs(4).collect();
        SquareMatrix::from_cells(4, |i, j| {
            places.iter().position(|p| *p == (i.min(j), i.max(j))).map_or(1.0, |at| upper[at])
        })
    }

    #[test]
    fn a_bridge_is_cut() {
        // 0-1 and 1-2 are close, 0-2 are not: the chain is one component, but no strict group of three.
        let similarity = matrix(&[0.95, 0.5, 0.1, 0.97, 0.1, 0.1]);
        let groups = strict_groups(&similarity, &[true; 4], 0.9, &Limits::default());
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].members.as_slice(), groups[0].minimum), (&[1, 2][..], 0.97));
        assert!(strict_groups(&similarity, &[true, false, true, true], 0.9, &Limits::default()).is_empty());
    }

    #[test]
    fn few_pairs_use_the_floors() {
        let similarity = matrix(&[0.95; 6]);
        let report = detect(&similarity, &[true, true, false, false], &Limits::default());
        assert_eq!((report.distribution.adaptive_high_threshold, report.distribution.mean), (0.8, 0.0));
        assert_eq!(report.pairs, [(0, 1, 0.95)]);
        let none = detect(&similarity, &[false; 4], &Limits::default());
        assert!(none.pairs.is_empty() && none.groups.is_empty());
        let all = detect(&similarity, &[true; 4], &Limits::default());
        assert_eq!(all.groups[0].members, [0, 1, 2, 3]);
        assert_eq!(long_enough(&["x", &"é".repeat(50)], &Limits::default()), [false, true]);
    }

    #[test]
    fn a_pair_must_be_alike_in_two_ways() {
        let rule = Limits::default().fusion;
        let flat = |value: f64| SquareMatrix::from_cells(2, |_, _| value);
        for (meaning, words, structure, fused) in [
            (0.92, 0.85, 0.1, true),
            (0.92, 0.1, 0.85, true),
            (0.1, 0.85, 0.85, true),
            (0.91, 0.85, 0.75, false),
            (0.99, 0.84, 0.75, false),
        ] {
            let structure = vec![vec![structure; 2]; 2];
            let found = fused_pairs(&flat(meaning), &flat(words), &structure, &[true; 2], &rule);
            assert_eq!(found.iter().map(|pair| pair.pair).collect::<Vec<_>>(), [(0, 1)][..usize::from(fused)]);
            assert!(fused_pairs(&flat(1.0), &flat(1.0), &structure, &[true, false], &rule).is_empty());
        }
    }

    proptest! {
        #[test]
        fn upstream_always_flags_the_closest_pair(upper in proptest::collection::vec(0.80f64..0.9, 6)) {
            let similarity = matrix(&upper);
            let closest = upper.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let theirs = detect(&similarity, &[true; 4], &Limits::default());
            prop_assert!(theirs.pairs.iter().any(|(_, _, value)| *value == closest));
            // Under our own rules answers that are as near as honest ones are do not raise suspicion.
            let ours = Constants::assay_1().sybil_detection.unwrap_or_default();
            prop_assert!(detect(&similarity, &[true; 4], &ours).pairs.is_empty());
            let copies = SquareMatrix::from_cells(4, |_, _| 0.95);
            prop_assert_eq!(detect(&copies, &[true; 4], &ours).pairs.len(), 6);
        }
    }

    #[test]
    fn empty_texts_have_no_structure() {
        let found = structural_similarity(&["", "One. Two three.", "One. Two three."]);
        assert_eq!(found[0], [0.0; 3]);
        assert!((found[1][2] - 1.0).abs() < 1e-6);
        assert!(structural_similarity(&[]).is_empty());
    }
}
