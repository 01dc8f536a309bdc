//! A request body as the fields that a route knows, read strictly: what would be ambiguous, or could not be stored as it
//! was sent, is refused with the field's name.
//!
//! Fields that a route does not know are ignored and not kept.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::Problem;

/// The fields of a body, each as its JSON text.
pub(crate) struct Fields(BTreeMap<&'static str, Box<RawValue>>);

struct Known(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Fields;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Known {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value: Box<RawValue> = map.next_value()?;
            let Some(known) = self.0.iter().find(|known| **known == name) else { continue };
            if fields.insert(*known, value).is_some() {
                return Err(A::Error::custom(format_args!("{known} is given twice")));
            }
        }
        Ok(Fields(fields))
    }
}

impl Fields {
    /// Reads a body.
    pub(crate) fn read(body: &[u8], known: &'static [&'static str]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Problem::field("body", format_args!("is not UTF-8 from byte {}", error.valid_up_to())))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = Known(known).deserialize(&mut deserializer);
        let fields = fields.and_then(|fields| deserializer.end().map(|()| fields));
        fields.map_err(|error| Problem::field("body", format_args!("is not a JSON object that can be read: {error}")))
    }

    /// A field's value; none when it is absent or null. Refuses NUL, which PostgreSQL cannot hold as text, in any string.
    fn value(&self, name: &str) -> Result<Option<(Value, &str)>, Problem> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        let value: Value = serde_json::from_str(raw.get())
            .map_err(|error| Problem::field(name, format_args!("cannot be read: {error}")))?;
        if has_nul(&value) {
            return Err(Problem::field(name, "has the character U+0000; leave it out"));
        }
        Ok((!value.is_null()).then_some((value, raw.get())))
    }

    /// A string of at most `most` bytes.
    pub(crate) fn text(&self, name: &str, most: usize) -> Result<Option<String>, Problem> {
        match self.value(name)? {
            None => Ok(None),
            Some((Value::String(text), _)) if text.len() <= most => Ok(Some(text)),
            Some((Value::String(text), _)) => {
                let length = text.len();
                Err(Problem::field(name, format_args!("has {length} bytes, the limit is {most}; shorten it")))
            }
            Some(_) => Err(Problem::field(name, "is not a string")),
        }
    }

    /// A string that must be there.
    pub(crate) fn required_text(&self, name: &str, most: usize) -> Result<String, Problem> {
        self.text(name, most)?.ok_or_else(|| Problem::field(name, "is missing; send a string"))
    }

    /// A number within a range.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, Problem> {
        let Some((value, _)) = self.value(name)? else { return Ok(None) };
        let number = value.as_f64().filter(|number| range.contains(number));
        // Minus zero is in the range and is written differently from zero: one way is enough.
        let wrong = || Problem::field(name, format_args!("is not a number from {} to {}", range.start(), range.end()));
        number.map(|number| number + 0.0).ok_or_else(wrong).map(Some)
    }

    /// A whole number within a range.
    pub(crate) fn whole(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some((value, _)) = self.value(name)? else { return Ok(None) };
        let number =
            value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        number
            .ok_or_else(|| Problem::field(name, format_args!("is not a whole number from {first} to {last}")))
            .map(Some)
    }

    /// True or false, which must be there.
    pub(crate) fn required_truth(&self, name: &str) -> Result<bool, Problem> {
        let value = self.value(name)?.and_then(|(value, _)| value.as_bool());
        value.ok_or_else(|| Problem::field(name, "is missing or neither true nor false; send one of them"))
    }

    /// A field of free JSON, at most `most` bytes as it was written. Gives the value to look at and the text to keep.
    pub(crate) fn json(&self, name: &str, most: usize) -> Result<Option<(Value, String)>, Problem> {
        let Some((value, text)) = self.value(name)? else { return Ok(None) };
        if text.len() > most {
            let length = text.len();
            return Err(Problem::field(name, format_args!("has {length} bytes, the limit is {most}; shorten it")));
        }
        Ok(Some((value, text.to_owned())))
    }
}

/// The depth is bounded by serde_json, which reads 128 levels.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
