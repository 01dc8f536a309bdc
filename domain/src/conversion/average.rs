//! From rewards to weights: moving averages in single precision, shares (spec 2.6, 2.9, 2.11, 3.6).
//!
//! The living score is upstream's base-class vector: every miner moves at every round, and one that was not asked moves
//! towards 0. Here scores are keyed by hotkey, so that a reused uid starts from nothing. Limits and 16-bit numbers are the
//! SDK's ([`crate::sdk_weights`]).

use std::collections::BTreeMap;

/// The norm below which torch's `normalize` divides by this instead.
const LEAST_NORM: f32 = 1e-12;

/// `β · newest + (1 − β) · previous`.
#[must_use]
pub fn average(newest: f64, previous: f64, beta: f64) -> f64 {
    beta * newest + (1.0 - beta) * previous
}

/// One step of a score in single precision: `α · reward + (1 − α) · previous`; the factors are rounded first.
#[must_use]
pub fn moved(previous: f32, reward: f32, alpha: f64) -> f32 {
    alpha as f32 * reward + (1.0 - alpha) as f32 * previous
}

/// Upstream's `update_scores` on the whole vector (spec 2.9): rewards are laid on their uids, all others count 0.
///
/// A NaN among the rewards becomes 0, and then infinities become the largest numbers; a uid beyond the vector is passed
/// over; of a uid that stands twice the last reward counts. With fewer rewards than uids only the uids move, in double
/// precision, and those without a reward with 0.
#[must_use]
pub fn updated(scores: &[f32], rewards: &[f32], uids: &[usize], alpha: f64) -> Vec<f32> {
    let any_nan = rewards.iter().any(|reward| reward.is_nan());
    let cleaned = |reward: f32| match reward {
        reward if !any_nan => reward,
        reward if reward.is_nan() => 0.0,
        reward => reward.clamp(f32::MIN, f32::MAX),
    };
    let mut out = scores.to_vec();
    if rewards.len() < uids.len() {
        for (at, uid) in uids.iter().enumerate() {
            let reward = rewards.get(at).map_or(0.0, |reward| f64::from(cleaned(*reward)));
            if let Some(score) = out.get_mut(*uid) {
                *score = average(reward, f64::from(*score), alpha) as f32;
            }
        }
        return out;
    }
    let mut scattered = vec![0.0; scores.len()];
    for (uid, reward) in uids.iter().zip(rewards) {
        if let Some(slot) = scattered.get_mut(*uid) {
            *slot = cleaned(*reward);
        }
    }
    out.iter_mut().zip(scattered).for_each(|(score, reward)| *score = moved(*score, reward, alpha));
    out
}

/// One round's step of all scores by hotkey: those with a reward move towards it, all others towards 0. Scores that reach 0
/// are dropped. Rewards are finite ([`super::round`]).
#[must_use]
pub fn carried<K: Ord + Clone>(scores: &BTreeMap<K, f32>, rewards: &BTreeMap<K, f64>, alpha: f64) -> BTreeMap<K, f32> {
    let mut out = scores.clone();
    for key in rewards.keys() {
        out.entry(key.clone()).or_insert(0.0);
    }
    for (key, score) in &mut out {
        *score = moved(*score, rewards.get(key).map_or(0.0, |reward| *reward as f32), alpha);
    }
    out.retain(|_, score| *score != 0.0);
    out
}

/// Scores as shares of the sum of their sizes, in single precision (torch's `normalize`, p = 1); all 0 for all 0.
#[must_use]
pub fn shares(scores: &[f32]) -> Vec<f32> {
    let norm = scores.iter().fold(0.0f32, |total, score| total + score.abs());
    let divisor = if norm < LEAST_NORM { LEAST_NORM } else { norm };
    scores.iter().map(|score| score / divisor).collect()
}

/// The scorer's own weights (spec 2.11): averages of the uids 0 to `slots` − 1 as shares of their sum, in single precision at
/// the end; all 0 where the sum is not positive. Unused by the running upstream.
#[must_use]
pub fn scorer_weights(averages: &BTreeMap<i128, f64>, slots: u32) -> Vec<f32> {
    let all: Vec<f64> = (0..slots).map(|uid| averages.get(&uid.into()).copied().unwrap_or(0.0)).collect();
    let total = crate::math::sum(&all);
    all.iter().map(|value| if total > 0.0 { (value / total) as f32 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_rewards() {
        let scores = [0.5f32, 0.5];
        assert_eq!(updated(&scores, &[f32::NAN, 0.5], &[0, 1], 0.05)[0], 0.95 * 0.5);
        assert_eq!(updated(&scores, &[f32::INFINITY], &[0], 0.05)[0], f32::INFINITY);
        assert!(updated(&scores, &[f32::INFINITY, f32::NAN], &[0, 1], 0.05)[0].is_finite());
        assert_eq!(updated(&scores, &[1.0], &[7], 0.05), [0.475, 0.475]);
        assert_eq!(updated(&scores, &[1.0, 0.0], &[0, 0], 0.05)[0], 0.475);
        assert_eq!(updated(&scores, &[], &[], 0.05), [0.475, 0.475]);
        assert_eq!(updated(&scores, &[], &[1], 0.05), [0.5, 0.475]);
    }

    #[test]
    fn shares_of_nothing() {
        assert_eq!(shares(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(shares(&[1.0, 3.0]), [0.25, 0.75]);
        assert!(shares(&[]).is_empty());
        assert_eq!(scorer_weights(&BTreeMap::from([(5, 1.0)]), 3), [0.0; 3]);
    }

    #[test]
    fn a_new_hotkey_starts_from_nothing() {
        let scores = BTreeMap::from([("old", 0.5f32), ("gone", f32::MIN_POSITIVE * f32::EPSILON)]);
        let found = carried(&scores, &BTreeMap::from([("new", 1.0)]), 0.05);
        assert_eq!(found.get("old"), Some(&0.475));
        assert_eq!(found.get("new"), Some(&0.05));
    }

    proptest! {
        #[test]
        fn both_forms_agree(rows in prop::collection::vec((0.0f32..1.0, prop::option::of(0.0f32..1.0)), 1..20)) {
            let scores: Vec<f32> = rows.iter().map(|(score, _)| *score).collect();
            let (uids, rewards): (Vec<usize>, Vec<f32>) =
                rows.iter().enumerate().filter_map(|(uid, (_, reward))| reward.map(|reward| (uid, reward))).unzip();
            let found = updated(&scores, &rewards, &uids, 0.05);
            let by_key = carried(
                &scores.iter().copied().enumerate().collect(),
                &uids.iter().copied().zip(rewards.iter().copied().map(f64::from)).collect(),
                0.05,
            );
            for (uid, score) in found.iter().enumerate() {
                prop_assert_eq!(by_key.get(&uid).copied().unwrap_or(0.0), *score);
                prop_assert!((0.0..=1.0).contains(score));
            }
        }

        #[test]
        fn shares_sum_to_one(scores in prop::collection::vec(0.0f32..1.0, 1..300)) {
            prop_assume!(scores.iter().any(|score| *score > 1e-3));
            let total: f64 = shares(&scores).iter().map(|share| f64::from(*share)).sum();
            prop_assert!((total - 1.0).abs() < 1e-4);
        }
    }
}
