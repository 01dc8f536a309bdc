//! Weights that nobody can copy before they count: where a subnet asks for it, they are committed under a timelock, and the chain
//! opens them itself some epochs later.
//!
//! **Architecture invariant:** that weights were committed, and that they were revealed, is what the events of a block say.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::{Call, Chain, Hyperparameters, Inclusion, Schedule, WeightEvent};
use commit_reveal::{Beacon, Moment, Payload, PublicKey, QUICKNET, Weights, reveal_round, rounds};
use domain::epoch::{self, EpochCommand};
use domain::events::{WeightsCommitted, WeightsRejected, WeightsRevealed, WeightsSubmitted};
use domain::types::{BlockNumber, NetUid, Position, Uid};
use yuma::schedule::stateful::State;

use crate::Error;
use crate::shared::Shared;

/// How far back the time between two blocks is measured.
const MEASURED_BLOCKS: u64 = 20;
/// What it is taken for on a chain that keeps no time, in milliseconds.
const USUAL_BLOCK_MS: u64 = 12_000;
/// The only mechanism that weights are set for.
const MECHANISM: u8 = 0;
/// Blocks after the reveal was due, beyond a whole epoch, after which it is not waited for any more.
const MARGIN_BLOCKS: u64 = 8;
/// The chain's name for a commit whose round the beacon had signed before its block came: another one, for a later round, may follow.
pub(super) const TOO_LATE: &str = "InvalidRevealRound";
/// How long one look for the reveal waits for a block.
const LOOK: Duration = Duration::from_secs(5);
/// Blocks that one look reads.
const BLOCKS_A_LOOK: u64 = 64;

/// How far the reveal of committed weights was looked for; losing it costs reading again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looked {
    /// The last block.
    until: Option<BlockNumber>,
    /// Whether a block up to it could not be read, so that the reveal may have been in it.
    gap: bool,
}

/// The call that commits weights, encrypted for the round that the beacon signs when the chain begins to reveal.
///
/// # Errors
/// The chain's; [`Error::Refused`] for a beacon, a reveal period or a tempo under which nothing can be revealed, and for weights
/// that fit into no commit.
pub(super) async fn call(
    shared: &Shared,
    at: BlockNumber,
    parameters: &Hyperparameters,
    weights: &[(Uid, u16)],
) -> Result<Call, Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let refused = |error: commit_reveal::Error| Error::Refused(format!("weights cannot be committed: {error}"));
    let beacon = beacon(chain, at).await?;
    let schedule = schedule(chain, netuid, at).await?;
    let now_ms = crate::clock::now().0 / 1_000;
    let moment = Moment { block: at.0, now_ms, block_ms: block_ms(chain, at).await? };
    let round = reveal_round(&beacon, schedule, parameters.reveal_period_epochs, moment).map_err(refused)?;
    let (uids, values) = weights.iter().map(|(uid, weight)| (uid.0, *weight)).unzip();
    let version_key = parameters.weights_version_key;
    let payload = Payload::new(&shared.config.hotkey.public(), Weights { uids, values, version_key }).to_bytes();
    let mut randomness = [0_u8; 32];
    getrandom::fill(&mut randomness).map_err(|error| Error::Randomness(error.to_string()))?;
    let key = PublicKey::from_bytes(&beacon.public_key).map_err(refused)?;
    let commit = commit_reveal::encrypt(&payload, round, &key, randomness).map_err(refused)?;
    tracing::info!(round, bytes = commit.len(), "weights are committed under a timelock");
    let commit_reveal_version = parameters.commit_reveal_version;
    let mechanism = MECHANISM;
    Ok(Call::CommitTimelockedMechanismWeights { netuid, mechanism, commit, reveal_round: round, commit_reveal_version })
}

