//! Sentences a second, one and 32 at a time, on each runtime: `cargo bench -p inference`.
//!
//! Sentences have about 24 word pieces; tokenising is included. Each figure is the best of three runs of two seconds,
//! since other programs of the machine only ever make it slower. `cargo bench -p inference -- --cuda` requires the GPU.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use inference::{Embedder, EmbeddingConfig, Error, Provider, Runtime, open};

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
    let cuda = std::env::args().any(|argument| argument == "--cuda");
    let provider = if cuda { Provider::Cuda { device: 0, required: true } } else { Provider::Cpu };
    let runtimes = if cuda { vec![Runtime::OnnxRuntime] } else { vec![Runtime::OnnxRuntime, Runtime::PureRust] };
    for runtime in runtimes {
        match open(&EmbeddingConfig { runtime, provider, ..EmbeddingConfig::discover() }) {
            Ok(embedder) => {
                let identity = embedder.identity();
                for at_once in [1, 32, 128] {
                    let rate = (0..RUNS).map(|_| rate(embedder.as_ref(), &sentences, at_once)).fold(0.0, f64::max);
                    println!(
                        "{} {} {} b={at_once}: {rate:.0} sentences/s",
                        identity.runtime, identity.runtime_version, identity.provider
                    );
                }
            }
            Err(error @ Error::LibraryUnusable { .. }) if !cuda => println!("onnxruntime: {error}"),
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if let Some(peak) = peak_memory() {
        println!("peak memory of the whole run: {peak}");
    }
    ExitCode::SUCCESS
}

/// The process's largest resident set, where the system tells (Linux).
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|peak| peak.trim().to_owned())
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
