//! Which function of ours answers for which upstream function, or why none does.
//!
//! Rows are found by the names of functions in a vector's source, never by the vector's own name. Every private function
//! (leading underscore) that a source names must be in the row, so that an unknown one fails.

use super::json::{Found, Json};
use super::loosh::{self as l, Call};
use super::{payout as p, quality as q, wire as w};

pub type Adapter = fn(&Call<'_>) -> Found<Json>;

/// What happens to a vector.
#[derive(Clone, Copy)]
pub enum Verdict {
    /// Runs through our function(s), named for the reader.
    Ours(&'static str, Adapter),
    /// Does not, for this reason.
    NotOurs(&'static str),
}

/// Which upstream generation a row is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    Seed,
    Running,
}

pub struct Row {
    pub generation: Generation,
    /// One of these must be named.
    pub functions: &'static [&'static str],
    /// These may be named besides.
    pub also: &'static [&'static str],
    pub verdict: Verdict,
}

const fn ours(
    functions: &'static [&'static str],
    also: &'static [&'static str],
    name: &'static str,
    adapter: Adapter,
) -> Row {
    Row { generation: Generation::Running, functions, also, verdict: Verdict::Ours(name, adapter) }
}

const fn seed(functions: &'static [&'static str], name: &'static str, adapter: Adapter) -> Row {
    Row { generation: Generation::Seed, functions, also: &[], verdict: Verdict::Ours(name, adapter) }
}

const fn not_ours(generation: Generation, functions: &'static [&'static str], reason: &'static str) -> Row {
    Row { generation, functions, also: &[], verdict: Verdict::NotOurs(reason) }
}

/// Commit of the seed document's upstream, as sources name it.
const SEED_COMMIT: &str = "3baae8d";

