//! The constants of Loosh's rule sets, typed, and the three values that are shipped.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change. A stage that a generation does not have is `null`.

use serde::{Deserialize, Serialize};

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
    /// Answers of equal words share one vote and one emission.
    pub equal_answers_share: bool,
}

fn minilm() -> Model {
    Model {
        name: "sentence-transformers/all-MiniLM-L6-v2".to_owned(),
        dimensions: 384,
        weights: digest("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        tokenizer: Some(digest("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037")),
    }
}

/// Revision e8c3b32edf5434bc2275fc9bab85f82640a19130. Its tokenizer is not listed: the published digest of the weights is
/// what this project could confirm.
fn mpnet() -> Model {
    Model {
        name: "sentence-transformers/all-mpnet-base-v2".to_owned(),
        dimensions: 768,
        weights: digest("78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
        tokenizer: None,
    }
}

impl Constants {
    /// `loosh/readme`: generation 1. What it lacks between emissions and weights is taken from generation 2, without the
    /// sybil penalty.
    pub fn readme() -> Self {
        Self {
            models: vec![minilm()],
            collection: Collection { miners: 10, deadline_ms: 120_000 },
            test_mode_prefix: None,
            single_answer: None,
            entity_caps: None,
            quality: None,
            outliers: Outliers { neighbours: 2, threshold: 1.5, minimum_responses: 2, quality_delta: None },
            clusters: Clusters { distance: 0.5, minimum_responses: 2 },
            length: Some(Length { sensitivity: 0.7 }),
            consensus: Consensus { lambda: 1.0, threshold: 0.7 },
            individual: Individual {
                inside_similarity: 0.5,
                inside_quality: 0.2,
                inside_confidence: 0.2,
                membership: 0.1,
                outside_similarity: 0.3,
                outside_length: 0.2,
                outside_confidence: 0.2,
            },
            diversity: None,
            sybil_penalty: None,
            sybil_detection: None,
            ..Self::v1_2_8()
        }
    }

    /// `loosh/1.2.8`: the running upstream.
    pub fn v1_2_8() -> Self {
        Self {
            models: vec![mpnet(), minilm()],
            collection: Collection { miners: 7, deadline_ms: 60_000 },
            test_mode_prefix: Some("[TEST MODE]".to_owned()),
            single_answer: Some(SingleAnswer { minimum_relevance: 0.2, consensus: 1.0, emission: 1.0 }),
            entity_caps: Some(EntityCaps { maximum_votes: 1.0, minimum_group: 2 }),
            quality: Some(Quality {
                threshold: 0.35,
                relevance_gate: 0.2,
                scorer: Scorer::default(),
                weights: SignalWeights {
                    relevance: 0.4,
                    coherence: 0.2,
                    coverage: 0.2,
                    complexity: 0.2,
                    density: 0.2,
                    specificity: 0.2,
                },
                heuristic: HeuristicWeights { relevance: 0.4, density: 0.2, specificity: 0.2, coherence: 0.2 },
            }),
            outliers: Outliers { neighbours: 2, threshold: 1.5, minimum_responses: 3, quality_delta: Some(0.15) },
            clusters: Clusters { distance: 0.5, minimum_responses: 2 },
            length: None,
            consensus: Consensus { lambda: 1.0, threshold: 0.7 },
            individual: Individual {
                inside_similarity: 0.4,
                inside_quality: 0.25,
                inside_confidence: 0.15,
                membership: 0.1,
                outside_similarity: 0.3,
                outside_length: 0.25,
                outside_confidence: 0.15,
            },
            diversity: Some(Diversity { minimum_quality: 0.6, maximum: 0.15 }),
            emissions: Emissions { member_factor: 1.2, bonus: 0.5, bonus_scale: 0.1, bonus_limit: 1.5 },
            average: Average { alpha: 0.3, lookback_seconds: 24 * 3600 },
            freshness: Freshness {
                normal_seconds: 3 * 3600,
                degraded_seconds: 24 * 3600,
                degraded_blocks: 4000,
                emergency_blocks: 4500,
            },
            sybil_penalty: Some(SybilPenalty {
                threshold: 0.1,
                hard_threshold: 0.6,
                maximum: 1.0,
                retention: 0.2,
                soft_share: 0.33,
            }),
            serving: Serving { minimum: 1 },
            sybil_detection: Some(Limits::default()),
            remedies: None,
        }
    }

    /// `loosh/assay-1`: the running upstream with these changes. Whom a stage drops earns nothing; the consensus score
    /// is the mean agreement, without a deviation added (λ = 0); copies of an answer earn and vote as one; an answer needs a
    /// word.
    pub fn assay_1() -> Self {
        let upstream = Self::v1_2_8();
        Self {
            consensus: Consensus { lambda: 0.0, ..upstream.consensus },
            remedies: Some(Remedies { minimum_words: 1, members_only: true, equal_answers_share: true }),
            ..upstream
        }
    }
}

impl Constants {
    /// The first constant that is outside of its domain, and what is wrong with it.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let quality = self.quality.as_ref();
        let positive = "must be above 0";
        let shares = "must lie between 0 and 1";
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let checks = [
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
                "must have percentiles between 0 and 100",
                self.sybil_detection.as_ref().is_none_or(Limits::usable),
            ),
            ("sybil_penalty.retention", shares, self.sybil_penalty.as_ref().is_none_or(|p| within(p.retention))),
        ];
        checks.into_iter().find(|(_, _, holds)| !holds).map(|(constant, problem, _)| (constant, problem))
    }
}

impl Default for Scorer {
    /// Upstream's frozen parameters (1.2.8), which are also the scorer's own defaults.
    fn default() -> Self {
        Self {
            minimum_sentence_words: 3,
            coverage_threshold: 0.45,
            break_threshold: 0.25,
            break_rate_limit: 0.3,
            break_floor: 0.5,
            local_weight: 0.6,
            global_weight: 0.4,
            document_blend: 0.4,
            sentence_blend: 0.4,
            coverage_blend: 0.2,
            complexity_relevance: 0.4,
            complexity_coherence: 0.3,
            target_steps: 4.0,
            step_scale: 2.0,
            step_distance: 0.7,
            step_weight: 0.6,
            novelty_weight: 0.4,
            graph_edge: 0.3,
            keywords: 10,
        }
    }
}

impl Default for SignalWeights {
    /// The weights that upstream's scorer uses when it is given none; never in production.
    fn default() -> Self {
        Self { relevance: 0.25, coherence: 0.15, coverage: 0.15, complexity: 0.15, density: 0.15, specificity: 0.15 }
    }
}

/// The golden test of the rule sets' hashes guards the literals given here.
fn digest(hex: &str) -> Digest {
    hex.parse().unwrap_or(crate::types::HexBytes([0; 32]))
}
