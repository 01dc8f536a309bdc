//! Adapters for scoring: terms, class weights, whole rewards, averages, the label rule, the gate, a validator's round.

use std::collections::BTreeMap;

use domain::conversion::average::{average, scorer_weights, updated};
use domain::conversion::classes::ClassState;
use domain::conversion::constants::Constants;
use domain::conversion::prediction::{CLASS, NETWORK_LAYERS, Prediction, SECONDS, check};
use domain::conversion::reward;
use domain::conversion::round::{Entry, SCORER_BETA, Scorer, evaluate};
use domain::conversion::synapse::Submission;
use domain::conversion::truth::Truth;

use super::values::{
    exception, features, fields, number, prediction, prediction_json, raised, singles, truth, truth_json,
};
use crate::json::{Found, Json, naturals, object, offer};
use crate::loosh::Call;

fn running() -> Constants {
    Constants::v0_1_0()
}

/// Given class weights, or upstream's first ones.
fn weights(inputs: &Json) -> Found<ClassState> {
    let first = ClassState::initial(&running().classes);
    let Some(given) = inputs.get("class_weights") else { return Ok(first) };
    Ok(ClassState { positive: number(given.at("positive")?)?, negative: number(given.at("negative")?)?, ..first })
}

fn weights_json(state: &ClassState) -> Json {
    object(vec![("positive", Json::Float(state.positive)), ("negative", Json::Float(state.negative))])
}

pub fn classification(call: &Call<'_>) -> Found<Json> {
    let (predicted, truth) = (prediction(call.inputs.at("predicted")?)?, truth(call.inputs.at("true")?)?);
    Ok(Json::Float(reward::classification(&predicted, &truth, &weights(call.inputs)?)))
}

pub fn regression(call: &Call<'_>) -> Found<Json> {
    let (predicted, truth) = (prediction(call.inputs.at("predicted")?)?, truth(call.inputs.at("true")?)?);
    Ok(Json::Float(reward::regression(&predicted, &truth, running().reward.baseline_seconds)))
}

pub fn diversity(call: &Call<'_>) -> Found<Json> {
    let confidence = call.inputs.get("confidence").map(number).transpose()?;
    Ok(Json::Float(reward::diversity(confidence, running().reward.diversity_curve)))
}

pub fn time(call: &Call<'_>) -> Found<Json> {
    let timeout = call.inputs.get("timeout").map_or(Ok(running().reward.timeout_seconds), number)?;
    Ok(Json::Float(reward::time(number(call.inputs.at("response_time")?)?, timeout)))
}

pub fn prediction_reward(call: &Call<'_>) -> Found<Json> {
    let part = |key| number(call.inputs.at(key)?);
    let (class, error, diversity) = (part("class_reward")?, part("reg_score")?, part("div_reward")?);
    Ok(Json::Float(reward::prediction(class, error, diversity, &running().reward)))
}

pub fn total(call: &Call<'_>) -> Found<Json> {
    let part = |key| number(call.inputs.at(key)?);
    Ok(Json::Float(reward::total(part("pred_reward")?, part("time_reward")?, &running().reward)))
}

pub fn moving_average(call: &Call<'_>) -> Found<Json> {
    let part = |key| number(call.inputs.at(key)?);
    let beta = call.inputs.get("beta").map_or(Ok(SCORER_BETA), number)?;
    Ok(Json::Float(average(part("current")?, part("previous")?, beta)))
}

pub fn class_weights(call: &Call<'_>) -> Found<Json> {
    let count = |key| Ok::<usize, String>(call.inputs.at(key)?.natural()? as usize);
    let rule = running().classes;
    let mut state = weights(call.inputs)?;
    state.recent = vec![true; count("positives")?];
    state.recent.resize(count("positives")? + count("negatives")?, false);
    state.update(&rule);
    Ok(weights_json(&state))
}

