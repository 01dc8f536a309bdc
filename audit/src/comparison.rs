//! How alike two rows of weights are: the derived one beside those that validators set, and beside their consensus.
//!
//! Weights are compared as shares of their row's sum, since a chain stores rows scaled up to 65535. Nothing here decides
//! anything: it is what an operator looks at before a validator's weights take over from another's.

use std::collections::{BTreeMap, BTreeSet};

use domain::math;
use domain::types::Uid;
use serde::Serialize;

/// The share of stake that must stand behind a weight for it to be consensus: subtensor's default `kappa`
/// of 32767/65535, as its epoch uses it (a strict majority of just under one half).
const KAPPA: (u128, u128) = (32_767, 65_535);

/// Shares of a row by slot, without zeros; they sum to 1 unless there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares(BTreeMap<Uid, f64>);

impl Shares {
    /// Of a row as a chain stores it. A slot that stands in it twice counts with the sum; zeros are left out.
    #[must_use]
    pub fn of(row: &[(Uid, u16)]) -> Self {
        let mut weights: BTreeMap<Uid, u64> = BTreeMap::new();
        for (uid, weight) in row.iter().filter(|(_, weight)| *weight > 0) {
            *weights.entry(*uid).or_default() += u64::from(*weight);
        }
        Self::normalised(weights.into_iter().map(|(uid, weight)| (uid, weight as f64)).collect())
    }

    fn normalised(weights: BTreeMap<Uid, f64>) -> Self {
        let total = weights.values().fold(0.0, |total, weight| total + weight);
        if total > 0.0 {
            Self(weights.into_iter().map(|(uid, weight)| (uid, weight / total)).collect())
        } else {
            Self::default()
        }
    }

    /// A slot's share, 0 to 1.
    #[must_use]
    pub fn share(&self, uid: Uid) -> f64 {
        self.0.get(&uid).copied().unwrap_or(0.0)
    }

    /// How many slots have a share.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has a share.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The shares, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Uid, f64)> + '_ {
        self.0.iter().map(|(uid, share)| (*uid, *share))
    }
}

/// A slot's shares in two rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gap {
    /// The slot.
    pub uid: Uid,
    /// Its share in the first row, 0 to 1.
    pub share: f64,
    /// Its share in the second row.
    pub other: f64,
}

impl Gap {
    /// What the second row gives more.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.other - self.share
    }
}

/// How alike two rows are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Slots that have a share in at least one of them.
    pub slots: usize,
    /// Cosine of the angle between them, 0 to 1; none when one is empty.
    pub cosine: Option<f64>,
    /// Spearman's rank correlation over those slots, equal shares having their mean rank, -1 to 1; none for fewer than two
    /// slots, and when a row gives all of them the same.
    pub rank_correlation: Option<f64>,
    /// The share of all weight that goes to another slot: half the sum of the differences, 0 to 1; none when one is empty.
    pub moved: Option<f64>,
    /// The largest differences first, equal ones by slot; slots without a difference are left out.
    pub largest: Vec<Gap>,
}

/// Sets two rows beside each other and keeps the `most` largest differences.
#[must_use]
pub fn compare(row: &Shares, other: &Shares, most: usize) -> Comparison {
    let slots: BTreeSet<Uid> = row.0.keys().chain(other.0.keys()).copied().collect();
    let [left, right]: [Vec<f64>; 2] = [row, other].map(|shares| slots.iter().map(|uid| shares.share(*uid)).collect());
    let both = !row.is_empty() && !other.is_empty();
    let mut largest: Vec<Gap> =
        slots.iter().map(|uid| Gap { uid: *uid, share: row.share(*uid), other: other.share(*uid) }).collect();
    let apart: Vec<f64> = largest.iter().map(|gap| gap.difference().abs()).collect();
    largest.retain(|gap| gap.difference() != 0.0);
    largest.sort_by(|one, two| two.difference().abs().total_cmp(&one.difference().abs()).then(one.uid.cmp(&two.uid)));
    largest.truncate(most);
    Comparison {
        slots: slots.len(),
        cosine: both.then(|| cosine(&left, &right)).flatten(),
        rank_correlation: both.then(|| correlation(&ranks(&left), &ranks(&right))).flatten(),
        moved: both.then(|| math::sum(&apart) / 2.0),
        largest,
    }
}

fn cosine(left: &[f64], right: &[f64]) -> Option<f64> {
    // One root of the product: of equal rows it is exactly their square, and the cosine exactly 1.
    let length = math::sqrt(math::dot(left, left) * math::dot(right, right));
    (length > 0.0).then(|| math::clip(math::dot(left, right) / length, -1.0, 1.0))
}

/// Ranks from 1 by value, the smallest first; equal values have the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, two| values[*one].total_cmp(&values[*two]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for group in order.chunk_by(|one, two| values[*one].total_cmp(&values[*two]).is_eq()) {
        // The mean of from + 1 … from + length.
        let mean = from as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|at| ranks[*at] = mean);
        from += group.len();
    }
    ranks
}

/// Pearson's correlation; none where one side does not vary.
fn correlation(left: &[f64], right: &[f64]) -> Option<f64> {
    let centred = |values: &[f64]| {
        let mean = math::mean(values);
        values.iter().map(|value| value - mean).collect::<Vec<f64>>()
    };
    cosine(&centred(left), &centred(right))
}

/// A validator's row and the stake behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct StakedRow {
    /// In rao.
    pub stake: u64,
    /// Its row.
    pub shares: Shares,
}

