//! JSON lines: one conversation an object.
//!
//! Read are the store's own lines and the records of conversation servers: `guid` (a bare number of up to 128 bits, or its
//! digits as text), `source`, and `lines` of `[speaker, text]` or `{"speaker", "text"}`, where a speaker is a number or a label;
//! `transcript` is another name for `lines`. Other fields, such as the participants' names, are left behind.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conversation::{Collected, Conversation, Draft, MAX_LINES, Source};
use crate::error::Error;
use crate::text;

/// Bytes of a speaker's label at most.
const MAX_LABEL: usize = 256;

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    guid: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow, alias = "transcript")]
    lines: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, alias = "author", alias = "name")]
    speaker: &'a RawValue,
    #[serde(borrow, alias = "content", alias = "message")]
    text: &'a RawValue,
}

/// A field and what is wrong with it; a record as a whole has no field.
type Problem = (String, String);

/// The conversations of JSON lines; empty lines are skipped.
///
/// # Errors
/// By line and field: what is no JSON, has no lines, states no source where none is given, or is over a limit.
pub fn json_lines(file: &str, bytes: &[u8], source: Option<Source>) -> Result<Vec<Conversation>, Error> {
    let mut collected = Collected::new(file);
    for (line, content) in text::lines(text::decode(file, bytes)?) {
        let content = content.trim();
        if content.is_empty() {
            continue;
        }
        let conversation = record(content, source).map_err(|(field, problem)| {
            let file = file.to_owned();
            if field.is_empty() {
                Error::Line { file, line, problem }
            } else {
                Error::Field { file, line, field, problem }
            }
        })?;
        collected.push(line, conversation)?;
    }
    Ok(collected.finish())
}

fn record(content: &str, source: Option<Source>) -> Result<Conversation, Problem> {
    if !content.starts_with('{') {
        return Err((String::new(), "not a JSON object".to_owned()));
    }
    let record: Record<'_> = serde_json::from_str(content).map_err(|error| (String::new(), said(&error)))?;
    let guid = record.guid.map(|raw| guid(raw.get()).map_err(|problem| ("guid".to_owned(), problem))).transpose()?;
    let in_source = |problem| ("source".to_owned(), problem);
    let source = match (record.source, source) {
        (Some(raw), _) => string(raw.get()).and_then(|name| name.parse()).map_err(in_source)?,
        (None, Some(source)) => source,
        (None, None) => return Err(in_source("not stated; say which with --source".to_owned())),
    };
    let in_lines = |problem: &str| ("lines".to_owned(), problem.to_owned());
    let raw = record.lines.ok_or_else(|| in_lines("missing"))?;
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| in_lines("not a list"))?;
    if items.len() > MAX_LINES {
        return Err(in_lines(&format!("{} lines are over the limit of {MAX_LINES}", items.len())));
    }
    let mut draft = Draft::default();
    for (at, item) in items.into_iter().enumerate() {
        let (speaker, text) = line(item.get()).map_err(|(part, problem)| (format!("lines[{at}]{part}"), problem))?;
        draft.say(&speaker, &text).map_err(|(part, problem)| (format!("lines[{at}].{part}"), problem))?;
    }
    draft.finish(guid, source).ok_or_else(|| in_lines("nothing is said"))
}

fn line(raw: &str) -> Result<(String, String), (&'static str, String)> {
    let (speaker, text) = if raw.starts_with('{') {
        let said: Said<'_> = serde_json::from_str(raw).map_err(|error| ("", said(&error)))?;
        (said.speaker, said.text)
    } else {
        let pair: Result<(&RawValue, &RawValue), _> = serde_json::from_str(raw);
        pair.map_err(|_| ("", "neither [speaker, text] nor an object with both".to_owned()))?
    };
    let label = speaker.get();
    let label = if label.starts_with('"') {
        string(label).map_err(|problem| (".speaker", problem))?
    } else {
        label.parse::<u32>().map_err(|_| (".speaker", "neither a number from 0 nor a text".to_owned()))?.to_string()
    };
    if label.len() > MAX_LABEL {
        return Err((".speaker", format!("{} bytes are over the limit of {MAX_LABEL}", label.len())));
    }
    Ok((label.trim().to_owned(), string(text.get()).map_err(|problem| (".text", problem))?))
}

/// A text; NUL as an escape is refused like the byte.
fn string(raw: &str) -> Result<String, String> {
    let text: String = serde_json::from_str(raw).map_err(|_| "not a text".to_owned())?;
    if text.contains('\0') { Err("a NUL character".to_owned()) } else { Ok(text) }
}

