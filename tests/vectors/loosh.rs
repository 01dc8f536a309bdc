//! Adapters for the vectors of Loosh's upstream functions: JSON to arguments, results to JSON. No arithmetic here.

use std::collections::BTreeMap;

use domain::loosh::average::{PastEvaluation, StoredEmission, UidHolder, averages, freshness_gate};
use domain::loosh::constants::{Constants, EntityCaps, HeuristicWeights, Scorer, SignalWeights};
use domain::loosh::emissions::{Best, best, emissions};
use domain::loosh::entity::{NodeOwner, vote_caps};
use domain::loosh::individual::{Filtered, diversity_bonus, scores};
use domain::loosh::matrix::{SquareMatrix, cosines, select, similarity};
use domain::loosh::payout::{Mode, Node, normalised, not_serving, quantised, sybil_penalty};
use domain::loosh::quality::{Answer, Breakdown, Prompt, gated, heuristic, score, sigmoid};
use domain::loosh::round::{Entry, Round, evaluate, long_enough, minimum_words};
use domain::loosh::sentences::{Coherence, Sentences, combined, complexity, penalised};
use domain::loosh::{clustering, consensus, heuristics, outlier, sybil};
use domain::text::patterns::{prompt_components, sentences};
use domain::text::word_count;

use super::json::{Found, Json, differences, floats, naturals, object, offer, texts};

/// One vector as an adapter sees it.
pub struct Call<'a> {
    pub inputs: &'a Json,
    pub expected: &'a Json,
}

pub fn running() -> Constants {
    Constants::v1_2_8()
}

fn caps() -> EntityCaps {
    running().entity_caps.unwrap_or(EntityCaps { maximum_votes: 1.0, minimum_group: 2 })
}

fn quality_rule() -> Found<domain::loosh::constants::Quality> {
    running().quality.ok_or_else(|| "the running rule set has no quality stage".to_owned())
}

fn matrix(found: &SquareMatrix) -> Json {
    Json::List(found.rows().map(floats).collect())
}

fn optional_numbers(inputs: &Json, key: &str) -> Found<Option<Vec<f64>>> {
    inputs.get(key).map(Json::numbers).transpose()
}

/// `R1`, `R2`, … or the uids, as upstream labels responses.
fn labels(inputs: &Json, count: usize) -> Found<Vec<String>> {
    match inputs.get("uids") {
        Some(uids) => uids.map(|uid| Ok(uid.natural()?.to_string())),
        None => Ok((1..=count).map(|number| format!("R{number}")).collect()),
    }
}

fn named(labels: &[String], values: &[f64]) -> Json {
    Json::Object(labels.iter().cloned().zip(values.iter().copied().map(Json::Float)).collect())
}

fn number_map(json: &Json) -> Found<BTreeMap<String, f64>> {
    json.fields()?.iter().map(|(key, value)| Ok((key.clone(), value.number()?))).collect()
}

fn from_map(map: &BTreeMap<String, f64>) -> Json {
    Json::Object(map.iter().map(|(key, value)| (key.clone(), Json::Float(*value))).collect())
}

/// Runs `each` on every item of `inputs.cases` (or on the inputs themselves), beside what is expected of it.
fn cases(call: &Call<'_>, each: impl Fn(&Json, &Json) -> Found<Json>) -> Found<Json> {
    let Some(inputs) = call.inputs.get("cases") else { return each(call.inputs, call.expected) };
    let nothing = Json::Object(Vec::new());
    let expected: &[Json] = call.expected.get("cases").map_or(Ok(&[][..]), Json::list)?;
    let found = inputs.list()?.iter().enumerate().map(|(at, case)| each(case, expected.get(at).unwrap_or(&nothing)));
    Ok(object(vec![("cases", Json::List(found.collect::<Found<_>>()?))]))
}

pub fn sigmoid_clamp(call: &Call<'_>) -> Found<Json> {
    let xs = call.inputs.at("x")?.numbers()?;
    let row = |pair: &Json| {
        let pair = pair.numbers()?;
        let [midpoint, steepness] = pair[..] else { return Err("a pair has two numbers".to_owned()) };
        Ok(floats(&xs.iter().map(|x| sigmoid(*x, midpoint, steepness)).collect::<Vec<_>>()))
    };
    Ok(object(vec![("rows", Json::List(call.inputs.at("pairs")?.map(row)?))]))
}

pub fn pairwise_similarity(call: &Call<'_>) -> Found<Json> {
    let found = similarity(&call.inputs.at("embeddings")?.rows()?);
    Ok(object(vec![("similarity", matrix(&found))]))
}

fn agreement_json(found: consensus::Agreement, lambda: f64, expected: &Json) -> Json {
    offer(
        expected,
        vec![
            ("mu", Json::Float(found.mu)),
            ("sigma", Json::Float(found.sigma)),
            ("theta", Json::Float(found.theta(lambda))),
        ],
    )
}

