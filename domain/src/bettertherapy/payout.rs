//! From a pass's scores to rewards, and from averages to weights (spec 2.5, 2.6 and 3.5).

use std::collections::BTreeMap;

use super::constants::{Burn, Combine};
use crate::math;
use crate::sdk_weights::{EmitError, Limits, emit, pairwise_sum, process};

/// The rewards that enter the average after a pass, as (slot, reward).
///
/// Without a burn these are the scores. With [`Burn::All`] they are 1 for the burnt slot, also when nothing was scored.
/// With [`Burn::Times`] the burnt slot comes first with `times` the sum of the scores, and all are scaled to `total`; a
/// score of the burnt slot itself is dropped, and scores that sum to nothing stay as they are.
#[must_use]
pub fn rewards(scores: &BTreeMap<u16, f64>, burn: &Burn) -> Vec<(u16, f64)> {
    match *burn {
        Burn::None => scores.iter().map(|(uid, score)| (*uid, *score)).collect(),
        Burn::All { uid } => vec![(uid, 1.0)],
        Burn::Times { uid, times, total } => {
            if scores.is_empty() {
                return Vec::new();
            }
            let all: Vec<f64> = scores.values().copied().collect();
            let burnt = times * math::sum(&all);
            let mut found = vec![(uid, burnt)];
            found.extend(scores.iter().filter(|(slot, _)| **slot != uid).map(|(slot, score)| (*slot, *score)));
            let sum = found.iter().fold(0.0, |sum, (_, reward)| sum + reward);
            if sum > 0.0 {
                let scale = total / sum;
                found.iter_mut().for_each(|(_, reward)| *reward *= scale);
            }
            found
        }
    }
}

/// The scores that enter the average one after the other, of rounds that are ready together.
#[must_use]
pub fn combined<K: Ord + Clone>(rounds: &[BTreeMap<K, f64>], rule: Combine) -> Vec<BTreeMap<K, f64>> {
    match rule {
        Combine::Each => rounds.to_vec(),
        Combine::Sum => {
            let mut sums = BTreeMap::new();
            for (key, score) in rounds.iter().flatten() {
                *sums.entry(key.clone()).or_insert(0.0) += score;
            }
            if sums.is_empty() { Vec::new() } else { vec![sums] }
        }
    }
}

/// Averages divided by the sum of their absolute values; as they are when that sum is 0 or not a number.
#[must_use]
pub fn shares(averages: &[f32]) -> Vec<f32> {
    let absolute: Vec<f32> = averages.iter().map(|score| score.abs()).collect();
    let norm = pairwise_sum(&absolute);
    if norm == 0.0 || norm.is_nan() {
        return averages.to_vec();
    }
    averages.iter().map(|score| score / norm).collect()
}

/// Weights as the chain takes them, of averages by slot: shares, the subnet's limits, 16-bit numbers.
///
/// # Errors
/// Negative weights, which averages of scores do not lead to.
pub fn weights(averages: &[f32], limits: &Limits) -> Result<(Vec<i64>, Vec<u16>), EmitError> {
    let slots: Vec<i64> = (0..).take(averages.len()).collect();
    let (uids, processed) = process(&slots, &shares(averages), limits);
    emit(&uids, &processed.to_doubles())
}

/// What decides whether weights are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Passes made since the start.
    pub passes: u64,
    /// Whether the operator turned it off.
    pub disabled: bool,
    /// The newest block.
    pub block: u64,
    /// The block of the last own weights.
    pub last_set: u64,
    /// Blocks between two submissions at least.
    pub interval_blocks: u64,
    /// Whether there is something to pay by ([`is_ready_to_pay`]).
    pub ready: bool,
    /// Whether this is a miner, which never sets weights.
    pub miner: bool,
}

/// Whether weights are due.
#[must_use]
pub fn is_due(due: &Due) -> bool {
    let waited = due.block.checked_sub(due.last_set).is_some_and(|blocks| blocks >= due.interval_blocks);
    due.passes > 0 && !due.disabled && waited && !due.miner && due.ready
}

