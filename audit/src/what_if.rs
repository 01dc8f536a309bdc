//! "What if": the same facts under another rule set. Rounds are evaluated and epochs folded a second time beside the audit,
//! and what becomes of each miner is set against what was decided.
//!
//! The draws stay as they were: who was asked is a fact. Evidence that the other rule set does not accept, or parts of texts
//! that it would cut elsewhere, leave a round without scores; such rounds are counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::events::{Challenge, Event, Statistic, WeightsDerived};
use domain::mechanism::Mechanism;
use domain::round::Round;
use domain::types::{Hotkey, Micros, Position};
use serde::Serialize;

use crate::replay::FoldChain;

/// The most reasons quoted.
const MAX_REASONS: usize = 16;

/// A miner's standing in one epoch under both rule sets. Ranks begin at 1; equal weights are ranked by hotkey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinerChange {
    /// The miner.
    pub hotkey: Hotkey,
    /// Rank by weight and average as decided.
    pub rank: u32,
    /// Rank under the other rule set.
    pub rank_after: u32,
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
    /// Kendall's tau-a of the two rankings: 1 when they are the same, -1 when one is the other turned round. None for fewer
    /// than two miners.
    pub kendall_tau: Option<f64>,
    /// The share of all weight that goes to somebody else: half the sum of the differences of shares, 0 to 1.
    pub weight_moved: f64,
    /// Every miner known in it, by its rank under the other rule set.
    pub miners: Vec<MinerChange>,
}

impl EpochChange {
    fn of(epoch: u64, miners: Vec<MinerChange>) -> Self {
        Self { epoch, kendall_tau: kendall_tau(&miners), weight_moved: weight_moved(&miners), miners }
    }
}

impl MinerChange {
    /// Shares of all weight, as decided and under the other rule set.
    #[must_use]
    pub fn shares(&self, miners: &[Self]) -> [f64; 2] {
        let share = |weight: u16, total: u64| if total == 0 { 0.0 } else { f64::from(weight) / total as f64 };
        let sum = |of: fn(&Self) -> u16| miners.iter().map(|miner| u64::from(of(miner))).sum();
        [share(self.weight, sum(|m| m.weight)), share(self.weight_after, sum(|m| m.weight_after))]
    }
}