pub fn scorer(call: &Call<'_>) -> Found<Json> {
    let constants = running();
    let mut scorer = Scorer { classes: weights(call.inputs)?, averages: BTreeMap::new(), beta: SCORER_BETA };
    if let Some(sequence) = call.inputs.get("sequence") {
        return hundred(&mut scorer, sequence.text()?, &constants);
    }
    let before = call.inputs.get("ema_before").map_or(Ok(0.0), number)?;
    let truth = truth(call.inputs.at("true")?)?;
    let response = fields(call.inputs.at("response")?);
    let (reward, after) = match Submission::of_map(&response, constants.reward.timeout_seconds) {
        // Upstream catches its own failure before anything has moved.
        Err(_) => (0.0, before),
        Ok((submission, uid)) => {
            scorer.averages.insert(uid, before);
            let reward = scorer.reward(&truth, &submission, uid, &constants);
            (reward, scorer.averages.get(&uid).copied().unwrap_or(f64::NAN))
        }
    };
    let single = call.expected.number().is_ok();
    let parts = vec![
        ("reward", Json::Float(reward)),
        ("ema_after", Json::Float(after)),
        ("class_weights", weights_json(&scorer.classes)),
        ("history_len", Json::Int(scorer.classes.recent.len() as i128)),
    ];
    Ok(if single { Json::Float(reward) } else { offer(call.expected, parts) })
}

/// The sequence of a hundred answers that the vector describes in words.
fn hundred(scorer: &mut Scorer, words: &str, constants: &Constants) -> Found<Json> {
    const KNOWN: &str = "k=0..99; true positive (60.0 s) if k%4!=0 else negative; prediction always {1,60.0}; \
                         response_time 0; miner_uid=k%5";
    if words != KNOWN {
        return Err(format!("no such sequence: {words}"));
    }
    let yes = Prediction { class: 1, seconds: 60.0 };
    for k in 0..100 {
        let truth = if k % 4 != 0 { Truth { happened: true, seconds: 60.0 } } else { Truth::NO };
        let answer = Submission { prediction: Some(yes), confidence: Some(0.5), claimed_seconds: 0.0 };
        scorer.reward(&truth, &answer, k % 5, constants);
    }
    let averages = scorer.averages.iter().map(|(uid, average)| (uid.to_string(), Json::Float(*average))).collect();
    Ok(object(vec![
        ("class_weights", weights_json(&scorer.classes)),
        ("ema_scores", Json::Object(averages)),
        ("history_len", Json::Int(scorer.classes.recent.len() as i128)),
    ]))
}

pub fn weights_of_averages(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let mut averages = BTreeMap::new();
    for (uid, average) in inputs.at("ema_scores")?.fields()? {
        averages.insert(uid.parse::<i128>().map_err(|error| error.to_string())?, number(average)?);
    }
    let slots = inputs.get("num_miners").map_or(Ok(192), Json::natural)?;
    Ok(singles(&scorer_weights(&averages, u32::try_from(slots).map_err(|error| error.to_string())?)))
}

fn rewards(json: &Json) -> Found<Vec<f32>> {
    json.map(|reward| Ok(number(reward)? as f32))
}

pub fn updated_scores(call: &Call<'_>) -> Found<Json> {
    let mut scores = rewards(call.inputs.at("scores")?)?;
    let alpha = call.inputs.get("alpha").map_or(Ok(running().average.alpha), number)?;
    let mut after = Vec::new();
    let none = Json::List(Vec::new());
    let steps = call
        .inputs
        .get("steps")
        .map_or_else(|| Ok(vec![call.inputs.clone()]), |steps| steps.list().map(<[_]>::to_vec))?;
    for step in &steps {
        let uids: Vec<usize> =
            step.get("uids").unwrap_or(&none).naturals()?.into_iter().map(|uid| uid as usize).collect();
        scores = updated(&scores, &rewards(step.get("rewards").unwrap_or(&none))?, &uids, alpha);
        after.push(singles(&scores));
    }
    let last = singles(&scores);
    if matches!(call.expected, Json::List(_)) {
        return Ok(last);
    }
    Ok(offer(
        call.expected,
        vec![("scores_after_each", Json::List(after)), ("scores_after", last.clone()), ("scores", last)],
    ))
}

pub fn ground_truth(call: &Call<'_>) -> Found<Json> {
    Ok(match Truth::of(&features(call.inputs.at("features")?), &running().label.rule) {
        Ok(truth) => truth_json(&truth),
        Err(error) => raised(call.expected, exception(&error)),
    })
}

pub fn gate(call: &Call<'_>) -> Found<Json> {
    // A prediction of null is what `get` passes over.
    let Some(given) = call.inputs.get("prediction") else { return Ok(raised(call.expected, "TypeError")) };
    let found = check(&fields(given));
    let replaced = |(key, before): &(String, Json)| {
        let after = match key.as_str() {
            CLASS => found.class.map(Json::Int),
            SECONDS => found.seconds.map(Json::Float),
            _ => None,
        };
        (key.clone(), after.unwrap_or_else(|| before.clone()))
    };
    let after = match given {
        Json::Object(all) => Json::Object(all.iter().map(replaced).collect()),
        other => other.clone(),
    };
    let valid = Json::Bool(found.valid);
    if matches!(call.expected, Json::Bool(_)) {
        return Ok(valid);
    }
    Ok(offer(call.expected, vec![("valid", valid), ("prediction_after", after)]))
}

