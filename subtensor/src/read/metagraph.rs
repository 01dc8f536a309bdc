//! A subnet's neurons: in one answer of the runtime where it has one, from storage where it has not.
//!
//! `get_metagraph` tells everything at once; `get_neurons_lite` all but the stake that counts for permits and the block of
//! registration; storage has always been there. Which one was used makes no difference to anything but the stake: storage
//! alone knows no inherited stake, so what it gives is a hotkey's own (`TotalHotkeyAlpha`), and so does `get_neurons_lite`.

use chain::{Metagraph, Neuron};
use domain::types::{BlockNumber, Hotkey, NetUid, Rao, Uid};
use subxt::ext::scale_decode::{self, DecodeAsType};
use subxt::utils::AccountId32;

use super::At;
use crate::error::Error;
use crate::runtime::{AxonInfo, Runtime, SUBTENSOR, hotkey};

/// The part of the runtime's `Metagraph` that is of interest, one item a slot.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
struct Answer {
    hotkeys: Vec<AccountId32>,
    coldkeys: Vec<AccountId32>,
    axons: Vec<AxonInfo>,
    validator_permit: Vec<bool>,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    total_stake: Vec<u64>,
}

/// The part of `NeuronInfoLite` that is of interest.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
struct NeuronLite {
    hotkey: AccountId32,
    coldkey: AccountId32,
    uid: u16,
    axon_info: AxonInfo,
    stake: Vec<(AccountId32, u64)>,
    last_update: u64,
    validator_permit: bool,
}

impl At {
    /// A subnet's neurons.
    ///
    /// # Errors
    /// [`chain::Error::UnknownSubnet`].
    pub(crate) async fn metagraph(&self, netuid: NetUid) -> Result<Metagraph, Error> {
        let mut batch = self.batch();
        batch.ask("NetworksAdded", (netuid.0,))?;
        batch.ask("SubnetOwnerHotkey", (netuid.0,))?;
        let mut answers = batch.send().await?;
        if !answers.need::<bool>("NetworksAdded")? {
            return Err(self.unknown_subnet(netuid));
        }
        let owner: Option<AccountId32> = answers.take("SubnetOwnerHotkey")?;
        Ok(Metagraph {
            netuid,
            block: self.number,
            block_hash: self.hash,
            epoch: self.epoch(netuid).await?,
            owner: owner.filter(|owner| owner.0 != [0; 32]).map(|owner| hotkey(&owner)),
            neurons: self.neurons(netuid).await?,
        })
    }

    async fn neurons(&self, netuid: NetUid) -> Result<Vec<Neuron>, Error> {
        match self.neurons_of_metagraph(netuid).await {
            Err(error) if falls_back(&error) => self.link.answers_partly(|| {
                format!(
                    "get_metagraph is not answered, so a neuron's stake is its own, without what it inherits ({error})"
                )
            }),
            found => return found,
        }
        match self.neurons_of_list(netuid).await {
            Err(error) if falls_back(&error) => tracing::debug!(%error, "reading neurons from storage"),
            found => return found,
        }
        self.neurons_of_storage(netuid).await
    }

    async fn neurons_of_metagraph(&self, netuid: NetUid) -> Result<Vec<Neuron>, Error> {
        let answer: Option<Answer> = self.api("SubnetInfoRuntimeApi", "get_metagraph", (netuid.0,)).await?;
        neurons_of(&answer.ok_or_else(|| self.unknown_subnet(netuid))?)
    }

    async fn neurons_of_list(&self, netuid: NetUid) -> Result<Vec<Neuron>, Error> {
        let list: Vec<NeuronLite> = self.api("NeuronInfoRuntimeApi", "get_neurons_lite", (netuid.0,)).await?;
        let uids = list.iter().map(|neuron| (netuid.0, neuron.uid));
        let registered: Vec<Option<u64>> = self.values("BlockAtRegistration", uids).await?;
        let mut neurons = Vec::with_capacity(list.len());
        for ((neuron, registered), uid) in list.into_iter().zip(registered).zip(0u32..) {
            if u32::from(neuron.uid) != uid {
                return Err(Error::decode("neurons", format!("uid {} stands in place {uid}", neuron.uid)));
            }
            let stake = neuron.stake.iter().fold(0u64, |sum, (_, stake)| sum.saturating_add(*stake));
            let (hotkey, coldkey) = (hotkey(&neuron.hotkey), hotkey(&neuron.coldkey));
            let slot = Slot { hotkey, coldkey, axon: Some(&neuron.axon_info) };
            let registered = registered.unwrap_or(0);
            neurons.push(slot.neuron(uid, stake, neuron.validator_permit, neuron.last_update, registered)?);
        }
        Ok(neurons)
    }

