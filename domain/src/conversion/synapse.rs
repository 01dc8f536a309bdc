//! What travels between validator and miner, read with upstream's lenient types (spec 1.1): texts of numbers are numbers,
//! fractions are no whole numbers, unknown keys are dropped, features fall into wire order.
//!
//! Bodies are hostile: they are capped before they are parsed, and every rejected value is named by its path. The time and
//! the uid that a body claims are read because a rule set may say so; identity never comes from a body.

use super::ConversionError;
use super::feature_set::FeatureSet;
use super::features::{FEATURES, Kind, SESSION_ID};
use super::prediction::{CLASS, Prediction, SECONDS};
use super::value::{CastError, Value, float_of, get, int_of};
use crate::text::strip;

/// Longer bodies are refused.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A value that has not the type of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Keys from the outside in.
    pub path: Vec<String>,
    /// What is wrong, in the words of upstream's validation library (`int_from_float`, `missing`, …).
    pub kind: &'static str,
}

/// A whole number, leniently.
///
/// # Errors
/// The kind of the rejection.
pub fn lenient_int(value: &Value) -> Result<i128, &'static str> {
    match value {
        Value::Float(number) if !number.is_finite() => Err("finite_number"),
        Value::Float(number) if libm::trunc(*number) != *number => Err("int_from_float"),
        Value::Float(number) => Ok(*number as i128),
        Value::Text(text) => int_of(without_zero_fraction(strip(text))).ok_or("int_parsing"),
        other => other.to_int().map_err(|_| "int_type"),
    }
}

/// A number, leniently.
///
/// # Errors
/// The kind of the rejection.
pub fn lenient_float(value: &Value) -> Result<f64, &'static str> {
    match value {
        Value::Text(text) => float_of(text).ok_or("float_parsing"),
        other => other.to_float().map_err(|_| "float_type"),
    }
}

/// `12.000` reads as 12.
fn without_zero_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            whole
        }
        _ => text,
    }
}

/// The fields of the subnet in a message, of their types.
#[derive(Debug, Clone, PartialEq)]
pub struct Synapse {
    /// Features that are known, in wire order.
    pub features: FeatureSet,
    /// The prediction; `None` where the message has none and upstream would fill in "no".
    pub prediction: Option<Prediction>,
    /// Probability of "yes".
    pub confidence: Option<f64>,
    /// The response time that the message claims, in seconds; 0 if it claims none.
    pub response_time: f64,
    /// The uid that the message claims; 0 if it claims none.
    pub miner_uid: i128,
}

impl Synapse {
    /// Reads a request or a complete message.
    ///
    /// # Errors
    /// Every value that has not its type, in the order of the fields.
    pub fn of(fields: &[(String, Value)]) -> Result<Self, Vec<Rejection>> {
        let mut rejected = Vec::new();
        let features = match get(fields, "features") {
            Some(Value::Object(given)) => features_of(given, &mut rejected),
            other => {
                let kind = if other.is_some() { "dict_type" } else { "missing" };
                rejected.push(Rejection { path: vec!["features".to_owned()], kind });
                FeatureSet::default()
            }
        };
        let answer = Submission::read(fields, &mut rejected);
        let miner_uid = field(fields, "miner_uid", lenient_int, &mut rejected).unwrap_or(0);
        if !rejected.is_empty() {
            return Err(rejected);
        }
        let Submission { prediction, confidence, claimed_seconds } = answer;
        Ok(Self { features, prediction, confidence, response_time: claimed_seconds, miner_uid })
    }
}

/// What of a miner's answer scoring may look at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Submission {
    /// The prediction; `None` where the answer has none.
    pub prediction: Option<Prediction>,
    /// Probability of "yes", as the miner says.
    pub confidence: Option<f64>,
    /// Response time in seconds, as the miner says; 0 if it says nothing.
    pub claimed_seconds: f64,
}