/// The order matters: whole paths before their parts.
pub const LOOSH: &[Row] = &[
    seed(&["_apply_quality_filter"], "loosh::round::{minimum_words, long_enough}", p::length_filter),
    seed(&["_compute_individual_scores"], "loosh::individual::scores", l::seed_individual),
    seed(&["_apply_outlier_filter"], "loosh::outlier", l::local_outliers),
    seed(&["_apply_basic_scoring"], "loosh::consensus::agreement", l::agreement),
    seed(&["_apply_weighted_scoring"], "loosh::consensus::confidence_weighted", l::confidence_weighted),
    seed(&["_compute_pairwise_similarity"], "loosh::matrix::similarity", l::pairwise_similarity),
    seed(&["_calculate_score_difference_bonus"], "loosh::emissions::best", l::score_difference_bonus),
    seed(&["evaluate_consensus", "path"], "loosh::round::evaluate", l::seed_end_to_end),
    seed(&["_calculate_emissions"], "loosh::emissions::emissions", l::seed_emissions),
    ours(
        &["path", "evaluate_responses", "evaluate_consensus"],
        &["_calculate_emissions", "_assess_semantic_quality", "_apply_raw_relevance_gate"],
        "loosh::{entity::vote_caps, round::evaluate}",
        l::end_to_end,
    ),
    ours(&["_sigmoid_clamp"], &[], "loosh::quality::sigmoid", q::sigmoid_clamp),
    ours(&["_compute_pairwise_similarity"], &[], "loosh::matrix::similarity", l::pairwise_similarity),
    ours(
        &["_apply_basic_scoring", "_apply_quality_weighted_scoring"],
        &[],
        "loosh::consensus::agreement",
        l::agreement,
    ),
    ours(&["_apply_weighted_scoring"], &[], "loosh::consensus::confidence_weighted", l::confidence_weighted),
    ours(&["_apply_polarity_clustering"], &[], "loosh::consensus::polarity", l::polarity),
    ours(
        &["LocalOutlierFactor"],
        &["_smart_outlier_detection", "_apply_outlier_filter"],
        "loosh::outlier::{local_outlier_factors, outliers}",
        l::local_outliers,
    ),
    ours(&["_smart_outlier_detection"], &[], "loosh::outlier::filter", l::smart_outliers),
    ours(&["_apply_clustering_filter"], &[], "loosh::clustering::filter", l::clusters),
    ours(&["score_batch"], &["_assess_semantic_quality", "_score_single"], "loosh::quality::score", q::score_batch),
    ours(
        &["_assess_semantic_quality", "_apply_raw_relevance_gate"],
        &[],
        "loosh::{matrix::cosines, quality::heuristic, quality::gated}",
        q::heuristic_quality,
    ),
    ours(
        &[
            "_measure_information_density",
            "_measure_specificity",
            "_measure_coherence",
            "_information_density",
            "_specificity",
            "_heuristic_coherence",
        ],
        &[],
        "loosh::heuristics::{density, specificity, coherence}",
        q::text_heuristics,
    ),
    ours(&["_split_prompt_components"], &[], "text::patterns::prompt_components", q::components),
    ours(&["_split_sentences"], &[], "text::patterns::sentences", q::sentence_split),
    ours(
        &[
            "_compute_full_coherence",
            "_coherence_graph_score",
            "_semantic_step_clustering",
            "_embedding_redundancy",
            "_path_length",
            "_progression_curvature",
        ],
        &["_score_single", "_compute_full_complexity"],
        "loosh::sentences",
        q::sentence_signals,
    ),
    ours(&["_answer_shape"], &[], "loosh::heuristics::answer_shape", q::answer_shape),
    ours(&["_compute_individual_scores"], &["_calculate_diversity_bonus"], "loosh::individual::scores", l::individual),
    ours(&["_calculate_diversity_bonus"], &[], "loosh::individual::diversity_bonus", l::diversity),
    ours(&["_calculate_score_difference_bonus"], &[], "loosh::emissions::best", l::score_difference_bonus),
    ours(&["_calculate_emissions"], &[], "loosh::emissions::emissions", l::emissions_direct),
    ours(&["cap_entity_contributions"], &[], "loosh::entity::vote_caps", l::entity_caps),
    ours(&["get_miner_ema_scores"], &[], "loosh::average::averages", p::moving_average),
    ours(&["_apply_freshness_gate"], &[], "loosh::average::freshness_gate", p::freshness),
    ours(&["_apply_sybil_penalty"], &[], "loosh::payout::sybil_penalty", p::penalty),
    ours(&["_filter_serving_miners"], &[], "loosh::payout::not_serving", p::serving),
    ours(&["set_weights"], &[], "loosh::payout::normalised", p::weight_normalisation),
    ours(
        &["_compute_adaptive_thresholds", "_find_suspicious_pairs", "_find_strict_groups"],
        &["_verify_group"],
        "loosh::sybil::detect",
        p::sybil_report,
    ),
    ours(&["_compute_structural_similarity"], &[], "loosh::sybil::structural_similarity", p::structural),
    ours(
        &[
            "_compute_tfidf_similarity",
            "_tfidf_similarity",
            "_compute_lexical_similarity",
            "_lexical_similarity",
            "TfidfVectorizer",
        ],
        &["_find_fusion_pairs", "_detect_fusion_pairs"],
        "loosh::keywords::word_similarity",
        w::word_similarity,
    ),
    ours(
        &["_find_fusion_pairs", "_detect_fusion_pairs", "_find_fused_pairs", "_compute_fusion_pairs"],
        &["_compute_tfidf_similarity", "_compute_structural_similarity"],
        "loosh::sybil::fused_pairs",
        w::fused_pairs,
    ),
    ours(
        &[
            "_determine_mode",
            "_get_operation_mode",
            "_determine_operation_mode",
            "_determine_weight_mode",
            "_get_weight_mode",
            "_select_mode",
            "determine_mode",
            "get_operation_mode",
        ],
        &[],
        "loosh::payout::Mode::after",
        w::mode,
    ),
    not_ours(
        Generation::Running,
        &["KMeans", "_compute_trajectory_fingerprints", "_compute_trajectory_similarity", "_find_trajectory_pairs"],
        "trajectories are centroids of k-means started from a library's random numbers, which no other program repeats; \
         upstream only reports them, and pairs are reported here by vectors, words and structure",
    ),
    not_ours(
        Generation::Running,
        &[
            "_weighted_sample",
            "_weighted_sample_without_replacement",
            "weighted_sample_without_replacement",
            "_select_miners",
            "select_miners",
        ],
        "upstream draws miners with numbers of its process that nobody can check; a draw here follows from the block's hash \
         and is recorded (draw::sample, with the same weights, the same early end and the same rule for weights of zero)",
    ),
    ours(&["Fernet"], &["_encrypt_payload", "_decrypt_payload"], "network::fernet::FernetKey", w::fernet),
    ours(&["_perform_handshake"], &[], "text::numbers::float_repr, network::fiber::handshake_message", w::handshake),
    ours(&["get_auth_headers"], &[], "network::fiber::{service_message, service_headers}", w::service_signature),
];

/// The words of a source: letters, digits and underscores.
fn words(source: &str) -> Vec<&str> {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

/// The row for a vector of Loosh.
pub fn find(source: &str, expected: &Json) -> Option<&'static Verdict> {
    const CRASH: Verdict = Verdict::NotOurs(
        "the seed could not run at all: a newer scikit-learn refuses a keyword it passes. Nobody was ever scored that way, \
         and the same stage with the keyword's new name is ours (the row above)",
    );
    let words = words(source);
    let generation = if words.contains(&SEED_COMMIT) { Generation::Seed } else { Generation::Running };
    if generation == Generation::Seed && words.contains(&"_apply_clustering_filter") {
        return if expected.get("error").is_some() { Some(&CRASH) } else { Some(&SEED_CLUSTERS) };
    }
    let fits = |row: &&Row| {
        let known = |word: &&str| row.functions.contains(word) || row.also.contains(word);
        row.generation == generation
            && words.iter().any(|word| row.functions.contains(word))
            && words.iter().filter(|word| word.starts_with('_')).all(known)
    };
    LOOSH.iter().find(fits).map(|row| &row.verdict)
}

const SEED_CLUSTERS: Verdict = Verdict::Ours("loosh::clustering::filter", l::clusters);

/// Files of parts that are not built yet: the upstream function names (for files of named vectors) or the sections (for the
/// others), and why nothing of ours answers for them.
pub struct Elsewhere {
    pub file: &'static str,
    pub reason: &'static str,
    /// Functions or sections.
    pub known: &'static [&'static str],
    /// Keys of the file that are no vectors.
    pub about: &'static [&'static str],
}

pub const ELSEWHERE: &[Elsewhere] = &[];
