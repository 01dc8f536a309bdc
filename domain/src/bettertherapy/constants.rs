//! The constants of BetterTherapy's rule sets, typed, and the three that are shipped.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change.
//!
//! - `bettertherapy/readme`: what the document states. Its quality weight is applied twice, so that 79 is the maximum.
//!   What it does not state is taken from the running upstream, except what it does not know: the burn, the 24 hours,
//!   lines and files of a batch (it speaks of the assessment of a response, so each is judged by itself), and the verdict −1.
//! - `bettertherapy/1.2.2`: the running upstream, its weaknesses included. Everything is paid to uid 0.
//! - `bettertherapy/assay-1`: the running upstream's scoring with its weaknesses closed, one constant each:
//!   1. `judge.answers_per_line` 1: an answer that manipulates the judge reaches its own score only.
//!   2. `judge.reply` strict: NaN, texts, wrong counts and other shapes are no verdict, where upstream reads NaN as 1.
//!   3. `judge.upstream_collection` off and no `judge.lines_per_file`: a failed judgement is read for nobody, stops nobody
//!      else, and no answer is lost between batch files.
//!   4. `scoring.time_by_quality`: a fast answer earns for speed in proportion to its quality, so that an instant and
//!      hardly relevant answer no longer stands near a slow good one.
//!   5. `duplicates`: of answers that are the same but for a few words only the first to arrive is paid.
//!   6. `average.combine` each: rounds that were waiting enter the average one by one instead of as a sum.
//!   7. `average.hold_unjudged`: a miner whose answer got no verdict does not decay for it.
//!   8. `selection.only_available_count`: an address's quota is used up by miners that can be asked, and is 15, not 14.
//!   9. `payout.burn` none, and no waiting for a batch.

use serde::{Deserialize, Serialize};

use crate::mechanism::{self, Check, Weakness};

/// Everything that a round's scores and an epoch's weights depend on besides recorded facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Who is asked, how often, and for how long.
    pub collection: Collection,
    /// Who may be asked (spec 3.3).
    pub selection: Selection,
    /// How answers are judged (spec 2.1 to 2.3).
    pub judge: Judge,
    /// From a verdict and a time to points (spec 2.3 and 2.4).
    pub scoring: Scoring,
    /// Equal answers of several miners; `null`: all are paid.
    pub duplicates: Option<Duplicates>,
    /// Moving average (spec 2.5).
    pub average: Average,
    /// From averages to weights (spec 2.5, 2.6 and 3.5).
    pub payout: Payout,
}

/// Size and rhythm of rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked in a round at most; 256 are all slots of a subnet.
    pub miners: u16,
    /// Milliseconds until an answer is too late.
    pub deadline_ms: u32,
    /// Seconds between two challenges that the validator makes, and between two passes of upstream over its batches.
    pub interval_seconds: u64,
}

/// Who may be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Slots of one IP address at most.
    pub per_address: u32,
    /// Whether only slots that pass every other check use up their address's quota and their endpoint.
    pub only_available_count: bool,
    /// Whether only the first slot of an IP address and port is asked.
    pub one_per_endpoint: bool,
    /// Slots of one coldkey at most.
    pub per_coldkey: u32,
    /// Slots with a validator permit and more stake than this, in TAO, are not asked.
    pub permit_stake: f64,
}

/// How answers are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// The model that is asked unless the configuration names another; a judgement records the one that answered.
    pub model: String,
    /// Tokens that the judge's reply may have.
    pub maximum_tokens: u32,
    /// The score of an answer that is as good as the base answer.
    pub anchor: f64,
    /// The score that says "this is no answer"; `null`: there is none, and such a number counts as 0.
    pub rejection: Option<f64>,
    /// How tokens are counted.
    pub tokens: Tokens,
    /// Tokens of an answer that the judge sees.
    pub answer_tokens: u32,
    /// Tokens of answers that share a judgement.
    pub line_tokens: u32,
    /// Answers that share a judgement at most; `null`: as many as fit.
    pub answers_per_line: Option<u32>,
    /// Judgements that share a batch file; `null`: there are no files. Upstream lets one more in.
    pub lines_per_file: Option<u32>,
    /// How the reply is read.
    pub reply: ReplyRule,
    /// Whether a round's judgements are collected with upstream's faults: a failed line is read as the one before it, an
    /// unreadable line stops the whole pass, and answers hang on the last file of their round only (spec 2.3, 3.4, 6).
    pub upstream_collection: bool,
    /// Seconds from a round's answers to their judgement (upstream: the 24 hours of a batch).
    pub ready_after_seconds: u64,
}

