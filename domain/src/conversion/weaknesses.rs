//! What is known to be wrong with a conversion rule set, as far as it is in force (spec 2.9, 3.4, 6 and 7).

use super::constants::{Constants, Unasked};
use crate::mechanism::{Weakness, in_force};

pub(super) fn of(constants: &Constants) -> Vec<Weakness> {
    let Constants { gate, classes, reward, average, .. } = constants;
    in_force([
        (!gate.answers_read, "gate.answers_read", "answers are not read: every miner is paid the same"),
        (gate.missing_is_no, "gate.missing_is_no", "silence is paid like the answer no"),
        (!gate.finite_seconds, "gate.finite_seconds", "times that are no finite numbers pass the gate"),
        (!gate.confidence_demanded, "gate.confidence_demanded", "an echo of the request is paid like the answer no"),
        (!classes.carried, "classes.carried", "class weights never follow the labels"),
        (classes.least == 0.0, "classes.least", "after truths of one class alone that class is worth nothing"),
        (reward.claimed_time, "reward.claimed_time", "miners state their own response time, also a negative one"),
        (!reward.right_answers_only, "reward.right_answers_only", "an instant wrong answer earns the time term"),
        (
            average.unasked == Unasked::Decay,
            "average.unasked",
            "a miner that is not asked loses a share of its score at each round",
        ),
        (!constants.share_within_coldkey, "share_within_coldkey", "one model under many hotkeys is paid for each"),
        (!constants.share_equal_answers, "share_equal_answers", "a copy of an answer is paid like the answer"),
        (
            constants.above_constant.is_none(),
            "above_constant",
            "an answer that does not depend on the conversation is paid as often as its class comes up",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_reported_and_closed_by_our_rule_set() {
        assert_eq!(of(&Constants::v0_1_0()).len(), 12);
        let readme: Vec<&str> = of(&Constants::readme()).into_iter().map(|(flag, _)| flag).collect();
        assert!(!readme.contains(&"gate.answers_read") && readme.contains(&"reward.right_answers_only"));
        assert_eq!(of(&Constants::assay_1()), []);
    }
}
