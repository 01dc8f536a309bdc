//! The moving average of rewards and the score vector made of it, in single precision throughout (spec 3.6).
//!
//! Upstream's arrays are indexed by uid. A validator that keys averages by hotkey calls [`step`] and [`idle`] for each miner
//! and [`transformed`] for all; [`update`] is the same on arrays.

use serde::{Deserialize, Serialize};

use crate::math::pow;
use crate::sdk_weights::pairwise_sum;

/// Constants of the moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Weight of the newest reward.
    pub alpha: f64,
    /// A reward of 0 takes only half of alpha from the average.
    pub halve_for_zero: bool,
    /// Power of the shares; `null`: the averages are the scores. Without effect on weights by rank.
    pub power: Option<f64>,
}

/// Arrays after a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// Averages.
    pub averages: Vec<f32>,
    /// Scores.
    pub scores: Vec<f32>,
}

/// numpy's `nan_to_num`, which upstream calls only when there is a NaN: NaN → 0, infinities → the largest numbers.
fn without_nan(rewards: &mut [f32]) {
    if rewards.iter().any(|reward| reward.is_nan()) {
        for reward in rewards {
            *reward = if reward.is_nan() { 0.0 } else { reward.clamp(f32::MIN, f32::MAX) };
        }
    }
}

/// A miner's average after a reward: `α·r + (1−α)·e`, or `(1−α/2)·e` for a reward of 0.
pub fn step(average: f32, reward: f32, rule: &Average) -> f32 {
    if rule.halve_for_zero && reward == 0.0 {
        (1.0 - rule.alpha / 2.0) as f32 * average
    } else {
        rule.alpha as f32 * reward + (1.0 - rule.alpha) as f32 * average
    }
}

/// The average of a miner that was not asked: as if it had earned its own average, which moves it by a rounding at most.
pub fn idle(average: f32, rule: &Average) -> f32 {
    step(average, average, rule)
}

/// Rewards in the places of their uids over the averages; the last of several for a uid counts.
///
/// Negative uids count from the end, a single reward is for all uids, and with any uid out of range or another number of
/// rewards nothing is placed at all: as numpy's assignment does, whose error upstream only logs.
fn scattered(rewards: &[f32], uids: &[i64], averages: &[f32]) -> Vec<f32> {
    let mut out = averages.to_vec();
    let count = averages.len() as i64;
    let place =
        |uid: &i64| if *uid < 0 { uid.checked_add(count) } else { Some(*uid) }.filter(|at| (0..count).contains(at));
    let places: Option<Vec<i64>> = uids.iter().map(place).collect();
    let Some(places) = places.filter(|places| rewards.len() == places.len() || rewards.len() == 1) else { return out };
    for (at, reward) in places.into_iter().zip(rewards.iter().cycle()) {
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| out.get_mut(at)) {
            *slot = *reward;
        }
    }
    out
}

/// Averages as they count for scores: 0 where they are below the minimum of the rule set. Without a minimum all count,
/// negative ones too.
pub fn counting(averages: &[f32], minimum: f64) -> Vec<f32> {
    let counts = |average: f32| minimum <= 0.0 || f64::from(average) >= minimum;
    averages.iter().map(|average| if counts(*average) { *average } else { 0.0 }).collect()
}

/// Scores of averages: shares of the sum, to a power, as shares again; `1 / neurons` wherever a sum is not positive.
pub fn transformed(averages: &[f32], neurons: usize, rule: &Average) -> Vec<f32> {
    let Some(power) = rule.power else { return averages.to_vec() };
    let shares = |values: &[f32]| -> Vec<f32> {
        let total = pairwise_sum(values);
        let even = 1.0 / neurons as f32;
        values.iter().map(|value| if total > 0.0 { value / total } else { even }).collect()
    };
    let raised: Vec<f32> = shares(averages).into_iter().map(|share| pow(share.into(), power) as f32).collect();
    shares(&raised)
}

