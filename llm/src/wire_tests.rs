#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn body(endpoint: &Endpoint, request: &Request) -> Body {
    let address = Address::new("x", endpoint, Some("key".into())).unwrap();
    Body::new("x", endpoint, &address, request).unwrap()
}

fn request() -> Request {
    let json_schema = Some(r#"{"type":"object"}"#.to_owned());
    Request { system: "Be brief.".to_owned(), user: "Why?".to_owned(), maximum_tokens: 100, json_schema }
}

#[test]
fn a_request_holds_messages_schema_limit_and_free_parameters() {
    let mut endpoint = Endpoint::new(Provider::Openai, "gpt-4o");
    endpoint.temperature = Some(0.5);
    endpoint.parameters.insert("seed".to_owned(), json!(7));
    let body = body(&endpoint, &request());
    let expected = json!({
        "model": "gpt-4o", "temperature": 0.5, "seed": 7, "max_completion_tokens": 100, "stream": false,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": {"type": "object"}, "strict": false}},
    });
    assert_eq!(serde_json::to_value(&body.fields).unwrap(), expected);
    let parameters = r#"{"max_completion_tokens":100,"model":"gpt-4o","provider":"openai","response_format":"json_schema","seed":7,"temperature":0.5}"#;
    assert_eq!(body.parameters, parameters);
}

#[test]
fn the_limit_of_a_reply_is_the_smaller_one_in_the_field_that_the_endpoint_knows() {
    let mut small = Endpoint::new(Provider::Ollama, "m");
    small.maximum_tokens = 50;
    let large = Endpoint::new(Provider::Ollama, "m");
    let mut other_base = Endpoint::new(Provider::Openai, "m");
    other_base.base = Some("http://127.0.0.1:1/v1".to_owned());
    let mut pasted = Endpoint::new(Provider::Openai, "m");
    pasted.base = Some("https://api.openai.com/v1/chat/completions".to_owned());
    let mut given = Endpoint::new(Provider::Openai, "m");
    given.parameters.insert("max_completion_tokens".to_owned(), json!(9_000));
    for (endpoint, asked, field, tokens) in [
        (&small, 100, "max_tokens", 50),
        (&large, 100, "max_tokens", 100),
        (&large, 0, "max_tokens", 4096),
        (&other_base, 100, "max_tokens", 100),
        (&pasted, 100, "max_completion_tokens", 100),
        (&given, 100, "max_completion_tokens", 9_000),
    ] {
        let body = body(endpoint, &Request { maximum_tokens: asked, ..request() });
        let limits: Vec<_> =
            LIMITS.iter().filter_map(|limit| body.fields.get(*limit).map(|value| (*limit, value))).collect();
        assert_eq!(limits, [(field, &json!(tokens))]);
        assert_eq!(body.reply_tokens, tokens);
    }
}

#[test]
fn a_shape_is_asked_for_as_the_endpoint_takes_it() {
    let mut endpoint = Endpoint::new(Provider::Anthropic, "claude");
    assert_eq!(body(&endpoint, &request()).fields.get("response_format"), None);
    endpoint.reply_format = Some(ReplyFormat::JsonObject);
    assert_eq!(body(&endpoint, &request()).fields["response_format"], json!({"type": "json_object"}));
    let bare = Request { json_schema: None, system: String::new(), ..request() };
    let bare = body(&endpoint, &bare);
    assert_eq!(bare.fields.get("response_format"), None);
    assert_eq!(bare.fields["messages"], json!([{"role": "user", "content": "Why?"}]));
    let address = Address::new("x", &endpoint, Some("key".into())).unwrap();
    let broken = Request { json_schema: Some("{".to_owned()), ..request() };
    assert!(matches!(Body::new("x", &endpoint, &address, &broken), Err(Error::Request { .. })));
}

#[test]
fn refusals_are_read_in_every_form() {
    for (body, message, quota) in [
        (r#"{"error":{"message":"no such model","code":"model_not_found"}}"#, "no such model", false),
        (r#"{"error":{"message":"pay","type":"insufficient_quota"}}"#, "pay", true),
        (r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, "pay", true),
        (r#"{"error":"model not found"}"#, "model not found", false),
        (r#"{"message":"slow down"}"#, "slow down", false),
        (r#"{"detail":[1]}"#, r#"{"detail":[1]}"#, false),
        ("<html>bad gateway</html>", "<html>bad gateway</html>", false),
        ("", "", false),
    ] {
        let refusal = Refusal::read(body.as_bytes());
        assert_eq!((refusal.message.as_str(), refusal.quota_is_spent), (message, quota));
    }
}
