//! What a development chain begins with.

use std::collections::BTreeSet;
use std::net::IpAddr;

use domain::types::{Hotkey, NetUid, Rao};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::types::Hyperparameters;

/// Subtensor knows fewer subnets; the limit keeps a mistaken file small.
const MAXIMUM_SUBNETS: usize = 64;

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
}

/// A subnet at genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisSubnet {
    /// Its number, not 0.
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
    /// A chain of one subnet.
    pub fn single(root: Hotkey, netuid: NetUid, hyperparameters: Hyperparameters, neurons: Vec<GenesisNeuron>) -> Self {
        let subnet = GenesisSubnet { netuid, hyperparameters, owner: None, neurons };
        Self { root, allow_loopback_axons: true, subnets: vec![subnet] }
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
        let neurons = self.subnets.iter().flat_map(|subnet| &subnet.neurons);
        let owners = self.subnets.iter().filter_map(|subnet| subnet.owner.as_ref());
        let addresses = neurons.flat_map(|neuron| [&neuron.hotkey, &neuron.coldkey]).chain(owners).chain([&self.root]);
        for address in addresses {
            if let Err(error) = address.public() {
                return refuse(format!("{address}: {error}"));
            }
        }
        let mut netuids = BTreeSet::new();
        for subnet in &self.subnets {
            let netuid = subnet.netuid;
            if netuid.0 == 0 {
                return refuse("subnet 0 is the root network, which this chain does not have".to_owned());
            }
            if !netuids.insert(netuid) {
                return refuse(format!("subnet {netuid} is named twice"));
            }
            if let Some(reason) = fault(&subnet.hyperparameters) {
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
            }
        }
        Ok(())
    }
}

/// Why this chain cannot run a subnet with these hyperparameters.
pub(crate) fn fault(hyperparameters: &Hyperparameters) -> Option<&'static str> {
    if hyperparameters.commit_reveal_enabled {
        return Some("commit-reveal is not part of the development chain");
    }
    if hyperparameters.max_allowed_uids == 0 {
        return Some("max_allowed_uids is 0");
    }
    None
}
