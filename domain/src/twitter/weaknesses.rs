//! Weaknesses of upstream that a rule set keeps, for whoever is about to choose it. What they do in a round is counted there: see
//! `report`.

use super::constants::{AccuracyShares, Constants, Identity, Sanitising, WeightRule};
use crate::mechanism::{Weakness, in_force};

/// The weaknesses that these constants keep.
pub(super) fn of(constants: &Constants) -> Vec<Weakness> {
    let Constants { normalisation, judge, preference, penalties, remedies, average, weights, rewards, .. } = constants;
    let (marks, likely) = (rewards.prompt.weight > 0.0, rewards.dpo.weight > 0.0);
    in_force([
        (
            !remedies.blank_answers_fail,
            "remedies.blank_answers_fail",
            "an answer of white space is measured like any other",
        ),
        (
            !remedies.only_finite_rewards,
            "remedies.only_finite_rewards",
            "one reward that is NaN zeroes all answers from then on",
        ),
        (
            !normalisation.lone_reward_has_no_variance,
            "normalisation.lone_reward_has_no_variance",
            "a round with a single answer ends the scaling of rewards for ever",
        ),
        (!remedies.equal_answers_share, "remedies.equal_answers_share", "one text earns for every miner that sends it"),
        (
            remedies.near_copies.is_none() || !remedies.equal_answers_share,
            "remedies.near_copies",
            "a word more makes an answer of its own",
        ),
        (
            !remedies.own_words_replace_unusable_analysis,
            "remedies.own_words_replace_unusable_analysis",
            "an analysis that fails ends the round for everybody",
        ),
        (
            !remedies.unreadable_verdicts_stand_alone,
            "remedies.unreadable_verdicts_stand_alone",
            "a verdict on one answer that cannot be read ends the round for everybody",
        ),
        (marks && !judge.whole_reply, "judge.whole_reply", "the first number of a talkative judge is the mark"),
        (
            marks && judge.sanitising == Sanitising::NamesInDrawnOrder,
            "judge.sanitising",
            "words such as Score are deleted from answers before they are judged",
        ),
        (
            likely && !preference.only_where_repeated,
            "preference.only_where_repeated",
            "a token that the answer's end would repeat is charged wherever it stands",
        ),
        (
            penalties.criteria.is_empty(),
            "penalties.criteria",
            "nothing is asked of an answer's form: a word is as good as a summary",
        ),
        (
            penalties.accuracy_shares == AccuracyShares::Three,
            "penalties.accuracy_shares",
            "an answer without anything that was asked for keeps two thirds where the other lists are empty",
        ),
        (
            penalties.prefix_always,
            "penalties.prefix_always",
            "a hashtag given with its sign is looked for with two, and everybody pays",
        ),
        (penalties.empty_term_matches, "penalties.empty_term_matches", "an empty term excuses every answer"),
        (penalties.inside_words, "penalties.inside_words", "chairs speak of AI"),
        (penalties.keyword_hits < 2, "penalties.keyword_hits", "one keyword of many excuses an answer"),
        (!remedies.absent_miners_count, "remedies.absent_miners_count", "who is away keeps its credit"),
        (average.identity == Identity::Uid, "average.identity", "who takes over a slot is paid for its predecessor"),
        (
            matches!(weights, WeightRule::RunMean { .. }),
            "weights",
            "weights follow from the mean of the whole run, so that newcomers and change count little",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_named_and_closed_by_our_rule_set() {
        let names = |constants: &Constants| -> Vec<&str> { of(constants).into_iter().map(|(name, _)| name).collect() };
        let (readme, code) = (names(&Constants::readme()), names(&Constants::v2_5_9()));
        assert!(readme.contains(&"judge.sanitising") && !readme.contains(&"average.identity"), "{readme:?}");
        assert!(code.contains(&"average.identity") && !code.contains(&"judge.sanitising"), "{code:?}");
        assert_eq!((readme.len(), code.len()), (17, 16));
        assert_eq!(of(&Constants::assay_1()), []);
    }
}
