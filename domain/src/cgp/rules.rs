//! The shipped rule sets: what the document states, what the running upstream does, and upstream's rules with their
//! weaknesses closed.

use super::average::Average;
use super::constants::{
    Batch, Burn, ChainLimits, Collection, Constants, Evaluator, Form, Membership, Payout, Profiles, QualityGate, Tags,
    Validation, Windows,
};
use super::overlap::OverlapScore;
use super::penalties::Penalties;
use super::rank_curve::Curve;
use super::statistics::StatisticWeights;
use crate::loosh::constants::Constants as LooshConstants;

impl Constants {
    /// `cgp/readme`: three miners per window, base score by overlap, rewards by the bell curve over one window. Moving
    /// average and weights, of which the document says nothing, are those of the template it stands on. Where its code
    /// divides by zero (no tags, no spread), the code after it pays 0, and so does this.
    pub fn readme() -> Self {
        Self {
            models: LooshConstants::readme().models,
            collection: Collection {
                miners: 3,
                deadline_ms: 12_000,
                masked: false,
                form: Form::Window,
                validator_stake: 4096,
            },
            batch: Batch { conversations: 1, windows: None, minimum_pieces: 1, shuffle: false },
            windows: Windows { size: 10, overlap: 2, fallback_size: 5, maximum_lines: None, minimum: 1 },
            quality: None,
            tags: Tags {
                minimum_truth: 10,
                clean_truth: false,
                escape_lines: false,
                json_replies: false,
                validation: None,
            },
            overlap: Some(OverlapScore {
                identical: 0.1,
                own_share: 0.5,
                mostly_own: 0.2,
                shared_weight: 0.8,
                own_weight: 0.2,
                own_limit: 0.2,
            }),
            evaluator: None,
            profiles: Some(Profiles { stated_scorer: "conversation server".to_owned(), scorable: false, weight: 0.0 }),
            bell_curve: true,
            average: Average { alpha: 0.1, halve_for_zero: false, power: None },
            payout: Payout {
                curve: None,
                minimum_average: 0.0,
                pay_negative: false,
                even_without_scores: false,
                burn: None,
                limits: CHAIN_LIMITS,
            },
        }
    }

    /// `cgp/2.30.65`: the running upstream, conversation tasks.
    pub fn v2_30_65() -> Self {
        Self {
            models: LooshConstants::v1_2_8().models,
            collection: Collection {
                miners: 6,
                deadline_ms: 12_000,
                masked: true,
                form: Form::Task,
                validator_stake: 4096,
            },
            batch: Batch { conversations: 10, windows: Some(5), minimum_pieces: 10, shuffle: true },
            windows: Windows { size: 10, overlap: 2, fallback_size: 2, maximum_lines: Some(300), minimum: 1 },
            quality: Some(QualityGate { minimum: 5.0 }),
            tags: Tags {
                minimum_truth: 0,
                clean_truth: false,
                escape_lines: false,
                json_replies: false,
                validation: Some(Validation { sample: 20, longest_tag: 50, membership: Membership::Sent }),
            },
            overlap: None,
            evaluator: Some(Evaluator {
                minimum_tags: 3,
                minimum_distinct: false,
                scored_tags: 21,
                isolate_not_finite: false,
                weights: StatisticWeights { top_mean: 0.55, median: 0.1, mean: 0.25, maximum: 0.1 },
                hold_at_zero: false,
                penalties: Some(Penalties {
                    none_shared: 0.9,
                    junk_below: 0.2,
                    unshared_junk_below: 0.2,
                    junk: 0.5,
                    few_below: 2,
                    few: 0.2,
                    few_unique: [0.85, 0.9, 0.95],
                }),
                share_copies: None,
                isolate_empty: false,
            }),
            profiles: None,
            bell_curve: false,
            average: Average { alpha: 0.1, halve_for_zero: true, power: Some(3.0) },
            payout: Payout {
                curve: Some(Curve { least: 0.001, most: 0.003 }),
                minimum_average: 0.0,
                pay_negative: true,
                even_without_scores: true,
                burn: Some(Burn { rate: 0.9, whole_when_alone: false }),
                limits: CHAIN_LIMITS,
            },
        }
    }

