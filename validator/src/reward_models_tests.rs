#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use domain::mechanism;
use domain::twitter::constants::Constants;
use domain::twitter::verdicts::{read_log_probability, read_logit};
use inference::Runtime;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PATIENCE: Duration = Duration::from_secs(60);

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/models").join(name)
}

fn tiny(kind: Kind, name: &str) -> RewardModel {
    let config = ModelConfig { runtime: Runtime::PureRust, threads: Some(1), ..ModelConfig::at(folder(name)) };
    RewardModel::open(kind, &config, PATIENCE).unwrap()
}

fn twitter() -> Arc<dyn Mechanism> {
    mechanism::open(&mechanism::shipped_by_name("twitter/readme").unwrap()).unwrap()
}

async fn ask(model: &RewardModel, purpose: &str, body: &impl Serialize) -> Result<Verdict, String> {
    let request = serde_json::to_string(body).unwrap();
    let request = JudgementRequest { purpose: purpose.to_owned(), hotkey: None, request };
    model.judge(&request, twitter().as_ref()).await
}

fn pair(task: &str, completion: &str) -> LogitRequest {
    LogitRequest { task: task.to_owned(), completion: completion.to_owned() }
}

fn measured(task: &str, completion: &str) -> PreferenceRequest {
    PreferenceRequest {
        task: task.to_owned(),
        completion: completion.to_owned(),
        context_tokens: 8192,
        repeated_tokens: 5,
        only_where_repeated: false,
    }
}

/// What Python's onnxruntime says of the tiny models.
fn expected() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder("expected.json")).unwrap()).unwrap()
}

fn parameters(verdict: &Verdict) -> serde_json::Value {
    serde_json::from_str(&verdict.parameters).unwrap()
}

#[tokio::test]
async fn a_classifiers_logit_is_recorded_as_python_has_it() {
    let model = tiny(Kind::Classifier, "tiny-classifier");
    for case in expected()["logits"].as_array().unwrap() {
        let (first, second) = (case["first"].as_str().unwrap(), case["second"].as_str().unwrap());
        let verdict = ask(&model, RLHF, &pair(first, second)).await.unwrap();
        let logit = f64::from(read_logit(&verdict.reply).unwrap());
        assert!((logit - case["logit"].as_f64().unwrap()).abs() <= 1e-5, "{case}: {logit}");
        let parameters = parameters(&verdict);
        assert_eq!((&parameters["word_pieces"], &parameters["truncated"]), (&case["word_pieces"], &case["truncated"]));
        assert_eq!(u64::from(verdict.prompt_tokens), case["word_pieces"].as_u64().unwrap());
        assert_eq!((&parameters["kind"], &parameters["runtime"]), (&"classifier".into(), &"rten".into()));
        assert_eq!(parameters["tokenizer_sha256"], model.identity().tokenizer_sha256.as_str());
        let weights = "6f00b2be252212a80e9d63be80edf3efdd7a06ac8f08f4053ae09ee7a61b3932";
        assert_eq!(verdict.model, format!("onnx/tiny-classifier sha256:{weights}"));
    }
}