pub fn agreement(call: &Call<'_>) -> Found<Json> {
    let embeddings = call.inputs.at("embeddings")?.rows()?;
    let all = similarity(&embeddings);
    let votes = optional_numbers(call.inputs, "entity_weights")?;
    let quality = optional_numbers(call.inputs, "quality")?;
    let lambda = call.inputs.get("lambda_factor").map_or(Ok(running().consensus.lambda), Json::number)?;
    let nothing = Json::Null;
    let part = |key: &str, votes: Option<&[f64]>| {
        let found = consensus::agreement(&all, quality.as_deref(), votes);
        agreement_json(found, lambda, call.expected.get(key).unwrap_or(&nothing))
    };
    let first: Vec<bool> = (0..embeddings.len()).map(|at| at == 0).collect();
    let lone = consensus::agreement(&all.select(&first), quality.as_ref().map(|q| select(q, &first)).as_deref(), None);
    Ok(offer(
        call.expected,
        vec![
            ("unweighted", part("unweighted", None)),
            ("no_entity", part("no_entity", None)),
            ("entity_weighted", part("entity_weighted", votes.as_deref())),
            ("with_entity", part("with_entity", votes.as_deref())),
            ("single_response", floats(&[lone.mu, lone.sigma])),
        ],
    ))
}

pub fn confidence_weighted(call: &Call<'_>) -> Found<Json> {
    let all = similarity(&call.inputs.at("embeddings")?.rows()?);
    let ones = vec![1.0; all.size()];
    let given = optional_numbers(call.inputs, "confidences")?.unwrap_or_else(|| ones.clone());
    let found = Json::Float(consensus::confidence_weighted(&all, &given));
    let even = Json::Float(consensus::confidence_weighted(&all, &ones));
    let mut offers: Vec<(&str, Json)> =
        ["score", "weighted_score", "weighted", "confidence_weighted"].map(|key| (key, found.clone())).into();
    offers.extend(["unweighted", "uniform", "all_ones"].map(|key| (key, even.clone())));
    Ok(offer(call.expected, offers))
}

pub fn polarity(call: &Call<'_>) -> Found<Json> {
    let found = consensus::polarity(&call.inputs.at("polarities")?.texts()?);
    Ok(object(vec![("agreement", Json::Float(found))]))
}

pub fn local_outliers(call: &Call<'_>) -> Found<Json> {
    let rule = running().outliers;
    cases(call, |case, _| {
        let embeddings = case.at("embeddings")?.rows()?;
        let factors = outlier::local_outlier_factors(&embeddings, rule.neighbours as usize)
            .ok_or("fewer than two points have no neighbours")?;
        let marks = outlier::outliers(&factors, rule.threshold);
        let prediction = |outside: &bool| Json::Int(if *outside { -1 } else { 1 });
        Ok(object(vec![
            ("predictions", Json::List(marks.iter().map(prediction).collect())),
            ("negative_outlier_factor", Json::List(factors.iter().map(|factor| Json::Float(-factor)).collect())),
        ]))
    })
}

pub fn smart_outliers(call: &Call<'_>) -> Found<Json> {
    let embeddings = call.inputs.at("embeddings")?.rows()?;
    let labels = labels(call.inputs, embeddings.len())?;
    let mut rule = running().outliers;
    if let Some(delta) = call.inputs.get("outlier_quality_delta") {
        rule.quality_delta = Some(delta.number()?);
    }
    let case = |quality: &Json| {
        let quality = if *quality == Json::Null { None } else { Some(quality.numbers()?) };
        let (_, decision) = outlier::filter(&embeddings, quality.as_deref(), &rule);
        let left = similarity(&embeddings).select(&decision.kept);
        Ok(object(vec![("kept", texts(select(&labels, &decision.kept))), ("sim", matrix(&left))]))
    };
    Ok(object(vec![("cases", Json::List(call.inputs.at("quality_cases")?.map(case)?))]))
}

pub fn clusters(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, _| {
        let embeddings = case.at("embeddings")?.rows()?;
        let votes = optional_numbers(case, "entity_weights")?;
        let (found, kept) = clustering::filter(&similarity(&embeddings), votes.as_deref(), &running().clusters);
        let labels = labels(case, embeddings.len())?;
        Ok(object(vec![
            ("cluster_labels", naturals(found.iter().map(|label| *label as u64))),
            ("kept", texts(select(&labels, &kept))),
        ]))
    })
}

pub fn text_heuristics(call: &Call<'_>) -> Found<Json> {
    let row = |text: &Json| {
        let text = text.text()?;
        Ok(object(vec![
            ("text", Json::Text(text.to_owned())),
            ("density", Json::Float(heuristics::density(text))),
            ("specificity", Json::Float(heuristics::specificity(text))),
            ("coherence_heuristic", Json::Float(heuristics::coherence(text))),
        ]))
    };
    Ok(object(vec![("rows", Json::List(call.inputs.at("texts")?.map(row)?))]))
}

pub fn components(call: &Call<'_>) -> Found<Json> {
    let split = |prompt: &Json| Ok(texts(prompt_components(prompt.text()?).iter().map(|part| part.text())));
    Ok(object(vec![("components", Json::List(call.inputs.at("prompts")?.map(split)?))]))
}

