//! Sentences a second, one and 32 at a time, on each runtime: `cargo bench -p inference`.
//!
//! Sentences have about 24 word pieces; tokenising is included. Each figure is the best of three runs of two seconds,
//! since other programs of the machine only ever make it slower.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use inference::{Embedder, EmbeddingConfig, Error, Runtime, open};

const RUNS: usize = 3;
const RUN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let sentences: Vec<String> = (0..256)
        .map(|n| {
            format!(
                "In round {n} the validator asked {} miners about rivers, and the longest of the answers named {} towns on their banks.",
                n % 13,
                n * 7 % 31
            )
        })
        .collect();
    for runtime in [Runtime::OnnxRuntime, Runtime::PureRust] {
        match open(&EmbeddingConfig { runtime, ..EmbeddingConfig::discover() }) {
            Ok(embedder) => {
                let identity = embedder.identity();
                for at_once in [1, 32, 128] {
                    let rate = (0..RUNS).map(|_| rate(embedder.as_ref(), &sentences, at_once)).fold(0.0, f64::max);
                    println!("{} {} b={at_once}: {rate:.0} sentences/s", identity.runtime, identity.runtime_version);
                }
            }
            Err(error @ Error::LibraryUnusable { .. }) => println!("onnxruntime: {error}"),
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn rate(embedder: &dyn Embedder, sentences: &[String], at_once: usize) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < RUN {
        for chunk in sentences.chunks(at_once) {
            done += embedder.embed(chunk).expect("the model runs").len();
            if start.elapsed() >= RUN {
                break;
            }
        }
    }
    done as f64 / start.elapsed().as_secs_f64()
}
