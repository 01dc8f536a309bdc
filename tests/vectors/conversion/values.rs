//! JSON of the vectors as our functions take it, and back. Numbers that are no JSON are texts: `NaN`, `Infinity`, `-Infinity`.

use domain::conversion::ConversionError;
use domain::conversion::feature_set::FeatureSet;
use domain::conversion::prediction::{CLASS, Prediction, SECONDS};
use domain::conversion::truth::Truth;
use domain::conversion::value::Value;

use crate::json::{Found, Json, object};

/// The texts of numbers that JSON does not have.
const NUMBERS: [(&str, f64); 3] = [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

pub fn number(json: &Json) -> Found<f64> {
    match json {
        Json::Text(text) => NUMBERS
            .iter()
            .find(|(name, _)| name == text)
            .map(|(_, value)| *value)
            .ok_or(format!("{text:?} is no number")),
        other => other.number(),
    }
}

pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Int(value) => Value::Int(*value),
        Json::Float(value) => Value::Float(*value),
        Json::Text(text) => match NUMBERS.iter().find(|(name, _)| name == text) {
            Some((_, number)) => Value::Float(*number),
            None => Value::Text(text.clone()),
        },
        Json::List(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(_) => Value::Object(fields(json)),
    }
}

/// The fields of an object; none for anything else.
pub fn fields(json: &Json) -> Vec<(String, Value)> {
    match json {
        Json::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), value(field))).collect(),
        _ => Vec::new(),
    }
}

pub fn features(json: &Json) -> FeatureSet {
    FeatureSet::new(fields(json))
}

pub fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Int(*value),
        Value::Float(value) => Json::Float(*value),
        Value::Text(text) => Json::Text(text.clone()),
        Value::List(items) => Json::List(items.iter().map(json).collect()),
        Value::Object(fields) => json_fields(fields),
    }
}

pub fn json_fields(fields: &[(String, Value)]) -> Json {
    Json::Object(fields.iter().map(|(key, value)| (key.clone(), json(value))).collect())
}

/// Numbers that JSON does not have as texts.
pub fn encoded(json: Json) -> Json {
    match json {
        Json::Float(value) if value.is_nan() => Json::Text("NaN".to_owned()),
        Json::Float(value) if value.is_infinite() => {
            Json::Text(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        }
        Json::List(items) => Json::List(items.into_iter().map(encoded).collect()),
        Json::Object(fields) => Json::Object(fields.into_iter().map(|(key, value)| (key, encoded(value))).collect()),
        other => other,
    }
}

/// A prediction of the right types.
pub fn prediction(json: &Json) -> Found<Prediction> {
    let class = value(json.at(CLASS)?).to_int().map_err(|_| "the class is no number")?;
    Ok(Prediction { class, seconds: number(json.at(SECONDS)?)? })
}

pub fn truth(json: &Json) -> Found<Truth> {
    let Prediction { class, seconds } = prediction(json)?;
    Ok(Truth { happened: class == 1, seconds })
}

pub fn truth_json(truth: &Truth) -> Json {
    prediction_json(&Prediction { class: truth.happened.into(), seconds: truth.seconds })
}

pub fn prediction_json(prediction: &Prediction) -> Json {
    object(vec![(CLASS, Json::Int(prediction.class)), (SECONDS, Json::Float(prediction.seconds))])
}

/// Single-precision results, widened.
pub fn singles(values: &[f32]) -> Json {
    Json::List(values.iter().map(|value| Json::Float((*value).into())).collect())
}

/// What upstream raises where our function refuses: compared by the name of the exception alone.
pub fn raised(expected: &Json, exception: &str) -> Json {
    let says = |json: &Json| matches!(json, Json::Text(text) if text.starts_with(exception));
    let named = match expected {
        Json::Object(fields) => fields
            .iter()
            .any(|(key, value)| matches!(key.as_str(), "error" | "raises" | "raised" | "exception") && says(value)),
        other => says(other),
    };
    if named { expected.clone() } else { object(vec![("error", Json::Text(exception.to_owned()))]) }
}

/// Python's exception for what a computation with features refuses.
pub fn exception(error: &ConversionError) -> &'static str {
    match error {
        ConversionError::MissingFeature(_) => "KeyError",
        ConversionError::DividesByZero(_) => "ZeroDivisionError",
        ConversionError::NotANumber(_) => "TypeError",
        _ => "ValueError",
    }
}
