//! The state machine: a pure function of genesis and the blocks after it.
//!
//! Everything that can be asked at a past block is kept with its history, so that reading the state after any block gives
//! what it was then. Two states that applied the same blocks are equal.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Rao, Uid};

use super::block::{Block, Genesis};
use super::dispatch;
use super::extrinsic::Extrinsic;
use super::history::History;
use super::specification::{GenesisSubnet, Specification};
use crate::error::Error;
use crate::types::{Anchor, BlockHeader, Epoch, ExtrinsicOutcome, Hyperparameters, Inclusion, Metagraph, Neuron};

/// Eras have at least 4 and at most this many blocks.
const LONGEST_ERA: u64 = 4096;

/// Where an extrinsic of a hash stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Included {
    block: BlockNumber,
    index: u32,
    outcome: ExtrinsicOutcome,
}

/// A slot and its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) neuron: History<Neuron>,
    pub(crate) weights: History<Vec<(Uid, u16)>>,
    pub(crate) served: Option<BlockNumber>,
}

/// A subnet and its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) owner: Option<Hotkey>,
    pub(crate) hyperparameters: History<Hyperparameters>,
    pub(crate) epoch: History<Epoch>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) uids: BTreeMap<Hotkey, Uid>,
    pub(crate) anchors: BTreeMap<Hotkey, History<Vec<u8>>>,
}

/// The state of a development chain, with all its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(crate) specification: Specification,
    headers: Vec<BlockHeader>,
    included: BTreeMap<Digest, Included>,
    nonces: BTreeMap<Hotkey, u64>,
    pub(crate) owners: BTreeMap<Hotkey, Hotkey>,
    pub(crate) subnets: BTreeMap<NetUid, Subnet>,
}

/// Whose turn an extrinsic is, at the block that would include it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It can be included.
    Now,
    /// Others of the signer come first.
    Later,
    /// Its nonce was used.
    Stale,
    /// Its era is over, or it is of another chain or fork.
    Invalid(&'static str),
}

impl State {
    /// The state after block 0.
    ///
    /// # Errors
    /// [`Error::InvalidSpecification`].
    pub fn new(genesis: &Genesis) -> Result<Self, Error> {
        genesis.specification.check()?;
        let hash = genesis.hash()?;
        let header = BlockHeader { number: BlockNumber(0), hash, parent: hash, timestamp_ms: genesis.timestamp_ms };
        let mut owners = BTreeMap::new();
        for neuron in genesis.specification.subnets.iter().flat_map(|subnet| &subnet.neurons) {
            let owner = *owners.entry(neuron.hotkey).or_insert(neuron.coldkey);
            if owner != neuron.coldkey {
                return Err(Error::InvalidSpecification(format!("hotkey {} has two coldkeys", neuron.hotkey)));
            }
        }
        let subnets = genesis.specification.subnets.iter().map(|subnet| (subnet.netuid, Subnet::new(subnet))).collect();
        Ok(Self {
            specification: genesis.specification.clone(),
            headers: vec![header],
            included: BTreeMap::new(),
            nonces: BTreeMap::new(),
            owners,
            subnets,
        })
    }

    /// Applies the next block: epochs that are due, then the extrinsics in their order.
    ///
    /// # Errors
    /// [`Error::InvalidBlock`] when it does not follow the head or holds an extrinsic that cannot be there; the state is
    /// then partly changed and must be dropped. A call that fails is no error: it is recorded as failed.
    pub fn apply(&mut self, block: &Block) -> Result<(), Error> {
        let invalid = |reason: &str| Error::InvalidBlock { number: block.number, reason: reason.to_owned() };
        let head = self.head();
        if block.number.0 != head.number.0 + 1 || block.parent != head.hash {
            return Err(invalid("its number or parent is not the head's"));
        }
        if block.timestamp_ms <= head.timestamp_ms {
            return Err(invalid("its time is not above its parent's"));
        }
        if block.computed_hash()? != block.hash {
            return Err(invalid("its hash does not belong to its contents"));
        }
        for subnet in self.subnets.values_mut() {
            subnet.run_epoch_if_due(block.number);
        }
        for (index, extrinsic) in (0u32..).zip(&block.extrinsics) {
            if !extrinsic.is_signed() {
                return Err(invalid("an extrinsic is not signed by its signer"));
            }
            let hash = extrinsic.hash()?;
            if self.included.contains_key(&hash) || self.turn(extrinsic) != Turn::Now {
                return Err(invalid("an extrinsic was included before, is too early or too late"));
            }
            let payload = &extrinsic.payload;
            let outcome = match dispatch::dispatch(self, block.number, &payload.signer, &payload.call) {
                Ok(()) => ExtrinsicOutcome::Succeeded,
                Err(error) => ExtrinsicOutcome::Failed { error: error.name() },
            };
            self.included.insert(hash, Included { block: block.number, index, outcome });
            *self.nonces.entry(payload.signer).or_default() += 1;
        }
        self.headers.push(BlockHeader {
            number: block.number,
            hash: block.hash,
            parent: block.parent,
            timestamp_ms: block.timestamp_ms,
        });
        Ok(())
    }

