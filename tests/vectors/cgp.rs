//! Conversation Genome: adapters from JSON to our functions. JSON to arguments, results to JSON; no arithmetic here.
//!
//! Rows are found by the names of functions in a vector's source. The original's order of tags is that of its hashes, so
//! that sets are compared in alphabetical order; its random choices are compared by what does not depend on them.

use std::collections::BTreeMap;

use domain::cgp::average::{self, Average};
use domain::cgp::constants::{Burn, Constants, Evaluator, Membership, Payout, Validation};
use domain::cgp::conversation::{self, Line};
use domain::cgp::evaluation::{Answer, Outcome, Truth, evaluate, score};
use domain::cgp::overlap::{Overlap, compare as compare_tags};
use domain::cgp::penalties::{Counts, penalised};
use domain::cgp::rank_curve::{raw_weights, tie_ranks};
use domain::cgp::similarity::{self, Neighbourhood, NoDirection, similarity};
use domain::cgp::statistics::{Statistics, finite_or_zero};
use domain::cgp::{bell, mock, tags, windows};
use domain::draw::Stream;
use domain::types::{Digest, sha256};

use super::json::{Found, Json, compare, naturals, object, offer, texts};
use super::loosh::Call;
use super::table::{Generation, Row, Verdict};

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
    ours(&["_score_vector_similarity"], &[], "cgp::similarity::similarity", vector_similarity),
    ours(&["_calculate_semantic_neighborhood"], &[], "cgp::similarity::Neighbourhood::of", neighbourhood),
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
            let (inputs, expected) = (vector.at("inputs")?, vector.at("expected")?);
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

fn window_json(found: &[std::ops::Range<usize>]) -> Json {
    let pair = |window: &std::ops::Range<usize>| naturals([window.start as u64, window.end as u64]);
    Json::List(found.iter().map(pair).collect())
}

/// How many items: a number, or the items themselves.
fn items(inputs: &Json) -> Found<usize> {
    match inputs.any(&["n_items", "n_lines", "lines", "array", "items"])? {
        Json::List(items) => Ok(items.len()),
        count => Ok(count.natural()? as usize),
    }
}

fn split_overlap_array(call: &Call<'_>) -> Found<Json> {
    let (size, overlap) = (whole(call.inputs, "size", 10)?, whole(call.inputs, "overlap", 2)?);
    let found = windows::split(items(call.inputs)?, size, overlap);
    let offers = vec![("window_count", Json::Int(found.len() as i128)), ("windows", window_json(&found))];
    Ok(offer(call.expected, offers))
}

fn conversation_windows(call: &Call<'_>) -> Found<Json> {
    let rule = if from(call, "12981da") { running().windows } else { Constants::readme().windows };
    let found = windows::of_conversation(items(call.inputs)?, &rule);
    let offers = vec![("window_count", Json::Int(found.len() as i128)), ("windows", window_json(&found))];
    Ok(offer(call.expected, offers))
}

fn enough_windows(call: &Call<'_>) -> Found<Json> {
    let count = call.inputs.any(&["window_count", "n_windows", "windows"])?.natural()? as usize;
    let stated = call.inputs.get("min_convo_windows").map(Json::natural).transpose()?;
    let kept = windows::enough(count, stated, &running().windows);
    Ok(offer(call.expected, vec![("kept", Json::Bool(kept)), ("valid", Json::Bool(kept))]))
}

fn safe_tag(call: &Call<'_>) -> Found<Json> {
    let found = tags::safe_tag(call.inputs.any(&["tag", "inStr"])?.text()?);
    Ok(object(vec![("safe_tag", Json::Text(found))]))
}

fn clean_tag_set(call: &Call<'_>) -> Found<Json> {
    let raw: Vec<Option<&str>> = call.inputs.at("tags")?.list()?.iter().map(|tag| tag.text().ok()).collect();
    let found = texts(tags::clean_raw_tag_set(&raw));
    let offers = ["set_sorted", "tags_sorted", "tags", "sorted", "clean_tags"].map(|key| (key, found.clone()));
    Ok(offer(call.expected, offers.to_vec()))
}

fn clean_tags(call: &Call<'_>) -> Found<Json> {
    Ok(object(vec![("tags", texts(tags::clean_tags(&call.inputs.at("tags")?.texts()?)))]))
}

