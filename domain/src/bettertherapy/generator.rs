//! A round's question and base answer: what a model is asked for, and how its reply is read (spec 3.2 and 4.2).
//!
//! Without a model the pair is drawn from a list that the caller ships. Either way the pair is recorded before a miner is
//! asked.

use super::python_json::{Value, loads};
use crate::draw::Stream;
use crate::text::strip;

/// Tokens that question and answer may have together.
pub const MAXIMUM_TOKENS: u32 = 1000;
/// A longer reply is not read.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The system message of the request.
pub const SYSTEM: &str = "You write exercises for people who learn to support others. You reply with one JSON object with the \
    keys question and answer, both texts, and nothing else.";

/// The user's message of the request.
pub const USER: &str = "Write one question, in the first person and two to four sentences long, that a person with a \
    difficult feeling or situation might bring to a counsellor; choose an everyday situation that is not the most obvious \
    one. Then write the answer that a caring, experienced counsellor gives in 80 to 150 words: it takes the feeling \
    seriously, makes no diagnosis, names one or two concrete steps, and says where to turn if it becomes too much.";

/// Why a reply holds no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Over [`MAX_REPLY_BYTES`].
    #[error("the reply of {0} bytes is over the limit of {MAX_REPLY_BYTES}")]
    TooLong(usize),
    /// No JSON even after the repair.
    #[error("the reply is no JSON object: {0}")]
    Json(String),
    /// A key is missing, or its value is no text with a word in it.
    #[error("the reply has no {0}")]
    Missing(&'static str),
}

/// A question and the answer that miners' answers are measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What miners are asked.
    pub question: String,
    /// What stands at the anchor of the scale.
    pub answer: String,
}

/// Upstream's repair: white space around is dropped, a missing first or last brace is added, then Python's JSON.
///
/// # Errors
/// Says where it is not JSON; upstream raises `ValueError` there.
pub fn repaired(reply: &str) -> Result<Value, String> {
    let mut text = strip(reply).to_owned();
    if !text.starts_with('{') {
        text.insert(0, '{');
    }
    if !text.ends_with('}') {
        text.push('}');
    }
    loads(&text)
}

/// The pair in a model's reply.
///
/// # Errors
/// When there is none; the round does not take place then.
pub fn pair(reply: &str) -> Result<Pair, PairError> {
    if reply.len() > MAX_REPLY_BYTES {
        return Err(PairError::TooLong(reply.len()));
    }
    let value = repaired(reply).map_err(PairError::Json)?;
    let text = |key: &'static str| match value.get(key) {
        Some(Value::Text(text)) if !strip(text).is_empty() => Ok(text.clone()),
        _ => Err(PairError::Missing(key)),
    };
    Ok(Pair { question: text("question")?, answer: text("answer")? })
}

/// Which of `count` shipped pairs a round takes; `None` when there are none. The stream is the round's own, under the label
/// `question/<attempt>`.
pub fn drawn(stream: &mut Stream, count: usize) -> Option<usize> {
    (count > 0).then(|| stream.below(count as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::sha256;
    use proptest::prelude::*;

    #[test]
    fn missing_braces_are_added() {
        for reply in [
            r#"{"question":"q","answer":"a"}"#,
            r#""question":"q","answer":"a""#,
            "  \"question\":\"q\",\"answer\":\"a\"}\n",
            r#"{"question":"q","answer":"a""#,
        ] {
            assert_eq!(pair(reply), Ok(Pair { question: "q".to_owned(), answer: "a".to_owned() }), "{reply}");
        }
        assert_eq!(repaired(""), Ok(Value::Object(vec![])));
    }

    #[test]
    fn a_reply_without_a_pair_is_no_round() {
        for (reply, missing) in [
            (r#"{"question":"q"}"#, "answer"),
            (r#"{"question":" ","answer":"a"}"#, "question"),
            (r#"{"question":["q"],"answer":"a"}"#, "question"),
            ("", "question"),
        ] {
            assert_eq!(pair(reply), Err(PairError::Missing(missing)), "{reply}");
        }
        for reply in ["not json", r#"{"question":"q","answer":"a"} more"#, "[1]"] {
            assert!(matches!(pair(reply), Err(PairError::Json(_))), "{reply}");
        }
        assert_eq!(pair(&" ".repeat(MAX_REPLY_BYTES + 1)), Err(PairError::TooLong(MAX_REPLY_BYTES + 1)));
    }

    #[test]
    fn a_draw_depends_on_the_seed_alone() {
        let draw = |name: &[u8]| drawn(&mut Stream::new(sha256(name), "question/1"), 40);
        assert_eq!(draw(b"a"), draw(b"a"));
        let distinct: std::collections::BTreeSet<_> = (0u8..50).map(|seed| draw(&[seed])).collect();
        assert!(distinct.len() > 20);
        assert_eq!(drawn(&mut Stream::new(sha256(b"a"), "question/1"), 0), None);
    }

    proptest! {
        #[test]
        fn hostile_replies_never_panic(reply in "\\PC{0,80}") {
            let _ = pair(&reply);
        }
    }
}
