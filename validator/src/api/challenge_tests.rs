#![allow(clippy::unwrap_used)]

use axum::body::to_bytes;
use axum::response::IntoResponse;
use serde_json::json;

use super::*;

const DEFAULTS: ChallengeDefaults = ChallengeDefaults::README;

async fn refusal(body: &[u8]) -> (u16, String, String) {
    let response = read(body, &DEFAULTS).expect_err(&String::from_utf8_lossy(body)).into_response();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (status, text("field"), text("message"))
}

#[test]
fn the_readmes_example() {
    let body = json!({
        "id": "challenge-123",
        "prompt": "Explain the concept of machine learning in simple terms.",
        "temperature": 0.7, "top_p": 0.95, "max_tokens": 512,
    });
    let challenge = read(body.to_string().as_bytes(), &ChallengeDefaults::UPSTREAM).unwrap();
    assert_eq!((challenge.temperature, challenge.top_p, challenge.max_tokens), (0.7, 0.95, 512));
    assert_eq!(challenge.prompt.unwrap(), "Explain the concept of machine learning in simple terms.");
    assert_eq!((challenge.messages, challenge.metadata, challenge.requester), (None, None, None));
}

#[test]
fn what_is_left_out_or_null_gets_the_defaults() {
    for body in [
        r#"{"id":"a","prompt":"why?"}"#,
        r#"{"id":"a","prompt":"why?","temperature":null,"top_p":null,"max_tokens":null,"messages":null,"tools":null}"#,
    ] {
        let challenge = read(body.as_bytes(), &DEFAULTS).unwrap();
        assert_eq!((challenge.temperature, challenge.top_p, challenge.max_tokens), (0.7, 0.95, 512));
        assert_eq!((challenge.messages, challenge.tools), (None, None));
    }
}

