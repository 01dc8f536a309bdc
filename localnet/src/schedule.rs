//! Which runtime a chain has: spec 393 with epochs by block number, or spec 425 with epochs by state of their own.
//!
//! A chain keeps the one of its genesis; which it is stands in `System.LastRuntimeUpgrade`, so that whatever reads a state
//! knows it. The metadata of 425 was not to be had: of what changed there this chain has the entries named here, and the
//! numbers of calls, events and errors stay those of 393.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use yuma::schedule::{legacy, stateful};

use crate::runtime::frame_system;
use crate::runtime::pallet_development::EPOCH_BLOCKS;
use crate::runtime::pallet_subtensor::storage as s;
use crate::store::{Overlay, Read};

/// Epochs whose blocks are remembered: none can be asked for that is older than the longest reveal period and its epoch.
const REMEMBERED_EPOCHS: usize = 128;
/// Entries of storage that 393 does not have yet, and this chain's own for them.
const STATEFUL_ONLY: [&str; 6] = [
    "LastEpochBlock",
    "PendingEpochAt",
    "SubnetEpochIndex",
    "ActivityCutoffFactorMilli",
    "MaxEpochsPerBlock",
    "EpochBlocks",
];
/// Entries of storage that 425 does not have any more.
const LEGACY_ONLY: [&str; 3] = ["Rank", "Trust", "PruningScores"];

/// How a chain's epochs follow each other, and with that its runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Spec 393: an epoch every `tempo + 1` blocks, counted from block 0.
    #[default]
    Legacy,
    /// Spec 425: an epoch `tempo` blocks after the last one, at most two subnets in a block.
    Stateful,
}

impl Schedule {
    /// The version of the runtime: what an extrinsic signs.
    pub fn spec_version(self) -> u32 {
        match self {
            Self::Legacy => crate::runtime::SPEC_VERSION,
            Self::Stateful => crate::runtime::STATEFUL_SPEC_VERSION,
        }
    }

    /// That of a chain, from its state.
    pub(crate) fn of(state: &impl Read) -> Self {
        let upgrade = frame_system::LAST_RUNTIME_UPGRADE.find(state, &());
        let is_stateful = upgrade.is_some_and(|upgrade| upgrade.spec_version == Self::Stateful.spec_version());
        if is_stateful { Self::Stateful } else { Self::Legacy }
    }

    /// Whether its runtime has an entry of storage.
    pub(crate) fn has_entry(self, name: &str) -> bool {
        match self {
            Self::Legacy => !STATEFUL_ONLY.contains(&name),
            Self::Stateful => !LEGACY_ONLY.contains(&name),
        }
    }
}

/// What stands in storage of a subnet's schedule.
fn stored(state: &impl Read, netuid: u16) -> stateful::State {
    stateful::State {
        tempo: s::TEMPO.get(state, &netuid),
        last_epoch_block: s::LAST_EPOCH_BLOCK.get(state, &netuid),
        pending_epoch_at: s::PENDING_EPOCH_AT.get(state, &netuid),
        blocks_since_last_step: s::BLOCKS_SINCE_LAST_STEP.get(state, &netuid),
        epoch_index: s::SUBNET_EPOCH_INDEX.get(state, &netuid),
    }
}

/// Moves the subnets of a stateful chain through `block` and gives those whose epoch is computed in it, each with the blocks
/// since its last.
pub(crate) fn advance(state: &mut Overlay<'_>, netuids: &[u16], block: u64) -> Vec<(u16, u64)> {
    let before: BTreeMap<u16, stateful::State> =
        netuids.iter().map(|netuid| (*netuid, stored(&*state, *netuid))).collect();
    let mut after = before.clone();
    let computed = stateful::advance(&mut after, block, s::MAX_EPOCHS_PER_BLOCK.get(state, &()));
    for (netuid, now) in &after {
        s::BLOCKS_SINCE_LAST_STEP.put(state, netuid, &now.blocks_since_last_step);
        if before.get(netuid).is_some_and(|before| before.pending_epoch_at != now.pending_epoch_at) {
            s::PENDING_EPOCH_AT.put(state, netuid, &now.pending_epoch_at);
        }
    }
    for netuid in &computed {
        let Some(now) = after.get(netuid) else { continue };
        s::LAST_EPOCH_BLOCK.put(state, netuid, &now.last_epoch_block);
        s::SUBNET_EPOCH_INDEX.put(state, netuid, &now.epoch_index);
        EPOCH_BLOCKS.change(state, netuid, |blocks| {
            blocks.push(block);
            let forgotten = blocks.len().saturating_sub(REMEMBERED_EPOCHS);
            blocks.drain(..forgotten);
        });
    }
    let since = |netuid: &u16| before.get(netuid).map_or(0, |state| state.blocks_since_last_step).saturating_add(1);
    computed.iter().map(|netuid| (*netuid, since(netuid))).collect()
}

