//! What any embedder must do, run against both runtimes on the real model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::OnceLock;

use inference::{Embedder, EmbeddingConfig, Error, Limits, Provider, Runtime, find_home, open};

/// Tests share a few cores and run at once.
fn config(runtime: Runtime) -> EmbeddingConfig {
    EmbeddingConfig { runtime, threads: Some(2), ..EmbeddingConfig::discover() }
}

/// ONNX Runtime, or `None` (said aloud) where its library is not to be had; anything else that fails is a failure.
fn onnx_runtime() -> Option<&'static dyn Embedder> {
    static OPENED: OnceLock<Option<Box<dyn Embedder>>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| match open(&config(Runtime::OnnxRuntime)) {
        Ok(embedder) => Some(embedder),
        Err(Error::LibraryUnusable { tried }) => {
            eprintln!("SKIPPED: no ONNX Runtime library, run `make setup` to compare the two runtimes ({tried})");
            None
        }
        Err(error) => panic!("{error}"),
    });
    opened.as_deref()
}

fn pure_rust() -> &'static dyn Embedder {
    static OPENED: OnceLock<Box<dyn Embedder>> = OnceLock::new();
    OPENED.get_or_init(|| open(&config(Runtime::PureRust)).unwrap_or_else(|error| panic!("{error}"))).as_ref()
}

fn each() -> Vec<&'static dyn Embedder> {
    onnx_runtime().into_iter().chain([pure_rust()]).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

fn largest_difference(left: &[Vec<f32>], right: &[Vec<f32>]) -> f32 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().zip(right).flat_map(|(a, b)| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b)
    });
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Short and long, plain and odd: 40 texts of very different lengths, so that batches are padded.
fn mixed_texts() -> Vec<String> {
    let odd = [
        "",
        " ",
        "a",
        "\u{0}\u{1}control",
        "Zażółć gęślą jaźń — «naïve» façade",
        "日本語の文章です。",
        "🦀🦀🦀 crab",
        "e\u{301}clair éclair",
        "x = y² + ∑ᵢ zᵢ / 0.5",
        "https://example.org/a?b=c&d=%20",
        "\r\n\t\u{a0}\u{2003}white\u{feff}space",
        "العربية من اليمين",
    ];
    let sentence =
        "The validator asks seven miners one question and compares what they say about the tides of the sea. ";
    let mut texts = strings(&odd);
    texts.extend((1..=28).map(|n| sentence.repeat(1 + n % 9).chars().take(n * 23).collect::<String>()));
    texts
}

#[test]
fn both_runtimes_agree() {
    let Some(onnx_runtime) = onnx_runtime() else { return };
    let texts = mixed_texts();
    let difference = largest_difference(&onnx_runtime.embed(&texts).unwrap(), &pure_rust().embed(&texts).unwrap());
    println!("largest difference between the runtimes over {} texts: {difference:.1e}", texts.len());
    assert!(difference <= 1e-5, "{difference}");
    // The same model on another runtime: only the runtime may differ in what is recorded.
    let (left, right) = (onnx_runtime.identity(), pure_rust().identity());
    assert_eq!(left.weights_sha256, right.weights_sha256);
    assert_eq!(left.tokenizer_sha256, right.tokenizer_sha256);
    assert_eq!((left.runtime.as_str(), right.runtime.as_str()), ("onnxruntime", "rten"));
    assert!(left.runtime_version.starts_with("1."), "{}", left.runtime_version);
}

