//! Pairs and sequences a second of the reward models, on each runtime: `cargo bench -p inference --bench rewards`.
//!
//! The tiny random models of `models/` show what this program adds around a model. Larger random ones are made by
//! `models/make_random_models.py --out DIR --hidden 384 --layers 6 --heads 12`; then `-- --models DIR`. Each figure is the
//! best of three runs of a second, tokenising included, 32 at a time.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use inference::{
    Error, ModelConfig, ModelIdentity, Runtime, Sequence, TextPair, open, open_classifier, open_language_model,
};

const RUNS: usize = 3;
const RUN: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 32;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--models").skip(1);
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let models = PathBuf::from(arguments.next().unwrap_or_else(|| tiny.to_owned()));
    for runtime in [Runtime::OnnxRuntime, Runtime::PureRust] {
        let config = |name: &str| ModelConfig { runtime, ..ModelConfig::at(models.join(name)) };
        match each(config) {
            Ok(()) => {}
            Err(error @ Error::LibraryUnusable { .. }) => println!("onnxruntime: {error}"),
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn each(config: impl Fn(&str) -> ModelConfig) -> Result<(), Error> {
    let question = |n: usize| format!("what did the {n} people of the round say about the river and the tide?");
    let answer =
        |n: usize| format!("that the moon pulls the water, and that it is {} very long days to the sea", n * 7);
    let pairs: Vec<TextPair> = (0..AT_ONCE).map(|n| TextPair { first: question(n), second: answer(n) }).collect();
    let texts: Vec<String> = (0..AT_ONCE).map(answer).collect();

    let classifier = open_classifier(&config("tiny-classifier"))?;
    let rate = best(|| classifier.score(&pairs).expect("the model runs").len());
    say(classifier.identity(), "classifier", rate, "pairs/s");

    let model = open_language_model(&config("tiny-language-model"))?;
    let rate = best(|| {
        let mut sequences = model.tokens(&texts).expect("the tokenizer runs");
        sequences.iter_mut().for_each(|tokens| tokens.truncate(model.identity().max_word_pieces));
        let sequence = |tokens: Vec<u32>| Sequence { tokens, from: 5, watched: Vec::new() };
        model.read(&sequences.into_iter().map(sequence).collect::<Vec<_>>()).expect("the model runs").len()
    });
    say(model.identity(), "language model", rate, "sequences/s");

    let embedder = open(&config("tiny-mpnet"))?;
    let rate = best(|| embedder.embed(&texts).expect("the model runs").len());
    say(embedder.identity(), "embedder, pooled outside the graph", rate, "texts/s");
    Ok(())
}

fn say(identity: &ModelIdentity, what: &str, rate: f64, unit: &str) {
    let ModelIdentity { name, runtime, runtime_version, provider, .. } = identity;
    println!("{runtime} {runtime_version} {provider} {what} {name} b={AT_ONCE}: {rate:.0} {unit}");
}

fn best(run: impl Fn() -> usize) -> f64 {
    let once = || {
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed() < RUN {
            done += run();
        }
        done as f64 / start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(|_| once()).fold(0.0, f64::max)
}