/// The stake-weighted median of rows, slot by slot, as shares: the largest share that validators with more than `kappa` of
/// the stake give at least. Slots that a majority gives nothing have none.
///
/// This is the consensus weight of Yuma in `f64` and without the chain's own parameters (its subnet's `kappa`, bonds, which
/// rows count as outdated): near to what the chain computes, not equal to it.
#[must_use]
pub fn stake_weighted_median(rows: &[StakedRow]) -> Shares {
    let total: u128 = rows.iter().map(|row| u128::from(row.stake)).sum();
    let slots: BTreeSet<Uid> = rows.iter().flat_map(|row| row.shares.0.keys().copied()).collect();
    let median = |uid: Uid| {
        let mut given: Vec<(f64, u64)> = rows.iter().map(|row| (row.shares.share(uid), row.stake)).collect();
        given.sort_by(|one, two| two.0.total_cmp(&one.0));
        let mut behind = 0u128;
        given.iter().find_map(|(share, stake)| {
            behind += u128::from(*stake);
            // behind / total > kappa, without a fraction; both sides are below 2^64 times the rows times 2^16.
            (behind.saturating_mul(KAPPA.1) > total.saturating_mul(KAPPA.0)).then_some(*share)
        })
    };
    let medians = slots.into_iter().filter_map(|uid| Some((uid, median(uid).filter(|share| *share > 0.0)?)));
    Shares::normalised(medians.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(weights: &[(u16, u16)]) -> Shares {
        Shares::of(&weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect::<Vec<_>>())
    }

    #[test]
    fn a_row_is_like_itself_however_it_is_scaled() {
        let one = row(&[(1, 65535), (2, 30000), (7, 1)]);
        let same = compare(&one, &one, 5);
        assert_eq!((same.cosine, same.rank_correlation, same.moved), (Some(1.0), Some(1.0), Some(0.0)));
        assert_eq!((same.slots, same.largest.len()), (3, 0));
        let (small, large) = (row(&[(1, 2), (2, 4)]), row(&[(1, 32_000), (2, 64_000)]));
        assert_eq!(compare(&small, &large, 5).moved, Some(0.0));
        // A slot that stands there twice counts once, with the sum; a zero is none.
        assert_eq!(row(&[(1, 2), (2, 2), (2, 2), (3, 0)]), small);
    }

    #[test]
    fn rows_of_others_are_told_apart() {
        let apart = compare(&row(&[(1, 9)]), &row(&[(2, 9)]), 5);
        assert_eq!((apart.cosine, apart.rank_correlation, apart.moved), (Some(0.0), Some(-1.0), Some(1.0)));
        let gap = |uid, share, other| Gap { uid: Uid(uid), share, other };
        assert_eq!(apart.largest, [gap(1, 1.0, 0.0), gap(2, 0.0, 1.0)]);
        // (3, 4) and (4, 3): cosine 24/25, a seventh moves.
        let turned = compare(&row(&[(1, 3), (2, 4)]), &row(&[(1, 4), (2, 3)]), 1);
        assert!((turned.cosine.unwrap_or(0.0) - 0.96).abs() < 1e-15, "{turned:?}");
        assert!((turned.moved.unwrap_or(0.0) - 1.0 / 7.0).abs() < 1e-15, "{turned:?}");
        assert_eq!((turned.rank_correlation, turned.largest.len()), (Some(-1.0), 1));
    }

    /// Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5 over the root of 4.5 × 5.
    #[test]
    fn equal_shares_have_their_mean_rank() {
        assert_eq!(ranks(&[0.1, 0.2, 0.2, 0.5]), [1.0, 2.5, 2.5, 4.0]);
        let found = compare(&row(&[(1, 1), (2, 2), (3, 2), (4, 5)]), &row(&[(1, 1), (2, 2), (3, 3), (4, 4)]), 9);
        let expected = 4.5 / math::sqrt(4.5 * 5.0);
        assert!((found.rank_correlation.unwrap_or(0.0) - expected).abs() < 1e-15, "{found:?}");
        // Everybody alike: there is no order to compare.
        assert_eq!(compare(&row(&[(1, 1), (2, 1)]), &row(&[(1, 1), (2, 3)]), 9).rank_correlation, None);
    }

    #[test]
    fn nothing_is_like_nothing() {
        let empty = compare(&row(&[]), &row(&[(3, 0)]), 9);
        assert_eq!((empty.slots, empty.cosine, empty.rank_correlation, empty.moved), (0, None, None, None));
        let one_sided = compare(&row(&[]), &row(&[(3, 1)]), 9);
        assert_eq!((one_sided.cosine, one_sided.moved, one_sided.largest.len()), (None, None, 1));
    }

    #[test]
    fn consensus_is_what_a_majority_of_stake_gives() {
        let staked = |stake, weights: &[(u16, u16)]| StakedRow { stake, shares: row(weights) };
        // The minority's favourite has no consensus; the share that both give is the smaller one.
        let found = stake_weighted_median(&[staked(60, &[(1, 1)]), staked(40, &[(1, 1), (2, 1)])]);
        assert_eq!(found, row(&[(1, 1)]));
        // 40 % give it more and 30 % less: the median is the middle one's.
        let three = [staked(40, &[(1, 8), (2, 2)]), staked(30, &[(1, 5), (2, 5)]), staked(30, &[(1, 2), (2, 8)])];
        assert_eq!(stake_weighted_median(&three), row(&[(1, 5), (2, 5)]));
        assert!(stake_weighted_median(&[]).is_empty());
        assert!(stake_weighted_median(&[staked(0, &[(1, 1)])]).is_empty(), "no stake is no majority");
        let richest = u64::MAX;
        assert_eq!(stake_weighted_median(&[staked(richest, &[(5, 1)]), staked(richest, &[(5, 1)])]), row(&[(5, 1)]));
    }
}