/// How tokens are counted. Upstream's own vocabulary is not shipped, so this is ours under every rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// [`super::tokens::PlainRule`].
    Plain,
}

/// How a judge's reply is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyRule {
    /// As upstream's Python does: missing scores default to 0, texts are converted, NaN becomes 1, extra scores are ignored.
    Lenient,
    /// Exactly `{"scores":[…]}` with one finite number of the scale per answer, which begins at the rejection (−1) or, where there is
    /// none, at 0; anything else is no verdict.
    Strict,
}

/// Points of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Share of quality.
    pub quality_weight: f64,
    /// How often the share of quality is applied: 2 in the document, 1 in the code.
    pub quality_weight_applied: u8,
    /// Share of time.
    pub time_weight: f64,
    /// Quality that has to be exceeded for time points.
    pub floor: f64,
    /// Whether an answer that does not exceed the floor gets nothing at all.
    pub zero_at_floor: bool,
    /// Whether time points are multiplied by quality.
    pub time_by_quality: bool,
    /// Time points, fastest first; slower than the last is 0.
    pub buckets: Vec<Bucket>,
}

/// Points for being faster than a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Seconds that have to be undercut: the limit itself belongs to the next bucket.
    pub below_seconds: f64,
    /// Points, 0 to 100.
    pub points: f64,
}

/// Equal answers of several miners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicates {
    /// Jaccard similarity of word triples from which two answers are the same.
    pub similarity: f64,
}

/// Moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Weight of the newest reward.
    pub alpha: f64,
    /// What rounds do that are ready together.
    pub combine: Combine,
    /// Whether a miner whose answer got no verdict keeps its average instead of losing a share of it.
    pub hold_unjudged: bool,
}

/// What rounds do that are ready together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Their scores are added and enter the average once: upstream. Under [`Burn::Times`] each round is scaled by itself.
    Sum,
    /// Each enters the average by itself.
    Each,
}

/// From averages to weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payout {
    /// What is kept from miners.
    pub burn: Burn,
    /// Weights that the chain asks for: with fewer, everybody gets a little. The chain's own value for a new subnet.
    pub minimum_weights: u16,
    /// The largest share of one slot. The chain's own value for a new subnet.
    pub maximum_share: f64,
    /// Share of the lowest weights that is left out, of 65535.
    pub exclude_quantile: u16,
}

/// What is kept from miners by paying the subnet owner's slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Burn {
    /// Nothing.
    None,
    /// Everything: each pass rewards this slot with 1 and nobody else (upstream since 2025-11-11).
    All {
        /// The slot.
        uid: u16,
    },
    /// The slot gets `times` the sum of all scores, then everything is scaled to `total` (2025-09-24 to 2025-10-19, with
    /// 19 and 2000: 95 %).
    Times {
        /// The slot.
        uid: u16,
        /// Multiple of the miners' sum.
        times: f64,
        /// Sum of all rewards afterwards.
        total: f64,
    },
}

impl Burn {
    /// The 95 % burn of autumn 2025.
    #[must_use]
    pub fn ninety_five() -> Self {
        Self::Times { uid: 0, times: 19.0, total: 2000.0 }
    }
}

impl Selection {
    /// Upstream's rule for `per_key` slots per address and coldkey: one less per address, because a slot counts itself
    /// before it is compared.
    #[must_use]
    pub fn upstream(per_key: u32, permit_stake: f64) -> Self {
        Self {
            per_address: per_key.saturating_sub(1),
            only_available_count: false,
            one_per_endpoint: true,
            per_coldkey: per_key,
            permit_stake,
        }
    }
}

impl Constants {
    /// `bettertherapy/readme`.
    #[must_use]
    pub fn readme() -> Self {
        let running = Self::v1_2_2();
        Self {
            judge: Judge {
                rejection: None,
                answers_per_line: Some(1),
                lines_per_file: None,
                reply: ReplyRule::Strict,
                upstream_collection: false,
                ready_after_seconds: 0,
                ..running.judge
            },
            scoring: Scoring { quality_weight_applied: 2, zero_at_floor: false, ..running.scoring },
            payout: Payout { burn: Burn::None, ..running.payout },
            ..running
        }
    }