/// A guid as JSON has it: the digits of an integer of up to 128 bits, bare or as text.
fn guid(raw: &str) -> Result<u128, String> {
    let digits = if raw.starts_with('"') { string(raw)?.trim().to_owned() } else { raw.to_owned() };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a whole number from 0".to_owned());
    }
    digits.parse().map_err(|_| "more than 128 bits".to_owned())
}

/// What the parser says, with the column only: the line is the file's.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("{text} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Result<Vec<Conversation>, String> {
        json_lines("f", text.as_bytes(), Some(Source::Chat)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_field() {
        for (text, expected) in [
            ("[1]", "f, line 1: not a JSON object"),
            ("\n{\"lines\":[[0,\"a\"]],}", "f, line 2: trailing comma (column 20)"),
            (r#"{"lines":3}"#, "f, line 1, lines: not a list"),
            (r#"{"guid":1}"#, "f, line 1, lines: missing"),
            (r#"{"lines":[]}"#, "f, line 1, lines: nothing is said"),
            (r#"{"lines":[[0,"  "]]}"#, "f, line 1, lines: nothing is said"),
            (r#"{"guid":1.5,"lines":[[0,"a"]]}"#, "f, line 1, guid: not a whole number from 0"),
            (r#"{"guid":-1,"lines":[[0,"a"]]}"#, "f, line 1, guid: not a whole number from 0"),
            (r#"{"guid":1e3,"lines":[[0,"a"]]}"#, "f, line 1, guid: not a whole number from 0"),
            (r#"{"guid":[],"lines":[[0,"a"]]}"#, "f, line 1, guid: not a whole number from 0"),
            (
                r#"{"guid":340282366920938463463374607431768211456,"lines":[[0,"a"]]}"#,
                "f, line 1, guid: more than 128 bits",
            ),
            (r#"{"source":3,"lines":[[0,"a"]]}"#, "f, line 1, source: not a text"),
            (
                r#"{"source":"fax","lines":[[0,"a"]]}"#,
                "f, line 1, source: \"fax\" is none of youtube, podcast, discord, twitter, chat",
            ),
            (r#"{"lines":[[0,"a"],[1]]}"#, "f, line 1, lines[1]: neither [speaker, text] nor an object with both"),
            (r#"{"lines":[[-1,"a"]]}"#, "f, line 1, lines[0].speaker: neither a number from 0 nor a text"),
            (r#"{"lines":[[0,7]]}"#, "f, line 1, lines[0].text: not a text"),
            (r#"{"lines":[[0,"a\u0000"]]}"#, "f, line 1, lines[0].text: a NUL character"),
            (r#"{"lines":[{"speaker":"A"}]}"#, "f, line 1, lines[0]: missing field `text` (column 15)"),
            (r#"{"guid":1,"guid":2,"lines":[[0,"a"]]}"#, "f, line 1: duplicate field `guid` (column 16)"),
        ] {
            assert_eq!(one(text).unwrap_err(), expected, "{text}");
        }
        let long = format!(r#"{{"lines":[["{}","a"]]}}"#, "n".repeat(MAX_LABEL + 1));
        assert_eq!(one(&long).unwrap_err(), "f, line 1, lines[0].speaker: 257 bytes are over the limit of 256");
        let many = format!(r#"{{"lines":[{}]}}"#, vec!["[0,\"a\"]"; MAX_LINES + 1].join(","));
        assert_eq!(one(&many).unwrap_err(), "f, line 1, lines: 20001 lines are over the limit of 20000");
        let deep = format!(r#"{{"other":{}{},"lines":[[0,"a"]]}}"#, "[".repeat(100_000), "]".repeat(100_000));
        // What nobody looks into may be as deep as it likes, or is refused; it does not bring anything down.
        let _ = one(&deep);
        let unstated = json_lines("f", br#"{"lines":[[0,"a"]]}"#, None).unwrap_err();
        assert_eq!(unstated.to_string(), "f, line 1, source: not stated; say which with --source");
    }

    proptest! {
        #[test]
        fn any_guid_of_128_bits_survives(guid: u128) {
            for text in [format!(r#"{{"guid":{guid},"lines":[[0,"a"]]}}"#), format!(r#"{{"guid":"{guid}","lines":[[0,"a"]]}}"#)] {
                let found = one(&text).unwrap();
                prop_assert_eq!(found[0].guid, guid);
                let again = one(&serde_json::to_string(&found[0]).unwrap()).unwrap();
                prop_assert_eq!(again, found);
            }
        }

        #[test]
        fn any_text_is_survived(text in "[\\[\\]{}\",:0-9a-z \n\\\\]{0,80}") {
            let _ = one(&text);
            let _ = one(&format!(r#"{{"lines":[[0,{text}]]}}"#));
        }
    }
}
