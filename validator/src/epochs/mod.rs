//! Epochs: opened → derived → checkpoint outside → anchored → submitted → its fate → closed, then the next.
//!
//! Under commit-reveal the next epoch opens as soon as the weights are committed in a block; the reveal is watched beside it (`reveals`),
//! and what is left of the old epoch is recorded in its own stream.
//!
//! Each step reads where the epoch stands in the log and does the one thing that is due. There is no other memory of it, so
//! a restart, a lost ledger or a lost chain continue at the same step.

mod anchor;
mod commit;
mod derive;
mod hash_form;
mod record;
mod reveals;
mod submit;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::SignedExtrinsic;
use domain::epoch::{self, EpochCommand};
use domain::events::{EpochClosed, EpochOpened, EpochOutcome, WeightsDerived};
use domain::types::{BlockNumber, Position};

use crate::Error;
use crate::clock::Backoff;
use crate::shared::Shared;
use record::Record;
pub(crate) use watch::Watch;

/// The longest pause between two attempts at a step that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What one process remembers of the epoch under way; losing it loses time only.
#[derive(Default)]
struct Memory {
    /// The bytes of the submission, to be sent again if the pool forgets them.
    sent: Option<SignedExtrinsic>,
    /// The epoch that was told to end now; the word is given once and must outlive a step that fails.
    ended_early: Option<u64>,
    silence: Silence,
    /// Since when nothing came of the step that is due, and why.
    trouble: Option<(Instant, String)>,
}

/// Since when the chain answers and yet does not tell what became of what was sent.
#[derive(Debug, Default)]
struct Silence(Option<Instant>);

impl Silence {
    /// Whether it has lasted for as long as is waited for.
    fn is_long(&self, shared: &Shared) -> bool {
        self.0.is_some_and(|since| since.elapsed() >= shared.config.submission_patience)
    }

    /// Takes note of an answer about what was sent. A chain that is away altogether is no silent one: what it knows is asked
    /// when it is back.
    async fn heard(&mut self, shared: &Shared, told: Result<(), Error>) -> Result<(), Error> {
        match &told {
            Err(Error::Chain(_)) if shared.chain.head().await.is_ok() => {
                self.0.get_or_insert_with(Instant::now);
            }
            _ => self.0 = None,
        }
        told
    }
}

/// Runs epochs until the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    tokio::try_join!(decide(&shared), reveals::run(&shared), hash_form::run(&shared)).map(drop)
}

