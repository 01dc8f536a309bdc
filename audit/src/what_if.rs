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
    /// Every miner known in it, by its rank under the other rule set.
    pub miners: Vec<MinerChange>,
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
        let change = EpochChange { epoch: decided.epoch, miners: changes(decided, &other) };
        self.what_if.epochs.push(change);
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
