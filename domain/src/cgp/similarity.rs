//! The neighbourhood of a conversation and how near a tag lies to it (spec 3.4).

use crate::math::{norm, sqrt};

/// The mean of the ground-truth vectors, with its length.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbourhood {
    mean: Vec<f64>,
    length: f64,
}

/// Ground-truth vectors of different lengths have no mean; upstream's whole round fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("vector {at} of the ground truth has {found} numbers, and the first one {expected}")]
pub struct Ragged {
    /// Which vector.
    pub at: usize,
    /// Its length.
    pub found: usize,
    /// The length of the first one.
    pub expected: usize,
}

impl Neighbourhood {
    /// The component-wise mean, without any normalisation; none of no vectors.
    ///
    /// # Errors
    /// Vectors of different lengths.
    pub fn of<V: AsRef<[f64]>>(vectors: &[V]) -> Result<Option<Self>, Ragged> {
        let Some(first) = vectors.first() else { return Ok(None) };
        let expected = first.as_ref().len();
        let mut mean = vec![0.0; expected];
        for (at, vector) in vectors.iter().enumerate() {
            let vector = vector.as_ref();
            if vector.len() != expected {
                return Err(Ragged { at, found: vector.len(), expected });
            }
            for (total, value) in mean.iter_mut().zip(vector) {
                *total += value;
            }
        }
        for total in &mut mean {
            *total /= vectors.len() as f64;
        }
        Ok(Some(Self::at(mean)))
    }

    /// The neighbourhood whose mean is known.
    pub fn at(mean: Vec<f64>) -> Self {
        let length = norm(&mean);
        Self { mean, length }
    }

    /// The mean.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }
}

/// What a vector that has no direction comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDirection {
    /// 0/0 = NaN, as upstream, whose own test for zero vectors never fires on lists.
    NotANumber,
    /// 0, and so is every similarity that is not finite.
    Zero,
}

/// Cosine similarity n·v / (‖n‖ ‖v‖) of a tag's vector with the neighbourhood: higher is better, not clipped.
///
/// 0 without a neighbourhood or vector, and when their lengths differ.
pub fn similarity(neighbourhood: Option<&Neighbourhood>, vector: Option<&[f64]>, no_direction: NoDirection) -> f64 {
    similarities(neighbourhood, &[vector], no_direction).first().copied().unwrap_or(0.0)
}

/// The [`similarity`] of each vector, in their order and with the same bits.
pub fn similarities(
    neighbourhood: Option<&Neighbourhood>,
    vectors: &[Option<&[f64]>],
    no_direction: NoDirection,
) -> Vec<f64> {
    let mut found = vec![0.0; vectors.len()];
    let Some(neighbourhood) = neighbourhood else { return found };
    let comparable = |vector: &Option<&[f64]>| vector.is_some_and(|vector| vector.len() == neighbourhood.mean.len());
    let places: Vec<usize> = (0..vectors.len()).filter(|at| comparable(&vectors[*at])).collect();
    for places in places.chunks(ABREAST) {
        let of = |lane: usize| places.get(lane).and_then(|at| vectors[*at]).unwrap_or(&neighbourhood.mean);
        let sums = products_and_squares(&neighbourhood.mean, std::array::from_fn(of));
        for (at, (product, square)) in places.iter().zip(sums) {
            let cosine = product / (neighbourhood.length * sqrt(square));
            found[*at] = if no_direction == NoDirection::Zero && !cosine.is_finite() { 0.0 } else { cosine };
        }
    }
    found
}

/// How many vectors are summed abreast.
const ABREAST: usize = 4;

/// a·b and b·b of each b, each summed left to right like `math::dot` and with its bits; independent chains of additions
/// merely keep the processor busy. All are as long as `a`.
fn products_and_squares(a: &[f64], b: [&[f64]; ABREAST]) -> [(f64, f64); ABREAST] {
    let length = b.iter().fold(a.len(), |least, row| least.min(row.len()));
    let (a, b) = (&a[..length], b.map(|row| &row[..length]));
    let (mut products, mut squares) = ([0.0; ABREAST], [0.0; ABREAST]);
    for at in 0..length {
        let y: [f64; ABREAST] = std::array::from_fn(|lane| b[lane][at]);
        for lane in 0..ABREAST {
            products[lane] += a[at] * y[lane];
            squares[lane] += y[lane] * y[lane];
        }
    }
    std::array::from_fn(|lane| (products[lane], squares[lane]))
}

