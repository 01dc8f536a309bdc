//! One target on changed inputs for a time, in this process.
//!
//! Each thread writes the input that it is about to try into a journal: a reader that ends the whole process (a stack that
//! overflows, memory that runs out) or that never ends has its input there.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mutation::{Random, mutated};
use crate::targets::Target;

/// Inputs that are changed further, besides the seeds.
const DESCENDANTS: usize = 1024;
/// How many bytes descendants may have in all: 1,024 of the usual ones.
const BYTES_OF_DESCENDANTS: usize = 64 << 20;
/// No input of the lengths here is worth more time, on the slowest machine under the heaviest load.
const SLOWEST: Duration = Duration::from_secs(20);

/// For how long, and how.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long.
    pub time: Duration,
    /// What the inputs follow from.
    pub seed: u64,
    /// How many threads, at least 1.
    pub threads: usize,
    /// Where each thread writes the input that it is about to try.
    pub journal: Option<PathBuf>,
}

/// What a run found out.
#[derive(Debug)]
pub struct Outcome {
    /// Inputs that were tried, seeds included.
    pub tried: u64,
    /// Those of them that the reader took for what it reads.
    pub accepted: u64,
    /// Seeds that the reader took.
    pub accepted_seeds: usize,
    /// The longest time that an input took.
    pub slowest: Duration,
    /// The input that took it.
    pub slowest_input: Vec<u8>,
    /// The input that broke the reader, and how.
    pub failure: Option<Failure>,
}

/// An input that broke a reader.
#[derive(Debug)]
pub struct Failure {
    /// It.
    pub input: Vec<u8>,
    /// The path of a kept one.
    pub path: Option<PathBuf>,
    /// What happened.
    pub problem: String,
}

/// Where a target's seeds are kept, and what broke it.
#[must_use]
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target.name)
}

/// The seeds: the kept ones with their paths in the order of their names, then those that are made.
///
/// # Errors
/// A file that cannot be read. That there is no folder is none.
pub fn seeds(target: &Target) -> std::io::Result<Vec<(Option<PathBuf>, Vec<u8>)>> {
    let mut paths = Vec::new();
    match std::fs::read_dir(folder(target)) {
        Ok(entries) => {
            for entry in entries {
                paths.push(entry?.path());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let input = std::fs::read(&path)?;
        found.push((Some(path), input));
    }
    found.extend((target.made)().into_iter().map(|input| (None, input)));
    Ok(found)
}

/// Whether the reader accepts an input; none when the input breaks it.
#[must_use]
pub fn holds(target: &Target, input: &[u8]) -> Option<bool> {
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).ok()
}

/// What one thread has found.
struct Found<'a> {
    target: &'a Target,
    journal: Option<File>,
    tried: u64,
    accepted: u64,
    slowest: (Duration, Vec<u8>),
}

impl<'a> Found<'a> {
    fn new(target: &'a Target, limits: &Limits, thread: usize) -> std::io::Result<Self> {
        let file = |folder: &PathBuf| File::create(folder.join(thread.to_string()));
        let journal = limits.journal.as_ref().map(file).transpose()?;
        Ok(Self { target, journal, tried: 0, accepted: 0, slowest: (Duration::ZERO, Vec::new()) })
    }

    /// Tries an input: whether it is accepted, or what is wrong.
    fn try_one(&mut self, input: &[u8]) -> Result<bool, String> {
        if let Some(journal) = &self.journal {
            let line = [&(input.len() as u64).to_le_bytes(), input].concat();
            journal.write_all_at(&line, 0).map_err(|error| format!("the journal cannot be written: {error}"))?;
        }
        let begun = Instant::now();
        let accepted = holds(self.target, input);
        let taken = begun.elapsed();
        self.tried += 1;
        if taken > self.slowest.0 {
            self.slowest = (taken, input.to_vec());
        }
        if taken > SLOWEST {
            return Err(format!("it took {taken:?}"));
        }
        let accepted = accepted.ok_or_else(|| "the reader panicked".to_owned())?;
        self.accepted += u64::from(accepted);
        Ok(accepted)
    }

