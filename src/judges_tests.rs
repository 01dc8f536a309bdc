#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::models::{Provider, Reward};
use domain::mechanism;
use llm::scripted::Scripted;
use validator::reward_models::Kind;

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
    let configuration = Configuration { llm, judge: judge.iter().map(owned).collect(), ..Configuration::default() };
    (Judges { models, rewards: BTreeMap::new(), configuration }, scripts)
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

#[tokio::test]
async fn a_refusal_of_one_answer_is_a_verdict_and_an_outage_is_none() {
    let endpoint = || "a".to_owned();
    let refused = |status| llm::Error::Refused { endpoint: endpoint(), status, message: "filtered".to_owned() };
    let no_text = || llm::Error::NoText { endpoint: endpoint(), reason: "content_filter".to_owned() };
    let outage = || llm::Error::Unavailable { endpoint: endpoint(), attempts: 3, problem: "503".to_owned() };
    let budget = || llm::Error::Budget { endpoint: endpoint(), budget: 1, spent: 1, wanted: 9 };
    let (mut judges, _) = judges(&[("a", &[])], &[]);
    let about_an_answer =
        JudgementRequest { hotkey: Some(domain::types::Hotkey::from_public(&[7; 32])), ..asked("quality", MESSAGES) };
    let errors: [(&dyn Fn() -> llm::Error, bool); 5] =
        [(&|| refused(400), true), (&no_text, true), (&|| refused(404), false), (&outage, false), (&budget, false)];
    for (error, is_refusal) in errors {
        for (request, recorded) in [(&about_an_answer, is_refusal), (&asked("quality", MESSAGES), false)] {
            let script: Arc<dyn LanguageModel> = Arc::new(Scripted::new([Err(error())]));
            judges.models.insert(endpoint(), script);
            let found = judges.judge(request, loosh().as_ref()).await;
            assert_eq!(found.is_ok_and(|verdict| verdict.model == mechanism::NO_VERDICT), recorded, "{}", error());
        }
    }
    // Lines that several answers share are about no one of them, and are recorded where the rules pay by failed ones.
    for (rules, purpose, recorded) in [
        ("bettertherapy/1.2.2", "quality/1/1", true),
        ("bettertherapy/1.2.2", "question_and_base_answer", false),
        ("bettertherapy/assay-1", "quality/1/1", false),
    ] {
        let mechanism = mechanism::open(&mechanism::shipped_by_name(rules).unwrap()).unwrap();
        let script: Arc<dyn LanguageModel> = Arc::new(Scripted::new([Err(refused(400))]));
        judges.models.insert(endpoint(), script);
        let found = judges.judge(&asked(purpose, MESSAGES), mechanism.as_ref()).await;
        assert_eq!(found.is_ok_and(|verdict| verdict.model == mechanism::NO_VERDICT), recorded, "{rules} {purpose}");
    }
}

fn tiny(kind: Kind, name: &str) -> Reward {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("inference/models").join(name);
    Reward { kind, folder, provider: Provider::Cpu, threads: Some(1), timeout_seconds: 60 }
}

/// Every model that a round of the Twitter scraper can ask for, the language model scripted.
fn with_rewards(replies: &[&str]) -> (Judges, Arc<Scripted>) {
    let routes = [("default", "a"), ("rlhf", "pairs"), ("dpo", "likely")];
    let (mut judges, scripts) = judges(&[("a", replies)], &routes);
    judges.configuration.reward = BTreeMap::from([
        ("likely".to_owned(), tiny(Kind::LanguageModel, "tiny-language-model")),
        ("pairs".to_owned(), tiny(Kind::Classifier, "tiny-classifier")),
    ]);
    for (name, reward) in open_rewards(&judges.configuration) {
        judges.rewards.insert(name, reward.unwrap());
    }
    (judges, scripts["a"].clone())
}

const PAIR: &str = r#"{"task":"what pulls the tide?","completion":"the moon"}"#;

#[tokio::test]
async fn reward_models_answer_for_their_purposes_and_endpoints_for_the_others() {
    let (judges, script) = with_rewards(&["7"]);
    let mechanism = mechanism::open(&mechanism::shipped_by_name("twitter/readme").unwrap()).unwrap();
    let rlhf = judges.judge(&asked("rlhf", PAIR), mechanism.as_ref()).await.unwrap();
    assert!(rlhf.model.starts_with("onnx/tiny-classifier sha256:6f00b2be"), "{}", rlhf.model);
    let logit = f64::from(domain::twitter::verdicts::read_logit(&rlhf.reply).unwrap());
    assert!((logit - 1.678_640_6).abs() <= 1e-5, "{logit} is not Python's");
    let measure = r#"{"task":"the moon pulls ","completion":"the tide","context_tokens":8192,"repeated_tokens":5}"#;
    let dpo = judges.judge(&asked("dpo", measure), mechanism.as_ref()).await.unwrap();
    assert!(dpo.model.starts_with("onnx/tiny-language-model sha256:f5f0cf4a"), "{}", dpo.model);
    let mark = r#"{"system":"","user":"Mark it.","maximum_tokens":2,"task":"t","completion":"c"}"#;
    let prompt = judges.judge(&asked("prompt", mark), mechanism.as_ref()).await.unwrap();
    assert_eq!((prompt.model.as_str(), prompt.reply.as_slice()), ("scripted/script", b"7".as_slice()));
    assert_eq!(script.asked().len(), 1, "reward models' requests leave the process for nobody");
    assert!(["rlhf", "dpo", "prompt"].iter().all(|purpose| judges.has_model(purpose)));
}

#[tokio::test]
async fn a_reward_model_never_gives_way_to_another_rule() {
    let (judges, _) = with_rewards(&[]);
    let mechanism = mechanism::open(&mechanism::shipped_by_name("twitter/readme").unwrap()).unwrap();
    let error = judges.judge(&asked("dpo", PAIR), mechanism.as_ref()).await.unwrap_err();
    assert!(error.contains("[reward.likely]: the request is none to a language_model"), "{error}");
}

#[test]
fn a_reward_model_that_cannot_be_opened_ends_the_start_with_its_key() {
    let mut configuration = Configuration::default();
    configuration.reward.insert("mine".to_owned(), tiny(Kind::Classifier, "tiny-language-model"));
    let error = format!("{:#}", open(&configuration).unwrap_err());
    assert!(error.contains("[reward.mine] folder = ") && error.contains("not for sequence classification"), "{error}");
}
