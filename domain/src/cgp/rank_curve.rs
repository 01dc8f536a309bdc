//! From scores to weights: a cubic curve over ranks, and burn (spec 3.7). Only the rank counts, so that the best earns less
//! than three times what the worst does.

use serde::{Deserialize, Serialize};

use super::constants::{Burn, Payout};
use crate::draw::{Stream, sample};
use crate::math::pow;
use crate::sdk_weights::pairwise_sum;

/// Constants of the curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Weight at the lower end.
    pub least: f64,
    /// Weight at the upper end, which no rank reaches.
    pub most: f64,
}

impl Curve {
    /// The weight of a rank (0 is the best) among `count`: `least + (most − least)·(x³ + 1)/2` with
    /// `x = 2(count − rank − 1)/count − 1`.
    pub fn weight(&self, rank: usize, count: usize) -> f64 {
        let x = 2.0 * (count as f64 - rank as f64 - 1.0) / count as f64 - 1.0;
        self.least + (self.most - self.least) * (pow(x, 3.0) + 1.0) / 2.0
    }
}

/// Which of equal scores comes first: a rank for each key, drawn without replacement from the stream `cgp/ties/1` over the
/// keys in their order, so that a key's rank does not depend on where it stands. Upstream shuffles the uids of a tie.
pub fn tie_ranks<K: Ord>(keys: &[K], stream: &mut Stream) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..keys.len()).collect();
    sorted.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
    let mut ranks = vec![0; keys.len()];
    for (rank, drawn) in sample(stream, &vec![1; keys.len()], keys.len()).into_iter().enumerate() {
        ranks[sorted[drawn]] = rank;
    }
    ranks
}

/// Raw weights in order of the scores, in double precision; none for no scores or a NaN among them.
///
/// Slots with a score that counts are ranked by falling score, equal ones by rising `tie_ranks`, without the slot that
/// burns; their curve weights are scaled to the share that is not burned. A burning slot that does not exist burns nothing,
/// and the rest is scaled to 1. When nobody has a weight, upstream leaves the burned share as it is (0.9 in all); the rule
/// set can make it 1.
pub fn raw_weights(scores: &[f64], tie_ranks: &[usize], burn_slot: Option<i64>, payout: &Payout) -> Option<Vec<f64>> {
    if scores.is_empty() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let rate = payout.burn.as_ref().map_or(0.0, |burn| burn.rate.clamp(0.0, 1.0));
    let slot = burn_slot.and_then(|slot| usize::try_from(slot).ok()).filter(|slot| *slot < scores.len());
    let counts = |score: f64| if payout.pay_negative { score != 0.0 } else { score > 0.0 };
    let mut ranked: Vec<usize> = (0..scores.len()).filter(|at| Some(*at) != slot && counts(scores[*at])).collect();
    let tie = |at: usize| tie_ranks.get(at).copied().unwrap_or(at);
    // −0 is no score here, so that numpy's order and the total order agree.
    ranked.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(tie(*a).cmp(&tie(*b))));
    let mut weights = vec![0.0; scores.len()];
    for (rank, at) in ranked.iter().enumerate() {
        weights[*at] = match &payout.curve {
            Some(curve) => curve.weight(rank, ranked.len()),
            None => scores[*at],
        };
    }
    scale(&mut weights, 1.0 - rate);
    match slot {
        Some(slot) if rate > 0.0 => {
            weights[slot] = rate;
            let alone = ranked.is_empty() && payout.burn.as_ref().is_some_and(|burn: &Burn| burn.whole_when_alone);
            if alone {
                weights[slot] = 1.0;
            }
        }
        _ => scale(&mut weights, 1.0),
    }
    Some(weights)
}

