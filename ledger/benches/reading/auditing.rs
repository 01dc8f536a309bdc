//! Time and memory of an audit: 64 miners a round, 20 sentences an answer, under both rule sets with their rounds widened to
//! 64 miners; from a bundle and from the database.
//!
//! Each audit runs in a process of its own, so that its peak memory is that of the audit alone. The log is made by another
//! one, which holds all of it.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use audit::bundle::{self, Header, Item, Reader, Writer};
use audit::replay::{Replay, Settings};
use audit::{Report, Verdict};
use ledger::LedgerReader;
use tlog::Frontier;

use crate::stored::{Filling, discard};
use crate::support::load;
use crate::support::seal::{Signers, seal};
use crate::{Arguments, line, median};

/// The first argument of a process that this bench starts.
pub(crate) const CHILD: &str = "audit-process";

const MINERS: u16 = 64;
const SENTENCES: usize = 20;
const RULE_SETS: [&str; 2] = ["readme", "1.2.8"];

/// What one audit took.
#[derive(Clone, Copy)]
struct Took {
    seconds: f64,
    /// Largest resident set, in MiB.
    peak: f64,
}

/// Audits of so many rounds: seconds, medians.
pub(crate) async fn time(url: &str, arguments: &Arguments, rounds: usize) {
    for base in RULE_SETS {
        let log = Log::make(url, base, rounds).await;
        let mut results: [Vec<f64>; 2] = Default::default();
        for run in 0..arguments.runs {
            let (from_bundle, from_database) = (log.audit_bundle(), log.audit_database(url));
            println!("# run {run} {base}: bundle {from_bundle}, database {from_database}");
            results[0].push(from_bundle.seconds);
            results[1].push(from_database.seconds);
        }
        let [from_bundle, from_database] = results.map(median);
        line(&format!("audit-{rounds}-rounds-loosh/{base}-bundle-seconds"), from_bundle, 2);
        line(&format!("audit-{rounds}-rounds-loosh/{base}-database-seconds"), from_database, 2);
        log.discard(url).await;
    }
}

/// Peak memory of audits of few and of many rounds, in MiB, and how much more the second takes.
pub(crate) async fn memory(url: &str, few: usize, many: usize) {
    for base in RULE_SETS {
        let mut peaks: Vec<[f64; 2]> = Vec::new();
        for rounds in [few, many] {
            let log = Log::make(url, base, rounds).await;
            let (from_bundle, from_database) = (log.audit_bundle(), log.audit_database(url));
            println!("# {base}, {rounds} rounds, {} MiB: bundle {from_bundle}, database {from_database}", log.size());
            peaks.push([from_bundle.peak, from_database.peak]);
            log.discard(url).await;
        }
        for (place, source) in ["bundle", "database"].into_iter().enumerate() {
            let [few_peak, many_peak] = [peaks[0][place], peaks[1][place]];
            line(&format!("audit-{few}-rounds-loosh/{base}-{source}-peak-mebibytes"), few_peak, 1);
            line(&format!("audit-{many}-rounds-loosh/{base}-{source}-peak-mebibytes"), many_peak, 1);
            let growth = (many_peak / few_peak - 1.0) * 100.0;
            line(&format!("audit-{many}-over-{few}-rounds-loosh/{base}-{source}-peak-percent-more"), growth, 1);
        }
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.2} s, {:.1} MiB at most", self.seconds, self.peak)
    }
}

/// The same log as a bundle and in the database.
struct Log {
    path: PathBuf,
    origin: String,
}

impl Log {
    async fn make(url: &str, base: &str, rounds: usize) -> Self {
        let path = std::env::temp_dir().join(format!("assay-bench-{}-{base}-{rounds}.assay", std::process::id()));
        start(&["write", path.to_str().unwrap(), base, &rounds.to_string()]);
        let origin = format!("bench/{base}/{rounds}");
        let mut reader = Reader::open(BufReader::new(File::open(&path).unwrap())).unwrap();
        let mut filling = Filling::begin(url, &origin).await;
        while let Some(item) = reader.next_item().unwrap() {
            if let Item::Event(recorded) = item {
                filling.push(recorded).await;
            }
        }
        filling.finish(url).await;
        Self { path, origin }
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len() >> 20
    }

    fn audit_bundle(&self) -> Took {
        took(&start(&["bundle", self.path.to_str().unwrap()]))
    }

    fn audit_database(&self, url: &str) -> Took {
        took(&start(&["database", url, &self.origin]))
    }

    async fn discard(self, url: &str) {
        std::fs::remove_file(&self.path).unwrap();
        discard(url, &self.origin).await;
    }
}

/// Runs this program once more and returns what it printed.
fn start(words: &[&str]) -> String {
    let output = Command::new(std::env::current_exe().unwrap()).arg(CHILD).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn took(printed: &str) -> Took {
    let mut numbers = printed.split_whitespace().map(|number| number.parse().unwrap());
    Took { seconds: numbers.next().unwrap(), peak: numbers.next().unwrap() }
}

/// What a process started by this bench does.
pub(crate) async fn child(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let report = match words.as_slice() {
        ["write", path, base, rounds] => return write(Path::new(path), base, rounds.parse().unwrap()),
        ["bundle", path] => bundle::audit(BufReader::new(File::open(path).unwrap()), Settings::default()).unwrap(),
        ["database", url, origin] => audit_database(url, origin).await,
        other => panic!("unknown {other:?}"),
    };
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    println!("{seconds} {}", peak() as f64 / 1024.0);
}

async fn audit_database(url: &str, origin: &str) -> Report {
    let reader = LedgerReader::open(url, origin).await.unwrap();
    let range = reader.epoch_range(0).await.unwrap().unwrap();
    let mut replay = Replay::new(Settings { epoch: Some(0), chain: None });
    reader.feed(&range, &mut replay).await.unwrap();
    replay.finish()
}

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

/// Kibibytes of this process's largest resident set so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap()
}
