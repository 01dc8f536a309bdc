//! `chaos`: kills the validator with SIGKILL and crashes its database, again and again, and then counts what is left.
//!
//! PostgreSQL, the development chain, the miners and a client that pushes challenges all the time are real; each cycle
//! starts a validator process and breaks something at one named point. What the client was told with a 201 is on its disk
//! before it counts; at the end the log, the chain and that book are compared. `docs/chaos.md` says what is checked and why.
//!
//! It must never break anything but what it started itself.

mod book;
mod chance;
mod checks;
mod child;
mod cycle;
mod evidence;
mod finale;
mod options;
mod points;
mod proxy;
mod pusher;
mod report;
mod stage;
mod witness;

use anyhow::{Context, Result};
use book::Book;
use chance::Chance;
use checks::Check;
use clap::Parser;
use cycle::Cycle;
use evidence::Evidence;
use options::Options;
use points::Point;
use pusher::Pusher;
use report::{Report, Summary};
use stage::Stage;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let options = Options::parse();
    let report = Report { json: options.json };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let failed = |error: anyhow::Error| {
        report.error(&error);
        ExitCode::from(2)
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let code = runtime.block_on(run(&options, report));
    runtime.shutdown_timeout(Duration::from_secs(5));
    code.unwrap_or_else(failed)
}

async fn run(options: &Options, report: Report) -> Result<ExitCode> {
    if options.points == ["list"] {
        points::all().iter().for_each(|point| report.line(point.to_string()));
        return Ok(ExitCode::SUCCESS);
    }
    let seed = options.seed.unwrap_or_else(seed_of_the_clock);
    let points = points::named(&options.points)?;
    let folder = folder(seed)?;
    report.line(format!(
        "chaos: seed {seed}, {} cycles over {} points, in {}",
        options.cycles,
        points.len(),
        folder.display()
    ));
    let outcome = tokio::select! {
        outcome = whole(options, report, seed, &points, &folder) => outcome,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    let holds = matches!(&outcome, Ok(summary) if summary.holds);
    if options.keep || !holds {
        report.line(format!("chaos: logs and data are in {}; again with --seed {seed}", folder.display()));
    } else {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    report.summary(&outcome?)?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ctrl-C, or SIGTERM as a build server sends it: everything that was started is stopped either way.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn whole(options: &Options, report: Report, seed: u64, points: &[Point], folder: &Path) -> Result<Summary> {
    let begun = Instant::now();
    let mut chance = Chance::new(seed);
    let mut stage = Stage::start(folder.to_owned()).await?;
    report.line(format!("chaos: database, chain and miners are up after {:.1} s", begun.elapsed().as_secs_f64()));
    let mut pusher = Pusher::start(&stage.url(), Book::create(folder.join("acknowledged.jsonl"))?, &mut chance)?;
    let mut cycles = Vec::new();
    for (number, point) in (1..).zip(points::plan(points, options.cycles, &mut chance)) {
        let cycle = cycle::run(&mut stage, &mut pusher, number, point, &mut chance).await;
        let cycle = cycle.with_context(|| format!("cycle {number}, {point}"))?;
        report.cycle(&cycle, options.cycles);
        cycles.push(cycle);
    }
    report.line("chaos: an undisturbed validator brings everything to its end");
    let (counts, book, second) = finale::run(&mut stage, pusher).await?;
    let evidence = Evidence::read(&stage, counts, &book).await?;
    let mut checks = vec![hit(&cycles, points, options.cycles), second];
    checks.extend(checks::all(&evidence));
    checks.extend(finale::commands(&stage).await?);
    checks.iter().for_each(|check| report.check(check));
    let (validators_started, slots_changed) = (stage.starts(), stage.seats_changed());
    stage.stop().await?;
    let holds = checks.iter().all(|check| check.holds);
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Summary { seed, seconds, validators_started, slots_changed, client: counts, cycles, checks, holds })
}

/// Each point was hit, as far as there were cycles enough.
fn hit(cycles: &[Cycle], points: &[Point], wanted: u32) -> Check {
    let hit: BTreeSet<&str> = cycles.iter().map(|cycle| cycle.point.as_str()).collect();
    let missed = points.iter().map(Point::to_string).filter(|name| !hit.contains(name.as_str()));
    let missed: Vec<String> = missed.map(|name| format!("{name} was not hit")).collect();
    let few = (wanted as usize) < points.len();
    let figures =
        format!("{} of {} points{}", hit.len(), points.len(), if few { ", fewer cycles than points" } else { "" });
    Check::of("every point was hit", figures, if few { Vec::new() } else { missed })
}

fn seed_of_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed again.
    u64::from(since.subsec_micros()) + since.as_secs() % 1_000 * 1_000_000
}

/// A folder on a disk: `/tmp` is memory on some systems, `/var/tmp` is not. Every account can reach it.
fn folder(seed: u64) -> Result<PathBuf> {
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let folder = parent.join(format!("assay-chaos-{}-{seed}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
