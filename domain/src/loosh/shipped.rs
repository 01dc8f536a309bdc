//! The values of Loosh's shipped rule sets. One that was shipped must never change: its hash stands in ledgers.

use super::constants::{
    Average, Clusters, Collection, Consensus, Constants, Diversity, Emissions, EntityCaps, Freshness, HeuristicWeights,
    Individual, Length, Model, Outliers, Quality, Remedies, Scorer, Serving, SignalWeights, SingleAnswer, SybilPenalty,
};
use super::sybil::Limits;
use crate::types::Digest;

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
            entity_caps: Some(EntityCaps { maximum_votes: 1.0, minimum_group: 2, linked: false }),
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

    /// `loosh/assay-1`: the running upstream with these changes (numbers are those of the known weaknesses, spec 7).
    ///
    /// Whom a stage drops earns nothing (3); quality multiplies what is earned, and the bonus for the lead counts
    /// hundredths of a point, so that it reaches its range (7); the signals' weights sum to 1, with thresholds in
    /// proportion, so that quality does not saturate (4); the consensus score is the mean agreement, without a deviation
    /// added (5); the only answer that passes the quality stage is paid as a single answer (6); an entity shares one vote
    /// and one emission, whether it is known by address or by coldkey (8), and so do near copies; failures count as 0 (16)
    /// and pings alone keep no weight (15); the sybil penalty leaves the 2 % that upstream announced (17); pairs are
    /// suspicious by fixed thresholds until a round has enough of them for percentiles (3.11).
    pub fn assay_1() -> Self {
        let upstream = Self::v1_2_8();
        let remedies = Remedies {
            minimum_words: 1,
            members_only: true,
            copy_similarity: 0.5,
            owners_share: true,
            lone_survivor: true,
            quality_pays: true,
            failures_count: true,
            broken_vectors_apart: true,
            freshness_by_work: true,
        };
        Self {
            entity_caps: upstream.entity_caps.map(|caps| EntityCaps { linked: true, ..caps }),
            // 0.35 / 1.4 and 0.6 / 1.4: what the thresholds were of weights that summed to 1.4.
            quality: upstream.quality.map(|q| Quality { threshold: 0.25, weights: SignalWeights::default(), ..q }),
            diversity: upstream.diversity.map(|d| Diversity { minimum_quality: 0.43, ..d }),
            consensus: Consensus { lambda: 0.0, ..upstream.consensus },
            emissions: Emissions { bonus_scale: 10.0, ..upstream.emissions },
            sybil_penalty: upstream.sybil_penalty.map(|penalty| SybilPenalty { retention: 0.02, ..penalty }),
            sybil_detection: Some(Limits { high: 0.92, very_high: 0.97, percentile_pairs: 1000, ..Limits::default() }),
            remedies: Some(remedies),
            ..upstream
        }
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