impl Submission {
    /// Reads the body of an answer: a message of which only the answer counts.
    ///
    /// # Errors
    /// Over [`MAX_BODY_BYTES`], no JSON object, or a value that has not its type.
    pub fn parse(body: &[u8]) -> Result<Self, ConversionError> {
        let what = "the answer";
        if body.len() > MAX_BODY_BYTES {
            return Err(ConversionError::TooLarge { what, length: body.len(), limit: MAX_BODY_BYTES });
        }
        let malformed = |problem: String| ConversionError::Malformed { what, problem };
        let fields = match serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))? {
            Value::Object(fields) => fields,
            _ => return Err(malformed("it is no object".to_owned())),
        };
        let mut rejected = Vec::new();
        let found = Self::read(&fields, &mut rejected);
        match rejected.first() {
            None => Ok(found),
            Some(first) => Err(malformed(format!("{}: {}", first.path.join("."), first.kind))),
        }
    }

    /// The answer as canonical JSON, which [`Submission::parse`] reads back: prediction or null, confidence or null, claimed
    /// time. Numbers that are not finite are written as the texts `nan`, `inf` and `-inf`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let number = |number: f64| match number {
            number if number.is_finite() => Value::Float(number),
            number if number.is_nan() => Value::Text("nan".to_owned()),
            number => Value::Text(if number > 0.0 { "inf" } else { "-inf" }.to_owned()),
        };
        let mut fields = Vec::with_capacity(3);
        if let Some(prediction) = &self.prediction {
            // Beyond 64 bits JSON has no whole numbers that are read alike everywhere, and only 0 and 1 are classes.
            let class = prediction.class.clamp(i64::MIN.into(), i64::MAX.into());
            let entries = vec![(CLASS.to_owned(), Value::Int(class)), (SECONDS.to_owned(), number(prediction.seconds))];
            fields.push(("prediction".to_owned(), Value::Object(entries)));
        }
        fields.push(("confidence".to_owned(), self.confidence.map_or(Value::Null, number)));
        fields.push(("response_time".to_owned(), number(self.claimed_seconds)));
        // Strings and finite numbers always serialise.
        serde_json::to_string(&Value::Object(fields)).unwrap_or_default()
    }

    fn read(fields: &[(String, Value)], rejected: &mut Vec<Rejection>) -> Self {
        let prediction = match get(fields, "prediction") {
            None => None,
            Some(Value::Object(given)) => prediction_of(given, rejected),
            Some(_) => {
                rejected.push(Rejection { path: vec!["prediction".to_owned()], kind: "dict_type" });
                None
            }
        };
        let stated: Vec<(String, Value)> =
            fields.iter().filter(|(key, value)| key != "confidence" || *value != Value::Null).cloned().collect();
        Self {
            prediction,
            confidence: field(&stated, "confidence", lenient_float, rejected),
            claimed_seconds: field(fields, "response_time", lenient_float, rejected).unwrap_or(0.0),
        }
    }

    /// The map that upstream's scorer also takes (spec 2.8), with the uid it claims: a missing or empty prediction is "no",
    /// a missing confidence 0.5, a missing response time the whole time-out, a missing uid 0.
    ///
    /// # Errors
    /// A value on which upstream's scorer fails.
    pub fn of_map(fields: &[(String, Value)], timeout_seconds: f64) -> Result<(Self, i128), CastError> {
        let prediction = match get(fields, "prediction") {
            Some(Value::Object(given)) => Prediction::lenient(given)?,
            Some(other) if other.is_truthy() => return Err(CastError::NotANumber),
            _ => Prediction::NO,
        };
        let failed = |_| CastError::NotANumber;
        let confidence = match get(fields, "confidence") {
            None => Some(0.5),
            Some(Value::Null) => None,
            Some(given) => Some(lenient_float(given).map_err(failed)?),
        };
        let claimed_seconds =
            get(fields, "response_time").map_or(Ok(timeout_seconds), lenient_float).map_err(failed)?;
        let uid = get(fields, "miner_uid").map_or(Ok(0), lenient_int).map_err(failed)?;
        Ok((Self { prediction: Some(prediction), confidence, claimed_seconds }, uid))
    }
}

/// A field of its type if it is there; what has not its type is noted.
fn field<T>(
    fields: &[(String, Value)],
    name: &str,
    read: fn(&Value) -> Result<T, &'static str>,
    rejected: &mut Vec<Rejection>,
) -> Option<T> {
    match read(get(fields, name)?) {
        Ok(value) => Some(value),
        Err(kind) => {
            rejected.push(Rejection { path: vec![name.to_owned()], kind });
            None
        }
    }
}

fn features_of(given: &[(String, Value)], rejected: &mut Vec<Rejection>) -> FeatureSet {
    let mut set = FeatureSet::default();
    let mut take = |name: &str, found: Result<Value, &'static str>| match found {
        Ok(value) => set.set(name, value),
        Err(kind) => rejected.push(Rejection { path: vec!["features".to_owned(), name.to_owned()], kind }),
    };
    match get(given, SESSION_ID) {
        None => {}
        Some(Value::Text(text)) => take(SESSION_ID, Ok(Value::Text(text.clone()))),
        Some(_) => take(SESSION_ID, Err("string_type")),
    }
    for feature in &FEATURES {
        if let Some(value) = get(given, feature.name) {
            take(
                feature.name,
                match feature.kind {
                    Kind::Integer => lenient_int(value).map(Value::Int),
                    Kind::Number => lenient_float(value).map(Value::Float),
                },
            );
        }
    }
    set
}

