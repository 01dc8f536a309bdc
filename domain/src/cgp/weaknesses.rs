//! What is known to be wrong with a Conversation Genome rule set, as far as it is in force (spec 3.2 to 3.8, 8 and 9).

use super::constants::{Constants, Membership};
use super::windows::of_conversation;
use crate::mechanism::{Weakness, in_force};

pub(super) fn of(constants: &Constants) -> Vec<Weakness> {
    [in_prompts(constants), in_scores(constants), in_weights(constants)].concat()
}

fn in_prompts(constants: &Constants) -> Vec<Weakness> {
    let Constants { windows, tags, .. } = constants;
    let validation = tags.validation.as_ref();
    // A conversation that one window of the usual size takes whole.
    let short = usize::try_from(windows.size).unwrap_or(usize::MAX);
    in_force([
        (
            of_conversation(short, windows).len() < 2,
            "windows.fallback_size",
            "short conversations have a single window whatever is done, and are never sent",
        ),
        (!tags.escape_lines, "tags.escape_lines", "what somebody says can forge speakers and instructions in prompts"),
        (
            validation.is_some() && !tags.json_replies,
            "tags.json_replies",
            "a tag with the word malformed ends the good ones of a verdict, and a verdict without it loses its last letter",
        ),
        (
            validation.is_some_and(|rule| rule.membership == Membership::Sent),
            "tags.validation.membership",
            "tags that cleaning changes (capital letters, hyphens) are lost",
        ),
        (
            validation.is_some_and(|rule| rule.membership == Membership::Fragment),
            "tags.validation.membership",
            "parts of tags pass as tags",
        ),
    ])
}

fn in_scores(constants: &Constants) -> Vec<Weakness> {
    [by_overlap(constants), by_evaluator(constants)].concat()
}

/// Of the document's scores and rewards.
fn by_overlap(constants: &Constants) -> Vec<Weakness> {
    let (bell, rule) = (constants.bell_curve, constants.overlap.as_ref());
    in_force([
        (bell, "bell_curve", "of a window's answers those of average score are paid best"),
        (bell, "bell_curve", "answers of one score are paid nothing, however good they are"),
        (bell, "bell_curve", "an answer without any tag earns by the curve like any other"),
        (bell, "bell_curve", "copies of an answer are each paid, and draw the mean, where most is paid, to themselves"),
        (rule.is_some_and(|rule| rule.mostly_own > 0.0), "overlap.mostly_own", "answers off topic have a base score"),
        (
            rule.is_some_and(|rule| rule.identical < rule.mostly_own),
            "overlap.identical",
            "an answer that is the ground truth scores less than one off topic",
        ),
        (
            rule.is_some() && !constants.tags.clean_truth,
            "tags.clean_truth",
            "tags are compared as they are spelt: a capital letter, a hyphen or a full stop makes another tag",
        ),
    ])
}

/// Of the running upstream's scores.
fn by_evaluator(constants: &Constants) -> Vec<Weakness> {
    let Some(rule) = &constants.evaluator else { return Vec::new() };
    let junk = rule.penalties.as_ref().is_some_and(|penalties| penalties.junk > 0.0);
    in_force([
        (
            !constants.tags.clean_truth,
            "tags.clean_truth",
            "tags of the ground truth with capital letters or hyphens can be nobody's",
        ),
        (rule.scored_tags > 20, "evaluator.scored_tags", "of many tags 21 are scored, where 20 are meant"),
        (!rule.minimum_distinct, "evaluator.minimum_distinct", "one tag sent three times passes for three"),
        (
            !rule.isolate_not_finite,
            "evaluator.isolate_not_finite",
            "one tag whose vector has no direction spoils the statistics of its answer",
        ),
        (!rule.hold_at_zero, "evaluator.hold_at_zero", "penalties make a negative score better"),
        (junk, "evaluator.penalties.junk", "answers off topic are paid, at a discount"),
        (rule.share_copies.is_none(), "evaluator.share_copies", "copies of an answer are paid like the answer"),
        (
            !rule.isolate_empty,
            "evaluator.isolate_empty",
            "one answer without a usable tag ends the round for everybody",
        ),
    ])
}

fn in_weights(constants: &Constants) -> Vec<Weakness> {
    let payout = &constants.payout;
    let ranked = payout.curve.is_some();
    let burn = payout.burn.as_ref();
    in_force([
        (
            ranked,
            "payout.curve",
            "ranks alone are paid: the worst gets a third of the best, so that many poor miners outweigh a good one",
        ),
        (
            ranked && constants.average.power.is_some(),
            "average.power",
            "the power of the averages is computed and changes no weight",
        ),
        (ranked && payout.minimum_average <= 0.0, "payout.minimum_average", "who ever scored is paid for ever"),
        (payout.pay_negative, "payout.pay_negative", "negative scores are ranked and paid"),
        (
            payout.even_without_scores,
            "payout.even_without_scores",
            "when no average counts, everybody is paid alike, even who was never asked",
        ),
        (
            burn.is_some_and(|burn| !burn.whole_when_alone),
            "payout.burn.whole_when_alone",
            "weights do not sum to 1 when only the burning slot is left",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_reported_and_closed_by_our_rule_set() {
        let flags = |constants: &Constants| of(constants).into_iter().map(|(flag, _)| flag).collect::<Vec<_>>();
        let curve = ["bell_curve"; 4];
        let scores = ["overlap.mostly_own", "overlap.identical", "tags.clean_truth"];
        assert_eq!(flags(&Constants::readme()), [&["tags.escape_lines"][..], &curve, &scores].concat());
        let running = flags(&Constants::v2_30_65());
        assert_eq!(running.len(), 18, "{running:?}");
        assert!(running.contains(&"windows.fallback_size") && running.contains(&"average.power"));
        assert!(flags(&Constants::assay_1()).is_empty());
    }
}