    /// Whether the next block can include an extrinsic; its signature is not looked at.
    pub(crate) fn turn(&self, extrinsic: &Extrinsic) -> Turn {
        let payload = &extrinsic.payload;
        let era = payload.era;
        if payload.genesis_hash != self.genesis_hash() {
            return Turn::Invalid("BadProof");
        }
        if !era.period.is_power_of_two() || !(4..=LONGEST_ERA).contains(&era.period) {
            return Turn::Invalid("BadProof");
        }
        match self.header(era.birth) {
            Some(birth) if birth.hash == payload.birth_hash => {}
            _ => return Turn::Invalid("BadProof"),
        }
        if self.head().number.0 + 1 >= era.death().0 {
            return Turn::Invalid("AncientBirthBlock");
        }
        match payload.nonce.cmp(&self.nonce(&payload.signer)) {
            std::cmp::Ordering::Less => Turn::Stale,
            std::cmp::Ordering::Equal => Turn::Now,
            std::cmp::Ordering::Greater => Turn::Later,
        }
    }

    /// The newest block.
    pub fn head(&self) -> BlockHeader {
        // There is always genesis, and a chain never shrinks.
        self.headers[self.headers.len() - 1]
    }

    /// Hash of block 0.
    pub fn genesis_hash(&self) -> Digest {
        self.headers[0].hash
    }

    /// What the chain began with.
    pub fn specification(&self) -> &Specification {
        &self.specification
    }

    /// A block's header.
    pub fn header(&self, number: BlockNumber) -> Option<BlockHeader> {
        self.headers.get(usize::try_from(number.0).ok()?).copied()
    }

    /// How many extrinsics of an account are in blocks.
    pub fn nonce(&self, account: &Hotkey) -> u64 {
        self.nonces.get(account).copied().unwrap_or(0)
    }

    /// Where an extrinsic stands.
    pub fn inclusion(&self, hash: &Digest) -> Option<Inclusion> {
        let included = self.included.get(hash)?;
        let block_hash = self.header(included.block)?.hash;
        Some(Inclusion { block: included.block, block_hash, index: included.index, outcome: included.outcome.clone() })
    }

    /// A subnet's neurons after a block.
    ///
    /// # Errors
    /// [`Error::UnknownBlock`], [`Error::UnknownSubnet`].
    pub fn metagraph(&self, netuid: NetUid, at: BlockNumber) -> Result<Metagraph, Error> {
        let (header, subnet) = self.subnet_at(netuid, at)?;
        let (_, epoch) = subnet.epoch.at(at).ok_or(Error::UnknownSubnet { netuid, block: at })?;
        let neurons = subnet.slots.iter().filter_map(|slot| Some(slot.neuron.at(at)?.1.clone())).collect();
        Ok(Metagraph { netuid, block: at, block_hash: header.hash, epoch: *epoch, owner: subnet.owner, neurons })
    }

    /// The slot of a hotkey after a block.
    ///
    /// # Errors
    /// [`Error::UnknownBlock`], [`Error::UnknownSubnet`].
    pub fn uid_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Uid>, Error> {
        let (_, subnet) = self.subnet_at(netuid, at)?;
        let neurons = subnet.slots.iter().filter_map(|slot| slot.neuron.at(at));
        Ok(neurons.map(|(_, neuron)| neuron).find(|neuron| neuron.hotkey == *hotkey).map(|neuron| neuron.uid))
    }

    /// A subnet's hyperparameters after a block.
    ///
    /// # Errors
    /// [`Error::UnknownBlock`], [`Error::UnknownSubnet`].
    pub fn hyperparameters(&self, netuid: NetUid, at: BlockNumber) -> Result<Hyperparameters, Error> {
        let (_, subnet) = self.subnet_at(netuid, at)?;
        let found = subnet.hyperparameters.at(at).map(|(_, hyperparameters)| hyperparameters.clone());
        found.ok_or(Error::UnknownSubnet { netuid, block: at })
    }

    /// The weights of a slot after a block; empty when none were set by its holder.
    ///
    /// # Errors
    /// [`Error::UnknownBlock`], [`Error::UnknownSubnet`].
    pub fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, Error> {
        let (_, subnet) = self.subnet_at(netuid, at)?;
        let row = subnet.slots.get(usize::from(uid.0)).and_then(|slot| slot.weights.at(at));
        Ok(row.map(|(_, row)| row.clone()).unwrap_or_default())
    }

    /// The anchor of a hotkey as of a block.
    ///
    /// # Errors
    /// [`Error::UnknownBlock`], [`Error::UnknownSubnet`].
    pub fn anchor_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Anchor>, Error> {
        let (_, subnet) = self.subnet_at(netuid, at)?;
        let anchor = subnet.anchors.get(hotkey).and_then(|anchors| anchors.at(at));
        Ok(anchor.map(|(block, data)| Anchor { block, data: data.clone() }))
    }

