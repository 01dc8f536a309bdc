//! `assay demo`: the main job on one machine, with real processes, real HTTP, a real Postgres and a real model.

mod cast;
mod closing;
mod follow;
pub mod processes;
mod questions;
mod setup;
pub mod state;
mod tamper;

use crate::cli::DemoArgs;
use crate::home::Home;
use crate::output;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, bail};
use domain::events::LedgerOpened;
use follow::Follower;
use ledger::LedgerReader;
use questions::Pusher;
use setup::Stage;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

/// How long the first questions and the epoch after them may take in all.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs the demo.
pub async fn run(mut args: DemoArgs, stop: Shutdown) -> Result<ExitCode> {
    args.once |= args.tamper;
    // What could only fail at the end is tried first.
    domain::mechanism::shipped_by_name(&args.rules).context("--rules")?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make --out {}", args.out.display()))?;
    let folder = Home::find()?.demo();
    let begun = Instant::now();
    let mut stage = tokio::select! {
        stage = setup::start(&args, folder.clone()) => stage?,
        () = stop.wait() => return Ok(ExitCode::SUCCESS),
    };
    output::line(format!("demo: everything is up after {:.0} s", begun.elapsed().as_secs_f64()));
    let played = play(&args, &mut stage, &stop).await;
    let ledger = reader(&stage).await.map(|reader| reader.origin().to_owned());
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

/// Pushes, follows, audits. Ends with the audit's exit code.
async fn play(args: &DemoArgs, stage: &mut Stage, stop: &Shutdown) -> Result<ExitCode> {
    let reader = reader(stage).await?;
    let head = reader.head().await?.size;
    let mut follower = Follower::new(reader.clone(), head);
    let mut pusher = Pusher::new(&stage.state.validator, prefix()?)?;
    output::line(format!(
        "demo: pushing {} questions to {}/challenges; each 201 comes after its commit",
        args.questions, stage.state.validator
    ));
    let mut code = ExitCode::SUCCESS;
    let state = stage.state.clone();
    let mut closing = closing::Closing::new(args, &state, stage.folder.join("keys"), reader);
    let deadline = Instant::now() + PATIENCE;
    let mut pushed = 0;
    let mut next_push = Instant::now();
    let mut asked_at_end = None;
    while !stop.requested() {
        stage.check()?;
        let first = pushed < args.questions;
        if first || (!args.once && asked_at_end.is_some() && Instant::now() >= next_push) {
            pusher.push().await?;
            pushed += 1;
            next_push = Instant::now() + Duration::from_secs(args.pause);
        }
        follower.catch_up().await?;
        while let Some((epoch, outcome)) = closing.next_of(&follower) {
            code = closing.audit(epoch, &outcome).await?;
        }
        closing.write_bundles().await?;
        if asked_at_end.is_none() && pushed >= args.questions && follower.open() == 0 {
            // The next epoch to close holds, or comes after, all the first questions.
            asked_at_end = Some(follower.closed.len());
            output::line(format!(
                "demo: {} questions are answered and scored; waiting for the epoch to close",
                follower.ended()
            ));
        }
        if let Some(known) = asked_at_end
            && closing.take_first(&follower, known)
        {
            closing.show().await?;
            if args.once {
                break;
            }
            output::line("demo: going on with a question every few seconds; Ctrl-C ends it");
        }
        if args.once && Instant::now() > deadline {
            let logs = stage.folder.join("logs");
            bail!("the demo did not come to an audited epoch in {} s; see {}", PATIENCE.as_secs(), logs.display());
        }
        if !first {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.wait() => {}
            }
        }
    }
    closing.finish().await?;
    Ok(code)
}

async fn reader(stage: &Stage) -> Result<LedgerReader> {
    let chain = chain::development::Client::connect(&stage.state.chain).await?;
    let genesis = chain::Chain::genesis_hash(&chain).await?;
    let hotkey = cast::keypair(&stage.folder.join("keys"), "validator")?.hotkey();
    let origin = LedgerOpened::origin_of(&genesis, setup::NETUID, &hotkey, 0);
    LedgerReader::open(&stage.state.database, &origin).await.context("the validator's ledger")
}

/// Challenge ids must be new in a ledger that goes on from an earlier run.
fn prefix() -> Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock stands before 1970")?;
    Ok(format!("demo-{}", now.as_secs()))
}

/// The server goes first: while another command uses it, everything stays.
fn discard(folder: &std::path::Path, server: Option<cluster::SharedCluster>) -> Result<()> {
    server.map_or(Ok(()), cluster::SharedCluster::remove)?;
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    output::line("demo: database, chain and keys are removed");
    Ok(())
}
