//! Other values for every field of a payload: each mutation is a payload that its kind's decoder accepts.

use domain::codec;
use domain::events::Event;
use serde_json::{Map, Value, json};

/// A changed payload: the field, how it was changed, and the bytes.
pub struct Mutation {
    /// Path with `[]` for any item.
    pub path: String,
    pub class: &'static str,
    pub payload: Vec<u8>,
}

/// Members of every enumeration of the events; those of another one are refused by the decoder.
const MEMBERS: &[&str] = &[
    "own",
    "validator",
    "no_axon",
    "unavailable",
    "not_swept",
    "protocol",
    "unreachable",
    "timed_out",
    "refused",
    "malformed",
    "too_large",
    "bad_signature",
    "forbidden_address",
    "test_mode",
    "quality",
    "outlier",
    "cluster",
    "length",
    "filtered_by_quality",
    "no_consensus",
    "off_topic",
    "not_sampled",
    "stale",
    "not_serving",
    "no_score",
    "restart",
    "no_miners",
    "no_responses",
    "evidence_failed",
    "normal",
    "degraded",
    "emergency",
    "nobody_serving",
    "no_scores",
    "rate_limited",
    "not_registered",
    "included",
    "skipped",
    "failed",
    "expired",
    "prompt",
    "answer",
    "f16",
    "f32",
];

/// Every mutation of a recorded payload.
pub fn mutations(kind: &str, version: u16, payload: &[u8], other_hotkey: &str) -> Vec<Mutation> {
    let json = codec::json_part(kind, payload).unwrap();
    let block = &payload[4 + json.len()..];
    let value: Value = serde_json::from_slice(json).unwrap();
    let mut found = Vec::new();
    let block_field = audit::difference::block_field(kind);
    let mut visit = |pointer: &[Step], class: &'static str, changed: Value| {
        let mut whole = value.clone();
        *at(&mut whole, pointer) = changed;
        let payload = canonical(kind, version, &whole, block);
        let accepted = payload.is_some();
        found.extend(payload.map(|payload| Mutation { path: path(pointer), class, payload }));
        accepted
    };
    walk(&value, &mut Vec::new(), block_field, other_hotkey, &mut visit);
    let Some(field) = block_field else { return found };
    let name = format!("{field}[\u{2026}]");
    let mut cut = value.clone();
    if !block.is_empty() {
        for (class, at) in [("first byte", 0), ("middle byte", block.len() / 2), ("last byte", block.len() - 1)] {
            let mut bytes = block.to_vec();
            bytes[at] ^= 0x11;
            let payload = canonical(kind, version, &value, &bytes);
            found.extend(payload.map(|payload| Mutation { path: name.clone(), class, payload }));
        }
        cut[field] = json!(block.len() - 1);
        let payload = canonical(kind, version, &cut, &block[..block.len() - 1]);
        found.extend(payload.map(|payload| Mutation { path: name.clone(), class: "cut", payload }));
    }
    cut[field] = json!(block.len() + 1);
    let longer = [block, &[0x41]].concat();
    let payload = canonical(kind, version, &cut, &longer);
    found.extend(payload.map(|payload| Mutation { path: name, class: "longer", payload }));
    found
}

#[derive(Clone)]
enum Step {
    Field(String),
    Item(usize),
}

fn path(pointer: &[Step]) -> String {
    let mut path = String::new();
    for step in pointer {
        match step {
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.push_str(&format!(".{name}")),
            Step::Item(_) => path.push_str("[]"),
        }
    }
    path
}

fn at<'a>(value: &'a mut Value, pointer: &[Step]) -> &'a mut Value {
    pointer.iter().fold(value, |value, step| match step {
        Step::Field(name) => &mut value[name.as_str()],
        Step::Item(index) => &mut value[*index],
    })
}

/// The payload with the JSON in declared order; none when the kind does not allow it or nothing changed.
fn canonical(kind: &str, version: u16, json: &Value, block: &[u8]) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(json).ok()?;
    let length = u32::try_from(json.len()).ok()?.to_be_bytes();
    let payload = [&length[..], &json, block].concat();
    Event::decode(kind, version, &payload).ok()?.encode().ok()
}

