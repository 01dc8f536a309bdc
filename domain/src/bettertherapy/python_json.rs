//! JSON and numbers in text as Python 3.11 reads them: upstream's parsers of replies are these two functions of Python.
//!
//! They accept what strict JSON does not (`NaN`, `Infinity`, integers of any size, numbers beyond the range of a double)
//! and differ where it matters for a score, so the rule sets that follow upstream need them. Nothing here may recurse
//! without a limit: the text is a model's reply.

use crate::text::{is_digit, strip};

/// Values deeper than this are refused; Python's own limit is about a thousand.
const MAX_DEPTH: usize = 256;
/// Longer integers are refused, as by Python.
const MAX_DIGITS: usize = 4300;

/// A value of Python's `json.loads`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer: its digits with sign, because it may have any size.
    Integer(String),
    /// A float; may be NaN or infinite.
    Float(f64),
    /// A text. A lone surrogate, which Python keeps, becomes U+FFFD.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A dictionary in order of first appearance; the last value of a repeated key counts.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The value of a key; `None` also for what is no dictionary.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Python's `float(value)`; `None` where it raises.
    #[must_use]
    pub fn to_float(&self) -> Option<f64> {
        match self {
            // An integer beyond the range of a double raises OverflowError.
            Self::Integer(digits) => digits.parse().ok().filter(|value: &f64| value.is_finite()),
            Self::Float(value) => Some(*value),
            Self::Bool(value) => Some(f64::from(*value)),
            Self::Text(text) => float(text),
            Self::Null | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Whether Python finds the value equal to this number; texts never are.
    #[must_use]
    pub fn equals(&self, number: f64) -> bool {
        !matches!(self, Self::Text(_)) && self.to_float() == Some(number)
    }
}

/// Python's `float(text)`; `None` where it raises `ValueError`.
#[must_use]
pub fn float(text: &str) -> Option<f64> {
    let mut ascii = String::with_capacity(text.len());
    let characters: Vec<char> = strip(text).chars().collect();
    for (at, character) in characters.iter().enumerate() {
        let digit = |place: Option<usize>| place.and_then(|p| characters.get(p)).is_some_and(|c| is_digit(*c));
        match character {
            '_' if digit(at.checked_sub(1)) && digit(Some(at + 1)) => {}
            '_' => return None,
            _ if is_digit(*character) => ascii.push(char::from(b'0' + digit_value(*character))),
            _ => ascii.push(*character),
        }
    }
    ascii.parse().ok()
}

/// Decimal digits of every script stand in runs that begin with the zero.
fn digit_value(character: char) -> u8 {
    let code = u32::from(character);
    let run =
        (1..=49).take_while(|back| code.checked_sub(*back).and_then(char::from_u32).is_some_and(is_digit)).count();
    (run % 10) as u8
}

/// Python's `json.loads`.
///
/// # Errors
/// Says where the text stops being JSON in Python's sense.
pub fn loads(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text, at: 0 };
    parser.space();
    let value = parser.value(0)?;
    parser.space();
    if parser.at == text.len() { Ok(value) } else { Err(format!("extra data at byte {}", parser.at)) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("expected {expected} at byte {}", self.at))
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return self.error("fewer levels");
        }
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') if !self.rest().starts_with("-I") => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, String> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if self.eat(word) {
                return Ok(value);
            }
        }
        self.error("a value")
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.eat("-");
        if !self.eat("0") && self.digits() == 0 {
            return self.error("a digit");
        }
        let whole = self.at;
        // A point or an exponent without digits is not part of the number.
        if self.eat(".") && self.digits() == 0 {
            self.at = whole;
        }
        let mantissa = self.at;
        if self.eat("e") || self.eat("E") {
            let _sign = self.eat("+") || self.eat("-");
            if self.digits() == 0 {
                self.at = mantissa;
            }
        }
        let written = &self.text[start..self.at];
        if self.at > whole {
            return written.parse().map(Value::Float).map_err(|error| format!("number {written:?}: {error}"));
        }
        if written.trim_start_matches('-').len() > MAX_DIGITS {
            return self.error("fewer digits");
        }
        Ok(Value::Integer(if written == "-0" { "0".to_owned() } else { written.to_owned() }))
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Value::List(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat("]") {
                return Ok(Value::List(items));
            }
            if !self.eat(",") {
                return self.error("a comma");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut fields: Vec<(String, Value)> = Vec::new();
        self.space();
        if self.eat("}") {
            return Ok(Value::Object(fields));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.error("a key");
            }
            let key = self.string()?;
            self.space();
            if !self.eat(":") {
                return self.error("a colon");
            }
            self.space();
            let value = self.value(depth + 1)?;
            match fields.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => fields.push((key, value)),
            }
            self.space();
            if self.eat("}") {
                return Ok(Value::Object(fields));
            }
            if !self.eat(",") {
                return self.error("a comma");
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(character) = self.rest().chars().next() else { return self.error("the end of a text") };
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\0'..='\x1f' => return self.error("no control character in a text"),
                _ => out.push(character),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(byte) = self.peek() else { return self.error("an escape") };
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.code_point();
            }
            _ => return self.error("an escape"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn code_point(&mut self) -> Result<char, String> {
        let high = self.unit()?;
        if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.unit()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = before;
        }
        Ok(char::from_u32(high).unwrap_or('\u{fffd}'))
    }

    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let unit = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok());
        let Some(unit) = unit else { return self.error("four hexadecimal digits") };
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
#[path = "python_json_tests.rs"]
mod tests;
