//! `assay demo`: the main job on one machine, with real processes, real HTTP, a real Postgres and a real model.

mod cast;
mod closing;
mod course;
pub mod follow;
pub mod genesis;
pub mod processes;
pub mod questions;
mod setup;
pub mod state;
mod tamper;

use crate::cli::DemoArgs;
use crate::commands::process;
use crate::configuration::Configuration;
use crate::home::Home;
use crate::output;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, bail};
use cast::Subnet;
use course::Course;
use domain::events::LedgerOpened;
use ledger::LedgerReader;
use setup::{Season, Stage};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the first questions and the epoch after them may take in all.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Id and text of the first shipped question.
pub fn first_question() -> Result<(String, String)> {
    let question = questions::shipped()?.into_iter().next().context("no question is shipped")?;
    Ok((question.id, question.prompt))
}

/// Runs the demo.
pub async fn run(mut args: DemoArgs, stop: Shutdown) -> Result<ExitCode> {
    args.once |= args.tamper;
    // What could only fail at the end is tried first.
    let seasons = seasons(&args)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make --out {}", args.out.display()))?;
    if args.explain {
        let rules: Vec<String> = seasons.iter().map(|season| season.rules.clone()).collect();
        process::rounds(&rules, &Configuration::default(), true).await?;
    }
    let folder = Home::find()?.demo();
    let begun = Instant::now();
    let mut stage = tokio::select! {
        stage = setup::start(&args, &seasons, folder.clone()) => stage?,
        () = stop.wait() => return Ok(ExitCode::SUCCESS),
    };
    output::line(format!("demo: everything is up after {:.0} s", begun.elapsed().as_secs_f64()));
    let played = play(&args, &seasons, &mut stage, &stop).await;
    let ledger = reader(&stage, seasons[0].subnet).await.map(|reader| reader.origin().to_owned());
    output::line("demo: stopping every process; rounds under way are given up to 10 s");
    let server = stage.server.take();
    let state = stage.stop().await;
    let tampered = match (&played, ledger) {
        (Ok(_), Ok(origin)) if args.tamper && !stop.requested() => tamper::run(&state, &origin).await,
        (Ok(_), Err(error)) if args.tamper => Err(error),
        _ => Ok(()),
    };
    if args.discard {
        discard(&folder, server)?;
    } else {
        drop(server);
    }
    let code = played?;
    tampered?;
    Ok(code)
}

/// The subnets to play, each with its rule set.
fn seasons(args: &DemoArgs) -> Result<Vec<Season>> {
    let subnets = cast::subnets(&args.subnet)?;
    if args.rules.is_some() && subnets.len() > 1 {
        bail!("--rules is of one subnet; with --subnet all each one follows its document");
    }
    let season = |subnet: &'static Subnet| {
        let rules = args.rules.clone().unwrap_or_else(|| format!("{}/readme", subnet.name));
        let known = domain::mechanism::shipped_by_name(&rules).context("--rules")?;
        if known.algorithm() != subnet.name {
            bail!("--rules {rules} is not of subnet {}", subnet.name);
        }
        Ok(Season { subnet, rules })
    };
    subnets.into_iter().map(season).collect()
}

/// Follows every subnet until each has an audited epoch, or on and on. Ends with the worst of the audits' exit codes.
async fn play(args: &DemoArgs, seasons: &[Season], stage: &mut Stage, stop: &Shutdown) -> Result<ExitCode> {
    let state = stage.state.clone();
    let keys = stage.folder.join("keys");
    let mut courses = Vec::new();
    for season in seasons {
        let reader = reader(stage, season.subnet).await?;
        courses.push(Course::begin(args, season, &state, &keys, reader).await?);
    }
    let deadline = Instant::now() + PATIENCE;
    while !stop.requested() {
        stage.check()?;
        let mut busy = false;
        for course in &mut courses {
            busy |= course.step().await?;
        }
        if courses.iter().all(Course::is_shown) {
            if args.once {
                break;
            }
            if courses.iter_mut().any(Course::say_going_on) {
                output::line("demo: going on with a question every few seconds; Ctrl-C ends it");
            }
        }
        if args.once && Instant::now() > deadline {
            let logs = stage.folder.join("logs");
            bail!("the demo did not come to an audited epoch in {} s; see {}", PATIENCE.as_secs(), logs.display());
        }
        if !busy {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.wait() => {}
            }
        }
    }
    let mut code = 0;
    for course in &mut courses {
        code = code.max(course.finish().await?);
    }
    Ok(ExitCode::from(code))
}

async fn reader(stage: &Stage, subnet: &Subnet) -> Result<LedgerReader> {
    let genesis = crate::chain_connection::open(&stage.state.chain).await?.genesis_hash().await?;
    let hotkey = cast::keypair(&stage.folder.join("keys"), "validator")?.hotkey();
    let origin = LedgerOpened::origin_of(&genesis, subnet.netuid, &hotkey, 0);
    LedgerReader::open(&stage.state.database, &origin).await.context("the validator's ledger")
}

/// The server goes first: while another command uses it, everything stays.
fn discard(folder: &std::path::Path, server: Option<cluster::SharedCluster>) -> Result<()> {
    server.map_or(Ok(()), cluster::SharedCluster::remove)?;
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    output::line("demo: database, chain and keys are removed");
    Ok(())
}
