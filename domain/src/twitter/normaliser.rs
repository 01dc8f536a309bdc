//! Raw rewards become comparable: a running mean and variance per reward model, then the normal distribution function
//! (spec 2.1).
//!
//! Upstream calls the update Welford's, but merges an unbiased batch variance as if it were a population's. A batch of one
//! has no unbiased variance: upstream's state then becomes NaN for ever and rewards are no longer scaled. A rule set says
//! whether that is kept.

use serde::{Deserialize, Serialize};

use super::constants::Normalisation;
use super::numbers::{self, Real, Recorded};

/// Running statistics of one reward model. They are carried from epoch to epoch; upstream loses them at each restart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "R: Real")]
pub struct Normaliser<R: Real> {
    /// Rewards seen, at most the rule's limit.
    pub count: u64,
    /// Their running mean.
    pub mean: Recorded<R>,
    /// Their running variance.
    pub variance: Recorded<R>,
}

impl<R: Real> Default for Normaliser<R> {
    fn default() -> Self {
        Self { count: 0, mean: Recorded(R::near(0.0)), variance: Recorded(R::near(0.0)) }
    }
}

impl<R: Real> Normaliser<R> {
    /// Takes in a batch:
    ///
    /// `a = n / (count + n)`, `b = count / (count + n)`, `d = m − mean`; `mean ← a m + b mean`;
    /// `variance ← a v + b variance + a b d²`; `count ← min(limit, count + n)`. An empty batch changes nothing.
    pub fn update(&mut self, batch: &[R], rule: &Normalisation) {
        let (count, new) = (self.count as f64, batch.len() as f64);
        if batch.is_empty() {
            return;
        }
        let (a, b) = (new / (count + new), count / (count + new));
        let mean = numbers::mean(batch);
        let lone = batch.len() == 1 && rule.lone_reward_has_no_variance;
        let variance = if lone { R::near(0.0) } else { numbers::unbiased_variance(batch) };
        let step = mean - self.mean.0;
        self.mean = Recorded(R::near(a) * mean + R::near(b) * self.mean.0);
        self.variance = Recorded(R::near(a) * variance + R::near(b) * self.variance.0 + R::near(a * b) * step * step);
        self.count = rule.count_limit.min(self.count.saturating_add(batch.len() as u64));
    }

    /// Where rewards stand among all those seen, in `[0, 1]`: `Φ((x − mean) / √variance)`, without the division while the
    /// variance is not above the rule's minimum (or NaN). Changes nothing.
    pub fn standing(&self, batch: &[R], rule: &Normalisation) -> Vec<R> {
        let scale = (self.variance.0 > R::near(rule.minimum_variance)).then(|| numbers::root(self.variance.0));
        let z = |x: &R| {
            let centred = *x - self.mean.0;
            scale.map_or(centred, |scale| centred / scale)
        };
        batch.iter().map(|x| numbers::normal_distribution(z(x))).collect()
    }

    /// [Takes in](Self::update) a batch and says [where](Self::standing) its rewards stand.
    pub fn normalise(&mut self, batch: &[R], rule: &Normalisation) -> Vec<R> {
        self.update(batch, rule);
        self.standing(batch, rule)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::twitter::constants::Constants;
    use proptest::prelude::*;

    fn rules() -> [Normalisation; 2] {
        [Constants::v2_5_9().normalisation, Constants::assay_1().normalisation]
    }

    #[test]
    fn one_answer_poisons_upstreams_variance_and_not_ours() {
        let [upstream, ours] = rules();
        let mut poisoned = Normaliser::<f32>::default();
        assert_eq!(poisoned.normalise(&[2.0], &upstream), [0.5]);
        assert!(poisoned.variance.0.is_nan());
        // Never scaled again: a logit of 40 among logits of about 1000 earns nothing less extreme than 0.
        poisoned.normalise(&[1000.0, 1040.0], &upstream);
        assert!(poisoned.variance.0.is_nan());
        let mut sound = Normaliser::<f32>::default();
        assert_eq!(sound.normalise(&[2.0], &ours), [0.5]);
        let next = sound.normalise(&[3.0], &ours);
        assert!(sound.variance.0 == 0.25 && next[0] > 0.8, "{sound:?} {next:?}");
    }

    #[test]
    fn equal_rewards_are_average_in_single_precision() {
        for rule in rules() {
            let found = Normaliser::<f32>::default().normalise(&[0.7; 3], &rule);
            assert_eq!(found, [0.5; 3]);
        }
        // In double precision the variance is a rounding error, and upstream's rule divides by it.
        let [upstream, ours] = rules();
        assert!(Normaliser::<f64>::default().normalise(&[0.7; 3], &upstream)[0] > 0.79);
        let guarded = Normaliser::<f64>::default().normalise(&[0.7; 3], &ours);
        assert!(guarded.iter().all(|y| (y - 0.5).abs() < 1e-9));
    }

    #[test]
    fn the_count_stops_at_its_limit() {
        let [mut rule, _] = rules();
        rule.count_limit = 5;
        let mut state = Normaliser::<f64>::default();
        state.update(&[1.0, 2.0, 3.0], &rule);
        state.update(&[1.0, 2.0, 3.0], &rule);
        assert_eq!(state.count, 5);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Normaliser<f64>>(&text).unwrap(), state);
    }

    proptest! {
        #[test]
        fn standings_are_bounded_and_follow_the_order(
            batches in prop::collection::vec(prop::collection::vec(-50f32..50.0, 0..9), 1..6),
        ) {
            for rule in rules() {
                let mut state = Normaliser::<f32>::default();
                for batch in &batches {
                    let found = state.normalise(batch, &rule);
                    prop_assert!(found.iter().all(|y| (0.0..=1.0).contains(y)), "{:?}", found);
                    for (x, y) in batch.iter().zip(&found) {
                        for (other, place) in batch.iter().zip(&found) {
                            prop_assert!(x >= other || y <= place);
                        }
                    }
                }
            }
        }

        #[test]
        fn our_state_stays_finite(batches in prop::collection::vec(prop::collection::vec(-50f32..50.0, 0..4), 1..9)) {
            let [_, rule] = rules();
            let mut state = Normaliser::<f32>::default();
            for batch in &batches {
                state.update(batch, &rule);
                prop_assert!(state.mean.0.is_finite() && state.variance.0 >= 0.0, "{:?}", state);
            }
        }
    }
}
