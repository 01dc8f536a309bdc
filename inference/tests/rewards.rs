//! Tiny random models beside what Python's onnxruntime computes with them (`models/expected.json`), on both runtimes, and
//! the services in front of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use inference::{
    Classifier, ClassifierService, Error, LanguageModelService, Limits, ModelConfig, ModelIdentity, Provider, Runtime,
    Score, Sequence, ServiceLimits, TextPair, open, open_classifier, open_language_model,
};
use serde::Deserialize;

/// How far a number may be from Python's.
const NEAR: f64 = 1e-5;

#[derive(Deserialize)]
struct Expected {
    onnxruntime: String,
    embeddings: Vec<Embedding>,
    logits: Vec<Logit>,
    sequences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Embedding {
    text: String,
    vector: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Logit {
    first: String,
    second: String,
    logit: f64,
    word_pieces: usize,
    truncated: bool,
}

#[derive(Deserialize)]
struct Sentence {
    prompt: String,
    answer: String,
    tokens: Vec<u32>,
    prompt_tokens: usize,
    log_probabilities: Vec<f64>,
    log_sums: Vec<f64>,
    mean: f64,
    deviation: f64,
    of_token_7: Vec<f64>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
}

fn expected() -> Expected {
    serde_json::from_slice(&std::fs::read(folder("expected.json")).unwrap()).unwrap()
}

fn config(name: &str, runtime: Runtime) -> ModelConfig {
    ModelConfig { runtime, threads: Some(1), ..ModelConfig::at(folder(name)) }
}

/// A model on each runtime; ONNX Runtime is left out, said aloud, where its library is not to be had.
fn on_each<M>(name: &str, opened: impl Fn(&ModelConfig) -> Result<M, Error>) -> Vec<M> {
    let pure_rust = opened(&config(name, Runtime::PureRust)).unwrap_or_else(|error| panic!("{error}"));
    match opened(&config(name, Runtime::OnnxRuntime)) {
        Ok(model) => vec![pure_rust, model],
        Err(Error::LibraryUnusable { tried }) => {
            eprintln!("SKIPPED: no ONNX Runtime library, run `make setup` to compare both runtimes ({tried})");
            vec![pure_rust]
        }
        Err(error) => panic!("{error}"),
    }
}

/// The largest of the differences, which must be as many as expected.
#[track_caller]
fn check(what: &str, found: impl ExactSizeIterator<Item = f64>, expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.zip(expected).enumerate() {
        assert!((found - expected).abs() <= NEAR, "{what}, {at}: {found} is not {expected}");
    }
}

fn pairs(expected: &Expected) -> Vec<TextPair> {
    let pair = |case: &Logit| TextPair { first: case.first.clone(), second: case.second.clone() };
    expected.logits.iter().map(pair).collect()
}

#[test]
fn embeddings_of_mpnets_shape_are_pythons() {
    let cases = expected().embeddings;
    let texts: Vec<String> = cases.iter().map(|case| case.text.clone()).collect();
    for embedder in on_each("tiny-mpnet", open) {
        let runtime = embedder.identity().runtime.clone();
        // All in one batch, padded; Python had one at a time.
        for (case, vector) in cases.iter().zip(embedder.embed(&texts).unwrap()) {
            check(&format!("{runtime} {:?}", case.text), vector.iter().map(|x| f64::from(*x)), &case.vector);
        }
        let identity = embedder.identity();
        assert_eq!((identity.name.as_str(), identity.dimensions, identity.max_word_pieces), ("tiny-mpnet", 16, 40));
        assert!(identity.weights_sha256.len() == 64 && identity.tokenizer_sha256.len() == 64);
    }
}

#[test]
fn logits_of_pairs_are_pythons() {
    let expected = expected();
    println!("expected numbers are of onnxruntime {}", expected.onnxruntime);
    let pairs = pairs(&expected);
    assert!(expected.logits.iter().any(|case| case.truncated) && expected.logits.iter().any(|case| !case.truncated));
    for classifier in on_each("tiny-classifier", open_classifier) {
        let runtime = &classifier.identity().runtime;
        let mut largest = 0.0f64;
        for (case, score) in expected.logits.iter().zip(classifier.score(&pairs).unwrap()) {
            largest = largest.max((f64::from(score.logit) - case.logit).abs());
            check(&format!("{runtime} {case:?}"), [f64::from(score.logit)].into_iter(), &[case.logit]);
            assert_eq!((score.word_pieces, score.truncated), (case.word_pieces, case.truncated), "{case:?}");
        }
        println!("{runtime}: largest difference of a logit to Python {largest:.1e}");
        // One at a time, in another order: the same.
        for (case, pair) in expected.logits.iter().zip(&pairs).rev() {
            let alone = classifier.score(std::slice::from_ref(pair)).unwrap();
            check(&format!("{runtime} alone"), [f64::from(alone[0].logit)].into_iter(), &[case.logit]);
        }
        // The order of the two texts matters: their types are fed.
        let swapped = TextPair { first: pairs[0].second.clone(), second: pairs[0].first.clone() };
        let logit = f64::from(classifier.score(&[swapped]).unwrap()[0].logit);
        assert!((logit - expected.logits[0].logit).abs() > 0.1);
        assert!(classifier.score(&[]).unwrap().is_empty());
    }
}

#[test]
fn log_probabilities_are_pythons() {
    let cases = expected().sequences;
    let texts = |text: fn(&Sentence) -> String| cases.iter().map(text).collect::<Vec<_>>();
    for model in on_each("tiny-language-model", open_language_model) {
        let runtime = model.identity().runtime.clone();
        let prompts = model.tokens(&texts(|case| case.prompt.clone())).unwrap();
        let whole = model.tokens(&texts(|case| format!("{}{}", case.prompt, case.answer))).unwrap();
        let sequence = |case: &Sentence| Sequence { tokens: case.tokens.clone(), from: 0, watched: vec![7] };
        let readings = model.read(&cases.iter().map(sequence).collect::<Vec<_>>()).unwrap();
        let plain = model.log_probs(&whole).unwrap();
        for (at, case) in cases.iter().enumerate() {
            let what = format!("{runtime} {:?}", case.answer);
            assert_eq!((&whole[at], prompts[at].len()), (&case.tokens, case.prompt_tokens), "{what}");
            let tokens = &readings[at].tokens;
            check(&what, tokens.iter().map(|token| token.log_probability), &case.log_probabilities);
            check(&what, tokens.iter().map(|token| token.log_sum), &case.log_sums);
            check(&what, tokens.iter().map(|token| token.watched[0]), &case.of_token_7);
            check(&what, [readings[at].mean, readings[at].deviation].into_iter(), &[case.mean, case.deviation]);
            check(&what, plain[at].iter().copied(), &case.log_probabilities);
        }
        // The answer alone: what stands before it is read by the model and not reported.
        let long = &cases[1];
        let answer = Sequence { from: long.prompt_tokens, ..sequence(long) };
        let found = &model.read(&[answer]).unwrap()[0];
        let expected = &long.log_probabilities[long.prompt_tokens - 1..];
        check(&runtime, found.tokens.iter().map(|token| token.log_probability), expected);
        check(&runtime, [found.mean, found.deviation].into_iter(), &[long.mean, long.deviation]);
    }
}

#[test]
fn what_is_too_large_or_unknown_is_refused_before_it_is_computed() {
    let tight = Limits { texts: 2, text_bytes: 10, logits: 1_000, ..Limits::default() };
    let with = |name| ModelConfig { limits: tight.clone(), ..config(name, Runtime::PureRust) };
    let classifier = open_classifier(&with("tiny-classifier")).unwrap();
    let pair = |first: &str, second: &str| TextPair { first: first.to_owned(), second: second.to_owned() };
    let error = classifier.score(&[pair("a", "b"), pair("012345", "67890")]).unwrap_err();
    assert!(matches!(error, Error::TextTooLong { index: 1, bytes: 11, limit: 10 }), "{error}");
    let error = classifier.score(&vec![pair("", ""); 3]).unwrap_err();
    assert!(matches!(error, Error::TooManyTexts { count: 3, limit: 2 }), "{error}");

    let model = open_language_model(&with("tiny-language-model")).unwrap();
    let vocabulary = model.identity().dimensions;
    let affordable = 1_000 / vocabulary;
    let sequence = |tokens: Vec<u32>, watched: Vec<u32>| Sequence { tokens, from: 0, watched };
    assert_eq!(model.read(&[sequence(vec![1; affordable], vec![])]).unwrap()[0].tokens.len(), affordable - 1);
    let error = model.read(&[sequence(vec![1; affordable + 1], vec![])]).unwrap_err();
    assert!(matches!(error, Error::SequenceTooLong { index: 0, limit, .. } if limit == affordable), "{error}");
    let token = u32::try_from(vocabulary).unwrap();
    for bad in [sequence(vec![token, 1], vec![]), sequence(vec![1, 1], vec![token])] {
        let error = model.read(&[sequence(vec![1], vec![]), bad]).unwrap_err();
        assert!(matches!(error, Error::UnknownToken { index: 1, token: named, .. } if named == token), "{error}");
    }
    let error = model.read(&[sequence(vec![1, 1], vec![1; 1 << 23 | 1])]).unwrap_err();
    assert!(matches!(error, Error::TooManyWatched { index: 0, .. }), "{error}");
    assert!(matches!(model.tokens(&["0123456789x".to_owned()]), Err(Error::TextTooLong { .. })));

    let whole = open_language_model(&config("tiny-language-model", Runtime::PureRust)).unwrap();
    assert_eq!(whole.log_probs(&[vec![3; 40], vec![3], vec![]]).unwrap().iter().map(Vec::len).max(), Some(39));
    let error = whole.log_probs(&[vec![3; 41]]).unwrap_err();
    assert!(matches!(error, Error::SequenceTooLong { tokens: 41, limit: 40, .. }), "{error}");
}

#[test]
fn a_model_is_opened_for_what_it_is_for() {
    let tiny = |name| config(name, Runtime::PureRust);
    let error = open(&tiny("tiny-classifier")).err().expect("a classifier has no vectors").to_string();
    assert!(error.contains("is for sequence classification, not for embeddings"), "{error}");
    assert!(matches!(open_classifier(&tiny("tiny-language-model")), Err(Error::OtherKind { .. })));
    assert!(matches!(open_language_model(&tiny("tiny-mpnet")), Err(Error::OtherKind { .. })));
}

#[test]
fn a_graph_that_is_not_what_the_manifest_says_is_refused() {
    for runtime in [Runtime::PureRust, Runtime::OnnxRuntime] {
        let changed = |model: &str, from: &str, to: &str| {
            let copy = tempfile::tempdir().unwrap();
            for file in ["model.onnx", "tokenizer.json", "manifest.json"] {
                std::fs::copy(folder(model).join(file), copy.path().join(file)).unwrap();
            }
            let path = copy.path().join("manifest.json");
            let manifest = std::fs::read_to_string(&path).unwrap();
            assert!(manifest.contains(from));
            std::fs::write(path, manifest.replace(from, to)).unwrap();
            let config = ModelConfig { model: copy.path().to_owned(), ..config(model, runtime) };
            let embedded = open(&config).and_then(|model| model.embed(&["one".to_owned()]));
            embedded.expect_err("the manifest is wrong")
        };
        let pooled = changed("tiny-mpnet", "\"pooling\": \"mean\"", "\"pooling\": \"in_graph\"");
        if matches!(pooled, Error::LibraryUnusable { .. }) {
            continue;
        }
        assert!(matches!(&pooled, Error::Graph { reason, .. } if reason.contains("sentence_embedding")), "{pooled}");
        let wide = changed("tiny-mpnet", "\"dimensions\": 16", "\"dimensions\": 8");
        assert!(matches!(&wide, Error::Output { .. }), "{wide}");
    }
}

#[test]
fn the_provider_in_use_is_recorded() {
    let asked = Provider::Cuda { device: 0, required: false };
    let cuda = ModelConfig { provider: asked, ..config("tiny-classifier", Runtime::Automatic) };
    let classifier = open_classifier(&cuda).unwrap();
    let identity = classifier.identity();
    assert_eq!(identity.provider_asked, "cuda");
    let required = ModelConfig { provider: Provider::Cuda { device: 0, required: true }, ..cuda };
    match (identity.provider.as_str(), open_classifier(&required)) {
        ("cpu", Err(Error::ProviderUnavailable { provider: "cuda", .. })) => {}
        ("cuda", Ok(must)) => assert_eq!(must.identity().provider, "cuda"),
        (provider, must) => panic!("{provider}, and {:?} when it must be", must.err()),
    }
    let expected = expected();
    let score = classifier.score(&pairs(&expected)[..1]).unwrap();
    check(&identity.provider, [f64::from(score[0].logit)].into_iter(), &[expected.logits[0].logit]);
}

#[tokio::test]
async fn services_answer_what_the_models_do() {
    let expected = expected();
    let classifier = open_classifier(&config("tiny-classifier", Runtime::PureRust)).unwrap();
    let identity = classifier.identity().clone();
    let service = ClassifierService::start(classifier, &ServiceLimits::default()).unwrap();
    assert_eq!(service.identity(), &identity);
    let pairs = pairs(&expected);
    let mut callers = tokio::task::JoinSet::new();
    for at in 0..pairs.len() {
        let (service, own) = (service.clone(), pairs[at..].to_vec());
        callers.spawn(async move { (at, service.score(own).await.unwrap()) });
    }
    let logits: Vec<f64> = expected.logits.iter().map(|case| case.logit).collect();
    while let Some(done) = callers.join_next().await {
        let (at, scores) = done.unwrap();
        check("shared", scores.iter().map(|score| f64::from(score.logit)), &logits[at..]);
    }

    let model = open_language_model(&config("tiny-language-model", Runtime::PureRust)).unwrap();
    let service = LanguageModelService::start(model, &ServiceLimits::default()).unwrap();
    let case = &expected.sequences[0];
    let tokens = service.tokens(vec![format!("{}{}", case.prompt, case.answer)]).await.unwrap().remove(0);
    assert_eq!(tokens, case.tokens);
    let good = Sequence { tokens, from: 0, watched: Vec::new() };
    let readings = service.read(vec![good.clone()]).await.unwrap();
    check("read", readings[0].tokens.iter().map(|token| token.log_probability), &case.log_probabilities);
    let unknown = Sequence { tokens: vec![u32::MAX, 1], ..good };
    assert!(matches!(service.read(vec![unknown]).await, Err(Error::UnknownToken { token: u32::MAX, .. })));
}

/// Panics at "panic" and sleeps at "slow": what a model must not do, and one may.
struct Moody(ModelIdentity, Limits);

impl Classifier for Moody {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn limits(&self) -> &Limits {
        &self.1
    }

    fn score(&self, pairs: &[TextPair]) -> Result<Vec<Score>, Error> {
        assert!(pairs.iter().all(|pair| pair.first != "panic"), "no mood");
        if pairs.iter().any(|pair| pair.first == "slow") {
            std::thread::sleep(Duration::from_millis(400));
        }
        let score = |pair: &TextPair| Score { logit: pair.second.len() as f32, word_pieces: 3, truncated: false };
        Ok(pairs.iter().map(score).collect())
    }
}

#[tokio::test]
async fn a_classifier_that_panics_or_hangs_is_an_error_of_its_caller() {
    let identity = open_classifier(&config("tiny-classifier", Runtime::PureRust)).unwrap().identity().clone();
    let start = |limits: &ServiceLimits| {
        let moody = Moody(identity.clone(), Limits::default());
        ClassifierService::start(Box::new(moody), limits).unwrap()
    };
    let pair = |first: &str| vec![TextPair { first: first.to_owned(), second: "four".to_owned() }];
    let service = start(&ServiceLimits::default());
    assert!(matches!(service.score(pair("panic")).await, Err(Error::Panicked { reason }) if reason == "no mood"));
    assert_eq!(service.score(pair("after")).await.unwrap()[0].logit, 4.0);
    let hurried = start(&ServiceLimits { answer_wait: Duration::from_millis(100), ..ServiceLimits::default() });
    assert!(matches!(hurried.score(pair("slow")).await, Err(Error::Overdue { texts: 1, waited_ms: 100 })));
    let long = vec![TextPair { first: "x".repeat(1 << 20), second: "y".to_owned() }];
    assert!(matches!(service.score(long).await, Err(Error::TextTooLong { index: 0, .. })));
}
