//! Committed weights that wait for their reveal, while the next epochs go on.
//!
//! Which epochs wait is a fold of the log, so that a restart goes on with all of them. The chain opens commits in the order in which they
//! were made, one of a hotkey in a block (see [`super::commit::has_its_turn`]), and its event does not say which; so every block is read
//! once for all that wait, and what then stands on chain tells whose it was.
//!
//! **Architecture invariant:** nothing is sent from here, and that weights were revealed is what the events of a block say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chain::WeightEvent;
use domain::epoch::{self, EpochCommand};
use domain::events::{EpochOutcome, WeightsCommitted, WeightsRejected, WeightsRevealed, WeightsSubmitted};
use domain::types::{BlockNumber, Hotkey, Position, Uid};

use super::commit::{MECHANISM, offered};
use super::record::Record;
use super::{LONGEST_PAUSE, Silence, close, hash_form, reach, submit};
use crate::Error;
use crate::clock::Backoff;
use crate::shared::Shared;

/// Blocks after the reveal was due, beyond a whole epoch, after which it is not waited for any more.
const MARGIN_BLOCKS: u64 = 8;
/// How long one look for a reveal waits for a block.
const LOOK: Duration = Duration::from_secs(5);
/// Blocks that one look reads.
const BLOCKS_A_LOOK: u64 = 64;

/// An epoch that waits.
#[derive(Debug, Clone)]
struct Waiting {
    submitted: WeightsSubmitted,
    committed: WeightsCommitted,
    /// Where its last event stands.
    last: Option<Position>,
    /// Whether it was committed by its hash, which its reveal names.
    by_hash: bool,
}

/// What one process remembers; losing it costs reading again.
#[derive(Debug, Default)]
struct Memory {
    /// The epochs that wait, by number, as they were read from the log.
    waiting: BTreeMap<u64, Waiting>,
    /// The epochs for whose reveal everything up to `until` was looked through.
    covered: BTreeSet<u64>,
    /// The last block that was looked through.
    until: BlockNumber,
    /// The last block that could not be read, so that a reveal may have been in it.
    gap: Option<BlockNumber>,
    silence: Silence,
}

