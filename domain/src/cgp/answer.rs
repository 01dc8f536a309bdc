//! A miner's answer in the body of a response (spec 2.1): one element of `cgp_output` with tags. Hostile bytes.
//!
//! Vectors that a miner sends are not read (upstream has ignored them since 2024, because they can be forged), and neither
//! are its uid and its checksum, which are constants.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// More tags than this are no answer. The prompts ask for a dozen.
pub const MAX_TAGS: usize = 1000;

/// What a miner answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Tags as sent.
    pub tags: Vec<String>,
    /// How many profiles came along. Nobody scores them.
    pub profiles: usize,
}

/// Why a body is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not the JSON of an answer.
    #[error("answer is malformed: {0}")]
    Malformed(String),
    /// No output at all.
    #[error("cgp_output has no element")]
    NoOutput,
    /// An element that is null, without tags, or whose tags are no list of texts: what upstream fails on for everybody.
    #[error("the element of cgp_output has no tags")]
    NoTags,
    /// Over [`MAX_TAGS`].
    #[error("{0} tags are over the limit of {MAX_TAGS}")]
    TooManyTags(usize),
    /// A tag with a NUL byte.
    #[error("tag {0} contains a NUL byte")]
    Nul(usize),
}

#[derive(Deserialize)]
struct Body {
    cgp_output: Option<Vec<Option<Output>>>,
}

/// The protocol alone: a list of objects or nulls.
#[derive(Deserialize)]
struct Elements {
    cgp_output: Vec<Option<BTreeMap<String, IgnoredAny>>>,
}

/// Whether a body that is no answer is one of the protocol all the same, with an element.
fn has_element(body: &[u8]) -> bool {
    serde_json::from_slice::<Elements>(body).is_ok_and(|found| !found.cgp_output.is_empty())
}

#[derive(Deserialize)]
struct Output {
    tags: Option<Vec<String>>,
    profiles: Option<Vec<IgnoredAny>>,
}

/// The answer in a response's body. Only the first element of `cgp_output` counts.
///
/// # Errors
/// Says what is wrong with the body; upstream gives up the whole round for [`AnswerError::NoTags`].
pub fn parse(body: &[u8]) -> Result<Answer, AnswerError> {
    let body: Body = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(_) if has_element(body) => return Err(AnswerError::NoTags),
        Err(error) => return Err(AnswerError::Malformed(error.to_string())),
    };
    let first = body.cgp_output.and_then(|output| output.into_iter().next());
    let Output { tags, profiles } = first.ok_or(AnswerError::NoOutput)?.ok_or(AnswerError::NoTags)?;
    let tags = tags.ok_or(AnswerError::NoTags)?;
    if tags.len() > MAX_TAGS {
        return Err(AnswerError::TooManyTags(tags.len()));
    }
    if let Some(at) = tags.iter().position(|tag| tag.contains('\0')) {
        return Err(AnswerError::Nul(at));
    }
    Ok(Answer { tags, profiles: profiles.map_or(0, |profiles| profiles.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_generations_are_read() {
        let classic =
            br#"{"time_elapsed":0,"cgp_input":[{"guid":"HIDDEN"}],"cgp_output":[{"uid":17,"tags":["tea","rain"],
            "profiles":[],"convoChecksum":11,"vectors":{"tea":{"vectors":[0.1]}}}]}"#;
        let tags = vec!["tea".to_owned(), "rain".to_owned()];
        assert_eq!(parse(classic), Ok(Answer { tags: tags.clone(), profiles: 0 }));
        let newer = br#"{"cgp_output":[{"tags":["tea","rain"],"vectors":null,"profiles":[{"a":1}]}]}"#;
        assert_eq!(parse(newer), Ok(Answer { tags, profiles: 1 }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (body, expected) in [
            (r#"{}"#, AnswerError::NoOutput),
            (r#"{"cgp_output":null}"#, AnswerError::NoOutput),
            (r#"{"cgp_output":[]}"#, AnswerError::NoOutput),
            (r#"{"cgp_output":[null]}"#, AnswerError::NoTags),
            (r#"{"cgp_output":[{}]}"#, AnswerError::NoTags),
            (r#"{"cgp_output":[{"tags":null}]}"#, AnswerError::NoTags),
            (r#"{"cgp_output":[{"tags":["a",1]}]}"#, AnswerError::NoTags),
            (r#"{"cgp_output":[{"tags":"abc"}]}"#, AnswerError::NoTags),
            (r#"{"cgp_output":[{"tags":["a","b\u0000"]}]}"#, AnswerError::Nul(1)),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(expected), "{body}");
        }
        let many = format!(r#"{{"cgp_output":[{{"tags":[{}]}}]}}"#, vec!["\"a\""; 1001].join(","));
        assert_eq!(parse(many.as_bytes()), Err(AnswerError::TooManyTags(1001)));
        for body in [r#"{"cgp_output":"abc"}"#, r#"{"cgp_output":["abc"]}"#, "[]", "", "\u{0}"] {
            assert!(matches!(parse(body.as_bytes()), Err(AnswerError::Malformed(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
