//! `assay follow`: what a validator does, read from its log as anybody could read it, with an audit of each epoch. It may push
//! questions, too.

use crate::cli::{FollowArgs, LedgerArgs, TableArgs};
use crate::commands::audit::epoch_report;
use crate::commands::tables;
use crate::demo::follow::Follower;
use crate::demo::questions::{self, Pusher};
use crate::ledgers::{self, OpenLedger};
use crate::output;
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a ledger may take to be begun, and how long database or validator may be away.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause after something that failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Follows until it is told to end, or with `--once` until an epoch is audited.
pub async fn run(args: FollowArgs, stop: Shutdown) -> Result<ExitCode> {
    tokio::select! {
        code = follow(&args) => code,
        () = stop.wait() => Ok(ExitCode::SUCCESS),
    }
}

async fn follow(args: &FollowArgs) -> Result<ExitCode> {
    let open = ledger(&args.ledger).await?;
    let head = open.reader.head().await?.size;
    output::line(format!("follow: {}, from position {head}", open.reader.origin()));
    if let Some(api) = &args.api {
        output::line(format!("follow: dashboard at {api}/, GraphiQL at {api}/graphiql"));
    }
    let mut course = Course {
        args,
        follower: Follower::new(open.reader.clone(), head, args.questions as usize, false),
        pusher: (args.questions > 0).then(|| Pusher::of(&args.push, questions::prefix("follow")?)).transpose()?,
        pushed: 0,
        next_push: Instant::now(),
        audited: 0,
        shown: false,
        open: &open,
    };
    let mut well = Instant::now();
    loop {
        match course.step().await {
            Ok(Some(code)) if args.once => return Ok(ExitCode::from(code)),
            Ok(_) => {
                well = Instant::now();
                tokio::time::sleep(LOOK).await;
            }
            // A server that is restarted comes back, and the log goes on where it was.
            Err(error) if well.elapsed() < PATIENCE => {
                tracing::warn!(error = format!("{error:#}"), "waiting");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits for the ledger, which a validator may be about to begin.
async fn ledger(args: &LedgerArgs) -> Result<OpenLedger> {
    let begun = Instant::now();
    loop {
        match ledgers::open(args).await {
            Ok(open) => return Ok(open),
            Err(error) if begun.elapsed() >= PATIENCE => return Err(error),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "waiting for the ledger"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Course<'a> {
    args: &'a FollowArgs,
    open: &'a OpenLedger,
    follower: Follower,
    pusher: Option<Pusher>,
    pushed: u32,
    next_push: Instant,
    audited: usize,
    shown: bool,
}

impl Course<'_> {
    /// Does what is due. Gives the exit code of an audit that was made.
    async fn step(&mut self) -> Result<Option<u8>> {
        self.push().await?;
        self.follower.catch_up().await?;
        let Some((epoch, outcome)) = self.follower.closed.get(self.audited).cloned() else { return Ok(None) };
        let report = epoch_report(&self.open.reader, epoch, self.args.chain.as_deref()).await?;
        self.audited += 1;
        output::line(format!("  epoch {epoch} ({outcome}) {}", report.last_line()));
        // The first epoch may have been over before anything was asked.
        if !self.shown && self.follower.evaluated() > 0 {
            self.show().await;
            self.shown = true;
        }
        Ok(Some(report.verdict.exit_code()))
    }

    async fn push(&mut self) -> Result<()> {
        let Some(pusher) = &mut self.pusher else { return Ok(()) };
        // Until somebody has answered, there may be no miner to ask yet.
        let first = self.follower.evaluated() > 0 && self.pushed < self.args.questions;
        if !first && Instant::now() < self.next_push {
            return Ok(());
        }
        pusher.push().await?;
        self.pushed += 1;
        self.next_push = Instant::now() + Duration::from_secs(self.args.pause);
        Ok(())
    }

    /// The leaderboard. A read side that is behind shows nothing, and that is no fault of the audit.
    async fn show(&self) {
        let ledger = LedgerArgs { ledger: Some(self.open.reader.origin().to_owned()), ..self.args.ledger.clone() };
        if let Err(error) = tables::leaderboard_command(&TableArgs { ledger, as_of: None, json: false }).await {
            tracing::warn!(error = format!("{error:#}"), "the leaderboard is not there yet");
        }
    }
}