pub fn sentence_split(call: &Call<'_>) -> Found<Json> {
    let minimum = quality_rule()?.scorer.minimum_sentence_words as usize;
    let split = |text: &Json| Ok(texts(sentences(text.text()?, minimum)));
    Ok(object(vec![("sentences", Json::List(call.inputs.at("texts")?.map(split)?))]))
}

fn coherence_json(found: &Coherence) -> Json {
    object(vec![
        ("local", Json::Float(found.local)),
        ("global", Json::Float(found.global)),
        ("breaks", Json::Int(found.breaks.into())),
        ("break_rate", Json::Float(found.break_rate)),
        ("drift", Json::Float(found.drift)),
        ("graph_score", Json::Float(found.graph_score)),
    ])
}

pub fn sentence_signals(call: &Call<'_>) -> Found<Json> {
    let vectors = call.inputs.at("sentence_embeddings")?.rows()?;
    let scorer = quality_rule()?.scorer;
    let sentences = Sentences::new(&vectors);
    let coherence = sentences.coherence(&scorer);
    let (step, steps) = sentences.steps(&scorer);
    Ok(offer(
        call.expected,
        vec![
            ("coherence", coherence_json(&coherence)),
            ("signals", coherence_json(&coherence)),
            ("combined_coherence", Json::Float(combined(&coherence, &scorer))),
            ("combined_before", Json::Float(combined(&coherence, &scorer))),
            ("combined_after", Json::Float(penalised(&coherence, &scorer))),
            ("step_score", Json::Float(step)),
            ("num_steps", Json::Int(steps.into())),
            ("redundancy", Json::Float(sentences.redundancy())),
            ("novelty", Json::Float(sentences.novelty())),
            ("complexity", Json::Float(complexity(step, sentences.novelty(), &scorer))),
            ("path_length", Json::Float(sentences.path_length())),
            ("curvature", Json::Float(sentences.curvature())),
            ("graph_score", Json::Float(sentences.graph_score(scorer.graph_edge))),
        ],
    ))
}

pub fn answer_shape(call: &Call<'_>) -> Found<Json> {
    let shape = |pair: &Json| {
        let pair = pair.texts()?;
        let [prompt, answer] = pair[..] else { return Err("a pair has two texts".to_owned()) };
        Ok(Json::Float(heuristics::answer_shape(answer, prompt)))
    };
    Ok(object(vec![("scores", Json::List(call.inputs.at("pairs")?.map(shape)?))]))
}

/// Vectors of a round's texts, from the map that comes with the vector; `None` when sentences are not embedded there.
struct Embedded {
    components: Vec<Vec<f64>>,
    sentences: Option<Vec<Vec<Vec<f64>>>>,
}

fn embedded(inputs: &Json, prompt: &str, answers: &[&str], scorer: &Scorer) -> Found<Embedded> {
    let Some(map) = inputs.get("embedding_map").filter(|map| map.fields().is_ok()) else {
        return Ok(Embedded { components: Vec::new(), sentences: None });
    };
    let vector = |text: &str| map.get(text).ok_or_else(|| format!("no vector for {text:?}"))?.numbers();
    let minimum = scorer.minimum_sentence_words as usize;
    let of_answer = |answer: &&str| sentences(answer, minimum).into_iter().map(vector).collect::<Found<Vec<_>>>();
    Ok(Embedded {
        components: prompt_components(prompt).iter().map(|part| vector(&part.text())).collect::<Found<_>>()?,
        sentences: Some(answers.iter().map(of_answer).collect::<Found<_>>()?),
    })
}

fn breakdown_json(found: &Breakdown) -> Json {
    let whole = [
        "coherence_breaks",
        "num_steps",
        "sentence_count",
        "covered_components",
        "total_components",
        "discourse_marker_count",
    ];
    let counts = [
        found.coherence_breaks,
        found.num_steps,
        found.sentence_count,
        found.covered_components,
        found.total_components,
        found.discourse_marker_count,
    ];
    let field = |(name, value): (&'static str, f64)| match whole.iter().position(|other| *other == name) {
        Some(at) => (name, Json::Int(counts[at].into())),
        None => (name, Json::Float(value)),
    };
    object(found.named().into_iter().map(field).collect())
}

fn signal_weights(inputs: &Json) -> Found<SignalWeights> {
    let mut weights = SignalWeights::default();
    let Some(given) = inputs.get("weights") else { return Ok(weights) };
    for (name, value) in given.fields()? {
        let slot = match name.as_str() {
            "relevance" => &mut weights.relevance,
            "coherence" => &mut weights.coherence,
            "coverage" => &mut weights.coverage,
            "complexity" => &mut weights.complexity,
            "density" => &mut weights.density,
            "specificity" => &mut weights.specificity,
            other => return Err(format!("unknown weight {other}")),
        };
        *slot = value.number()?;
    }
    Ok(weights)
}

fn answers<'a>(texts: &[&'a str], vectors: &'a [Vec<f64>], sentences: Option<&'a [Vec<Vec<f64>>]>) -> Vec<Answer<'a>> {
    let answer = |(at, (text, vector)): (usize, (&&'a str, &'a Vec<f64>))| Answer {
        text,
        embedding: vector,
        sentences: sentences.map(|all| all[at].as_slice()),
    };
    texts.iter().zip(vectors).enumerate().map(answer).collect()
}

