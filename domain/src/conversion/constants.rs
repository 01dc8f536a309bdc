//! The constants of the conversion rule sets, typed, and the three values that are shipped.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change. Differences between the rule sets are constants and
//! flags here, never code.

use serde::{Deserialize, Serialize};

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
    /// Moving average (spec 2.9).
    pub average: Average,
}

/// Size and duration of a round (spec 3.3 and 3.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked in a round at most.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
}

/// Labels (spec 2.12).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The public rule.
    pub rule: LabelRule,
    /// Seconds to conversion where a label service only says that it happened.
    pub service_positive_seconds: f64,
    /// A round without a label is abandoned after so many seconds.
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
    /// Weight of the newest reward; in single precision, over all miners, those not asked with a reward of 0.
    pub alpha: f64,
}

impl Constants {
    /// `conversion/readme`: the quickstart. 55 % classification, 35 % regression and 10 % diversity make 80 % of the
    /// reward, the response time 20 %; class weights follow the labels. What it does not say is taken from the code.
    #[must_use]
    pub fn readme() -> Self {
        let code = Self::v0_1_0();
        Self {
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

    /// `conversion/0.1.0`: the running upstream, which pays every miner the same (see [`Gate::answers_read`]).
    #[must_use]
    pub fn v0_1_0() -> Self {
        Self {
            collection: Collection { miners: 10, deadline_ms: 60_000 },
            label: Label {
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
            average: Average { alpha: 0.05 },
        }
    }

    /// `conversion/assay-1`: the running upstream's mix with its weaknesses closed. Answers are read, their times measured
    /// and finite, silence and echoes earn nothing, nor do wrong classes, speed pays for right answers only, class weights
    /// follow the conversations and never reach 0, and one coldkey is paid once.
    ///
    /// Identical answers of different coldkeys stay paid: where truth is a public function, all who know it agree.
    #[must_use]
    pub fn assay_1() -> Self {
        let code = Self::v0_1_0();
        Self {
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
            ..code
        }
    }

    /// The shipped rule sets by version.
    #[must_use]
    pub fn shipped() -> [(&'static str, Self); 3] {
        [("readme", Self::readme()), ("0.1.0", Self::v0_1_0()), ("assay-1", Self::assay_1())]
    }

    /// Known weaknesses that are in force: the flag, and what it lets happen. For whoever is about to choose a rule set.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<(&'static str, &'static str)> {
        let (gate, classes, reward) = (&self.gate, &self.classes, &self.reward);
        let all = [
            (!gate.answers_read, "gate.answers_read", "answers are not read: every miner is paid the same"),
            (gate.missing_is_no, "gate.missing_is_no", "silence is paid like the answer no"),
            (!gate.finite_seconds, "gate.finite_seconds", "times that are no finite numbers pass the gate"),
            (
                !gate.confidence_demanded,
                "gate.confidence_demanded",
                "an echo of the request is paid like the answer no",
            ),
            (!classes.carried, "classes.carried", "class weights never follow the labels"),
            (classes.least == 0.0, "classes.least", "after truths of one class alone that class is worth nothing"),
            (reward.claimed_time, "reward.claimed_time", "miners state their own response time, also a negative one"),
            (!reward.right_answers_only, "reward.right_answers_only", "an instant wrong answer earns the time term"),
            (!self.share_within_coldkey, "share_within_coldkey", "one model under many hotkeys is paid for each"),
        ];
        all.into_iter().filter(|(holds, ..)| *holds).map(|(_, flag, what)| (flag, what)).collect()
    }

    /// The first constant that is outside of its domain, and what is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let (classes, reward, rule) = (&self.classes, &self.reward, &self.label.rule);
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let mix = reward.classification + reward.regression + reward.diversity;
        let checks = [
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
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
        ];
        checks.into_iter().find(|(_, _, holds)| !holds).map(|(constant, problem, _)| (constant, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Body, RuleSet};

    #[test]
    fn shipped_rule_sets_are_canonical_and_frozen() {
        let hashes = Constants::shipped().map(|(version, constants)| {
            assert_eq!(constants.problem(), None, "{version}");
            let body = Body { algorithm: "conversion".to_owned(), version: version.to_owned(), constants };
            let rule_set = RuleSet::from_body(&body).unwrap();
            assert_eq!(rule_set.constants::<Constants>().unwrap(), body.constants);
            (version, rule_set.hash().to_string())
        });
        assert_eq!(hashes.map(|(_, hash)| hash), HASHES);
    }

    const HASHES: [&str; 3] = [
        "e92d1f0fb95c49f4ccf87b84770c3a5f07e831c48dd32926d1ea08aab21ca05c",
        "f937c65c4a2ec7e030cf113232988f2c8b9b5ff7d5c261c64b43d7b3ffba50d7",
        "f5025c83dc1dc1b9a93f9edf7ba2fabddb254df601327d677234500361a6e499",
    ];

    #[test]
    fn weaknesses_are_reported_and_closed_by_our_rule_set() {
        assert_eq!(Constants::v0_1_0().weaknesses().len(), 9);
        let readme: Vec<&str> = Constants::readme().weaknesses().into_iter().map(|(flag, _)| flag).collect();
        assert!(!readme.contains(&"gate.answers_read") && readme.contains(&"reward.right_answers_only"));
        assert_eq!(Constants::assay_1().weaknesses(), []);
    }

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
    }
}
