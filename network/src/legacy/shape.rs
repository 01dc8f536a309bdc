//! A synapse's declaration: its fields, their types and defaults, and which of them the body hash covers.
//!
//! The hash is over Python's text of each value *as the declared type holds it*: `1` in a field of floats is hashed as `1.0`.
//! So both ends need the declaration, and a value is converted to its type (pydantic's lax rules) before it is hashed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha3::{Digest, Sha3_256};

use super::json::{self, Json};
use super::python;

/// Longest integer that stands in a text.
const LONGEST_INTEGER_TEXT: usize = 64;

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Anything, as it is.
    Any,
    /// `str`.
    Text,
    /// `int`.
    Integer,
    /// `float`.
    Float,
    /// `bool`.
    Bool,
    /// `list[…]`.
    List(Box<Kind>),
    /// `dict[str, …]`.
    Map(Box<Kind>),
    /// `Optional[…]`.
    Optional(Box<Kind>),
}

/// A field of a synapse.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is where a body does not say; `None` makes it required.
    pub default: Option<Json>,
}

/// The declaration of a synapse class.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The class's name, which is its route.
    pub name: String,
    /// Its own fields in order of declaration.
    pub fields: Vec<Field>,
    /// The fields that the body hash covers, in the hash's order.
    pub hashed: Vec<String>,
}

/// Why a body is not one of a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The body is JSON, but no object.
    #[error("body is not an object")]
    NotAnObject,
    /// A required field is not there.
    #[error("field {0} is missing")]
    Missing(String),
    /// A value cannot be converted to its declared type.
    #[error("field {field} is not of its type {kind:?}")]
    Type {
        /// The field.
        field: String,
        /// What it should be.
        kind: Kind,
    },
}

impl Shape {
    /// A synapse without fields; the base class is `Shape::new("Synapse")`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: Vec::new(), hashed: Vec::new() }
    }

    /// Adds a field without default.
    #[must_use]
    pub fn required(mut self, name: impl Into<String>, kind: Kind) -> Self {
        self.fields.push(Field { name: name.into(), kind, default: None });
        self
    }

    /// Adds a field with a default.
    #[must_use]
    pub fn defaulted(mut self, name: impl Into<String>, kind: Kind, default: Json) -> Self {
        self.fields.push(Field { name: name.into(), kind, default: Some(default) });
        self
    }

    /// Adds an `Optional` field that defaults to `None`.
    #[must_use]
    pub fn optional(self, name: impl Into<String>, kind: Kind) -> Self {
        self.defaulted(name, Kind::Optional(Box::new(kind)), Json::Null)
    }

    /// Says which fields the body hash covers, in this order.
    #[must_use]
    pub fn hashed<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.hashed = names.into_iter().map(Into::into).collect();
        self
    }

    /// The fields of a body in order of declaration, converted to their types, with defaults filled in. What the shape does not
    /// declare is left out.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn read(&self, body: &Json) -> Result<Vec<(String, Json)>, ShapeError> {
        if !matches!(body, Json::Object(_)) {
            return Err(ShapeError::NotAnObject);
        }
        let value = |field: &Field| match (body.get(&field.name), &field.default) {
            (Some(value), _) => field.converted(value),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(ShapeError::Missing(field.name.clone())),
        };
        self.fields.iter().map(|field| Ok((field.name.clone(), value(field)?))).collect()
    }

    /// The body hash of fields that [`Self::read`] gave.
    #[must_use]
    pub fn body_hash(&self, fields: &[(String, Json)]) -> String {
        let value = |name: &String| fields.iter().find(|(field, _)| field == name).map_or(&Json::Null, |(_, v)| v);
        body_hash(self.hashed.iter().map(value))
    }

    /// The headers that tell a Python axon of the required fields: name without `bt_header_input_obj_`, and value.
    #[must_use]
    pub fn inputs(&self, fields: &[(String, Json)]) -> Vec<(String, String)> {
        let required = |name: &String| self.fields.iter().any(|field| field.name == *name && field.default.is_none());
        let present = fields.iter().filter(|(name, value)| required(name) && *value != Json::Null);
        present.map(|(name, value)| (name.clone(), input_object(empty_of(value)))).collect()
    }

    /// Whether the input headers that came name every required field with a value of its type: an SDK axon makes the request's
    /// object of them before it reads the body.
    ///
    /// # Errors
    /// [`ShapeError`] of the first that does not.
    pub fn accepts_inputs(&self, inputs: &[(String, String)]) -> Result<(), ShapeError> {
        for field in self.fields.iter().filter(|field| field.default.is_none()) {
            let (_, encoded) =
                inputs.iter().find(|(name, _)| *name == field.name).ok_or(ShapeError::Missing(field.name.clone()))?;
            let value = STANDARD.decode(encoded).ok().and_then(|text| Json::parse(&text).ok());
            field.converted(&value.ok_or_else(|| field.mistyped())?)?;
        }
        Ok(())
    }
}