/// Watches for reveals until the validator stops, and ends the epochs that waited for them.
///
/// # Errors
/// What no waiting mends.
pub(super) async fn run(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut memory = Memory::default();
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut progress = shared.board.progress();
    while !shared.stop.is_ordered() {
        progress.borrow_and_update();
        let committed = shared.board.read().committed.clone();
        let stepped = tokio::select! {
            stepped = step(shared, &committed, &mut memory), if !committed.is_empty() => stepped,
            changed = progress.changed(), if committed.is_empty() => changed.map_err(|_| Error::Stopping),
            () = shared.stop.stopped() => return Ok(()),
        };
        match stepped {
            Ok(()) => backoff = Backoff::up_to(LONGEST_PAUSE),
            Err(Error::Stopping) => return Ok(()),
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "it cannot be seen whether weights were revealed; trying again");
                // What could not be recorded may be recorded all the same: the log is read again.
                if !matches!(error, Error::Chain(_)) {
                    memory.waiting.clear();
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

/// Ends an epoch whose fate is recorded, or looks for the reveals of those that wait.
async fn step(shared: &Shared, committed: &BTreeMap<u64, WeightsCommitted>, memory: &mut Memory) -> Result<(), Error> {
    memory.waiting.retain(|number, _| committed.contains_key(number));
    memory.covered.retain(|number| committed.contains_key(number));
    for (number, committed) in committed {
        if memory.waiting.contains_key(number) {
            continue;
        }
        let record = Record::read(shared, *number).await?;
        if record.epoch.closed().is_some() {
            return reach(shared, &record).await;
        }
        if let Some(on_chain) = record.epoch.on_chain() {
            return finish(shared, *number, &record, on_chain).await;
        }
        let Some(submitted) = record.epoch.submitted().cloned() else {
            return Err(Error::Refused(format!("epoch {number} has a commitment and no submission")));
        };
        let by_hash = hash_form::is_of(shared, &submitted, committed);
        memory.remember(
            *number,
            Waiting { submitted, committed: committed.clone(), last: record.last, by_hash },
            shared,
        );
    }
    let silent = memory.silence.is_long(shared);
    let told = look(shared, memory, silent).await;
    memory.silence.heard(shared, told).await
}

impl Memory {
    /// Takes an epoch in. Blocks since its commit are looked through for it, but none before a reveal that is recorded: the chain
    /// opens in order.
    fn remember(&mut self, number: u64, waiting: Waiting, shared: &Shared) {
        let revealed = shared.board.read().revealed.unwrap_or_default();
        let since = waiting.committed.block.max(revealed);
        if self.covered.is_empty() || (!self.covered.contains(&number) && since < self.until) {
            self.until = since;
        }
        self.covered.insert(number);
        self.waiting.insert(number, waiting);
    }
}

/// Ends an epoch with what the chain made of its weights.
async fn finish(shared: &Shared, number: u64, record: &Record, on_chain: bool) -> Result<(), Error> {
    if !on_chain {
        let error = record.rejection.as_deref().filter(|error| !error.is_empty());
        return close(shared, record, number, EpochOutcome::Failed, error.unwrap_or("refused without a name")).await;
    }
    if let Some(derived) = record.epoch.derived() {
        submit::check_holders(shared, number, record, derived).await;
    }
    close(shared, record, number, EpochOutcome::Included, "").await
}

/// Looks through the next blocks, and records a reveal, or that one did not come. A shorter reveal period that was set after a commit
/// brings its reveal forward, so it is looked for from the block after the commit on. `silent` says that the chain has told nothing for
/// as long as is waited for: then blocks that it does not tell of are passed over.
///
/// # Errors
/// The chain's and the ledger's; it is looked for again then.
async fn look(shared: &Shared, memory: &mut Memory, silent: bool) -> Result<(), Error> {
    let chain = shared.chain.as_ref();
    let next = memory.until.0.saturating_add(1);
    let head = chain.head().await?;
    if head.number.0 < next {
        chain.await_block(memory.until, LOOK).await?;
        return Ok(());
    }
    for number in next..=head.number.0.min(next.saturating_add(BLOCKS_A_LOOK)) {
        let block = BlockNumber(number);
        match revealed_in(shared, &memory.waiting, block).await {
            Ok(Some(epoch)) => {
                let block_hash = chain.block_hash(block).await?.ok_or(chain::Error::UnknownBlock(block))?;
                let revealed = WeightsRevealed { epoch, block, block_hash };
                tracing::info!(epoch, %block, "the chain revealed the weights");
                record(shared, memory, epoch, EpochCommand::Reveal(revealed)).await?;
                memory.until = block;
                return Ok(());
            }
            Ok(None) => {}
            // Blocks whose state is discarded lie side by side: what was waited for once is not waited for at each.
            Err(Error::Chain(error)) if silent || memory.gap.is_some_and(|gap| gap.0.saturating_add(1) == number) => {
                tracing::warn!(%block, %error, "it cannot be read whether weights were revealed");
                memory.gap = Some(block);
            }
            Err(error) => return Err(error),
        }
        memory.until = block;
    }
    give_up(shared, memory, head.number).await
}

/// Records of weights whose reveal is overdue that it did not come, or that it could not be seen.
async fn give_up(shared: &Shared, memory: &mut Memory, head: BlockNumber) -> Result<(), Error> {
    if memory.waiting.values().all(|waiting| memory.until <= waiting.committed.reveal_at) {
        return Ok(());
    }
    let tempo = shared.chain.hyperparameters(shared.config.netuid, head).await?.tempo;
    let latest = |committed: &WeightsCommitted| {
        committed.reveal_at.0.saturating_add(u64::from(tempo)).saturating_add(MARGIN_BLOCKS)
    };
    let overdue = memory.waiting.values().map(|waiting| &waiting.committed);
    let Some(committed) = overdue.clone().find(|committed| memory.until.0 > latest(committed)).cloned() else {
        return Ok(());
    };
    let unread = memory.gap.is_some_and(|gap| gap > committed.block);
    let error = if unread { epoch::UNREADABLE } else { epoch::NOT_REVEALED };
    let (epoch, extrinsic) = (committed.epoch, committed.extrinsic);
    tracing::warn!(epoch, latest = latest(&committed), error, "the chain did not reveal the weights");
    let rejected = WeightsRejected { epoch, extrinsic, error: error.to_owned() };
    record(shared, memory, epoch, EpochCommand::Reject(rejected)).await
}

/// Records what became of weights; the next step ends their epoch.
async fn record(shared: &Shared, memory: &mut Memory, number: u64, command: EpochCommand) -> Result<(), Error> {
    let cause = memory.waiting.get(&number).and_then(|waiting| waiting.last);
    let recorded = shared.commands.epoch(&epoch::stream_id(number), command, cause).await?;
    memory.waiting.remove(&number);
    shared.board.reach(recorded.last).await
}

/// Whose weights were revealed in a block, if any were.
async fn revealed_in(
    shared: &Shared,
    waiting: &BTreeMap<u64, Waiting>,
    block: BlockNumber,
) -> Result<Option<u64>, Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let own = |event: &WeightEvent| matches!(event, WeightEvent::TimelockedRevealed { hotkey, mechanism: MECHANISM } if *hotkey == shared.own);
    let events = offered(chain.weight_events(netuid, block).await)?;
    if let Some(epoch) = events.iter().find_map(|event| named(event, &shared.own, waiting)) {
        return Ok(Some(epoch));
    }
    if !events.iter().any(own) {
        return Ok(None);
    }
    let timelocked = waiting.values().filter(|waiting| !waiting.by_hash);
    let candidates: Vec<Candidate<'_>> = timelocked.map(Candidate::of).filter(|one| one.since < block).collect();
    if let [one] = candidates.as_slice()
        && one.due <= block
    {
        return Ok(Some(one.epoch));
    }
    let Some(uid) = chain.uid_of(netuid, &shared.own, block).await? else { return Ok(whose(&candidates, block, &[])) };
    let row = chain.weights(netuid, uid, block).await?;
    Ok(whose(&candidates, block, &row))
}

/// Whose weights were revealed by their hash.
fn named(event: &WeightEvent, own: &Hotkey, waiting: &BTreeMap<u64, Waiting>) -> Option<u64> {
    let WeightEvent::Revealed { hotkey, hash, mechanism: MECHANISM } = event else { return None };
    let is_of = |waiting: &&Waiting| hotkey == own && waiting.committed.commitment == *hash;
    waiting.values().find(is_of).map(|waiting| waiting.committed.epoch)
}

/// A commit that a reveal may be of.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    epoch: u64,
    /// Its block.
    since: BlockNumber,
    /// When its reveal was foretold.
    due: BlockNumber,
    uids: &'a [Uid],
    weights: &'a [u16],
}

impl<'a> Candidate<'a> {
    fn of(waiting: &'a Waiting) -> Self {
        let WeightsCommitted { epoch, block, reveal_at, .. } = waiting.committed;
        Self { epoch, since: block, due: reveal_at, uids: &waiting.submitted.uids, weights: &waiting.submitted.weights }
    }
}

/// Whose weights a row is that a reveal wrote: of those that are due the last, else the first, whose weights stand there. Where nobody's
/// do, the last that is due; before its time nobody is taken without that.
fn whose(candidates: &[Candidate<'_>], block: BlockNumber, row: &[(Uid, u16)]) -> Option<u64> {
    let stands = |one: &&Candidate<'_>| is_row_of(row, one.uids, one.weights);
    let due = |one: &&Candidate<'_>| one.due <= block;
    let mut last_first = candidates.iter().rev();
    let found = last_first.clone().filter(due).find(stands);
    let found = found.or_else(|| candidates.iter().find(stands)).or_else(|| last_first.find(due));
    found.map(|one| one.epoch)
}

/// Whether a row of the chain, whose largest weight is 65535, is that of weights that were sent: but for rounding, and for
/// weights of nothing.
fn is_row_of(row: &[(Uid, u16)], uids: &[Uid], weights: &[u16]) -> bool {
    const FULL: u64 = u16::MAX as u64;
    let largest = u64::from(weights.iter().copied().max().unwrap_or(0)).max(1);
    let row: BTreeMap<Uid, u64> = row.iter().map(|(uid, weight)| (*uid, u64::from(*weight))).collect();
    let scaled = |weight: u16| (u64::from(weight) * FULL + largest / 2) / largest;
    let sent: BTreeMap<Uid, u64> = uids.iter().copied().zip(weights.iter().map(|weight| scaled(*weight))).collect();
    let at = |of: &BTreeMap<Uid, u64>, uid: &Uid| of.get(uid).copied().unwrap_or(0);
    row.keys().chain(sent.keys()).all(|uid| at(&row, uid).abs_diff(at(&sent, uid)) <= 1)
}

#[cfg(test)]
#[path = "reveals_tests.rs"]
mod tests;
