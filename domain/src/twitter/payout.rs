//! From averages to weights, and when weights are set (spec 2.10 and 6).
//!
//! The document's commit hands its smoothed means to the library as they are, which scales them by the largest. Later
//! versions and the ancestor first divide by the sum and let the SDK apply the subnet's limits.

use super::numbers::{self, Real};
use crate::sdk_weights::{self, Limits, Processed};

/// Below it a sum of weights is no divisor.
const LEAST_SUM: f64 = 1e-12;

/// Each value over the sum of absolute values, which counts as at least 1e−12.
pub fn shares<R: Real>(values: &[R]) -> Vec<R> {
    let zero = R::near(0.0);
    let absolute = |x: &R| if *x < zero { zero - *x } else { *x };
    let total = values.iter().fold(zero, |total, x| total + absolute(x));
    let least = R::near(LEAST_SUM);
    let divisor = if total < least { least } else { total };
    values.iter().map(|x| *x / divisor).collect()
}

/// Values between the smallest (0) and the largest (1); zeros when all are equal. Upstream shows them and pays by others.
pub fn stretched<R: Real>(values: &[R]) -> Vec<R> {
    let pick = |better: fn(&R, &R) -> bool| values.iter().copied().reduce(|a, b| if better(&b, &a) { b } else { a });
    match (pick(|a, b| a < b), pick(|a, b| a > b)) {
        (Some(least), Some(most)) if most > least => values.iter().map(|x| (*x - least) / (most - least)).collect(),
        _ => vec![R::near(0.0); values.len()],
    }
}

/// What a slot with this hotkey is paid by, as 16-bit numbers; `None` when nobody has anything, and nothing is to be sent.
///
/// Averages that are negative or no finite number count as 0.
pub fn quantised(averages: &[f32]) -> Option<Vec<u16>> {
    let sound = |x: &f32| if x.is_finite() && *x > 0.0 { f64::from(*x) } else { 0.0 };
    let sound: Vec<f64> = averages.iter().map(sound).collect();
    sound.iter().any(|x| *x > 0.0).then(|| sdk_weights::quantised(&sound))
}

/// The same through shares and the subnet's limits: uids with their 16-bit numbers.
///
/// # Errors
/// As the SDK refuses them.
pub fn limited(averages: &[f32], limits: &Limits) -> Result<(Vec<i64>, Vec<u16>), sdk_weights::EmitError> {
    let uids: Vec<i64> = (0..).take(averages.len()).collect();
    let (kept, processed): (Vec<i64>, Processed) = sdk_weights::process(&uids, &shares(averages), limits);
    sdk_weights::emit(&kept, &processed.to_doubles())
}

/// Whether the ancestor sets weights at this block: the place in a hundred blocks wrapped around.
pub fn wrapped(block: u64, previous: u64, every: u64) -> bool {
    every > 0 && block % every < previous % every
}

/// Blocks until the chain's epoch ends: `tempo − (block + netuid + 1) mod (tempo + 1)`.
pub fn blocks_left(block: u64, netuid: u16, tempo: u16) -> u64 {
    let tempo = u64::from(tempo);
    tempo - (block.wrapping_add(u64::from(netuid)).wrapping_add(1)) % (tempo + 1)
}

/// The mean that upstream logs; 0 for nobody.
pub fn mean_or_zero<R: Real>(values: &[R]) -> R {
    if values.is_empty() { R::near(0.0) } else { numbers::mean(values) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_sent_for_nothing() {
        assert_eq!(quantised(&[0.0, 0.0]), None);
        assert_eq!(quantised(&[]), None);
        assert_eq!(quantised(&[f32::NAN, -1.0]), None);
        assert_eq!(quantised(&[0.5, f32::NAN, 0.25, -1.0, f32::INFINITY]), Some(vec![65535, 0, 32768, 0, 0]));
        assert_eq!(shares(&[0.0f64, 0.0]), [0.0, 0.0]);
        assert_eq!(shares(&[-1.0f64, 3.0]), [-0.25, 0.75]);
        assert_eq!(stretched(&[2.0f64, 2.0]), [0.0, 0.0]);
        assert_eq!(stretched(&[1.0f64, 3.0, 2.0]), [0.0, 1.0, 0.5]);
        assert_eq!((mean_or_zero::<f32>(&[]), mean_or_zero(&[1.0f32, 2.0])), (0.0, 1.5));
    }

    #[test]
    fn schedules() {
        assert!(wrapped(200, 199, 100) && !wrapped(199, 198, 100) && !wrapped(1, 0, 0));
        assert_eq!([blocks_left(0, 0, 360), blocks_left(359, 0, 360), blocks_left(360, 0, 360)], [359, 0, 360]);
    }

    #[test]
    fn limits_of_the_subnet_hold() {
        let limits = Limits { neurons: 3, minimum: 1, maximum_share: 0.5, exclude_quantile: 0 };
        let (uids, weights) = limited(&[0.9, 0.05, 0.05], &limits).unwrap();
        assert_eq!((uids, weights), (vec![0, 1, 2], vec![65535, 32768, 32768]));
    }

    proptest! {
        #[test]
        fn shares_sum_to_one(values in prop::collection::vec(0.001f32..10.0, 1..60)) {
            let found = shares(&values);
            prop_assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            prop_assert_eq!(quantised(&values).unwrap().into_iter().max(), Some(65535));
        }
    }
}
