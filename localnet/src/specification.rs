//! What a development chain begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use domain::types::{Digest, Hotkey, NetUid, Rao};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::hyperparameters::Hyperparameters;
use crate::schedule::Schedule;

/// Subtensor knows fewer subnets; the limit keeps a mistaken file small.
const MAXIMUM_SUBNETS: usize = 64;
/// Subtensor's `GLOBAL_MAX_SUBNET_COUNT`: netuids are below, so that a mechanism's index tells both.
const NETUIDS: u16 = 4096;

/// The genesis of a chain. It stands in the first line of the file of blocks and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// The key that may send root calls.
    pub root: Hotkey,
    /// Axons may announce loopback addresses, which subtensor refuses. On a chain of one machine there are no others.
    pub allow_loopback_axons: bool,
    /// The subnets.
    pub subnets: Vec<GenesisSubnet>,
    /// Free balances in rao.
    #[serde(default)]
    pub balances: Vec<(Hotkey, Rao)>,
    /// What makes the genesis hash. Random bytes and the clock when there is none, so that no two chains have one hash.
    #[serde(default)]
    pub seed: Option<Digest>,
    /// The beacon whose signatures open timelocked weights. Without one they wait for the root key to write pulses.
    #[serde(default)]
    pub beacon: Option<Beacon>,
    /// How epochs follow each other, and with that the runtime.
    #[serde(default)]
    pub schedule: Schedule,
}

/// A beacon of the chain's own, after the model of drand's quicknet. Its signatures come by the chain's clock, and anyone who
/// reads the specification can make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    /// What its secret is made of.
    pub seed: Digest,
    /// Seconds between two rounds, at least 1.
    pub period: u32,
    /// Time of round 1 in seconds since the Unix epoch.
    pub genesis_time: u32,
}

/// A subnet at genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisSubnet {
    /// Its number, from 1 to 4095.
    pub netuid: NetUid,
    /// Its hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// The owner's hotkey, which needs no permit and no stake.
    pub owner: Option<Hotkey>,
    /// Its neurons; the first has uid 0. Permits are given by stake at once.
    pub neurons: Vec<GenesisNeuron>,
}

/// A neuron at genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisNeuron {
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Who owns the hotkey.
    pub coldkey: Hotkey,
    /// Its stake.
    pub stake: Rao,
    /// Where its axon listens, when that is known.
    pub axon: Option<(IpAddr, u16)>,
}

impl Specification {
    /// A chain without subnets.
    pub fn of(root: Hotkey) -> Self {
        let (subnets, balances) = (Vec::new(), Vec::new());
        Self {
            root,
            allow_loopback_axons: true,
            subnets,
            balances,
            seed: None,
            beacon: None,
            schedule: Schedule::default(),
        }
    }

    /// A chain of one subnet.
    pub fn single(root: Hotkey, netuid: NetUid, hyperparameters: Hyperparameters, neurons: Vec<GenesisNeuron>) -> Self {
        let subnet = GenesisSubnet { netuid, hyperparameters, owner: None, neurons };
        Self { subnets: vec![subnet], ..Self::of(root) }
    }

    /// Whether a chain can begin with it.
    ///
    /// # Errors
    /// [`Error::InvalidSpecification`] says which subnet and why.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::InvalidSpecification(reason));
        if self.subnets.len() > MAXIMUM_SUBNETS {
            return refuse(format!("{} subnets, at most {MAXIMUM_SUBNETS}", self.subnets.len()));
        }
        if self.beacon.is_some_and(|beacon| beacon.period == 0) {
            return refuse("the beacon's period is 0".to_owned());
        }
        for address in self.addresses() {
            if let Err(error) = address.public() {
                return refuse(format!("{address}: {error}"));
            }
        }
        let mut netuids = BTreeSet::new();
        let mut owners = BTreeMap::new();
        for subnet in &self.subnets {
            let netuid = subnet.netuid;
            if !(1..NETUIDS).contains(&netuid.0) {
                return refuse(format!("subnet {netuid} is not from 1 to 4095 (0 is the root network)"));
            }
            if !netuids.insert(netuid) {
                return refuse(format!("subnet {netuid} is named twice"));
            }
            if let Some(reason) = subnet.hyperparameters.fault() {
                return refuse(format!("subnet {netuid}: {reason}"));
            }
            if subnet.neurons.len() > usize::from(subnet.hyperparameters.max_allowed_uids) {
                return refuse(format!("subnet {netuid} has more neurons than slots"));
            }
            let mut hotkeys = BTreeSet::new();
            for neuron in &subnet.neurons {
                if !hotkeys.insert(neuron.hotkey) {
                    return refuse(format!("subnet {netuid} has hotkey {} twice", neuron.hotkey));
                }
                if *owners.entry(neuron.hotkey).or_insert(neuron.coldkey) != neuron.coldkey {
                    return refuse(format!("hotkey {} has two coldkeys", neuron.hotkey));
                }
            }
        }
        Ok(())
    }

    fn addresses(&self) -> impl Iterator<Item = &Hotkey> {
        let neurons = self.subnets.iter().flat_map(|subnet| &subnet.neurons);
        let owners = self.subnets.iter().filter_map(|subnet| subnet.owner.as_ref());
        let balances = self.balances.iter().map(|(account, _)| account);
        neurons.flat_map(|neuron| [&neuron.hotkey, &neuron.coldkey]).chain(owners).chain(balances).chain([&self.root])
    }
}