#[test]
fn free_json_is_kept_as_it_was_written() {
    let body = r#"{"unknown": {"a": 1}, "id": "a:1_b.c-d", "status": "available",
        "messages": [ {"role":"system","content":null}, {"role": "user", "content": "why?", "name":"x"} ],
        "tools": [{"type":"function"}], "tool_choice": "auto", "metadata": {"b": 1.0, "a": 18446744073709551615},
        "created_at": "2026-01-02T03:04:05", "requester": "r", "correlation_id": "c", "model": "m",
        "temperature": -0.0, "top_p": 1, "max_tokens": 131072}"#;
    let challenge = read(body.as_bytes(), &DEFAULTS).unwrap();
    let messages = r#"[ {"role":"system","content":null}, {"role": "user", "content": "why?", "name":"x"} ]"#;
    assert_eq!(challenge.messages.as_deref(), Some(messages));
    assert_eq!(challenge.tools.as_deref(), Some(r#"[{"type":"function"}]"#));
    assert_eq!(challenge.tool_choice.as_deref(), Some(r#""auto""#));
    assert_eq!(challenge.metadata.as_deref(), Some(r#"{"b": 1.0, "a": 18446744073709551615}"#));
    assert!(challenge.temperature.is_sign_positive());
    assert_eq!((challenge.top_p, challenge.max_tokens), (1.0, 131_072));
    assert_eq!(evaluation_prompt(&challenge), "why?");
    assert!(domain::wire::commitment(&challenge).is_ok());
}

#[tokio::test]
async fn what_is_refused_names_the_field() {
    let long = |length: usize| "x".repeat(length);
    let with = |field: &str, value: Value| {
        let mut body = json!({"id": "a", "prompt": "why?"});
        body[field] = value;
        body.to_string()
    };
    let alone = |messages: Value| json!({"id": "a", "messages": messages}).to_string();
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let rows: Vec<(String, &str, &str)> = vec![
        (String::new(), "body", "not a JSON object"),
        ("[]".into(), "body", "not a JSON object"),
        ("null".into(), "body", "not a JSON object"),
        (r#"{"id":"a","prompt":"b"} {}"#.into(), "body", "not a JSON object"),
        (r#"{"id":"a","prompt":"b""#.into(), "body", "not a JSON object"),
        (r#"{"id":"a","id":"b","prompt":"c"}"#.into(), "body", "id is given twice"),
        (r#"{"prompt":"why?"}"#.into(), "id", "is missing"),
        (with("id", json!(7)), "id", "not a string"),
        (with("id", json!("")), "id", "1 to 128"),
        (with("id", json!(long(129))), "id", "has 129 bytes, the limit is 128"),
        (with("id", json!("a/b")), "id", "1 to 128"),
        (with("id", json!("a b")), "id", "1 to 128"),
        (with("id", json!("ä")), "id", "1 to 128"),
        (with("id", json!("..")), "id", "beginning with a letter or digit"),
        (with("id", json!("a\r\nx: y")), "id", "1 to 128"),
        (with("id", json!("stats")), "id", "stats"),
        (with("id", json!("a\0")), "id", "U+0000"),
        (r#"{"id":"a"}"#.into(), "prompt", "is missing; send a prompt, or messages"),
        (with("prompt", json!(["why?"])), "prompt", "not a string"),
        (with("prompt", json!(" \n\t")), "prompt", "is blank"),
        (with("prompt", json!(long(65_537))), "prompt", "has 65537 bytes, the limit is 65536"),
        (with("prompt", json!("why\0?")), "prompt", "U+0000"),
        (r#"{"id":"a","prompt":"\ud800"}"#.into(), "prompt", "cannot be read"),
        (with("temperature", json!(2.01)), "temperature", "not a number from 0 to 2"),
        (with("temperature", json!(-0.1)), "temperature", "not a number"),
        (with("temperature", json!("0.7")), "temperature", "not a number"),
        (r#"{"id":"a","prompt":"b","temperature":1e999}"#.into(), "temperature", "cannot be read"),
        (r#"{"id":"a","prompt":"b","temperature":NaN}"#.into(), "body", "not a JSON object"),
        (with("top_p", json!(1.5)), "top_p", "from 0 to 1"),
        (with("max_tokens", json!(0)), "max_tokens", "from 1 to 131072"),
        (with("max_tokens", json!(131_073)), "max_tokens", "from 1 to 131072"),
        (with("max_tokens", json!(5.5)), "max_tokens", "not a whole number"),
        (with("max_tokens", json!(u64::MAX)), "max_tokens", "not a whole number"),
        (with("messages", json!("why?")), "messages", "not an array"),
        (with("messages", json!([])), "messages", "not an array of 1 to 256"),
        (with("messages", json!(vec![json!({"role": "user"}); 257])), "messages", "1 to 256"),
        (with("messages", json!(["why?"])), "messages", "at index 0 something else than an object"),
        (with("messages", json!([{"content": "why?"}])), "messages", "no role"),
        (with("messages", json!([{"role": "user"}, {"role": "root"}])), "messages", "index 1"),
        (with("messages", user(json!([{"type": "text"}]))), "messages", "content that is not a string"),
        (with("messages", user(json!("a\0b"))), "messages", "U+0000"),
        (with("messages", user(json!(long(131_072)))), "messages", "the limit is 131072"),
        (
            r#"{"id":"a","messages":[{"role":"user","content":"a","content":"b"}]}"#.into(),
            "messages",
            "twice in one message",
        ),
        (alone(user(json!(""))), "messages", "has no text in its last message of the role user"),
        (alone(json!([{"role": "system", "content": "be kind"}])), "messages", "has no text"),
        (alone(user(json!(long(65_537)))), "messages", "has over 65536 bytes"),
        (with("tools", json!({})), "tools", "not an array"),
        (with("tools", json!([1])), "tools", "not an array of up to 128 objects"),
        (with("tool_choice", json!(1)), "tool_choice", "neither a string nor an object"),
        (with("metadata", json!([])), "metadata", "not an object"),
        (with("metadata", json!({"a\0": 1})), "metadata", "U+0000"),
        (with("metadata", json!({"a": long(40_000)})), "metadata", "the limit is 32768"),
        (
            format!(r#"{{"id":"a","prompt":"b","metadata":{{"a":{}{}}}}}"#, "[".repeat(200), "]".repeat(200)),
            "metadata",
            "cannot be read",
        ),
        (with("requester", json!({})), "requester", "not a string"),
        (with("created_at", json!(1)), "created_at", "not a string"),
        (with("model", json!(long(257))), "model", "the limit is 256"),
        (with("correlation_id", json!(true)), "correlation_id", "not a string"),
    ];
    for (body, field, part) in rows {
        let (status, named, message) = refusal(body.as_bytes()).await;
        let shown: String = body.chars().take(120).collect();
        assert_eq!((status, named.as_str()), (422, field), "{shown}: {message}");
        assert!(message.contains(part) && message.starts_with(field), "{shown}: {message}");
    }
    let (_, field, message) = refusal(b"{\"id\":\"a\",\"prompt\":\"\xff\"}").await;
    assert_eq!((field.as_str(), message.as_str()), ("body", "body is not UTF-8 from byte 20"));
    let deep = "[".repeat(200_000);
    assert_eq!(refusal(format!(r#"{{"id":"a","x":{deep}"#).as_bytes()).await.0, 422);
}
