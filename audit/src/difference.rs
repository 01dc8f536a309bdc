//! What differs between an event as recorded and as recomputed: the path of each field, and both values.
//!
//! Events are compared by their payload bytes, so that nothing which is hashed can differ unseen; only then is the JSON
//! walked to name the fields.

use domain::codec::{self, CodecError};
use domain::events::{Event, Payload};
use domain::types::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest value quoted in a difference, in characters.
const LONGEST_QUOTE: usize = 160;

/// How much of what is the same is quoted before a difference, in characters.
const QUOTED_BEFORE: usize = 32;

/// The most fields named of one event.
const MAX_FIELDS: usize = 64;

/// The field that a raw block fills, for each kind that has one.
const BLOCKS: [(&str, &str); 7] = [
    ("ExternalScoresFetched", "reply"),
    ("ResponseReceived", "body"),
    ("ResponseFailed", "body"),
    ("EmbeddingComputed", "vectors"),
    ("JudgementRecorded", "reply"),
    ("RoundEvaluated", "similarity"),
    ("WeightsDerived", "window"),
];

/// One contradiction between the record and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Position of the event.
    pub position: u64,
    /// Its kind.
    pub kind: String,
    /// Path of the field inside the payload, such as `weights[3].weight`, `vectors[…]` for a raw block, or a column of the
    /// envelope in angle brackets, such as `<sequence>`.
    pub field: String,
    /// Other fields of the same event that the broken rule involves: one of them may be the wrong one.
    pub involves: Vec<String>,
    /// What stands in the record.
    pub recorded: String,
    /// What follows from the rest of the record.
    pub recomputed: String,
    /// The rule, for a person.
    pub message: String,
}

/// A field that differs between two payloads of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Its path.
    pub field: String,
    /// The recorded value.
    pub recorded: String,
    /// The recomputed value.
    pub recomputed: String,
}

/// The field of the kind's raw block, if it has one.
#[must_use]
pub fn block_field(kind: &str) -> Option<&'static str> {
    BLOCKS.iter().find(|(known, _)| *known == kind).map(|(_, field)| *field)
}

/// Every field in which the two differ; empty when their payload bytes are the same.
#[must_use]
pub fn differing_fields(recorded: &Event, recomputed: &Event) -> Vec<FieldDifference> {
    if recorded.kind() != recomputed.kind() {
        return whole(recorded.kind(), recomputed.kind());
    }
    differing(recorded.kind(), || recorded.encode(), || recomputed.encode())
}

/// The same for two payloads of one kind.
#[must_use]
pub fn differing_payloads<P: Payload>(recorded: &P, recomputed: &P) -> Vec<FieldDifference> {
    if codec::same_bytes(recorded, recomputed) {
        return Vec::new();
    }
    differing(P::KIND, || codec::encode(recorded), || codec::encode(recomputed))
}

fn whole(recorded: impl ToString, recomputed: impl ToString) -> Vec<FieldDifference> {
    let (recorded, recomputed) = (recorded.to_string(), recomputed.to_string());
    vec![FieldDifference { field: String::new(), recorded, recomputed }]
}

fn differing(
    kind: &str,
    recorded: impl Fn() -> Result<Vec<u8>, CodecError>,
    recomputed: impl Fn() -> Result<Vec<u8>, CodecError>,
) -> Vec<FieldDifference> {
    // One encoding at a time: a derivation carries the whole state, which may be megabytes.
    let hash = |encoded: Result<Vec<u8>, CodecError>| encoded.map(|payload| sha256(&payload));
    match (hash(recorded()), hash(recomputed())) {
        (Ok(left), Ok(right)) if left == right => return Vec::new(),
        (Ok(_), Ok(_)) => {}
        (Err(error), _) => return whole(error, "a payload"),
        (_, Err(error)) => return whole("a payload", error),
    }
    let mut found = Vec::new();
    let parts = |payload: Vec<u8>| -> Option<(Value, Vec<u8>)> {
        let json = codec::json_part(kind, &payload).ok()?;
        Some((serde_json::from_slice(json).ok()?, payload[4 + json.len()..].to_vec()))
    };
    let sides = recorded().ok().and_then(parts).zip(recomputed().ok().and_then(parts));
    if let Some(((left, left_block), (right, right_block))) = sides {
        walk("", &left, &right, &mut found);
        if left_block != right_block {
            let field = format!("{}[\u{2026}]", block_field(kind).unwrap_or_default());
            let (recorded, recomputed) = quote_blocks(&left_block, &right_block);
            found.push(FieldDifference { field, recorded, recomputed });
        }
    }
    found.truncate(MAX_FIELDS);
    found
}

