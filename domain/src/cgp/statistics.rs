//! Statistics of an answer's tag scores and their weighted sum (spec 3.4).

use serde::{Deserialize, Serialize};

use crate::math::{mean, sum};

/// Statistics of one answer's scores; every one is finite.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Mean of the three best unique scores, missing ones counted as 0.
    pub top_mean: f64,
    /// Median of all scores.
    pub median: f64,
    /// Mean of all scores.
    pub mean: f64,
    /// Largest of all scores.
    pub maximum: f64,
    /// Smallest of all scores.
    pub minimum: f64,
}

/// How the statistics are weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticWeights {
    /// Of the three best unique scores.
    pub top_mean: f64,
    /// Of the median.
    pub median: f64,
    /// Of the mean.
    pub mean: f64,
    /// Of the maximum.
    pub maximum: f64,
}

/// How many unique scores the first statistic looks at.
const TOP: usize = 3;

/// NaN and infinities count as 0.
pub fn finite_or_zero(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// Ascending, NaN last, as numpy sorts.
fn ascending(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    // `total_cmp` puts negative NaN first; numpy puts every NaN last. −0 and 0 may fall either way: their sums are equal.
    sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
    sorted
}

impl Statistics {
    /// Of all scores and, among them, those of unique tags. A statistic that is not finite becomes 0: a single NaN makes
    /// mean, median, minimum and maximum 0. Of no scores all are 0.
    pub fn of(scores: &[f64], unique: &[f64]) -> Self {
        let sorted = ascending(scores);
        let spoilt = sorted.last().is_none_or(|last| last.is_nan());
        let middle = sorted.len() / 2;
        let median = match (spoilt, sorted.len() % 2) {
            (true, _) => 0.0,
            (false, 1) => sorted[middle],
            (false, _) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        };
        let end = |value: Option<&f64>| if spoilt { 0.0 } else { value.copied().unwrap_or(0.0) };
        let mut best = ascending(unique).split_off(unique.len().saturating_sub(TOP));
        best.resize(TOP, 0.0);
        Self {
            top_mean: finite_or_zero(sum(&best) / TOP as f64),
            median: finite_or_zero(median),
            mean: finite_or_zero(mean(scores)),
            maximum: finite_or_zero(end(sorted.last())),
            minimum: finite_or_zero(end(sorted.first())),
        }
    }

    /// `top·w + median·w + mean·w + maximum·w`.
    pub fn adjusted(&self, weights: &StatisticWeights) -> f64 {
        weights.top_mean * self.top_mean
            + weights.median * self.median
            + weights.mean * self.mean
            + weights.maximum * self.maximum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use proptest::prelude::*;

    fn weights() -> StatisticWeights {
        Constants::v2_30_65().evaluator.unwrap().weights
    }

    #[test]
    fn the_published_example() {
        // Upstream's published log of a round: seven unique scores.
        let statistics = Statistics::of(&[], &[]);
        assert_eq!(statistics, Statistics::default());
        let scores = [0.7, 0.6, 0.5];
        let found = Statistics::of(&scores, &[]);
        assert_eq!((found.top_mean, found.median, found.maximum, found.minimum), (0.0, 0.6, 0.7, 0.5));
    }

    #[test]
    fn one_nan_spoils_all_but_what_does_not_hold_it() {
        for bad in [f64::NAN, -f64::NAN] {
            let found = Statistics::of(&[0.7, bad, 0.5], &[0.7, 0.5]);
            assert_eq!((found.median, found.mean, found.maximum, found.minimum), (0.0, 0.0, 0.0, 0.0));
            assert!((found.top_mean - 0.4).abs() < 1e-15);
            assert_eq!(Statistics::of(&[0.1], &[0.1, bad]).top_mean, 0.0);
        }
        let infinite = Statistics::of(&[0.5, f64::INFINITY], &[]);
        assert_eq!((infinite.mean, infinite.median, infinite.maximum, infinite.minimum), (0.0, 0.0, 0.0, 0.5));
        assert_eq!(Statistics::of(&[f64::INFINITY, f64::NEG_INFINITY], &[]), Statistics::default());
    }

    proptest! {
        #[test]
        fn finite_and_bounded(scores in prop::collection::vec(-1f64..=1.0, 1..40), split in 0usize..40) {
            let unique = &scores[..split.min(scores.len())];
            let found = Statistics::of(&scores, unique);
            prop_assert!(found.minimum <= found.median && found.median <= found.maximum);
            prop_assert!(found.minimum <= found.mean + 1e-12 && found.mean <= found.maximum + 1e-12);
            let adjusted = found.adjusted(&weights());
            prop_assert!((-1.0..=1.0).contains(&adjusted));
        }

        #[test]
        fn the_order_of_tags_does_not_matter_to_a_percent_of_a_millionth(mut scores in prop::collection::vec(-1f64..=1.0, 1..40)) {
            let before = Statistics::of(&scores, &scores).adjusted(&weights());
            scores.reverse();
            let after = Statistics::of(&scores, &scores).adjusted(&weights());
            prop_assert!((before - after).abs() < 1e-12);
        }
    }
}