pub fn score_batch(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let (prompt, responses) = (inputs.at("prompt")?.text()?, inputs.at("responses")?.texts()?);
    let scorer = quality_rule()?.scorer;
    let found = embedded(inputs, prompt, &responses, &scorer)?;
    let (prompt_vector, vectors) =
        (inputs.at("prompt_embedding")?.numbers()?, inputs.at("response_embeddings")?.rows()?);
    let prompt = Prompt { text: prompt, embedding: &prompt_vector, components: &found.components };
    let answers = answers(&responses, &vectors, found.sentences.as_deref());
    let breakdowns = score(&prompt, &answers, &scorer, &signal_weights(inputs)?);
    Ok(offer(
        call.expected,
        vec![
            ("scores", Json::List(breakdowns.iter().map(|b| Json::Float(b.composite)).collect())),
            ("breakdowns", Json::List(breakdowns.iter().map(breakdown_json).collect())),
        ],
    ))
}

pub fn heuristic_quality(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let rule = quality_rule()?;
    let weights = match inputs.get("weights").map(Json::numbers).transpose()?.as_deref() {
        Some([relevance, density, specificity, coherence]) => HeuristicWeights {
            relevance: *relevance,
            density: *density,
            specificity: *specificity,
            coherence: *coherence,
        },
        Some(_) => return Err("four weights are expected".to_owned()),
        None => rule.heuristic,
    };
    let gate = inputs.get("gate").map_or(Ok(rule.relevance_gate), Json::number)?;
    let relevance: Option<Vec<f64>> = match inputs.get("prompt_embedding") {
        Some(prompt) => Some(cosines(&prompt.numbers()?, &inputs.at("response_embeddings")?.rows()?)),
        None => None,
    };
    let of = |at: usize| relevance.as_ref().map(|all| all[at]);
    let responses = inputs.at("responses")?.texts()?;
    let ungated: Vec<f64> = responses.iter().enumerate().map(|(at, text)| heuristic(text, of(at), &weights)).collect();
    let after: Vec<f64> = ungated.iter().enumerate().map(|(at, quality)| gated(*quality, of(at), gate)).collect();
    Ok(offer(
        call.expected,
        vec![
            ("raw_relevance", relevance.as_deref().map_or(Json::Null, floats)),
            ("ungated", floats(&ungated)),
            ("gated", floats(&after)),
        ],
    ))
}

fn owners(inputs: &Json) -> Found<BTreeMap<String, NodeOwner>> {
    let Some(map) = inputs.get("node_map") else { return Ok(BTreeMap::new()) };
    let owner = |(hotkey, pair): &(String, Json)| {
        let pair = pair.texts()?;
        let [address, coldkey] = pair[..] else { return Err("an owner is address and coldkey".to_owned()) };
        Ok((hotkey.clone(), NodeOwner { address: address.to_owned(), coldkey: coldkey.to_owned() }))
    };
    map.fields()?.iter().map(owner).collect()
}

pub fn entity_caps(call: &Call<'_>) -> Found<Json> {
    let hotkeys = call.inputs.at("hotkeys")?.texts()?;
    let owners = owners(call.inputs)?;
    let mut rule = caps();
    if let Some(minimum) = call.inputs.get("min_group_size") {
        rule.minimum_group = minimum.natural()?;
    }
    let with = |maximum_votes: f64| {
        let weights = vote_caps(&hotkeys, &owners, &EntityCaps { maximum_votes, ..rule.clone() });
        Json::Object(hotkeys.iter().map(|key| (*key).to_owned()).zip(weights.into_iter().map(Json::Float)).collect())
    };
    let given = call.inputs.get("max_entity_votes").map_or(Ok(rule.maximum_votes), Json::number)?;
    let mut found = Vec::new();
    for (key, _) in call.expected.fields()? {
        // `weights_max_1_5` asks for the same with another maximum.
        match key.strip_prefix("weights_max_").map(|number| number.replace('_', ".").parse()) {
            Some(Ok(maximum)) => found.push((key.clone(), with(maximum))),
            _ if key == "weights" => found.push((key.clone(), with(given))),
            _ => {}
        }
    }
    Ok(Json::Object(found))
}

/// What upstream raises where our function says that nobody has a time share.
fn no_time() -> Json {
    object(vec![("error", Json::Text("ZeroDivisionError: division by zero".to_owned()))])
}

pub fn end_to_end(call: &Call<'_>) -> Found<Json> {
    let responses = call.inputs.at("responses")?.texts()?;
    let labels = labels(call.inputs, responses.len())?;
    let keys = match call.inputs.get("hotkeys") {
        Some(hotkeys) => hotkeys.map(|hotkey| Ok(hotkey.text()?.to_owned()))?,
        None => labels.clone(),
    };
    round(call, &running(), &responses, &labels, &keys)
}

