//! The consensus score θ of a round (spec 3.6), the confidence-weighted score and polarity.
//!
//! θ adds a standard deviation to the mean, so that disagreement raises it; it is neither clamped nor bounded.

use std::collections::BTreeMap;

use super::matrix::{SquareMatrix, pairs};
use crate::math;

/// Agreement among the survivors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Agreement {
    /// Weighted mean of pairwise similarities.
    pub mu: f64,
    /// Their weighted population standard deviation.
    pub sigma: f64,
}

impl Agreement {
    /// `μ + λσ`.
    pub fn theta(&self, lambda: f64) -> f64 {
        self.mu + lambda * self.sigma
    }
}

/// Mean and deviation of pairwise similarities, pairs weighed by the product of both qualities and of both votes, where
/// given. (0, 0) for fewer than two survivors; with qualities, also when all weights are 0; with votes alone the plain
/// mean stands in then.
pub fn agreement(similarity: &SquareMatrix, quality: Option<&[f64]>, votes: Option<&[f64]>) -> Agreement {
    let size = similarity.size();
    if size < 2 {
        return Agreement::default();
    }
    let product = |of: Option<&[f64]>, i: usize, j: usize| of.map_or(1.0, |of| of[i] * of[j]);
    let values = similarity.upper();
    let plain = || Agreement { mu: math::mean(&values), sigma: math::population_deviation(&values) };
    if quality.is_none() && votes.is_none() {
        return plain();
    }
    let weights: Vec<f64> = pairs(size).map(|(i, j)| product(quality, i, j) * product(votes, i, j)).collect();
    let Some(mu) = math::weighted_mean(&values, &weights) else {
        return if quality.is_some() { Agreement::default() } else { plain() };
    };
    let squares: Vec<f64> = values.iter().map(|value| (value - mu) * (value - mu)).collect();
    let variance = math::weighted_mean(&squares, &weights).unwrap_or_default();
    Agreement { mu, sigma: math::sqrt(variance) }
}

/// Mean similarity of ordered pairs weighed by the product of confidences; 0 without weight. Reported only.
pub fn confidence_weighted(similarity: &SquareMatrix, confidences: &[f64]) -> f64 {
    let (mut score, mut total) = (0.0, 0.0);
    for (i, row) in similarity.rows().enumerate().take(confidences.len()) {
        for (j, value) in row.iter().enumerate().filter(|(j, _)| *j != i) {
            let weight = confidences[i] * confidences[j];
            score += value * weight;
            total += weight;
        }
    }
    if total > 0.0 { score / total } else { 0.0 }
}

/// Share of the most frequent label; 0 for none. Never enabled upstream.
pub fn polarity<L: Ord>(labels: &[L]) -> f64 {
    let mut counts: BTreeMap<&L, u64> = BTreeMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    counts.values().max().map_or(0.0, |most| *most as f64 / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_may_vanish() {
        let matrix = SquareMatrix::from_cells(3, |i, j| if i == j { 1.0 } else { 0.5 });
        let none = [0.0; 3];
        assert_eq!(agreement(&matrix, Some(&none), None), Agreement::default());
        assert_eq!(agreement(&matrix, None, Some(&none)).mu, 0.5);
        assert_eq!(agreement(&matrix.select(&[true, false, false]), None, None), Agreement::default());
        assert_eq!(confidence_weighted(&matrix, &none), 0.0);
        assert_eq!(confidence_weighted(&matrix.select(&[true, false, false]), &[1.0]), 0.0);
        assert_eq!(polarity::<u8>(&[]), 0.0);
        assert_eq!(polarity(&["yes", "no", "yes"]), 2.0 / 3.0);
    }

    proptest! {
        #[test]
        fn equal_weights_are_no_weights(cells in proptest::collection::vec(-1f64..1.0, 25), weight in 0.1f64..1.0) {
            let matrix = SquareMatrix::from_cells(5, |i, j| cells[i.min(j) * 5 + i.max(j)]);
            let plain = agreement(&matrix, None, None);
            let weighed = agreement(&matrix, Some(&[weight; 5]), Some(&[1.0; 5]));
            prop_assert!((plain.mu - weighed.mu).abs() < 1e-12 && (plain.sigma - weighed.sigma).abs() < 1e-7);
            prop_assert!((confidence_weighted(&matrix, &[weight; 5]) - plain.mu).abs() < 1e-12);
        }
    }
}