/// One round on arrays: the rewards of `uids` in, averages and scores of everybody out.
///
/// Upstream replaces its state by the result unless that holds a NaN.
pub fn update(rewards: &[f64], uids: &[i64], averages: &[f32], neurons: usize, rule: &Average) -> Updated {
    let mut rewards: Vec<f32> = rewards.iter().map(|reward| *reward as f32).collect();
    without_nan(&mut rewards);
    let placed = scattered(&rewards, uids, averages);
    let averages: Vec<f32> =
        averages.iter().zip(placed).map(|(average, reward)| step(*average, reward, rule)).collect();
    let scores = transformed(&averages, neurons, rule);
    Updated { averages, scores }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use proptest::prelude::*;

    fn rule() -> Average {
        Constants::v2_30_65().average
    }

    fn averages(rewards: &[f64], uids: &[i64]) -> Vec<f32> {
        update(rewards, uids, &[0.5, 0.25, 0.125], 3, &rule()).averages
    }

    #[test]
    fn assignments_are_numpys() {
        let idle = averages(&[], &[]);
        assert_eq!(averages(&[1.0, 0.5], &[1, 9]), idle, "a bad uid skips everything");
        assert_eq!(averages(&[1.0, 0.5, 0.1], &[0, 1]), idle);
        assert_eq!(averages(&[], &[0]), idle);
        assert_eq!(averages(&[1.0], &[-1]), averages(&[1.0], &[2]));
        assert_eq!(averages(&[1.0], &[0, 1]), averages(&[1.0, 1.0], &[0, 1]));
        assert_eq!(averages(&[0.3, 1.0], &[1, 1]), averages(&[1.0], &[1]), "the last one wins");
        assert_eq!(averages(&[f64::NAN], &[1]), averages(&[0.0], &[1]));
        assert_eq!(averages(&[f64::NAN, f64::INFINITY], &[0, 1])[1], 0.1 * f32::MAX + 0.9 * 0.25);
        assert_eq!(averages(&[f64::INFINITY], &[1])[1], f32::INFINITY);
        assert_eq!(averages(&[0.0], &[0])[0], 0.95 * 0.5);
    }

    #[test]
    fn who_scored_once_is_paid_for_ever_upstream_only() {
        let rule = rule();
        let mut spammer = step(0.0, 0.3, &rule);
        let honest = 0.5;
        for _ in 0..20 {
            spammer = step(spammer, 0.0, &rule);
        }
        let weights = |constants: Constants| {
            let averages = counting(&[spammer, honest], constants.payout.minimum_average);
            let scores: Vec<f64> = transformed(&averages, 2, &rule).into_iter().map(f64::from).collect();
            crate::cgp::rank_curve::raw_weights(&scores, &[0, 1], None, &constants.payout).unwrap()
        };
        assert!(weights(Constants::v2_30_65())[0] > 0.3);
        assert_eq!(weights(Constants::assay_1()), [0.0, 1.0]);
        assert_eq!(counting(&[-0.5, 0.0], 0.0), [-0.5, 0.0]);
    }

    #[test]
    fn the_document_has_neither_damping_nor_power() {
        let found = update(&[0.0, 1.0], &[0, 1], &[0.5, 0.5], 2, &Constants::readme().average);
        assert_eq!(found.averages, [0.45, 0.55]);
        assert_eq!(found.scores, found.averages);
    }

    proptest! {
        #[test]
        fn shares_sum_to_one(averages in prop::collection::vec(0f32..1.0, 1..256)) {
            let found = transformed(&averages, averages.len(), &rule());
            prop_assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            prop_assert!(found.iter().all(|score| (0.0..=1.0).contains(score)));
        }

        #[test]
        fn idle_averages_settle(average in 0f32..1.0) {
            let mut now = average;
            for _ in 0..100 {
                now = idle(now, &rule());
            }
            prop_assert_eq!(idle(now, &rule()), now);
            prop_assert!((now - average).abs() < 1e-6);
        }

        #[test]
        fn averages_stay_between_reward_and_average(average in 0f32..1.0, reward in 0.001f32..1.0) {
            let found = step(average, reward, &rule());
            prop_assert!(found >= average.min(reward) - 1e-6 && found <= average.max(reward) + 1e-6);
        }
    }
}