/// Whether a vector is all zeros (or has no numbers).
pub fn is_zero(vector: &[f64]) -> bool {
    vector.iter().all(|value| *value == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_missing_is_zero_and_what_has_no_direction_is_not() {
        let truth = Neighbourhood::of(&[vec![1.0, 0.0], vec![0.0, 0.0]]).unwrap();
        let truth = truth.as_ref();
        let upstream = |vector: Option<&[f64]>| similarity(truth, vector, NoDirection::NotANumber);
        assert_eq!(truth.map(Neighbourhood::mean), Some(&[0.5, 0.0][..]));
        assert_eq!(upstream(Some(&[3.0, 0.0])), 1.0);
        assert_eq!(upstream(Some(&[-3.0, 0.0])), -1.0);
        assert_eq!(upstream(None), 0.0);
        assert_eq!(upstream(Some(&[])), 0.0);
        assert_eq!(upstream(Some(&[1.0, 0.0, 0.0])), 0.0);
        assert_eq!(similarity(None, Some(&[1.0]), NoDirection::NotANumber), 0.0);
        assert!(upstream(Some(&[0.0, 0.0])).is_nan());
        assert!(upstream(Some(&[f64::NAN, 0.0])).is_nan());
        for vector in [[0.0, 0.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
            assert_eq!(similarity(truth, Some(&vector), NoDirection::Zero), 0.0);
        }
        assert!(is_zero(&[]) && is_zero(&[0.0, -0.0]) && !is_zero(&[0.0, 1e-300]));
    }

    #[test]
    fn ragged_truth_has_no_mean() {
        assert_eq!(Neighbourhood::of::<Vec<f64>>(&[]), Ok(None));
        assert_eq!(Neighbourhood::of(&[vec![1.0, 2.0], vec![]]), Err(Ragged { at: 1, found: 0, expected: 2 }));
    }

    proptest! {
        #[test]
        fn sums_abreast_have_the_same_bits(a in prop::collection::vec(-1e3f64..1e3, 33), b in prop::collection::vec(prop::collection::vec(-1e3f64..1e3, 33), 4)) {
            let rows: [&[f64]; ABREAST] = std::array::from_fn(|at| b[at].as_slice());
            for ((product, square), row) in products_and_squares(&a, rows).into_iter().zip(rows) {
                prop_assert_eq!(product.to_bits(), crate::math::dot(&a, row).to_bits());
                prop_assert_eq!(square.to_bits(), crate::math::dot(row, row).to_bits());
            }
        }

        #[test]
        fn many_are_as_each_alone(rows in prop::collection::vec(prop::option::of(prop::collection::vec(-1e3f64..1e3, 7..9)), 0..11)) {
            let truth = Neighbourhood::at(vec![0.5; 8]);
            let rows: Vec<Option<&[f64]>> = rows.iter().map(Option::as_deref).collect();
            let together = similarities(Some(&truth), &rows, NoDirection::Zero);
            prop_assert_eq!(together.len(), rows.len());
            for (found, row) in together.iter().zip(&rows) {
                prop_assert_eq!(found.to_bits(), similarity(Some(&truth), *row, NoDirection::Zero).to_bits());
            }
        }

        #[test]
        fn similarities_are_cosines(a in prop::collection::vec(-1e3f64..1e3, 8), b in prop::collection::vec(-1e3f64..1e3, 8)) {
            let truth = Neighbourhood::at(a);
            let found = similarity(Some(&truth), Some(&b), NoDirection::Zero);
            prop_assert!(found.is_finite() && found.abs() <= 1.0 + 1e-12);
        }
    }
}
