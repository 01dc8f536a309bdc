//! `make fuzz`: each target for some minutes, one thread a core.
//!
//! `fuzz [--minutes M] [--seed S] [--only NAME]… [--list]`. Each target runs in a process of its own, whose memory and time are
//! bounded, so that a stack that overflows, memory that runs out and a reader that never ends are found as a panic is. Ends with
//! 1 when a target was broken; the input is then kept beside the seeds.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use fuzz::{Limits, Outcome, Target, folder, holds, run, targets};

/// What a target may take of the address space, in KiB: metadata and its descendants take a tenth.
const MEMORY_KIB: u64 = 8 << 20;
/// What a target may take beyond its time, for its start and for the input that is tried at the end.
const GRACE: Duration = Duration::from_secs(90);
/// How long an input may take that is tried alone.
const ALONE: Duration = Duration::from_secs(30);

type Fault = Box<dyn std::error::Error>;

/// What the command line says.
struct Arguments {
    minutes: f64,
    seed: u64,
    only: Vec<String>,
    list: bool,
    /// This is the process of one target, with its journal there.
    journal: Option<PathBuf>,
    /// This is the process of one input.
    alone: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Fault> {
    let clock = std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 & 0xffff_ffff);
    let mut read = Arguments { minutes: 10.0, seed: clock, only: Vec::new(), list: false, journal: None, alone: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--minutes" => read.minutes = value()?.parse()?,
            "--seed" => read.seed = value()?.parse()?,
            "--only" => read.only.push(value()?),
            "--list" => read.list = true,
            "--journal" => read.journal = Some(value()?.into()),
            "--alone" => read.alone = Some(value()?.into()),
            other => return Err(format!("{other}: fuzz [--minutes M] [--seed S] [--only NAME]… [--list]").into()),
        }
    }
    if !(0.0..=10_000.0).contains(&read.minutes) {
        return Err("--minutes is from 0 to 10,000".into());
    }
    Ok(read)
}

fn chosen(only: &[String]) -> Result<Vec<Target>, Fault> {
    let all = targets();
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|target| target.name == name.as_str())) {
        let known: Vec<&str> = all.iter().map(|target| target.name).collect();
        return Err(format!("there is no target {unknown:?}; there are {}", known.join(", ")).into());
    }
    Ok(all.into_iter().filter(|target| only.is_empty() || only.iter().any(|name| name == target.name)).collect())
}

fn main() -> Result<ExitCode, Fault> {
    let arguments = arguments()?;
    let chosen = chosen(&arguments.only)?;
    if arguments.list {
        chosen.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    let mut all_hold = true;
    for target in &chosen {
        all_hold &= if let Some(input) = &arguments.alone {
            holds(target, &std::fs::read(input)?).is_some()
        } else if let Some(journal) = &arguments.journal {
            one(target, &arguments, journal)?
        } else {
            guarded(target, &arguments)?
        };
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a target in this process and tells what came out; false when an input broke it.
fn one(target: &Target, arguments: &Arguments, journal: &Path) -> Result<bool, Fault> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    let limits = Limits { time, seed: arguments.seed, threads, journal: Some(journal.to_owned()) };
    let begun = Instant::now();
    let found = run(target, &limits)?;
    let Outcome { tried, accepted, slowest, slowest_input, failure, .. } = found;
    let slowest = format!("slowest {slowest:.1?} for {} bytes", slowest_input.len());
    let Some(failure) = failure else {
        let (name, seconds) = (target.name, begun.elapsed().as_secs());
        println!("ok    {name}: {tried} inputs, {accepted} accepted, {slowest}, {seconds} s, seed {}", arguments.seed);
        return Ok(true);
    };
    let path = match failure.path {
        Some(path) => path,
        None => keep(target, &failure.input, arguments.seed)?,
    };
    println!(
        "FAIL  {}: after {tried} inputs, seed {}: {}: {}",
        target.name,
        arguments.seed,
        failure.problem,
        path.display()
    );
    Ok(false)
}

/// Writes what broke a target beside its seeds.
fn keep(target: &Target, input: &[u8], seed: u64) -> Result<PathBuf, Fault> {
    let folder = folder(target);
    std::fs::create_dir_all(&folder)?;
    for number in 0u32.. {
        let path = folder.join(format!("broken-{seed}-{number}"));
        if !path.exists() {
            std::fs::write(&path, input)?;
            return Ok(path);
        }
    }
    Err("there are too many broken inputs".into())
}

/// Runs a target in a process of its own; false when an input broke it.
fn guarded(target: &Target, arguments: &Arguments) -> Result<bool, Fault> {
    let journal = tempfile::tempdir()?;
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    let (minutes, seed) = (arguments.minutes.to_string(), arguments.seed.to_string());
    let path = journal.path().to_str().ok_or("the folder of temporary files has an unusual name")?;
    let ended =
        process(&["--only", target.name, "--minutes", &minutes, "--seed", &seed, "--journal", path], time + GRACE)?;
    match ended.and_then(|status| status.code()) {
        Some(0) => return Ok(true),
        Some(1) => return Ok(false),
        _ => {}
    }
    let how = ended.map_or("did not end".to_owned(), |status| format!("ended with {status}"));
    let mut kept = 0;
    for entry in std::fs::read_dir(journal.path())? {
        let Some(input) = journalled(&std::fs::read(entry?.path())?) else { continue };
        let candidate = journal.path().join("alone");
        std::fs::write(&candidate, &input)?;
        let alone = candidate.to_str().ok_or("the folder of temporary files has an unusual name")?;
        let status = process(&["--only", target.name, "--alone", alone], ALONE)?;
        if status.is_none_or(|status| !status.success()) {
            let path = keep(target, &input, arguments.seed)?;
            println!("FAIL  {}: the process {how}: {}", target.name, path.display());
            kept += 1;
        }
    }
    if kept == 0 {
        println!("FAIL  {}: the process {how}, but with none of its last inputs alone; seed {seed}", target.name);
    }
    Ok(false)
}

/// The input in a thread's journal; none when the thread ended.
fn journalled(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?).map(<[u8]>::to_vec)
}

/// This program with bounded memory and time; none when the time was not enough.
fn process(arguments: &[&str], time: Duration) -> Result<Option<ExitStatus>, Fault> {
    let program = std::env::current_exe()?;
    let bounded = format!("ulimit -v {MEMORY_KIB}; ulimit -c 0; exec \"$0\" \"$@\"");
    let mut child = Command::new("sh").arg("-c").arg(bounded).arg(program).args(arguments).spawn()?;
    let end = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
