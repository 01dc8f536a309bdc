//! Reading, auditing and storing: what comes after the append.
//!
//! `cargo bench -p ledger --bench reading -- [--quick] [--runs 5] [--directory DIR] [reading] [audit] [memory] [bytes]`. Without a
//! choice of parts all are measured. Prints the settings, then a line each: `name ours peer ratio`, where `-` stands for a
//! peer that has no such thing. All data is made here from the same seed, by the functions that a validator uses; only the
//! vectors and the texts are invented.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs
)]

#[path = "../ledger/server.rs"]
mod server;
#[path = "../../../audit/tests/support/mod.rs"]
mod support;

mod auditing;
mod bytes;
mod mix;
mod peer;
mod reading;
mod stored;

use std::path::PathBuf;

/// What to measure, and how long.
pub(crate) struct Arguments {
    /// Fewer runs of less.
    pub(crate) quick: bool,
    pub(crate) runs: usize,
    directory: Option<PathBuf>,
    parts: Vec<String>,
}

impl Arguments {
    fn parse() -> Self {
        let mut found = Self { quick: false, runs: 0, directory: None, parts: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => found.quick = true,
                "--runs" => found.runs = words.next().and_then(|w| w.parse().ok()).expect("--runs takes a number"),
                "--directory" => found.directory = words.next().map(Into::into),
                // How long the bench of the append measures; the two share their arguments.
                "--seconds" => drop(words.next()),
                // What cargo passes to every bench.
                "--bench" => {}
                "reading" | "audit" | "memory" | "bytes" => found.parts.push(word),
                other => panic!("unknown argument {other}"),
            }
        }
        if found.runs == 0 {
            found.runs = if found.quick { 3 } else { 5 };
        }
        found
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

/// One thread: what is measured here is one core's work beside the server's.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == auditing::CHILD) {
        return auditing::child(&words[1..]).await;
    }
    let arguments = Arguments::parse();
    let cluster = server::start(arguments.directory.clone()).await;
    let url = cluster.url();
    server::print_server(&url).await;
    ledger::migrate::run(&url).await.unwrap();
    let rounds = |full: usize, quick: usize| if arguments.quick { quick } else { full };
    if arguments.wants("reading") {
        reading::run(&url, cluster.process().unwrap(), &arguments, rounds(2_000, 400)).await;
    }
    if arguments.wants("bytes") {
        bytes::run(&url, rounds(20, 10)).await;
    }
    if arguments.wants("audit") {
        auditing::time(&url, &arguments, rounds(100, 100)).await;
    }
    if arguments.wants("memory") {
        auditing::memory(&url, 100, rounds(1_000, 300)).await;
    }
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A figure that no peer has.
pub(crate) fn line(name: &str, ours: f64, digits: usize) {
    println!("{name} {ours:.digits$} - -");
}
