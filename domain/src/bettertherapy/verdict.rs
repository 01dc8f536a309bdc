//! From a judge's raw reply to one verdict per answer (spec 2.3). The audit repeats this parse from the recorded reply.
//!
//! The reply is hostile input: an answer may have talked the judge into anything. Under the strict rule everything but the
//! exact schema is no verdict at all; a verdict that is missing is never a 0, and never a full score.

use serde::Deserialize;

use super::constants::{Judge, ReplyRule};
use super::python_json::{Value, loads};
use crate::text::strip;

/// A longer reply is not read.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// What the judge said of one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Quality, 0 to 1.
    Quality(f64),
    /// The judge says that this is no answer.
    Rejected,
    /// No usable score.
    Missing(Gap),
}

/// Why there is no usable score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// Not asked, or no reply came.
    #[error("the judge did not reply")]
    NoReply,
    /// The reply is over [`MAX_REPLY_BYTES`].
    #[error("the judge's reply of {0} bytes is over the limit of {MAX_REPLY_BYTES}")]
    TooLong(usize),
    /// Not the object that was asked for.
    #[error("the judge's reply is not of the schema: {0}")]
    Schema(String),
    /// Another number of scores than answers.
    #[error("the judge gave {found} scores for {expected} answers")]
    Count {
        /// Answers.
        expected: usize,
        /// Scores.
        found: usize,
    },
    /// A score outside of the scale.
    #[error("the judge's score {0} is not on its scale")]
    Scale(String),
    /// A score that is no number ended the reading of the line before this answer.
    #[error("reading stopped at score {0}, which is no number")]
    Stopped(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scores {
    scores: Vec<f64>,
}

/// One verdict for each of `count` answers, in order.
#[must_use]
pub fn verdicts(reply: &str, count: usize, rule: &Judge) -> Vec<Verdict> {
    if reply.len() > MAX_REPLY_BYTES {
        return vec![Verdict::Missing(Gap::TooLong(reply.len())); count];
    }
    let read = match rule.reply {
        ReplyRule::Strict => strict(reply, count, rule.rejection),
        ReplyRule::Lenient => lenient(reply, count, rule.rejection),
    };
    read.unwrap_or_else(|gap| vec![Verdict::Missing(gap); count])
}

fn strict(reply: &str, count: usize, rejection: Option<f64>) -> Result<Vec<Verdict>, Gap> {
    let Scores { scores } = serde_json::from_str(reply).map_err(|error| Gap::Schema(error.to_string()))?;
    if scores.len() != count {
        return Err(Gap::Count { expected: count, found: scores.len() });
    }
    let lowest = rejection.unwrap_or(0.0);
    if let Some(score) = scores.iter().find(|score| !(lowest..=1.0).contains(*score)) {
        return Err(Gap::Scale(score.to_string()));
    }
    Ok(scores
        .into_iter()
        .map(|score| if Some(score) == rejection { Verdict::Rejected } else { Verdict::Quality(bounded(score)) })
        .collect())
}

fn lenient(reply: &str, count: usize, rejection: Option<f64>) -> Result<Vec<Verdict>, Gap> {
    let mut found = Vec::with_capacity(count);
    for (at, item) in lenient_items(reply, count)?.iter().take(count).enumerate() {
        match lenient_verdict(item, rejection) {
            Some(verdict) => found.push(verdict),
            None => {
                found.resize(count, Verdict::Missing(Gap::Stopped(at + 1)));
                return Ok(found);
            }
        }
    }
    let given = found.len();
    found.resize(count, Verdict::Missing(Gap::Count { expected: count, found: given }));
    Ok(found)
}

/// The scores of a reply as upstream's Python goes through them: one zero per answer when there is no key, the characters
/// of a text, the keys of a dictionary.
///
/// # Errors
/// When Python raises before the first score.
pub fn lenient_items(reply: &str, count: usize) -> Result<Vec<Value>, Gap> {
    let value = loads(strip(reply)).map_err(Gap::Schema)?;
    if !matches!(value, Value::Object(_)) {
        return Err(Gap::Schema("no object".to_owned()));
    }
    match value.get("scores") {
        None => Ok(vec![Value::Float(0.0); count]),
        Some(Value::List(items)) => Ok(items.clone()),
        Some(Value::Text(text)) => Ok(text.chars().map(|character| Value::Text(character.to_string())).collect()),
        Some(Value::Object(fields)) => Ok(fields.iter().map(|(key, _)| Value::Text(key.clone())).collect()),
        Some(Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {
            Err(Gap::Schema("scores is no list".to_owned()))
        }
    }
}

/// What upstream makes of one score; `None` where Python raises. The text "-1" is no rejection, and NaN becomes 1.
#[must_use]
pub fn lenient_verdict(item: &Value, rejection: Option<f64>) -> Option<Verdict> {
    if rejection.is_some_and(|rejection| item.equals(rejection)) {
        return Some(Verdict::Rejected);
    }
    item.to_float().map(|score| Verdict::Quality(bounded(score)))
}

/// Python's `max(0.0, min(1.0, score))`, which makes 1 of NaN.
fn bounded(score: f64) -> f64 {
    let at_most = if score < 1.0 { score } else { 1.0 };
    if at_most > 0.0 { at_most } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::constants::Constants;
    use super::*;
    use proptest::prelude::*;

    fn read(reply: &str, count: usize, constants: &Constants) -> Vec<Verdict> {
        verdicts(reply, count, &constants.judge)
    }

    fn qualities(verdicts: &[Verdict]) -> Vec<Option<f64>> {
        verdicts.iter().map(|v| if let Verdict::Quality(q) = v { Some(*q) } else { None }).collect()
    }

    #[test]
    fn the_exact_schema_is_read_alike() {
        for constants in [Constants::v1_2_2(), Constants::assay_1()] {
            let found = read(" {\"scores\": [0.7, 1, 0, -1, -0.5]}\n", 5, &constants);
            let quality = Verdict::Quality;
            assert_eq!(found, [quality(0.7), quality(1.0), quality(0.0), Verdict::Rejected, quality(0.0)]);
        }
        // The document knows no rejection: its scale begins at 0.
        let below = Verdict::Missing(Gap::Scale("-1".to_owned()));
        assert_eq!(read("{\"scores\":[-1]}", 1, &Constants::readme()), [below]);
    }

    /// Replies that upstream pays for, and that are no verdict under our own rule.
    #[test]
    fn hostile_replies_are_kept_upstream_and_refused_by_us() {
        for (reply, count, upstream) in [
            (r#"{"scores":[NaN]}"#, 1, vec![Some(1.0)]),
            (r#"{"scores":[Infinity,-Infinity]}"#, 2, vec![Some(1.0), Some(0.0)]),
            (r#"{"scores":[1e999]}"#, 1, vec![Some(1.0)]),
            (r#"{"scores":[1.7]}"#, 1, vec![Some(1.0)]),
            (r#"{"scores":["0.9","-1","nan"]}"#, 3, vec![Some(0.9), Some(0.0), Some(1.0)]),
            (r#"{"scores":[true]}"#, 1, vec![Some(1.0)]),
            (r#"{"scores":[0.8,0.9]}"#, 1, vec![Some(0.8)]),
            (r#"{"scores":[0.8]}"#, 2, vec![Some(0.8), None]),
            (r#"{"result":[1]}"#, 2, vec![Some(0.0), Some(0.0)]),
            (r#"{"scores":[0.1],"scores":[1]}"#, 1, vec![Some(1.0)]),
            (r#"{"scores":[0.1],"note":"ignore"}"#, 1, vec![Some(0.1)]),
            (r#"{"scores":{"0.9":1}}"#, 1, vec![Some(0.9)]),
            (r#"{"scores":"11"}"#, 2, vec![Some(1.0), Some(1.0)]),
            (r#"{"scores":[0.5,null,0.5]}"#, 3, vec![Some(0.5), None, None]),
            (r#"{"scores":null}"#, 1, vec![None]),
            ("[1]", 1, vec![None]),
            ("", 1, vec![None]),
            ("```json\n{\"scores\":[1]}\n```", 1, vec![None]),
            ("{\"scores\":[1]} {\"scores\":[0]}", 1, vec![None]),
        ] {
            assert_eq!(qualities(&read(reply, count, &Constants::v1_2_2())), upstream, "{reply}");
            // Nor does the document ask for leniency.
            for strict in [Constants::readme(), Constants::assay_1()] {
                let found = read(reply, count, &strict);
                let none = found.iter().all(|v| matches!(v, Verdict::Missing(_)));
                assert!(none && found.len() == count, "{reply}: {found:?}");
            }
        }
    }

    #[test]
    fn gaps_say_why() {
        let found = |reply: &str, count| read(reply, count, &Constants::assay_1()).remove(0);
        assert_eq!(found("{\"scores\":[]}", 1), Verdict::Missing(Gap::Count { expected: 1, found: 0 }));
        assert_eq!(found("{\"scores\":[2]}", 1), Verdict::Missing(Gap::Scale("2".to_owned())));
        assert_eq!(found("{\"scores\":[-1.5]}", 1), Verdict::Missing(Gap::Scale("-1.5".to_owned())));
        let long = format!("{{\"scores\":[1]{}}}", " ".repeat(MAX_REPLY_BYTES));
        assert!(matches!(found(&long, 1), Verdict::Missing(Gap::TooLong(_))));
        let stopped = &read(r#"{"scores":[[],1]}"#, 2, &Constants::v1_2_2())[1];
        assert_eq!(*stopped, Verdict::Missing(Gap::Stopped(1)));
    }

    proptest! {
        #[test]
        fn verdicts_are_bounded_and_one_per_answer(reply in "\\PC{0,60}", inner in "[-0-9.,\"NaInfity e\\[\\]{}:]{0,30}", count in 0usize..6) {
            for text in [reply.clone(), format!("{{\"scores\":[{inner}]}}")] {
                for constants in [Constants::readme(), Constants::v1_2_2(), Constants::assay_1()] {
                    let found = read(&text, count, &constants);
                    prop_assert_eq!(found.len(), count);
                    prop_assert!(found.iter().all(|v| !matches!(v, Verdict::Quality(q) if !(0.0..=1.0).contains(q))));
                }
            }
        }

        #[test]
        fn sound_replies_give_their_scores(scores in prop::collection::vec(0f64..=1.0, 0..9)) {
            let reply = serde_json::json!({"scores": scores}).to_string();
            for constants in [Constants::v1_2_2(), Constants::assay_1()] {
                let expected: Vec<Option<f64>> = scores.iter().copied().map(Some).collect();
                prop_assert_eq!(qualities(&read(&reply, scores.len(), &constants)), expected);
            }
        }
    }
}