    async fn neurons_of_storage(&self, netuid: NetUid) -> Result<Vec<Neuron>, Error> {
        let mut batch = self.batch();
        for entry in ["SubnetworkN", "ValidatorPermit", "LastUpdate"] {
            batch.ask(entry, (netuid.0,))?;
        }
        let mut answers = batch.send().await?;
        let length: u16 = answers.need("SubnetworkN")?;
        let permits: Vec<bool> = answers.need("ValidatorPermit")?;
        let updates: Vec<u64> = answers.need("LastUpdate")?;
        let uids = || (0..length).map(|uid| (netuid.0, uid));
        let keys: Vec<Option<AccountId32>> = self.values("Keys", uids()).await?;
        let keys: Vec<AccountId32> =
            keys.into_iter().collect::<Option<_>>().ok_or_else(|| Error::decode("Keys", "a slot has no hotkey"))?;
        let registered: Vec<Option<u64>> = self.values("BlockAtRegistration", uids()).await?;
        let axons: Vec<Option<AxonInfo>> = self.values("Axons", keys.iter().map(|key| (netuid.0, *key))).await?;
        let owners: Vec<Option<AccountId32>> = self.values("Owner", keys.iter().map(|key| (*key,))).await?;
        let stakes: Vec<Option<u64>> = self.values("TotalHotkeyAlpha", keys.iter().map(|key| (*key, netuid.0))).await?;
        let mut neurons = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let of = |list: &[Option<u64>]| list.get(index).copied().flatten().unwrap_or(0);
            let coldkey = owners.get(index).copied().flatten();
            let coldkey = coldkey.ok_or_else(|| Error::decode("Owner", format!("hotkey of slot {index} has none")))?;
            let axon = axons.get(index).and_then(Option::as_ref);
            let slot = Slot { hotkey: hotkey(key), coldkey: hotkey(&coldkey), axon };
            let permit = permits.get(index).copied().unwrap_or(false);
            let updated = updates.get(index).copied().unwrap_or(0);
            neurons.push(slot.neuron(index as u32, of(&stakes), permit, updated, of(&registered))?);
        }
        Ok(neurons)
    }

    /// The slot of a hotkey.
    pub(crate) async fn uid_of(&self, netuid: NetUid, account: AccountId32) -> Result<Option<Uid>, Error> {
        let uid: Option<u16> = self.value(SUBTENSOR, "Uids", (netuid.0, account)).await?;
        Ok(uid.map(Uid))
    }
}

impl Runtime {
    /// The neurons in an answer of `SubnetInfoRuntimeApi_get_metagraph`; [`None`] where the chain has no such subnet.
    ///
    /// # Errors
    /// [`Error::Missing`], and [`Error::Decode`], also when its lists differ in length.
    pub fn metagraph_neurons(&self, answer: &[u8]) -> Result<Option<Vec<Neuron>>, Error> {
        let answer: Option<Answer> = self.api_answer("SubnetInfoRuntimeApi", "get_metagraph", answer)?;
        answer.as_ref().map(neurons_of).transpose()
    }
}

/// The neurons of an answer, whose lists must have one length.
fn neurons_of(answer: &Answer) -> Result<Vec<Neuron>, Error> {
    let length = answer.hotkeys.len();
    let lengths = [
        answer.coldkeys.len(),
        answer.axons.len(),
        answer.validator_permit.len(),
        answer.last_update.len(),
        answer.block_at_registration.len(),
        answer.total_stake.len(),
    ];
    if lengths.iter().any(|found| *found != length) {
        return Err(Error::decode("metagraph", format!("its lists have {length} and {lengths:?} items")));
    }
    let slots = answer.hotkeys.iter().zip(&answer.coldkeys).zip(&answer.axons).zip(&answer.validator_permit);
    let blocks = answer.last_update.iter().zip(&answer.block_at_registration).zip(&answer.total_stake);
    let neurons = slots.zip(blocks).zip(0u32..);
    neurons
        .map(|(((((owned, owner), axon), permit), ((updated, registered), stake)), uid)| {
            let slot = Slot { hotkey: hotkey(owned), coldkey: hotkey(owner), axon: Some(axon) };
            slot.neuron(uid, *stake, *permit, *updated, *registered)
        })
        .collect()
}

/// Whether the same may be had in another way: the runtime does not have the question, refuses it, or answers in a form that
/// its own metadata does not state.
fn falls_back(error: &Error) -> bool {
    error.is_absence() || matches!(error, Error::Decode { .. } | Error::Refused { .. })
}

struct Slot<'a> {
    hotkey: Hotkey,
    coldkey: Hotkey,
    axon: Option<&'a AxonInfo>,
}

impl Slot<'_> {
    fn neuron(self, uid: u32, stake: u64, permit: bool, updated: u64, registered: u64) -> Result<Neuron, Error> {
        let uid = u16::try_from(uid).map_err(|_| Error::decode("metagraph", "it has more than 65,536 slots"))?;
        let none = (std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let (ip, port) = self.axon.map_or(none, AxonInfo::address);
        Ok(Neuron {
            uid: Uid(uid),
            hotkey: self.hotkey,
            coldkey: self.coldkey,
            ip,
            port,
            stake: Rao(stake),
            validator_permit: permit,
            last_update: BlockNumber(updated),
            registered_at: BlockNumber(registered),
        })
    }
}