/// The seed's engine knows no uids: labels are places, and emissions are keyed by uid or place.
pub fn seed_end_to_end(call: &Call<'_>) -> Found<Json> {
    let made: Vec<String> = match call.inputs.get("word_counts") {
        Some(counts) => counts.map(|count| Ok("word ".repeat(count.natural()? as usize)))?,
        None => Vec::new(),
    };
    let responses = match call.inputs.get("responses") {
        Some(responses) => responses.texts()?,
        None => made.iter().map(String::as_str).collect(),
    };
    let (labels, keys) = seed_names(call.inputs, responses.len())?;
    round(call, &Constants::readme(), &responses, &labels, &keys)
}

fn seed_names(inputs: &Json, count: usize) -> Found<(Vec<String>, Vec<String>)> {
    let keys = match inputs.any(&["uids", "miner_ids"]) {
        Ok(uids) => uids.map(|uid| Ok(uid.natural()?.to_string()))?,
        Err(_) => (0..count).map(|place| place.to_string()).collect(),
    };
    Ok(((1..=count).map(|number| format!("R{number}")).collect(), keys))
}

fn round(
    call: &Call<'_>,
    constants: &Constants,
    responses: &[&str],
    labels: &[String],
    keys: &[String],
) -> Found<Json> {
    let inputs = call.inputs;
    let vectors = inputs.any(&["response_embeddings", "embeddings"])?.rows()?;
    let owners = owners(inputs)?;
    let hotkeys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let weights = vote_caps(&hotkeys, &owners, &caps());
    let votes = (constants.entity_caps.is_some() && !owners.is_empty()).then_some(weights.as_slice());
    let prompt = inputs.get("prompt").map_or(Ok(""), Json::text)?;
    let found = embedded(inputs, prompt, responses, &quality_rule()?.scorer)?;
    let prompt_vector = inputs.get("prompt_embedding").map_or_else(|| Ok(Vec::new()), Json::numbers)?;
    let prompt = Prompt { text: prompt, embedding: &prompt_vector, components: &found.components };
    // Vectors of the consensus alone state no times, and expect no emissions.
    let times = inputs.get("response_time_ms").map_or_else(|| Ok(vec![1; responses.len()]), Json::naturals)?;
    let confidences = optional_numbers(inputs, "confidences")?.unwrap_or_else(|| vec![1.0; responses.len()]);
    let entries: Vec<Entry<'_>> = answers(responses, &vectors, found.sentences.as_deref())
        .into_iter()
        .zip(times.iter().zip(&confidences))
        .map(|(answer, (time, confidence))| Entry { answer, response_time_ms: *time, confidence: *confidence })
        .collect();
    let round = evaluate(&prompt, &entries, votes, constants);
    if call.expected.get("error").is_some() && round.emissions.is_err() {
        return Ok(no_time());
    }
    Ok(round_json(call.expected, &round, labels, keys, &weights))
}

fn round_json(expected: &Json, round: &Round, labels: &[String], keys: &[String], weights: &[f64]) -> Json {
    let out: Vec<bool> = round.in_consensus.iter().map(|member| !member).collect();
    let individual = match &round.individual {
        Some(found) => {
            let order: Vec<String> = found.order.iter().map(|at| labels[*at].clone()).collect();
            named(&order, &found.order.iter().map(|at| found.scores[*at]).collect::<Vec<_>>())
        }
        None => Json::Object(Vec::new()),
    };
    let paid = match &round.emissions {
        Ok(all) => Json::Object(keys.iter().cloned().zip(all.iter().map(|e| Json::Float(e.emission))).collect()),
        Err(_) => no_time(),
    };
    offer(
        expected,
        vec![
            ("entity_weights", floats(weights)),
            ("quality_after_gate", round.surviving_quality().as_deref().map_or(Json::Null, floats)),
            ("in_consensus", texts(select(labels, &round.in_consensus))),
            ("kept", texts(select(labels, &round.in_consensus))),
            ("out_of_consensus", texts(select(labels, &out))),
            ("mu", Json::Float(round.agreement.mu)),
            ("sigma", Json::Float(round.agreement.sigma)),
            ("theta", Json::Float(round.theta)),
            ("weighted_score", round.weighted_score.map_or(Json::Null, Json::Float)),
            ("consensus_achieved", Json::Bool(round.consensus_achieved)),
            ("miner_scores", individual.clone()),
            ("individual_scores", individual),
            ("similarity_score", Json::Float(round.theta)),
            ("quality_scores", round.quality.as_ref().map_or(Json::Null, |quality| floats(&quality.scores))),
            ("top_label", round.best.index.map_or(Json::Null, |at| Json::Text(labels[at].clone()))),
            ("bonus_multiplier", Json::Float(round.best.factor)),
            ("emissions", paid),
        ],
    )
}

pub fn diversity(call: &Call<'_>) -> Found<Json> {
    let embeddings = call.inputs.at("embeddings")?.rows()?;
    let quality = optional_numbers(call.inputs, "quality")?;
    let bonus = diversity_bonus(&similarity(&embeddings), quality.as_deref(), running().diversity.as_ref());
    Ok(object(vec![("bonus", named(&labels(call.inputs, embeddings.len())?, &bonus))]))
}