pub fn lenient_prediction(call: &Call<'_>) -> Found<Json> {
    let given = call.inputs.get("prediction").map(fields).unwrap_or_default();
    Ok(match Prediction::lenient(&given) {
        Ok(found) => prediction_json(&found),
        Err(_) => raised(call.expected, "OverflowError"),
    })
}

/// A number behind a word: `confidence .9, …`.
fn after(text: &str, word: &str) -> Option<f64> {
    let rest = text.split_once(word)?.1.trim_start();
    rest.split([' ', ',', ';', ')']).next()?.parse().ok()
}

/// A miner as the vector describes it: what it answers, or that it does not.
fn described(text: &str, truth: &Truth) -> Option<Submission> {
    let prediction = if text.contains("exact truth") {
        Prediction { class: truth.happened.into(), seconds: truth.seconds }
    } else {
        match after(text, "class")? {
            0.0 => Prediction::NO,
            class => Prediction { class: class as i128, seconds: after(text, "time ")? },
        }
    };
    let claimed_seconds = after(text, "response_time field").unwrap_or(0.0);
    Some(Submission { prediction: Some(prediction), confidence: after(text, "confidence"), claimed_seconds })
}

pub fn forward(call: &Call<'_>) -> Found<Json> {
    let mut constants = running();
    // As deployed, bare prediction maps come back and are not read.
    let returns = call.inputs.get("dendrite_returns").map_or(Ok(""), Json::text)?;
    constants.gate.answers_read = returns.contains("synapse objects");
    let features = features(call.inputs.at("features")?);
    let truth = Truth::of(&features, &constants.label.rule).map_err(|error| error.to_string())?;
    let answers: Vec<Option<Submission>> =
        call.inputs.at("miners")?.texts()?.into_iter().map(|text| described(text, &truth)).collect();
    let entries: Vec<Entry<'_>> = answers
        .iter()
        .map(|answer| Entry { coldkey: "", submission: answer.as_ref(), measured_seconds: 0.0 })
        .collect();
    let round = evaluate(&truth, &entries, None, &constants);
    let rewards: Vec<f32> = round.scores.iter().map(|scored| scored.score as f32).collect();
    Ok(offer(
        call.expected,
        vec![
            ("ground_truth", truth_json(&truth)),
            ("rewards", singles(&rewards)),
            ("uids", naturals(0..rewards.len() as u64)),
        ],
    ))
}

pub fn constants(_: &Call<'_>) -> Found<Json> {
    let Constants { collection, label, classes, reward, .. } = running();
    let pair = |a, x, b, y| object(vec![(a, Json::Float(x)), (b, Json::Float(y))]);
    Ok(object(vec![
        ("CLASS_W", pair("positive", classes.positive, "negative", classes.negative)),
        ("BASELINE_MAE", Json::Float(reward.baseline_seconds)),
        (
            "PRED_W",
            object(vec![
                ("classification", Json::Float(reward.classification)),
                ("regression", Json::Float(reward.regression)),
                ("diversity", Json::Float(reward.diversity)),
            ]),
        ),
        ("TOTAL_REWARD_W", pair("prediction", reward.prediction, "latency", reward.time)),
        ("TIMEOUT_SEC", Json::Float(reward.timeout_seconds)),
        ("EMA_BETA", Json::Float(SCORER_BETA)),
        ("MLP_LAYER_SIZES", naturals(NETWORK_LAYERS)),
        ("MIN_CONVERSION_TIME", Json::Float(label.rule.least_seconds)),
        ("TIME_SCALE_FACTOR", Json::Float(label.rule.time_scale)),
        ("ENTITY_THRESHOLD", Json::Float(label.rule.entities)),
        ("MESSAGE_RATIO_THRESHOLD", Json::Float(label.rule.ratio)),
        ("MIN_CONVERSATION_DURATION", Json::Float(label.rule.duration_seconds)),
        ("SAMPLE_SIZE", Json::Int(collection.miners.into())),
        ("HISTORY_UPDATE_INTERVAL", Json::Int(classes.interval.into())),
    ]))
}
