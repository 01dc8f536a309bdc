//! What of a round is recorded so that its rewards can be computed when the label comes, and nothing but the record is read.
//!
//! Answers become components of their scores, class statistics become running statistics of the round. Events hold no NaN
//! and no infinity; a number that is one is recorded under another name ([`push`]) and read back the same.

use super::classes::ClassState;
use super::prediction::{CLASS, Prediction, SECONDS};
use super::round::{Scored, Taken};
use crate::events::{Component, Statistic};

/// Statistic: what a right answer of each class is worth, "yes" first.
const CLASS_WEIGHTS: &str = "class_weights";

/// Statistic: the remembered truths, oldest first, 1 for "yes".
const TRUTHS: &str = "truths";

/// Component: the class that was true. It tells whether the answer was right from the score alone.
pub(super) const TRUE_CLASS: &str = "true_class";

const CONFIDENCE: &str = "confidence";
const RESPONSE_TIME: &str = "response_time";
const SHARE: &str = "share";

pub(super) fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

/// Adds a number under its name; NaN as `<name>_nan` = 1, infinities as `<name>_infinite` = ±1.
fn push(components: &mut Vec<Component>, name: &str, value: f64) {
    components.push(if value.is_nan() {
        component(&format!("{name}_nan"), 1.0)
    } else if value.is_infinite() {
        component(&format!("{name}_infinite"), value.signum())
    } else {
        component(name, value)
    });
}

/// The value of a component.
pub(super) fn value(components: &[Component], name: &str) -> Option<f64> {
    components.iter().find(|component| component.name == name).map(|component| component.value)
}

/// Reads what [`push`] wrote.
fn number(components: &[Component], name: &str) -> Option<f64> {
    let nan = || value(components, &format!("{name}_nan")).map(|_| f64::NAN);
    let infinite = || value(components, &format!("{name}_infinite")).map(|sign| f64::INFINITY * sign);
    value(components, name).or_else(nan).or_else(infinite)
}

/// An answer that is scored, under upstream's names.
pub(super) fn of_answer(taken: &Taken) -> Vec<Component> {
    let mut components = Vec::with_capacity(11);
    // 0 or 1: it has passed the gate.
    push(&mut components, CLASS, taken.prediction.class as f64);
    push(&mut components, SECONDS, taken.prediction.seconds);
    push(&mut components, CONFIDENCE, taken.confidence);
    push(&mut components, RESPONSE_TIME, taken.seconds);
    push(&mut components, SHARE, taken.share);
    components
}

/// The answer in components of [`of_answer`]; `None` where nothing was to be scored.
pub(super) fn answer(components: &[Component]) -> Option<Taken> {
    let of = |name| number(components, name);
    let class = of(CLASS)?;
    let class = i128::from(u8::from(class == 1.0));
    Some(Taken {
        prediction: Prediction { class, seconds: of(SECONDS)? },
        confidence: of(CONFIDENCE)?,
        seconds: of(RESPONSE_TIME)?,
        share: of(SHARE)?,
    })
}

/// The class that was true and whether the answer had it, where the rule set has both recorded.
pub(super) fn settled(components: &[Component]) -> Option<(bool, bool)> {
    let truth = value(components, TRUE_CLASS)? == 1.0;
    Some((truth, truth == (value(components, CLASS)? == 1.0)))
}

/// The terms of a reward, under upstream's names.
pub(super) fn of_reward(scored: &Scored) -> [Component; 6] {
    [
        component("classification_reward", scored.classification),
        component("regression_reward", scored.regression),
        component("diversity_reward", scored.diversity),
        component("prediction_reward", scored.prediction_reward),
        component("time_reward", scored.time),
        component("total_reward", scored.score),
    ]
}

/// Class statistics as running statistics.
pub(super) fn statistics(classes: &ClassState) -> Vec<Statistic> {
    let truths = classes.recent.iter().map(|happened| f64::from(u8::from(*happened))).collect();
    vec![
        Statistic { name: CLASS_WEIGHTS.to_owned(), values: vec![classes.positive, classes.negative] },
        Statistic { name: TRUTHS.to_owned(), values: truths },
    ]
}

/// Class statistics of running statistics; `None` where there are none, or none of these.
pub(super) fn classes(statistics: &[Statistic]) -> Option<ClassState> {
    let values = |name| statistics.iter().find(|statistic| statistic.name == name).map(|found| &found.values[..]);
    let [positive, negative] = *values(CLASS_WEIGHTS)? else { return None };
    let recent = values(TRUTHS)?.iter().map(|truth| *truth == 1.0).collect();
    [positive, negative].iter().all(|weight| (0.0..=1.0).contains(weight)).then_some(ClassState {
        positive,
        negative,
        recent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-1.0)]
    }

    /// Equal, NaN to NaN.
    fn same(a: f64, b: f64) -> bool {
        a == b || (a.is_nan() && b.is_nan())
    }

    #[test]
    fn statistics_of_another_kind_are_none() {
        assert_eq!(classes(&[]), None);
        let weights = |values: Vec<f64>| Statistic { name: CLASS_WEIGHTS.to_owned(), values };
        let truths = Statistic { name: TRUTHS.to_owned(), values: vec![1.0] };
        for values in [vec![], vec![0.5], vec![0.5, 1.5], vec![0.5, 0.5, 0.5]] {
            assert_eq!(classes(&[weights(values), truths.clone()]), None);
        }
        assert_eq!(classes(&[weights(vec![0.5, 0.5])]), None);
        assert!(classes(&[weights(vec![0.5, 0.5]), truths]).is_some());
    }

    proptest! {
        #[test]
        fn answers_are_read_as_recorded(
            class in 0i128..2, seconds in any_number(), confidence in any_number(), time in any_number(), share in 0.0f64..=1.0,
        ) {
            let prediction = Prediction { class, seconds };
            let taken = Taken { prediction, confidence, seconds: time, share };
            let components = of_answer(&taken);
            prop_assert!(components.iter().all(|component| component.value.is_finite()));
            let found = answer(&components).unwrap();
            prop_assert!(found.prediction.class == class && found.share == share);
            prop_assert!(same(found.prediction.seconds, seconds) && same(found.confidence, confidence));
            prop_assert!(same(found.seconds, time));
            let without = |gone| {
                let mut rest = components.clone();
                rest.remove(gone);
                answer(&rest)
            };
            prop_assert!((0..components.len()).all(|gone| without(gone).is_none()));
        }

        #[test]
        fn statistics_are_read_as_recorded(positive in 0.0f64..=1.0, recent in prop::collection::vec(any::<bool>(), 0..250)) {
            let state = ClassState { positive, negative: 1.0 - positive, recent };
            prop_assert_eq!(classes(&statistics(&state)), Some(state));
        }
    }
}
