//! A reader of the part of JSON Schema that the contract uses. A keyword that it does not know is an error, so that
//! nothing in the contract goes unchecked.

use serde_json::Value;

/// Keywords that say nothing about a value.
const REMARKS: [&str; 2] = ["description", "format"];

/// What is wrong with a value; empty when it fits.
pub(super) fn problems(contract: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let target = contract.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the contract"));
                found.extend(problems(contract, target, value, at));
            }
            "oneOf" => {
                let fits = |schema: &&Value| problems(contract, schema, value, at).is_empty();
                let count = wanted.as_array().unwrap().iter().filter(fits).count();
                check(&mut found, count == 1, at, || format!("fits {count} of oneOf"));
            }
            "type" => check(&mut found, is_of_type(wanted, value), at, || format!("{value} is not {wanted}")),
            "enum" => {
                check(&mut found, wanted.as_array().unwrap().contains(value), at, || format!("{value} not in {wanted}"))
            }
            "const" => check(&mut found, wanted == value, at, || format!("{value} is not {wanted}")),
            "minimum" | "maximum" => {
                let order = value.as_f64().map(|number| number.total_cmp(&wanted.as_f64().unwrap()));
                let wrong = if keyword == "minimum" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                check(&mut found, order != Some(wrong), at, || format!("{value} {keyword} {wanted}"));
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" => {
                let length = value.as_str().map(|text| text.chars().count()).or(value.as_array().map(Vec::len));
                let limit = usize::try_from(wanted.as_u64().unwrap()).unwrap();
                let good = length
                    .is_none_or(|length| if keyword.starts_with("min") { length >= limit } else { length <= limit });
                check(&mut found, good, at, || format!("{keyword} {limit}, has {length:?}"));
            }
            "required" => {
                for name in wanted.as_array().unwrap().iter().filter_map(Value::as_str) {
                    let good = value.as_object().is_none_or(|fields| fields.contains_key(name));
                    check(&mut found, good, at, || format!("{name} is missing"));
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        found.extend(problems(contract, schema, value, &format!("{at}/{name}")));
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(wanted, &Value::Bool(false));
                let known = schema["properties"].as_object().unwrap();
                for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    check(&mut found, known.contains_key(name), at, || format!("{name} is not in the contract"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(problems(contract, wanted, item, &format!("{at}/{index}")));
                }
            }
            other => assert!(REMARKS.contains(&other), "{at}: keyword {other} is not understood"),
        }
    }
    found
}

fn check(found: &mut Vec<String>, good: bool, at: &str, problem: impl FnOnce() -> String) {
    if !good {
        found.push(format!("{at}: {}", problem()));
    }
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(types) => types.iter().any(|wanted| is_of_type(wanted, value)),
        Value::String(wanted) => match wanted.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other} is not understood"),
        },
        other => panic!("type {other} is not understood"),
    }
}

#[test]
fn the_reader_finds_what_is_wrong() {
    use serde_json::json;
    let contract = json!({"defs": {"id": {"type": "string", "minLength": 2}}});
    let schema = json!({
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {
            "id": {"$ref": "#/defs/id"}, "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 3},
            "list": {"type": "array", "maxItems": 1, "items": {"enum": ["a"]}},
            "one": {"oneOf": [{"type": "null"}, {"type": "boolean", "const": true}]},
        },
    });
    for (value, wrong) in [
        (json!({"id": "ab"}), false),
        (json!({"id": "ab", "n": null, "list": ["a"], "one": true}), false),
        (json!({"id": "ab", "n": 3, "list": [], "one": null}), false),
        (json!([]), true),
        (json!({}), true),
        (json!({"id": "a"}), true),
        (json!({"id": 7}), true),
        (json!({"id": "ab", "other": 1}), true),
        (json!({"id": "ab", "n": 0}), true),
        (json!({"id": "ab", "n": 4}), true),
        (json!({"id": "ab", "n": 1.5}), true),
        (json!({"id": "ab", "list": ["b"]}), true),
        (json!({"id": "ab", "list": ["a", "a"]}), true),
        (json!({"id": "ab", "one": false}), true),
    ] {
        assert_eq!(!problems(&contract, &schema, &value, "").is_empty(), wrong, "{value}");
    }
}