/// How long after the start upstream sets no weights unless a round became ready, in seconds.
pub const WARM_UP_SECONDS: f64 = 24.0 * 3600.0;

/// Whether there is something to pay by after a pass: yes once a round was ready, no while none is in the first day.
#[must_use]
pub fn is_ready_to_pay(before: bool, any_ready: bool, uptime_seconds: f64) -> bool {
    any_ready || (before && uptime_seconds >= WARM_UP_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn burns() {
        let scores = BTreeMap::from([(0u16, 10.0), (3, 30.0)]);
        assert_eq!(rewards(&scores, &Burn::None), [(0, 10.0), (3, 30.0)]);
        assert_eq!(rewards(&BTreeMap::new(), &Burn::All { uid: 0 }), [(0, 1.0)]);
        let found = rewards(&scores, &Burn::ninety_five());
        assert_eq!(found.len(), 2);
        assert!((found[0].1 + found[1].1 - 2000.0).abs() < 1e-9 && found[0].0 == 0);
        assert_eq!(rewards(&BTreeMap::from([(3, 0.0)]), &Burn::ninety_five()), [(0, 0.0), (3, 0.0)]);
        assert_eq!(rewards(&BTreeMap::new(), &Burn::ninety_five()), []);
    }

    #[test]
    fn a_catch_up_multiplies_scores_upstream_only() {
        let round = BTreeMap::from([("a", 50.0)]);
        let rounds = vec![round.clone(), round.clone(), BTreeMap::new()];
        assert_eq!(combined(&rounds, Combine::Sum), [BTreeMap::from([("a", 100.0)])]);
        assert_eq!(combined(&rounds, Combine::Each), rounds);
        assert_eq!(combined(&[BTreeMap::<u16, f64>::new()], Combine::Sum), []);
    }

    #[test]
    fn everything_burnt_is_one_full_weight() {
        let limits = Limits { neurons: 4, minimum: 1, maximum_share: 1.0, exclude_quantile: 0 };
        assert_eq!(weights(&[0.271, 0.0, 0.0, 0.0], &limits), Ok((vec![0], vec![65535])));
        assert_eq!(weights(&[0.0; 4], &limits).map(|(uids, _)| uids.len()), Ok(4));
    }

    #[test]
    fn when_weights_are_due() {
        let due = Due {
            passes: 1,
            disabled: false,
            block: 100,
            last_set: 0,
            interval_blocks: 100,
            ready: true,
            miner: false,
        };
        assert!(is_due(&due));
        for not in [
            Due { passes: 0, ..due },
            Due { disabled: true, ..due },
            Due { block: 99, ..due },
            Due { last_set: 101, ..due },
            Due { ready: false, ..due },
            Due { miner: true, ..due },
        ] {
            assert!(!is_due(&not), "{not:?}");
        }
        for (before, any, uptime, ready) in [
            (false, true, 0.0, true),
            (true, false, 10.0, false),
            (true, false, 90_000.0, true),
            (false, false, 90_000.0, false),
        ] {
            assert_eq!(is_ready_to_pay(before, any, uptime), ready);
        }
    }

    proptest! {
        #[test]
        fn ninety_five_percent_are_burnt(scores in prop::collection::btree_map(1u16..200, 0.01f64..100.0, 1..50)) {
            let found = rewards(&scores, &Burn::ninety_five());
            let total: f64 = found.iter().map(|(_, reward)| reward).sum();
            prop_assert!((total - 2000.0).abs() < 1e-6 && (found[0].1 / total - 0.95).abs() < 1e-9);
        }

        #[test]
        fn shares_sum_to_one(averages in prop::collection::vec(0f32..100.0, 1..256)) {
            let sum: f32 = shares(&averages).iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-4 || averages.iter().all(|a| *a == 0.0));
        }
    }
}
