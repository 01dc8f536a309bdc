//! Conversation Genome: adapters from JSON to our functions. JSON to arguments, results to JSON; no arithmetic here.
//!
//! Rows are found by the names of functions in a vector's source. The original's order of tags is that of its hashes, so
//! that sets are compared in alphabetical order; its random choices are compared by what does not depend on them.

use domain::cgp::constants::{Constants, Evaluator};
use domain::types::{Digest, sha256};

use super::json::{Found, Json, compare};
use super::loosh::Call;
use super::table::{Generation, Row, Verdict};

#[path = "cgp/scores.rs"]
mod scores;
#[path = "cgp/tags.rs"]
mod tags;

use scores::{
    cubic, evaluate_round, neighbourhood, penalty, safe_value, stats, update_scores, vector_similarity, weights,
};
use tags::{
    base_score, bell_curve, clean_tag_set, clean_tags, compare_arrays, conversation_windows, enough_windows,
    is_empty_vector, mock_tags, mock_valid, prompt_xml, safe_tag, split_overlap_array, validate_tag_set,
};

/// Bound of double precision.
const DOUBLE: f64 = 1e-12;

/// Bound that the file states for single precision.
const SINGLE: f64 = 2.4e-7;

const fn ours(
    functions: &'static [&'static str],
    also: &'static [&'static str],
    name: &'static str,
    adapter: super::table::Adapter,
) -> Row {
    Row { generation: Generation::Running, functions, also, verdict: Verdict::Ours(name, adapter) }
}

const fn not_ours(functions: &'static [&'static str], reason: &'static str) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::NotOurs(reason) }
}

/// Which function of ours answers for which upstream function, or why none does. The first row that fits counts.
pub const TABLE: &[Row] = &[
    ours(&["split_overlap_array"], &[], "cgp::windows::split", split_overlap_array),
    ours(
        &["getConvoWindows", "_split_conversation_in_windows"],
        &[],
        "cgp::windows::of_conversation",
        conversation_windows,
    ),
    ours(&["_enforce_minimum_convo_windows"], &[], "cgp::windows::enough", enough_windows),
    ours(&["get_safe_tag"], &[], "cgp::tags::safe_tag", safe_tag),
    ours(&["get_clean_tag_set", "validate_named_entities_tag_set"], &[], "cgp::tags::clean_raw_tag_set", clean_tag_set),
    ours(&["clean_tags"], &[], "cgp::tags::clean_tags", clean_tags),
    ours(&["compare_arrays"], &[], "cgp::overlap::compare", compare_arrays),
    ours(&["safe_value"], &[], "cgp::statistics::finite_or_zero", safe_value),
    ours(&["is_empty_vector"], &[], "cgp::similarity::is_zero", is_empty_vector),
    ours(&["generate_convo_xml"], &[], "cgp::conversation::prompt_xml", prompt_xml),
    ours(&["validate_tag_set"], &[], "cgp::tags::{validation_input, parse_validation}", validate_tag_set),
    ours(
        &["_score_vector_similarity", "score_vector_similarity"],
        &[],
        "cgp::similarity::similarity",
        vector_similarity,
    ),
    ours(
        // With an underscore since the scoring mechanisms; without one in the revisions before them.
        &["_calculate_semantic_neighborhood", "calculate_semantic_neighborhood"],
        &[],
        "cgp::similarity::Neighbourhood::of",
        neighbourhood,
    ),
    ours(&["_calculate_stats", "_calculate_adjusted_score"], &[], "cgp::statistics::Statistics::{of, adjusted}", stats),
    ours(&["_calculate_penalty"], &[], "cgp::penalties::{Penalties::applying, penalised}", penalty),
    ours(
        &["evaluate", "_calc_scores", "_evaluate_single_response", "_has_enough_tags"],
        &["_calculate_stats", "_calculate_adjusted_score", "_calculate_penalty", "_score_vector_similarity"],
        "cgp::evaluation::evaluate",
        evaluate_round,
    ),
    ours(&["update_scores"], &[], "cgp::average::update", update_scores),
    ours(&["transposed_cubic_distribution"], &[], "cgp::rank_curve::Curve::weight", cubic),
    ours(&["get_raw_weights"], &[], "cgp::rank_curve::raw_weights", weights),
    ours(&["calculate_base_score"], &[], "cgp::overlap::OverlapScore::score", base_score),
    ours(&["calculate_emission_rewards"], &[], "cgp::bell::shares", bell_curve),
    ours(&["validate_tags", "validateMinimumTags"], &[], "cgp::mock::is_valid", mock_valid),
    ours(
        &["get_conversation_tags", "conversation_to_tags", "do_mining", "doMining"],
        &[],
        "cgp::mock::tags",
        mock_tags,
    ),
    not_ours(
        &["MockDendrite", "MockSubtensor", "MockMetagraph", "MockBt", "MockWallet"],
        "stand-ins of upstream's tests for a network (MockDendrite answers with its own input twice over): they score nothing, \
         and our tests talk to real miners on loopback",
    ),
    not_ours(
        &["_generate_quality_score", "validate_conversation_quality", "conversation_quality"],
        "a question to a model; the gate on its verdict is cgp::conversation::passes, tested beside it",
    ),
    not_ours(
        &["getMinerUids", "get_random_uids", "check_uid_availability", "selectStage1Miners"],
        "draws by Python's random source; who is asked is drawn from the recorded block hash (domain::selection)",
    ),
    not_ours(
        &["reserve_conversation", "reserveConversation", "completeConversation", "put_convo", "putConvo", "reserve"],
        "requests to a conversation server, which is another crate's client",
    ),
    not_ours(
        &["get_url", "post_url", "read_api_key", "put_task", "reserve_task_bundle", "get_task_bundle"],
        "requests and keys of upstream's client library: the conversation server's client is another crate's, and its own tests cover it",
    ),
    not_ours(
        &["append_log", "datetime_str", "sort_dict_list", "pluck", "_int", "_float", "empty", "guid"],
        "helpers for Python dictionaries, log files and random ids, which decide no score",
    ),
];