fn walk(path: &str, left: &Value, right: &Value, found: &mut Vec<FieldDifference>) {
    if found.len() > MAX_FIELDS {
        return;
    }
    match (left, right) {
        (Value::Object(left_fields), Value::Object(right_fields)) if left_fields.keys().eq(right_fields.keys()) => {
            for (name, value) in left_fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&below, value, &right_fields[name], found);
            }
        }
        (Value::Array(left_items), Value::Array(right_items)) if left_items.len() == right_items.len() => {
            for (index, (left, right)) in left_items.iter().zip(right_items).enumerate() {
                walk(&format!("{path}[{index}]"), left, right, found);
            }
        }
        (Value::Array(left_items), Value::Array(right_items)) => {
            let at = left_items.iter().zip(right_items).take_while(|(left, right)| left == right).count();
            let (recorded, recomputed) = (quote_items(left_items, at), quote_items(right_items, at));
            found.push(FieldDifference { field: path.to_owned(), recorded, recomputed });
        }
        _ if same_text(left, right) => {}
        _ => {
            let (recorded, recomputed) = shorten_both(&left.to_string(), &right.to_string());
            found.push(FieldDifference { field: path.to_owned(), recorded, recomputed });
        }
    }
}

/// As text: -0.0 and 0.0 are equal numbers and different bytes.
fn same_text(left: &Value, right: &Value) -> bool {
    let (left, right) = (left.to_string(), right.to_string());
    left == right
}

/// How many there are, and the one at a place.
fn quote_items(items: &[Value], at: usize) -> String {
    let item = items.get(at).map_or_else(|| "none".to_owned(), ToString::to_string);
    shorten(&format!("{} items, [{at}]: {item}", items.len()))
}

/// A value short enough to be printed.
#[must_use]
pub fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST_QUOTE {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST_QUOTE).collect();
    short.push('\u{2026}');
    short
}

/// Two values short enough to be printed, from a little before the place where they differ if that is not at their beginning.
#[must_use]
pub fn shorten_both(left: &str, right: &str) -> (String, String) {
    let same = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
    let skipped = if same < LONGEST_QUOTE { 0 } else { same - QUOTED_BEFORE };
    let from = |text: &str| {
        let cut: String = text.chars().skip(skipped).collect();
        if skipped == 0 { shorten(&cut) } else { shorten(&format!("\u{2026}{cut}")) }
    };
    (from(left), from(right))
}

/// The eight bytes at the first difference of each.
fn quote_blocks(left: &[u8], right: &[u8]) -> (String, String) {
    let at = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let near = |block: &[u8]| {
        let bytes = block.get(at..block.len().min(at + 8)).unwrap_or_default();
        format!("{} bytes, at {at}: {}", block.len(), hex::encode(bytes))
    };
    (near(left), near(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_never_cut_to_the_same_text() {
        let long = "\u{e4}".repeat(400);
        for (left, right) in [
            ("short".to_owned(), "shorter".to_owned()),
            (format!("{long}1"), format!("{long}2")),
            (long.clone(), format!("{long}.")),
            (format!("1{long}"), format!("2{long}")),
            (format!("{}a{long}", "x".repeat(159)), format!("{}b{long}", "x".repeat(159))),
        ] {
            let (shown_left, shown_right) = shorten_both(&left, &right);
            assert_ne!(shown_left, shown_right);
            for shown in [&shown_left, &shown_right] {
                assert!(shown.chars().count() <= LONGEST_QUOTE + 1, "{shown}");
                assert_eq!(shorten(shown), *shown);
            }
        }
        assert_eq!(shorten_both("same", "same"), ("same".to_owned(), "same".to_owned()));
    }
}