/// Makes the absolute weights sum to `total`, unless they are all 0.
fn scale(weights: &mut [f64], total: f64) {
    let absolute: Vec<f64> = weights.iter().map(|weight| weight.abs()).collect();
    let sum = pairwise_sum(&absolute);
    if sum > 0.0 {
        let factor = total / sum;
        weights.iter_mut().for_each(|weight| *weight *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use crate::types::{HexBytes, sha256};
    use proptest::prelude::*;

    fn upstream() -> Payout {
        Constants::v2_30_65().payout
    }

    fn order(count: usize) -> Vec<usize> {
        (0..count).collect()
    }

    #[test]
    fn best_to_worst_stays_below_three() {
        let curve = upstream().curve.unwrap();
        for (count, expected) in [(1, 1.0), (2, 2.0), (10, 2.512), (256, 2.976_7)] {
            let ratio = curve.weight(0, count) / curve.weight(count - 1, count);
            assert!((ratio - expected).abs() < 1e-3, "{count} {ratio}");
        }
    }

    #[test]
    fn nobody_to_pay() {
        let rule = upstream();
        assert_eq!(raw_weights(&[], &[], None, &rule), None);
        assert_eq!(raw_weights(&[0.1, f64::NAN], &[0, 1], None, &rule), None);
        assert_eq!(raw_weights(&[0.0, -0.0], &[0, 1], None, &rule), Some(vec![0.0, 0.0]));
        assert_eq!(raw_weights(&[0.0, 0.0], &[0, 1], Some(1), &rule), Some(vec![0.0, 0.9]), "upstream leaves 0.9");
        assert_eq!(raw_weights(&[0.0, 0.0], &[0, 1], Some(1), &Constants::assay_1().payout), Some(vec![0.0, 1.0]));
        assert_eq!(raw_weights(&[0.5, 0.0], &[0, 1], Some(-1), &rule), Some(vec![1.0, 0.0]));
    }

    #[test]
    fn negative_scores_are_paid_upstream_only() {
        let scores = [0.5, -0.1];
        let found = raw_weights(&scores, &order(2), None, &upstream()).unwrap();
        assert!(found[1] > 0.3);
        assert_eq!(raw_weights(&scores, &order(2), None, &Constants::assay_1().payout), Some(vec![1.0, 0.0]));
    }

    #[test]
    fn the_document_pays_by_share() {
        let rule = Constants::readme().payout;
        let found = raw_weights(&[0.1, 0.3], &order(2), None, &rule).unwrap();
        assert!((found[0] - 0.25).abs() < 1e-15 && (found[1] - 0.75).abs() < 1e-15);
    }

    #[test]
    fn ties_are_drawn_and_follow_their_keys() {
        let draw = |keys: &[&str], seed: &[u8]| tie_ranks(keys, &mut Stream::new(sha256(seed), "cgp/ties/1"));
        let first = draw(&["a", "b", "c", "d"], b"1");
        let moved = draw(&["d", "c", "b", "a"], b"1");
        assert_eq!(first.iter().rev().copied().collect::<Vec<_>>(), moved);
        assert!((2..9u8).any(|seed| draw(&["a", "b", "c", "d"], &[seed]) != first));
    }

    proptest! {
        #[test]
        fn weights_sum_to_one(scores in prop::collection::vec(0f64..1.0, 1..256), burn in prop::option::of(0i64..300)) {
            let found = raw_weights(&scores, &order(scores.len()), burn, &Constants::assay_1().payout).unwrap();
            let paid = scores.iter().any(|score| *score > 0.0) || burn.is_some_and(|slot| slot < scores.len() as i64);
            let expected = if paid { 1.0 } else { 0.0 };
            prop_assert!((found.iter().sum::<f64>() - expected).abs() < 1e-9);
            prop_assert!(found.iter().all(|weight| (0.0..=1.0).contains(weight)));
        }

        #[test]
        fn permuting_miners_permutes_weights(
            pairs in prop::collection::btree_map(0u16..500, 0u8..6, 2..40), by in 1usize..39, seed: [u8; 32],
        ) {
            let weigh = |pairs: &[(u16, u8)]| {
                let keys: Vec<u16> = pairs.iter().map(|(key, _)| *key).collect();
                let scores: Vec<f64> = pairs.iter().map(|(_, score)| f64::from(*score) / 5.0).collect();
                let ranks = tie_ranks(&keys, &mut Stream::new(HexBytes(seed), "cgp/ties/1"));
                raw_weights(&scores, &ranks, None, &upstream()).unwrap()
            };
            let mut pairs: Vec<(u16, u8)> = pairs.into_iter().collect();
            let before = weigh(&pairs);
            let by = by % pairs.len();
            pairs.rotate_left(by);
            let mut after = weigh(&pairs);
            after.rotate_right(by);
            prop_assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-12));
        }

        #[test]
        fn a_power_of_the_scores_changes_no_weight(scores in prop::collection::vec(0.01f64..1.0, 1..60)) {
            let cubes: Vec<f64> = scores.iter().map(|score| pow(*score, 3.0)).collect();
            let ranks = order(scores.len());
            let mut distinct = scores.clone();
            distinct.sort_by(f64::total_cmp);
            prop_assume!(distinct.windows(2).all(|pair| pair[1] - pair[0] > 1e-9));
            prop_assert_eq!(raw_weights(&scores, &ranks, None, &upstream()), raw_weights(&cubes, &ranks, None, &upstream()));
        }
    }
}
