//! Outliers by local density (spec 3.4).
//!
//! The factor is scikit-learn's `LocalOutlierFactor` on Euclidean distances. Neighbours at equal distance are taken in
//! the order of the responses. Distances come from differences, so equal vectors are exactly 0 apart; upstream's matrix
//! product can leave 1e-8 between them, which is the instability that the spec names.

use super::matrix::{Embedding, SquareMatrix, distances};
use crate::math;

/// The density floor that keeps coinciding points from dividing by zero.
const DENSITY_FLOOR: f64 = 1e-10;

/// Local outlier factor of each point over its `neighbours` nearest (fewer if there are not so many): about 1 inside a
/// cluster, larger outside. `None` for fewer than two points, where no neighbour exists.
pub fn local_outlier_factors(embeddings: &[Embedding], neighbours: usize) -> Option<Vec<f64>> {
    let count = embeddings.len();
    if count < 2 {
        return None;
    }
    let apart = distances(embeddings);
    let near: Vec<Vec<usize>> = (0..count).map(|at| nearest(&apart, at, neighbours.clamp(1, count - 1))).collect();
    // The distance to the furthest of its neighbours.
    let reach: Vec<f64> = near.iter().enumerate().map(|(at, n)| n.last().map_or(0.0, |f| apart.get(at, *f))).collect();
    let density: Vec<f64> = near
        .iter()
        .enumerate()
        .map(|(at, n)| {
            let reached: Vec<f64> = n.iter().map(|other| apart.get(at, *other).max(reach[*other])).collect();
            1.0 / (math::mean(&reached) + DENSITY_FLOOR)
        })
        .collect();
    let factor = |(at, n): (usize, &Vec<usize>)| {
        let ratios: Vec<f64> = n.iter().map(|other| density[*other] / density[at]).collect();
        math::mean(&ratios)
    };
    Some(near.iter().enumerate().map(factor).collect())
}

fn nearest(apart: &SquareMatrix, at: usize, count: usize) -> Vec<usize> {
    let mut others: Vec<usize> = (0..apart.size()).filter(|other| *other != at).collect();
    others.sort_by(|a, b| apart.get(at, *a).total_cmp(&apart.get(at, *b)).then(a.cmp(b)));
    others.truncate(count);
    others
}

/// Which points are outliers: factor above `threshold` (1.5; strict).
pub fn outliers(factors: &[f64], threshold: f64) -> Vec<bool> {
    // Negated on both sides as scikit-learn compares them, so that the boundary is the same number.
    factors.iter().map(|factor| -factor < -threshold).collect()
}

/// What the outlier stage decided.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierDecision {
    /// Who stays.
    pub kept: Vec<bool>,
    /// Who was marked an outlier.
    pub outlier: Vec<bool>,
    /// Mean quality of the outliers less that of the others; `None` when nobody, or no quality, was to be compared.
    pub quality_delta: Option<f64>,
    /// The outliers were better by more than the limit, so that they stayed and the cluster went.
    pub reversed: bool,
}

/// Drops outliers, unless they are better than the rest by more than `quality_delta`: then it drops the rest. Without
/// qualities (generation 1) outliers always go.
pub fn decide(outlier: Vec<bool>, quality: Option<&[f64]>, quality_delta: f64) -> OutlierDecision {
    let mean_of = |marked: bool| {
        quality.map(|q| {
            let part: Vec<f64> = q.iter().zip(&outlier).filter(|(_, o)| **o == marked).map(|(q, _)| *q).collect();
            math::mean(&part)
        })
    };
    let delta = if outlier.contains(&true) {
        mean_of(true).zip(mean_of(false)).map(|(outside, inside)| outside - inside)
    } else {
        None
    };
    let reversed = delta.is_some_and(|delta| delta > quality_delta);
    let kept = outlier.iter().map(|marked| *marked == reversed).collect();
    OutlierDecision { kept, outlier, quality_delta: delta, reversed }
}

