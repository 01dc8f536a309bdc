//! The constants of Loosh's rule sets, typed; their values are in `shipped`.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change. A stage that a generation does not have is `null`.

use serde::{Deserialize, Serialize};

use crate::events::EmbeddingModel;
use crate::mechanism::{self, Check, Weakness};

use super::sybil::Limits;
use crate::types::Digest;

/// Everything that a round's scores and an epoch's weights depend on besides recorded facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Embedding models whose vectors are evidence.
    pub models: Vec<Model>,
    /// Who is asked, and for how long.
    pub collection: Collection,
    /// Answers that start with this text are canned and get nothing.
    pub test_mode_prefix: Option<String>,
    /// What a round with one answer comes to.
    pub single_answer: Option<SingleAnswer>,
    /// Vote caps (spec 3.2).
    pub entity_caps: Option<EntityCaps>,
    /// Quality stage (spec 3.3).
    pub quality: Option<Quality>,
    /// Outlier stage (spec 3.4).
    pub outliers: Outliers,
    /// Cluster stage (spec 3.5).
    pub clusters: Clusters,
    /// Length stage (spec 3.5, generation 1).
    pub length: Option<Length>,
    /// Consensus score (spec 3.6).
    pub consensus: Consensus,
    /// Individual scores (spec 3.7).
    pub individual: Individual,
    /// Diversity bonus (spec 3.7).
    pub diversity: Option<Diversity>,
    /// Emissions (spec 3.8).
    pub emissions: Emissions,
    /// Moving average (spec 3.12, step 1).
    pub average: Average,
    /// Freshness gate and fall-back modes (spec 3.12, steps 2 and 6).
    pub freshness: Freshness,
    /// Sybil penalty (spec 3.12, step 3).
    pub sybil_penalty: Option<SybilPenalty>,
    /// Who can be paid (spec 3.12, step 4).
    pub serving: Serving,
    /// Sybil detection (spec 3.11): a report beside the scores, which nothing is paid by.
    pub sybil_detection: Option<Limits>,
    /// What our own rules close; left out where there is none, so that upstream's rule sets keep their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedies: Option<Remedies>,
}

/// An embedding model, identified by the bytes of its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its public name, for people.
    pub name: String,
    /// Length of a vector.
    pub dimensions: u16,
    /// SHA-256 of `model.safetensors`.
    pub weights: Digest,
    /// SHA-256 of `tokenizer.json`; `null` where only the weights identify it.
    pub tokenizer: Option<Digest>,
}

impl Model {
    /// Whether vectors of this model are meant.
    pub fn is(&self, model: &EmbeddingModel) -> bool {
        self.weights == model.weights
            && self.dimensions == model.dimensions
            && self.tokenizer.is_none_or(|tokenizer| tokenizer == model.tokenizer)
    }
}

/// Size and duration of a round (spec 2, steps 7 and 8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked in a round at most.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
}

/// The rule for a round with exactly one valid answer (spec 3.0).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SingleAnswer {
    /// Cosine with the prompt from which the answer counts.
    pub minimum_relevance: f64,
    /// Consensus score of such a round.
    pub consensus: f64,
    /// What the answer earns.
    pub emission: f64,
}

/// Vote caps of entities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityCaps {
    /// Votes of a whole group.
    pub maximum_votes: f64,
    /// From how many members a group is capped.
    pub minimum_group: u64,
    /// Whether an address and a coldkey make one group of all that have one or the other; otherwise addresses group first,
    /// and coldkeys only who is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
}

/// Quality stage: the scorer's parameters, its composite, the gate and the filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Answers with a lower score leave the round.
    pub threshold: f64,
    /// Cosine of answer and prompt below which the score becomes 0.
    pub relevance_gate: f64,
    /// The scorer on sentence level.
    pub scorer: Scorer,
    /// Weights of the six signals.
    pub weights: SignalWeights,
    /// Weights of the heuristic fall-back.
    pub heuristic: HeuristicWeights,
}