fn compare_arrays(call: &Call<'_>) -> Found<Json> {
    let (first, second) = (call.inputs.at("arr1")?.texts()?, call.inputs.at("arr2")?.texts()?);
    let found = compare_tags(&first, &second);
    Ok(object(vec![
        ("both", texts(found.both)),
        ("unique_1", texts(found.only_first)),
        ("unique_2", texts(found.only_second)),
    ]))
}

fn safe_value(call: &Call<'_>) -> Found<Json> {
    // Absent is Python's None, which has no value to look at.
    let value = call.inputs.get("value").map_or(Ok(f64::NAN), number)?;
    let found = finite_or_zero(value);
    // Python's integers stay integers.
    let kept = matches!(call.inputs.get("value"), Some(Json::Int(_)));
    let found = if kept { Json::Int(found as i128) } else { float(found) };
    Ok(object(vec![("value", found)]))
}

fn is_empty_vector(call: &Call<'_>) -> Found<Json> {
    let found = similarity::is_zero(&numbers(call.inputs.at("vector")?)?);
    let offers = ["empty", "is_empty", "value", "result"].map(|key| (key, Json::Bool(found)));
    Ok(offer(call.expected, offers.to_vec()))
}

fn lines(json: &Json) -> Found<Vec<Line>> {
    let pairs = json.list()?.iter().filter_map(|line| line.list().ok()).filter(|line| line.len() == 2);
    pairs.map(|pair| Ok(Line(pair[0].natural()? as u32, pair[1].text()?.to_owned()))).collect()
}

fn prompt_xml(call: &Call<'_>) -> Found<Json> {
    let found = conversation::prompt_xml(&lines(call.inputs.at("lines")?)?, false);
    Ok(offer(call.expected, vec![("xml", Json::Text(found))]))
}

fn validation_rule(call: &Call<'_>) -> Found<Validation> {
    let rule = running().tags.validation.ok_or("the running rule set validates nothing")?;
    // The classic revision kept every element that occurs in the joined text.
    Ok(if from(call, "12981da") { rule } else { Validation { membership: Membership::Fragment, ..rule } })
}

fn validate_tag_set(call: &Call<'_>) -> Found<Json> {
    let sent = call.inputs.any(&["tags", "original_tags"])?.texts()?;
    let rule = validation_rule(call)?;
    let input = tags::validation_input(&sent, &rule, &mut Stream::new(seed(), "cgp/tags/1"));
    let reply = call.inputs.any(&["reply", "response", "content", "llm_reply", "llm_response"])?.text()?;
    let found = tags::parse_validation(reply, &sent, &input, &rule).map_or(Json::Null, texts);
    let offers = ["tags", "tags_sorted", "set_sorted", "valid_tags"].map(|key| (key, found.clone()));
    Ok(offer(call.expected, offers.to_vec()))
}

fn vector_similarity(call: &Call<'_>) -> Found<Json> {
    let vector_of = |keys: &[&str]| call.inputs.any(keys).ok().map(numbers).transpose();
    let truth = vector_of(&["neighborhood", "neighborhood_vectors"])?.map(Neighbourhood::at);
    let vector = vector_of(&["vector", "individual_vectors", "vectors"])?;
    // Upstream's own test for zeros works on numpy arrays, which its callers never pass.
    let array =
        call.inputs.fields()?.iter().any(|(_, value)| matches!(value.text(), Ok("ndarray" | "numpy" | "array")));
    let rule = if array && vector.as_deref().is_some_and(similarity::is_zero) {
        NoDirection::Zero
    } else {
        NoDirection::NotANumber
    };
    Ok(object(vec![("score", float(similarity(truth.as_ref(), vector.as_deref(), rule)))]))
}

/// Vectors by tag in the order in which they are written: lists, or objects that hold one.
fn tag_vectors(json: &Json) -> Found<Vec<(String, Vec<f64>)>> {
    let vector = |value: &Json| numbers(value.get("vectors").unwrap_or(value));
    match json {
        Json::List(rows) => rows.iter().enumerate().map(|(at, row)| Ok((at.to_string(), vector(row)?))).collect(),
        other => other.fields()?.iter().map(|(tag, value)| Ok((tag.clone(), vector(value)?))).collect(),
    }
}

