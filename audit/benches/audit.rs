//! Time and memory of an audit from a bundle: rounds × 64 miners, 20 sentences an answer, both shipped rule sets (with rounds
//! of 64).
//!
//! `cargo bench -p audit` prints a line for each: `name seconds MiB-of-bundle MiB-at-peak`. The bundle is written to a file
//! first by a process of its own, so that the peak is that of the audit alone. `ROUNDS` overrides the number of rounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use audit::bundle::{Header, Writer};
use audit::{Settings, Verdict, bundle};
use support::load;
use support::seal::{Signers, seal};
use tlog::Frontier;

const MINERS: u16 = 64;
const SENTENCES: usize = 20;

fn write(path: &Path, base: &str, rounds: usize) {
    let world = load::world(base, rounds, MINERS, SENTENCES);
    let log = seal(&world);
    let end = log.leaves.len() as u64;
    let checkpoint = Signers::of(&world).checkpoint(end, log.frontier_at(end).root());
    let (origin, frontier) = (world.opened.origin.clone(), Frontier::new());
    let header = Header { origin, epoch: Some(0), from: 0, end, checkpoint, frontier };
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap()), &header).unwrap();
    for recorded in &log.records {
        writer.event(recorded).unwrap();
    }
    writer.finish(&[]).unwrap();
}

/// Kilobytes of this process's largest resident set so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn read(path: &Path, name: &str) {
    let begun = Instant::now();
    let report = bundle::audit(BufReader::new(File::open(path).unwrap()), Settings::default()).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    let size = std::fs::metadata(path).unwrap().len() >> 20;
    println!("{name} {seconds:.2} {size} {}", peak() >> 10);
    println!("  {}", report.last_line());
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [verb, path, base, rounds] = arguments.as_slice() {
        let (path, rounds) = (Path::new(path), rounds.parse().unwrap());
        return if verb == "write" { write(path, base, rounds) } else { read(path, &format!("audit-{base}-{rounds}")) };
    }
    let chosen = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: Vec<usize> = chosen.map_or_else(|| vec![100, 1000], |rounds| vec![rounds]);
    let folder = std::env::temp_dir().join(format!("assay-audit-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = std::env::current_exe().unwrap();
    for base in ["readme", "1.2.8"] {
        for rounds in rounds.iter().map(ToString::to_string) {
            let path = folder.join(format!("{base}-{rounds}.assay"));
            for verb in ["write", "read"] {
                let status = Command::new(&program).arg(verb).arg(&path).args([base, &rounds]).status().unwrap();
                assert!(status.success());
            }
            std::fs::remove_file(&path).unwrap();
        }
    }
    std::fs::remove_dir(&folder).unwrap();
}
