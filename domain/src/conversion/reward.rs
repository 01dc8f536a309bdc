//! The terms of a reward (spec 2.1 to 2.6), one function each.
//!
//! Upstream takes maxima with Python's `max`, which keeps a NaN that comes first; the terms do the same, and whoever records
//! a reward decides what a NaN is worth ([`super::round`]).

use super::classes::ClassState;
use super::constants::{DiversityCurve, Reward};
use super::prediction::Prediction;
use super::truth::Truth;

/// Python's `max(a, b)`: `b` only if it is greater, so that a NaN in front stays.
#[must_use]
pub fn python_max(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// Python's `min(a, b)`: `b` only if it is less.
#[must_use]
pub fn python_min(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// The worth of the true class if it was predicted, otherwise 0.
#[must_use]
pub fn classification(predicted: &Prediction, truth: &Truth, weights: &ClassState) -> f64 {
    if predicted.class == i128::from(truth.happened) { weights.worth(truth.happened) } else { 0.0 }
}

/// `max(1 − |predicted − true| / baseline, 0)` in seconds where both say "yes", otherwise 0.
#[must_use]
pub fn regression(predicted: &Prediction, truth: &Truth, baseline_seconds: f64) -> f64 {
    if predicted.class == 1 && truth.happened {
        python_max(1.0 - (predicted.seconds - truth.seconds).abs() / baseline_seconds, 0.0)
    } else {
        0.0
    }
}

/// The diversity term of a confidence; 0 for none.
#[must_use]
pub fn diversity(confidence: Option<f64>, curve: DiversityCurve) -> f64 {
    let Some(confidence) = confidence else { return 0.0 };
    match curve {
        DiversityCurve::Distance => python_min(python_max(2.0 * (confidence - 0.5).abs(), 0.0), 1.0),
        DiversityCurve::Folded if confidence == 0.5 => 0.0,
        DiversityCurve::Folded if confidence == 0.0 || confidence == 1.0 => 0.5,
        DiversityCurve::Folded => 0.5 - (confidence - 0.5).abs(),
    }
}

/// `max(1 − response time / timeout, 0)`, both in seconds. Not cut above: a negative time earns more than 1.
#[must_use]
pub fn time(response_seconds: f64, timeout_seconds: f64) -> f64 {
    python_max(1.0 - response_seconds / timeout_seconds, 0.0)
}

/// The prediction term: the weighted sum of the three parts.
#[must_use]
pub fn prediction(classification: f64, regression: f64, diversity: f64, rule: &Reward) -> f64 {
    rule.classification * classification + rule.regression * regression + rule.diversity * diversity
}

/// The reward: prediction and time, weighted.
#[must_use]
pub fn total(prediction: f64, time: f64, rule: &Reward) -> f64 {
    rule.prediction * prediction + rule.time * time
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::constants::Constants;
    use proptest::prelude::*;

    fn says(class: i128, seconds: f64) -> Prediction {
        Prediction { class, seconds }
    }

    #[test]
    fn nan_stays_nan_and_infinity_is_far_away() {
        let truth = Truth { happened: true, seconds: 70.0 };
        assert!(regression(&says(1, f64::NAN), &truth, 15.0).is_nan());
        assert_eq!(regression(&says(1, f64::INFINITY), &truth, 15.0), 0.0);
        assert!(time(f64::NAN, 60.0).is_nan());
        assert_eq!(time(-60.0, 60.0), 2.0);
        assert_eq!(regression(&says(0, 70.0), &truth, 15.0), 0.0);
        assert_eq!(classification(&says(7, 70.0), &truth, &ClassState::initial(&Constants::readme().classes)), 0.0);
    }

    #[test]
    fn ceilings_with_the_first_weights() {
        // Spec 2.5: true positive 0.725, true negative 0.475, wrong class 0.2.
        let rule = Constants::v0_1_0();
        let weights = ClassState::initial(&rule.classes);
        let earns = |predicted: Prediction, truth: Truth| {
            let class = classification(&predicted, &truth, &weights);
            let error = regression(&predicted, &truth, rule.reward.baseline_seconds);
            total(prediction(class, error, 0.0, &rule.reward), time(0.0, 60.0), &rule.reward)
        };
        let yes = Truth { happened: true, seconds: 70.0 };
        assert!((earns(says(1, 70.0), yes) - 0.725).abs() < 1e-12);
        assert!((earns(says(0, -1.0), Truth::NO) - 0.475).abs() < 1e-12);
        assert!((earns(says(0, -1.0), yes) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn curves_of_diversity() {
        for (confidence, distance, folded) in [
            (None, 0.0, 0.0),
            (Some(0.5), 0.0, 0.0),
            (Some(0.0), 1.0, 0.5),
            (Some(1.0), 1.0, 0.5),
            (Some(0.75), 0.5, 0.25),
        ] {
            assert_eq!(diversity(confidence, DiversityCurve::Distance), distance);
            assert_eq!(diversity(confidence, DiversityCurve::Folded), folded);
        }
        assert_eq!(diversity(Some(9.0), DiversityCurve::Distance), 1.0);
        assert!(diversity(Some(1.2), DiversityCurve::Folded) < 0.0);
    }

    proptest! {
        #[test]
        fn a_measured_reward_lies_between_0_and_1(
            class in 0i128..2, seconds in -1.0f64..200.0, happened: bool, truth in 30.0f64..120.0,
            confidence in 0.0f64..=1.0, response in 0.0f64..90.0, positive in 0.0f64..=1.0,
        ) {
            for (_, rule) in <Constants as crate::mechanism::Constants>::shipped() {
                let weights = ClassState { positive, negative: 1.0 - positive, recent: Vec::new() };
                let truth = if happened { Truth { happened, seconds: truth } } else { Truth::NO };
                let predicted = says(class, seconds);
                let parts = prediction(
                    classification(&predicted, &truth, &weights),
                    regression(&predicted, &truth, rule.reward.baseline_seconds),
                    diversity(Some(confidence), rule.reward.diversity_curve),
                    &rule.reward,
                );
                let found = total(parts, time(response, rule.reward.timeout_seconds), &rule.reward);
                prop_assert!((0.0..=1.0).contains(&found), "{}", found);
            }
        }

        #[test]
        fn a_smaller_error_never_earns_less(truth in 30.0f64..120.0, near in 0.0f64..40.0, more in 0.0f64..40.0) {
            let truth = Truth { happened: true, seconds: truth };
            let at = |error: f64| regression(&says(1, truth.seconds + error), &truth, 15.0);
            prop_assert!(at(near) >= at(near + more));
        }
    }
}
