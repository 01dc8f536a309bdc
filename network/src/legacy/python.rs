//! Text as Python writes it: `str()` of a value, which is hashed, and `json.dumps`, which is sent.

use domain::text::numbers::float_repr;

use super::json::Json;

/// `str(value)` of the value that `json.loads` makes: a text is itself, everything else its `repr`.
#[must_use]
pub fn string_of(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        other => {
            let mut out = String::new();
            repr(other, &mut out);
            out
        }
    }
}

fn repr(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(true) => out.push_str("True"),
        Json::Bool(false) => out.push_str("False"),
        Json::Integer(value) => out.push_str(&value.to_string()),
        Json::BigInteger(digits) => out.push_str(digits),
        Json::Float(value) => out.push_str(&float_repr(*value)),
        Json::Text(text) => repr_text(text, out),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr(item, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr_text(name, out);
                out.push_str(": ");
                repr(value, out);
            }
            out.push('}');
        }
    }
}

/// `repr` of a list of names, as it stands in messages.
#[must_use]
pub fn repr_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    repr(&Json::List(names.into_iter().map(Json::text).collect()), &mut out);
    out
}

/// Single quotes, unless the text has some and no double ones.
fn repr_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(character),
            c if is_printable(c) => out.push(c),
            c => match u32::from(c) {
                code @ 0..0x100 => out.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

/// `str.isprintable` of a character beyond ASCII. Rust's debug form escapes by the same definition (everything but letters,
/// marks, numbers, punctuation, symbols); its Unicode is newer than that of older Pythons, which differ among themselves for
/// characters that the one has and the other has not.
fn is_printable(character: char) -> bool {
    // Behind a first letter, a mark that would join it is not escaped for that reason alone.
    let mut pair = [0u8; 8];
    pair[0] = b'a';
    let length = 1 + character.encode_utf8(&mut pair[1..]).len();
    let shown = std::str::from_utf8(&pair[..length]).unwrap_or_default();
    shown.escape_debug().count() == 2
}

/// How values are set apart.
struct Style {
    comma: &'static str,
    colon: &'static str,
    ascii: bool,
}

/// `json.dumps(value)`: what a dendrite sends. Spaces after comma and colon, everything beyond ASCII escaped.
#[must_use]
pub fn dumps(value: &Json) -> String {
    written(value, &Style { comma: ", ", colon: ": ", ascii: true })
}

/// What an axon answers: no spaces, text as it is.
#[must_use]
pub fn compact(value: &Json) -> String {
    written(value, &Style { comma: ",", colon: ":", ascii: false })
}

fn written(value: &Json, style: &Style) -> String {
    let mut out = String::new();
    write(value, style, &mut out);
    out
}

fn write(value: &Json, style: &Style, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Integer(value) => out.push_str(&value.to_string()),
        Json::BigInteger(digits) => out.push_str(digits),
        // A handler may compute what JSON has no number for.
        Json::Float(value) if !value.is_finite() => out.push_str("null"),
        Json::Float(value) => out.push_str(&float_repr(*value)),
        Json::Text(text) => write_text(text, style.ascii, out),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { style.comma });
                write(item, style, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { style.comma });
                write_text(name, style.ascii, out);
                out.push_str(style.colon);
                write(value, style, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ascii && c > '~') => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn strings_are_pythons() {
        // Python 3.11: str(json.loads(text)).
        for (text, expected) in [
            (r#""it's""#, "it's"),
            (r#"["it's"]"#, r#"["it's"]"#),
            (r#"["\"it's\""]"#, r#"['"it\'s"']"#),
            (
                r#"["say \"hi\"","é","\u00a0","\u200b","\u0301","\u001f","\u007f"]"#,
                "['say \"hi\"', 'é', '\\xa0', '\\u200b', '\u{301}', '\\x1f', '\\x7f']",
            ),
            (
                r#"["\ud83d\ude00","\udb40\udc01","\ue000","\u2028","\u0378"]"#,
                "['😀', '\\U000e0001', '\\ue000', '\\u2028', '\\u0378']",
            ),
            (
                r#"{"a":[1,1.0,1e-07,1e22,-0.0,123456789012345678901234567890],"b":{"c":[true,null]}}"#,
                "{'a': [1, 1.0, 1e-07, 1e+22, -0.0, 123456789012345678901234567890], 'b': {'c': [True, None]}}",
            ),
            ("[]", "[]"),
            ("{}", "{}"),
            ("null", "None"),
            (r#"["a\\b\n"]"#, r"['a\\b\n']"),
        ] {
            assert_eq!(string_of(&parsed(text)), expected, "{text}");
        }
    }

    #[test]
    fn dumps_is_pythons() {
        let value = parsed(r#"{"é😀":[1,2.0,"a\u007f/\"\\\b\f\u0001"],"n":null}"#);
        let dumped = r#"{"\u00e9\ud83d\ude00": [1, 2.0, "a\u007f/\"\\\b\f\u0001"], "n": null}"#;
        assert_eq!(dumps(&value), dumped);
        assert_eq!(compact(&value), "{\"é😀\":[1,2.0,\"a\u{7f}/\\\"\\\\\\b\\f\\u0001\"],\"n\":null}");
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Integer),
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Json::Float),
            any::<String>().prop_map(Json::Text),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|fields| Json::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_json()) {
            let dumped = dumps(&value);
            prop_assert!(dumped.is_ascii());
            prop_assert_eq!(&Json::parse(dumped.as_bytes()).unwrap(), &value);
            prop_assert_eq!(&Json::parse(compact(&value).as_bytes()).unwrap(), &value);
        }
    }
}
