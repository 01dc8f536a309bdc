//! Twitter scraper: which function of ours answers for which upstream function, and how their results are compared.
//!
//! Upstream computes in single precision, and the vectors give both: the double-precision result is compared to the usual
//! bound, the single-precision one, run through the same functions, to a few units in the last place. Where a vector calls
//! single precision authoritative, only that counts. NaN and infinities are texts, as in the file.

#[path = "twitter/ancestor.rs"]
mod ancestor;
#[path = "twitter/later.rs"]
mod later;
#[path = "twitter/models.rs"]
mod models;
#[path = "twitter/round.rs"]
mod round;
#[path = "twitter/weights.rs"]
mod weights;

use domain::twitter::numbers::Real;

use super::json::{Found, Json, compare};
use super::loosh::Call;
use super::table::{Generation, Row, Verdict};

/// The bound in double precision.
const DOUBLE: f64 = 1e-12;

/// The bound in single precision: a tenth of what the file suggests.
const SINGLE: f64 = 5e-7;

type Adapter = fn(&Call<'_>) -> Found<Json>;

const fn ours(functions: &'static [&'static str], name: &'static str, adapter: Adapter) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::Ours(name, adapter) }
}

const fn not_ours(functions: &'static [&'static str], reason: &'static str) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::NotOurs(reason) }
}

/// The order matters: a class's own rule before the functions that all classes have.
pub const TABLE: &[Row] = &[
    ours(&["run_task_and_score"], "twitter::step::evaluate", round::step),
    ours(&["RelevanceRewardModel"], "twitter::later::filters::relevant", ancestor::relevance),
    ours(&["DiversityRewardModel"], "twitter::later::filters::{batch_distance, diversity}", ancestor::diversity),
    ours(&["NSFWRewardModel"], "twitter::later::filters::decent", ancestor::decency),
    ours(
        &["calculate_significance", "get_significance", "significance"],
        "twitter::later::filters::significance",
        ancestor::significance,
    ),
    not_ours(
        &["Blacklist", "BlacklistRewardModel"],
        "phrases are counted over one tokenizer's pieces in the memory of one process, and matched by a fuzzy matcher's own score: \
         nobody could repeat it, and the Twitter validator never had it; what a phrase counts is ours",
    ),
    ours(
        &["OrganicQueryState", "organic_penalty", "has_penalty", "remove_penalty"],
        "twitter::later::OrganicDebts",
        ancestor::organic,
    ),
    ours(
        &["blocks_until_next_epoch", "get_blocks_until_next_epoch", "blocks_left"],
        "twitter::payout::blocks_left",
        ancestor::blocks_left,
    ),
    ours(&["priority", "default_priority"], "twitter::later::gate::priority", ancestor::priority),
    ours(&["normalize_rewards"], "twitter::{normaliser, later::stretched}", round::normalise),
    ours(&["MockRewardModel"], "twitter::reward::stand_in", round::stand_in),
    ours(&["AccuracyPenaltyModel"], "twitter::penalty::accuracy", round::accuracy),
    ours(&["TaskValidationPenaltyModel"], "twitter::penalty::task_validation", round::task_validation),
    ours(&["KeywordMatchPenaltyModel", "check_exploits_keywords"], "twitter::penalty::keyword_match", round::keywords),
    ours(&["ContentMatchPenaltyModel"], "twitter::penalty::content_match", round::content),
    ours(
        &["MatchLengthCriteria", "MatchContentCriteria", "SimpleResponseLayoutCriteria", "MatchLayoutCriteria"],
        "twitter::criteria::Criterion::penalties",
        round::criterion,
    ),
    ours(
        &["ExponentialTimePenaltyModel", "StreamingPenaltyModel", "LinkValidationPenaltyModel"],
        "twitter::later::{slowness, lumps, links::inverted_link_penalty}",
        later::penalties,
    ),
    ours(&["calculate_percentile_rewards"], "twitter::later::ranked", later::ranked),
    ours(&["PerformanceRewardModel"], "twitter::later::performance", later::performance),
    ours(&["calculate_adjusted_score"], "twitter::later::links::adjusted", later::adjusted),
    ours(
        &["SummaryRelevanceRewardModel", "TwitterContentRelevanceModel", "WebSearchContentRelevanceModel"],
        "twitter::later::links::{summary, twitter_content, web_search}",
        later::relevance,
    ),
    ours(&["reward_single", "DirectPreferenceRewardModel"], "twitter::preference::measure", models::preference),
    ours(&["extract_score", "extract"], "twitter::judge::{first_mark, coded_mark, link_mark}", models::marks),
    ours(&["PromptRewardModel"], "twitter::judge::reward", models::prompt_reward),
    ours(&["find_unique_tags"], "twitter::judge::tags", models::tags),
    ours(&["BasePrompt", "ScoringPrompt"], "twitter::judge::without_names", models::sanitised),
    ours(&["check_match", "mock_filter_tweets"], "twitter::tweet::{matches, first_match}", models::filter),
    ours(&["TwitterQueryResult", "TwitterPromptAnalysisResult"], "twitter::analysis", models::analysis),
    ours(&["update_moving_averaged_scores"], "twitter::average::{scatter, moving}", weights::moving_average),
    ours(&["update_weights", "set_weights"], "twitter::{average::smoothed, payout::shares}", weights::smoothed),
    ours(&["should_set_weights"], "twitter::payout::wrapped", weights::wrapped),
    ours(&["query_synapse"], "twitter::average::is_due", weights::due),
    ours(&["process_weights", "process_weights_for_netuid"], "sdk_weights::process", weights::process),
    ours(&["convert_weights_and_uids_for_emit"], "sdk_weights::emit", weights::emit),
    ours(&["normalize_max_weight"], "sdk_weights::normalise_max_weight", weights::capped),
    ours(&["base_blacklist"], "twitter::later::gate::Gate::admit", weights::gate),
    ours(&["BaseRewardModel", "apply"], "twitter::reward::apply", round::apply),
    ours(&["BasePenaltyModel", "apply_penalties"], "twitter::penalty::adjusted", round::adjusted),
    ours(&["TwitterScraperValidator", "__init__"], "twitter::reward::weights_accepted", round::weight_gate),
    not_ours(
        &["extract_response_json", "deserialize", "process_streaming_response"],
        "the streaming synapse's view of HTTP headers belongs to the wire",
    ),
    not_ours(
        &["get_valid_hotkeys", "get_version", "init_wandb"],
        "lists of validators kept in an outside service for experiments are no rule of the subnet",
    ),
    not_ours(
        &["save_state_to_file", "load_state_from_file", "get_state"],
        "upstream's state file holds counters of its ancestor that nothing reads",
    ),
];

