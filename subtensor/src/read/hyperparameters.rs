//! A subnet's hyperparameters and its schedule of epochs.
//!
//! Both are read from storage in one request: no answer of a runtime API has all of them, and storage has the same names in
//! every runtime. Entries that a runtime dropped or does not have yet are met as stated at each.

use chain::{Beacon, Epoch, Hyperparameters, Schedule};
use domain::types::{BlockNumber, NetUid, Rao};
use subxt::ext::scale_decode::{self, DecodeAsType};
use yuma::schedule::{legacy, stateful};

use super::At;
use crate::error::Error;

/// What is read of `Drand.BeaconConfig`.
#[derive(Default, DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
struct BeaconConfiguration {
    public_key: Vec<u8>,
    period: u32,
    genesis_time: u32,
}

/// The entry whose presence tells of the newer schedule of epochs.
const LAST_EPOCH_BLOCK: &str = "LastEpochBlock";

impl At {
    /// A subnet's hyperparameters.
    ///
    /// # Errors
    /// [`chain::Error::UnknownSubnet`].
    pub(crate) async fn hyperparameters(&self, netuid: NetUid) -> Result<Hyperparameters, Error> {
        const OF_SUBNET: [&str; 15] = [
            "NetworksAdded",
            "Tempo",
            "WeightsSetRateLimit",
            "MinAllowedWeights",
            "MaxWeightsLimit",
            "WeightsVersionKey",
            "CommitRevealWeightsEnabled",
            "RevealPeriodEpochs",
            "ImmunityPeriod",
            "MaxAllowedUids",
            "MaxAllowedValidators",
            "ServingRateLimit",
            "ActivityCutoff",
            "ActivityCutoffFactorMilli",
            "MechanismCountCurrent",
        ];
        let mut batch = self.batch();
        for entry in OF_SUBNET {
            batch.ask(entry, (netuid.0,))?;
        }
        batch.ask("StakeThreshold", ())?;
        batch.ask("CommitRevealWeightsVersion", ())?;
        let mut answers = batch.send().await?;
        if !answers.need::<bool>("NetworksAdded")? {
            return Err(self.unknown_subnet(netuid));
        }
        let tempo = answers.need("Tempo")?;
        let mut found = Hyperparameters {
            tempo,
            weights_rate_limit: answers.need("WeightsSetRateLimit")?,
            min_allowed_weights: answers.need("MinAllowedWeights")?,
            // A runtime without the entry sets no limit.
            max_weight_limit: answers.take("MaxWeightsLimit")?.unwrap_or(u16::MAX),
            weights_version_key: answers.need("WeightsVersionKey")?,
            commit_reveal_enabled: answers.need("CommitRevealWeightsEnabled")?,
            reveal_period_epochs: answers.take("RevealPeriodEpochs")?.unwrap_or(1),
            immunity_period: answers.need("ImmunityPeriod")?,
            max_allowed_uids: answers.need("MaxAllowedUids")?,
            max_allowed_validators: answers.need("MaxAllowedValidators")?,
            serving_rate_limit: answers.need("ServingRateLimit")?,
            ..Hyperparameters::default()
        };
        let blocks: Option<u16> = answers.take("ActivityCutoff")?;
        let factor: Option<u32> = answers.take("ActivityCutoffFactorMilli")?;
        found.activity_cutoff = activity_cutoff(blocks, factor, tempo);
        found.mechanism_count = answers.take("MechanismCountCurrent")?.unwrap_or(1);
        found.stake_threshold = Rao(answers.need("StakeThreshold")?);
        found.commit_reveal_version = answers.take("CommitRevealWeightsVersion")?.unwrap_or(0);
        Ok(found)
    }

    /// The beacon that the chain listens to.
    ///
    /// # Errors
    /// [`chain::Error::NotOffered`] where the runtime names none.
    pub(crate) async fn beacon(&self) -> Result<Beacon, Error> {
        let found = self.value::<BeaconConfiguration>("Drand", "BeaconConfig", ()).await?;
        let BeaconConfiguration { public_key, period, genesis_time } = found.unwrap_or_default();
        Ok(Beacon { public_key, period_s: period, genesis_s: genesis_time })
    }

    /// What the chain stores of a subnet's schedule.
    ///
    /// # Errors
    /// [`chain::Error::UnknownSubnet`].
    pub(crate) async fn schedule(&self, netuid: NetUid) -> Result<Schedule, Error> {
        let mut batch = self.batch();
        for entry in
            ["NetworksAdded", "Tempo", LAST_EPOCH_BLOCK, "PendingEpochAt", "BlocksSinceLastStep", "SubnetEpochIndex"]
        {
            batch.ask(entry, (netuid.0,))?;
        }
        let mut answers = batch.send().await?;
        if !answers.need::<bool>("NetworksAdded")? {
            return Err(self.unknown_subnet(netuid));
        }
        let tempo = answers.need("Tempo")?;
        if !self.has(LAST_EPOCH_BLOCK) {
            return Ok(Schedule::Legacy { tempo });
        }
        Ok(Schedule::Stateful {
            tempo,
            last_epoch_block: BlockNumber(answers.need(LAST_EPOCH_BLOCK)?),
            pending_epoch_at: BlockNumber(answers.take("PendingEpochAt")?.unwrap_or(0)),
            blocks_since_last_step: answers.take("BlocksSinceLastStep")?.unwrap_or(0),
            epoch_index: answers.take("SubnetEpochIndex")?.unwrap_or(0),
        })
    }

