//! Class weights as running state (spec 2.7): the rarer class is worth more.
//!
//! Whether the state is carried from round to round, and whether a truth counts once per answer or once per conversation,
//! is the rule set's choice; this file only counts.

use serde::{Deserialize, Serialize};

use super::constants::Classes;

/// What a correct answer of each class is worth, and the truths since; carried in the epoch's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassState {
    /// Worth of a correct "yes".
    pub positive: f64,
    /// Worth of a correct "no".
    pub negative: f64,
    /// Remembered truths, oldest first; fewer than twice the interval.
    pub recent: Vec<bool>,
}

impl ClassState {
    /// The state before the first truth.
    #[must_use]
    pub fn initial(rule: &Classes) -> Self {
        Self { positive: rule.positive, negative: rule.negative, recent: Vec::new() }
    }

    /// What a correct answer is worth where this is the truth.
    #[must_use]
    pub fn worth(&self, happened: bool) -> f64 {
        if happened { self.positive } else { self.negative }
    }

    /// Remembers one more truth. Whenever the number of remembered truths is a multiple of the interval, the weights are
    /// computed over all of them, and then only the newest `interval` are kept.
    pub fn record(&mut self, happened: bool, rule: &Classes) {
        self.recent.push(happened);
        let interval = usize::try_from(rule.interval).unwrap_or(usize::MAX).max(1);
        if self.recent.len().is_multiple_of(interval) {
            self.update(rule);
            self.recent.drain(..self.recent.len() - interval);
        }
    }

    /// Computes the weights over all remembered truths: `positive = negatives / total`, `negative = positives / total`, both
    /// held within `least` and `1 − least`; the first weights when there is no truth.
    pub fn update(&mut self, rule: &Classes) {
        let total = self.recent.len() as f64;
        if self.recent.is_empty() {
            (self.positive, self.negative) = (rule.positive, rule.negative);
            return;
        }
        let positives = self.recent.iter().filter(|happened| **happened).count() as f64;
        let held = |weight: f64| crate::math::clip(weight, rule.least, 1.0 - rule.least);
        self.positive = held((total - positives) / total);
        self.negative = held(positives / total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::constants::Constants;
    use proptest::prelude::*;

    #[test]
    fn updates_come_at_every_hundredth_truth_over_two_hundred() {
        let rule = Constants::v0_1_0().classes;
        let mut state = ClassState::initial(&rule);
        for at in 0..99 {
            state.record(at % 4 != 0, &rule);
        }
        assert_eq!((state.positive, state.negative, state.recent.len()), (0.375, 0.625, 99));
        state.record(true, &rule);
        assert_eq!((state.positive, state.negative, state.recent.len()), (0.25, 0.75, 100));
        for _ in 0..100 {
            state.record(false, &rule);
        }
        assert_eq!((state.positive, state.negative, state.recent.len()), (0.625, 0.375, 100));
    }

    #[test]
    fn a_class_that_was_always_right_keeps_the_least_weight() {
        for (constants, expected) in [(Constants::v0_1_0(), (0.0, 1.0)), (Constants::assay_1(), (0.1, 0.9))] {
            let mut state = ClassState { recent: vec![true; 10], ..ClassState::initial(&constants.classes) };
            state.update(&constants.classes);
            assert_eq!((state.positive, state.negative), expected);
            state.recent.clear();
            state.update(&constants.classes);
            assert_eq!((state.positive, state.negative), (0.375, 0.625));
        }
    }

    proptest! {
        #[test]
        fn weights_stay_shares_and_memory_is_bounded(truths in prop::collection::vec(any::<bool>(), 0..700), interval in 1u64..50) {
            let rule = Classes { interval, ..Constants::readme().classes };
            let mut state = ClassState::initial(&rule);
            for happened in truths {
                state.record(happened, &rule);
                prop_assert!((state.positive + state.negative - 1.0).abs() < 1e-12);
                prop_assert!(state.positive >= 0.0 && state.negative >= 0.0);
                prop_assert!((state.recent.len() as u64) < 2 * interval);
            }
        }
    }
}