/// What a block in which a submission succeeded says of it: a commitment, or nothing where weights stand at once.
///
/// # Errors
/// The chain's.
pub(super) async fn found(
    shared: &Shared,
    submitted: &WeightsSubmitted,
    inclusion: &Inclusion,
) -> Result<Option<WeightsCommitted>, Error> {
    let (chain, netuid, block) = (shared.chain.as_ref(), shared.config.netuid, inclusion.block);
    let own = |event: WeightEvent| match event {
        WeightEvent::TimelockedCommitted { hotkey, hash, mechanism: MECHANISM, .. } if hotkey == shared.own => {
            Some(hash)
        }
        _ => None,
    };
    let Some(commitment) =
        offered(chain.weight_events_of(netuid, block, inclusion.index).await)?.into_iter().find_map(own)
    else {
        return Ok(None);
    };
    let before = BlockNumber(block.0.saturating_sub(1));
    let parameters = chain.hyperparameters(netuid, before).await?;
    let schedule = schedule(chain, netuid, before).await?;
    let reveal_at = rounds::reveal_block(schedule, parameters.reveal_period_epochs, before.0);
    // What the chain took it will open some day: it is looked for from the next block on anyway.
    let reveal_at = reveal_at.unwrap_or_else(|error| {
        tracing::warn!(epoch = submitted.epoch, %error, "it cannot be foretold when the weights are revealed");
        block.0.saturating_add(1)
    });
    let (epoch, extrinsic) = (submitted.epoch, submitted.extrinsic);
    Ok(Some(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at: BlockNumber(reveal_at) }))
}

/// Waits for the reveal of what was committed, and records it, or that it did not come. A shorter reveal period that was set
/// after the commit brings it forward, so it is looked for from the block after the commit on. `silent` says that the chain
/// has told nothing for as long as is waited for: then blocks that it does not tell of are passed over.
///
/// # Errors
/// The chain's and the ledger's; it is looked for again then.
pub(super) async fn reveal(
    shared: &Shared,
    (submitted, committed): (&WeightsSubmitted, &WeightsCommitted),
    cause: Option<Position>,
    looked: &mut Looked,
    silent: bool,
) -> Result<(), Error> {
    let chain = shared.chain.as_ref();
    let next = looked.until.map_or(committed.block.0, |until| until.0).saturating_add(1);
    let head = chain.head().await?;
    if head.number.0 < next {
        chain.await_block(BlockNumber(next - 1), LOOK).await?;
        return Ok(());
    }
    for number in next..=head.number.0.min(next.saturating_add(BLOCKS_A_LOOK)) {
        let block = BlockNumber(number);
        match revealed_in(shared, submitted, committed, block).await {
            Ok(true) => {
                let block_hash = chain.block_hash(block).await?.ok_or(chain::Error::UnknownBlock(block))?;
                let revealed = WeightsRevealed { epoch: committed.epoch, block, block_hash };
                tracing::info!(epoch = committed.epoch, %block, "the chain revealed the weights");
                return record(shared, committed.epoch, EpochCommand::Reveal(revealed), cause).await;
            }
            Ok(false) => {}
            // Blocks whose state is discarded lie side by side: what was waited for once is not waited for at each.
            Err(Error::Chain(error)) if silent || looked.gap => {
                tracing::warn!(epoch = committed.epoch, %block, %error, "it cannot be read whether the weights were revealed");
                looked.gap = true;
            }
            Err(error) => return Err(error),
        }
        looked.until = Some(block);
    }
    let tempo = chain.hyperparameters(shared.config.netuid, head.number).await?.tempo;
    let latest = committed.reveal_at.0.saturating_add(u64::from(tempo)).saturating_add(MARGIN_BLOCKS);
    if looked.until.is_some_and(|until| until.0 > latest) {
        let error = if looked.gap { epoch::UNREADABLE } else { epoch::NOT_REVEALED };
        tracing::warn!(epoch = committed.epoch, latest, error, "the chain did not reveal the weights");
        let (epoch, extrinsic) = (committed.epoch, committed.extrinsic);
        let rejected = WeightsRejected { epoch, extrinsic, error: error.to_owned() };
        return record(shared, epoch, EpochCommand::Reject(rejected), cause).await;
    }
    Ok(())
}

