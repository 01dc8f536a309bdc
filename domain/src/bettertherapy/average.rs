//! The moving average of rewards, in single precision as upstream keeps it (spec 2.5).
//!
//! Everybody who is not rewarded decays: `score ← α × reward + (1 − α) × score` with a reward of 0. Averages are keyed by
//! hotkey, so that a slot that changes hands starts from nothing; upstream's list by slot is [`scattered`].

use std::collections::{BTreeMap, BTreeSet};

/// Why a list of scores was not updated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Not one reward per slot.
    #[error("{rewards} rewards for {uids} slots")]
    Lengths {
        /// How many rewards.
        rewards: usize,
        /// How many slots.
        uids: usize,
    },
    /// A slot beyond the list.
    #[error("slot {uid} is beyond the {count} scores")]
    NoSuchSlot {
        /// The slot.
        uid: usize,
        /// Length of the list.
        count: usize,
    },
}

/// One step. Both factors are rounded to single precision before they are multiplied, as numpy does.
#[must_use]
pub fn step(previous: f32, reward: f64, alpha: f64) -> f32 {
    let reward = if reward.is_nan() { 0.0 } else { reward as f32 };
    alpha as f32 * reward + (1.0 - alpha) as f32 * previous
}

/// Upstream's update of the list of scores by slot. No rewards or no slots change nothing; of a slot that stands twice the
/// last reward counts; NaN counts as 0.
///
/// # Errors
/// Different lengths, and slots beyond the list.
pub fn scattered(scores: &[f32], uids: &[usize], rewards: &[f64], alpha: f64) -> Result<Vec<f32>, UpdateError> {
    if rewards.is_empty() || uids.is_empty() {
        return Ok(scores.to_vec());
    }
    if rewards.len() != uids.len() {
        return Err(UpdateError::Lengths { rewards: rewards.len(), uids: uids.len() });
    }
    let mut by_slot = vec![0.0; scores.len()];
    for (uid, reward) in uids.iter().zip(rewards) {
        match by_slot.get_mut(*uid) {
            Some(slot) => *slot = *reward,
            None => return Err(UpdateError::NoSuchSlot { uid: *uid, count: scores.len() }),
        }
    }
    Ok(scores.iter().zip(by_slot).map(|(score, reward)| step(*score, reward, alpha)).collect())
}

/// A further round of the same pass, whose scores upstream adds before it takes the step: `α × (a + b) + (1 − α) × score` is
/// the step with `a`, and `α × b` on top. Nobody decays once more. The sum is rounded to single precision in other places.
#[must_use]
pub fn added<K: Ord + Clone>(averages: &BTreeMap<K, f32>, rewards: &BTreeMap<K, f64>, alpha: f64) -> BTreeMap<K, f32> {
    let mut found = averages.clone();
    for (key, reward) in rewards {
        let average = found.entry(key.clone()).or_insert(0.0);
        *average += step(0.0, *reward, alpha);
    }
    found
}

/// The same by hotkey. Miners in `held` keep their average; no rewards at all change nothing.
#[must_use]
pub fn updated<K: Ord + Clone>(
    averages: &BTreeMap<K, f32>,
    rewards: &BTreeMap<K, f64>,
    held: &BTreeSet<K>,
    alpha: f64,
) -> BTreeMap<K, f32> {
    if rewards.is_empty() {
        return averages.clone();
    }
    let keys: BTreeSet<&K> = averages.keys().chain(rewards.keys()).collect();
    let one = |key: &K| {
        let previous = averages.get(key).copied().unwrap_or(0.0);
        let reward = rewards.get(key).copied();
        if reward.is_none() && held.contains(key) { previous } else { step(previous, reward.unwrap_or(0.0), alpha) }
    };
    keys.into_iter().map(|key| (key.clone(), one(key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn upstreams_cases() {
        assert_eq!(scattered(&[1.0, 2.0], &[], &[], 0.1), Ok(vec![1.0, 2.0]));
        assert_eq!(scattered(&[0.0, 100.0], &[0, 1], &[f64::NAN, 0.0], 0.1), Ok(vec![0.0, 90.0]));
        assert_eq!(scattered(&[0.0], &[0, 0], &[1.0, 2.0], 0.5), Ok(vec![1.0]));
        assert_eq!(scattered(&[0.0], &[0], &[1.0, 2.0], 0.5), Err(UpdateError::Lengths { rewards: 2, uids: 1 }));
        assert_eq!(scattered(&[0.0], &[1], &[1.0], 0.5), Err(UpdateError::NoSuchSlot { uid: 1, count: 1 }));
    }

    #[test]
    fn a_hotkey_that_takes_a_slot_starts_from_nothing() {
        let old = BTreeMap::from([("old", 80.0f32)]);
        let after = updated(&old, &BTreeMap::from([("new", 50.0)]), &BTreeSet::new(), 0.1);
        assert_eq!(after, BTreeMap::from([("new", 5.0), ("old", 72.0)]));
    }

    #[test]
    fn held_miners_do_not_decay() {
        let before = BTreeMap::from([("a", 80.0f32), ("b", 80.0)]);
        let after = updated(&before, &BTreeMap::from([("c", 10.0)]), &BTreeSet::from(["b"]), 0.1);
        assert_eq!((after["a"], after["b"], after["c"]), (72.0, 80.0, 1.0));
        assert_eq!(updated(&before, &BTreeMap::new(), &BTreeSet::new(), 0.1), before);
    }

    proptest! {
        #[test]
        fn both_forms_agree_and_stay_bounded(scores in prop::collection::vec(0f32..100.0, 1..20), rewards in prop::collection::vec(0f64..=100.0, 1..20), alpha in 0f64..=1.0) {
            let count = rewards.len().min(scores.len());
            let uids: Vec<usize> = (0..count).rev().collect();
            let list = scattered(&scores, &uids, &rewards[..count], alpha).unwrap();
            let averages = scores.iter().copied().enumerate().collect();
            let by_key = updated(&averages, &uids.iter().copied().zip(rewards.iter().copied()).collect(), &BTreeSet::new(), alpha);
            prop_assert_eq!(&by_key.into_values().collect::<Vec<_>>(), &list);
            prop_assert!(list.iter().all(|score| (0.0..=100.01).contains(score)));
        }
    }
}
