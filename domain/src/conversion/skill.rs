//! What a miner's answers are worth above constant ones: the skill score of Peirce (1884), also called Youden's J.
//!
//! `right "yes" ÷ conversations that convert + right "no" ÷ conversations that do not − 1`. Whoever gives one class always has
//! all of one share and none of the other: 0, whatever the classes' frequencies are. An answer that is drawn without a look at
//! the conversation has 0 on the average, too, and what luck may add to it is taken off by standard errors. Perfect answers
//! have 1.
//!
//! A miner's labelled answers are remembered as items of the window that epochs carry on. Nothing here knows times or rewards.

use super::constants::AboveConstant;
use crate::math::sqrt;

/// A labelled answer as one number: 0 wrong and 1 right where nothing converted, 2 wrong and 3 right where something did.
#[must_use]
pub fn item(happened: bool, right: bool) -> f64 {
    f64::from(2 * u8::from(happened) + u8::from(right))
}

/// The skill of remembered answers, 0 to 1: `p₁ + p₀ − 1 − e · √(p₁(1 − p₁)/n₁ + p₀(1 − p₀)/n₀)`, not below 0, with the shares p of
/// right answers among the n of each class and e standard errors. The wrong answers that a rule set assumes count in n: a class
/// that was never seen then has a share of 0, so that answers of one class alone prove nothing, and few answers less than many.
#[must_use]
pub fn of(items: impl Iterator<Item = f64>, rule: &AboveConstant) -> f64 {
    let (mut right, mut all) = ([0.0; 2], [rule.assumed_wrong; 2]);
    for item in items {
        let class = usize::from(item >= 2.0);
        all[class] += 1.0;
        right[class] += f64::from(u8::from(item == 1.0 || item == 3.0));
    }
    let shares = [right[0] / all[0], right[1] / all[1]];
    let variance = |class: usize| shares[class] * (1.0 - shares[class]) / all[class];
    let luck = rule.standard_errors * sqrt(variance(0) + variance(1));
    (shares[0] + shares[1] - 1.0 - luck).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: AboveConstant =
        AboveConstant { answers: 100, window_seconds: 1, assumed_wrong: 0.5, standard_errors: 2.0 };

    fn skill(answers: &[(bool, bool)]) -> f64 {
        of(answers.iter().map(|(happened, said)| item(*happened, happened == said)), &RULE)
    }

    #[test]
    fn what_few_answers_prove() {
        assert_eq!(skill(&[]), 0.0);
        assert_eq!(skill(&[(true, true)]), 0.0, "a yes that was right, and nothing else");
        let both = [(true, true), (false, false)];
        let of_each = |count: usize| skill(&both.repeat(count));
        assert_eq!((of_each(1), of_each(2)), (0.0, 0.0), "that may be luck");
        assert!(of_each(3) > 0.1 && of_each(10) > 0.7 && of_each(50) > 0.9, "{}", of_each(3));
        let without = AboveConstant { standard_errors: 0.0, ..RULE };
        let once = of(both.iter().map(|(happened, said)| item(*happened, happened == said)), &without);
        assert!((once - 1.0 / 3.0).abs() < 1e-12, "{once}");
        assert_eq!(skill(&[(true, false), (false, true)]), 0.0, "always wrong");
        assert_eq!((item(false, false), item(false, true), item(true, false), item(true, true)), (0.0, 1.0, 2.0, 3.0));
    }

    proptest! {
        #[test]
        fn a_constant_answer_has_none(truths in prop::collection::vec(any::<bool>(), 0..200), said: bool) {
            let answers: Vec<(bool, bool)> = truths.into_iter().map(|truth| (truth, said)).collect();
            prop_assert_eq!(skill(&answers), 0.0);
        }

        #[test]
        fn one_more_right_answer_never_costs(answers in prop::collection::vec(any::<(bool, bool)>(), 0..60), truth: bool) {
            let (before, after) = (skill(&answers), skill(&[&answers[..], &[(truth, truth)]].concat()));
            prop_assert!((0.0..1.0).contains(&before) && after >= before);
        }
    }
}