/// Whether what was committed was revealed in a block. An event does not say which commit it opened: before its time, it is
/// this one only if these weights then stand.
async fn revealed_in(
    shared: &Shared,
    submitted: &WeightsSubmitted,
    committed: &WeightsCommitted,
    block: BlockNumber,
) -> Result<bool, Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let own = |event: &WeightEvent| matches!(event, WeightEvent::TimelockedRevealed { hotkey, mechanism: MECHANISM } if *hotkey == shared.own);
    if !offered(chain.weight_events(netuid, block).await)?.iter().any(own) {
        return Ok(false);
    }
    if block >= committed.reveal_at {
        return Ok(true);
    }
    let Some(uid) = chain.uid_of(netuid, &shared.own, block).await? else { return Ok(false) };
    let row = chain.weights(netuid, uid, block).await?;
    Ok(is_row_of(&row, &submitted.uids, &submitted.weights))
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

async fn record(shared: &Shared, number: u64, command: EpochCommand, cause: Option<Position>) -> Result<(), Error> {
    shared.commands.epoch(&epoch::stream_id(number), command, cause).await?;
    shared.watch.settled();
    Ok(())
}

/// What happened to weights; nothing on a chain that does not tell.
fn offered(events: Result<Vec<WeightEvent>, chain::Error>) -> Result<Vec<WeightEvent>, Error> {
    match events {
        Err(chain::Error::NotOffered { .. }) => Ok(Vec::new()),
        events => Ok(events?),
    }
}

/// The chain's own beacon; drand's quicknet where a chain names none.
async fn beacon(chain: &dyn Chain, at: BlockNumber) -> Result<Beacon, Error> {
    let found = match chain.beacon(at).await {
        Err(chain::Error::NotOffered { .. }) => return Ok(QUICKNET),
        found => found?,
    };
    match <[u8; 96]>::try_from(found.public_key.as_slice()) {
        Ok(public_key) if found.period_s > 0 => {
            let (genesis_ms, period_ms) = (u64::from(found.genesis_s) * 1_000, u64::from(found.period_s) * 1_000);
            Ok(Beacon { genesis_ms, period_ms, public_key })
        }
        _ => Ok(QUICKNET),
    }
}

async fn schedule(chain: &dyn Chain, netuid: NetUid, at: BlockNumber) -> Result<commit_reveal::Schedule, Error> {
    Ok(match chain.schedule(netuid, at).await? {
        Schedule::Legacy { tempo } => commit_reveal::Schedule::Legacy { netuid: netuid.0, tempo },
        Schedule::Stateful { tempo, last_epoch_block, pending_epoch_at, blocks_since_last_step, epoch_index } => {
            commit_reveal::Schedule::Stateful(State {
                tempo,
                last_epoch_block: last_epoch_block.0,
                pending_epoch_at: pending_epoch_at.0,
                blocks_since_last_step,
                epoch_index,
            })
        }
    })
}

/// The time between two blocks, measured over the last ones.
async fn block_ms(chain: &dyn Chain, at: BlockNumber) -> Result<u64, Error> {
    let before = BlockNumber(at.0.saturating_sub(MEASURED_BLOCKS).max(1));
    let blocks = at.0.saturating_sub(before.0);
    let times = (chain.time_of(before).await, chain.time_of(at).await);
    match times {
        (Err(chain::Error::NotOffered { .. }), _) => Ok(USUAL_BLOCK_MS),
        (earlier, later) => {
            let elapsed = later?.saturating_sub(earlier?);
            Ok(elapsed.checked_div(blocks).filter(|time| *time > 0).unwrap_or(USUAL_BLOCK_MS))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_from_another() {
        let uids = [Uid(3), Uid(1), Uid(2)];
        type Row = &'static [(u16, u16)];
        let rows: [(Row, &[u16], bool); 6] = [
            (&[(1, 65535), (3, 32768)], &[32768, 65535, 0], true),
            (&[(1, 65535), (3, 32768), (2, 0)], &[1, 2, 0], true),
            (&[(1, 65535), (3, 32766)], &[1, 2, 0], false),
            (&[(1, 65535)], &[1, 2, 0], false),
            (&[(1, 65535), (3, 32768), (7, 9)], &[1, 2, 0], false),
            (&[], &[1, 2, 0], false),
        ];
        for (row, weights, expected) in rows {
            let found: Vec<_> = row.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect();
            assert_eq!(is_row_of(&found, &uids, weights), expected, "{row:?} {weights:?}");
        }
    }
}
