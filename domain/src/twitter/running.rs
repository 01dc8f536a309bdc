//! Running statistics as the record carries them from round to round.
//!
//! A number that is NaN or infinite cannot stand in the record, and upstream's variance becomes NaN: each mean and variance
//! is therefore two values, the number (0 when it is not finite) and what it is: 0 finite, 1 NaN, 2 infinite, 3 minus
//! infinite. What is missing or malformed is as in a round before all others.
//!
//! Under the mean of a run slots earn. Who holds them is remembered beside it, only to report what slots inherit.

use std::collections::BTreeMap;

use super::average::RunMean;
use super::normaliser::Normaliser;
use super::numbers::Recorded;
use super::step::Statistics;
use crate::events::Statistic;
use crate::types::{Hotkey, Uid, sha256};

/// Names of the reward models, in the order of the sum; upstream logs by them.
pub const MODELS: [&str; 3] = ["rlhf_reward_model", "prompt_reward_model", "dpo_reward_model"];

const ROUNDS: &str = "run_rounds";
const TOTALS: &str = "run_totals";
const MEANS: &str = "run_means";
const HOLDERS: &str = "run_holders";
const INHERITED: &str = "run_inherited";

/// What upstream calls the statistics of a run, by slot.
pub type Run = RunMean<u16, f32>;

fn split(value: f32) -> [f64; 2] {
    match value {
        _ if value.is_finite() => [f64::from(value), 0.0],
        _ if value.is_nan() => [0.0, 1.0],
        _ if value > 0.0 => [0.0, 2.0],
        _ => [0.0, 3.0],
    }
}

fn joined(value: f64, what: f64) -> f32 {
    match what {
        1.0 => f32::NAN,
        2.0 => f32::INFINITY,
        3.0 => f32::NEG_INFINITY,
        _ => value as f32,
    }
}

/// The reward models' statistics: `[count, mean, what, variance, what]` of each.
pub fn of_models(statistics: &Statistics<f32>) -> Vec<Statistic> {
    let states = [&statistics.rlhf, &statistics.prompt, &statistics.dpo];
    let one = |(name, state): (&str, &Normaliser<f32>)| {
        let values = [&[state.count as f64][..], &split(state.mean.0), &split(state.variance.0)].concat();
        Statistic { name: name.to_owned(), values }
    };
    MODELS.into_iter().zip(states).map(one).collect()
}

/// Reads [`of_models`].
pub fn models(recorded: &[Statistic]) -> Statistics<f32> {
    let one = |name: &str| match values(recorded, name) {
        [count, mean, mean_is, variance, variance_is] => Normaliser {
            count: *count as u64,
            mean: Recorded(joined(*mean, *mean_is)),
            variance: Recorded(joined(*variance, *variance_is)),
        },
        _ => Normaliser::default(),
    };
    let [rlhf, prompt, dpo] = MODELS.map(one);
    Statistics { rlhf, prompt, dpo }
}

/// A run's sums and smoothed means: how many rounds, then slots with their values.
pub fn of_run(run: &Run) -> Vec<Statistic> {
    let pairs = |map: &BTreeMap<u16, Recorded<f32>>| {
        map.iter().flat_map(|(uid, value)| [f64::from(*uid), f64::from(value.0)]).collect::<Vec<f64>>()
    };
    let one = |(name, values): (&str, Vec<f64>)| Statistic { name: name.to_owned(), values };
    let lists = [(ROUNDS, vec![run.rounds as f64]), (TOTALS, pairs(&run.totals)), (MEANS, pairs(&run.smoothed))];
    lists.into_iter().map(one).collect()
}

/// Reads [`of_run`].
pub fn run(recorded: &[Statistic]) -> Run {
    let pairs = |name: &str| {
        let (pairs, _) = values(recorded, name).as_chunks::<2>();
        pairs.iter().map(|[uid, value]| (*uid as u16, Recorded(*value as f32))).collect()
    };
    let rounds = values(recorded, ROUNDS).first().map_or(0, |rounds| *rounds as u64);
    Run { rounds, totals: pairs(TOTALS), smoothed: pairs(MEANS) }
}

/// The smoothed mean of a slot, if it has one.
pub fn mean_of(run: &Run, uid: Uid) -> Option<f32> {
    run.smoothed.get(&uid.0).map(|mean| mean.0)
}