    /// `bettertherapy/1.2.2`: the running upstream.
    #[must_use]
    pub fn v1_2_2() -> Self {
        let bucket = |below_seconds, points| Bucket { below_seconds, points };
        Self {
            collection: Collection { miners: 256, deadline_ms: 500_000, interval_seconds: 3600 },
            selection: Selection::upstream(15, 4096.0),
            judge: Judge {
                model: "gpt-4".to_owned(),
                maximum_tokens: 1000,
                anchor: 0.7,
                rejection: Some(-1.0),
                tokens: Tokens::Plain,
                answer_tokens: 400,
                line_tokens: 6000,
                answers_per_line: None,
                lines_per_file: Some(12),
                reply: ReplyRule::Lenient,
                upstream_collection: true,
                ready_after_seconds: 24 * 3600,
            },
            scoring: Scoring {
                quality_weight: 0.7,
                quality_weight_applied: 1,
                time_weight: 0.3,
                floor: 0.2,
                zero_at_floor: true,
                time_by_quality: false,
                buckets: vec![bucket(10.0, 100.0), bucket(20.0, 50.0), bucket(30.0, 20.0)],
            },
            duplicates: None,
            average: Average { alpha: 0.1, combine: Combine::Sum, hold_unjudged: false },
            payout: Payout { burn: Burn::All { uid: 0 }, minimum_weights: 1, maximum_share: 1.0, exclude_quantile: 0 },
        }
    }

    /// `bettertherapy/assay-1`.
    #[must_use]
    pub fn assay_1() -> Self {
        let running = Self::v1_2_2();
        Self {
            selection: Selection { per_address: 15, only_available_count: true, ..running.selection },
            judge: Judge {
                answers_per_line: Some(1),
                lines_per_file: None,
                reply: ReplyRule::Strict,
                upstream_collection: false,
                ready_after_seconds: 0,
                ..running.judge
            },
            scoring: Scoring { time_by_quality: true, ..running.scoring },
            duplicates: Some(Duplicates { similarity: 0.8 }),
            average: Average { combine: Combine::Each, hold_unjudged: true, ..running.average },
            payout: Payout { burn: Burn::None, ..running.payout },
            ..running
        }
    }
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "bettertherapy";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("readme", Self::readme()), ("1.2.2", Self::v1_2_2()), ("assay-1", Self::assay_1())]
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        super::weaknesses::of(self)
    }

    fn checks(&self) -> Vec<Check> {
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let (judge, scoring) = (&self.judge, &self.scoring);
        let ascending = scoring.buckets.windows(2).all(|pair| pair[0].below_seconds < pair[1].below_seconds);
        let points = scoring.buckets.iter().all(|bucket| (0.0..=100.0).contains(&bucket.points));
        let burnt = match self.payout.burn {
            Burn::Times { times, total, .. } => times >= 0.0 && times.is_finite() && total > 0.0 && total.is_finite(),
            Burn::None | Burn::All { .. } => true,
        };
        vec![
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
            ("collection.interval_seconds", positive, self.collection.interval_seconds > 0),
            ("selection.permit_stake", "must be a number", !self.selection.permit_stake.is_nan()),
            ("judge.maximum_tokens", positive, judge.maximum_tokens > 0),
            ("judge.anchor", shares, within(judge.anchor)),
            ("judge.rejection", "must lie below 0", judge.rejection.is_none_or(|score| score < 0.0)),
            ("judge.answer_tokens", "must lie between 1 and 100000", (1..=100_000).contains(&judge.answer_tokens)),
            ("judge.line_tokens", "must be at least judge.answer_tokens", judge.line_tokens >= judge.answer_tokens),
            ("judge.answers_per_line", positive, judge.answers_per_line != Some(0)),
            ("judge.lines_per_file", positive, judge.lines_per_file != Some(0)),
            ("scoring.quality_weight", shares, within(scoring.quality_weight)),
            ("scoring.quality_weight_applied", "must be 1 or 2", (1..=2).contains(&scoring.quality_weight_applied)),
            ("scoring.time_weight", shares, within(scoring.time_weight)),
            ("scoring.floor", shares, within(scoring.floor)),
            ("scoring.buckets", "must have ascending limits", ascending),
            ("scoring.buckets", "must have points between 0 and 100", points),
            ("duplicates.similarity", shares, self.duplicates.as_ref().is_none_or(|rule| within(rule.similarity))),
            ("average.alpha", shares, within(self.average.alpha)),
            ("payout.maximum_share", shares, within(self.payout.maximum_share)),
            ("payout.burn", "must have a factor of at least 0 and a total above 0", burnt),
        ]
    }
}

#[cfg(test)]
#[path = "constants_tests.rs"]
mod tests;
