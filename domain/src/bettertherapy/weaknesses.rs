//! What is known to be wrong with a BetterTherapy rule set, as far as it is in force (spec 2.3, 2.4, 3.3, 6 and 7).
//!
//! That upstream sends version key 0 (7, item 12) is in no rule set: weights go out with the key that the chain asks for.

use super::constants::{Burn, Combine, Constants, ReplyRule};
use crate::mechanism::{Weakness, in_force};

pub(super) fn of(constants: &Constants) -> Vec<Weakness> {
    let Constants { selection, judge, scoring, duplicates, average, payout, .. } = constants;
    in_force([
        (
            !matches!(payout.burn, Burn::None),
            "payout.burn",
            "the owner's slot is paid in the place of the miners, wholly or for the most part",
        ),
        (
            judge.answers_per_line != Some(1),
            "judge.answers_per_line",
            "answers share a judgement: one that manipulates the judge sets the scores of its neighbours",
        ),
        (
            judge.reply == ReplyRule::Lenient,
            "judge.reply",
            "of a judge's reply off the schema NaN is full marks, and answers without a number get nothing",
        ),
        (
            judge.upstream_collection,
            "judge.upstream_collection",
            "a failed judgement pays those of the line before it again, a missing one stops the pass for everybody",
        ),
        (
            judge.upstream_collection && judge.lines_per_file.is_some(),
            "judge.lines_per_file",
            "of answers in several batch files only those of the last one are scored",
        ),
        (
            scoring.quality_weight_applied > 1,
            "scoring.quality_weight_applied",
            "the weight of quality is applied twice: time is worth 38 % of the maximum, not 30 %",
        ),
        (
            !scoring.time_by_quality,
            "scoring.time_by_quality",
            "an instant answer that is hardly relevant stands near a slow good one",
        ),
        (duplicates.is_none(), "duplicates", "copies of an answer are paid like the answer"),
        (
            average.combine == Combine::Sum && judge.ready_after_seconds > 0,
            "average.combine",
            "rounds that waited while the validator was away enter the average as a sum",
        ),
        (
            !average.hold_unjudged,
            "average.hold_unjudged",
            "a miner whose answer got no verdict loses a share of its average",
        ),
        (
            !selection.only_available_count,
            "selection.only_available_count",
            "slots that cannot be asked use up the quota of their address, which is one short",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_reported_and_closed_by_our_rule_set() {
        let flags = |constants: &Constants| of(constants).into_iter().map(|(flag, _)| flag).collect::<Vec<_>>();
        let code = flags(&Constants::v1_2_2());
        assert_eq!(code.len(), 10);
        assert!(!code.contains(&"scoring.quality_weight_applied"));
        let readme = flags(&Constants::readme());
        assert_eq!(
            readme,
            [
                "scoring.quality_weight_applied",
                "scoring.time_by_quality",
                "duplicates",
                "average.hold_unjudged",
                "selection.only_available_count"
            ]
        );
        assert!(flags(&Constants::assay_1()).is_empty());
    }
}
