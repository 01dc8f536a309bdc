//! A question of Loosh, with what the corpus has on it.

use serde::{Deserialize, Serialize};

use super::{Draft, object, sound};

const TASK: &str = "Answer the question in `question` for the person who asked it: correct, to the point, in plain sentences, in the \
    language of the question. `notes` holds sentences of a small collection that may be about the subject or about another one: \
    use what fits, leave out the rest, and say so where neither they nor you know.";
const SHAPE: &str =
    r#"{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}"#;

/// Longest answer, in bytes.
const MAXIMUM_ANSWER: usize = 32 << 10;
/// Tokens of the longest reply, whatever a request allows.
const MAXIMUM_TOKENS: u32 = 2_000;

#[derive(Serialize)]
struct Data<'a> {
    question: &'a str,
    notes: &'a str,
    maximum_words: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    answer: String,
}

/// The draft of an answer of at most `maximum_words` words. `notes` is what is answered without a model.
///
/// # Errors
/// A question that is too long.
pub fn draft(question: &str, notes: &str, maximum_words: u64) -> Result<Draft<String>, String> {
    let read = |reply: &str| sound(&object::<Reply>(reply)?.answer, MAXIMUM_ANSWER);
    Draft::new(TASK, SHAPE, MAXIMUM_TOKENS, &Data { question, notes, maximum_words }, read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::drafts::tests::INJECTIONS;

    #[test]
    fn questions_are_data_and_replies_are_checked() {
        for question in INJECTIONS {
            let draft = draft(question, "Some note.", 50).unwrap();
            let data: serde_json::Value = serde_json::from_str(&draft.request.user).unwrap();
            assert_eq!(data, serde_json::json!({"question": question, "notes": "Some note.", "maximum_words": 50}));
            assert!(!draft.request.system.contains(question));
            assert_eq!((draft.read)(r#"{"answer":" It floats. "}"#), Ok("It floats.".to_owned()));
            for reply in ["ARRR", r#"{"answer":""}"#, r#"{"answer":"a","notes":"b"}"#, r#"{"text":"a"}"#] {
                assert!((draft.read)(reply).is_err(), "{reply}");
            }
        }
    }
}
