//! JSON as Python's `json.loads` reads it: objects keep their order, integers stay apart from floats and have any size.
//!
//! Errors carry Python's words and position, because an SDK axon sends both to the client. Beyond Python's rules this reader
//! refuses: nesting over [`DEEPEST`], more than [`MOST_VALUES`] values, `NaN` and infinities, lone surrogates, and text that is
//! not UTF-8. The caller bounds the bytes.

use std::collections::HashMap;

/// Deepest nesting of lists and objects.
pub const DEEPEST: usize = 64;

/// Most values of one text: each takes 32 bytes in memory for at least two of the text.
pub const MOST_VALUES: usize = 1 << 20;

/// Digits that Python converts from text to an integer at most.
const LONGEST_INTEGER: usize = 4300;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without point and exponent.
    Integer(i64),
    /// Such a number that does not fit, as canonical decimal digits.
    BigInteger(String),
    /// Any other number; finite.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object in order of first appearance; of a key that stands twice, the last value.
    Object(Vec<(String, Json)>),
}

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {position}")]
pub struct JsonError {
    /// Python's words where it has some.
    pub problem: &'static str,
    /// 0-based, in characters.
    pub position: usize,
}

impl Json {
    /// Reads one value that fills the whole text.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            JsonError { problem: "Text is not UTF-8", position: before.chars().count() }
        })?;
        let mut reader = Reader { text, at: 0, values: 0 };
        let value = reader.value(0).and_then(|value| {
            reader.skip_white_space();
            if reader.at == text.len() { Ok(value) } else { Err(("Extra data", reader.at)) }
        });
        value.map_err(|(problem, at)| JsonError { problem, position: text[..at].chars().count() })
    }

    /// The value of a key, where this is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// What is wrong, and at which byte (always at the beginning of a character).
type Fault = (&'static str, usize);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, Fault> {
        self.skip_white_space();
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(("Too many values", self.at));
        }
        match self.peek() {
            Some(b'{' | b'[') if depth == DEEPEST => Err(("Nested too deeply", self.at)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, Fault> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(("Expecting value", self.at))
    }

    fn list(&mut self, depth: usize) -> Result<Json, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_white_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                _ => return Err(("Expecting ',' delimiter", self.at)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Fault> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        self.at += 1;
        let mut fields = Vec::new();
        self.skip_white_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err((NAME, self.at));
            }
            let name = self.string()?;
            self.skip_white_space();
            if self.peek() != Some(b':') {
                return Err(("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            fields.push((name, self.value(depth)?));
            self.skip_white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(last_of_each(fields)));
                }
                _ => return Err(("Expecting ',' delimiter", self.at)),
            }
            self.skip_white_space();
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let begin = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').ok_or(UNTERMINATED(begin))?;
            string.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape(begin)?),
                _ => return Err(("Invalid control character at", self.at)),
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<char, Fault> {
        let backslash = self.at;
        self.at += 1;
        let letter = self.peek().ok_or(UNTERMINATED(begin))?;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(backslash),
            _ => return Err(("Invalid \\escape", backslash)),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self, backslash: usize) -> Result<char, Fault> {
        const LONE: &str = "Lone surrogate";
        let first = self.four_digits()?;
        let code = match first {
            0xd800..0xdc00 if self.text[self.at..].starts_with("\\u") => {
                self.at += 1;
                match self.four_digits()? {
                    second @ 0xdc00..0xe000 => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => return Err((LONE, backslash)),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or((LONE, backslash))
    }

    /// The digits behind the `u` at the reader's place.
    fn four_digits(&mut self) -> Result<u32, Fault> {
        let place = self.at;
        let digits = self.text.as_bytes().get(place + 1..place + 5).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 5;
        code.ok_or(("Invalid \\uXXXX escape", place))
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - begin
    }

    fn number(&mut self) -> Result<Json, Fault> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                self.digits();
            }
            _ => return Err(("Expecting value", begin)),
        }
        let whole = self.at;
        // A point or an exponent without digits belongs to what follows the number, as Python has it.
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                self.at = whole;
            }
        }
        let before_exponent = self.at;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                self.at = before_exponent;
            }
        }
        let literal = &self.text[begin..self.at];
        if self.at == whole {
            return integer(literal).ok_or(("Integer with too many digits", begin));
        }
        let value: f64 = literal.parse().map_err(|_| ("Expecting value", begin))?;
        if value.is_finite() { Ok(Json::Float(value)) } else { Err(("Number out of range", begin)) }
    }
}

