//! JSON as the vectors need it: objects keep their order, integers stay apart from floats, and one strict comparison.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value in the order in which it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        while let Some((key, value)) = access.next_entry::<String, Json>()? {
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("key {key:?} stands twice")));
            }
            fields.push((key, value));
        }
        Ok(Json::Object(fields))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// What an adapter could not do with its vector.
pub type Found<T> = Result<T, String>;

impl Json {
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            _ => None,
        }
        .filter(|value| **value != Json::Null)
    }

    /// The first of several names that is there.
    pub fn any(&self, keys: &[&str]) -> Found<&Json> {
        keys.iter().find_map(|key| self.get(key)).ok_or_else(|| format!("no input named {}", keys.join(" or ")))
    }

    pub fn at(&self, key: &str) -> Found<&Json> {
        self.any(&[key])
    }

    pub fn number(&self) -> Found<f64> {
        match self {
            Json::Int(value) => Ok(*value as f64),
            Json::Float(value) => Ok(*value),
            other => Err(format!("{other:?} is no number")),
        }
    }

    pub fn natural(&self) -> Found<u64> {
        match self {
            Json::Int(value) => u64::try_from(*value).map_err(|error| error.to_string()),
            other => Err(format!("{other:?} is no natural number")),
        }
    }

    pub fn flag(&self) -> Found<bool> {
        match self {
            Json::Bool(value) => Ok(*value),
            other => Err(format!("{other:?} is no boolean")),
        }
    }

    pub fn text(&self) -> Found<&str> {
        match self {
            Json::Text(value) => Ok(value),
            other => Err(format!("{other:?} is no text")),
        }
    }

    pub fn list(&self) -> Found<&[Json]> {
        match self {
            Json::List(items) => Ok(items),
            other => Err(format!("{other:?} is no list")),
        }
    }

    pub fn fields(&self) -> Found<&[(String, Json)]> {
        match self {
            Json::Object(fields) => Ok(fields),
            other => Err(format!("{other:?} is no object")),
        }
    }

    pub fn map<T>(&self, each: impl Fn(&Json) -> Found<T>) -> Found<Vec<T>> {
        self.list()?.iter().map(each).collect()
    }

    pub fn numbers(&self) -> Found<Vec<f64>> {
        self.map(Json::number)
    }

    pub fn naturals(&self) -> Found<Vec<u64>> {
        self.map(Json::natural)
    }

    pub fn flags(&self) -> Found<Vec<bool>> {
        self.map(Json::flag)
    }

    pub fn texts(&self) -> Found<Vec<&str>> {
        self.list()?.iter().map(Json::text).collect()
    }

    pub fn rows(&self) -> Found<Vec<Vec<f64>>> {
        self.map(Json::numbers)
    }
}

pub fn object(fields: Vec<(&str, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

pub fn floats(values: &[f64]) -> Json {
    Json::List(values.iter().copied().map(Json::Float).collect())
}

pub fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Json {
    Json::List(values.into_iter().map(|value| Json::Text(value.to_string())).collect())
}

pub fn naturals<T: TryInto<i128>>(values: impl IntoIterator<Item = T>) -> Json {
    Json::List(values.into_iter().map(|value| value.try_into().map_or(Json::Null, Json::Int)).collect())
}

/// Of what an adapter offers, what the vector expects; keys that it does not offer show up as missing.
pub fn offer(expected: &Json, offers: Vec<(&str, Json)>) -> Json {
    let wanted = |key: &str| matches!(expected, Json::Object(fields) if fields.iter().any(|(name, _)| name == key));
    object(offers.into_iter().filter(|(key, _)| wanted(key)).collect())
}

/// Every difference between two values. Integers, strings, booleans and orders exactly; floats within `tolerance`,
/// absolute and relative.
fn differences(expected: &Json, actual: &Json, tolerance: f64, path: &str, out: &mut Vec<String>) {
    match (expected, actual) {
        (Json::Float(a), Json::Float(b)) => {
            // Written so that NaN is a difference.
            let near = (a - b).abs() <= tolerance + tolerance * a.abs();
            if !near {
                out.push(format!("{path}: expected {a:?}, computed {b:?}"));
            }
        }
        // Python writes a float function's integral literal without a point; then the value has to be that integer.
        (Json::Int(a), Json::Float(b)) => {
            if *a as f64 != *b {
                out.push(format!("{path}: expected {a}, computed {b:?}"));
            }
        }
        (Json::List(a), Json::List(b)) => {
            if a.len() != b.len() {
                out.push(format!("{path}: expected {} items, computed {}", a.len(), b.len()));
            }
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, tolerance, &format!("{path}[{at}]"), out);
            }
        }
        (Json::Object(a), Json::Object(b)) => {
            for (key, value) in a {
                match b.iter().find(|(other, _)| other == key) {
                    Some((_, other)) => differences(value, other, tolerance, &format!("{path}.{key}"), out),
                    None => out.push(format!("{path}.{key}: nothing is compared with it")),
                }
            }
            for (key, _) in b.iter().filter(|(key, _)| !a.iter().any(|(other, _)| other == key)) {
                out.push(format!("{path}.{key}: computed, but not expected"));
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: expected {a:?}, computed {b:?}")),
    }
}

/// All differences between what a vector expects and what our function computed.
pub fn compare(expected: &Json, actual: &Json, tolerance: f64) -> Vec<String> {
    let mut out = Vec::new();
    differences(expected, actual, tolerance, "expected", &mut out);
    out
}