fn neighbourhood_of(vectors: &[(String, Vec<f64>)]) -> Found<Option<Neighbourhood>> {
    let vectors: Vec<&[f64]> = vectors.iter().map(|(_, vector)| vector.as_slice()).collect();
    Neighbourhood::of(&vectors).map_err(|error| error.to_string())
}

fn neighbourhood(call: &Call<'_>) -> Found<Json> {
    let vectors = call.inputs.any(&["vectors", "ground_truth_vectors", "tag_vectors"])?;
    let found = neighbourhood_of(&tag_vectors(vectors)?)?;
    let mean = found.map_or(Json::Null, |found| floats(found.mean().iter().copied()));
    Ok(offer(call.expected, vec![("neighborhood", mean.clone()), ("mean", mean)]))
}

fn stats(call: &Call<'_>) -> Found<Json> {
    let unique = call.inputs.any(&["scores_unique", "unique_scores"])?;
    let found = Statistics::of(&numbers(call.inputs.at("scores")?)?, &numbers(unique)?);
    let offers = vec![
        ("top_3_mean", float(found.top_mean)),
        ("median_score", float(found.median)),
        ("mean_score", float(found.mean)),
        ("max_score", float(found.maximum)),
        ("min_score", float(found.minimum)),
        ("adjusted_score", float(found.adjusted(&evaluator()?.weights))),
    ];
    Ok(offer(call.expected, offers))
}

fn penalty(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let counts = Counts {
        tags: inputs.at("num_tags")?.natural()? as usize,
        unique: inputs.at("num_unique_tags")?.natural()? as usize,
        maximum: number(inputs.at("max_score")?)?,
    };
    // Named entities are evaluated by the class without penalties.
    let rule = evaluator()?.penalties.filter(|_| !from(call, "NoPenalty"));
    let applying = rule.map(|rule| rule.applying(counts)).unwrap_or_default();
    Ok(object(vec![("final_score", float(penalised(number(inputs.at("score")?)?, &applying)))]))
}

/// The conversation that several vectors share, as the file writes it out in one of them.
const SHARED_TRUTH: [(&str, [f64; 4]); 4] = [
    ("music", [0.9, 0.1, 0.0, 0.2]),
    ("family", [0.2, 0.8, 0.1, 0.0]),
    ("work", [0.1, 0.2, 0.7, 0.3]),
    ("travel", [0.3, 0.3, 0.2, 0.6]),
];

struct Miner {
    hotkey: String,
    tags: Option<Vec<String>>,
    vectors: Option<BTreeMap<String, Vec<f64>>>,
}

/// The miners of a vector; `n_distinct_tags` stands for one whose many tags all have the same vector.
fn miners(inputs: &Json) -> Found<Vec<Miner>> {
    if let Some(count) = inputs.get("n_distinct_tags") {
        let vector = numbers(inputs.at("every_vector")?)?;
        let tags: Vec<String> = (0..count.natural()?).map(|at| format!("tag {at}")).collect();
        let vectors = tags.iter().map(|tag| (tag.clone(), vector.clone())).collect();
        return Ok(vec![Miner { hotkey: "hk0".to_owned(), tags: Some(tags), vectors: Some(vectors) }]);
    }
    inputs.any(&["miners", "responses"])?.map(|miner| {
        Ok(Miner {
            hotkey: miner.at("hotkey")?.text()?.to_owned(),
            tags: miner.get("tags").map(strings).transpose()?,
            vectors: miner
                .get("vectors")
                .map(|vectors| Ok::<_, String>(tag_vectors(vectors)?.into_iter().collect()))
                .transpose()?,
        })
    })
}

fn outcome_json(at: usize, miner: &Miner, outcome: &Outcome) -> Json {
    let adjusted = outcome.as_ref().map_or(0.0, |scored| scored.adjusted);
    // Upstream reports places from 1 on as uids, and none for answers that it did not score.
    let uid = outcome.is_ok().then_some(("uid", Json::Int(at as i128 + 1)));
    let rest = [
        ("uuid", Json::Text(format!("u-{}", miner.hotkey))),
        ("hotkey", Json::Text(miner.hotkey.clone())),
        ("adjustedScore", float(adjusted)),
        ("final_miner_score", float(score(outcome))),
    ];
    object(uid.into_iter().chain(rest).collect())
}

