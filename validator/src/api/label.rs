//! What a pushed label may look like. Whether its round waits for one, and whether the mechanism can use it, is looked at where
//! labels are recorded.

use serde_json::Value;

use super::challenge::is_id;
use super::fields::Fields;
use super::problem::Problem;
use crate::service::ToldLabel;

const LONGEST_ID: usize = 128;
const LONGEST_SOURCE: usize = 256;
const LONGEST_LABEL: usize = 64 << 10;

/// Reads a label. One that is an object is kept as the text that was sent.
///
/// # Errors
/// 422 naming the field.
pub(super) fn read(body: &[u8]) -> Result<ToldLabel, Problem> {
    let fields = Fields::read(body, &["challenge_id", "attempt", "source", "label"])?;
    let challenge_id = fields.required_text("challenge_id", LONGEST_ID)?;
    if !is_id(&challenge_id) {
        return Err(Problem::field("challenge_id", "is no id of a challenge"));
    }
    let attempt = fields.whole("attempt", 1..=u32::MAX)?;
    let attempt = attempt.ok_or_else(|| Problem::field("attempt", "is missing; send the round's number, from 1 on"))?;
    let source = fields.required_text("source", LONGEST_SOURCE)?;
    if source.trim().is_empty() || source.chars().any(char::is_control) {
        return Err(Problem::field("source", "is blank or has control characters; say who knows the label"));
    }
    let label = match fields.json("label", LONGEST_LABEL)? {
        Some((Value::String(text), _)) => text,
        Some((Value::Object(_), text)) => text,
        _ => return Err(Problem::field("label", "is missing or neither a string nor an object")),
    };
    Ok(ToldLabel { challenge_id, attempt, source, label })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_strings_or_objects_as_they_were_sent() {
        let body = br#"{"challenge_id":"c-1","attempt":2,"source":"crm","label":{"b":1, "a":2.50},"more":[]}"#;
        let told = read(body).unwrap();
        assert_eq!((told.challenge_id.as_str(), told.attempt, told.source.as_str()), ("c-1", 2, "crm"));
        assert_eq!(told.label, r#"{"b":1, "a":2.50}"#);
        let body = json!({"challenge_id": "c", "attempt": 1, "source": "crm", "label": "{\"b\":1}"}).to_string();
        assert_eq!(read(body.as_bytes()).unwrap().label, r#"{"b":1}"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = json!({"challenge_id": "c", "attempt": 1, "source": "crm", "label": {}});
        for (field, value) in [
            ("challenge_id", json!(null)),
            ("challenge_id", json!("")),
            ("challenge_id", json!("a/b")),
            ("challenge_id", json!("x".repeat(129))),
            ("attempt", json!(null)),
            ("attempt", json!(0)),
            ("attempt", json!(1.5)),
            ("attempt", json!("1")),
            ("source", json!(null)),
            ("source", json!(" ")),
            ("source", json!("a\nb")),
            ("source", json!("x".repeat(257))),
            ("label", json!(null)),
            ("label", json!(1)),
            ("label", json!([])),
            ("label", json!({"a": "\0"})),
            ("label", json!("x".repeat((64 << 10) + 1))),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let problem = read(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(problem.status, 422);
            assert!(format!("{problem:?}").contains(&format!("field: Some({field:?})")), "{field}: {problem:?}");
        }
        assert_eq!(read(b"{").unwrap_err().status, 422);
    }
}