impl Field {
    fn converted(&self, value: &Json) -> Result<Json, ShapeError> {
        self.kind.convert(value).ok_or_else(|| self.mistyped())
    }

    fn mistyped(&self) -> ShapeError {
        ShapeError::Type { field: self.name.clone(), kind: self.kind.clone() }
    }
}

impl Kind {
    /// A value as this type holds it, by pydantic's lax rules; `None` where they refuse it.
    #[must_use]
    pub fn convert(&self, value: &Json) -> Option<Json> {
        match (self, value) {
            (Self::Any, value) => Some(value.clone()),
            (Self::Optional(_), Json::Null) => Some(Json::Null),
            (Self::Optional(kind), value) => kind.convert(value),
            (Self::Text, Json::Text(_)) | (Self::Bool, Json::Bool(_)) | (Self::Float, Json::Float(_)) => {
                Some(value.clone())
            }
            (Self::Integer, value) => integer_of(value),
            (Self::Float, value) => float_of(value).filter(|value| value.is_finite()).map(Json::Float),
            (Self::Bool, value) => truth_of(value).map(Json::Bool),
            (Self::List(kind), Json::List(items)) => {
                items.iter().map(|item| kind.convert(item)).collect::<Option<_>>().map(Json::List)
            }
            (Self::Map(kind), Json::Object(fields)) => {
                let converted = fields.iter().map(|(name, value)| Some((name.clone(), kind.convert(value)?)));
                converted.collect::<Option<_>>().map(Json::Object)
            }
            _ => None,
        }
    }
}

fn integer_of(value: &Json) -> Option<Json> {
    match value {
        Json::Integer(_) | Json::BigInteger(_) => Some(value.clone()),
        Json::Bool(value) => Some(Json::Integer(i64::from(*value))),
        // Digits of the exact value: a double beyond 2⁶³ is an integer too.
        Json::Float(value) if value.fract() == 0.0 => json::integer(&format!("{:.0}", value + 0.0)),
        Json::Text(text) if text.len() <= LONGEST_INTEGER_TEXT => {
            let text = text.trim();
            let (sign, digits) =
                text.strip_prefix('-').map_or(("", text.strip_prefix('+').unwrap_or(text)), |d| ("-", d));
            if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let digits = digits.trim_start_matches('0');
            json::integer(&format!("{sign}{}", if digits.is_empty() { "0" } else { digits }))
        }
        _ => None,
    }
}