fn evaluate_round(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let shared = || SHARED_TRUTH.map(|(tag, vector)| (tag.to_owned(), vector.to_vec())).to_vec();
    let vectors = inputs.get("ground_truth_vectors").map_or_else(|| Ok(shared()), tag_vectors)?;
    let own_tags = || Ok(vectors.iter().map(|(tag, _)| tag.clone()).collect());
    let truth_tags: Vec<String> = inputs.get("ground_truth_tags").map_or_else(own_tags, strings)?;
    let neighbourhood = neighbourhood_of(&vectors)?;
    let mean = neighbourhood.as_ref().map_or(Json::Null, |found| floats(found.mean().iter().copied()));
    let truth = Truth { tags: &truth_tags, neighbourhood };
    let miners = miners(inputs)?;
    let answer = |miner: &'_ Miner| -> bool { miner.tags.is_none() && miner.vectors.is_none() };
    let answers: Vec<Option<Answer<'_>>> = miners
        .iter()
        .map(|miner| {
            let vectors = miner
                .vectors
                .as_ref()
                .map(|vectors| vectors.iter().map(|(tag, vector)| (tag.as_str(), vector.as_slice())).collect());
            (!answer(miner)).then_some(Answer { tags: miner.tags.as_deref(), vectors })
        })
        .collect();
    let mut rule = evaluator()?;
    if from(call, "NoPenalty") {
        rule.penalties = None;
    }
    if let Some(minimum) = inputs.get("min_tags") {
        rule.minimum_tags = minimum.natural()?;
    }
    let outcomes = evaluate(&truth, &answers, &rule, &seed());
    let scored =
        outcomes.first().and_then(|outcome| outcome.as_ref().ok()).map_or(0, |scored| scored.similarities.len());
    let finals =
        miners.iter().zip(&outcomes).enumerate().map(|(at, (miner, outcome))| outcome_json(at, miner, outcome));
    let offers = vec![
        ("neighborhood", mean),
        ("n_scored", Json::Int(scored as i128)),
        ("final_scores", Json::List(finals.collect())),
        ("rank_scores", floats(outcomes.iter().map(score))),
    ];
    Ok(offer(call.expected, offers))
}

fn update_scores(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let single = |values: Vec<f64>| -> Vec<f32> { values.into_iter().map(|value| value as f32).collect() };
    let mut rule: Average = running().average;
    rule.alpha = inputs.get("moving_average_alpha").map_or(Ok(rule.alpha), number)?;
    if let Some(power) = inputs.get("nonlinear_power") {
        rule.power = Some(number(power)?);
    }
    let rewards = numbers(inputs.at("rewards")?)?;
    let uids = inputs.at("uids")?.map(integer)?;
    let before = single(numbers(inputs.at("ema_scores")?)?);
    let neurons = whole(inputs, "neurons", before.len())?;
    let rounds = whole(inputs, "rounds", 1)?.max(1);
    let mut found = average::update(&rewards, &uids, &before, neurons, &rule);
    for _ in 1..rounds {
        found = average::update(&rewards, &uids, &found.averages, neurons, &rule);
    }
    let double = |values: &[f32]| floats(values.iter().map(|value| f64::from(*value)));
    let offers = vec![
        ("ema_scores", double(&found.averages)),
        ("scores", double(&found.scores)),
        ("dtype", Json::Text("float32".to_owned())),
    ];
    Ok(offer(call.expected, offers))
}

fn cubic(call: &Call<'_>) -> Found<Json> {
    let count = call.inputs.at("num_uids")?.natural()? as usize;
    let curve = running().payout.curve.ok_or("the running rule set has no curve")?;
    if let Some(rank) = call.inputs.get("i") {
        let weight = curve.weight(rank.natural()? as usize, count);
        return Ok(offer(call.expected, vec![("weight", float(weight)), ("value", float(weight))]));
    }
    Ok(object(vec![("weights", floats((0..count).map(|rank| curve.weight(rank, count))))]))
}