/// The words of a source: letters, digits and underscores.
fn words(source: &str) -> Vec<&str> {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

/// The row of a source. Every private function (leading underscore) that it names must be known to the row.
fn find(function: &str) -> Option<&'static Row> {
    let words = words(function);
    let fits = |row: &&Row| {
        let known = |word: &&str| row.functions.contains(word) || row.also.contains(word);
        words.iter().any(|word| row.functions.contains(word))
            && words.iter().filter(|word| word.starts_with('_')).all(known)
    };
    TABLE.iter().find(fits)
}

/// The differences of a vector.
pub fn check(vector: &Json) -> Found<Option<Vec<String>>> {
    let upstream = vector.any(&["upstream", "source"])?;
    let function = match upstream {
        Json::Text(text) => text.as_str(),
        other => other.at("function")?.text()?,
    };
    let row = find(function)
        .ok_or_else(|| format!("no function of the table in {function:?}: neither ours nor known as not ours"))?;
    match row.verdict {
        Verdict::NotOurs(_) => Ok(None),
        Verdict::Ours(_, adapter) => {
            let inputs = vector.at("inputs")?;
            // A result may be null, which `at` takes for missing.
            let stated = vector.fields()?.iter().find(|(key, _)| key == "expected");
            let (_, expected) = stated.ok_or("no result is expected")?;
            // Which revision or class it is decides between rules; it travels with the inputs.
            let source = format!("{upstream:?}");
            let with_source = match inputs {
                Json::Object(fields) => {
                    let source = ("upstream".to_owned(), Json::Text(source));
                    Json::Object(fields.iter().cloned().chain([source]).collect())
                }
                other => other.clone(),
            };
            let actual = adapter(&Call { inputs: &with_source, expected })?;
            let single = expected.get("dtype").is_some_and(|kind| kind.text() == Ok("float32"));
            Ok(Some(compare(expected, &actual, if single { SINGLE } else { DOUBLE })))
        }
    }
}

/// Whether the vector's source holds the text.
fn from(call: &Call<'_>, text: &str) -> bool {
    call.inputs.get("upstream").and_then(|source| source.text().ok()).is_some_and(|source| source.contains(text))
}

fn running() -> Constants {
    Constants::v2_30_65()
}

fn evaluator() -> Found<Evaluator> {
    running().evaluator.ok_or_else(|| "the running rule set has no evaluator".to_owned())
}

/// Named for what is drawn: no result that is compared depends on it.
fn seed() -> Digest {
    sha256(b"vectors")
}

/// A float as the file writes it: texts stand for what JSON has no numbers for.
fn float(value: f64) -> Json {
    if value.is_nan() {
        Json::Text("NaN".to_owned())
    } else if value.is_infinite() {
        Json::Text(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
    } else {
        Json::Float(value)
    }
}

fn number(json: &Json) -> Found<f64> {
    match json {
        Json::Text(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
        other => other.number(),
    }
}

fn numbers(json: &Json) -> Found<Vec<f64>> {
    json.map(number)
}

fn floats(values: impl IntoIterator<Item = f64>) -> Json {
    Json::List(values.into_iter().map(float).collect())
}

fn strings(json: &Json) -> Found<Vec<String>> {
    Ok(json.texts()?.into_iter().map(str::to_owned).collect())
}

fn integer(json: &Json) -> Found<i64> {
    match json {
        Json::Int(value) => i64::try_from(*value).map_err(|error| error.to_string()),
        other => Err(format!("{other:?} is no integer")),
    }
}

fn whole(inputs: &Json, key: &str, default: usize) -> Found<usize> {
    inputs.get(key).map_or(Ok(default), |value| Ok(value.natural()? as usize))
}
