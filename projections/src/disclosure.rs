//! What of the log may be shown, and when: one decision for GraphQL, the event feed and exports.
//!
//! Prompts, answers, judgements and vectors are shown once their challenge has ended: from its `RoundEvaluated`, or from the
//! `RoundAbandoned` that is its last. A failed attempt that is drawn again discloses nothing, because its answers could be
//! copied. Derived weights are shown once they stand on chain, are revealed, or their epoch is closed. Until then a reader
//! sees positions and hashes, which prove later that nothing was changed.

/// What is known of an event's subject at the position that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject {
    /// Its challenge was evaluated or finally abandoned.
    pub challenge_ended: bool,
    /// Its epoch's weights were included or revealed, or the epoch is closed.
    pub weights_public: bool,
}

/// What has to happen before a payload may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Always,
    /// The challenge ends.
    AfterChallenge,
    /// The weights become public.
    AfterWeights,
    /// It is never shown: the kind is unknown to this program.
    Never,
}

/// The rule of a kind. A kind that this program does not know is never shown.
#[must_use]
pub fn rule(kind: &str) -> Rule {
    match kind {
        "ChallengeAccepted" | "ResponseReceived" | "ResponseFailed" | "EmbeddingComputed" | "JudgementRecorded"
        | "LabelRevealed" => Rule::AfterChallenge,
        "WeightsDerived" | "WeightsSubmitted" => Rule::AfterWeights,
        known if domain::events::Event::KINDS.contains(&known) => Rule::Always,
        _ => Rule::Never,
    }
}

/// Whether the payload of an event of this kind may be shown.
#[must_use]
pub fn is_public(kind: &str, subject: Subject) -> bool {
    match rule(kind) {
        Rule::Always => true,
        Rule::AfterChallenge => subject.challenge_ended,
        Rule::AfterWeights => subject.weights_public,
        Rule::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_rule_and_unknown_kinds_stay_hidden() {
        let guarded: Vec<&str> =
            domain::events::Event::KINDS.iter().copied().filter(|kind| rule(kind) != Rule::Always).collect();
        assert_eq!(
            guarded,
            [
                "ChallengeAccepted",
                "ResponseReceived",
                "ResponseFailed",
                "EmbeddingComputed",
                "JudgementRecorded",
                "LabelRevealed",
                "WeightsDerived",
                "WeightsSubmitted"
            ]
        );
        assert_eq!(rule("SomethingNew"), Rule::Never);
    }

    #[test]
    fn each_rule_asks_for_its_own_fact() {
        let ended = Subject { challenge_ended: true, weights_public: false };
        let public = Subject { challenge_ended: false, weights_public: true };
        assert!(is_public("ResponseReceived", ended) && !is_public("ResponseReceived", public));
        assert!(is_public("WeightsDerived", public) && !is_public("WeightsDerived", ended));
        assert!(is_public("RoundEvaluated", Subject::default()));
        assert!(!is_public("SomethingNew", Subject { challenge_ended: true, weights_public: true }));
    }
}