    /// `cgp/assay-1`: 2.30.65 with these differences, each a constant.
    ///
    /// - Ground-truth tags are cleaned like the miners', and a validated tag counts when it is one that was asked about:
    ///   upstream loses every tag with a capital letter, a hyphen or a full stop (`clean_truth`, `membership`).
    /// - A model's reply is JSON of one form, and one of another form is none (`json_replies`). Upstream reads free text, in
    ///   which the word "malformed" ends the good tags, and a reply without it loses its last character.
    /// - Short conversations fall back to windows of 5, not to one that is always dropped (`fallback_size`).
    /// - Three tags are three different ones (`minimum_distinct`); exactly 20 are scored (`scored_tags`).
    /// - A vector without direction counts 0 for its own tag and spoils nothing else (`isolate_not_finite`).
    /// - An answer whose best tag is off topic gets nothing, not half (`junk`), and the bounds fit the one model that is
    ///   accepted ([`JUNK_BELOW`], [`UNSHARED_JUNK_BELOW`], `models`). Negative scores are held at 0 before penalties and
    ///   are not paid (`hold_at_zero`, `pay_negative`).
    /// - Answers of a round whose sets of tags are the same or nearly so share one score ([`COPIES_FROM`], `share_copies`).
    /// - Weights are shares of the cubes of the averages, not a curve over their ranks (`curve`): ten copies with a tenth of a
    ///   score each get a thousandth of an honest miner's weight each, where the curve gave each at least a third. Upstream
    ///   computes the cubes (`power`) and then looks at their ranks alone, so that they are without effect.
    /// - An average under 0.02 is not paid: upstream pays anybody who ever scored, for ever (`minimum_average`).
    /// - Nobody is paid when no average counts; upstream then pays everybody alike (`even_without_scores`).
    /// - An answer without a usable tag costs nobody else anything (`isolate_empty`).
    /// - Lines are escaped in prompts (`escape_lines`).
    /// - Weights sum to 1 when only the burning slot is left (`whole_when_alone`).
    ///
    /// Averages are keyed by hotkey under every rule set: a uid that is reused inherits nothing.
    pub fn assay_1() -> Self {
        let mut rules = Self::v2_30_65();
        rules.models = LooshConstants::readme().models;
        rules.windows.fallback_size = 5;
        rules.tags.clean_truth = true;
        rules.tags.escape_lines = true;
        rules.tags.json_replies = true;
        rules.tags.validation = Some(Validation { sample: 20, longest_tag: 50, membership: Membership::Clean });
        if let Some(evaluator) = &mut rules.evaluator {
            evaluator.minimum_distinct = true;
            evaluator.scored_tags = 20;
            evaluator.isolate_not_finite = true;
            evaluator.hold_at_zero = true;
            evaluator.share_copies = Some(COPIES_FROM);
            evaluator.isolate_empty = true;
            if let Some(penalties) = &mut evaluator.penalties {
                penalties.junk = 0.0;
                penalties.junk_below = JUNK_BELOW;
                penalties.unshared_junk_below = UNSHARED_JUNK_BELOW;
            }
        }
        rules.payout.curve = None;
        rules.payout.minimum_average = 0.02;
        rules.payout.pay_negative = false;
        rules.payout.even_without_scores = false;
        rules.payout.burn = Some(Burn { rate: 0.9, whole_when_alone: true });
        rules
    }
}

/// Limits of a subnet that nobody changed: one weight is enough, and one miner may have all of it.
const CHAIN_LIMITS: ChainLimits = ChainLimits { minimum_weights: 1, maximum_share: 1.0 };

/// Share of the tags of both that two answers have in common from which on `cgp/assay-1` calls them copies: of two lists of 20
/// tags at least 15 are the same, of two lists of three all.
pub const COPIES_FROM: f64 = 0.6;

/// Similarity of its best tag below which `cgp/assay-1` calls an answer off topic that shares a tag with the ground truth.
///
/// Upstream's 0.2 was made for another model and never fires with all-MiniLM-L6-v2, under which words of any two subjects
/// are at 0.3 or more. Measured with it on nine conversations: tags of a conversation's own windows are at 0.54 or more.
pub const JUNK_BELOW: f64 = 0.4;

/// The same for an answer that shares none. Measured as above: of 108 answers on other subjects, common words and
/// gibberish one reaches 0.58 and the rest stay below; honest answers that share nothing are at 0.587 or more.
pub const UNSHARED_JUNK_BELOW: f64 = 0.58;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::Constants as _;

    #[test]
    fn constants_outside_of_their_domain_are_named() {
        type Spoil = fn(&mut Constants);
        let spoilt: [(&str, Spoil); 7] = [
            ("evaluator", |c| c.overlap = Constants::readme().overlap),
            ("windows.overlap", |c| c.windows.overlap = 10),
            ("average.alpha", |c| c.average.alpha = 1.5),
            ("payout.burn.rate", |c| c.payout.burn = Some(Burn { rate: f64::NAN, whole_when_alone: false })),
            ("evaluator.scored_tags", |c| c.evaluator.as_mut().unwrap().scored_tags = 0),
            ("evaluator.share_copies", |c| c.evaluator.as_mut().unwrap().share_copies = Some(0.0)),
            ("payout.curve", |c| c.payout.curve = Some(Curve { least: 0.0, most: 0.003 })),
        ];
        for (constant, spoil) in spoilt {
            let mut constants = Constants::v2_30_65();
            spoil(&mut constants);
            assert_eq!(constants.problem().map(|(name, _)| name), Some(constant));
        }
        let mut document = Constants::readme();
        document.profiles.as_mut().unwrap().weight = 0.1;
        assert_eq!(document.problem().map(|(name, _)| name), Some("profiles.weight"));
    }
}