/// The differences of a vector.
pub fn check(vector: &Json) -> Found<Option<Vec<String>>> {
    let upstream = vector.at("upstream")?;
    let function = upstream.at("function")?.text()?;
    let adapter = match find(function) {
        Some(Verdict::Ours(_, adapter)) => *adapter,
        Some(Verdict::NotOurs(_)) => return Ok(None),
        None => return Err(format!("{function:?} is not in the table: neither ours nor known as not ours")),
    };
    let expected = vector.at("expected")?;
    let run = |precision: &str, expected: &Json| {
        let inputs = described(vector.at("inputs")?, upstream, precision)?;
        adapter(&Call { inputs: &inputs, expected })
    };
    let single = vector.get("original_dtype").map_or(Ok("float32"), Json::text)? == "float32";
    if vector.get("authoritative").map_or(Ok(""), Json::text)? == "f32" {
        return Ok(Some(compare(expected, &run("single", expected)?, SINGLE)));
    }
    let mut differences = compare(expected, &run("double", expected)?, DOUBLE);
    if single {
        let expected = vector.get("expected_f32").unwrap_or(expected);
        let found = compare(expected, &run("single", expected)?, SINGLE);
        differences.extend(found.into_iter().map(|difference| format!("in single precision {difference}")));
    }
    Ok(Some(differences))
}

/// The inputs, with what an adapter has to know besides: the precision, and which version of upstream it answers for.
fn described(inputs: &Json, upstream: &Json, precision: &str) -> Found<Json> {
    let mut fields = inputs.fields()?.to_vec();
    let mut say = |key: &str, value: &str| {
        fields.retain(|(known, _)| known != key);
        fields.push((key.to_owned(), Json::Text(value.to_owned())));
    };
    say(PRECISION, precision);
    say(FUNCTION, upstream.at("function")?.text()?);
    say(COMMIT, upstream.get("commit").map_or(Ok(""), Json::text)?);
    Ok(Json::Object(fields))
}

const PRECISION: &str = "(precision)";
const FUNCTION: &str = "(function)";
const COMMIT: &str = "(commit)";

/// Runs one of two forms of an adapter, by the precision asked for.
fn in_precision(call: &Call<'_>, single: Adapter, double: Adapter) -> Found<Json> {
    if call.inputs.at(PRECISION)?.text()? == "single" { single(call) } else { double(call) }
}

/// Whether the vector's function names this class or function.
fn names(call: &Call<'_>, word: &str) -> Found<bool> {
    Ok(words(call.inputs.at(FUNCTION)?.text()?).contains(&word))
}

/// Whether the vector is of the first generation of the code: up to the first months of 2024.
fn is_first_generation(call: &Call<'_>) -> Found<bool> {
    const FIRST: [&str; 3] = ["d8d9503", "f06c09a", "f1c6f30"];
    let commit = call.inputs.at(COMMIT)?.text()?;
    Ok(FIRST.iter().any(|known| commit.starts_with(known)))
}

fn words(function: &str) -> Vec<&str> {
    function.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

/// The row of the first function that a source names, rows in their order.
fn find(function: &str) -> Option<&'static Verdict> {
    let words = words(function);
    TABLE.iter().find(|row| row.functions.iter().any(|name| words.contains(name))).map(|row| &row.verdict)
}