fn weights(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let scores = inputs.get("scores").map_or(Ok(Vec::new()), numbers)?;
    let rate = inputs.get("burn_rate").map_or(Ok(0.0), number)?;
    let payout = Payout { burn: Some(Burn { rate, whole_when_alone: false }), ..running().payout };
    let slot = inputs.get("burn_uid").map(integer).transpose()?;
    let places: Vec<usize> = (0..scores.len()).collect();
    let ties = tie_ranks(&places, &mut Stream::new(seed(), "cgp/ties/1"));
    let Some(found) = raw_weights(&scores, &ties, slot, &payout) else {
        return Ok(offer(call.expected, vec![("weights", Json::Null)]));
    };
    let mut sorted = found.clone();
    sorted.sort_by(f64::total_cmp);
    let offers =
        vec![("sum", float(domain::math::sum(&found))), ("weights", floats(found)), ("sorted_weights", floats(sorted))];
    Ok(offer(call.expected, offers))
}

fn base_score(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let overlap = match (inputs.get("ground_truth_tags"), inputs.get("miner_tags")) {
        (Some(truth), Some(answer)) => Overlap::of(&truth.texts()?, &answer.texts()?),
        _ => {
            let count = |key: &str| match inputs.at(key)? {
                Json::List(items) => Ok::<usize, String>(items.len()),
                other => Ok(other.natural()? as usize),
            };
            Overlap {
                truth: count("total_1")?,
                answer: count("total_2")?,
                both: count("both")?,
                only_truth: count("unique_1")?,
                only_answer: count("unique_2")?,
            }
        }
    };
    let rule = Constants::readme().overlap.ok_or("the document's rule set has no base score")?;
    match rule.score(&overlap) {
        Ok(score) => Ok(object(vec![("score", float(score))])),
        // The revision after the document's pays nothing instead of failing.
        Err(_) if from(call, "f189e9b") => Ok(object(vec![("score", float(0.0))])),
        Err(_) => Ok(division_by_zero()),
    }
}

fn division_by_zero() -> Json {
    object(vec![("error", Json::Text("ZeroDivisionError".to_owned()))])
}

fn bell_curve(call: &Call<'_>) -> Found<Json> {
    let scores = numbers(call.inputs.at("scores")?)?;
    if from(call, "f189e9b") {
        return Ok(object(vec![("rewards", floats(bell::rewards(&scores)))]));
    }
    Ok(bell::shares(&scores).map_or_else(|_| division_by_zero(), |shares| object(vec![("rewards", floats(shares))])))
}

fn mock_valid(call: &Call<'_>) -> Found<Json> {
    let count = match call.inputs.any(&["tag_count", "tags"])? {
        Json::List(tags) => tags.len(),
        count => count.natural()? as usize,
    };
    Ok(object(vec![("valid", Json::Bool(mock::is_valid(count)))]))
}

/// Every text of a nested list.
fn all_texts(json: &Json) -> Vec<String> {
    match json {
        Json::Text(text) => vec![text.clone()],
        Json::List(items) => items.iter().flat_map(all_texts).collect(),
        Json::Object(fields) => fields.iter().flat_map(|(_, value)| all_texts(value)).collect(),
        _ => Vec::new(),
    }
}

/// The conversation of the vector, or the shipped one where the vector only names the mock run.
fn mock_tags(call: &Call<'_>) -> Found<Json> {
    let given = call.inputs.any(&["lines", "exchanges", "conversation", "convo", "text"]).ok().map(all_texts);
    let shipped = || mock::conversation().iter().map(|line| line.text().to_owned()).collect();
    let found = mock::tags(&given.filter(|lines| lines.len() > 1).unwrap_or_else(shipped));
    let mut sorted = found.clone();
    sorted.sort();
    let valid = Json::Bool(mock::is_valid(found.len()));
    let count = Json::Int(found.len() as i128);
    let offers = vec![
        ("tag_count", count.clone()),
        ("n_tags", count.clone()),
        ("count", count),
        ("valid", valid),
        ("tags", texts(&found)),
        ("tags_sorted", texts(&sorted)),
        ("set_sorted", texts(&sorted)),
    ];
    Ok(offer(call.expected, offers))
}
