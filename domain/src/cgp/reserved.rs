//! A conversation in the reply of a conversation server (spec 5): the classic shape with everything at the top, and the
//! newer bundle with it under `input`. Hostile bytes.
//!
//! The guid is a 128-bit integer written as a bare JSON number, which neither u64 nor a float can hold: it is kept as the
//! text of its digits.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::conversation::Line;

/// Longer conversations are refused; upstream's rules look at 300 lines.
pub const MAX_LINES: usize = 20_000;

/// Longer guids are no guids.
const MAX_GUID: usize = 128;

/// What a server says when it has none.
const NO_GUID: &str = "ERROR";

/// A conversation to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Its id: digits of a 128-bit integer, or any other text of at most 128 bytes.
    pub guid: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Labels of the speakers by their numbers.
    pub participants: Vec<String>,
    /// How many windows the conversation itself asks to be exceeded.
    pub minimum_windows: Option<u64>,
}

/// Why a reply holds no conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservedError {
    /// Not the JSON of a conversation.
    #[error("conversation is malformed: {0}")]
    Malformed(String),
    /// A server that answers with an error under status 200.
    #[error("the conversation server reports an error")]
    ServerError,
    /// No usable id.
    #[error("the conversation has no usable guid")]
    NoGuid,
    /// A bundle of a kind that is no conversation.
    #[error("a bundle of type {0:?} is no conversation")]
    OtherType(String),
    /// Over [`MAX_LINES`].
    #[error("{0} lines are over the limit of {MAX_LINES}")]
    TooManyLines(usize),
    /// A line with a NUL byte.
    #[error("line {0} contains a NUL byte")]
    Nul(usize),
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    guid: Option<&'a RawValue>,
    r#type: Option<String>,
    lines: Option<Vec<Line>>,
    participants: Option<Vec<String>>,
    min_convo_windows: Option<i64>,
    input: Option<Input>,
}

#[derive(Deserialize)]
struct Input {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    lines: Vec<Line>,
    participants: Option<Vec<String>>,
    min_convo_windows: Option<i64>,
}

/// The text of a guid: a number's digits as written, or a string, trimmed.
fn guid_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    let found = match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok()?,
        b'0'..=b'9' if text.bytes().all(|byte| byte.is_ascii_digit()) => text.to_owned(),
        _ => return None,
    };
    let found = crate::text::strip(&found).to_owned();
    (!found.is_empty() && found.len() <= MAX_GUID && !found.contains('\0')).then_some(found)
}

/// The conversation in a server's reply. Without participants there are "p1" and "p2", as upstream has it.
///
/// # Errors
/// Says why there is none.
pub fn parse(reply: &[u8]) -> Result<Reserved, ReservedError> {
    let reply: Reply<'_> =
        serde_json::from_slice(reply).map_err(|error| ReservedError::Malformed(error.to_string()))?;
    let guid = reply.guid.and_then(guid_text).ok_or(ReservedError::NoGuid)?;
    if guid == NO_GUID {
        return Err(ReservedError::ServerError);
    }
    if let Some(kind) = reply.r#type.filter(|kind| !kind.starts_with("conversation")) {
        return Err(ReservedError::OtherType(kind));
    }
    let (lines, participants, minimum) = match (reply.input, reply.lines) {
        (Some(input), _) => (input.data.lines, input.data.participants, input.data.min_convo_windows),
        (None, Some(lines)) => (lines, reply.participants, reply.min_convo_windows),
        (None, None) => return Err(ReservedError::Malformed("no lines".to_owned())),
    };
    if lines.len() > MAX_LINES {
        return Err(ReservedError::TooManyLines(lines.len()));
    }
    if let Some(at) = lines.iter().position(|line| line.text().contains('\0')) {
        return Err(ReservedError::Nul(at));
    }
    Ok(Reserved {
        guid,
        lines,
        participants: participants.unwrap_or_else(|| vec!["p1".to_owned(), "p2".to_owned()]),
        // A negative minimum is none.
        minimum_windows: minimum.and_then(|minimum| u64::try_from(minimum).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: &str = "302165498713245781236549871324578123654";

    #[test]
    fn both_shapes_are_read_and_the_guid_keeps_its_digits() {
        let classic = format!(
            r#"{{"guid": {GUID}, "lines": [[0, "Hello."], [1, "Hi."]], "total": 2, "participants": ["A", "B"],
                "min_convo_windows": 0}}"#
        );
        let found = parse(classic.as_bytes()).unwrap();
        assert_eq!((found.guid.as_str(), found.lines.len(), found.minimum_windows), (GUID, 2, Some(0)));
        assert_eq!(found.participants, ["A", "B"]);
        let bundle = format!(
            r#"{{"mode":"x","type":"conversation_tagging","guid":" {GUID} ",
                "input":{{"input_type":"conversation","guid":1,"data":{{"lines":[[0,"Hello."]],"total":1,"min_convo_windows":-1}}}}}}"#
        );
        let bundled = bundle.replace(" 302", "302").replace("654 ", "654");
        for reply in [bundle, bundled] {
            let found = parse(reply.as_bytes()).unwrap();
            assert_eq!((found.guid.as_str(), found.minimum_windows), (GUID, None));
            assert_eq!(found.participants, ["p1", "p2"]);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (reply, expected) in [
            (r#"{"mode":"error","type":"unknown","guid":"ERROR"}"#, ReservedError::ServerError),
            (
                r#"{"guid":"1","type":"survey_tagging","lines":[]}"#,
                ReservedError::OtherType("survey_tagging".to_owned()),
            ),
            (r#"{"lines":[]}"#, ReservedError::NoGuid),
            (r#"{"guid":"  ","lines":[]}"#, ReservedError::NoGuid),
            (r#"{"guid":1.5,"lines":[]}"#, ReservedError::NoGuid),
            (r#"{"guid":-3,"lines":[]}"#, ReservedError::NoGuid),
            (r#"{"guid":3}"#, ReservedError::Malformed("no lines".to_owned())),
            (r#"{"guid":3,"lines":[[0,"a"],[0,"b\u0000"]]}"#, ReservedError::Nul(1)),
        ] {
            assert_eq!(parse(reply.as_bytes()), Err(expected), "{reply}");
        }
        let many = format!(r#"{{"guid":3,"lines":[{}]}}"#, vec!["[0,\"\"]"; MAX_LINES + 1].join(","));
        assert_eq!(parse(many.as_bytes()), Err(ReservedError::TooManyLines(MAX_LINES + 1)));
        for reply in [r#"{"guid":3,"lines":[["a","b"]]}"#, r#"{"guid":3,"lines":[[0]]}"#, "", "[]"] {
            assert!(matches!(parse(reply.as_bytes()), Err(ReservedError::Malformed(_))), "{reply}");
        }
    }

    proptest! {
        #[test]
        fn any_guid_of_128_bits_survives(guid: u128) {
            let reply = format!(r#"{{"guid":{guid},"lines":[]}}"#);
            prop_assert_eq!(parse(reply.as_bytes()).unwrap().guid, guid.to_string());
        }

        #[test]
        fn any_bytes_are_survived(reply in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&reply);
        }
    }
}
