//! What the Bittensor SDK (9.12) does to weights before they reach the chain: limits, quantiles, and 16-bit numbers.
//!
//! Source of the rules: `bittensor/utils/weight_utils.py` of the SDK, run with numpy 2. Single precision where it is single,
//! double where numpy promotes, sums in numpy's pairwise order: the last bit decides whether a weight rounds up.
//! Loosh's upstream uses only [`emit`]; other mechanisms call [`process`] first.

use crate::math::round_half_even;

/// Keeps sums away from the limit.
const EPSILON: f64 = 1e-7;

/// What everybody gets when fewer miners have weight than the chain asks for.
const FILL: f64 = 1e-5;

/// Why weights cannot be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmitError {
    /// A weight below zero.
    #[error("weight {0} is negative")]
    NegativeWeight(f64),
    /// A uid below zero.
    #[error("uid {0} is negative")]
    NegativeUid(i64),
    /// Not one weight per uid.
    #[error("{uids} uids with {weights} weights")]
    Lengths {
        /// How many uids.
        uids: usize,
        /// How many weights.
        weights: usize,
    },
}

/// Weights as the chain takes them, `round_half_even(w / max × 65535)`; those that round to 0 are left out.
///
/// # Errors
/// Negative weights or uids, and unequal lengths.
pub fn emit(uids: &[i64], weights: &[f64]) -> Result<(Vec<i64>, Vec<u16>), EmitError> {
    if let Some(weight) = weights.iter().find(|weight| **weight < 0.0) {
        return Err(EmitError::NegativeWeight(*weight));
    }
    if let Some(uid) = uids.iter().find(|uid| **uid < 0) {
        return Err(EmitError::NegativeUid(*uid));
    }
    if uids.len() != weights.len() {
        return Err(EmitError::Lengths { uids: uids.len(), weights: weights.len() });
    }
    let values = quantised(weights);
    Ok(uids.iter().zip(values).filter(|(_, value)| *value != 0).map(|(uid, value)| (*uid, value)).unzip())
}

/// `round_half_even(w / max × 65535)` of each weight; all 0 when no weight is positive. Negative weights count as 0.
pub fn quantised(weights: &[f64]) -> Vec<u16> {
    let most = weights.iter().copied().fold(0.0, f64::max);
    let share = |weight: &f64| if most > 0.0 { (weight / most).max(0.0) } else { 0.0 };
    // At most 1 by construction, so that the product is at most 65535.
    weights.iter().map(|weight| round_half_even(share(weight) * f64::from(u16::MAX)) as u16).collect()
}

/// A precision that numpy calculates in.
pub trait Real:
    Copy
    + PartialOrd
    + Into<f64>
    + std::ops::Add<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Sub<Output = Self>
{
    /// The nearest number of this precision.
    fn near(value: f64) -> Self;
}

impl Real for f32 {
    fn near(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    fn near(value: f64) -> Self {
        value
    }
}

/// numpy's pairwise sum: eight running sums over blocks of up to 128, halves above.
pub(crate) fn pairwise_sum<R: Real>(values: &[R]) -> R {
    let count = values.len();
    if count < 8 {
        return values.iter().fold(R::near(0.0), |total, value| total + *value);
    }
    if count > 128 {
        let half = count / 2 - (count / 2) % 8;
        return pairwise_sum(&values[..half]) + pairwise_sum(&values[half..]);
    }
    let whole = count - count % 8;
    let mut r = [R::near(0.0); 8];
    r.copy_from_slice(&values[..8]);
    for eight in values[8..whole].chunks(8) {
        for (sum, value) in r.iter_mut().zip(eight) {
            *sum = *sum + *value;
        }
    }
    let total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    values[whole..].iter().fold(total, |total, value| total + *value)
}

fn sorted<R: Real>(values: &[R]) -> Vec<R> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted
}

fn shares<R: Real>(values: &[R]) -> Vec<R> {
    let total = pairwise_sum(values);
    values.iter().map(|value| *value / total).collect()
}

/// Shares of which none is above `limit`, as far as that is possible; even shares when it is not.
pub fn normalise_max_weight<R: Real>(values: &[R], limit: f64) -> Vec<R> {
    let count = values.len();
    let zero = R::near(0.0);
    if !(pairwise_sum(values) > zero || pairwise_sum(values) < zero) || count as f64 * limit <= 1.0 {
        return vec![R::near(1.0) / R::near(count as f64); count];
    }
    let ascending = sorted(values);
    let total = pairwise_sum(&ascending);
    let estimate: Vec<R> = ascending.iter().map(|value| *value / total).collect();
    let bound = R::near(limit);
    if estimate.last().is_none_or(|most| *most <= bound) {
        return shares(values);
    }
    let mut running = zero;
    let cumulated: Vec<R> = estimate
        .iter()
        .map(|value| {
            running = running + *value;
            running
        })
        .collect();
    let epsilon = R::near(EPSILON);
    let below = |at: &usize| {
        let rest = R::near((count - at - 1) as f64) * estimate[*at];
        estimate[*at] / (rest + cumulated[*at] + epsilon) < bound
    };
    let free = (0..count).filter(below).count();
    // numpy's index −1 of an empty head is the last element.
    let head = cumulated[free.checked_sub(1).unwrap_or(count - 1)];
    let scale: f64 = (bound * head - epsilon).into() / (1.0 - limit * (count - free) as f64);
    let cutoff = scale * total.into();
    let cut: Vec<R> =
        values.iter().map(|value| if (*value).into() > cutoff { R::near(cutoff) } else { *value }).collect();
    shares(&cut)
}