#[test]
fn is_the_published_model() {
    let texts = strings(&[
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
        "The miner answered the query correctly.",
        "The validator scored the miner's response as right.",
        "Emission is split between miners and validators.",
        "Bananas are rich in potassium.",
    ]);
    for embedder in each() {
        let v = embedder.embed(&texts).unwrap();
        let expected = [(0, 1, 0.695), (0, 2, 0.943), (0, 3, 0.257), (4, 5, 0.606), (4, 6, 0.358), (4, 7, 0.049)];
        for (left, right, similarity) in expected {
            let found = cosine(&v[left], &v[right]);
            assert!((found - similarity).abs() <= 0.002, "{:?} / {:?}: {found}", texts[left], texts[right]);
        }
        let identity = embedder.identity();
        assert_eq!(identity.weights_sha256, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db");
        assert_eq!(identity.tokenizer_sha256, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037");
        assert_eq!((identity.dimensions, identity.max_word_pieces, identity.provider.as_str()), (384, 256, "cpu"));
    }
}

#[test]
fn a_vector_does_not_depend_on_its_batch() {
    for embedder in each() {
        let texts = mixed_texts();
        let together = embedder.embed(&texts).unwrap();
        let alone: Vec<Vec<f32>> =
            texts.iter().flat_map(|text| embedder.embed(std::slice::from_ref(text)).unwrap()).collect();
        let difference = largest_difference(&together, &alone);
        println!("{}: largest difference between batched and single {difference:.1e}", embedder.identity().runtime);
        assert!(difference <= 1e-5, "{}: {difference}", embedder.identity().runtime);
        // Order in, order out.
        let reversed: Vec<String> = texts.iter().rev().cloned().collect();
        let mut vectors = embedder.embed(&reversed).unwrap();
        vectors.reverse();
        assert!(largest_difference(&together, &vectors) <= 1e-5);
    }
}

#[test]
fn every_text_has_a_vector_of_length_one() {
    for embedder in each() {
        for (text, vector) in mixed_texts().iter().zip(embedder.embed(&mixed_texts()).unwrap()) {
            assert_eq!(vector.len(), 384);
            let length = cosine(&vector, &vector).sqrt();
            assert!((length - 1.0).abs() < 1e-5, "{text:?} has a vector of length {length}");
        }
        assert!(embedder.embed(&[]).unwrap().is_empty());
    }
}

#[test]
fn reads_256_word_pieces_and_no_more() {
    // "word" is one word piece; [CLS] and [SEP] take two of the 256.
    let words = |count: usize, last: &str| format!("{}{last}", "word ".repeat(count));
    for embedder in each() {
        let texts =
            vec![words(254, ""), words(254, "banana"), words(253, "banana"), words(128, ""), words(128, "banana")];
        let v = embedder.embed(&texts).unwrap();
        assert!(largest_difference(&v[0..1], &v[1..2]) <= 1e-6, "the 257th word piece was read");
        assert!(largest_difference(&v[0..1], &v[2..3]) > 1e-4, "the 255th word piece was not read");
        // tokenizer.json would cut at 128.
        assert!(largest_difference(&v[3..4], &v[4..5]) > 1e-4, "the tokenizer's own truncation is still on");
    }
}

#[test]
fn refuses_what_is_too_large_before_it_computes() {
    let limits = Limits { texts: 3, text_bytes: 10, ..Limits::default() };
    let embedder = open(&EmbeddingConfig { limits, ..config(Runtime::PureRust) }).unwrap();
    let error = embedder.embed(&strings(&["a", "b", "c", "d"])).unwrap_err();
    assert!(matches!(error, Error::TooManyTexts { count: 4, limit: 3 }), "{error}");
    let error = embedder.embed(&strings(&["a", "0123456789x"])).unwrap_err();
    assert!(matches!(error, Error::TextTooLong { index: 1, bytes: 11, limit: 10 }), "{error}");
    assert_eq!(embedder.embed(&strings(&["0123456789", "b", "c"])).unwrap().len(), 3);
    let none = EmbeddingConfig { limits: Limits { batch_texts: 0, ..Limits::default() }, ..config(Runtime::PureRust) };
    let error = open(&none).err().expect("batches of no text");
    assert!(matches!(error, Error::Limit { field: "batch_texts", value: 0 }), "{error}");
}

#[test]
fn cuda_is_in_use_or_said_not_to_be() {
    if onnx_runtime().is_none() {
        return;
    }
    let asked = Provider::Cuda { device: 0, required: false };
    let embedder = open(&EmbeddingConfig { provider: asked, ..config(Runtime::OnnxRuntime) }).unwrap();
    let identity = embedder.identity();
    assert_eq!(identity.provider_asked, "cuda");
    let texts = mixed_texts();
    let difference = largest_difference(&embedder.embed(&texts).unwrap(), &pure_rust().embed(&texts).unwrap());
    println!("largest difference between {} and rten on the CPU {difference:.1e}", identity.provider);
    assert!(difference <= 1e-5, "{}: {difference}", identity.provider);
    let required = Provider::Cuda { device: 0, required: true };
    let must = open(&EmbeddingConfig { provider: required, ..config(Runtime::OnnxRuntime) });
    match (identity.provider.as_str(), must) {
        ("cpu", Err(Error::ProviderUnavailable { provider: "cuda", .. })) => {}
        ("cuda", Ok(required)) => assert_eq!(required.identity().provider_asked, "cuda, required"),
        (provider, Ok(_)) => panic!("the required provider opened, yet {provider} is in use when it is only asked for"),
        (provider, Err(error)) => panic!("{provider}: {error}"),
    }
    assert!(matches!(
        open(&EmbeddingConfig { provider: required, ..config(Runtime::PureRust) }),
        Err(Error::ProviderUnavailable { .. })
    ));
}

#[test]
fn a_missing_model_says_what_to_run() {
    let nowhere = EmbeddingConfig { model: PathBuf::from("/nonexistent/model"), ..config(Runtime::PureRust) };
    let error = open(&nowhere).err().expect("there is no model").to_string();
    assert!(error.contains("/nonexistent/model/manifest.json") && error.contains("make setup"), "{error}");
    assert!(find_home().join("models").is_dir(), "the tests need the model: run `make setup`");
}