    /// Leaves nothing in the journal: this thread ended as it should.
    fn end(&self) {
        if let Some(journal) = &self.journal {
            // An input that is left there is tried once more, alone.
            let _ = journal.set_len(0);
        }
    }
}

/// Runs a target: all its seeds, then mutations of them until the time is over or one breaks it.
///
/// # Errors
/// Seeds that cannot be read, a journal that cannot be written.
pub fn run(target: &Target, limits: &Limits) -> std::io::Result<Outcome> {
    let known = seeds(target)?;
    let mut first = Found::new(target, limits, 0)?;
    let mut accepted_seeds = 0;
    for (path, input) in &known {
        match first.try_one(input) {
            Ok(accepted) => accepted_seeds += usize::from(accepted),
            Err(problem) => {
                first.end();
                let failure = Failure { input: input.clone(), path: path.clone(), problem };
                return Ok(outcome(&[first], accepted_seeds, Some(failure)));
            }
        }
    }
    first.end();
    let known: Vec<Vec<u8>> = known.into_iter().map(|(_, input)| input).collect();
    let mut threads = vec![];
    for thread in 1..=limits.threads.max(1) {
        threads.push(Found::new(target, limits, thread)?);
    }
    let (end, over) = (Instant::now() + limits.time, AtomicBool::new(false));
    let number = AtomicU64::new(0);
    let ended: Vec<(Found<'_>, Option<Failure>)> = std::thread::scope(|scope| {
        let work = |found| {
            let thread = number.fetch_add(1, Ordering::Relaxed);
            let random = Random::new(limits.seed ^ thread.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            changed(found, &known, random, (end, &over))
        };
        let running: Vec<_> = threads.into_iter().map(|found| scope.spawn(move || work(found))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut all = vec![first];
    let mut failure = None;
    for (found, broken) in ended {
        all.push(found);
        failure = failure.or(broken);
    }
    Ok(outcome(&all, accepted_seeds, failure))
}

/// Changes inputs until the end or until one breaks the reader.
fn changed<'a>(
    mut found: Found<'a>,
    known: &[Vec<u8>],
    mut random: Random,
    (end, over): (Instant, &AtomicBool),
) -> (Found<'a>, Option<Failure>) {
    let mut pool = known.to_vec();
    let mut bytes: usize = 0;
    let mut failure = None;
    while Instant::now() < end && !over.load(Ordering::Relaxed) {
        let mut input = mutated(&pool, &mut random);
        input.truncate(found.target.longest);
        match found.try_one(&input) {
            Ok(accepted) => {
                // Some descendants become parents, so that mutations add up; rather those that went deep.
                if random.below(if accepted { 16 } else { 256 }) == 0 {
                    bytes += input.len();
                    if pool.len() - known.len() >= DESCENDANTS || bytes > BYTES_OF_DESCENDANTS {
                        pool.truncate(known.len());
                        bytes = input.len();
                    }
                    pool.push(input);
                }
            }
            Err(problem) => {
                over.store(true, Ordering::Relaxed);
                failure = Some(Failure { input, path: None, problem });
            }
        }
    }
    found.end();
    (found, failure)
}

fn outcome(all: &[Found<'_>], accepted_seeds: usize, failure: Option<Failure>) -> Outcome {
    let slowest = all.iter().max_by_key(|found| found.slowest.0).map(|found| found.slowest.clone());
    let (slowest, slowest_input) = slowest.unwrap_or_default();
    Outcome {
        tried: all.iter().map(|found| found.tried).sum(),
        accepted: all.iter().map(|found| found.accepted).sum(),
        accepted_seeds,
        slowest,
        slowest_input,
        failure,
    }
}