fn best_of(map: &Json) -> Found<(Option<String>, Best)> {
    let fields = map.fields()?;
    let scores = fields.iter().map(|(_, score)| score.number()).collect::<Found<Vec<f64>>>()?;
    let found = best(&scores, &running().emissions);
    Ok((found.index.map(|at| fields[at].0.clone()), found))
}

pub fn score_difference_bonus(call: &Call<'_>) -> Found<Json> {
    let one = |map: &Json| {
        let (label, found) = best_of(map)?;
        Ok(Json::List(vec![label.map_or(Json::Null, Json::Text), Json::Float(found.factor)]))
    };
    Ok(object(vec![("results", Json::List(call.inputs.at("score_maps")?.map(one)?))]))
}

pub fn emissions_direct(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, _| {
        let times = case.at("response_time_ms")?.naturals()?;
        let labels = labels(case, times.len())?;
        let keys = match case.get("hotkeys") {
            Some(hotkeys) => hotkeys.map(|hotkey| Ok(hotkey.text()?.to_owned()))?,
            None => labels.clone(),
        };
        paid(case, &times, &labels, &keys)
    })
}

fn paid(case: &Json, times: &[u64], labels: &[String], keys: &[String]) -> Found<Json> {
    let inside = case.at("in_consensus")?.texts()?;
    let members: Vec<bool> = labels.iter().map(|label| inside.contains(&label.as_str())).collect();
    let empty = Json::Object(Vec::new());
    let (label, found) = best_of(case.get("individual_scores").unwrap_or(&empty))?;
    let index = label.and_then(|label| labels.iter().position(|other| *other == label));
    let theta = case.at("theta")?.number()?;
    Ok(match emissions(times, theta, &members, Best { index, ..found }, &running().emissions) {
        Ok(all) => Json::Object(keys.iter().cloned().zip(all.iter().map(|e| Json::Float(e.emission))).collect()),
        Err(_) => no_time(),
    })
}

/// The seed's emissions: membership by place, keys by uid or place.
pub fn seed_emissions(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, _| {
        let times = case.at("response_time_ms")?.naturals()?;
        let (labels, keys) = seed_names(case, times.len())?;
        paid(case, &times, &labels, &keys)
    })
}

pub fn moving_average(call: &Call<'_>) -> Found<Json> {
    let stored = |value: &Json| match value {
        Json::Int(_) | Json::Float(_) => value.number().map(StoredEmission::Number),
        Json::Text(text) => Ok(StoredEmission::Text(text.clone())),
        _ => Ok(StoredEmission::Other),
    };
    let evaluation = |past: &Json| {
        let emissions = match past.get("emissions") {
            Some(map) => {
                map.fields()?.iter().map(|(key, value)| Ok((key.clone(), stored(value)?))).collect::<Found<_>>()?
            }
            None => Vec::new(),
        };
        Ok(PastEvaluation { age: past.at("hours_ago")?.number()?, emissions })
    };
    let holder = |miner: &Json| {
        Ok(match miner.get("uid") {
            Some(uid) => Some(UidHolder {
                hotkey: miner.at("hotkey")?.text()?.to_owned(),
                uid: uid.natural()?.to_string(),
                age: miner.at("last_updated_hours_ago")?.number()?,
            }),
            None => None,
        })
    };
    let evaluations = call.inputs.at("evaluations")?.map(evaluation)?;
    let holders = call.inputs.get("miners").map_or_else(|| Ok(Vec::new()), |miners| miners.map(holder))?;
    let holders: Vec<UidHolder> = holders.into_iter().flatten().collect();
    let (lookback, alpha) = (call.inputs.at("lookback_hours")?.number()?, call.inputs.at("alpha")?.number()?);
    Ok(object(vec![("ema", from_map(&averages(&evaluations, &holders, lookback, alpha)))]))
}

const AVERAGES: [&str; 5] = ["ema", "ema_scores", "miner_ema_scores", "scores", "averages"];

pub fn freshness(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let ema = number_map(case.any(&AVERAGES)?)?;
        let ages =
            case.any(&["last_success_hours_ago", "last_success_times_hours_ago", "hours_ago", "last_success"])?;
        // A missing or null time is never.
        let seen = ages.fields()?.iter().filter(|(_, hours)| *hours != Json::Null);
        let seen = seen.map(|(key, hours)| Ok((key.clone(), hours.number()?))).collect::<Found<_>>()?;
        let limit = case.any(&["freshness_hours", "hours", "limit_hours"])?.number()?;
        let (gated, stale) = freshness_gate(&ema, &seen, limit);
        let mut offers: Vec<(&str, Json)> =
            ["scores", "updated", "updated_scores", "ema", "gated"].map(|key| (key, from_map(&gated))).into();
        offers.extend(["stale_count", "stale"].map(|key| (key, Json::Int(stale.into()))));
        Ok(offer(expected, offers))
    })
}

