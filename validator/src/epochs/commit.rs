//! Weights that nobody can copy before they count: where a subnet asks for it, they are committed under a timelock, and the chain
//! opens them itself some epochs later.
//!
//! **Architecture invariant:** that weights were committed, and that they were revealed, is what the events of a block say.

use std::time::Duration;

use chain::{Call, Chain, Hyperparameters, Schedule, WeightEvent};
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
/// How long one look for the reveal waits for a block.
const LOOK: Duration = Duration::from_secs(5);
/// Blocks that one look reads.
const BLOCKS_A_LOOK: u64 = 64;

/// The name under which weights are recorded that were committed and never opened.
const NOT_REVEALED: &str = "not_revealed";

/// The call that commits weights, encrypted for the round that the beacon signs when the chain begins to reveal.
///
/// # Errors
/// The chain's; a beacon, a reveal period or a tempo under which nothing can be revealed.
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
    block: BlockNumber,
) -> Result<Option<WeightsCommitted>, Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let own = |event: WeightEvent| match event {
        WeightEvent::TimelockedCommitted { hotkey, hash, mechanism: MECHANISM, .. } if hotkey == shared.own => {
            Some(hash)
        }
        _ => None,
    };
    let Some(commitment) = events(chain, netuid, block).await?.into_iter().find_map(own) else { return Ok(None) };
    let before = BlockNumber(block.0.saturating_sub(1));
    let parameters = chain.hyperparameters(netuid, before).await?;
    let schedule = schedule(chain, netuid, before).await?;
    let reveal_at = rounds::reveal_block(schedule, parameters.reveal_period_epochs, before.0);
    let reveal_at = reveal_at.map_err(|error| Error::Refused(format!("when weights are revealed: {error}")))?;
    let (epoch, extrinsic) = (submitted.epoch, submitted.extrinsic);
    Ok(Some(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at: BlockNumber(reveal_at) }))
}

/// Waits for the reveal of what was committed, and records it, or that it did not come. `read` is the last block that was looked at;
/// losing it costs reading again.
///
/// # Errors
/// The chain's and the ledger's; it is looked for again then.
pub(super) async fn reveal(
    shared: &Shared,
    committed: &WeightsCommitted,
    cause: Option<Position>,
    read: &mut Option<BlockNumber>,
) -> Result<(), Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let next = read.map_or(committed.reveal_at.0.max(committed.block.0 + 1), |read| read.0 + 1);
    let head = chain.head().await?;
    if head.number.0 < next {
        chain.await_block(BlockNumber(next - 1), LOOK).await?;
        return Ok(());
    }
    let own = |event: &WeightEvent| matches!(event, WeightEvent::TimelockedRevealed { hotkey, mechanism: MECHANISM } if *hotkey == shared.own);
    for number in next..=head.number.0.min(next + BLOCKS_A_LOOK) {
        let block = BlockNumber(number);
        if events(chain, netuid, block).await?.iter().any(own) {
            let block_hash = chain.block_hash(block).await?;
            let block_hash = block_hash.ok_or_else(|| Error::Refused(format!("block {block} has no hash")))?;
            let revealed = WeightsRevealed { epoch: committed.epoch, block, block_hash };
            tracing::info!(epoch = committed.epoch, %block, "the chain revealed the weights");
            return record(shared, committed.epoch, EpochCommand::Reveal(revealed), cause).await;
        }
        *read = Some(block);
    }
    let tempo = chain.hyperparameters(netuid, head.number).await?.tempo;
    let latest = committed.reveal_at.0.saturating_add(u64::from(tempo)).saturating_add(MARGIN_BLOCKS);
    if read.is_some_and(|read| read.0 > latest) {
        tracing::warn!(epoch = committed.epoch, latest, "the chain did not reveal the weights");
        let (epoch, extrinsic) = (committed.epoch, committed.extrinsic);
        let rejected = WeightsRejected { epoch, extrinsic, error: NOT_REVEALED.to_owned() };
        return record(shared, epoch, EpochCommand::Reject(rejected), cause).await;
    }
    Ok(())
}

async fn record(shared: &Shared, number: u64, command: EpochCommand, cause: Option<Position>) -> Result<(), Error> {
    shared.commands.epoch(&epoch::stream_id(number), command, cause).await?;
    shared.watch.settled();
    Ok(())
}

/// What happened to weights in a block; nothing on a chain that does not tell.
async fn events(chain: &dyn Chain, netuid: NetUid, block: BlockNumber) -> Result<Vec<WeightEvent>, Error> {
    match chain.weight_events(netuid, block).await {
        Err(chain::Error::NotOffered { .. }) => Ok(Vec::new()),
        found => Ok(found?),
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