fn prediction_of(given: &[(String, Value)], rejected: &mut Vec<Rejection>) -> Option<Prediction> {
    let mut reject = |name: &str, kind| {
        rejected.push(Rejection { path: vec!["prediction".to_owned(), name.to_owned()], kind });
    };
    let class = get(given, CLASS).map_or(Err("missing"), lenient_int).map_err(|kind| reject(CLASS, kind));
    let seconds = get(given, SECONDS).map_or(Err("missing"), lenient_float).map_err(|kind| reject(SECONDS, kind));
    Some(Prediction { class: class.ok()?, seconds: seconds.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rejections(text: &str) -> Vec<(String, &'static str)> {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return Vec::new() };
        let rejected = Synapse::of(&fields).err().unwrap_or_default();
        rejected.into_iter().map(|rejection| (rejection.path.join("."), rejection.kind)).collect()
    }

    #[test]
    fn every_wrong_type_is_named_by_its_path() {
        for (text, expected) in [
            ("{}", vec![("features", "missing")]),
            (r#"{"features":[]}"#, vec![("features", "dict_type")]),
            (r#"{"features":{"is_weekend":1.5}}"#, vec![("features.is_weekend", "int_from_float")]),
            (r#"{"features":{"is_weekend":null}}"#, vec![("features.is_weekend", "int_type")]),
            (r#"{"features":{"is_weekend":"x"}}"#, vec![("features.is_weekend", "int_parsing")]),
            (r#"{"features":{"message_ratio":"x"}}"#, vec![("features.message_ratio", "float_parsing")]),
            (r#"{"features":{"session_id":1}}"#, vec![("features.session_id", "string_type")]),
            (
                r#"{"features":{},"prediction":{"conversion_happened":0.5},"confidence":[],"miner_uid":null}"#,
                vec![
                    ("prediction.conversion_happened", "int_from_float"),
                    ("prediction.time_to_conversion_seconds", "missing"),
                    ("confidence", "float_type"),
                    ("miner_uid", "int_type"),
                ],
            ),
        ] {
            let found = rejections(text);
            assert_eq!(found.iter().map(|(path, kind)| (path.as_str(), *kind)).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn lenient_types_and_wire_order() {
        let text = r#"{"features":{"more":1,"is_weekend":true,"message_ratio":"90","session_id":"s","total_messages":"1.0"},
            "prediction":{"conversion_happened":7,"time_to_conversion_seconds":"nan","more":1},"confidence":null}"#;
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else { unreachable!() };
        let found = Synapse::of(&fields).unwrap();
        assert_eq!(
            found.features.to_json().unwrap(),
            r#"{"session_id":"s","message_ratio":90.0,"is_weekend":1,"total_messages":1}"#
        );
        let prediction = found.prediction.unwrap();
        assert!(prediction.class == 7 && prediction.seconds.is_nan());
        assert_eq!((found.confidence, found.response_time, found.miner_uid), (None, 0.0, 0));
    }

    #[test]
    fn bodies_that_are_no_answers() {
        for body in [
            &b""[..],
            b"[]",
            b"null",
            b"{\"prediction\":null}",
            b"{\"prediction\":{}}",
            b"{\"confidence\":\"high\"}",
            b"{\"prediction\":{\"conversion_happened\":NaN,\"time_to_conversion_seconds\":1}}",
            b"\xff{}",
        ] {
            assert!(Submission::parse(body).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
        assert!(matches!(Submission::parse(&vec![b' '; MAX_BODY_BYTES + 1]), Err(ConversionError::TooLarge { .. })));
        assert!(Submission::parse("{\"a\":".repeat(2000).as_bytes()).is_err());
        assert_eq!(Submission::parse(b"{}"), Ok(Submission::default()));
    }

    #[test]
    fn canonical_answers() {
        let canonical = |body: &str| Submission::parse(body.as_bytes()).unwrap().to_json();
        for (body, expected) in [
            ("{}", r#"{"confidence":null,"response_time":0.0}"#),
            (
                r#"{"more":1,"confidence":"1","prediction":{"time_to_conversion_seconds":60,"conversion_happened":true}}"#,
                r#"{"prediction":{"conversion_happened":1,"time_to_conversion_seconds":60.0},"confidence":1.0,"response_time":0.0}"#,
            ),
            (
                r#"{"prediction":{"conversion_happened":"99999999999999999999999","time_to_conversion_seconds":"-inf"},"confidence":"nan"}"#,
                r#"{"prediction":{"conversion_happened":9223372036854775807,"time_to_conversion_seconds":"-inf"},"confidence":"nan","response_time":0.0}"#,
            ),
        ] {
            assert_eq!(canonical(body), expected);
            assert_eq!(canonical(expected), expected);
        }
    }

    proptest! {
        #[test]
        fn answers_are_read_as_written(
            class in -3i128..4, seconds: f64, confidence in prop::option::of(any::<f64>()), claimed_seconds: f64, says: bool,
        ) {
            let prediction = says.then_some(Prediction { class, seconds });
            let text = Submission { prediction, confidence, claimed_seconds }.to_json();
            let again = Submission::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(again.prediction.is_some(), says);
            prop_assert_eq!(again.to_json(), text);
        }

        #[test]
        fn hostile_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Submission::parse(&body);
        }

        #[test]
        fn hostile_values_never_panic(class in r#"(null|true|-?[0-9]{1,40}|[0-9]\.[0-9]e[0-9]{3}|"[-+0-9_. naif]{0,6}"|\[\]|\{\})"#) {
            let body = format!(
                r#"{{"prediction":{{"conversion_happened":{class},"time_to_conversion_seconds":{class}}},"confidence":{class}}}"#
            );
            let _ = Submission::parse(body.as_bytes());
        }
    }
}