/// Takes one epoch after the other as far as its weights are on their own.
async fn decide(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut memory = Memory::default();
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    while !shared.stop.is_ordered() {
        let stepped = tokio::select! {
            stepped = step(shared, &mut memory) => stepped,
            // A step is a unit of recorded facts: dropped in the middle it continues from the log at the next start.
            () = shared.stop.stopped() => return Ok(()),
        };
        match stepped {
            Ok(()) => {
                memory.trouble = None;
                backoff = Backoff::up_to(LONGEST_PAUSE);
            }
            Err(Error::Stopping) => return Ok(()),
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the epoch cannot go on; trying again");
                // A ledger that is away delays an epoch; only the chain can make it hopeless.
                if matches!(error, Error::Chain(_)) {
                    memory.trouble.get_or_insert_with(|| (Instant::now(), String::new())).1 = error.to_string();
                }
                if shared.stop.sleep(backoff.pause()).await {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Does what is due.
async fn step(shared: &Arc<Shared>, memory: &mut Memory) -> Result<(), Error> {
    let (open, next) = {
        let fold = shared.board.read();
        (fold.epoch.as_ref().map(|epoch| epoch.opened.epoch), fold.next_epoch)
    };
    let Some(number) = open else { return open_next(shared, next).await };
    let record = Record::read(shared, number).await?;
    let epoch = &record.epoch;
    // The fold is a moment behind the log.
    if epoch.gives_way() {
        return reach(shared, &record).await;
    }
    let (Some(derived), Some(derived_at)) = (epoch.derived(), record.newest_derivation) else {
        let Some(opened) = epoch.opened() else {
            return Err(Error::Refused(format!("epoch {number} is open and has no opening")));
        };
        if memory.ended_early != Some(number) && await_boundary(shared, opened.block).await? == Boundary::Word {
            memory.ended_early = Some(number);
        }
        let derived_at = derive::run(shared, number).await?;
        shared.config.faults.point("after_derivation").await;
        return shared.board.reach(derived_at).await;
    };
    if let Some(skip) = derived.skip {
        return close(shared, &record, number, EpochOutcome::Skipped, skip.name()).await;
    }
    if epoch.on_chain() == Some(true) {
        submit::check_holders(shared, number, &record, derived).await;
        return close(shared, &record, number, EpochOutcome::Included, "").await;
    }
    if let (Some(submitted), None, Some(cause)) = (epoch.submitted(), epoch.on_chain(), record.submission) {
        let silent = memory.silence.is_long(shared);
        let told = submit::fate(shared, number, submitted, cause, &memory.sent, silent).await;
        return memory.silence.heard(shared, told).await;
    }
    if let Some(reason) = hopeless(shared, &record, memory) {
        return close(shared, &record, number, EpochOutcome::Failed, &reason).await;
    }
    if shared.config.shadow {
        return shadow(shared, &record, number, derived, derived_at).await;
    }
    if epoch.anchored().is_none() {
        anchor::run(shared, number, derived_at, shared.config.submission_patience).await?;
        shared.config.faults.point("after_anchor").await;
        return Ok(());
    }
    match submit::run(shared, number, &record, derived, &mut memory.sent).await? {
        Some((outcome, reason)) => close(shared, &record, number, outcome, &reason).await,
        None => Ok(()),
    }
}

/// Ends an epoch without sending anything: the derivation is covered by a checkpoint outside of the database, slots that
/// changed hands are left out as they would be before a submission, and the weights are withheld.
async fn shadow(
    shared: &Shared,
    record: &Record,
    number: u64,
    derived: &WeightsDerived,
    derived_at: Position,
) -> Result<(), Error> {
    anchor::cover(shared, derived_at).await?;
    if record.submission.is_none() && submit::revised(shared, number, derived).await? {
        return Ok(());
    }
    // What was sent before the validator became a shadow has failed if it comes to this.
    let outcome = record.epoch.outcome(epoch::SHADOW).unwrap_or(EpochOutcome::Failed);
    close(shared, record, number, outcome, epoch::SHADOW).await
}

/// Why nothing more is tried for an epoch whose fate is known or that nothing was sent for.
fn hopeless(shared: &Shared, record: &Record, memory: &Memory) -> Option<String> {
    if let Some(error) = &record.rejection {
        if ![submit::EXPIRED, commit::TOO_LATE].contains(&error.as_str()) {
            // A closing needs a reason, whatever the chain calls its error.
            return Some(if error.is_empty() { "refused without a name".to_owned() } else { error.clone() });
        }
        // It stands nowhere, and another one may be signed.
        if record.submissions >= shared.config.submission_attempts {
            return Some(format!("{error} {} times", record.submissions));
        }
    }
    let (since, problem) = memory.trouble.as_ref()?;
    // Said in words of our own first: what the chain says must not read like a reason to withhold weights.
    (since.elapsed() >= shared.config.submission_patience).then(|| format!("no submission: {problem}"))
}

async fn open_next(shared: &Arc<Shared>, number: u64) -> Result<(), Error> {
    let head = shared.chain.head().await?;
    let parameters = shared.chain.hyperparameters(shared.config.netuid, head.number).await?;
    shared.measures.learn(&parameters);
    let opened = EpochOpened {
        epoch: number,
        block: head.number,
        chain_epoch: head.number.0 / (u64::from(parameters.tempo) + 1),
        rule_set: shared.mechanism().rule_set().hash(),
    };
    let cause = shared.board.read().gave_way;
    let recorded = shared.commands.epoch(&epoch::stream_id(number), EpochCommand::Open(opened), cause).await?;
    tracing::info!(epoch = number, block = %head.number, "epoch opened");
    shared.board.reach(recorded.last).await
}

/// What ended an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Boundary {
    /// Its block.
    Block,
    /// Somebody's word.
    Word,
}

/// Waits for the block at which the epoch ends and its weights could be sent, or for the word to end it now.
async fn await_boundary(shared: &Shared, opened: BlockNumber) -> Result<Boundary, Error> {
    let mut boundary = BlockNumber(opened.0.saturating_add(shared.config.epoch_blocks));
    let mut blocks = shared.chain_view.block();
    loop {
        let reached = tokio::select! {
            reached = blocks.wait_for(|block| *block >= boundary) => reached.map(|block| *block).map_err(|_| Error::Stopping)?,
            () = shared.close_epoch.notified() => return Ok(Boundary::Word),
            () = shared.stop.stopped() => return Err(Error::Stopping),
        };
        if commit::has_its_turn(shared, reached).await? {
            return Ok(Boundary::Block);
        }
        boundary = BlockNumber(reached.0.saturating_add(1));
    }
}

async fn close(
    shared: &Shared,
    record: &Record,
    number: u64,
    outcome: EpochOutcome,
    reason: &str,
) -> Result<(), Error> {
    let closed = EpochClosed { epoch: number, outcome, reason: reason.to_owned() };
    let command = EpochCommand::Close(closed);
    let recorded = shared.commands.epoch(&epoch::stream_id(number), command, record.last).await?;
    tracing::info!(epoch = number, ?outcome, reason, "epoch closed");
    shared.board.reach(recorded.last).await?;
    // Covers the closing, so that the whole epoch can be exported; the next one in a minute would do, too.
    if let Err(error) = shared.checkpoints.publish(shared.journal.block().0).await {
        tracing::warn!(%error, "no checkpoint can be published after the epoch's end; the next one covers it");
    }
    Ok(())
}

async fn reach(shared: &Shared, record: &Record) -> Result<(), Error> {
    match record.last {
        Some(last) => shared.board.reach(last).await,
        None => Ok(()),
    }
}