#[tokio::test]
async fn an_answers_log_probabilities_are_recorded_as_python_has_them() {
    let model = tiny(Kind::LanguageModel, "tiny-language-model");
    let constants = Constants::readme();
    let expected = expected();
    let cases = expected["sequences"].as_array().unwrap();
    let numbers = |case: &serde_json::Value, name: &str| -> Vec<f64> {
        case[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    for (at, case) in cases.iter().enumerate().take(2) {
        let (prompt, answer) = (case["prompt"].as_str().unwrap(), case["answer"].as_str().unwrap());
        let verdict = ask(&model, DPO, &measured(prompt, answer)).await.unwrap();
        let reward = f64::from(read_log_probability(&verdict.reply, &constants).unwrap());
        let asked = case["prompt_tokens"].as_u64().unwrap() as usize;
        let own = &numbers(case, "log_probabilities")[asked - 1..];
        let plain = own.iter().sum::<f64>() / own.len() as f64;
        let reply: serde_json::Value = serde_json::from_slice(&verdict.reply).unwrap();
        for (found, own) in numbers(&reply, "log_probabilities").iter().zip(own) {
            assert!((found - own).abs() <= 1e-5, "{case}: {reply}");
        }
        assert!((reply["deviation"].as_f64().unwrap() - case["deviation"].as_f64().unwrap()).abs() <= 1e-5);
        let tokens: Vec<u64> = reply["tokens"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap()).collect();
        assert_eq!(tokens, numbers(case, "tokens")[asked..].iter().map(|t| *t as u64).collect::<Vec<_>>());
        let repeated = reply["repeated"].as_array().unwrap();
        match at {
            // Nothing is repeated: the reward is the plain mean.
            0 => assert!((reward - plain).abs() <= 1e-5 && repeated.iter().all(|of| of == &serde_json::json!([]))),
            // `, and it is` was followed by `two` before, which costs.
            _ => {
                assert!(reward < plain - 0.1, "{reward} {plain}");
                let of_two: Vec<f64> = repeated.iter().map(|of| of[0].as_f64().unwrap()).collect();
                let places = tokens.iter().enumerate().filter(|(_, token)| **token == 12).map(|(place, _)| place);
                for place in places {
                    assert_eq!(of_two[place], numbers(&reply, "log_probabilities")[place], "{reply}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_model_does_not_read_is_said_and_a_question_that_fills_it_has_the_floor() {
    let model = tiny(Kind::LanguageModel, "tiny-language-model");
    let constants = Constants::readme();
    let long = "the moon pulls the water ".repeat(20);
    let cut = ask(&model, DPO, &measured("what is the tide?", &long)).await.unwrap();
    let parameters = parameters(&cut);
    assert_eq!((&parameters["word_pieces"], &parameters["truncated"]), (&40.into(), &true.into()), "{parameters}");
    assert!(read_log_probability(&cut.reply, &constants).unwrap() > -11.0);
    let filled = ask(&model, DPO, &measured(&long, "the moon")).await.unwrap();
    assert_eq!(filled.reply, br#"{"log_probability":"NaN"}"#);
    assert_eq!(read_log_probability(&filled.reply, &constants), Ok(-11.0));
    // The rule set may read less than the model does.
    let short = PreferenceRequest { context_tokens: 9, ..measured("what is the tide?", &long) };
    let short = ask(&model, DPO, &short).await.unwrap();
    assert_eq!((short.prompt_tokens, short.completion_tokens), (9, 0));
}

#[tokio::test]
async fn a_request_of_another_form_is_refused_aloud() {
    let classifier = tiny(Kind::Classifier, "tiny-classifier");
    let error = ask(&classifier, DPO, &measured("a", "b")).await.unwrap_err();
    assert!(error.contains("none to a classifier, which tiny-classifier is"), "{error}");
    let model = tiny(Kind::LanguageModel, "tiny-language-model");
    let error = ask(&model, RLHF, &pair("a", "b")).await.unwrap_err();
    assert!(error.contains("none to a language_model, which tiny-language-model is"), "{error}");
}

/// Answers after the test is over.
struct Hangs(ModelIdentity, inference::Limits);

impl inference::Classifier for Hangs {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn limits(&self) -> &inference::Limits {
        &self.1
    }

    fn score(&self, _: &[TextPair]) -> Result<Vec<inference::Score>, inference::Error> {
        std::thread::sleep(Duration::from_secs(5));
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_configured() {
    let identity = tiny(Kind::Classifier, "tiny-classifier").identity().clone();
    let hangs = Hangs(identity, inference::Limits::default());
    let service = ClassifierService::start(Box::new(hangs), &ServiceLimits::default()).unwrap();
    let model = RewardModel { service: Service::Classifier(service), patience: Duration::from_millis(50) };
    let begun = Instant::now();
    let error = ask(&model, RLHF, &pair("a", "b")).await.unwrap_err();
    assert!(error.contains("tiny-classifier gave no answer in 50 ms"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

fn token(log_probability: f64) -> TokenOutput {
    TokenOutput { log_probability, log_sum: 7.0 / 3.0, repeated: Vec::new() }
}

#[test]
fn what_is_too_long_or_has_no_number_is_recorded_as_what_follows_from_it() {
    let rules = mechanism::shipped_by_name("twitter/readme").unwrap();
    let constants = Constants::readme();
    let of = |tokens: Vec<TokenOutput>| {
        let answer: Vec<u32> = (0..tokens.len() as u32).collect();
        let outputs = Outputs { tokens, mean: 0.0, deviation: 1.0 };
        let reply = reply(&answer, &outputs, rules.clone()).unwrap();
        assert!(reply.len() <= LONGEST_REPLY);
        let expected = preference::from_outputs(&answer, &outputs, &constants.preference).unwrap();
        assert_eq!(
            read_log_probability(reply.as_bytes(), &constants),
            Ok(expected as f32),
            "{}",
            &reply[..80.min(reply.len())]
        );
        reply
    };
    assert!(of(vec![token(-2.0); 10]).contains("log_sums"));
    // 8,000 tokens with two numbers of 20 bytes each do not fit; 100,000 could never.
    for many in [8_000, 100_000] {
        let reply = of((0..many).map(|at| token(-1.0 - f64::from(at) / 3e5)).collect());
        assert!(reply.len() < 60, "{many}: {} bytes", reply.len());
    }
    assert_eq!(of(vec![token(-2.0), token(f64::NAN)]), r#"{"log_probability":-11.0}"#);
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let config = ModelConfig::at(folder("tiny-classifier"));
    let error = RewardModel::open(Kind::LanguageModel, &config, PATIENCE).unwrap_err().to_string();
    assert!(error.contains("is for sequence classification, not for causal language modelling"), "{error}");
    let error = RewardModel::open(Kind::Classifier, &config, Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("answer_wait cannot be 0"), "{error}");
    assert_eq!(
        [kind_for(RLHF), kind_for(DPO), kind_for("prompt")],
        [Some(Kind::Classifier), Some(Kind::LanguageModel), None]
    );
}