fn walk(
    value: &Value,
    pointer: &mut Vec<Step>,
    block_field: Option<&str>,
    other_hotkey: &str,
    visit: &mut impl FnMut(&[Step], &'static str, Value) -> bool,
) {
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                if pointer.is_empty() && Some(name.as_str()) == block_field {
                    continue;
                }
                pointer.push(Step::Field(name.clone()));
                walk(below, pointer, block_field, other_hotkey, visit);
                pointer.pop();
            }
            object(fields, pointer, visit);
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                pointer.push(Step::Item(index));
                walk(below, pointer, block_field, other_hotkey, visit);
                pointer.pop();
            }
            array(items, pointer, visit);
        }
        Value::Null => {
            let digest = "ab".repeat(32);
            let signature = "ab".repeat(64);
            let pool =
                [json!(0), json!("quality"), json!("stale"), json!("rate_limited"), json!(digest), json!(signature)];
            for value in pool.into_iter().chain([json!(other_hotkey), json!("x"), json!(0.5)]) {
                visit(pointer, "given", value);
            }
        }
        Value::Bool(value) => {
            visit(pointer, "flipped", json!(!value));
        }
        Value::Number(number) => numbers(number, pointer, visit),
        Value::String(text) => strings(text, pointer, other_hotkey, visit),
    }
    if !value.is_null() && !pointer.is_empty() {
        visit(pointer, "removed", Value::Null);
    }
}

fn object(fields: &Map<String, Value>, pointer: &[Step], visit: &mut impl FnMut(&[Step], &'static str, Value) -> bool) {
    // Variants with content: another variant in its place.
    if fields.contains_key("included") {
        visit(pointer, "other", json!({"rejected": {"error": "x"}}));
        visit(pointer, "other", json!("expired"));
    } else if fields.contains_key("rejected") {
        visit(pointer, "other", json!("expired"));
    }
}

fn array(items: &[Value], pointer: &[Step], visit: &mut impl FnMut(&[Step], &'static str, Value) -> bool) {
    if let Some((first, rest)) = items.split_first() {
        visit(pointer, "first gone", json!(rest));
        if rest.len() > 1 {
            visit(pointer, "last gone", json!(items[..items.len() - 1]));
        }
        if let Some(second) = rest.first().filter(|second| *second != first) {
            let mut swapped = items.to_vec();
            swapped[0] = second.clone();
            swapped[1] = first.clone();
            visit(pointer, "swapped", json!(swapped));
        }
        let doubled: Vec<Value> = items.iter().chain(items.last()).cloned().collect();
        visit(pointer, "doubled", json!(doubled));
    }
}

fn numbers(
    number: &serde_json::Number,
    pointer: &[Step],
    visit: &mut impl FnMut(&[Step], &'static str, Value) -> bool,
) {
    if let Some(value) = number.as_u64() {
        visit(pointer, "plus", json!(value + 1));
        if value > 0 {
            visit(pointer, "minus", json!(value - 1));
        }
        visit(pointer, "far", json!(value.wrapping_add(1_000_003)));
        visit(pointer, "far", json!(value ^ 0x21));
        // Whatever type it has, its largest value: nothing may overflow.
        if ![u64::MAX, u64::from(u32::MAX), u64::from(u16::MAX)]
            .into_iter()
            .any(|most| visit(pointer, "far", json!(most)))
        {
            visit(pointer, "far", json!(u8::MAX));
        }
    } else if let Some(value) = number.as_f64() {
        visit(pointer, "last bit", json!(f64::from_bits(value.to_bits() ^ 1)));
        visit(pointer, "far", json!(value * 1.5 + 0.25));
        visit(pointer, "far", json!(-value));
    }
}

fn strings(
    text: &str,
    pointer: &[Step],
    other_hotkey: &str,
    visit: &mut impl FnMut(&[Step], &'static str, Value) -> bool,
) {
    let is_hex = text.len() >= 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex {
        for at in [0, text.len() / 2, text.len() - 1] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            visit(pointer, "digit", json!(String::from_utf8(bytes).unwrap()));
        }
        return;
    }
    // A word that only free text takes tells it from an enumeration.
    if MEMBERS.contains(&text) && !visit(pointer, "longer", json!("no such member")) {
        for member in MEMBERS.iter().filter(|member| **member != text) {
            visit(pointer, member, json!(member));
        }
        return;
    }
    if text == "expired" {
        visit(pointer, "other", json!({"rejected": {"error": "x"}}));
    }
    visit(pointer, "other", json!(other_hotkey));
    visit(pointer, "longer", json!(format!("{text}x")));
    if !text.is_empty() {
        visit(pointer, "empty", json!(""));
        let middle = text.len() / 2;
        if text.is_char_boundary(middle) && text.is_char_boundary(middle + 1) {
            let letter = if text[middle..].starts_with('q') { "z" } else { "q" };
            visit(pointer, "letter", json!(format!("{}{letter}{}", &text[..middle], &text[middle + 1..])));
        }
    }
}