    /// Where a subnet stands in its schedule.
    pub(crate) async fn epoch(&self, netuid: NetUid) -> Result<Epoch, Error> {
        Ok(epoch_of(self.schedule(netuid).await?, netuid, self.number))
    }
}

/// The last epoch and the next, as of the end of block `at`.
fn epoch_of(schedule: Schedule, netuid: NetUid, at: BlockNumber) -> Epoch {
    match schedule {
        Schedule::Legacy { tempo } => legacy_epoch(netuid, tempo, at),
        Schedule::Stateful { tempo, last_epoch_block, pending_epoch_at, blocks_since_last_step, epoch_index } => {
            let state = stateful::State {
                tempo,
                last_epoch_block: last_epoch_block.0,
                pending_epoch_at: pending_epoch_at.0,
                blocks_since_last_step,
                epoch_index,
            };
            let next_block = BlockNumber(state.next_epoch(at.0).unwrap_or(u64::MAX));
            Epoch { index: epoch_index, last_block: last_epoch_block, next_block }
        }
    }
}

/// Blocks until a neuron counts as inactive: a share of the tempo where the runtime has one, at least 1.
fn activity_cutoff(blocks: Option<u16>, factor_milli: Option<u32>, tempo: u16) -> u16 {
    match (blocks, factor_milli) {
        (_, Some(factor)) => {
            let cutoff = (u64::from(factor) * u64::from(tempo) / 1000).max(1);
            u16::try_from(cutoff).unwrap_or(u16::MAX)
        }
        (Some(blocks), None) => blocks,
        (None, None) => u16::MAX,
    }
}

/// The schedule by block number: epochs are counted from block 0 on.
fn legacy_epoch(netuid: NetUid, tempo: u16, at: BlockNumber) -> Epoch {
    let next = at.0.saturating_add(1);
    let Some(left) = legacy::blocks_until(netuid.0, tempo, next) else {
        return Epoch { index: 0, last_block: BlockNumber(0), next_block: BlockNumber(u64::MAX) };
    };
    let period = u64::from(tempo) + 1;
    let next_block = next.saturating_add(left);
    Epoch {
        index: legacy::number(netuid.0, tempo, next),
        last_block: BlockNumber(next_block.saturating_sub(period)),
        next_block: BlockNumber(next_block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legacy_schedule_counts_epochs() {
        for (netuid, tempo, at, index, last, next) in [
            (1, 360, 357, 0, 0, 358),
            (1, 360, 358, 1, 358, 719),
            (1, 360, 718, 1, 358, 719),
            (1, 360, 719, 2, 719, 1080),
            (0, 100, 98, 0, 0, 99),
            (0, 100, 99, 1, 99, 200),
        ] {
            let found = legacy_epoch(NetUid(netuid), tempo, BlockNumber(at));
            let expected = Epoch { index, last_block: BlockNumber(last), next_block: BlockNumber(next) };
            assert_eq!(found, expected, "{netuid} {tempo} {at}");
        }
        assert_eq!(legacy_epoch(NetUid(1), 0, BlockNumber(9)).next_block, BlockNumber(u64::MAX));
    }

    #[test]
    fn the_stateful_schedule_is_read_from_its_state() {
        for (tempo, last, pending, at, next) in [
            (360, 1000, 0, 1010, 1360),
            (360, 1000, 1050, 1010, 1050),
            (360, 1000, 0, 1500, 1501),
            (0, 1000, 0, 1010, u64::MAX),
        ] {
            let schedule = Schedule::Stateful {
                tempo,
                last_epoch_block: BlockNumber(last),
                pending_epoch_at: BlockNumber(pending),
                blocks_since_last_step: 10,
                epoch_index: 7,
            };
            let expected = Epoch { index: 7, last_block: BlockNumber(last), next_block: BlockNumber(next) };
            assert_eq!(epoch_of(schedule, NetUid(1), BlockNumber(at)), expected, "{tempo} {last} {pending} {at}");
        }
    }

    #[test]
    fn activity_is_cut_off_by_blocks_or_by_tempos() {
        for (blocks, factor, tempo, expected) in [
            (Some(5000), None, 360, 5000),
            (Some(5000), Some(13_889), 360, 5000),
            (None, Some(13_889), 360, 5000),
            (None, Some(0), 360, 1),
            (None, Some(u32::MAX), u16::MAX, u16::MAX),
        ] {
            assert_eq!(activity_cutoff(blocks, factor, tempo), expected, "{blocks:?} {factor:?} {tempo}");
        }
    }
}
