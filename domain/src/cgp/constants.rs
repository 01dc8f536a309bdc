//! The constants of Conversation Genome's rule sets, typed. Their shipped values are in `rules`.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change. A stage that a generation does not have is `null`.

use serde::{Deserialize, Serialize};

use crate::mechanism::{self, Check, Weakness};

use super::average::Average;
use super::overlap::OverlapScore;
use super::penalties::Penalties;
use super::rank_curve::Curve;
use super::statistics::StatisticWeights;
use crate::loosh::constants::Model;

/// Everything that a round's scores and an epoch's weights depend on besides recorded facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Embedding models whose vectors are evidence. Upstream asks OpenAI, whose models have no weights to identify; the
    /// rules hold for any model as long as truth and answers are embedded by the same one.
    pub models: Vec<Model>,
    /// Who is asked, and for how long.
    pub collection: Collection,
    /// Conversations and pieces of a batch.
    pub batch: Batch,
    /// Windows of a conversation.
    pub windows: Windows,
    /// Gate for poor transcripts.
    pub quality: Option<QualityGate>,
    /// How tags are cleaned and judged.
    pub tags: Tags,
    /// Base score of the document's generation.
    pub overlap: Option<OverlapScore>,
    /// Scores of the running upstream.
    pub evaluator: Option<Evaluator>,
    /// Who scores profiles.
    pub profiles: Option<Profiles>,
    /// Rewards of a window are shares of a bell curve over its base scores; else the scores themselves.
    pub bell_curve: bool,
    /// Moving average of rewards.
    pub average: Average,
    /// Weights of scores.
    pub payout: Payout,
}

/// Size and duration of a round (spec 2.2 to 2.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked for a window at most, drawn uniformly.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
    /// Whether miners are told which conversation and window it is: not when masked.
    pub masked: bool,
    /// The shape in which a window is sent.
    pub form: Form,
    /// Neurons with a validator permit and more than this stake, in whole tokens, are validators: neither asked nor paid.
    pub validator_stake: u64,
}

/// The shape in which a window is sent (spec 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Guid, index and lines alone (until 2025).
    Window,
    /// A task with its prompts (2.30.65).
    Task,
}

/// What is sent together (spec 1.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Conversations reserved for a batch.
    pub conversations: u64,
    /// Windows drawn of each; `null`: all, in order.
    pub windows: Option<u64>,
    /// A batch with fewer pieces is given up.
    pub minimum_pieces: u64,
    /// Whether pieces of different conversations are mixed.
    pub shuffle: bool,
}

/// Windows of a conversation (spec 1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Lines of a window.
    pub size: u64,
    /// Lines that neighbours share.
    pub overlap: u64,
    /// Lines of a window when the usual size gives fewer than two.
    pub fallback_size: u64,
    /// Lines of a conversation that are looked at; `null`: all.
    pub maximum_lines: Option<u64>,
    /// Conversations with no more windows than this are left out.
    pub minimum: u64,
}

/// Gate for poor transcripts (spec 1.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityGate {
    /// The least verdict, of 1 to 10.
    pub minimum: f64,
}

/// How tags are cleaned and judged (spec 1.4, 3.1, 3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    /// A conversation whose ground truth has no more tags than this is left out.
    pub minimum_truth: u64,
    /// Whether ground-truth tags are cleaned like the miners' before they are compared. Upstream cleans only the latter.
    pub clean_truth: bool,
    /// Whether lines are escaped in prompts. Upstream's are not, so that a line can forge speakers and instructions.
    pub escape_lines: bool,
    /// Whether models reply in JSON, whose form is checked strictly. Upstream reads free text, and cuts the last character of
    /// a validation reply that never says "malformed".
    #[serde(default, skip_serializing_if = "is_false")]
    pub json_replies: bool,
    /// Cleaning and validation of the miners' tags; `null`: they count as sent.
    pub validation: Option<Validation>,
}

/// Left out of the canonical JSON of rule sets without it.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Validation of a miner's tags by a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Sets of so many tags or more are cut to a sample of so many.
    pub sample: u64,
    /// Characters that are left of a tag.
    pub longest_tag: u64,
    /// Which tags of a reply count.
    pub membership: Membership,
}

/// Which tags of a validation reply count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// Those that occur anywhere in the joined text of the tags asked about (upstream until 2025): fragments pass.
    Fragment,
    /// Those that the miner sent in just this spelling (2.30.65): a tag that cleaning changed is lost.
    Sent,
    /// Those that were asked about.
    Clean,
}

/// Scores of the running upstream (spec 3.4, 3.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluator {
    /// Answers with fewer tags get nothing.
    pub minimum_tags: u64,
    /// Whether repeated tags count once for that.
    pub minimum_distinct: bool,
    /// Tags that are scored at most. Upstream's 20 are 21, by a comparison that is off by one.
    pub scored_tags: u64,
    /// Whether a tag's similarity that is not finite counts as 0; upstream lets a single NaN spoil the statistics.
    pub isolate_not_finite: bool,
    /// Weights of the statistics.
    pub weights: StatisticWeights,
    /// Whether a negative score is held at 0 before the penalties, which would improve it.
    pub hold_at_zero: bool,
    /// Penalties; upstream has none for named entities.
    pub penalties: Option<Penalties>,
    /// Similarity of two sets of tags ([`super::overlap::jaccard`]) from which on the answers are copies, which share one
    /// score; `null`: nobody shares.
    pub share_copies: Option<f64>,
    /// Whether an answer without a usable tag costs nobody else anything. Upstream's 2.30.65 fails on an element that is null
    /// or has no tags, and on tags that clean to nothing, and gives the round up for everybody, so that one miner can keep all
    /// others from being scored.
    pub isolate_empty: bool,
}

