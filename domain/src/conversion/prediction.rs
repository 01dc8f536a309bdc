//! A miner's prediction and the gate that it has to pass (spec 2.10), with upstream's casts.
//!
//! Predictions are hostile input. The gate decides once, here; nothing behind it looks at the raw value again.

use super::constants::Gate;
use super::truth::NO_TIME;
use super::value::{CastError, Value, get};
use crate::math::round_half_even;

/// Key of the class.
pub const CLASS: &str = "conversion_happened";

/// Key of the time.
pub const SECONDS: &str = "time_to_conversion_seconds";

/// Sizes of the layers of the default miner's network behind its 40 inputs; the last one is the output.
pub const NETWORK_LAYERS: [u16; 3] = [64, 32, 1];

/// A prediction of the right types; class and time may still be nonsense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// 1 for "yes", 0 for "no".
    pub class: i128,
    /// Seconds to conversion, -1 for "no".
    pub seconds: f64,
}

impl Prediction {
    /// The default answer "no".
    pub const NO: Self = Self { class: 0, seconds: NO_TIME };

    /// What upstream's lenient setter makes of a map: missing or uncastable values become "no" and -1; an empty map or null
    /// is the default (spec 1.1).
    ///
    /// # Errors
    /// An infinite class, which upstream's setter does not survive.
    pub fn lenient(fields: &[(String, Value)]) -> Result<Self, CastError> {
        let class = match get(fields, CLASS).map_or(Ok(0), Value::to_int) {
            Err(CastError::NotANumber) => 0,
            other => other?,
        };
        let seconds = get(fields, SECONDS).map_or(Ok(NO_TIME), Value::to_float);
        Ok(Self { class, seconds: seconds.unwrap_or(NO_TIME) })
    }

    /// What upstream's miner says for a probability (spec 4.2): the class is the probability rounded, halves to even, and a
    /// "yes" comes after `positive_seconds`. NaN is no probability: the answer is "no".
    #[must_use]
    pub fn of_probability(probability: f64, positive_seconds: f64) -> Self {
        if !probability.is_finite() {
            return Self::NO;
        }
        let class = round_half_even(probability) as i128;
        Self { class, seconds: if class == 1 { positive_seconds } else { NO_TIME } }
    }
}

/// What the gate found: the casts that succeeded, in upstream's order, and whether the prediction is valid.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Checked {
    /// The class, if it casts to 0 or 1.
    pub class: Option<i128>,
    /// The time, if the class was valid and the time casts.
    pub seconds: Option<f64>,
    /// The prediction counts.
    pub valid: bool,
}

/// Upstream's gate on a raw map: both keys present; the class casts to 0 or 1; the time casts; "yes" has a time that is not
/// at or below 0 (so that NaN and infinity pass), "no" has exactly -1.
#[must_use]
pub fn check(fields: &[(String, Value)]) -> Checked {
    let mut found = Checked::default();
    let (Some(class), Some(seconds)) = (get(fields, CLASS), get(fields, SECONDS)) else { return found };
    let Some(class) = class.to_int().ok().filter(|class| matches!(class, 0 | 1)) else { return found };
    found.class = Some(class);
    let Ok(seconds) = seconds.to_float() else { return found };
    found.seconds = Some(seconds);
    // Written as upstream compares, so that NaN passes with class 1.
    let below = seconds <= 0.0;
    found.valid = if class == 1 { !below } else { seconds == NO_TIME };
    found
}

/// The gate for a prediction that already has its types, and for its confidence, under a rule set.
#[must_use]
pub fn passes(prediction: &Prediction, confidence: Option<f64>, gate: &Gate) -> bool {
    let below = prediction.seconds <= 0.0;
    let fits = match prediction.class {
        1 => !below && (prediction.seconds.is_finite() || !gate.finite_seconds),
        0 => prediction.seconds == NO_TIME,
        _ => false,
    };
    let confident = confidence.is_some_and(|confidence| (0.0..=1.0).contains(&confidence));
    fits && (confident || !gate.confidence_demanded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::constants::Constants;
    use proptest::prelude::*;

    fn map(class: Value, seconds: Value) -> Vec<(String, Value)> {
        vec![(CLASS.to_owned(), class), (SECONDS.to_owned(), seconds)]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-3i128..4).prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            "[-+0-9naif._ ]{0,8}".prop_map(Value::Text),
            Just(Value::List(vec![])),
            Just(Value::Object(vec![])),
        ]
    }

    #[test]
    fn what_the_gate_lets_pass() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (class, seconds, valid) in [
            (Value::Int(1), Value::Float(60.0), true),
            (text("1"), text("60.0"), true),
            (Value::Int(1), text("nan"), true),
            (Value::Int(1), Value::Float(f64::INFINITY), true),
            (Value::Int(1), Value::Float(f64::NEG_INFINITY), false),
            (Value::Int(0), Value::Float(f64::NAN), false),
            (Value::Int(0), Value::Int(-1), true),
            (Value::Int(0), Value::Float(60.0), false),
            (Value::Int(2), Value::Float(60.0), false),
            (Value::Float(f64::INFINITY), Value::Float(60.0), false),
            (Value::List(vec![]), Value::Float(60.0), false),
            (Value::Int(1), Value::Null, false),
        ] {
            assert_eq!(check(&map(class.clone(), seconds.clone())).valid, valid, "{class:?} {seconds:?}");
        }
        assert_eq!(check(&[]), Checked::default());
    }

    #[test]
    fn our_rule_set_demands_finite_times_and_a_confidence() {
        let infinite = Prediction { class: 1, seconds: f64::INFINITY };
        let (code, ours) = (Constants::v0_1_0().gate, Constants::assay_1().gate);
        assert!(passes(&infinite, None, &code) && !passes(&infinite, Some(0.9), &ours));
        assert!(passes(&Prediction::NO, None, &code) && !passes(&Prediction::NO, None, &ours));
        assert!(passes(&Prediction::NO, Some(0.0), &ours) && !passes(&Prediction::NO, Some(f64::NAN), &ours));
        assert!(!passes(&Prediction { class: 7, seconds: -3.0 }, Some(0.5), &code));
    }

    #[test]
    fn probabilities_round_to_the_even_class() {
        for (probability, class) in [(0.5, 0), (0.500_000_1, 1), (1.0, 1), (0.0, 0), (1.5, 2), (f64::NAN, 0)] {
            assert_eq!(Prediction::of_probability(probability, 60.0).class, class, "{probability}");
        }
        assert_eq!(Prediction::of_probability(1.5, 60.0).seconds, NO_TIME);
    }

    proptest! {
        #[test]
        fn both_gates_agree_on_casts(class in any_value(), seconds in any_value()) {
            let found = check(&map(class, seconds));
            if let (Some(class), Some(seconds)) = (found.class, found.seconds) {
                prop_assert_eq!(found.valid, passes(&Prediction { class, seconds }, None, &Constants::v0_1_0().gate));
            } else {
                prop_assert!(!found.valid);
            }
        }

        #[test]
        fn the_lenient_setter_survives_everything_finite(class in any_value(), seconds in any_value()) {
            let infinite = matches!(class, Value::Float(x) if x.is_infinite());
            prop_assert_eq!(Prediction::lenient(&map(class, seconds)).is_err(), infinite);
        }
    }
}
