//! Time of the pure functions, one line each: `name ours peer ratio`, `-` where there is no peer.
//!
//! `cargo bench -p domain --bench domain -- [--quick] [loosh] [cgp] [fold]`. One thread, median of several runs. The peer of Conversation Genome's scoring is a
//! numpy script beside this file, on the same numbers; it needs `ASSAY_PYTHON`, a Python with numpy (`make bench-domain` sees to that).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench measures time and starts its peer"
)]

mod cgp;
mod fold;
mod loosh;

use domain::draw::Stream;
use domain::types::sha256;
use std::hint::black_box;
use std::time::Instant;

/// How long one figure is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    runs: usize,
    seconds: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let quick = words.iter().any(|word| word == "--quick");
    let named = |name: &str| words.iter().all(|word| word == "--quick") || words.iter().any(|word| word == name);
    let effort = if quick { Effort { runs: 3, seconds: 0.2 } } else { Effort { runs: 9, seconds: 0.5 } };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("# one thread of {cores} cores; median of {} runs of {} s", effort.runs, effort.seconds);
    if named("loosh") {
        loosh::run(effort);
    }
    if named("cgp") {
        cgp::run(effort);
    }
    if named("fold") {
        fold::run(effort);
    }
}

/// Median seconds of one call.
pub(crate) fn time<T>(effort: Effort, mut work: impl FnMut() -> T) -> f64 {
    black_box(work());
    let mut seconds: Vec<f64> = (0..effort.runs)
        .map(|_| {
            let (begun, mut calls) = (Instant::now(), 0u32);
            while begun.elapsed().as_secs_f64() < effort.seconds {
                black_box(work());
                calls += 1;
            }
            begun.elapsed().as_secs_f64() / f64::from(calls)
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

pub(crate) fn line(name: &str, ours: f64, peer: Option<f64>) {
    match peer {
        Some(peer) => println!("{name} {ours:.4} {peer:.4} {:.2}", peer / ours),
        None => println!("{name} {ours:.4} - -"),
    }
}

/// Vectors of a topic: near each other, each with a noise of its own.
pub(crate) fn vectors(topic: &str, count: usize, dimensions: usize) -> Vec<Vec<f64>> {
    let numbers = |label: &str| -> Vec<f64> {
        let mut stream = Stream::new(sha256(label.as_bytes()), "bench");
        (0..dimensions).map(|_| (stream.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0).collect()
    };
    let centre = numbers(topic);
    let near = |at: usize| {
        let noise = numbers(&format!("{topic} {at}"));
        centre.iter().zip(noise).map(|(centre, noise)| centre + 0.7 * noise).collect::<Vec<f64>>()
    };
    (0..count).map(near).collect()
}
