//! The three conversion rule sets that are shipped.
//!
//! A shipped value must never change once it is released: its hash is what ledgers adopt.

use super::constants::{
    AboveConstant, Average, Classes, Collection, Constants, DiversityCurve, Gate, Label, LabelRule, Reward, Unasked,
    WeightLimits,
};

impl Constants {
    /// `conversion/readme`: the quickstart. 55 % classification, 35 % regression and 10 % diversity make 80 % of the
    /// reward, the response time 20 %; class weights follow the labels, which come after the answers. What it does not say is
    /// taken from the code.
    #[must_use]
    pub fn readme() -> Self {
        let code = Self::v0_1_0();
        Self {
            label: Label { awaited: true, ..code.label },
            gate: Gate { answers_read: true, missing_is_no: false, ..code.gate },
            classes: Classes { carried: true, ..code.classes },
            reward: Reward {
                regression: 0.35,
                diversity: 0.1,
                diversity_curve: DiversityCurve::Distance,
                claimed_time: false,
                ..code.reward
            },
            ..code
        }
    }

    /// `conversion/0.1.0`: the running upstream, which pays every miner the same (see [`Gate::answers_read`]). Rounds are scored by
    /// the public rule as soon as they are answered; nothing is revealed later.
    #[must_use]
    pub fn v0_1_0() -> Self {
        Self {
            collection: Collection { miners: 10, deadline_ms: 60_000, permit_stake: 4096.0 },
            label: Label {
                awaited: false,
                rule: LabelRule {
                    entities: 4.0,
                    ratio: 1.2,
                    duration_seconds: 90.0,
                    time_scale: 0.7,
                    target_seconds: 10.0,
                    entity_seconds: 5.0,
                    free_entities: 3.0,
                    ratio_seconds: 5.0,
                    ratio_full: 2.0,
                    least_seconds: 30.0,
                },
                service_positive_seconds: 60.0,
                expires_after_seconds: 24 * 3600,
            },
            gate: Gate {
                answers_read: false,
                missing_is_no: true,
                finite_seconds: false,
                confidence_demanded: false,
                default_confidence: 0.5,
            },
            classes: Classes {
                positive: 0.375,
                negative: 0.625,
                interval: 100,
                carried: false,
                per_answer: true,
                least: 0.0,
            },
            reward: Reward {
                classification: 0.55,
                regression: 0.45,
                diversity: 0.0,
                diversity_curve: DiversityCurve::Folded,
                baseline_seconds: 15.0,
                prediction: 0.8,
                time: 0.2,
                timeout_seconds: 60.0,
                claimed_time: true,
                right_answers_only: false,
            },
            share_within_coldkey: false,
            share_equal_answers: false,
            average: Average { alpha: 0.05, unasked: Unasked::Decay },
            weights: WeightLimits { minimum: 1, maximum_share: 1.0 },
            above_constant: None,
        }
    }

    /// `conversion/assay-1`: the running upstream's mix with its weaknesses closed. Answers are read, their times measured
    /// and finite, silence and echoes earn nothing, nor do wrong classes, speed pays for right answers only, class weights
    /// follow the conversations and never reach 0, one coldkey is paid once, and averages move in rounds that asked only.
    ///
    /// An average is paid in proportion to what the miner's answers are worth above a constant one's (`above_constant`): "no" to
    /// everything, and the "yes, 60 s" of an instant spammer, are paid nothing, as is whatever else does not look at the
    /// conversation, but for luck. Equal answers share one reward (`share_equal_answers`), a copy with its original; so do
    /// miners who know the public rule to the last digit. A copy that changes a digit is not told.
    #[must_use]
    pub fn assay_1() -> Self {
        let code = Self::v0_1_0();
        Self {
            label: Label { awaited: true, ..code.label },
            gate: Gate {
                answers_read: true,
                missing_is_no: false,
                finite_seconds: true,
                confidence_demanded: true,
                ..code.gate
            },
            classes: Classes { carried: true, per_answer: false, least: 0.1, ..code.classes },
            reward: Reward { claimed_time: false, right_answers_only: true, ..code.reward },
            share_within_coldkey: true,
            share_equal_answers: true,
            above_constant: Some(AboveConstant {
                answers: 100,
                window_seconds: 7 * 24 * 3600,
                assumed_wrong: 0.5,
                standard_errors: 2.0,
            }),
            average: Average { unasked: Unasked::Keep { stale_after_seconds: 3 * 3600 }, ..code.average },
            ..code
        }
    }
}