pub fn penalty(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let ema = number_map(case.any(&AVERAGES)?)?;
        let sybil = number_map(case.any(&["sybil_scores", "sybil"])?)?;
        let serving = match case.any(&["serving_miners_count", "serving", "serving_count", "serving_miners"])? {
            Json::List(miners) => miners.len() as u64,
            count => count.natural()?,
        };
        let rule = running().sybil_penalty.ok_or("the running rule set has no sybil penalty")?;
        let found = sybil_penalty(&ema, &sybil, serving, &rule);
        let mut offers: Vec<(&str, Json)> =
            ["scores", "updated", "updated_scores", "ema"].map(|key| (key, from_map(&found.averages))).into();
        let count = i128::try_from(found.penalised.len()).map_err(|error| error.to_string())?;
        offers.extend(["penalized_count", "penalized", "penalised"].map(|key| (key, Json::Int(count))));
        offers.extend(
            ["safety_triggered", "safety", "safety_valve"].map(|key| (key, Json::Bool(found.safety_triggered))),
        );
        Ok(offer(expected, offers))
    })
}

/// A serving miner as a hotkey, a (hotkey, uid) pair, or an object of both.
fn serving_miner(json: &Json) -> Found<(String, Json)> {
    match json {
        Json::Text(hotkey) => Ok((hotkey.clone(), Json::Null)),
        Json::List(pair) => match &pair[..] {
            [Json::Text(hotkey), uid] | [uid, Json::Text(hotkey)] => Ok((hotkey.clone(), uid.clone())),
            _ => Err("a pair has a hotkey and a uid".to_owned()),
        },
        other => Ok((other.at("hotkey")?.text()?.to_owned(), other.any(&["uid", "node_id"])?.clone())),
    }
}

pub fn weight_normalisation(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let miners = match case.any(&["serving", "serving_miners", "nodes"]) {
            Ok(list) => list.map(serving_miner)?,
            Err(_) => Vec::new(),
        };
        let given = case.any(&AVERAGES).or_else(|_| case.at("weights"))?;
        let scores = match given {
            Json::Object(_) => {
                let of = |(hotkey, _): &(String, Json)| given.get(hotkey).map_or(Ok(0.0), Json::number);
                miners.iter().map(of).collect::<Found<Vec<f64>>>()?
            }
            list => list.numbers()?,
        };
        let name = case.any(&["mode", "operation_mode"]).and_then(Json::text).unwrap_or("NORMAL");
        let modes = [Mode::Normal, Mode::Degraded, Mode::Emergency];
        let mode = modes.into_iter().find(|mode| mode.name() == name).ok_or_else(|| format!("unknown mode {name}"))?;
        let found = normalised(&scores, mode);
        let weights = found.as_deref().map_or(Json::Null, floats);
        let mut offers: Vec<(&str, Json)> =
            ["weights", "normalized", "normalised", "result"].map(|key| (key, weights.clone())).into();
        offers.push(("uids", Json::List(miners.into_iter().map(|(_, uid)| uid).collect())));
        offers.extend(["skip", "skipped"].map(|key| (key, Json::Bool(found.is_none()))));
        offers.push(("u16", naturals(quantised(found.as_deref().unwrap_or_default()))));
        Ok(offer(expected, offers))
    })
}

pub fn serving(call: &Call<'_>) -> Found<Json> {
    let own = call.inputs.any(&["validator_hotkey", "own"])?.text()?;
    let validators = call.inputs.get("validators").map_or_else(|| Ok(Vec::new()), Json::texts)?;
    let node = |json: &Json| {
        let hotkey = json.at("hotkey")?.text()?.to_owned();
        Ok(Node {
            address: json.get("ip").map_or(Ok(""), Json::text)?.to_owned(),
            port: u16::try_from(json.at("port")?.natural()?).map_err(|error| error.to_string())?,
            validator: validators.contains(&hotkey.as_str()),
            hotkey,
        })
    };
    let nodes = call.inputs.at("nodes")?.map(node)?;
    let serving: Vec<&str> =
        nodes.iter().filter(|node| not_serving(node, own).is_none()).map(|node| node.hotkey.as_str()).collect();
    Ok(offer(call.expected, ["kept", "included", "miners", "serving"].map(|key| (key, texts(&serving))).into()))
}

pub fn individual(call: &Call<'_>) -> Found<Json> {
    individual_with(call, &running())
}

pub fn seed_individual(call: &Call<'_>) -> Found<Json> {
    individual_with(call, &Constants::readme())
}

