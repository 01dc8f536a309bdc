//! The document's "bell curve distribution of rewards" (spec 3.8): shares of a window's reward by the normal density of the
//! base scores around their own mean.
//!
//! It rewards being average: scores 0.2, 0.5, 0.8 earn 0.243, 0.514, 0.243. It is what the document's generation does; the
//! rank curve replaced it.

use std::f64::consts::PI;

use crate::math::{exp, mean, sqrt, sum};

/// Scores without any spread have no curve: the document's generation fails with a division by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{scores} scores without any spread have no bell curve")]
pub struct NoSpread {
    /// How many.
    pub scores: usize,
}

/// Rewards of one window, in order of the scores: `f(xᵢ) / Σ f(xⱼ)` with the normal density f of the scores' mean and
/// population deviation. They sum to 1.
///
/// # Errors
/// No scores, or scores that are all equal. The generation after it then pays everybody 0, and so does [`rewards`].
pub fn shares(scores: &[f64]) -> Result<Vec<f64>, NoSpread> {
    let centre = mean(scores);
    let squares: Vec<f64> = scores.iter().map(|score| (score - centre) * (score - centre)).collect();
    let deviation = sqrt(mean(&squares));
    let width = 2.0 * (deviation * deviation);
    // Written so that NaN has no spread either.
    let spread = width > 0.0 && width.is_finite();
    if !spread {
        return Err(NoSpread { scores: scores.len() });
    }
    let density = |square: &f64| exp(-square / width) / (deviation * sqrt(2.0 * PI));
    let densities: Vec<f64> = squares.iter().map(density).collect();
    let total = sum(&densities);
    Ok(densities.into_iter().map(|density| density / total).collect())
}

/// Rewards of one window; 0 for everybody when the scores have no spread.
pub fn rewards(scores: &[f64]) -> Vec<f64> {
    shares(scores).unwrap_or_else(|_| vec![0.0; scores.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_scores_have_no_curve() {
        for scores in [&[][..], &[0.5], &[0.5, 0.5, 0.5], &[0.0, 0.0]] {
            assert_eq!(shares(scores), Err(NoSpread { scores: scores.len() }));
            assert_eq!(rewards(scores), vec![0.0; scores.len()]);
        }
        assert!(shares(&[0.1, f64::NAN]).is_err());
    }

    #[test]
    fn the_average_miner_earns_most() {
        let found = rewards(&[0.2, 0.5, 0.8]);
        assert!(found[1] > 2.0 * found[0] && (found[0] - found[2]).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_and_permute(mut scores in prop::collection::vec(0f64..0.84, 2..30)) {
            prop_assume!(scores.iter().any(|score| (score - scores[0]).abs() > 1e-6));
            let found = rewards(&scores);
            prop_assert!((sum(&found) - 1.0).abs() < 1e-9);
            prop_assert!(found.iter().all(|reward| (0.0..=1.0).contains(reward)));
            scores.rotate_left(1);
            let mut rotated = rewards(&scores);
            rotated.rotate_right(1);
            prop_assert!(found.iter().zip(&rotated).all(|(a, b)| (a - b).abs() < 1e-9));
        }
    }
}
