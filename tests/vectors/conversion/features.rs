//! Adapters for features: both orders, the fixer and the casts, the types on the wire, and upstream's miner.

use domain::conversion::ConversionError;
use domain::conversion::features::{Draw, FEATURES, MODEL_ORDER, SESSION_ID};
use domain::conversion::prediction::{CLASS, Prediction, SECONDS};
use domain::conversion::repair;
use domain::conversion::synapse::{Rejection, Synapse};
use domain::conversion::value::Value;

use super::values::{exception, features, fields, json_fields, number, prediction_json, raised};
use crate::json::{Found, Json, floats, object, offer, texts};
use crate::loosh::Call;

pub fn model_input(call: &Call<'_>) -> Found<Json> {
    Ok(match call.inputs.get("features") {
        Some(given) => floats(&features(given).model_input()),
        None => texts(MODEL_ORDER),
    })
}

pub fn required(call: &Call<'_>) -> Found<Json> {
    let found = match features(call.inputs.at("features")?).check_required() {
        Ok(()) => "ok",
        Err(ConversionError::RequiredMissing(_)) => "ValueError: missing",
        Err(_) => "ValueError: type",
    };
    Ok(Json::Text(found.to_owned()))
}

/// Upstream's random session id, where the vector states one; any other where it does not matter.
fn session(expected: &Json) -> &str {
    expected.get(SESSION_ID).and_then(|id| id.text().ok()).unwrap_or("drawn")
}

pub fn repaired(call: &Call<'_>) -> Found<Json> {
    Ok(match repair::repaired(&features(call.inputs.at("features")?), session(call.expected)) {
        Ok(found) => json_fields(found.fields()),
        Err(error) => raised(call.expected, exception(&error)),
    })
}

pub fn whole_numbers(call: &Call<'_>) -> Found<Json> {
    Ok(match repair::whole_numbers(&features(call.inputs.at("features")?)) {
        Ok(found) => json_fields(found.fields()),
        Err(_) => raised(call.expected, "OverflowError"),
    })
}

pub fn recast(call: &Call<'_>) -> Found<Json> {
    Ok(match repair::recast(&features(call.inputs.at("features")?)) {
        Ok(found) => json_fields(found.fields()),
        Err(_) => raised(call.expected, "OverflowError"),
    })
}

/// The drawn features are taken from the vector, the derived ones computed.
pub fn prepared(call: &Call<'_>) -> Found<Json> {
    let conversation = |expected: &Json| {
        let derived = |name: &str| FEATURES.iter().any(|feature| feature.name == name && feature.draw == Draw::Derived);
        let drawn = expected.fields()?.iter().filter(|(name, _)| !derived(name)).cloned().collect();
        let found = repair::prepared(&features(&Json::Object(drawn)), "drawn").map_err(|error| error.to_string())?;
        Ok(json_fields(found.fields()))
    };
    match call.expected {
        Json::List(_) => Ok(Json::List(call.expected.map(conversation)?)),
        one => conversation(one),
    }
}

pub fn synapse(call: &Call<'_>) -> Found<Json> {
    if matches!(call.expected, Json::List(_)) {
        let names = FEATURES.iter().map(|feature| feature.name);
        let with_session = call.expected.texts()?.contains(&SESSION_ID);
        return Ok(texts(Some(SESSION_ID).filter(|_| with_session).into_iter().chain(names)));
    }
    let rejection = |rejection: &Rejection| {
        object(vec![("loc", texts(&rejection.path)), ("type", Json::Text(rejection.kind.to_owned()))])
    };
    let mut message = fields(call.inputs);
    // Vectors of predictions do not repeat that a message has features.
    if call.inputs.get("features").is_none() && call.inputs.get("prediction").is_some() {
        message.push(("features".to_owned(), Value::Object(Vec::new())));
    }
    let found = match Synapse::of(&message) {
        Err(rejected) => {
            let errors = Json::List(rejected.iter().map(rejection).collect());
            return Ok(offer(call.expected, vec![("ok", Json::Bool(false)), ("errors", errors)]));
        }
        Ok(found) => found,
    };
    let order = texts(found.features.fields().iter().map(|(name, _)| name));
    let mut offers = vec![
        ("ok", Json::Bool(true)),
        ("features", json_fields(found.features.fields())),
        ("prediction", prediction_json(&found.prediction.unwrap_or(Prediction::NO))),
        ("confidence", found.confidence.map_or(Json::Null, Json::Float)),
        ("response_time", Json::Float(found.response_time)),
        ("miner_uid", Json::Int(found.miner_uid)),
    ];
    // A list of texts can only be the order of the features, whatever it is called.
    let lists = call.expected.fields()?.iter().filter(|(_, value)| value.texts().is_ok());
    offers.extend(lists.map(|(key, _)| (key.as_str(), order.clone())));
    Ok(offer(call.expected, offers))
}

fn answer(prediction: &Prediction, confidence: f64) -> Json {
    object(vec![
        (CLASS, Json::Int(prediction.class)),
        (SECONDS, Json::Float(prediction.seconds)),
        ("confidence", Json::Float(confidence)),
    ])
}

/// A probability as the network's output becomes an answer; without one, upstream's miner failed and says "no".
pub fn miner(call: &Call<'_>) -> Found<Json> {
    let positive_seconds = domain::conversion::constants::Constants::v0_1_0().reward.timeout_seconds;
    let stated = call.inputs.fields()?.iter().find(|(key, _)| key.contains("output"));
    if let Some((_, output)) = stated {
        // Of several outputs upstream takes the first.
        let probability = number(output.list().ok().and_then(<[Json]>::first).unwrap_or(output))?;
        return Ok(answer(&Prediction::of_probability(probability, positive_seconds), probability));
    }
    let failed = answer(&Prediction::NO, 0.0);
    let Some(sent) = call.inputs.any(&["features_sent", "features"]).ok() else { return Ok(failed) };
    let message = Json::Object(vec![("features".to_owned(), sent.clone())]);
    let Ok(found) = Synapse::of(&fields(&message)) else { return Ok(failed) };
    let Some((names, vector)) = found.features.wire_input() else { return Ok(failed) };
    // The stand-in network's output is stated in the result alone.
    let output = call.expected.get("result").and_then(|result| result.get("confidence")).map(number).transpose()?;
    let result = output.map_or(failed.clone(), |p| answer(&Prediction::of_probability(p, positive_seconds), p));
    if call.expected.get("result").is_none() {
        return Ok(failed);
    }
    Ok(offer(
        call.expected,
        vec![("vector", super::values::singles(&vector)), ("names", texts(names)), ("result", result)],
    ))
}
