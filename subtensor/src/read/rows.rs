//! Weights, what consensus made of them, anchors and events.

use chain::{Anchor, Standing, WeightEvent, WeightRow};
use domain::types::{BlockNumber, NetUid, Rao, Uid};
use subxt::utils::AccountId32;

use super::At;
use crate::error::Error;
use crate::runtime::{Runtime, SUBTENSOR};

type Row = Vec<(u16, u16)>;

fn sorted(row: Row) -> Vec<(Uid, u16)> {
    let mut row: Vec<_> = row.into_iter().map(|(uid, weight)| (Uid(uid), weight)).collect();
    row.sort_unstable_by_key(|(uid, _)| *uid);
    row
}

impl At {
    /// The weights of one slot.
    pub(crate) async fn weights(&self, netuid: NetUid, uid: Uid) -> Result<Vec<(Uid, u16)>, Error> {
        let index = Runtime::mechanism_index(netuid, 0)?;
        let row: Option<Row> = self.value(SUBTENSOR, "Weights", (index, uid.0)).await?;
        Ok(sorted(row.unwrap_or_default()))
    }

    /// The weights of every slot that has any.
    pub(crate) async fn weight_rows(&self, netuid: NetUid, mechanism: u8) -> Result<Vec<WeightRow>, Error> {
        let index = Runtime::mechanism_index(netuid, mechanism)?;
        let length = self.slots(netuid).await?;
        let rows: Vec<Option<Row>> = self.values("Weights", (0..length).map(|uid| (index, uid))).await?;
        let rows = rows.into_iter().zip(0u16..).filter_map(|(row, uid)| Some((row?, uid)));
        Ok(rows
            .filter(|(row, _)| !row.is_empty())
            .map(|(row, uid)| WeightRow { uid: Uid(uid), weights: sorted(row) })
            .collect())
    }

    /// What consensus made of the slots.
    pub(crate) async fn standing(&self, netuid: NetUid, mechanism: u8) -> Result<Standing, Error> {
        let index = Runtime::mechanism_index(netuid, mechanism)?;
        self.slots(netuid).await?;
        let mut batch = self.batch();
        for entry in ["Consensus", "Dividends", "ValidatorTrust", "Emission", "Active"] {
            batch.ask(entry, (netuid.0,))?;
        }
        for entry in ["Incentive", "LastUpdate"] {
            batch.ask(entry, (index,))?;
        }
        let mut answers = batch.send().await?;
        let consensus: Option<Vec<u16>> = answers.take("Consensus")?;
        let dividends: Option<Vec<u16>> = answers.take("Dividends")?;
        let validator_trust: Option<Vec<u16>> = answers.take("ValidatorTrust")?;
        let emission: Option<Vec<u64>> = answers.take("Emission")?;
        let active: Option<Vec<bool>> = answers.take("Active")?;
        let incentive: Option<Vec<u16>> = answers.take("Incentive")?;
        let last_update: Option<Vec<u64>> = answers.take("LastUpdate")?;
        Ok(Standing {
            consensus: consensus.unwrap_or_default(),
            incentive: incentive.unwrap_or_default(),
            dividends: dividends.unwrap_or_default(),
            validator_trust: validator_trust.unwrap_or_default(),
            emission: emission.unwrap_or_default().into_iter().map(Rao).collect(),
            active: active.unwrap_or_default(),
            last_update: last_update.unwrap_or_default().into_iter().map(BlockNumber).collect(),
        })
    }

    /// How many slots a subnet has.
    async fn slots(&self, netuid: NetUid) -> Result<u16, Error> {
        let mut batch = self.batch();
        batch.ask("NetworksAdded", (netuid.0,))?;
        batch.ask("SubnetworkN", (netuid.0,))?;
        let mut answers = batch.send().await?;
        if !answers.need::<bool>("NetworksAdded")? {
            return Err(self.unknown_subnet(netuid));
        }
        answers.need("SubnetworkN")
    }

    /// The anchor of a hotkey.
    pub(crate) async fn anchor(&self, netuid: NetUid, account: AccountId32) -> Result<Option<Anchor>, Error> {
        let key = self.runtime.storage_key("Commitments", "CommitmentOf", (netuid.0, account))?;
        match self.link.storage(&key, self.hash).await? {
            Some(stored) => self.runtime.anchor(&stored),
            None => Ok(None),
        }
    }

    /// The bytes of this block's events. They are to be read with the runtime of the block before: it is the one that ran.
    pub(crate) async fn events(&self) -> Result<Vec<u8>, Error> {
        let key = self.runtime.storage_key("System", "Events", ())?;
        Ok(self.link.storage(&key, self.hash).await?.unwrap_or_default())
    }

    /// What happened in this block to weights of a subnet; `ran` is the runtime of the block before.
    pub(crate) async fn weight_events(&self, ran: &Runtime, netuid: NetUid) -> Result<Vec<WeightEvent>, Error> {
        ran.weight_events(&self.events().await?, netuid)
    }

    /// As [`At::weight_events`], of the extrinsic in one place of the block.
    pub(crate) async fn weight_events_of(
        &self,
        ran: &Runtime,
        netuid: NetUid,
        index: u32,
    ) -> Result<Vec<WeightEvent>, Error> {
        ran.weight_events_of(&self.events().await?, netuid, index)
    }
}
