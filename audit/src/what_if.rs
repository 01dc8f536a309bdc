//! "What if": the same facts under another rule set. Rounds are evaluated and epochs folded a second time beside the audit,
//! and what becomes of each miner is set against what was decided.
//!
//! The draws stay as they were: who was asked is a fact. Verdicts made without a model are made once more, as the other rules
//! make them; those of a model stay as recorded. Scores are compared where they are final: where labels are awaited, when the
//! label is there.
//!
//! **Architecture invariant:** nothing is said of what was not compared. A round that the other rules cannot evaluate leaves its
//! epoch, and those that go on from it, without figures of how far rankings and weights moved.

mod alternative;
mod verdicts;

pub(crate) use alternative::Alternative;

use std::collections::BTreeMap;

use domain::events::WeightsDerived;
use domain::types::Hotkey;
use serde::Serialize;

/// A miner's standing in one epoch under both rule sets. Ranks begin at 1; equal weights are ranked by hotkey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinerChange {
    /// The miner.
    pub hotkey: Hotkey,
    /// Rank by weight and average as decided; none where it was neither scored nor paid.
    pub rank: Option<u32>,
    /// Rank under the other rule set; none where it is neither scored nor paid.
    pub rank_after: Option<u32>,
    /// Moving average as decided.
    pub average: Option<f64>,
    /// Moving average under the other rule set.
    pub average_after: Option<f64>,
    /// Weight as decided, 0 to 65535.
    pub weight: u16,
    /// Weight under the other rule set.
    pub weight_after: u16,
}

/// One epoch under both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochChange {
    /// The epoch.
    pub epoch: u64,
    /// Rounds up to its end that the other rule set cannot evaluate. Averages go on from epoch to epoch, so that one of them is
    /// missing in all later epochs.
    pub rounds_not_evaluated: u64,
    /// Kendall's tau-a of the two rankings of the miners that stand in both: 1 when they are the same, -1 when one is the other
    /// turned round. None for fewer than two such miners, and where [`Self::weight_moved`] is none.
    pub kendall_tau: Option<f64>,
    /// The share of all weight that goes to somebody else: half the sum of the differences of shares, 0 to 1. None when one side
    /// pays nobody, or rounds are not evaluated.
    pub weight_moved: Option<f64>,
    /// Every miner known in it, by its rank under the other rule set.
    pub miners: Vec<MinerChange>,
}

impl EpochChange {
    fn of(epoch: u64, rounds_not_evaluated: u64, miners: Vec<MinerChange>) -> Self {
        let pays = |weight: fn(&MinerChange) -> u16| miners.iter().any(|miner| weight(miner) > 0);
        let comparable = rounds_not_evaluated == 0 && pays(|miner| miner.weight) && pays(|miner| miner.weight_after);
        Self {
            epoch,
            rounds_not_evaluated,
            kendall_tau: if comparable { kendall_tau(&miners) } else { None },
            weight_moved: comparable.then(|| weight_moved(&miners)),
            miners,
        }
    }
}

impl MinerChange {
    /// Shares of all weight, as decided and under the other rule set; 0 where nobody is paid.
    #[must_use]
    pub fn shares(&self, miners: &[Self]) -> [f64; 2] {
        let share = |weight: u16, total: u64| if total == 0 { 0.0 } else { f64::from(weight) / total as f64 };
        let sum = |of: fn(&Self) -> u16| miners.iter().map(|miner| u64::from(of(miner))).sum();
        [share(self.weight, sum(|m| m.weight)), share(self.weight_after, sum(|m| m.weight_after))]
    }
}

/// `(concordant - discordant) / pairs`. Ranks have no ties: equal standings are ranked by hotkey.
fn kendall_tau(miners: &[MinerChange]) -> Option<f64> {
    let ranks: Vec<(u32, u32)> = miners.iter().filter_map(|miner| miner.rank.zip(miner.rank_after)).collect();
    let pairs = ranks.len() * ranks.len().saturating_sub(1) / 2;
    let mut balance = 0i64;
    for (at, left) in ranks.iter().enumerate() {
        for right in &ranks[at + 1..] {
            let same = (left.0 < right.0) == (left.1 < right.1);
            balance += if same { 1 } else { -1 };
        }
    }
    (pairs > 0).then(|| balance as f64 / pairs as f64)
}

fn weight_moved(miners: &[MinerChange]) -> f64 {
    let moved = miners.iter().map(|miner| {
        let [before, after] = miner.shares(miners);
        (after - before).abs()
    });
    moved.fold(0.0, |total, share| total + share) / 2.0
}

/// What another rule set would have made of the same facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WhatIf {
    /// The other rule set, `algorithm/version`.
    pub rule_set: String,
    /// Rounds whose scores are compared.
    pub rounds: u64,
    /// Scores that are another number.
    pub scores_changed: u64,
    /// Scores that are the same bits.
    pub scores_same: u64,
    /// Rounds that wait for a label under both; nothing of them is compared yet.
    pub rounds_waiting: u64,
    /// Rounds that the other rule set cannot evaluate.
    pub rounds_not_evaluated: u64,
    /// Why, for the first of them.
    pub reasons: Vec<String>,
    /// Of the compared rounds, those in which nobody's score counts under the other rule set, though it does as decided.
    pub rounds_given_up: u64,
    /// Why, for the first of them.
    pub given_up: Vec<String>,
    /// Verdicts that no model made and that are others under the other rule set. They were made once more.
    pub verdicts_recomputed: u64,
    /// Verdicts of a model that the other rule set would have asked something else. They were taken as recorded.
    pub verdicts_of_other_requests: u64,
    /// Epochs in order.
    pub epochs: Vec<EpochChange>,
}