/// Who scores participant profiles: a statement of the document, recorded so that a reader of the rule set finds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// Who does, says the document.
    pub stated_scorer: String,
    /// Whether anybody can: there is no route for it and no formula.
    pub scorable: bool,
    /// What a profile's score weighs in a reward.
    pub weight: f64,
}

/// Weights of scores (spec 3.7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payout {
    /// Curve over the ranks, under which a power of the averages has no effect; `null`: weights are shares of the scores.
    pub curve: Option<Curve>,
    /// Averages below this count as 0 before the scores are made; 0: all count.
    pub minimum_average: f64,
    /// Whether negative scores are ranked and paid, as upstream does.
    pub pay_negative: bool,
    /// Whether everybody gets an even score when the averages do not sum to something positive, as upstream has it.
    pub even_without_scores: bool,
    /// What the subnet owner's slot gets and burns.
    pub burn: Option<Burn>,
    /// The chain's limits, which upstream asks the chain for and here are constants: the defaults of a new subnet.
    pub limits: ChainLimits,
}

/// The chain's limits on weights, applied before they are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainLimits {
    /// How many weights the chain asks for.
    pub minimum_weights: u64,
    /// The largest share of one miner, 0 to 1.
    pub maximum_share: f64,
}

/// Burned emission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burn {
    /// Share of the whole, 0 to 1.
    pub rate: f64,
    /// Whether the owner's slot gets everything when nobody else is paid; upstream's weights then sum to the rate.
    pub whole_when_alone: bool,
}

impl Constants {
    /// Whether an answer without a usable tag fails alone.
    pub(super) fn isolates_empty(&self) -> bool {
        self.evaluator.as_ref().is_none_or(|rule| rule.isolate_empty)
    }
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "cgp";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("readme", Self::readme()), ("2.30.65", Self::v2_30_65()), ("assay-1", Self::assay_1())]
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        super::weaknesses::of(self)
    }

    fn checks(&self) -> Vec<Check> {
        let evaluator = self.evaluator.as_ref();
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let weights = |e: &Evaluator| {
            let w = &e.weights;
            [w.top_mean, w.median, w.mean, w.maximum].into_iter().all(within)
        };
        let factors = |p: &Penalties| [p.none_shared, p.junk, p.few].into_iter().chain(p.few_unique).all(within);
        let overlap = |o: &OverlapScore| {
            [o.identical, o.own_share, o.mostly_own, o.shared_weight, o.own_weight, o.own_limit].into_iter().all(within)
        };
        let one_score = self.overlap.is_some() != self.evaluator.is_some();
        let burn = self.payout.burn.as_ref();
        let validation = self.tags.validation.as_ref();
        vec![
            ("models", "must list at least one model", !self.models.is_empty()),
            ("models.dimensions", positive, self.models.iter().all(|model| model.dimensions > 0)),
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
            ("batch.conversations", "must lie between 1 and 1000", (1..=1000).contains(&self.batch.conversations)),
            ("windows.size", "must lie between 1 and 10000", (1..=10_000).contains(&self.windows.size)),
            ("windows.fallback_size", "must be at most 10000", self.windows.fallback_size <= 10_000),
            ("windows.overlap", "must be below windows.size", self.windows.overlap < self.windows.size),
            (
                "tags.validation.sample",
                "must lie between 1 and 1000",
                validation.is_none_or(|v| (1..=1000).contains(&v.sample)),
            ),
            ("tags.validation.longest_tag", positive, validation.is_none_or(|v| v.longest_tag > 0)),
            ("evaluator", "must be there when overlap is not, and only then", one_score),
            ("overlap", "must hold shares between 0 and 1", self.overlap.as_ref().is_none_or(overlap)),
            (
                "evaluator.scored_tags",
                "must lie between 1 and 1000",
                evaluator.is_none_or(|e| (1..=1000).contains(&e.scored_tags)),
            ),
            ("evaluator.weights", shares, evaluator.is_none_or(weights)),
            (
                "evaluator.share_copies",
                "must be above 0 and at most 1",
                evaluator.and_then(|e| e.share_copies).is_none_or(|least| least > 0.0 && within(least)),
            ),
            ("evaluator.penalties", shares, evaluator.and_then(|e| e.penalties.as_ref()).is_none_or(factors)),
            (
                "profiles.weight",
                "must be 0: nobody can score a profile",
                self.profiles.as_ref().is_none_or(|p| p.weight == 0.0),
            ),
            ("average.alpha", shares, within(self.average.alpha)),
            ("average.power", positive, self.average.power.is_none_or(|power| power > 0.0)),
            ("payout.minimum_average", shares, within(self.payout.minimum_average)),
            (
                "payout.curve",
                "must rise from above 0",
                self.payout.curve.as_ref().is_none_or(|c| c.least > 0.0 && c.most >= c.least),
            ),
            ("payout.burn.rate", shares, burn.is_none_or(|burn| within(burn.rate))),
            ("payout.limits.minimum_weights", "must be at most 65535", self.payout.limits.minimum_weights <= 65_535),
            (
                "payout.limits.maximum_share",
                "must be above 0 and at most 1",
                self.payout.limits.maximum_share > 0.0 && within(self.payout.limits.maximum_share),
            ),
        ]
    }
}