/// The whole stage for a set of responses; everybody stays when there are fewer than `minimum`.
pub fn filter(
    embeddings: &[Embedding],
    quality: Option<&[f64]>,
    constants: &super::constants::Outliers,
) -> (Option<Vec<f64>>, OutlierDecision) {
    let enough = embeddings.len() as u64 >= constants.minimum_responses;
    let factors = if enough { local_outlier_factors(embeddings, constants.neighbours as usize) } else { None };
    let marked = factors.as_ref().map_or_else(|| vec![false; embeddings.len()], |f| outliers(f, constants.threshold));
    let decision = decide(marked, quality, constants.quality_delta.unwrap_or(f64::MAX));
    (factors, decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_points_have_no_density() {
        assert_eq!(local_outlier_factors(&[], 2), None);
        assert_eq!(local_outlier_factors(&[vec![1.0]], 2), None);
        let two = local_outlier_factors(&[vec![0.0], vec![1.0]], 2);
        assert!(two.is_some_and(|f| f.iter().all(|x| (x - 1.0).abs() < 1e-12)));
    }

    #[test]
    fn coinciding_points_are_inliers() {
        let factors = local_outlier_factors(&vec![vec![0.3, 0.4]; 5], 2);
        assert_eq!(factors, Some(vec![1.0; 5]));
    }

    /// Random cases with the answers of scikit-learn 1.9.1 (k = 2).
    #[test]
    fn factors_of_scikit_learn() {
        for (points, expected) in LOF_CASES {
            let points: Vec<Embedding> = points.iter().map(|p| p.to_vec()).collect();
            let got = local_outlier_factors(&points, 2).unwrap_or_default();
            for (a, b) in got.iter().zip(*expected) {
                assert!((a - b).abs() <= 1e-11 * b.abs(), "{got:?} {expected:?}");
            }
            assert_eq!(got.len(), expected.len());
        }
    }

    #[test]
    fn better_outliers_turn_the_tables() {
        let marked = vec![false, false, true];
        for (quality, kept, reversed) in [
            (Some(vec![0.4, 0.4, 0.9]), vec![false, false, true], true),
            (Some(vec![0.4, 0.4, 0.5]), vec![true, true, false], false),
            (None, vec![true, true, false], false),
        ] {
            let decision = decide(marked.clone(), quality.as_deref(), 0.15);
            assert_eq!((decision.kept, decision.reversed), (kept, reversed));
        }
        let nobody = decide(vec![false; 3], Some(&[0.1, 0.2, 0.3]), 0.15);
        assert_eq!((nobody.kept, nobody.quality_delta), (vec![true; 3], None));
    }

    proptest! {
        #[test]
        fn scale_does_not_matter(points in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 3), 3..9)) {
            // Multiplying by a power of two changes no digit of any ratio but through the density floor.
            let scaled: Vec<Embedding> = points.iter().map(|p| p.iter().map(|x| x * 1024.0).collect()).collect();
            let (a, b) = (local_outlier_factors(&points, 2), local_outlier_factors(&scaled, 2));
            for (x, y) in a.unwrap_or_default().iter().zip(b.unwrap_or_default()) {
                prop_assert!((x - y).abs() <= 1e-6 * x.abs(), "{} {}", x, y);
            }
        }

        #[test]
        fn order_does_not_matter(points in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 3), 3..9)) {
            let reversed: Vec<Embedding> = points.iter().rev().cloned().collect();
            let a = local_outlier_factors(&points, 2).unwrap_or_default();
            let b = local_outlier_factors(&reversed, 2).unwrap_or_default();
            for (x, y) in a.iter().zip(b.iter().rev()) {
                prop_assert!((x - y).abs() <= 1e-9 * x.abs());
            }
        }
    }

    type LofCase = (&'static [&'static [f64]], &'static [f64]);

    #[rustfmt::skip]
    const LOF_CASES: &[LofCase] = &[
        (&[&[2.041, -2.556], &[0.418, -0.568], &[-0.453, -0.216]],
         &[0.9376065301400931, 1.1425789277868696, 0.9376065301400931]),
        (&[&[-2.02, -0.232, -0.865], &[3.323, 0.226, -0.353], &[-0.281, -0.668, -1.055], &[-0.391, 0.482, -0.239]],
         &[0.9890363495883412, 2.0120535072365007, 1.0224188864915413, 0.9890363495883412]),
        (&[&[0.958, -0.2], &[0.024, 1.546], &[0.545, -0.505], &[-0.183, 0.541], &[1.935, -0.27], &[-0.244, 1.002]],
         &[1.157152802016137, 0.8977522331052206, 1.1101697507927868, 0.8977522331052206, 0.9750861629993124, 1.2570639669236776]),
        (&[&[-0.886, -0.292, 0.883, 0.58], &[0.092, 0.67, -2.828, 1.021], &[-0.96, -1.669, 0.276, 0.701], &[0.092, 0.67, -2.828, 1.021], &[1.406, 0.747, 0.194, 1.112], &[0.092, 0.67, -2.828, 1.021], &[-0.215, -0.783, 0.229, -2.494], &[0.69, 0.491, -1.639, 0.061], &[-0.964, 0.757, -2.034, -0.914]],
         &[1.1161680614376985, 1.0, 1.416069217151022, 1.0, 1.1490933284069629, 1.0, 1.2889305135218339, 16507471036.867363, 10807018774.68829]),
        (&[&[0.71, 1.156, -2.158], &[-0.498, 0.328, -0.609], &[1.591, -1.191, 0.355], &[-1.048, 1.406, -0.022], &[-0.372, -1.718, 1.682], &[0.753, 0.754, 1.138], &[0.349, -0.639, -0.8], &[-0.8, 1.37, -1.46], &[-0.596, -0.321, 0.225], &[0.575, -1.249, -1.73], &[-0.004, 1.214, 0.757], &[0.216, -0.317, 0.293]],
         &[1.4776157785308945, 0.8338160269005752, 1.2810450797340072, 1.0371319664021112, 1.761561814215611, 1.124973642864415, 1.2606180451030773, 1.1343529197007522, 1.0721399686278308, 1.2115103034150576, 1.0331650749522, 0.7799824078745956]),
    ];
}
