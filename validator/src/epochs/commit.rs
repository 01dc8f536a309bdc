//! Weights that nobody can copy before they count: where a subnet asks for it, they are committed under a timelock, and the chain
//! opens them itself some epochs later, or by their hash (`hash_form`). The wait for that is the matter of `reveals`.
//!
//! **Architecture invariant:** that weights were committed is what the events of a block say.

use chain::{Call, Chain, Hyperparameters, Inclusion, Schedule, WeightEvent};
use commit_reveal::{Beacon, Moment, Payload, PublicKey, QUICKNET, Weights, reveal_round, rounds};
use domain::epoch;
use domain::events::{WeightsCommitted, WeightsSubmitted};
use domain::types::{BlockNumber, NetUid, Uid};
use yuma::schedule::legacy;
use yuma::schedule::stateful::State;

use crate::Error;
use crate::shared::Shared;

/// How far back the time between two blocks is measured.
const MEASURED_BLOCKS: u64 = 20;
/// What it is taken for on a chain that keeps no time, in milliseconds.
const USUAL_BLOCK_MS: u64 = 12_000;
/// Commits by hash that the chain keeps for a hotkey before it answers `TooManyUnrevealedCommits`.
const MOST_UNREVEALED_HASHES: usize = 10;
/// The only mechanism that weights are set for.
pub(super) const MECHANISM: u8 = 0;
/// The chain's name for a commit whose round the beacon had signed before its block came: another one, for a later round, may follow.
pub(super) const TOO_LATE: &str = "InvalidRevealRound";

/// Why nothing can be committed under a subnet's settings.
#[allow(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
pub(super) fn refused(error: commit_reveal::Error) -> Error {
    Error::Refused(format!("weights cannot be committed: {error}"))
}

/// The first block in which weights are revealed that are committed in the block after `before`; an error of `commit_reveal` where they
/// never are.
///
/// # Errors
/// The chain's.
pub(super) async fn reveal_block(
    shared: &Shared,
    before: BlockNumber,
    period: u64,
) -> Result<Result<u64, commit_reveal::Error>, Error> {
    let schedule = schedule(shared.chain.as_ref(), shared.config.netuid, before).await?;
    // By its number a block may be the first of an epoch; by the chain's state that is found on the way.
    let from = match schedule {
        commit_reveal::Schedule::Legacy { .. } => before.0.saturating_add(1),
        commit_reveal::Schedule::Stateful(_) => before.0,
    };
    Ok(rounds::reveal_block(schedule, period, from))
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
        WeightEvent::Committed { hotkey, hash, mechanism: MECHANISM } if hotkey == shared.own => Some(hash),
        _ => None,
    };
    let Some(commitment) =
        offered(chain.weight_events_of(netuid, block, inclusion.index).await)?.into_iter().find_map(own)
    else {
        return Ok(None);
    };
    let before = BlockNumber(block.0.saturating_sub(1));
    let parameters = chain.hyperparameters(netuid, before).await?;
    let reveal_at = reveal_block(shared, before, parameters.reveal_period_epochs).await?;
    // What the chain took it will open some day: it is looked for from the next block on anyway.
    let reveal_at = reveal_at.unwrap_or_else(|error| {
        tracing::warn!(epoch = submitted.epoch, %error, "it cannot be foretold when the weights are revealed");
        block.0.saturating_add(1)
    });
    let (epoch, extrinsic) = (submitted.epoch, submitted.extrinsic);
    Ok(Some(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at: BlockNumber(reveal_at) }))
}

/// Whether a commit made now stands alone in the chain's epoch. The chain opens what was committed in one of its epochs in one block, so
/// that of two commits the first would never count; it waits for the epoch after that of the last commit.
///
/// # Errors
/// The chain's.
pub(super) async fn has_its_turn(shared: &Shared, at: BlockNumber) -> Result<bool, Error> {
    let (waiting, newest) = {
        let fold = shared.board.read();
        (fold.committed.len(), fold.committed.values().map(|committed| committed.block).max())
    };
    let Some(newest) = newest else { return Ok(true) };
    let netuid = shared.config.netuid;
    if waiting >= MOST_UNREVEALED_HASHES {
        let version = shared.chain.hyperparameters(netuid, at).await?.commit_reveal_version;
        if waiting >= most_waiting(shared.config.commit_form.is_hash(version)) {
            return Ok(false);
        }
    }
    Ok(is_of_a_later_epoch(netuid, shared.chain.schedule(netuid, at).await?, at, newest))
}

/// How many commits may wait at once. The chain counts those by hash altogether, and timelocked ones in each of its epochs alone.
const fn most_waiting(by_hash: bool) -> usize {
    if by_hash { MOST_UNREVEALED_HASHES } else { epoch::MOST_AWAITING_REVEAL }
}

/// Whether an epoch of the chain began between two blocks, or in the later one. Where there are none, nothing is waited for.
fn is_of_a_later_epoch(netuid: NetUid, schedule: Schedule, at: BlockNumber, before: BlockNumber) -> bool {
    match schedule {
        Schedule::Legacy { tempo: 0 } | Schedule::Stateful { tempo: 0, .. } => true,
        Schedule::Legacy { tempo } => legacy::number(netuid.0, tempo, at.0) > legacy::number(netuid.0, tempo, before.0),
        Schedule::Stateful { last_epoch_block, .. } => last_epoch_block > before,
    }
}

/// What happened to weights; nothing on a chain that does not tell.
pub(super) fn offered(events: Result<Vec<WeightEvent>, chain::Error>) -> Result<Vec<WeightEvent>, Error> {
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
    fn an_epoch_of_the_chain_lies_between() {
        let stateful = |tempo, last_epoch_block| Schedule::Stateful {
            tempo,
            last_epoch_block: BlockNumber(last_epoch_block),
            pending_epoch_at: BlockNumber(0),
            blocks_since_last_step: 0,
            epoch_index: 7,
        };
        // Of subnet 78 with a tempo of 99, epochs begin in blocks 21, 121 …
        let rows = [
            (Schedule::Legacy { tempo: 99 }, 30, 21, false),
            (Schedule::Legacy { tempo: 99 }, 120, 21, false),
            (Schedule::Legacy { tempo: 99 }, 121, 21, true),
            (Schedule::Legacy { tempo: 99 }, 121, 120, true),
            (Schedule::Legacy { tempo: 0 }, 21, 21, true),
            (stateful(360, 1000), 1010, 1005, false),
            (stateful(360, 1000), 1010, 1000, false),
            (stateful(360, 1000), 1010, 999, true),
            (stateful(0, 0), 10, 9, true),
        ];
        for (schedule, at, before, expected) in rows {
            let found = is_of_a_later_epoch(NetUid(78), schedule, BlockNumber(at), BlockNumber(before));
            assert_eq!(found, expected, "{schedule:?} {at} {before}");
        }
    }
}
