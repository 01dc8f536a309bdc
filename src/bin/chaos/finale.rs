//! The end of a run: one validator that nobody disturbs, until everything accepted has ended and an epoch after it closed;
//! then what a second validator is told, and what the other commands say of the ledger.

use crate::checks::Check;
use crate::pusher::{Counts, Pusher};
use crate::stage::{NETUID, Stage};
use anyhow::{Context, Result, bail};
use domain::events::Event;
use futures::TryStreamExt;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long everything accepted may take to end.
const ENDING: Duration = Duration::from_secs(180);
/// How long a second validator may take to find that it is not wanted.
const REFUSAL: Duration = Duration::from_secs(60);
/// How long an audit of the whole ledger may take.
const AUDIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(250);

/// Runs the undisturbed validator to its end.
pub(crate) async fn run(stage: &mut Stage, pusher: Pusher) -> Result<(Counts, PathBuf, Check)> {
    let mut validator = stage.start_validator(None, None)?;
    validator.await_ready("the validator is available", ENDING, || stage.available()).await?;
    let (counts, book) = pusher.finish().await?;
    let second = second_validator(stage).await?;
    validator.check()?;
    let begun = Instant::now();
    let mut next = 0;
    let mut open = Open::default();
    while !open.settled() {
        validator.check()?;
        if begun.elapsed() > ENDING {
            bail!(
                "{} challenges did not end within {} s; see {}",
                open.accepted.len(),
                ENDING.as_secs(),
                validator.log().display()
            );
        }
        tokio::time::sleep(LOOK).await;
        next = open.follow(stage, next).await?;
    }
    validator.stop().await.context("the undisturbed validator")?;
    Ok((counts, book, second))
}

/// What the log still owes.
#[derive(Default)]
struct Open {
    accepted: BTreeSet<String>,
    closed_since: bool,
}

impl Open {
    fn settled(&self) -> bool {
        self.accepted.is_empty() && self.closed_since
    }

    async fn follow(&mut self, stage: &Stage, from: u64) -> Result<u64> {
        let reader = stage.reader().await?;
        let mut events = reader.events(from, u64::MAX, None);
        let mut next = from;
        while let Some(stored) = events.try_next().await? {
            next = stored.position + 1;
            match stored.fact()? {
                Some(Event::ChallengeAccepted(facts)) => {
                    self.accepted.insert(facts.challenge.id);
                }
                Some(Event::RoundEvaluated(round)) => self.end(&round.challenge_id),
                Some(Event::RoundAbandoned(round)) if round.last => self.end(&round.challenge_id),
                Some(Event::EpochClosed(_)) => self.closed_since = self.accepted.is_empty(),
                _ => {}
            }
        }
        Ok(next)
    }

    fn end(&mut self, id: &str) {
        self.accepted.remove(id);
        self.closed_since = false;
    }
}

/// A second validator on the same ledger says who holds it, and stops.
async fn second_validator(stage: &mut Stage) -> Result<Check> {
    let name = "a second validator says who holds the ledger and stops";
    let holder = stage.reader().await?.head().await?.lease.context("nobody holds the ledger")?.holder;
    let listen = SocketAddr::new(stage.listen.ip(), 0);
    let mut second = stage.start_validator_at(listen, None, None)?;
    let Some(status) = second.exit(REFUSAL).await? else {
        second.kill().await?;
        return Ok(Check::of(name, String::new(), vec![format!("it still runs after {} s", REFUSAL.as_secs())]));
    };
    let said = second.output();
    let line = said.lines().rev().find(|line| line.contains(&holder)).map(str::trim).map(str::to_owned);
    let fault = match (&line, status.code()) {
        (Some(_), Some(code)) if code != 0 => None,
        (Some(_), _) => Some(format!("it ended with {status}")),
        (None, _) => Some(format!("it does not name the holder, {holder}; its log is {}", second.log().display())),
    };
    Ok(Check::of(name, line.unwrap_or_default(), fault.into_iter().collect()))
}

/// What `assay verify` and `assay audit --from-genesis` say, as an operator would run them.
pub(crate) async fn commands(stage: &Stage) -> Result<Vec<Check>> {
    let netuid = format!("--netuid={NETUID}");
    let checkpoints = format!("--checkpoints={}", stage.checkpoints().display());
    let chain = format!("--chain={}", stage.chain_url);
    Ok(vec![
        command(stage, &["verify", &netuid, &checkpoints]).await?,
        command(stage, &["audit", "--from-genesis", &netuid, &chain]).await?,
    ])
}

async fn command(stage: &Stage, arguments: &[&str]) -> Result<Check> {
    let name = format!(
        "assay {}",
        arguments.iter().take_while(|word| !word.contains('=')).copied().collect::<Vec<_>>().join(" ")
    );
    let mut command = tokio::process::Command::new(&stage.program);
    command.args(arguments).env("DATABASE_URL", stage.cluster.url()).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(AUDIT, command.output()).await;
    let output = output.with_context(|| format!("{name} takes more than {} s", AUDIT.as_secs()))??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
    let fault = (output.status.code() != Some(0)).then(|| {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("{}: {last} {}", output.status, error.lines().take(4).collect::<Vec<_>>().join(" | "))
    });
    Ok(Check::of(&name, last, fault.into_iter().collect()))
}