/// The number of the epoch that a block belongs to once its own epoch was computed: up to now.
pub(crate) fn epoch_index(state: &impl Read, netuid: u16, block: u64) -> u64 {
    match Schedule::of(state) {
        Schedule::Legacy => legacy::number(netuid, s::TEMPO.get(state, &netuid), block),
        Schedule::Stateful => {
            let epochs = EPOCH_BLOCKS.get(state, &netuid);
            let later = epochs.iter().rev().take_while(|epoch| **epoch > block).count();
            s::SUBNET_EPOCH_INDEX.get(state, &netuid).saturating_sub(later as u64)
        }
    }
}

/// The number of the epoch for which commits are revealed at the beginning of `block`, before its own epoch is computed: one
/// that is due counts already.
pub(crate) fn reveal_index(state: &impl Read, netuid: u16, block: u64) -> u64 {
    match Schedule::of(state) {
        Schedule::Legacy => epoch_index(state, netuid, block),
        Schedule::Stateful => {
            let stored = stored(state, netuid);
            stored.epoch_index.saturating_add(u64::from(stored.is_due(block)))
        }
    }
}

/// The first and last block in which a commit of `block` can be revealed, as far as can be told now.
pub(crate) fn reveal_blocks(state: &impl Read, netuid: u16, block: u64) -> (u64, u64) {
    let tempo = s::TEMPO.get(state, &netuid);
    let period = s::REVEAL_PERIOD_EPOCHS.get(state, &netuid);
    match Schedule::of(state) {
        Schedule::Legacy => {
            let epoch = epoch_index(state, netuid, block).saturating_add(period);
            let first = legacy::first_block(netuid, tempo, epoch);
            (first, first.saturating_add(u64::from(tempo)))
        }
        Schedule::Stateful => {
            let next = stored(state, netuid).next_epoch(block).unwrap_or(u64::MAX);
            let after = |epochs: u64| next.saturating_add(epochs.saturating_mul(u64::from(tempo)));
            let first = period.checked_sub(1).map_or(block, after);
            (first, after(period).saturating_sub(1))
        }
    }
}

/// `get_next_epoch_start_block`: by the tempo or by what was put off, whichever is sooner; none without a tempo.
pub(crate) fn next_epoch_start(state: &impl Read, netuid: u16) -> Option<u64> {
    let stored = stored(state, netuid);
    let by_tempo = stored.last_epoch_block.saturating_add(u64::from(stored.tempo));
    let pending = if stored.pending_epoch_at > 0 { stored.pending_epoch_at } else { u64::MAX };
    (stored.tempo > 0).then(|| by_tempo.min(pending))
}

/// Blocks after which a neuron without update counts as inactive.
pub(crate) fn activity_cutoff(state: &impl Read, netuid: u16) -> u64 {
    match Schedule::of(state) {
        Schedule::Legacy => u64::from(s::ACTIVITY_CUTOFF.get(state, &netuid)),
        Schedule::Stateful => {
            let factor = u64::from(s::ACTIVITY_CUTOFF_FACTOR_MILLI.get(state, &netuid));
            (factor * u64::from(s::TEMPO.get(state, &netuid)) / 1000).max(1)
        }
    }
}

/// The least share of a tempo, in thousandths, that makes so many blocks.
pub(crate) fn activity_cutoff_factor(blocks: u16, tempo: u16) -> Option<u32> {
    let factor = (u64::from(blocks) * 1000).checked_next_multiple_of(u64::from(tempo))? / u64::from(tempo);
    Some(u32::try_from(factor).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_tempo_makes_the_blocks() {
        for (blocks, tempo) in [(5000u16, 360u16), (5000, 20), (7, 20), (1, 999), (65535, 1), (0, 5)] {
            let factor = activity_cutoff_factor(blocks, tempo).map(u64::from);
            assert_eq!(
                factor.map(|factor| factor * u64::from(tempo) / 1000),
                Some(u64::from(blocks)),
                "{blocks} {tempo}"
            );
        }
        assert_eq!(activity_cutoff_factor(5000, 360), Some(13_889));
        assert_eq!(activity_cutoff_factor(5000, 0), None);
    }

    #[test]
    fn runtimes_differ_in_their_entries() {
        let has = |name| [Schedule::Legacy, Schedule::Stateful].map(|schedule| schedule.has_entry(name));
        assert_eq!(has("Tempo"), [true, true]);
        assert_eq!(has("LastEpochBlock"), [false, true]);
        assert_eq!(has("Rank"), [true, false]);
        assert_eq!([Schedule::Legacy, Schedule::Stateful].map(Schedule::spec_version), [393, 425]);
    }
}
