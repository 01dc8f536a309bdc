//! Foreign JSON as Python holds it, and Python's casts to `int` and `float`.
//!
//! Upstream casts miners' values with `int()` and `float()`: `"1"`, `1.9` and `true` are all class 1. Which texts are
//! numbers is therefore part of the rule. Integers are held in 128 bits; beyond them they saturate, which no rule can tell
//! apart (only 0 and 1 are classes).

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::fmt;

use crate::text::{is_digit, strip};

/// Python refuses to read longer texts as integers.
const MAX_DIGITS: usize = 4300;

/// A JSON value; objects keep their order, and of a key that stands twice the last value counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without point and exponent.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(Vec<(String, Value)>),
}

/// Why a cast failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastError {
    /// Python's `TypeError` or `ValueError`, which upstream catches.
    NotANumber,
    /// Python's `OverflowError` of `int(inf)`, which upstream does not catch.
    Infinite,
}

impl Value {
    /// The value under a key of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => get(fields, key),
            _ => None,
        }
    }

    /// Whether Python's `if value` holds.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Object(fields) => !fields.is_empty(),
        }
    }

    /// The value where Python calculates with it: numbers and booleans, no texts.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Python's `int(value)`: cut towards zero, texts of whole numbers are read.
    ///
    /// # Errors
    /// What is no number, NaN, and infinities.
    pub fn to_int(&self) -> Result<i128, CastError> {
        match self {
            Self::Bool(value) => Ok((*value).into()),
            Self::Int(value) => Ok(*value),
            Self::Float(value) if value.is_infinite() => Err(CastError::Infinite),
            Self::Float(value) if value.is_nan() => Err(CastError::NotANumber),
            Self::Float(value) => Ok(libm::trunc(*value) as i128),
            Self::Text(text) => int_of(text).ok_or(CastError::NotANumber),
            _ => Err(CastError::NotANumber),
        }
    }

    /// Python's `float(value)`; texts may say `nan`, `inf` or `infinity`.
    ///
    /// # Errors
    /// What is no number.
    pub fn to_float(&self) -> Result<f64, CastError> {
        match self {
            Self::Text(text) => float_of(text).ok_or(CastError::NotANumber),
            other => other.number().ok_or(CastError::NotANumber),
        }
    }
}

/// The last value under a key.
#[must_use]
pub fn get<'a>(fields: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    fields.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value)
}

/// The value of a decimal digit of any script: digits stand in runs of ten that begin with zero.
fn digit_value(character: char) -> Option<u8> {
    if !is_digit(character) {
        return None;
    }
    let code = u32::from(character);
    let below = (1..=code).take_while(|step| char::from_u32(code - step).is_some_and(is_digit)).count();
    u8::try_from(below % 10).ok()
}

/// White space off, digits of all scripts as ASCII, underscores out; `None` for an underscore that is not between digits
/// and for any other character beyond ASCII.
fn plain(text: &str) -> Option<String> {
    let characters: Vec<char> = strip(text).chars().collect();
    let mut out = String::with_capacity(characters.len());
    for (at, character) in characters.iter().enumerate() {
        if *character == '_' {
            let before = at.checked_sub(1).and_then(|at| characters.get(at));
            let between = [before, characters.get(at + 1)].iter().all(|near| near.is_some_and(|c| is_digit(*c)));
            if !between {
                return None;
            }
        } else if let Some(digit) = digit_value(*character) {
            out.push(char::from(b'0' + digit));
        } else if character.is_ascii() {
            out.push(*character);
        } else {
            return None;
        }
    }
    Some(out)
}

/// Python's `int(text)`, saturating at 128 bits.
#[must_use]
pub fn int_of(text: &str) -> Option<i128> {
    let plain = plain(text)?;
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.bytes().fold(0i128, |total, byte| total.saturating_mul(10).saturating_add((byte - b'0').into()));
    Some(if negative { -size } else { size })
}

/// Python's `float(text)`.
#[must_use]
pub fn float_of(text: &str) -> Option<f64> {
    // The standard library reads the same decimal forms, `inf`, `infinity` and `nan` in any case, and rounds correctly.
    plain(text)?.parse().ok()
}

/// Python's `round(value, decimals)`: the exact binary value to the nearest decimal, ties to even.
#[must_use]
pub fn round_decimals(value: f64, decimals: usize) -> f64 {
    if !value.is_finite() {
        return value;
    }
    // Formatting works on the exact value and has no locale.
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = access.next_entry::<String, Value>()? {
            fields.push(entry);
        }
        Ok(Value::Object(fields))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i128(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_python_reads_as_integers() {
        for (text, expected) in [
            ("1", Some(1)),
            (" +12\n", Some(12)),
            ("-0", Some(0)),
            ("1_000", Some(1000)),
            ("٣", Some(3)),
            ("𝟙𝟚", Some(12)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("1.0", None),
            ("0x1", None),
            ("", None),
            ("-", None),
            ("+-1", None),
            ("²", None),
            ("nan", None),
        ] {
            assert_eq!(int_of(text), expected, "{text:?}");
        }
        assert_eq!(int_of(&"9".repeat(4300)), Some(i128::MAX));
        assert_eq!(int_of(&"9".repeat(4301)), None);
    }

    #[test]
    fn texts_that_python_reads_as_floats() {
        for (text, expected) in [
            ("60.0", Some(60.0)),
            (" .5 ", Some(0.5)),
            ("5.", Some(5.0)),
            ("1_0.2_5e1_0", Some(10.25e10)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", Some(f64::INFINITY)),
            ("1e400", Some(f64::INFINITY)),
            ("٣.٥", Some(3.5)),
            ("1_.5", None),
            (".", None),
            ("e5", None),
            ("", None),
            ("0x1p3", None),
            ("fourteen", None),
        ] {
            assert_eq!(float_of(text), expected, "{text:?}");
        }
        assert!(float_of("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn casts_are_pythons() {
        assert_eq!(Value::Float(-0.5).to_int(), Ok(0));
        assert_eq!(Value::Float(1.9).to_int(), Ok(1));
        assert_eq!(Value::Float(f64::INFINITY).to_int(), Err(CastError::Infinite));
        assert_eq!(Value::Float(f64::NAN).to_int(), Err(CastError::NotANumber));
        assert_eq!(Value::Bool(true).to_int(), Ok(1));
        assert_eq!(Value::Null.to_float(), Err(CastError::NotANumber));
        assert_eq!(Value::List(vec![]).to_float(), Err(CastError::NotANumber));
    }

    #[test]
    fn rounding_is_pythons() {
        // Ties of the exact binary value go to the even digit; 2.675 lies below its decimal.
        for (value, decimals, expected) in [
            (0.125, 2, 0.12),
            (0.375, 2, 0.38),
            (2.675, 2, 2.67),
            (0.5, 0, 0.0),
            (1.5, 0, 2.0),
            (2.5, 0, 2.0),
            (92.0 / 60.0, 4, 1.5333),
            (-0.00004, 4, 0.0),
            (0.00005, 4, 0.0001),
            (1e22, 4, 1e22),
        ] {
            assert_eq!(round_decimals(value, decimals), expected, "{value}");
        }
    }

    #[test]
    fn json_there_and_back() {
        let text = r#"{"a":1,"b":1.0,"c":[null,true,"x"],"d":{}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), text);
        let twice: Value = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(twice.get("a"), Some(&Value::Int(2)));
        assert!(serde_json::from_str::<Value>("NaN").is_err());
    }
}
