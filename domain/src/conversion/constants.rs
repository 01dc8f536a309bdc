//! The constants of the conversion rule sets, typed; [`super::rules`] has the three values that are shipped.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change. Differences between the rule sets are constants and
//! flags here, never code.

use serde::{Deserialize, Serialize};

use crate::mechanism::{self, Check, Weakness};

/// Everything that a round's scores and an epoch's weights depend on besides recorded facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Who is asked, and for how long.
    pub collection: Collection,
    /// Where truth comes from.
    pub label: Label,
    /// Which answers count.
    pub gate: Gate,
    /// Class weights (spec 2.1 and 2.7).
    pub classes: Classes,
    /// Terms and their mix (spec 2.1 to 2.5).
    pub reward: Reward,
    /// Answers of hotkeys of one coldkey share one reward: each is divided by their number. Otherwise whoever runs one
    /// model under many hotkeys is paid for each.
    pub share_within_coldkey: bool,
    /// Equal answers (class, time and confidence) to one task share one reward, whoever owns their hotkeys: who copied whom is not
    /// to be told from the order of arrival.
    #[serde(default, skip_serializing_if = "is_false")]
    pub share_equal_answers: bool,
    /// Moving average (spec 2.9).
    pub average: Average,
    /// Limits that shape weights before they are sent (spec 3.6).
    pub weights: WeightLimits,
    /// Only what exceeds constant answers is paid ([`super::skill`]); `null`: averages alone are paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_constant: Option<AboveConstant>,
}

/// Left out of the canonical JSON of rule sets without it.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Size and duration of a round (spec 3.3 and 3.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked in a round at most.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
    /// Slots with a validator permit and more stake than this, in TAO, are neither asked nor paid.
    pub permit_stake: f64,
}

/// Labels (spec 2.12).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Rounds wait until the label is revealed. The running upstream has neither labels nor a wait: it scores by the public
    /// rule at once.
    pub awaited: bool,
    /// The public rule.
    pub rule: LabelRule,
    /// Seconds to conversion where a label service only says that it happened.
    pub service_positive_seconds: f64,
    /// A label that is revealed later than so many seconds after the round's evaluation counts for nothing.
    pub expires_after_seconds: u64,
}

/// Upstream's deterministic rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// Entities that a conversation with a target needs.
    pub entities: f64,
    /// Ratio that must be exceeded.
    pub ratio: f64,
    /// Duration that must be exceeded.
    pub duration_seconds: f64,
    /// Share of the duration in the time to conversion.
    pub time_scale: f64,
    /// Seconds that a target adds.
    pub target_seconds: f64,
    /// Seconds that each further entity takes off.
    pub entity_seconds: f64,
    /// Entities that take nothing off.
    pub free_entities: f64,
    /// Seconds that a ratio of 0 adds.
    pub ratio_seconds: f64,
    /// Ratio from which nothing is added.
    pub ratio_full: f64,
    /// The shortest time to conversion.
    pub least_seconds: f64,
}

/// Which answers count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Answers reach the scoring. The running upstream looks for the wrong key and scores the default answer "no" in the
    /// place of every answer (spec 7, item 1); off, this does the same.
    pub answers_read: bool,
    /// No answer, or one without a prediction, is scored as the answer "no" (spec 2.8 and 6). Otherwise it earns nothing.
    pub missing_is_no: bool,
    /// Infinite and NaN times are refused; upstream lets them pass (spec 7, item 11).
    pub finite_seconds: bool,
    /// A confidence between 0 and 1 is demanded. It also tells an answer from an echo of the request, whose prediction
    /// says "no" and whose confidence is null.
    pub confidence_demanded: bool,
    /// Confidence of an answer that gives none.
    pub default_confidence: f64,
}

/// Class weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// Weight of a correct "yes" before the first update.
    pub positive: f64,
    /// Weight of a correct "no" before the first update.
    pub negative: f64,
    /// Truths between updates, and how many are remembered.
    pub interval: u64,
    /// The statistics go on from round to round. The running upstream builds them anew for each challenge, so that the
    /// first weights stay for ever (spec 2.9).
    pub carried: bool,
    /// A truth counts once per scored answer, as in upstream's code, instead of once per conversation.
    pub per_answer: bool,
    /// The least weight of a class, and 1 minus the greatest: 0 lets a class that was always right become worthless.
    pub least: f64,
}

/// Terms and mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// Share of classification in the prediction term.
    pub classification: f64,
    /// Share of regression in the prediction term.
    pub regression: f64,
    /// Share of diversity in the prediction term.
    pub diversity: f64,
    /// How diversity follows from the confidence.
    pub diversity_curve: DiversityCurve,
    /// Absolute error in seconds at which regression reaches 0.
    pub baseline_seconds: f64,
    /// Share of the prediction term in the whole.
    pub prediction: f64,
    /// Share of time in the whole.
    pub time: f64,
    /// Seconds at which the time term reaches 0.
    pub timeout_seconds: f64,
    /// The time that the answer itself states is believed (spec 7, item 2), instead of the validator's measurement.
    pub claimed_time: bool,
    /// Time and diversity are earned by right answers only: the class is right, and the time of a "yes" is off by less than
    /// the baseline. Otherwise an instant guess earns a fifth of the whole.
    pub right_answers_only: bool,
}

/// How the diversity term follows from the confidence c, the probability of "yes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiversityCurve {
    /// `2 · |c − 0.5|`, held within 0 and 1: what the quickstart says in words, as far as one answer can show it (confident
    /// predictions are encouraged, those near 50 % penalised, the term is worth 10 %). It gives no formula.
    Distance,
    /// Upstream's code: `0.5 − |c − 0.5|`, but 0.5 at exactly 0 and 1, and 0 at exactly 0.5.
    Folded,
}

/// Moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Weight of the newest reward; in single precision.
    pub alpha: f64,
    /// What a round does to miners that it did not ask.
    pub unasked: Unasked,
}

/// What a round does to miners that it did not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Unasked {
    /// They move towards 0, as if their reward were 0: upstream's way (spec 2.9), which pays for luck in the draw.
    Decay,
    /// They stay as they are. Who has not answered a sweep for so many seconds is not paid, so that nobody lives on an
    /// average that no round can lower.
    Keep {
        /// Seconds.
        stale_after_seconds: u64,
    },
}

/// Limits of the SDK's weight processing. Upstream takes both from the chain; without a chain at hand these change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightLimits {
    /// How many weights must be above 0.
    pub minimum: u16,
    /// The largest share of one miner.
    pub maximum_share: f64,
}

/// How a miner's answers are told from a constant one's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboveConstant {
    /// Labelled answers that are remembered of a miner, the newest.
    pub answers: u64,
    /// Seconds after which a labelled answer is forgotten.
    pub window_seconds: u64,
    /// Wrong answers that are added to those of each class, so that a few lucky ones prove nothing and one class alone never does.
    pub assumed_wrong: f64,
    /// Standard errors by which the skill must exceed a constant answer's: what is within them may be luck.
    pub standard_errors: f64,
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "conversion";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("readme", Self::readme()), ("0.1.0", Self::v0_1_0()), ("assay-1", Self::assay_1())]
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        super::weaknesses::of(self)
    }

    fn checks(&self) -> Vec<Check> {
        let (classes, reward, rule) = (&self.classes, &self.reward, &self.label.rule);
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let above = self.above_constant.as_ref();
        let mix = reward.classification + reward.regression + reward.diversity;
        vec![
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
            ("collection.permit_stake", "must be a number", !self.collection.permit_stake.is_nan()),
            ("label.rule.ratio_full", positive, rule.ratio_full > 0.0),
            ("label.rule.least_seconds", positive, rule.least_seconds > 0.0),
            ("label.service_positive_seconds", positive, self.label.service_positive_seconds > 0.0),
            ("label.expires_after_seconds", positive, self.label.expires_after_seconds > 0),
            ("gate.default_confidence", shares, within(self.gate.default_confidence)),
            ("classes.positive", shares, within(classes.positive)),
            ("classes.negative", shares, within(classes.negative)),
            ("classes.interval", "must lie between 1 and 10000", (1..=10_000).contains(&classes.interval)),
            ("classes.least", "must lie between 0 and 0.5", (0.0..=0.5).contains(&classes.least)),
            ("reward.classification", shares, within(reward.classification)),
            ("reward.regression", shares, within(reward.regression)),
            ("reward.diversity", shares, within(reward.diversity)),
            ("reward", "classification, regression and diversity must sum to 1", (mix - 1.0).abs() < 1e-9),
            ("reward.baseline_seconds", positive, reward.baseline_seconds > 0.0),
            ("reward.prediction", shares, within(reward.prediction)),
            ("reward.time", shares, within(reward.time)),
            ("reward.timeout_seconds", positive, reward.timeout_seconds > 0.0),
            ("average.alpha", shares, within(self.average.alpha)),
            ("weights.minimum", positive, self.weights.minimum > 0),
            ("weights.maximum_share", shares, within(self.weights.maximum_share) && self.weights.maximum_share > 0.0),
            (
                "above_constant.answers",
                "must lie between 2 and 1000",
                above.is_none_or(|rule| (2..=1000).contains(&rule.answers)),
            ),
            ("above_constant.window_seconds", positive, above.is_none_or(|rule| rule.window_seconds > 0)),
            (
                "above_constant.assumed_wrong",
                "must be above 0 and at most 100",
                above.is_none_or(|rule| rule.assumed_wrong > 0.0 && rule.assumed_wrong <= 100.0),
            ),
            (
                "above_constant.standard_errors",
                "must lie between 0 and 10",
                above.is_none_or(|rule| (0.0..=10.0).contains(&rule.standard_errors)),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::Constants as _;

    #[test]
    fn constants_outside_of_their_domain_are_named() {
        let broken = |change: fn(&mut Constants)| {
            let mut constants = Constants::readme();
            change(&mut constants);
            constants.problem().map(|(constant, _)| constant)
        };
        assert_eq!(broken(|c| c.reward.regression = 0.45), Some("reward"));
        assert_eq!(broken(|c| c.reward.baseline_seconds = 0.0), Some("reward.baseline_seconds"));
        assert_eq!(broken(|c| c.classes.interval = 0), Some("classes.interval"));
        assert_eq!(broken(|c| c.average.alpha = f64::NAN), Some("average.alpha"));
        assert_eq!(broken(|c| c.label.expires_after_seconds = 0), Some("label.expires_after_seconds"));
        assert_eq!(broken(|c| c.classes.least = 0.6), Some("classes.least"));
        assert_eq!(broken(|c| c.weights.maximum_share = 0.0), Some("weights.maximum_share"));
        assert_eq!(broken(|c| c.weights.minimum = 0), Some("weights.minimum"));
        let above = |answers, assumed_wrong| {
            Some(AboveConstant { answers, window_seconds: 1, assumed_wrong, standard_errors: 2.0 })
        };
        let mut constants = Constants::assay_1();
        for (rule, expected) in [
            (above(1, 0.5), Some("above_constant.answers")),
            (above(2, 0.0), Some("above_constant.assumed_wrong")),
            (above(2, f64::NAN), Some("above_constant.assumed_wrong")),
            (above(2, 0.5), None),
        ] {
            constants.above_constant = rule;
            assert_eq!(constants.problem().map(|(constant, _)| constant), expected);
        }
    }
}
