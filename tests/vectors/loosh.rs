//! Adapters for the vectors of a round: votes, outliers, clusters, consensus, scores, emissions, and whole rounds. JSON to
//! arguments, results to JSON; no arithmetic here.

use std::collections::BTreeMap;

use domain::loosh::constants::{Constants, EntityCaps, Quality};
use domain::loosh::emissions::{Best, best, emissions};
use domain::loosh::entity::{NodeOwner, vote_caps};
use domain::loosh::individual::{Filtered, diversity_bonus, scores};
use domain::loosh::matrix::{SquareMatrix, select, similarity};
use domain::loosh::quality::Prompt;
use domain::loosh::round::{Entry, Round, evaluate};
use domain::loosh::{clustering, consensus, outlier};
use domain::text::word_count;

use super::json::{Found, Json, floats, naturals, object, offer, texts};
use super::quality::{answers, embedded};

/// One vector as an adapter sees it.
pub struct Call<'a> {
    pub inputs: &'a Json,
    pub expected: &'a Json,
}

pub fn running() -> Constants {
    Constants::v1_2_8()
}

fn caps() -> EntityCaps {
    running().entity_caps.unwrap_or(EntityCaps { maximum_votes: 1.0, minimum_group: 2, linked: false })
}

pub fn quality_rule() -> Found<Quality> {
    running().quality.ok_or_else(|| "the running rule set has no quality stage".to_owned())
}

pub fn matrix(found: &SquareMatrix) -> Json {
    Json::List(found.rows().map(floats).collect())
}

pub fn optional_numbers(inputs: &Json, key: &str) -> Found<Option<Vec<f64>>> {
    inputs.get(key).map(Json::numbers).transpose()
}

/// `R1`, `R2`, … or the uids, as upstream labels responses.
pub fn labels(inputs: &Json, count: usize) -> Found<Vec<String>> {
    match inputs.get("uids") {
        Some(uids) => uids.map(|uid| Ok(uid.natural()?.to_string())),
        None => Ok((1..=count).map(|number| format!("R{number}")).collect()),
    }
}

fn named(labels: &[String], values: &[f64]) -> Json {
    Json::Object(labels.iter().cloned().zip(values.iter().copied().map(Json::Float)).collect())
}

pub fn number_map(json: &Json) -> Found<BTreeMap<String, f64>> {
    json.fields()?.iter().map(|(key, value)| Ok((key.clone(), value.number()?))).collect()
}

pub fn from_map(map: &BTreeMap<String, f64>) -> Json {
    Json::Object(map.iter().map(|(key, value)| (key.clone(), Json::Float(*value))).collect())
}

/// Runs `each` on every item of `inputs.cases` (or on the inputs themselves), beside what is expected of it.
pub fn cases(call: &Call<'_>, each: impl Fn(&Json, &Json) -> Found<Json>) -> Found<Json> {
    let Some(inputs) = call.inputs.get("cases") else { return each(call.inputs, call.expected) };
    let nothing = Json::Object(Vec::new());
    let expected: &[Json] = call.expected.get("cases").map_or(Ok(&[][..]), Json::list)?;
    let found = inputs.list()?.iter().enumerate().map(|(at, case)| each(case, expected.get(at).unwrap_or(&nothing)));
    Ok(object(vec![("cases", Json::List(found.collect::<Found<_>>()?))]))
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
    let inside: Vec<&str> = match case.at("in_consensus")? {
        // Upstream's own form: texts by label.
        Json::Object(fields) => fields.iter().map(|(label, _)| label.as_str()).collect(),
        list => list.texts()?,
    };
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
