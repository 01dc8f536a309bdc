//! Reward models applied to a round: who is measured, what comes of the raw rewards, and their weighted sum (spec 2.1,
//! 2.5, 2.6).

use super::Error;
use super::constants::Normalisation;
use super::normaliser::Normaliser;
use super::numbers::{self, Real};

/// The status of an answer that is measured.
pub const SUCCESS: u16 = 200;

/// What one reward model made of a round's responses, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied<R> {
    /// Raw rewards; NaN for responses that were not measured.
    pub raw: Vec<R>,
    /// Rewards as upstream logs them; 0 for responses that were not measured, NaN kept.
    pub logged: Vec<R>,
    /// Rewards as they count: NaN became 0.
    pub normalised: Vec<R>,
}

/// Applies a reward model: the raw rewards of the responses that were measured are one batch for the running statistics; all
/// others earn 0. With `only_finite` a raw reward that is no finite number stays out of the batch and earns 0 too.
pub fn apply<R: Real>(
    state: &mut Normaliser<R>,
    raw: &[Option<R>],
    rule: &Normalisation,
    only_finite: bool,
) -> Applied<R> {
    let counts = |x: &R| !only_finite || numbers::is_finite(*x);
    let batch: Vec<R> = raw.iter().flatten().copied().filter(counts).collect();
    let mut rewards = state.normalise(&batch, rule).into_iter();
    let mut applied = Applied { raw: Vec::new(), logged: Vec::new(), normalised: Vec::new() };
    let zero = R::near(0.0);
    for value in raw {
        let reward = value.filter(counts).and_then(|_| rewards.next()).unwrap_or(zero);
        applied.raw.push(value.unwrap_or(R::near(f64::NAN)));
        applied.logged.push(reward);
        applied.normalised.push(if numbers::is_nan(reward) { zero } else { reward });
    }
    applied
}

/// Upstream's stand-in for a model whose weight is 0: one for every response, whatever its status.
pub fn stand_in<R: Real>(responses: usize) -> Vec<R> {
    vec![R::near(1.0); responses]
}

/// Whether the models' weights may be used: their sum is within `tolerance` of 1. Upstream compares exactly, which refuses
/// 274 of the 4,851 triples of whole hundredths that sum to 1.
pub fn weights_accepted<R: Real>(weights: &[R], tolerance: f64) -> bool {
    let total: f64 = numbers::sum(weights).into();
    (total - 1.0).abs() <= tolerance
}

/// `Σ weight × reward` of the models, in their order, for each response.
///
/// # Errors
/// When a model has not one reward per response.
pub fn weighted_sum<R: Real>(weights: &[R], rewards: &[&[R]], responses: usize) -> Result<Vec<R>, Error> {
    let mut total = vec![R::near(0.0); responses];
    for (weight, rewards) in weights.iter().zip(rewards) {
        if rewards.len() != responses {
            return Err(Error::Lengths { what: "rewards of a model", found: rewards.len(), expected: responses });
        }
        for (total, reward) in total.iter_mut().zip(*rewards) {
            *total = *total + *weight * *reward;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::twitter::constants::Constants;
    use proptest::prelude::*;

    #[test]
    fn nan_poisons_upstream_and_earns_nothing_under_ours() {
        let raw = [Some(1.0f32), Some(f32::NAN), None, Some(3.0)];
        let (code, ours) = (Constants::v2_5_9(), Constants::assay_1());
        let mut state = Normaliser::default();
        let poisoned = apply(&mut state, &raw, &code.normalisation, code.remedies.only_finite_rewards);
        assert!(poisoned.logged[0].is_nan() && poisoned.normalised == [0.0; 4]);
        assert!(state.mean.0.is_nan());
        let mut state = Normaliser::default();
        let sound = apply(&mut state, &raw, &ours.normalisation, ours.remedies.only_finite_rewards);
        assert!(sound.normalised[1] == 0.0 && sound.normalised[3] > sound.normalised[0]);
        assert_eq!((state.count, state.mean.0), (2, 2.0));
    }

    #[test]
    fn an_exact_comparison_refuses_sound_weights() {
        assert!(!weights_accepted(&[0.02f32, 0.78, 0.20], 0.0));
        assert!(weights_accepted(&[0.02f32, 0.78, 0.20], 1e-6));
        assert!(!weights_accepted(&[0.02f32, 0.78, 0.21], 1e-6) && !weights_accepted(&[f32::NAN], 1.0));
        let refused = (1..=98)
            .flat_map(|a| (1..=99 - a).map(move |b| (a, b, 100 - a - b)))
            .filter(|(a, b, c)| {
                let parts = [*a, *b, *c].map(|part| (f64::from(part) / 100.0) as f32);
                !weights_accepted(&parts, 0.0)
            })
            .count();
        assert_eq!(refused, 274);
    }

    #[test]
    fn a_model_that_lost_a_response_is_refused() {
        let short = [0.5f32];
        assert!(weighted_sum(&[1.0f32], &[&short], 2).is_err());
        assert_eq!(weighted_sum(&[0.5f32, 0.5], &[&[1.0, 0.0], &stand_in(2)], 2).unwrap(), [1.0, 0.5]);
    }

    proptest! {
        #[test]
        fn rewards_are_bounded_and_unmeasured_ones_are_zero(
            raw in prop::collection::vec(prop::option::of(prop::num::f32::ANY), 0..12),
        ) {
            for constants in [Constants::v2_5_9(), Constants::assay_1()] {
                let mut state = Normaliser::default();
                let found =
                    apply(&mut state, &raw, &constants.normalisation, constants.remedies.only_finite_rewards);
                for (value, reward) in raw.iter().zip(&found.normalised) {
                    prop_assert!((0.0..=1.0).contains(reward));
                    prop_assert!(value.is_some() || *reward == 0.0);
                }
            }
        }
    }
}