fn individual_with(call: &Call<'_>, constants: &Constants) -> Found<Json> {
    let inputs = call.inputs;
    let embeddings = inputs.at("embeddings")?.rows()?;
    let count = embeddings.len();
    let kept = inputs.get("kept_mask").map_or_else(|| Ok(vec![true; count]), Json::flags)?;
    let words: Vec<u64> = match inputs.get("responses") {
        Some(responses) => responses.texts()?.into_iter().map(|text| word_count(text) as u64).collect(),
        None => inputs.get("word_counts").map_or_else(|| Ok(vec![0; count]), Json::naturals)?,
    };
    let confidences = optional_numbers(inputs, "confidences")?.unwrap_or_else(|| vec![1.0; count]);
    let votes = optional_numbers(inputs, "entity_weights")?;
    // Qualities are given for all responses or for the survivors.
    let quality =
        optional_numbers(inputs, "quality")?.map(|all| if all.len() == count { select(&all, &kept) } else { all });
    let left = similarity(&embeddings).select(&kept);
    let labels = labels(inputs, count)?;
    let with = |votes: Option<&[f64]>| {
        let filtered = Filtered {
            embeddings: &embeddings,
            kept: &kept,
            words: &words,
            votes,
            confidences: &confidences,
            similarity: &left,
            quality: quality.as_deref(),
        };
        match scores(&filtered, &constants.individual, constants.diversity.as_ref()) {
            Some(found) => (named(&labels, &found.scores), named(&labels, &found.diversity)),
            None => (Json::Object(Vec::new()), Json::Object(Vec::new())),
        }
    };
    let (found, bonus) = with(votes.as_deref());
    let (without, _) = with(None);
    let mut offers: Vec<(&str, Json)> =
        ["scores", "individual_scores", "with_entity", "entity_weighted", "scores_with_entity"]
            .map(|key| (key, found.clone()))
            .into();
    offers.extend(["no_entity", "unweighted", "without_entity", "scores_no_entity"].map(|key| (key, without.clone())));
    offers.extend(["bonus", "diversity", "diversity_bonus"].map(|key| (key, bonus.clone())));
    Ok(offer(call.expected, offers))
}

pub fn sybil_report(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let all = match inputs.get("embeddings") {
        Some(embeddings) => similarity(&embeddings.rows()?),
        None => SquareMatrix::from_rows(&inputs.at("similarity")?.rows()?).ok_or("the similarity is not square")?,
    };
    let hotkeys = inputs.at("hotkeys")?.texts()?;
    let limits = sybil::Limits::default();
    let included = match (inputs.get("length_mask"), inputs.get("texts")) {
        (Some(mask), _) => mask.flags()?,
        (None, Some(texts)) => sybil::long_enough(&texts.texts()?, &limits),
        (None, None) => vec![inputs.get("all_pass_length_gate").map_or(Ok(true), Json::flag)?; all.size()],
    };
    let found = sybil::detect(&all, &included, &limits);
    let pair = |(i, j, value): &(usize, usize, f64)| {
        let name = |at: &usize| Json::Text(hotkeys[*at].to_owned());
        Json::List(vec![name(i), name(j), Json::Float(*value)])
    };
    let group = |group: &sybil::Group| {
        let mut members: Vec<&str> = group.members.iter().map(|at| hotkeys[*at]).collect();
        members.sort_unstable();
        object(vec![
            ("members", texts(members)),
            ("avg", Json::Float(group.average)),
            ("min", Json::Float(group.minimum)),
            ("max", Json::Float(group.maximum)),
        ])
    };
    Ok(offer(
        call.expected,
        vec![
            ("similarity", matrix(&all)),
            ("stats", distribution_json(&found.distribution)),
            ("high", Json::Float(found.distribution.adaptive_high_threshold)),
            ("very_high", Json::Float(found.distribution.adaptive_very_high_threshold)),
            ("pairs", Json::List(found.pairs.iter().map(pair).collect())),
            ("groups", Json::List(found.groups.iter().map(group).collect())),
        ],
    ))
}

fn distribution_json(found: &sybil::Distribution) -> Json {
    object(vec![
        ("mean", Json::Float(found.mean)),
        ("std", Json::Float(found.std)),
        ("p50", Json::Float(found.p50)),
        ("p90", Json::Float(found.p90)),
        ("p95", Json::Float(found.p95)),
        ("p99", Json::Float(found.p99)),
        ("p999", Json::Float(found.p999)),
        ("p9999", Json::Float(found.p9999)),
        ("adaptive_high_threshold", Json::Float(found.adaptive_high_threshold)),
        ("adaptive_very_high_threshold", Json::Float(found.adaptive_very_high_threshold)),
        ("floor_high_threshold", Json::Float(found.floor_high_threshold)),
        ("floor_very_high_threshold", Json::Float(found.floor_very_high_threshold)),
    ])
}

pub fn structural(call: &Call<'_>) -> Found<Json> {
    let found = sybil::structural_similarity(&call.inputs.at("texts")?.texts()?);
    let row = |row: &Vec<f32>| Json::List(row.iter().map(|cell| Json::Float(f64::from(*cell))).collect());
    Ok(object(vec![("similarity", Json::List(found.iter().map(row).collect()))]))
}

pub fn length_filter(call: &Call<'_>) -> Found<Json> {
    let words = call.inputs.at("word_counts")?.naturals()?;
    let sensitivity = call.inputs.at("sensitivity")?.number()?;
    let kept = select(&labels(call.inputs, words.len())?, &long_enough(&words, sensitivity));
    Ok(offer(
        call.expected,
        vec![("min_words", Json::Float(minimum_words(&words, sensitivity))), ("kept", texts(kept))],
    ))
}

/// Compares a vector's expectation with what our function computed.
pub fn compare(expected: &Json, actual: &Json, tolerance: f64) -> Vec<String> {
    let mut out = Vec::new();
    differences(expected, actual, tolerance, "expected", &mut out);
    out
}
