//! Adapters for similarities, statistics, penalties, whole evaluations, averages and weights.

use std::collections::BTreeMap;

use domain::cgp::average::{self, Average};
use domain::cgp::constants::{Burn, Payout};
use domain::cgp::evaluation::{Answer, Outcome, Truth, evaluate, score};
use domain::cgp::penalties::{Counts, penalised};
use domain::cgp::rank_curve::{raw_weights, tie_ranks};
use domain::cgp::similarity::{self, Neighbourhood, NoDirection, similarity};
use domain::cgp::statistics::{Statistics, finite_or_zero};
use domain::draw::Stream;

use super::super::json::{Found, Json, object, offer};
use super::super::loosh::Call;
use super::{evaluator, float, floats, from, integer, number, numbers, running, seed, strings, whole};

pub fn safe_value(call: &Call<'_>) -> Found<Json> {
    // Absent is Python's None, which has no value to look at.
    let value = call.inputs.get("value").map_or(Ok(f64::NAN), number)?;
    let found = finite_or_zero(value);
    // Python's integers stay integers.
    let kept = matches!(call.inputs.get("value"), Some(Json::Int(_)));
    let found = if kept { Json::Int(found as i128) } else { float(found) };
    Ok(object(vec![("value", found)]))
}

pub fn vector_similarity(call: &Call<'_>) -> Found<Json> {
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

/// The ground truth's vectors, in the inputs or in the metadata of the whole conversation; missing or null are none.
fn truth_vectors(inputs: &Json) -> Option<&Json> {
    let own = |json: &'_ Json| {
        ["vectors", "ground_truth_vectors", "tag_vectors"].into_iter().find(|key| json.get(key).is_some())
    };
    if let Some(key) = own(inputs) {
        return inputs.get(key);
    }
    let holders =
        ["metadata", "full_convo_metadata", "full_conversation_metadata", "ground_truth", "full_convo_vectors"];
    let holder = holders.into_iter().find_map(|key| inputs.get(key))?;
    match own(holder) {
        Some(key) => holder.get(key),
        // Vectors by tag, as the first revisions pass them; metadata without vectors has none.
        None => inputs.get("full_convo_vectors"),
    }
}

pub fn neighbourhood(call: &Call<'_>) -> Found<Json> {
    let vectors = truth_vectors(call.inputs).map_or_else(|| Ok(Vec::new()), tag_vectors)?;
    let found = neighbourhood_of(&vectors)?;
    let mean = found.map_or(Json::Null, |found| floats(found.mean().iter().copied()));
    if !matches!(call.expected, Json::Object(_)) {
        return Ok(mean);
    }
    let names = ["neighborhood", "neighborhood_vectors", "mean", "vector", "value", "result"];
    Ok(offer(call.expected, names.map(|name| (name, mean.clone())).to_vec()))
}

pub fn stats(call: &Call<'_>) -> Found<Json> {
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

pub fn penalty(call: &Call<'_>) -> Found<Json> {
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

pub fn evaluate_round(call: &Call<'_>) -> Found<Json> {
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

pub fn update_scores(call: &Call<'_>) -> Found<Json> {
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
    let repeated = ["rounds", "steps", "repeat", "iterations", "n_steps"].iter().find(|key| inputs.get(key).is_some());
    let rounds = repeated.map_or(Ok(1), |key| whole(inputs, key, 1))?.max(1);
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

pub fn cubic(call: &Call<'_>) -> Found<Json> {
    let count = call.inputs.at("num_uids")?.natural()? as usize;
    let curve = running().payout.curve.ok_or("the running rule set has no curve")?;
    if let Some(rank) = call.inputs.get("i") {
        let weight = curve.weight(rank.natural()? as usize, count);
        return Ok(offer(call.expected, vec![("weight", float(weight)), ("value", float(weight))]));
    }
    Ok(object(vec![("weights", floats((0..count).map(|rank| curve.weight(rank, count))))]))
}

pub fn weights(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let scores = inputs.get("scores").map_or(Ok(Vec::new()), numbers)?;
    let rate = inputs.get("burn_rate").map_or(Ok(0.0), number)?;
    let payout = Payout { burn: Some(Burn { rate, whole_when_alone: false }), ..running().payout };
    let slot = inputs.get("burn_uid").map(integer).transpose()?;
    let places: Vec<usize> = (0..scores.len()).collect();
    let ties = tie_ranks(&places, &mut Stream::new(seed(), "cgp/ties/1"));
    let Some(found) = raw_weights(&scores, &ties, slot, &payout) else {
        // Nothing at all: whatever is expected of the weights is null.
        let null = |(key, _): &(String, Json)| (key.clone(), Json::Null);
        return Ok(Json::Object(call.expected.fields()?.iter().map(null).collect()));
    };
    let mut sorted = found.clone();
    sorted.sort_by(f64::total_cmp);
    let offers =
        vec![("sum", float(domain::math::sum(&found))), ("weights", floats(found)), ("sorted_weights", floats(sorted))];
    Ok(offer(call.expected, offers))
}
