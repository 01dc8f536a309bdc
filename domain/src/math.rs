//! The only arithmetic that scoring may use: elementary functions of one exact `libm`, sums in one fixed order.
//!
//! Two machines must agree on every bit of a score, so nothing here calls the platform's maths library, dispatches on
//! the processor, or reorders a sum: every sum starts at 0.0 and goes from left to right. Lengths that differ are cut to
//! the shorter one by the iterators; callers check shapes where they take data from outside.

pub mod order;

/// e^x.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// Natural logarithm.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// Square root, correctly rounded.
pub fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}

/// Cosine of an angle in radians.
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// Hyperbolic tangent.
pub fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

/// The error function, `2/√π ∫₀ˣ e^(−t²) dt`.
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// x to the power y.
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// The nearest integer, halves to the even one (Python's `round`, numpy's `rint`).
pub fn round_half_even(x: f64) -> f64 {
    x.round_ties_even()
}

/// `x` held within `[low, high]`.
pub fn clip(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// The sum from left to right; 0 for nothing.
pub fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |total, value| total + value)
}

/// Arithmetic mean; 0 for nothing, where numpy would answer NaN.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { sum(values) / values.len() as f64 }
}

/// Population standard deviation (`ddof = 0`); 0 for nothing.
pub fn population_deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: Vec<f64> = values.iter().map(|value| (value - centre) * (value - centre)).collect();
    sqrt(mean(&squares))
}

/// Weighted mean, `Σ w x / Σ w`; `None` when the weights do not sum to something positive.
pub fn weighted_mean(values: &[f64], weights: &[f64]) -> Option<f64> {
    let total = sum(weights);
    if total > 0.0 { Some(dot(values, weights) / total) } else { None }
}

/// Inner product, left to right.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |total, (x, y)| total + x * y)
}

/// Four inner products with one left factor. Each is summed left to right like [`dot`] and has the same bits; four
/// independent chains of additions merely keep the processor busy.
pub fn dot_four(a: &[f64], b: [&[f64]; 4]) -> [f64; 4] {
    let length = b.iter().fold(a.len(), |least, row| least.min(row.len()));
    let (a, b0, b1, b2, b3) = (&a[..length], &b[0][..length], &b[1][..length], &b[2][..length], &b[3][..length]);
    let mut totals = [0.0; 4];
    for i in 0..length {
        totals[0] += a[i] * b0[i];
        totals[1] += a[i] * b1[i];
        totals[2] += a[i] * b2[i];
        totals[3] += a[i] * b3[i];
    }
    totals
}

/// Euclidean norm.
pub fn norm(a: &[f64]) -> f64 {
    sqrt(dot(a, a))
}

/// Euclidean distance, from the differences (never from `x² + y² − 2xy`, which loses equal points).
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    sqrt(a.iter().zip(b).fold(0.0, |total, (x, y)| total + (x - y) * (x - y)))
}

/// Four distances from one point. Each has the bits of [`distance`]; see [`dot_four`].
pub fn distance_four(a: &[f64], b: [&[f64]; 4]) -> [f64; 4] {
    let length = b.iter().fold(a.len(), |least, row| least.min(row.len()));
    let (a, b0, b1, b2, b3) = (&a[..length], &b[0][..length], &b[1][..length], &b[2][..length], &b[3][..length]);
    let mut totals = [0.0; 4];
    for i in 0..length {
        let d = [a[i] - b0[i], a[i] - b1[i], a[i] - b2[i], a[i] - b3[i]];
        totals[0] += d[0] * d[0];
        totals[1] += d[1] * d[1];
        totals[2] += d[2] * d[2];
        totals[3] += d[3] * d[3];
    }
    totals.map(sqrt)
}

/// A vector divided by its norm. A norm under ten machine epsilons counts as 1, as in scikit-learn's `normalize`, so a
/// zero vector stays zero instead of becoming NaN.
pub fn unit(a: &[f64]) -> Vec<f64> {
    let length = norm(a);
    let divisor = if length < 10.0 * f64::EPSILON { 1.0 } else { length };
    a.iter().map(|x| x / divisor).collect()
}

/// Cosine of two vectors: the inner product of their [unit vectors](fn@unit); 0 with a zero vector.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(&unit(a), &unit(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (x, expected) in [(0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, 0.0), (16383.75, 16384.0), (49151.25, 49151.0)]
        {
            assert_eq!(round_half_even(x), expected, "{x}");
        }
    }

    #[test]
    fn elementary_functions_have_these_bits() {
        // Golden: a different libm, or the platform's, would change a last digit somewhere.
        for (name, value, bits) in [
            ("exp", exp(-8.0 * (0.1 - 0.45)), 0x4030_71d4_5eec_2242_u64),
            ("tanh", tanh(0.1), 0x3fb9_83d7_795f_413a),
            ("ln", ln(3.0), 0x3ff1_93ea_7aad_030a),
            ("sqrt", sqrt(2.0), 0x3ff6_a09e_667f_3bcd),
            ("pow", pow(1.1, 7.5), 0x4000_59c4_7429_9cf0),
        ] {
            assert_eq!(value.to_bits(), bits, "{name} {value:e} {:x}", value.to_bits());
        }
    }

    #[test]
    fn zero_vectors_have_cosine_zero() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(unit(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(mean(&[]), 0.0);
        assert_eq!(weighted_mean(&[1.0], &[0.0]), None);
    }

    proptest! {
        #[test]
        fn four_at_once_have_the_same_bits(rows in proptest::collection::vec(proptest::collection::vec(-1e3f64..1e3, 17), 5)) {
            let four = dot_four(&rows[0], [&rows[1], &rows[2], &rows[3], &rows[4]]);
            for (at, total) in four.iter().enumerate() {
                prop_assert_eq!(total.to_bits(), dot(&rows[0], &rows[at + 1]).to_bits());
            }
            let four = distance_four(&rows[0], [&rows[1], &rows[2], &rows[3], &rows[4]]);
            for (at, found) in four.iter().enumerate() {
                prop_assert_eq!(found.to_bits(), distance(&rows[0], &rows[at + 1]).to_bits());
            }
        }

        #[test]
        fn units_have_length_one(a in proptest::collection::vec(-1e3f64..1e3, 1..40)) {
            prop_assume!(norm(&a) > 1e-3);
            prop_assert!((norm(&unit(&a)) - 1.0).abs() < 1e-12);
        }
    }
}