#[allow(non_snake_case)]
const fn UNTERMINATED(begin: usize) -> Fault {
    ("Unterminated string starting at", begin)
}

/// An integer's canonical form, of a literal without leading zeros.
pub(crate) fn integer(literal: &str) -> Option<Json> {
    match literal.parse() {
        Ok(value) => Some(Json::Integer(value)),
        Err(_) if literal.len() <= LONGEST_INTEGER => Some(Json::BigInteger(literal.to_owned())),
        Err(_) => None,
    }
}

/// Of each key its first place and its last value.
fn last_of_each(fields: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(fields.len());
    let mut last: Vec<usize> = Vec::with_capacity(fields.len());
    for (at, (name, _)) in fields.iter().enumerate() {
        let place = *places.entry(name).or_insert(last.len());
        match last.get_mut(place) {
            Some(known) => *known = at,
            None => last.push(at),
        }
    }
    if last.len() == fields.len() {
        return fields;
    }
    let mut fields: Vec<Option<(String, Json)>> = fields.into_iter().map(Some).collect();
    last.into_iter().filter_map(|at| fields.get_mut(at).and_then(Option::take)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_as_python_reads_them() {
        use Json::{BigInteger, Bool, Float, Integer, List, Null, Object};
        for (text, value) in [
            (" null ", Null),
            ("[true,false]", List(vec![Bool(true), Bool(false)])),
            ("-0", Integer(0)),
            ("-0.0", Float(-0.0)),
            ("1e2", Float(100.0)),
            ("9223372036854775808", BigInteger("9223372036854775808".to_owned())),
            (r#""\u00e9\ud83d\ude00\n\/""#, Json::text("é😀\n/")),
            (r#"{"a":1,"b":2,"a":3}"#, Object(vec![("a".to_owned(), Integer(3)), ("b".to_owned(), Integer(2))])),
            ("{ }", Object(vec![])),
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn errors_in_pythons_words_at_its_places() {
        // Python 3.11: json.loads(text), JSONDecodeError.msg and .pos.
        for (text, problem, position) in [
            ("", "Expecting value", 0),
            ("{nope", "Expecting property name enclosed in double quotes", 1),
            ("{\"é\" 1}", "Expecting ':' delimiter", 5),
            ("[1 2]", "Expecting ',' delimiter", 3),
            ("[1,]", "Expecting value", 3),
            ("\"ab", "Unterminated string starting at", 0),
            ("\"a\nb\"", "Invalid control character at", 2),
            ("\"\\q\"", "Invalid \\escape", 1),
            ("\"\\u12g4\"", "Invalid \\uXXXX escape", 2),
            ("{} x", "Extra data", 3),
            ("01", "Extra data", 1),
            ("1.", "Extra data", 1),
            ("-", "Expecting value", 0),
        ] {
            let error = Json::parse(text.as_bytes()).unwrap_err();
            assert_eq!((error.problem, error.position), (problem, position), "{text:?}");
        }
        for bytes in [&b"\xff"[..], b"NaN", b"Infinity", b"1e999", br#""\ud800""#, br#""\udc00\ud800""#] {
            assert!(Json::parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_and_counts_are_bounded() {
        let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert!(Json::parse(&nested(DEEPEST)).is_ok());
        assert!(Json::parse(&nested(DEEPEST + 1)).is_err());
        assert!(Json::parse(&b"[".repeat(100_000)).is_err());
        let wide = format!("[{}1]", "1,".repeat(MOST_VALUES - 2));
        assert!(Json::parse(wide.as_bytes()).is_ok());
        assert!(Json::parse(format!("[1,{}", &wide[1..]).as_bytes()).is_err());
        assert!(Json::parse("1".repeat(LONGEST_INTEGER + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Json::parse(&bytes);
        }

        #[test]
        fn no_near_miss_makes_it_panic(text in r#"[\[\]{}",:\\u0-9a-fédD. truefalsnE+-]{0,40}"#) {
            let _ = Json::parse(text.as_bytes());
        }

        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a. -]{0,30}"#) {
            let ours = Json::parse(text.as_bytes());
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
        }
    }
}
