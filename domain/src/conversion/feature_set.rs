//! One conversation's features as JSON carries them, and the two vectors that models are fed.
//!
//! Values stay as they came: what is cast, filled in or refused is decided by [`super::repair`] and [`super::synapse`].

use super::ConversionError;
use super::features::{COUNT, FEATURES, MODEL_ORDER, SESSION_ID};
use super::value::{self, Value};

/// Longer texts are not read as features.
pub const MAX_BYTES: usize = 64 * 1024;

/// Features by key, in the order in which they were set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureSet {
    fields: Vec<(String, Value)>,
}

impl FeatureSet {
    /// The fields as they are.
    #[must_use]
    pub fn new(fields: Vec<(String, Value)>) -> Self {
        Self { fields }
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// Over [`MAX_BYTES`], and anything but an object.
    pub fn parse(text: &str) -> Result<Self, ConversionError> {
        let what = "the feature set";
        if text.len() > MAX_BYTES {
            return Err(ConversionError::TooLarge { what, length: text.len(), limit: MAX_BYTES });
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self { fields }),
            Ok(_) => Err(ConversionError::Malformed { what, problem: "it is no object".to_owned() }),
            Err(error) => Err(ConversionError::Malformed { what, problem: error.to_string() }),
        }
    }

    /// The JSON of the known features: the session first, then wire order. Unknown keys are left out.
    #[must_use]
    pub fn to_wire(&self) -> Self {
        let known = std::iter::once(SESSION_ID).chain(FEATURES.iter().map(|feature| feature.name));
        let present = known.filter_map(|name| self.get(name).map(|value| (name.to_owned(), value.clone())));
        Self { fields: present.collect() }
    }

    /// As JSON text, in the order of the fields.
    ///
    /// # Errors
    /// Numbers that are not finite are no JSON.
    pub fn to_json(&self) -> Result<String, ConversionError> {
        let infinite = |value: &Value| matches!(value, Value::Float(number) if !number.is_finite());
        let what = "the feature set";
        if let Some((name, _)) = self.fields.iter().find(|(_, value)| infinite(value)) {
            return Err(ConversionError::Malformed { what, problem: format!("{name} is not finite") });
        }
        serde_json::to_string(&Value::Object(self.fields.clone()))
            .map_err(|error| ConversionError::Malformed { what, problem: error.to_string() })
    }

    /// The fields in order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The value of a feature.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        value::get(&self.fields, name)
    }

    /// Sets a feature in its place, or behind the others.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, slot)) => *slot = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// A feature to calculate with.
    ///
    /// # Errors
    /// It is missing or no number.
    pub fn number(&self, name: &'static str) -> Result<f64, ConversionError> {
        let value = self.get(name).ok_or(ConversionError::MissingFeature(name))?;
        value.number().ok_or(ConversionError::NotANumber(name))
    }

    /// The input of a model: 40 numbers in [`MODEL_ORDER`]; 0 for what is missing or does not cast to a float (spec 4.3).
    #[must_use]
    pub fn model_input(&self) -> [f64; COUNT] {
        MODEL_ORDER.map(|name| self.get(name).and_then(|value| value.to_float().ok()).unwrap_or(0.0))
    }

    /// What upstream's own miner feeds its model: names and single-precision values in wire order, texts left out,
    /// missing features absent (spec 4.2). `None` where a value is no number, which upstream's miner fails on.
    #[must_use]
    pub fn wire_input(&self) -> Option<(Vec<&'static str>, Vec<f32>)> {
        let mut input = (Vec::new(), Vec::new());
        for feature in &FEATURES {
            match self.get(feature.name) {
                None | Some(Value::Text(_)) => {}
                Some(value) => {
                    input.0.push(feature.name);
                    input.1.push(value.number()? as f32);
                }
            }
        }
        Some(input)
    }

    /// The strict check of a complete challenge (spec 1.3): session, duration, target, entities and ratio are there, and of
    /// their types. A boolean passes as a number, as in Python.
    ///
    /// # Errors
    /// All that are missing, or else all that have the wrong type.
    pub fn check_required(&self) -> Result<(), ConversionError> {
        let required = FEATURES.iter().filter(|feature| feature.required).map(|feature| feature.name);
        let missing: Vec<&'static str> =
            std::iter::once(SESSION_ID).chain(required).filter(|name| self.get(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(ConversionError::RequiredMissing(missing));
        }
        let numeric = |name: &str| self.get(name).is_some_and(|value| value.number().is_some());
        let binary = |name: &str| self.get(name).and_then(Value::number).is_some_and(|x| x == 0.0 || x == 1.0);
        let checks = [
            ("conversation_duration_seconds", numeric("conversation_duration_seconds")),
            ("entities_collected_count", numeric("entities_collected_count")),
            ("message_ratio", numeric("message_ratio")),
            ("has_target_entity", binary("has_target_entity")),
            (SESSION_ID, matches!(self.get(SESSION_ID), Some(Value::Text(_)))),
        ];
        let wrong: Vec<&'static str> = checks.iter().filter(|(_, holds)| !holds).map(|(name, _)| *name).collect();
        if wrong.is_empty() { Ok(()) } else { Err(ConversionError::RequiredType(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_feature_set() {
        assert!(FeatureSet::parse("[]").is_err());
        assert!(FeatureSet::parse("{").is_err());
        assert!(FeatureSet::parse(&" ".repeat(MAX_BYTES + 1)).is_err());
        assert!(FeatureSet::parse(&"[".repeat(MAX_BYTES)).is_err());
        let mut set = FeatureSet::default();
        set.set("message_ratio", Value::Float(f64::NAN));
        assert!(set.to_json().is_err());
    }

    #[test]
    fn wire_order_drops_what_is_unknown() {
        let set = FeatureSet::parse(r#"{"more":1,"is_weekend":1,"message_ratio":1.5,"session_id":"s"}"#).unwrap();
        assert_eq!(set.to_wire().to_json().unwrap(), r#"{"session_id":"s","message_ratio":1.5,"is_weekend":1}"#);
        assert_eq!(set.wire_input(), Some((vec!["message_ratio", "is_weekend"], vec![1.5, 1.0])));
        let null = FeatureSet::parse(r#"{"is_weekend":null}"#).unwrap();
        assert_eq!(null.wire_input(), None);
        assert_eq!(null.model_input(), [0.0; COUNT]);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in r#"[\[\]{}",:0-9a-z_.eE+\-]{0,80}"#) {
            if let Ok(set) = FeatureSet::parse(&text) {
                let _ = (set.model_input(), set.wire_input(), set.check_required());
                prop_assert!(set.to_wire().fields().is_empty());
            }
        }
    }
}