impl WhatIf {
    /// Whether the scores of any round were compared. Otherwise nothing is known of the other rule set.
    #[must_use]
    pub fn compared(&self) -> bool {
        self.rounds > 0
    }
}

/// Weight and average of a miner.
type Standing = BTreeMap<Hotkey, (u16, Option<f64>)>;

fn standing(derived: &WeightsDerived) -> Standing {
    let mut standing: Standing = derived.carried.iter().map(|miner| (miner.hotkey, (0, miner.average))).collect();
    for weight in &derived.weights {
        standing.entry(weight.hotkey).or_insert((0, None)).0 = weight.weight;
    }
    standing
}

fn ranks(standing: &Standing) -> BTreeMap<Hotkey, u32> {
    let mut order: Vec<_> = standing.iter().collect();
    order.sort_by(|(left_hotkey, (left, left_average)), (right_hotkey, (right, right_average))| {
        let average = |value: &Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
        let by_average = average(right_average).total_cmp(&average(left_average));
        right.cmp(left).then(by_average).then(left_hotkey.cmp(right_hotkey))
    });
    order.into_iter().zip(1..).map(|((hotkey, _), rank)| (*hotkey, rank)).collect()
}

fn changes(decided: &WeightsDerived, other: &WeightsDerived) -> Vec<MinerChange> {
    let (before, after) = (standing(decided), standing(other));
    let (ranks_before, ranks_after) = (ranks(&before), ranks(&after));
    let mut hotkeys: Vec<Hotkey> = before.keys().chain(after.keys()).copied().collect();
    hotkeys.sort_unstable();
    hotkeys.dedup();
    let mut miners: Vec<MinerChange> = hotkeys
        .into_iter()
        .map(|hotkey| {
            let (weight, average) = before.get(&hotkey).copied().unwrap_or((0, None));
            let (weight_after, average_after) = after.get(&hotkey).copied().unwrap_or((0, None));
            let (rank, rank_after) = (ranks_before.get(&hotkey).copied(), ranks_after.get(&hotkey).copied());
            MinerChange { hotkey, rank, rank_after, average, average_after, weight, weight_after }
        })
        .collect();
    let last = |rank: Option<u32>| (rank.is_none(), rank);
    miners.sort_by_key(|miner| (last(miner.rank_after), last(miner.rank)));
    miners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miner(number: u8, ranks: [Option<u32>; 2], weights: [u16; 2]) -> MinerChange {
        let [rank, rank_after] = ranks;
        let [weight, weight_after] = weights;
        let hotkey = Hotkey::from_public(&[number; 32]);
        MinerChange { hotkey, rank, rank_after, average: None, average_after: None, weight, weight_after }
    }

    /// Miners by rank as decided, with their ranks and weights under the other rules.
    fn change(after: &[(u32, u16)], weights: &[u16]) -> EpochChange {
        let miners = after.iter().zip(weights).zip(1..).map(|(((rank_after, weight_after), weight), rank)| {
            miner(u8::try_from(rank).unwrap_or_default(), [Some(rank), Some(*rank_after)], [*weight, *weight_after])
        });
        EpochChange::of(0, 0, miners.collect())
    }

    #[test]
    fn rankings_and_shares_are_compared() {
        let same = change(&[(1, 65535), (2, 100), (3, 0)], &[65535, 100, 0]);
        assert_eq!((same.kendall_tau, same.weight_moved), (Some(1.0), Some(0.0)));
        let turned = change(&[(3, 0), (2, 100), (1, 100)], &[100, 100, 0]);
        assert_eq!((turned.kendall_tau, turned.weight_moved), (Some(-1.0), Some(0.5)));
        let one_pair = change(&[(2, 1), (1, 1), (3, 1)], &[1, 1, 1]);
        assert_eq!(one_pair.kendall_tau, Some(1.0 / 3.0));
        assert_eq!(change(&[(1, 5)], &[7]).kendall_tau, None);
    }

    #[test]
    fn what_cannot_be_compared_has_no_figures() {
        let nothing = |change: EpochChange| assert_eq!((change.kendall_tau, change.weight_moved), (None, None));
        nothing(change(&[], &[]));
        nothing(change(&[(1, 0), (2, 0)], &[0, 0]));
        // One side pays nobody.
        nothing(change(&[(1, 0), (2, 0)], &[65535, 1]));
        nothing(change(&[(1, 65535), (2, 1)], &[0, 0]));
        // A round is missing.
        let miners = change(&[(1, 65535), (2, 1)], &[65535, 1]).miners;
        nothing(EpochChange::of(0, 1, miners));
    }

    /// Who stands on one side only is paid there, and has no rank on the other.
    #[test]
    fn a_miner_that_stands_on_one_side_only_has_no_rank_on_the_other() {
        let miners = vec![
            miner(1, [Some(1), Some(2)], [100, 50]),
            miner(2, [Some(2), None], [100, 0]),
            miner(3, [Some(3), Some(1)], [0, 150]),
        ];
        let change = EpochChange::of(0, 0, miners);
        assert_eq!(change.kendall_tau, Some(-1.0));
        assert_eq!(change.weight_moved, Some(0.75));
    }
}