/// A number, or the text of one that JSON does not have.
fn number(json: &Json) -> Found<f64> {
    match json {
        Json::Text(text) if text == "NaN" => Ok(f64::NAN),
        Json::Text(text) if text == "Infinity" => Ok(f64::INFINITY),
        Json::Text(text) if text == "-Infinity" => Ok(f64::NEG_INFINITY),
        Json::Null => Ok(f64::NAN),
        other => other.number(),
    }
}

fn near<R: Real>(json: &Json) -> Found<R> {
    number(json).map(R::near)
}

fn nears<R: Real>(json: &Json) -> Found<Vec<R>> {
    json.map(near)
}

fn spelled<R: Real>(value: R) -> Json {
    let value: f64 = value.into();
    if value.is_nan() {
        Json::Text("NaN".to_owned())
    } else if value.is_infinite() {
        Json::Text(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
    } else {
        Json::Float(value)
    }
}

fn spelled_all<R: Real>(values: &[R]) -> Json {
    Json::List(values.iter().map(|value| spelled(*value)).collect())
}

/// Items of a list of cases, or the inputs themselves as the only one; and whether there was a list.
fn cases<'a>(call: &Call<'a>, keys: &[&str]) -> (Vec<&'a Json>, bool) {
    match call.inputs.any(keys).and_then(Json::list) {
        Ok(list) => (list.iter().collect(), true),
        Err(_) => (vec![call.inputs], false),
    }
}

/// Results of cases in the shape in which they are expected: a list, or the only one.
fn shaped(results: Vec<Json>, listed: bool) -> Found<Json> {
    if listed { Ok(Json::List(results)) } else { results.into_iter().next().ok_or_else(|| "no result".to_owned()) }
}

#[test]
fn unknown_functions_and_wrong_results_are_found() {
    let vector = |function: &str, expected: &str| {
        let text = format!(
            r#"{{"name":"probe","inputs":{{"rewards":[0.4,0.4,0.0]}},"expected":{expected},"original_dtype":"float32",
            "upstream":{{"file":"x.py","function":"{function}","commit":"e47aeda"}}}}"#
        );
        check(&serde_json::from_str(&text).unwrap())
    };
    let right = "BaseRewardModel.normalize_rewards";
    assert_eq!(vector(right, "[1.0,1.0,0.0]"), Ok(Some(Vec::new())));
    assert_eq!(vector("Wandb.get_valid_hotkeys", "[]"), Ok(None));
    assert!(vector(right, "[1.0,1.0,1e-11]").unwrap().is_some_and(|found| found.len() == 1));
    assert!(vector("BaseThing.other", "[]").is_err());
}

#[test]
fn functions_without_a_vector_have_a_row_all_the_same() {
    let check = |function: &str, inputs: &str, expected: &str| {
        let text = format!(
            r#"{{"name":"probe","inputs":{inputs},"expected":{expected},"original_dtype":"float64",
            "upstream":{{"file":"x.py","function":"{function}","commit":"2e8b1b8"}}}}"#
        );
        check(&serde_json::from_str(&text).unwrap())
    };
    for (function, inputs, right, wrong) in [
        ("RelevanceRewardModel.reward", r#"{"closeness":-0.01,"cosine":0.4}"#, "1.0", "0.0"),
        ("RelevanceRewardModel.reward", r#"{"prompt":[1,0],"completion":[0,1],"cosine":0.4}"#, "0.0", "1.0"),
        ("RelevanceRewardModel.normalize_rewards", r#"{"rewards":[0.0,1.0]}"#, "[0.0,1.0]", "[0.5,0.5]"),
        ("DiversityRewardModel.get_rewards", r#"{"cosines":[1.0,0.9,0.2]}"#, "0.5", "0.6"),
        ("DiversityRewardModel.get_rewards", r#"{"cases":[{"batch":0.1,"historic":0.05}]}"#, "[0.25]", "[0.5]"),
        ("NSFWRewardModel.reward", r#"{"chunks":[[3.0,-3.0],[0.4,-2.0]]}"#, "0.0", "1.0"),
        ("Blacklist.calculate_significance", r#"{"words":3,"count":4,"error":0,"completions":40}"#, "15.625", "10.0"),
        (
            "OrganicQueryState.has_penalty",
            r#"{"events":[{"hotkey":"a","rewards":[0,0.5]},{"hotkey":"a"},{"hotkey":"a"},{"hotkey":"b"}]}"#,
            "[true,false,false]",
            "[true,true,false]",
        ),
        (
            "get_blocks_until_next_epoch",
            r#"{"tempo":360,"netuid":22,"cases":[{"block":337},{"block":338}]}"#,
            "[0,360]",
            "[1,0]",
        ),
        (
            "priority",
            r#"{"cases":[{"stake":5.0,"minutes":20},{"stake":5.0,"minutes":1},{"minutes":9}]}"#,
            "[10.0,5.0,0.0]",
            "[10.0,1.0,0.0]",
        ),
    ] {
        assert_eq!(check(function, inputs, right), Ok(Some(Vec::new())), "{function}");
        assert!(check(function, inputs, wrong).unwrap().is_some_and(|found| !found.is_empty()), "{function}");
    }
    assert_eq!(check("Blacklist.reward", "{}", "[]"), Ok(None));
}
