//! Connectedness of a similarity graph (spec 3.3, diagnostic): largest component, clustering, spectral gap.
//!
//! Eigenvalues come from our own symmetric solver (Householder's tridiagonal form, then bisection with Sturm counts): slow
//! and plain, but the same bits everywhere. Golub and Van Loan, Matrix Computations, 8.3 and 8.4.

use super::matrix::SquareMatrix;
use crate::math::{self, clip};

/// 0.4 × share of the largest component + 0.3 × mean clustering coefficient + 0.3 × normalised spectral gap of the graph
/// with an edge wherever the similarity is at least `edge`; 1 for fewer than three nodes.
pub fn connectedness(similarity: &SquareMatrix, edge: f64) -> f64 {
    let size = similarity.size();
    if size < 3 {
        return 1.0;
    }
    let joined = |i: usize, j: usize| i != j && similarity.get(i, j) >= edge;
    let neighbours: Vec<Vec<usize>> = (0..size).map(|i| (0..size).filter(|j| joined(i, *j)).collect()).collect();
    let component = components(&neighbours).iter().map(Vec::len).max().unwrap_or_default();
    let clustering: Vec<f64> = neighbours.iter().map(|near| clustering(near, joined)).collect();
    let laplacian: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            let cell = |j: usize| if i == j { neighbours[i].len() as f64 } else { -f64::from(u8::from(joined(i, j))) };
            (0..size).map(cell).collect()
        })
        .collect();
    let gap = eigenvalue(laplacian, 1);
    let gap = (gap / (size as f64 * 0.1).max(1.0)).min(1.0);
    clip(0.4 * (component as f64 / size as f64) + 0.3 * math::mean(&clustering) + 0.3 * gap, 0.0, 1.0)
}

/// Connected components in order of their first member, members in breadth-first order.
pub fn components(neighbours: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut seen = vec![false; neighbours.len()];
    let mut found = Vec::new();
    for start in 0..neighbours.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut members = vec![start];
        let mut at = 0;
        while at < members.len() {
            for near in &neighbours[members[at]] {
                if !seen[*near] {
                    seen[*near] = true;
                    members.push(*near);
                }
            }
            at += 1;
        }
        found.push(members);
    }
    found
}

/// Share of a node's neighbour pairs that are joined themselves; 0 for fewer than two neighbours.
fn clustering(near: &[usize], joined: impl Fn(usize, usize) -> bool) -> f64 {
    let count = near.len();
    if count < 2 {
        return 0.0;
    }
    let edges = super::matrix::pairs(count).filter(|(a, b)| joined(near[*a], near[*b])).count();
    2.0 * edges as f64 / (count * (count - 1)) as f64
}

/// The eigenvalue of a symmetric matrix that has exactly `rank` smaller ones (with multiplicity).
fn eigenvalue(matrix: Vec<Vec<f64>>, rank: usize) -> f64 {
    let (diagonal, beside) = tridiagonal(matrix);
    // Gershgorin: every eigenvalue lies within the widest of these circles.
    let radius = |at: usize| {
        let left = if at > 0 { beside[at - 1].abs() } else { 0.0 };
        left + beside.get(at).map_or(0.0, |x| x.abs())
    };
    let bound = (0..diagonal.len()).fold(0.0f64, |most, at| most.max(diagonal[at].abs() + radius(at)));
    let (mut low, mut high) = (-bound, bound);
    // Halving the interval ends when its middle is one of its ends; 2^1100 covers all exponents.
    for _ in 0..1100 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        // Far below the noise of the tridiagonal form, around 0 the exponents would go on for ever.
        if high - low < bound * 1e-17 {
            break;
        }
        if smaller(&diagonal, &beside, middle) > rank {
            high = middle;
        } else {
            low = middle;
        }
    }
    low + (high - low) / 2.0
}

