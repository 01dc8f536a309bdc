//! `assay follow`: what a validator does, read from its log as anybody could read it, with an audit of each epoch. It may push
//! questions, too.

mod progress;

use self::progress::Progress;
use crate::chain_connection;
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
/// How often it is looked whether another ledger is written now.
const OTHERS: Duration = Duration::from_secs(15);
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

/// One ledger after another: a validator may begin a new one beside the first.
async fn follow(args: &FollowArgs) -> Result<ExitCode> {
    let chain = chain_connection::compared(&args.chain)?;
    let mut progress = Progress::open(args.progress.as_deref())?;
    loop {
        let open = ledger(&args.ledger).await?;
        let from = open.reader.head().await?.size;
        output::line(format!("follow: {}, from position {from}", open.reader.origin()));
        if let Some(api) = &args.api {
            output::line(format!("follow: dashboard at {api}/, GraphiQL at {api}/graphiql"));
        }
        if let Some(code) = follow_one(args, &open, from, chain.as_deref(), &mut progress).await? {
            return Ok(code);
        }
    }
}

/// Until an epoch is audited, with `--once`, or until another ledger is written in place of this one; then there is no code.
async fn follow_one(
    args: &FollowArgs,
    open: &OpenLedger,
    from: u64,
    chain: Option<&str>,
    progress: &mut Progress,
) -> Result<Option<ExitCode>> {
    let mut follower = Follower::new(open.reader.clone(), from, args.questions as usize, false);
    let resumed = progress.resume(open.reader.origin(), from);
    follower.recall(resumed).await?;
    match follower.closed.len() {
        0 => progress.keep(open.reader.origin(), from)?,
        missed => output::line(format!("follow: {missed} epochs closed since position {resumed}; their audits first")),
    }
    let mut course = Course {
        args,
        chain,
        progress,
        follower,
        pusher: (args.questions > 0).then(|| Pusher::of(&args.push, questions::prefix("follow")?)).transpose()?,
        pushed: 0,
        next_push: Instant::now(),
        next_look: Instant::now() + OTHERS,
        audited: 0,
        shown: false,
        open,
    };
    let mut well = Instant::now();
    loop {
        match course.step().await {
            Ok(Step::Audited(code)) if args.once => return Ok(Some(ExitCode::from(code))),
            Ok(Step::Superseded) => return Ok(None),
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
        match ledgers::open_live(args).await {
            Ok(open) => return Ok(open),
            Err(error) if begun.elapsed() >= PATIENCE => return Err(error),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "waiting for the ledger"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a look at the log came to.
enum Step {
    /// Nothing that ends anything.
    Nothing,
    /// An epoch was audited, with this exit code.
    Audited(u8),
    /// Another ledger is written in place of this one.
    Superseded,
}

struct Course<'a> {
    args: &'a FollowArgs,
    chain: Option<&'a str>,
    progress: &'a mut Progress,
    open: &'a OpenLedger,
    follower: Follower,
    pusher: Option<Pusher>,
    pushed: u32,
    next_push: Instant,
    next_look: Instant,
    audited: usize,
    shown: bool,
}

impl Course<'_> {
    /// Does what is due.
    async fn step(&mut self) -> Result<Step> {
        self.push().await?;
        self.follower.catch_up().await?;
        let Some((epoch, outcome)) = self.follower.closed.get(self.audited).cloned() else {
            return Ok(if self.is_superseded().await? { Step::Superseded } else { Step::Nothing });
        };
        let report = epoch_report(&self.open.reader, epoch, self.chain).await?;
        self.audited += 1;
        output::line(format!("  epoch {epoch} ({outcome}) {}", report.last_line()));
        if self.audited == self.follower.closed.len() {
            self.progress.keep(self.open.reader.origin(), self.follower.position())?;
        }
        // The first epoch may have been over before anything was asked.
        if !self.shown && self.follower.evaluated() > 0 {
            self.show().await;
            self.shown = true;
        }
        Ok(Step::Audited(report.verdict.exit_code()))
    }

    async fn is_superseded(&mut self) -> Result<bool> {
        if Instant::now() < self.next_look {
            return Ok(false);
        }
        self.next_look = Instant::now() + OTHERS;
        ledgers::is_superseded(&self.args.ledger, self.open).await
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
