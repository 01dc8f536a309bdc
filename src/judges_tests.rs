#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use domain::mechanism;
use llm::scripted::Scripted;

fn asked(purpose: &str, request: &str) -> JudgementRequest {
    JudgementRequest { purpose: purpose.to_owned(), hotkey: None, request: request.to_owned() }
}

fn judges(replies: &[(&str, &[&str])], judge: &[(&str, &str)]) -> (Judges, BTreeMap<String, Arc<Scripted>>) {
    let script = |texts: &[&str]| Arc::new(Scripted::new(texts.iter().map(|text| Ok((*text).to_owned()))));
    let scripts: BTreeMap<_, _> = replies.iter().map(|(name, texts)| ((*name).to_owned(), script(texts))).collect();
    let models = scripts.iter().map(|(name, model)| (name.clone(), model.clone() as Arc<dyn LanguageModel>)).collect();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let endpoint = llm::Endpoint::new(llm::Provider::Ollama, "m");
    let llm = scripts.keys().map(|name| (name.clone(), endpoint.clone())).collect();
    let configuration = Configuration { llm, judge: judge.iter().map(owned).collect() };
    (Judges { models, configuration }, scripts)
}

fn loosh() -> Arc<dyn Mechanism> {
    mechanism::open(&mechanism::shipped_by_name("loosh/readme").unwrap()).unwrap()
}

const MESSAGES: &str = r#"{"system":"Judge.","user":"DATA []","maximum_tokens":7,"schema":{"type":"object"},"temperature":0.5,"pair":null}"#;

#[tokio::test]
async fn a_request_becomes_messages_and_the_reply_is_passed_on_as_it_came() {
    let (judges, scripts) = judges(&[("a", &["no JSON at all"])], &[]);
    let verdict = judges.judge(&asked("quality", MESSAGES), loosh().as_ref()).await.unwrap();
    assert_eq!(verdict.reply, b"no JSON at all");
    assert_eq!((verdict.model.as_str(), verdict.completion_tokens, verdict.latency_ms), ("scripted/script", 4, 1));
    assert_eq!(verdict.parameters, r#"{"provider":"scripted"}"#);
    let sent = &scripts["a"].asked()[0];
    assert_eq!((sent.system.as_str(), sent.user.as_str(), sent.maximum_tokens), ("Judge.", "DATA []", 7));
    assert_eq!(sent.json_schema.as_deref(), Some(r#"{"type":"object"}"#));
}

#[test]
fn a_schema_may_be_json_or_text_or_missing() {
    for (request, schema) in [
        (r#"{"user":"?","schema":"{\"type\":\"array\"}"}"#, Some(r#"{"type":"array"}"#)),
        (r#"{"user":"?","schema":{"type":"array"}}"#, Some(r#"{"type":"array"}"#)),
        (r#"{"user":"?","schema":null}"#, None),
        (r#"{"user":"?"}"#, None),
    ] {
        assert_eq!(messages(&asked("x", request)).unwrap().json_schema.as_deref(), schema, "{request}");
    }
}

#[tokio::test]
async fn purposes_go_to_their_endpoint() {
    let routes = [("default", "b"), ("quality", "a"), ("base", "offline")];
    let (judges, scripts) = judges(&[("a", &["from a"]), ("b", &["from b"])], &routes);
    let mechanism = loosh();
    assert_eq!(judges.judge(&asked("quality", MESSAGES), mechanism.as_ref()).await.unwrap().reply, b"from a");
    assert_eq!(judges.judge(&asked("anything", MESSAGES), mechanism.as_ref()).await.unwrap().reply, b"from b");
    // This mechanism has no rule of its own, and says so.
    let offline = judges.judge(&asked("base", MESSAGES), mechanism.as_ref()).await.unwrap_err();
    assert!(offline.contains("none is configured"), "{offline}");
    assert_eq!((scripts["a"].asked().len(), scripts["b"].asked().len()), (1, 1));
}

#[tokio::test]
async fn requests_that_are_no_messages_are_not_sent() {
    let (judges, scripts) = judges(&[("a", &["unused"])], &[]);
    for request in [r#"{"task":"t","completion":"c"}"#, "[]", "", r#"{"user":7}"#] {
        assert!(judges.judge(&asked("reward", request), loosh().as_ref()).await.is_err(), "{request}");
    }
    assert!(scripts["a"].asked().is_empty());
}

#[tokio::test]
async fn failures_and_replies_that_cannot_be_recorded_are_errors() {
    let long = "x".repeat(LONGEST_REPLY + 1);
    let (judges, _) = judges(&[("a", &[&long])], &[]);
    let mechanism = loosh();
    let too_long = judges.judge(&asked("quality", MESSAGES), mechanism.as_ref()).await.unwrap_err();
    assert!(too_long.contains("over 262144 bytes"), "{too_long}");
    let ended = judges.judge(&asked("quality", MESSAGES), mechanism.as_ref()).await.unwrap_err();
    assert!(ended.contains("the script is at its end"), "{ended}");
}