/// Limits of a subnet that shape weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Slots of the subnet.
    pub neurons: usize,
    /// How many weights the chain asks for.
    pub minimum: usize,
    /// The largest share of one miner.
    pub maximum_share: f64,
    /// Share of the lowest weights that is left out, of 65535.
    pub exclude_quantile: u16,
}

/// Processed weights in the precision in which the SDK leaves them.
#[derive(Debug, Clone, PartialEq)]
pub enum Processed {
    /// Single precision: the usual way.
    Single(Vec<f32>),
    /// Double precision: even or filled-up weights.
    Double(Vec<f64>),
}

impl Processed {
    /// The weights as doubles; exact.
    pub fn to_doubles(&self) -> Vec<f64> {
        match self {
            Self::Single(weights) => weights.iter().map(|weight| f64::from(*weight)).collect(),
            Self::Double(weights) => weights.clone(),
        }
    }
}

/// The SDK's `process_weights`: uids with shares that obey the subnet's limits.
///
/// When fewer weights are positive than the chain asks for, every slot gets a little; the weights then land on the slots of
/// their places in the list, not of their uids, as in the SDK.
pub fn process(uids: &[i64], weights: &[f32], limits: &Limits) -> (Vec<i64>, Processed) {
    let places: Vec<usize> = (0..weights.len()).filter(|at| weights[*at] > 0.0).collect();
    let everybody: Vec<i64> = (0..).take(limits.neurons).collect();
    if places.is_empty() || limits.neurons < limits.minimum {
        return (everybody, Processed::Double(vec![1.0 / limits.neurons as f64; limits.neurons]));
    }
    if places.len() < limits.minimum {
        let mut filled = vec![FILL; limits.neurons];
        for at in places {
            if let Some(weight) = filled.get_mut(at) {
                *weight += f64::from(weights[at]);
            }
        }
        return (everybody, Processed::Double(normalise_max_weight(&filled, limits.maximum_share)));
    }
    let positive: Vec<f32> = places.iter().map(|at| weights[*at]).collect();
    let droppable = (positive.len() - limits.minimum) as f64 / positive.len() as f64;
    let quantile = (f64::from(limits.exclude_quantile) / f64::from(u16::MAX)).min(droppable);
    let least = quantile_of(&positive, quantile as f32);
    let kept: Vec<usize> = places.into_iter().filter(|at| least <= weights[*at]).collect();
    let left: Vec<f32> = kept.iter().map(|at| weights[*at]).collect();
    let kept_uids = kept.iter().filter_map(|at| uids.get(*at).copied()).collect();
    (kept_uids, Processed::Single(normalise_max_weight(&left, limits.maximum_share)))
}

/// numpy's linear quantile in single precision.
fn quantile_of(values: &[f32], q: f32) -> f32 {
    let ascending = sorted(values);
    let Some(last) = ascending.len().checked_sub(1) else { return 0.0 };
    let place = last as f32 * q;
    let at = (libm::floorf(place) as usize).min(last);
    let (low, high) = (ascending[at], ascending[(at + 1).min(last)]);
    let fraction = place - at as f32;
    let step = high - low;
    if fraction >= 0.5 { high - step * (1.0 - fraction) } else { low + step * fraction }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_to_send() {
        assert_eq!(emit(&[], &[]), Ok((vec![], vec![])));
        assert_eq!(emit(&[1, 2], &[0.0, 0.0]), Ok((vec![], vec![])));
        assert_eq!(emit(&[1], &[-0.5]), Err(EmitError::NegativeWeight(-0.5)));
        assert_eq!(emit(&[-1], &[0.5]), Err(EmitError::NegativeUid(-1)));
        assert_eq!(emit(&[1, 2], &[0.5]), Err(EmitError::Lengths { uids: 2, weights: 1 }));
        assert_eq!(quantised(&[1.0, 0.5 / 65535.0, 1.5 / 65535.0, 0.0, -1.0]), [65535, 0, 2, 0, 0]);
        assert_eq!(quantised(&[0.0, -2.0]), [0, 0]);
        let nobody = Limits { neurons: 0, minimum: 0, maximum_share: 1.0, exclude_quantile: 0 };
        assert_eq!(process(&[], &[], &nobody), (vec![], Processed::Double(vec![])));
    }

    proptest! {
        #[test]
        fn no_share_is_above_the_limit(values in proptest::collection::vec(0.001f64..100.0, 12..200)) {
            let limit = 0.1;
            let found = normalise_max_weight(&values, limit);
            prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(found.iter().all(|share| *share <= limit + 1e-6), "{:?}", found);
        }

        #[test]
        fn pairwise_sums_are_sums(values in proptest::collection::vec(-10f64..10.0, 0..700)) {
            prop_assert!((pairwise_sum(&values) - values.iter().sum::<f64>()).abs() < 1e-9);
        }
    }
}