/// How many eigenvalues of the tridiagonal matrix are below `x`: negative pivots of its LDLᵀ form shifted by x.
fn smaller(diagonal: &[f64], beside: &[f64], x: f64) -> usize {
    let mut count = 0;
    let mut pivot = 1.0;
    for (at, value) in diagonal.iter().enumerate() {
        let coupling = if at > 0 { beside[at - 1] * beside[at - 1] } else { 0.0 };
        pivot = value - x - if coupling == 0.0 { 0.0 } else { coupling / pivot };
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE;
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

/// Householder reflections that leave only the diagonal and the one beside it.
fn tridiagonal(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<f64>) {
    let size = matrix.len();
    for column in 0..size.saturating_sub(2) {
        let below: Vec<f64> = (column + 1..size).map(|row| matrix[row][column]).collect();
        let tail = math::norm(&below[1..]);
        if tail == 0.0 {
            continue;
        }
        let length = math::norm(&below);
        let mut axis = below;
        axis[0] += if axis[0] < 0.0 { -length } else { length };
        let axis = math::unit(&axis);
        // A ← A − v wᵀ − w vᵀ with w = 2 (A v − (vᵀ A v) v), on the part below and right of the column.
        let part = column + 1;
        let image: Vec<f64> = (part..size).map(|row| math::dot(&matrix[row][part..], &axis)).collect();
        let along = math::dot(&axis, &image);
        let update: Vec<f64> = image.iter().zip(&axis).map(|(p, v)| 2.0 * (p - along * v)).collect();
        for i in 0..axis.len() {
            for j in 0..axis.len() {
                matrix[part + i][part + j] -= axis[i] * update[j] + update[i] * axis[j];
            }
        }
        let reflected = if matrix[part][column] < 0.0 { length } else { -length };
        // Only the part beside the diagonal is read again; what the reflection makes zero is never looked at.
        matrix[part][column] = reflected;
    }
    let diagonal = (0..size).map(|at| matrix[at][at]).collect();
    let beside = (1..size).map(|at| matrix[at][at - 1]).collect();
    (diagonal, beside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_spectra() {
        // Laplacians: path of 4 has 2 − √2 as second eigenvalue, the complete graph of 5 has 5, two pairs have 0.
        let path = vec![
            vec![1.0, -1.0, 0.0, 0.0],
            vec![-1.0, 2.0, -1.0, 0.0],
            vec![0.0, -1.0, 2.0, -1.0],
            vec![0.0, 0.0, -1.0, 1.0],
        ];
        assert!((eigenvalue(path, 1) - (2.0 - math::sqrt(2.0))).abs() < 1e-14);
        let complete: Vec<Vec<f64>> =
            (0..5).map(|i| (0..5).map(|j| if i == j { 4.0 } else { -1.0 }).collect()).collect();
        assert!((eigenvalue(complete, 1) - 5.0).abs() < 1e-14);
        let pairs = vec![
            vec![1.0, 0.0, -1.0, 0.0],
            vec![0.0, 1.0, 0.0, -1.0],
            vec![-1.0, 0.0, 1.0, 0.0],
            vec![0.0, -1.0, 0.0, 1.0],
        ];
        assert!(eigenvalue(pairs.clone(), 1).abs() < 1e-15);
        assert!((eigenvalue(pairs, 3) - 2.0).abs() < 1e-14);
        assert_eq!(eigenvalue(vec![vec![0.0; 3]; 3], 1), 0.0);
    }

    proptest! {
        #[test]
        fn eigenvalues_keep_trace_and_square(upper in proptest::collection::vec(-2f64..2.0, 21)) {
            // Cell (i, j) of the upper triangle stands at i (11 − i) / 2 + j.
            let cell = |i: usize, j: usize| upper[i.min(j) * (11 - i.min(j)) / 2 + i.max(j)];
            let matrix: Vec<Vec<f64>> = (0..6).map(|i| (0..6).map(|j| cell(i, j)).collect()).collect();
            let trace: f64 = (0..6).map(|i| matrix[i][i]).sum();
            let square: f64 = matrix.iter().flatten().map(|x| x * x).sum();
            let values: Vec<f64> = (0..6).map(|rank| eigenvalue(matrix.clone(), rank)).collect();
            prop_assert!((values.iter().sum::<f64>() - trace).abs() < 1e-12);
            prop_assert!((values.iter().map(|x| x * x).sum::<f64>() - square).abs() < 1e-11);
            prop_assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