    fn subnet_at(&self, netuid: NetUid, at: BlockNumber) -> Result<(BlockHeader, &Subnet), Error> {
        let header = self.header(at).ok_or(Error::UnknownBlock(at))?;
        let subnet = self.subnets.get(&netuid).ok_or(Error::UnknownSubnet { netuid, block: at })?;
        Ok((header, subnet))
    }
}

impl Subnet {
    fn new(genesis: &GenesisSubnet) -> Self {
        let start = BlockNumber(0);
        let hyperparameters = genesis.hyperparameters.clone();
        let epoch = Epoch { index: 0, last_block: start, next_block: due(start, hyperparameters.tempo) };
        let slots = (0u16..).zip(&genesis.neurons).map(|(uid, neuron)| {
            let (ip, port) = neuron.axon.unwrap_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
            let neuron = Neuron {
                uid: Uid(uid),
                hotkey: neuron.hotkey,
                coldkey: neuron.coldkey,
                ip,
                port,
                stake: neuron.stake,
                validator_permit: false,
                last_update: start,
                registered_at: start,
            };
            Slot { neuron: History::new(start, neuron), weights: History::new(start, Vec::new()), served: None }
        });
        let slots: Vec<Slot> = slots.collect();
        let uids = (0u16..).zip(&genesis.neurons).map(|(uid, neuron)| (neuron.hotkey, Uid(uid))).collect();
        let mut subnet = Self {
            owner: genesis.owner,
            hyperparameters: History::new(start, hyperparameters),
            epoch: History::new(start, epoch),
            slots,
            uids,
            anchors: BTreeMap::new(),
        };
        subnet.grant_permits(start);
        subnet
    }

    /// The hyperparameters now. There are some since genesis.
    pub(crate) fn current(&self) -> Hyperparameters {
        self.hyperparameters.latest().cloned().unwrap_or_default()
    }

    /// An epoch is due when `tempo` blocks have passed since the last one.
    fn run_epoch_if_due(&mut self, block: BlockNumber) {
        let Some(epoch) = self.epoch.latest().copied() else { return };
        if block < epoch.next_block {
            return;
        }
        self.grant_permits(block);
        let next_block = due(block, self.current().tempo);
        self.epoch.set(block, Epoch { index: epoch.index + 1, last_block: block, next_block });
    }

    /// The next epoch after new hyperparameters; in the next block when it should have been already.
    pub(crate) fn reschedule(&mut self, block: BlockNumber) {
        let Some(epoch) = self.epoch.latest().copied() else { return };
        let next_block = due(epoch.last_block, self.current().tempo).max(BlockNumber(block.0 + 1));
        self.epoch.set(block, Epoch { next_block, ..epoch });
    }

    /// Permits go to the neurons with the most stake, of those with any and at least the threshold; ties to the higher
    /// uid, as in subtensor.
    fn grant_permits(&mut self, block: BlockNumber) {
        let hyperparameters = self.current();
        let neurons = self.slots.iter().filter_map(|slot| slot.neuron.latest());
        let eligible =
            neurons.filter(|neuron| neuron.stake > Rao(0) && neuron.stake >= hyperparameters.stake_threshold);
        let mut ranked: Vec<(Rao, Uid)> = eligible.map(|neuron| (neuron.stake, neuron.uid)).collect();
        ranked.sort_unstable();
        let granted: Vec<Uid> = ranked
            .iter()
            .rev()
            .take(usize::from(hyperparameters.max_allowed_validators))
            .map(|(_, uid)| *uid)
            .collect();
        for slot in &mut self.slots {
            let Some(mut neuron) = slot.neuron.latest().cloned() else { continue };
            neuron.validator_permit = granted.contains(&neuron.uid) || self.owner == Some(neuron.hotkey);
            slot.neuron.set(block, neuron);
        }
    }

    /// The neuron in a slot now.
    pub(crate) fn neuron(&self, uid: Uid) -> Option<&Neuron> {
        self.slots.get(usize::from(uid.0))?.neuron.latest()
    }

    /// Puts a hotkey into a slot: a new one at the end, or an existing one whose holder loses it with its weights.
    pub(crate) fn seat(&mut self, block: BlockNumber, uid: Uid, hotkey: Hotkey, coldkey: Hotkey) {
        let neuron = Neuron {
            uid,
            hotkey,
            coldkey,
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
            stake: Rao(0),
            validator_permit: false,
            last_update: block,
            registered_at: block,
        };
        if let Some(slot) = self.slots.get_mut(usize::from(uid.0)) {
            if let Some(holder) = slot.neuron.latest() {
                self.uids.remove(&holder.hotkey);
            }
            slot.neuron.set(block, neuron);
            slot.weights.set(block, Vec::new());
            slot.served = None;
        } else {
            let slot =
                Slot { neuron: History::new(block, neuron), weights: History::new(block, Vec::new()), served: None };
            self.slots.push(slot);
        }
        self.uids.insert(hotkey, uid);
    }
}

fn due(last: BlockNumber, tempo: u16) -> BlockNumber {
    match tempo {
        0 => BlockNumber(u64::MAX),
        tempo => BlockNumber(last.0.saturating_add(u64::from(tempo))),
    }
}
