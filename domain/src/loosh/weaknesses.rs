//! What a rule set of Loosh is known to let happen, by the constant that decides it. Numbers are those of the
//! specification, section 7.
//!
//! Two things remain under every rule set, because no constant of a round decides them: an owner's hotkeys that are drawn in
//! different rounds do not share (8), and owners are told by what they advertise on the chain (23). That a setting which was rate
//! limited or skipped counts as done (18) is in no rule set: what became of weights is a fact of the log, `EpochClosed` and the
//! events before it.

use super::constants::{Constants, SignalWeights};
use crate::mechanism::{Weakness, in_force};

/// The weaknesses that these constants have.
pub(super) fn of(constants: &Constants) -> Vec<Weakness> {
    let remedies = constants.remedies.as_ref();
    let quality = constants.quality.as_ref();
    let caps = constants.entity_caps.as_ref();
    let lacks = |closed: Option<bool>| !closed.unwrap_or_default();
    let total = quality.map_or(1.0, |quality| total(&quality.weights));
    let detection = constants.sybil_detection.as_ref();
    in_force([
        (
            lacks(remedies.map(|rule| rule.members_only)),
            "remedies.members_only",
            "answers that a stage dropped are paid: an instant one off the topic earns more than a good one (3)",
        ),
        (
            total > 1.0 + 1e-9,
            "quality.weights",
            "they sum to more than 1, so that decent answers cannot be told apart (4)",
        ),
        (constants.consensus.lambda > 0.0, "consensus.lambda", "disagreement raises what everybody earns (5)"),
        (
            lacks(remedies.map(|rule| rule.lone_survivor)),
            "remedies.lone_survivor",
            "the only good answer earns nothing beside one that is dropped (6)",
        ),
        (
            lacks(remedies.map(|rule| rule.quality_pays)),
            "remedies.quality_pays",
            "emissions do not depend on quality (7)",
        ),
        (
            lacks(remedies.map(|rule| rule.owners_share)),
            "remedies.owners_share",
            "every hotkey of an owner is paid in full (8)",
        ),
        (
            caps.is_some_and(|caps| !caps.linked),
            "entity_caps.linked",
            "an owner who moves some hotkeys to another address has another vote (8)",
        ),
        (
            remedies.is_none(),
            "remedies.copy_similarity",
            "the same words are paid once for every hotkey that sends them (3.8)",
        ),
        (remedies.is_none(), "remedies.minimum_words", "empty answers are paid (3)"),
        (
            lacks(remedies.map(|rule| rule.freshness_by_work)),
            "remedies.freshness_by_work",
            "who answers pings and nothing else keeps its weight for a day (15)",
        ),
        (
            lacks(remedies.map(|rule| rule.failures_count)),
            "remedies.failures_count",
            "failing to answer costs nothing (16)",
        ),
        (
            constants.sybil_penalty.as_ref().is_some_and(|rule| rule.retention > 0.02),
            "sybil_penalty.retention",
            "a certain sybil keeps more than the 2 % that were announced (17)",
        ),
        (
            lacks(remedies.map(|rule| rule.broken_vectors_apart)),
            "remedies.broken_vectors_apart",
            "one vector that is no number ends the round for everybody (section 6)",
        ),
        (
            detection.is_some_and(|limits| limits.percentile_pairs < 1000),
            "sybil_detection.percentile_pairs",
            "in a small round the closest pair is always called suspicious (3.11)",
        ),
    ])
}

fn total(weights: &SignalWeights) -> f64 {
    crate::math::sum(&[
        weights.relevance,
        weights.coherence,
        weights.coverage,
        weights.complexity,
        weights.density,
        weights.specificity,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_reported_and_closed_by_our_rule_set() {
        assert_eq!(of(&Constants::assay_1()), []);
        let running = of(&Constants::v1_2_8());
        assert_eq!(running.len(), 14);
        // Generation 1 has neither quality nor caps nor penalty nor detection.
        let documented = of(&Constants::readme());
        assert_eq!(documented.len(), 10);
        assert!(documented.iter().all(|weakness| running.contains(weakness)));
    }
}