/// `(concordant - discordant) / pairs`. Ranks have no ties: equal standings are ranked by hotkey.
fn kendall_tau(miners: &[MinerChange]) -> Option<f64> {
    let pairs = miners.len() * miners.len().saturating_sub(1) / 2;
    let mut balance = 0i64;
    for (at, left) in miners.iter().enumerate() {
        for right in &miners[at + 1..] {
            let same = (left.rank < right.rank) == (left.rank_after < right.rank_after);
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
    /// Rounds evaluated under both.
    pub rounds: u64,
    /// Scores that are another number.
    pub scores_changed: u64,
    /// Scores that are the same bits.
    pub scores_same: u64,
    /// Rounds that the other rule set cannot evaluate.
    pub rounds_not_evaluated: u64,
    /// Why, for the first of them.
    pub reasons: Vec<String>,
    /// Epochs in order.
    pub epochs: Vec<EpochChange>,
}

/// The second evaluation that runs beside a replay.
#[derive(Debug, Clone)]
pub(crate) struct Alternative {
    mechanism: Arc<dyn Mechanism>,
    fold: Option<FoldChain>,
    statistics: Vec<Statistic>,
    what_if: WhatIf,
}

impl Alternative {
    pub(crate) fn new(mechanism: Arc<dyn Mechanism>) -> Self {
        let what_if = WhatIf { rule_set: mechanism.rule_set().name(), ..WhatIf::default() };
        Self { mechanism, fold: None, statistics: Vec::new(), what_if }
    }

    pub(crate) fn genesis(&mut self, own: Hotkey) {
        self.fold = Some(FoldChain::genesis(Arc::clone(&self.mechanism), own));
    }

    pub(crate) fn resume(&mut self, own: Hotkey, previous: &WeightsDerived, antecedents: &[(Position, Event)]) {
        self.fold = FoldChain::resume(Arc::clone(&self.mechanism), own, previous, antecedents).ok();
        self.statistics.clone_from(&previous.statistics);
    }

    pub(crate) fn apply(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        if let Some(fold) = &mut self.fold {
            fold.apply(position, recorded_at, event);
        }
    }

    /// Evaluates a round that ended, and takes its scores in at the place where it ended.
    pub(crate) fn round(&mut self, place: (Position, Micros), round: &Round, challenge: &Challenge, decided: &[Event]) {
        let other = match round.evaluate_as(challenge, self.mechanism.as_ref(), &self.statistics) {
            Ok(other) => other,
            Err(error) => {
                self.what_if.rounds_not_evaluated += 1;
                if self.what_if.reasons.len() < MAX_REASONS {
                    self.what_if.reasons.push(format!("round {}: {error}", challenge.id));
                }
                return;
            }
        };
        self.what_if.rounds += 1;
        let score = |event: &Event| match event {
            Event::ResponseScored(scored) => Some((scored.hotkey, scored.score.to_bits())),
            _ => None,
        };
        let decided: BTreeMap<Hotkey, u64> = decided.iter().filter_map(score).collect();
        for (hotkey, bits) in other.iter().filter_map(score) {
            if decided.get(&hotkey) == Some(&bits) {
                self.what_if.scores_same += 1;
            } else {
                self.what_if.scores_changed += 1;
            }
        }
        for event in &other {
            self.apply(place.0, place.1, event);
            if let Event::RoundEvaluated(evaluated) = event {
                self.statistics.clone_from(&evaluated.statistics);
            }
        }
    }

    /// Derives at the end of a range, compares with what was decided, and begins the next.
    pub(crate) fn derived(&mut self, decided: &WeightsDerived) {
        let Some(fold) = &mut self.fold else { return };
        let (other, _) = fold.derive();
        self.what_if.epochs.push(EpochChange::of(decided.epoch, changes(decided, &other)));
        if fold.advance(&other).is_err() {
            self.fold = None;
        }
    }

    pub(crate) fn finish(self) -> WhatIf {
        self.what_if
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
            let rank = |ranks: &BTreeMap<Hotkey, u32>| ranks.get(&hotkey).copied().unwrap_or(u32::MAX);
            let (rank, rank_after) = (rank(&ranks_before), rank(&ranks_after));
            MinerChange { hotkey, rank, rank_after, average, average_after, weight, weight_after }
        })
        .collect();
    miners.sort_by_key(|miner| (miner.rank_after, miner.rank));
    miners
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Miners by rank as decided, with their ranks and weights under the other rules.
    fn change(after: &[(u32, u16)], weights: &[u16]) -> EpochChange {
        let miners =
            after.iter().zip(weights).zip(1..).map(|(((rank_after, weight_after), weight), rank)| MinerChange {
                hotkey: Hotkey::from_public(&[u8::try_from(rank).unwrap_or_default(); 32]),
                rank,
                rank_after: *rank_after,
                average: None,
                average_after: None,
                weight: *weight,
                weight_after: *weight_after,
            });
        EpochChange::of(0, miners.collect())
    }

    #[test]
    fn rankings_and_shares_are_compared() {
        let same = change(&[(1, 65535), (2, 100), (3, 0)], &[65535, 100, 0]);
        assert_eq!((same.kendall_tau, same.weight_moved), (Some(1.0), 0.0));
        let turned = change(&[(3, 0), (2, 100), (1, 100)], &[100, 100, 0]);
        assert_eq!((turned.kendall_tau, turned.weight_moved), (Some(-1.0), 0.5));
        let one_pair = change(&[(2, 1), (1, 1), (3, 1)], &[1, 1, 1]);
        assert_eq!(one_pair.kendall_tau, Some(1.0 / 3.0));
        let nobody = change(&[], &[]);
        assert_eq!((nobody.kendall_tau, nobody.weight_moved), (None, 0.0));
        assert_eq!(change(&[(1, 0)], &[0]).weight_moved, 0.0);
    }
}
