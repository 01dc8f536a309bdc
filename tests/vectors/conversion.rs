//! Conversion prediction: which function of ours answers for which upstream function. The adapters are in `conversion/`.
//!
//! A row's name of a function may be several words; all of them have to stand in the vector's source, since upstream has
//! several functions of one name in different files.

use super::json::{Found, Json, compare};
use super::loosh::Call;
use super::table::{Adapter, Generation, Row, Verdict};

#[path = "conversion/features.rs"]
mod features;
#[path = "conversion/scoring.rs"]
mod scoring;
#[path = "conversion/values.rs"]
mod values;

use features as f;
use scoring as s;

const fn ours(functions: &'static [&'static str], name: &'static str, adapter: Adapter) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::Ours(name, adapter) }
}

const fn not_ours(functions: &'static [&'static str], reason: &'static str) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::NotOurs(reason) }
}

/// The order matters: the first row whose words all stand in the source.
pub const TABLE: &[Row] = &[
    ours(&["classification_reward"], "conversion::reward::classification", s::classification),
    ours(&["regression_reward"], "conversion::reward::regression", s::regression),
    ours(&["diversity_reward"], "conversion::reward::diversity", s::diversity),
    ours(&["calculate_time_reward"], "conversion::reward::time", s::time),
    ours(&["prediction_reward"], "conversion::reward::prediction", s::prediction_reward),
    ours(&["total_reward"], "conversion::reward::total", s::total),
    ours(&["update_ema"], "conversion::average::average", s::moving_average),
    ours(&["update_class_weights"], "conversion::classes::ClassState::update", s::class_weights),
    ours(&["get_weights"], "conversion::average::scorer_weights", s::weights_of_averages),
    ours(&["update_scores"], "conversion::average::updated", s::updated_scores),
    ours(&["generate_ground_truth"], "conversion::truth::Truth::of", s::ground_truth),
    ours(&["validate_prediction"], "conversion::prediction::check", s::gate),
    ours(
        &["set_prediction", "preprocess_prediction"],
        "conversion::prediction::Prediction::lenient",
        s::lenient_prediction,
    ),
    ours(&["Validator reward", "Validator get_rewards"], "conversion::round::Scorer::reward", s::scorer),
    ours(&["feature_validation get_numeric_features"], "conversion::feature_set::model_input", f::model_input),
    ours(&["feature_validation validate_features"], "conversion::feature_set::check_required", f::required),
    ours(&["validator validate_features"], "conversion::repair::repaired", f::repaired),
    ours(&["generate preprocess_features"], "conversion::repair::whole_numbers", f::whole_numbers),
    ours(&["preprocess_features"], "conversion::repair::recast", f::recast),
    ours(
        &["generate_conversation"],
        "conversion::repair::prepared; what is drawn comes from a draw stream of ours instead of numpy's generator",
        f::prepared,
    ),
    ours(
        &["BinaryClassificationMiner forward"],
        "conversion::{prediction::Prediction::of_probability, feature_set::FeatureSet::wire_input}",
        f::miner,
    ),
    ours(&["validator forward"], "conversion::round::evaluate", s::forward),
    ours(&["ConversionSynapse", "ConversationFeatures", "protocol"], "conversion::synapse::Synapse::of", f::synapse),
    not_ours(
        &["_apply_overrides"],
        "a rule set is frozen bytes whose hash is on record: neither environment nor a YAML file may change its constants",
    ),
    ours(&["constants"], "conversion::constants::Constants::v0_1_0", s::constants),
    not_ours(
        &["load_data"],
        "the split of upstream's training file by numpy's generator; our network's script draws its own training and test data",
    ),
    not_ours(
        &["_init_model", "BinaryClassificationMiner", "MLP", "mlp", "miner", "architecture", "arithmetic"],
        "a network with made-up weights, computed by nobody's upstream: networks run in ONNX Runtime from a file, and are \
         compared with it where they run",
    ),
    not_ours(&["log_metrics"], "upstream's log line; here every part of a score is an event"),
    not_ours(&["get_random_uids"], "miners are drawn from a draw stream, and the draw is recorded and recomputed"),
];

/// Letters, digits and underscores.
fn words(source: &str) -> Vec<&str> {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

/// A function's own name stands behind the path, `path::function`; its other words anywhere.
fn find(source: &str) -> Option<&'static Row> {
    let function = words(source.rsplit_once("::").map_or(source, |(_, function)| function));
    let all = words(source);
    let named = |name: &&str| {
        name.split(' ').all(|word| all.contains(&word))
            && name.split(' ').next_back().is_some_and(|w| function.contains(&w))
    };
    TABLE.iter().find(|row| row.functions.iter().any(named))
}

/// The differences of a vector.
pub fn check(vector: &Json) -> Found<Option<Vec<String>>> {
    let source = super::source(vector)?;
    let row = find(&source)
        .ok_or_else(|| format!("no function of the table in {source:?}: neither ours nor known as not ours"))?;
    let Verdict::Ours(_, adapter) = row.verdict else { return Ok(None) };
    // Some vectors have no inputs, or expect null.
    let of = |key| match vector {
        Json::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
        _ => None,
    };
    let empty = Json::Object(Vec::new());
    let expected = of("expected").ok_or("nothing is expected")?;
    let actual = adapter(&Call { inputs: of("inputs").unwrap_or(&empty), expected })?;
    Ok(Some(compare(expected, &values::encoded(actual), super::tolerance(vector)?)))
}

#[test]
fn conversion_functions_are_found_by_all_their_words() {
    let verdict = |source| find(source).map(|row| matches!(row.verdict, Verdict::Ours(..)));
    assert_eq!(verdict("conversion_subnet/validator/forward.py::forward"), Some(true));
    assert_eq!(verdict("conversion_subnet/constants.py::_apply_overrides"), Some(false));
    assert_eq!(verdict("conversion_subnet/validator/forward.py::_unheard_of"), None);
    let name = |source| match find(source).map(|row| row.verdict) {
        Some(Verdict::Ours(name, _)) => name,
        _ => "",
    };
    assert_eq!(name("utils/feature_validation.py::validate_features"), "conversion::feature_set::check_required");
    assert_eq!(name("validator/generate.py::preprocess_features"), "conversion::repair::whole_numbers");
    assert_eq!(name("validator/utils.py::validate_features"), "conversion::repair::repaired");
}