fn float_of(value: &Json) -> Option<f64> {
    match value {
        Json::Float(value) => Some(*value),
        // The nearest double, as Python's `float(int)`.
        Json::Integer(value) => Some(*value as f64),
        Json::Bool(value) => Some(f64::from(u8::from(*value))),
        Json::BigInteger(digits) => digits.parse().ok(),
        Json::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn truth_of(value: &Json) -> Option<bool> {
    match value {
        Json::Integer(0) => Some(false),
        Json::Integer(1) => Some(true),
        Json::Float(0.0) => Some(false),
        Json::Float(1.0) => Some(true),
        Json::Text(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
            "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// SHA3-256 of the joined hexadecimal SHA3-256 of each value's Python text. Of no value this is SHA3-256 of nothing, and a
/// signature then covers no part of the body.
pub fn body_hash<'a>(values: impl IntoIterator<Item = &'a Json>) -> String {
    let mut hash = Sha3_256::new();
    for value in values {
        hash.update(value_hash(value));
    }
    hex::encode(hash.finalize())
}

/// One value's part of the body hash.
#[must_use]
pub fn value_hash(value: &Json) -> String {
    hex::encode(Sha3_256::digest(python::string_of(value).as_bytes()))
}

/// The value of an input header: base64 of a type's empty value.
#[must_use]
pub fn input_object(empty: &str) -> String {
    STANDARD.encode(empty)
}

/// `json.dumps(type(value)())`.
fn empty_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "false",
        Json::Integer(_) | Json::BigInteger(_) => "0",
        Json::Float(_) => "0.0",
        Json::Text(_) => "\"\"",
        Json::List(_) => "[]",
        Json::Object(_) => "{}",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    fn echo() -> Shape {
        Shape::new("Echo")
            .required("prompt", Kind::Text)
            .defaulted("n", Kind::Integer, Json::Integer(0))
            .optional("out", Kind::Text)
            .hashed(["prompt", "n"])
    }

    #[test]
    fn conversions_are_pydantics() {
        for (kind, given, expected) in [
            (Kind::Integer, "3.0", Some("3")),
            (Kind::Integer, "3.5", None),
            (Kind::Integer, "\"007\"", Some("7")),
            (Kind::Integer, "\"-0\"", Some("0")),
            (Kind::Integer, "\"x\"", None),
            (Kind::Integer, "true", Some("1")),
            (Kind::Integer, "1e20", Some("100000000000000000000")),
            (Kind::Float, "3", Some("3.0")),
            (Kind::Float, "\"1.5\"", Some("1.5")),
            (Kind::Float, "\"inf\"", None),
            (Kind::Float, "null", None),
            (Kind::Bool, "1", Some("true")),
            (Kind::Bool, "2", None),
            (Kind::Bool, "\"Off\"", Some("false")),
            (Kind::Text, "5", None),
            (Kind::Optional(Box::new(Kind::Text)), "null", Some("null")),
            (Kind::List(Box::new(Kind::Float)), "[1,2.5]", Some("[1.0,2.5]")),
            (Kind::List(Box::new(Kind::Float)), "[[]]", None),
            (Kind::Map(Box::new(Kind::Float)), r#"{"k":40}"#, Some(r#"{"k":40.0}"#)),
            (Kind::Any, "[1,null]", Some("[1,null]")),
        ] {
            assert_eq!(kind.convert(&json(given)), expected.map(json), "{kind:?} {given}");
        }
    }

    #[test]
    fn a_body_is_read_in_the_declared_order() {
        let fields = echo().read(&json(r#"{"more":1,"n":"3","prompt":"hi"}"#)).unwrap();
        assert_eq!(Json::Object(fields), json(r#"{"prompt":"hi","n":3,"out":null}"#));
        assert_eq!(echo().read(&json(r#"{"n":3}"#)), Err(ShapeError::Missing("prompt".to_owned())));
        assert_eq!(echo().read(&json("[]")), Err(ShapeError::NotAnObject));
        assert!(matches!(echo().read(&json(r#"{"prompt":5}"#)), Err(ShapeError::Type { .. })));
    }

    #[test]
    fn the_hash_is_over_what_the_type_holds() {
        let hash = |body: &str| echo().body_hash(&echo().read(&json(body)).unwrap());
        assert_eq!(hash(r#"{"prompt":"","n":0}"#), "8dd6a6623c873b199249054410bdc5a0166a5b8c06ac944ff4965c4ac924c1ba");
        assert_eq!(hash(r#"{"prompt":""}"#), hash(r#"{"prompt":"","n":0.0,"out":"x"}"#));
        assert_ne!(hash(r#"{"prompt":""}"#), hash(r#"{"prompt":"","n":1}"#));
        assert_eq!(body_hash([]), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    }

    #[test]
    fn inputs_name_every_required_field() {
        let fields = echo().read(&json(r#"{"prompt":"hi"}"#)).unwrap();
        let inputs = echo().inputs(&fields);
        assert_eq!(inputs, [("prompt".to_owned(), "IiI=".to_owned())]);
        assert_eq!(echo().accepts_inputs(&inputs), Ok(()));
        assert!(echo().accepts_inputs(&[]).is_err());
        for wrong in ["!!!", "", "MA==", "eA=="] {
            assert!(echo().accepts_inputs(&[("prompt".to_owned(), wrong.to_owned())]).is_err(), "{wrong}");
        }
    }
}