/// Parameters of the sentence-level scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scorer {
    /// Words that a sentence needs.
    pub minimum_sentence_words: u64,
    /// Cosine from which a component of the prompt counts as covered.
    pub coverage_threshold: f64,
    /// Cosine of neighbouring sentences below which the text breaks.
    pub break_threshold: f64,
    /// Break rate above which coherence is cut.
    pub break_rate_limit: f64,
    /// The least factor that breaks leave of coherence.
    pub break_floor: f64,
    /// Share of neighbouring sentences in coherence.
    pub local_weight: f64,
    /// Share of the centroid in coherence.
    pub global_weight: f64,
    /// Share of the whole answer in relevance.
    pub document_blend: f64,
    /// Share of the best sentences in relevance.
    pub sentence_blend: f64,
    /// Share of coverage in relevance.
    pub coverage_blend: f64,
    /// Relevance that complexity asks for.
    pub complexity_relevance: f64,
    /// Coherence that complexity asks for.
    pub complexity_coherence: f64,
    /// The best number of reasoning steps.
    pub target_steps: f64,
    /// Width of the reward around it.
    pub step_scale: f64,
    /// Distance at which sentences are another step.
    pub step_distance: f64,
    /// Share of steps in complexity.
    pub step_weight: f64,
    /// Share of novelty in complexity.
    pub novelty_weight: f64,
    /// Cosine from which two sentences are joined in the coherence graph (diagnostic).
    pub graph_edge: f64,
    /// Keywords of the prompt that are looked for (diagnostic).
    pub keywords: u64,
}

/// Weights of the six quality signals; upstream's sum to 1.4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalWeights {
    /// Relevance to the prompt.
    pub relevance: f64,
    /// Coherence of the sentences.
    pub coherence: f64,
    /// Coverage of the prompt's components.
    pub coverage: f64,
    /// Reasoning complexity.
    pub complexity: f64,
    /// Share of content words.
    pub density: f64,
    /// Numbers, names, long words, structure.
    pub specificity: f64,
}

/// Weights of the heuristic quality, used without sentence vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeuristicWeights {
    /// Cosine of answer and prompt.
    pub relevance: f64,
    /// Share of content words.
    pub density: f64,
    /// Numbers, names, long words, structure.
    pub specificity: f64,
    /// Coherence from sentence lengths.
    pub coherence: f64,
}

/// Outlier stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outliers {
    /// Neighbours looked at.
    pub neighbours: u64,
    /// Factor above which a response is an outlier.
    pub threshold: f64,
    /// Fewer responses are not looked at.
    pub minimum_responses: u64,
    /// Outliers better by more than this stay and the rest goes; `null`: outliers always go.
    pub quality_delta: Option<f64>,
}

/// Cluster stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clusters {
    /// Cosine distance at which clusters are no longer joined.
    pub distance: f64,
    /// Fewer responses are not looked at.
    pub minimum_responses: u64,
}

/// Length stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Share of the mean word count that an answer needs.
    pub sensitivity: f64,
}

/// Consensus score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// How many standard deviations are added to the mean.
    pub lambda: f64,
    /// Above it consensus counts as achieved (reported, never paid).
    pub threshold: f64,
}

/// Individual scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Individual {
    /// Weight of the mean similarity to the other survivors.
    pub inside_similarity: f64,
    /// Weight of quality (word share without a quality stage).
    pub inside_quality: f64,
    /// Weight of confidence, which is always 1.
    pub inside_confidence: f64,
    /// Bonus for being in the consensus.
    pub membership: f64,
    /// For those filtered out: weight of the mean similarity to the survivors.
    pub outside_similarity: f64,
    /// For those filtered out: weight of the word share.
    pub outside_length: f64,
    /// For those filtered out: weight of confidence.
    pub outside_confidence: f64,
}

/// Diversity bonus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// Quality that must be exceeded.
    pub minimum_quality: f64,
    /// The largest bonus.
    pub maximum: f64,
}

/// Emissions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emissions {
    /// Factor for members of the consensus.
    pub member_factor: f64,
    /// The best answer's bonus at an infinite lead.
    pub bonus: f64,
    /// How fast the bonus grows with the lead.
    pub bonus_scale: f64,
    /// The largest factor.
    pub bonus_limit: f64,
}

/// Moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Weight of the newest score.
    pub alpha: f64,
    /// Older scores are forgotten, in seconds.
    pub lookback_seconds: u64,
}

/// Freshness gate and the blocks at which it widens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// Seconds since last seen, in normal mode.
    pub normal_seconds: u64,
    /// Seconds since last seen, in degraded mode.
    pub degraded_seconds: u64,
    /// Blocks since the last own weights from which the mode is degraded.
    pub degraded_blocks: u64,
    /// Blocks since the last own weights from which the mode is emergency.
    pub emergency_blocks: u64,
}

/// Sybil penalty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SybilPenalty {
    /// Scores from here on are candidates.
    pub threshold: f64,
    /// Scores from here on are always penalised.
    pub hard_threshold: f64,
    /// The largest share taken.
    pub maximum: f64,
    /// The share that always stays.
    pub retention: f64,
    /// Share of serving miners that the soft tier may reach.
    pub soft_share: f64,
}

/// Who can be paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// With fewer serving miners no weights are set.
    pub minimum: u64,
}

/// Ways to earn without working that `loosh/assay-1` closes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedies {
    /// Answers with fewer words are not evaluated, and count as 0.
    pub minimum_words: u64,
    /// Only those who formed the consensus are paid.
    pub members_only: bool,
    /// Jaccard similarity of word triples from which answers are copies: they share one vote and one emission.
    pub copy_similarity: f64,
    /// What an entity's vote is cut by cuts its emissions, too.
    pub owners_share: bool,
    /// The only answer that the quality stage leaves is paid as a single answer is; a single answer passes that stage, too.
    pub lone_survivor: bool,
    /// Emissions are multiplied with the quality.
    pub quality_pays: bool,
    /// Who fails in a round that somebody answered gets a 0 that counts.
    pub failures_count: bool,
    /// An answer whose vectors hold something that is no number counts as 0, and leaves the others alone.
    pub broken_vectors_apart: bool,
    /// Who was asked in vain since it last earned was last seen when it earned; a ping does not help.
    pub freshness_by_work: bool,
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "loosh";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("readme", Self::readme()), ("1.2.8", Self::v1_2_8()), ("assay-1", Self::assay_1())]
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        super::weaknesses::of(self)
    }

    fn checks(&self) -> Vec<Check> {
        let quality = self.quality.as_ref();
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        vec![
            ("models", "must list at least one model", !self.models.is_empty()),
            ("models.dimensions", positive, self.models.iter().all(|model| model.dimensions > 0)),
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
            ("entity_caps.maximum_votes", positive, self.entity_caps.as_ref().is_none_or(|c| c.maximum_votes > 0.0)),
            ("quality.scorer.step_scale", positive, quality.is_none_or(|q| q.scorer.step_scale > 0.0)),
            ("quality.scorer.keywords", "must be at most 1000", quality.is_none_or(|q| q.scorer.keywords <= 1000)),
            ("outliers.neighbours", "must lie between 1 and 1000", (1..=1000).contains(&self.outliers.neighbours)),
            ("diversity.minimum_quality", positive, self.diversity.as_ref().is_none_or(|d| d.minimum_quality > 0.0)),
            ("average.alpha", shares, within(self.average.alpha)),
            ("average.lookback_seconds", positive, self.average.lookback_seconds > 0),
            ("sybil_penalty.soft_share", shares, self.sybil_penalty.as_ref().is_none_or(|p| within(p.soft_share))),
            (
                "sybil_detection",
                "must have percentiles between 0 and 100, and at least one pair",
                self.sybil_detection.as_ref().is_none_or(Limits::usable),
            ),
            ("remedies.copy_similarity", shares, self.remedies.as_ref().is_none_or(|r| within(r.copy_similarity))),
            ("sybil_penalty.retention", shares, self.sybil_penalty.as_ref().is_none_or(|p| within(p.retention))),
        ]
    }
}