/// Who holds the slots of a run, and what of their sums others have earned. It pays nobody.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Holders {
    marks: BTreeMap<u16, u64>,
    inherited: BTreeMap<u16, f32>,
}

impl Holders {
    /// Takes note of those who hold slots in a round, before the round is added to the run.
    pub fn update(&mut self, run: &Run, drawn: impl Iterator<Item = (Uid, Hotkey)>) {
        for (uid, hotkey) in drawn {
            let mark = mark(&hotkey);
            let before = self.marks.insert(uid.0, mark);
            let total = run.totals.get(&uid.0).map_or(0.0, |total| total.0);
            if before.is_some_and(|before| before != mark) && total > 0.0 {
                self.inherited.insert(uid.0, total);
            }
        }
    }

    /// How much of a slot's sum its former holders earned, if any.
    pub fn inherited(&self, uid: Uid) -> Option<f32> {
        self.inherited.get(&uid.0).copied()
    }
}

/// 48 bits of a hotkey's hash, which a double holds exactly: a chance of 2⁻⁴⁸ that a change goes unreported.
fn mark(hotkey: &Hotkey) -> u64 {
    let hash = sha256(hotkey.as_str().as_bytes());
    hash.0.iter().take(6).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
}

/// Slots with the marks of their holders, and those that inherited with how much.
pub fn of_holders(holders: &Holders) -> Vec<Statistic> {
    let marks = holders.marks.iter().flat_map(|(uid, mark)| [f64::from(*uid), *mark as f64]).collect();
    let inherited = holders.inherited.iter().flat_map(|(uid, total)| [f64::from(*uid), f64::from(*total)]).collect();
    let one = |(name, values): (&str, Vec<f64>)| Statistic { name: name.to_owned(), values };
    [(HOLDERS, marks), (INHERITED, inherited)].into_iter().map(one).collect()
}

/// Reads [`of_holders`].
pub fn holders(recorded: &[Statistic]) -> Holders {
    let pairs = |name: &str| values(recorded, name).as_chunks::<2>().0.iter();
    Holders {
        marks: pairs(HOLDERS).map(|[uid, mark]| (*uid as u16, *mark as u64)).collect(),
        inherited: pairs(INHERITED).map(|[uid, total]| (*uid as u16, *total as f32)).collect(),
    }
}

fn values<'a>(recorded: &'a [Statistic], name: &str) -> &'a [f64] {
    recorded.iter().find(|statistic| statistic.name == name).map_or(&[], |statistic| &statistic.values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_malformed_is_a_beginning() {
        let odd = |name: &str, values: &[f64]| Statistic { name: name.to_owned(), values: values.to_vec() };
        let recorded = [odd(MODELS[0], &[3.0, 1.0]), odd(TOTALS, &[1.0, 0.5, 2.0]), odd("other", &[1.0])];
        assert_eq!(models(&recorded), Statistics::default());
        let found = run(&recorded);
        assert_eq!((found.rounds, found.totals.len(), mean_of(&found, Uid(1))), (0, 1, None));
    }

    proptest! {
        #[test]
        fn statistics_come_back_to_the_bit(count in 0u64..=3000, mean: f32, variance: f32) {
            let state = Normaliser { count, mean: Recorded(mean), variance: Recorded(variance) };
            let whole = Statistics { dpo: state, ..Statistics::default() };
            let recorded = of_models(&whole);
            prop_assert!(recorded.iter().flat_map(|one| &one.values).all(|value| value.is_finite()));
            prop_assert_eq!(models(&recorded), whole);
        }

        #[test]
        fn holders_come_back_to_the_bit(rounds in prop::collection::vec((0u16..4, 0u8..3, 0f32..=1.0), 1..30)) {
            let (mut kept, mut run) = (Holders::default(), Run::default());
            for (uid, key, reward) in rounds {
                kept.update(&run, [(Uid(uid), Hotkey::from_public(&[key; 32]))].into_iter());
                run.update(&[(uid, reward)], 0.3, 10);
                prop_assert_eq!(holders(&of_holders(&kept)), kept.clone());
            }
        }

        #[test]
        fn runs_come_back_to_the_bit(rounds in prop::collection::vec((0u16..9, 0f32..=1.0), 1..30)) {
            let mut kept = Run::default();
            for round in rounds {
                kept.update(&[round], 0.3, 3);
                prop_assert_eq!(run(&of_run(&kept)), kept.clone());
            }
        }
    }
}
