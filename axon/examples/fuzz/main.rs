//! `make fuzz`: every reader of network input on bytes that nobody meant.
//!
//! Inputs are mutations of the seeds in `axon/fuzz/<target>/`, which are kept. A reader must not panic and must keep what it
//! promises of what it accepts. What breaks one is written beside the seeds, so that it is tried first from then on, and the run
//! ends with 1. `fuzz [--minutes M] [--seed S] [TARGET…]`; one thread a core.
#![allow(clippy::print_stdout)]

mod mutation;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mutation::{Random, mutated};
use targets::{TARGETS, Target};

/// Longest input: beyond what a head may have, and enough for a body's structure.
const LONGEST: usize = 48 << 10;

fn seeds(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(target.name)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        arguments
            .iter()
            .position(|argument| argument == name)
            .and_then(|at| arguments.get(at + 1))
            .map(|v| v.parse::<f64>())
    };
    let minutes = option("--minutes").transpose()?.unwrap_or(10.0);
    let seed = option("--seed").transpose()?.map_or_else(from_the_clock, |seed| seed as u64);
    let named: Vec<&Target> = TARGETS.iter().filter(|t| arguments.iter().any(|argument| argument == t.name)).collect();
    let chosen = if named.is_empty() { TARGETS.iter().collect() } else { named };
    let mut all_hold = true;
    for target in chosen {
        all_hold &= run(target, Duration::from_secs_f64(minutes * 60.0), seed)?;
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn from_the_clock() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 & 0xffff_ffff)
}

/// Runs a target for a time; false when an input broke it.
fn run(target: &Target, time: Duration, seed: u64) -> std::io::Result<bool> {
    let mut known = Vec::new();
    for entry in std::fs::read_dir(seeds(target))? {
        known.push(std::fs::read(entry?.path())?);
    }
    known.sort();
    if let Some(broken) = known.iter().find(|input| !holds(target, input)) {
        println!("FAIL  {}: a kept input of {} bytes", target.name, broken.len());
        return Ok(false);
    }
    let (begun, tried, over) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let broken = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let mut random = Random::new(seed ^ (thread.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let mut pool = known.clone();
            while begun.elapsed() < time && !over.load(Ordering::Relaxed) {
                let mut input = mutated(&pool, &mut random);
                input.truncate(LONGEST);
                tried.fetch_add(1, Ordering::Relaxed);
                if !holds(target, &input) {
                    over.store(true, Ordering::Relaxed);
                    return Some(input);
                }
                // Some descendants become parents, so that mutations add up.
                if random.below(64) == 0 {
                    let at = random.below(pool.len().max(1));
                    if pool.len() < 1024 {
                        pool.push(input);
                    } else if at >= known.len() {
                        pool[at] = input;
                    }
                }
            }
            None
        };
        let running: Vec<_> = (0..threads as u64).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().find_map(|thread| thread.join().ok().flatten())
    });
    let (tried, seconds) = (tried.into_inner(), begun.elapsed().as_secs());
    let Some(input) = broken else {
        println!("ok    {}: {tried} inputs in {seconds} s, seed {seed}", target.name);
        return Ok(true);
    };
    let path = seeds(target).join(format!("broken-{seed}-{tried}"));
    std::fs::write(&path, &input)?;
    println!("FAIL  {}: after {tried} inputs, seed {seed}: {}", target.name, path.display());
    Ok(false)
}

fn holds(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_ok()
}
