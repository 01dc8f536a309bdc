//! The metagraph as folded from its observations.

use crate::events::{MetagraphObserved, Neuron};
use crate::types::{BlockNumber, Digest, Hotkey, Uid};
use std::collections::BTreeMap;

/// All slots of a subnet at a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metagraph {
    /// The block of the newest observation.
    pub block: BlockNumber,
    /// Its hash.
    pub block_hash: Option<Digest>,
    /// Hotkey of the subnet's owner, where the chain names one.
    pub owner: Option<Hotkey>,
    neurons: BTreeMap<Uid, Neuron>,
}

impl Metagraph {
    /// Folds an observation in.
    pub fn observe(&mut self, observed: &MetagraphObserved) {
        if observed.full {
            self.neurons.clear();
        }
        for uid in &observed.removed {
            self.neurons.remove(uid);
        }
        for neuron in &observed.neurons {
            self.neurons.insert(neuron.uid, neuron.clone());
        }
        self.block = observed.block;
        self.block_hash = Some(observed.block_hash);
        self.owner = observed.owner;
    }

    /// The observation that leads from this state to the other, as differences.
    #[must_use]
    pub fn difference(
        &self,
        block: BlockNumber,
        block_hash: Digest,
        owner: Option<Hotkey>,
        neurons: &[Neuron],
    ) -> MetagraphObserved {
        let new: BTreeMap<Uid, &Neuron> = neurons.iter().map(|neuron| (neuron.uid, neuron)).collect();
        let changed = new.iter().filter(|(uid, neuron)| self.neurons.get(uid) != Some(**neuron));
        MetagraphObserved {
            block,
            block_hash,
            owner,
            full: false,
            neurons: changed.map(|(_, neuron)| (*neuron).clone()).collect(),
            removed: self.neurons.keys().filter(|uid| !new.contains_key(uid)).copied().collect(),
        }
    }

    /// The observation of everything.
    #[must_use]
    pub fn full(
        block: BlockNumber,
        block_hash: Digest,
        owner: Option<Hotkey>,
        neurons: &[Neuron],
    ) -> MetagraphObserved {
        let mut neurons = neurons.to_vec();
        neurons.sort_by_key(|neuron| neuron.uid);
        MetagraphObserved { block, block_hash, owner, full: true, neurons, removed: Vec::new() }
    }

    /// The slots in order of uid.
    pub fn neurons(&self) -> impl Iterator<Item = &Neuron> {
        self.neurons.values()
    }

    /// The slot.
    #[must_use]
    pub fn at(&self, uid: Uid) -> Option<&Neuron> {
        self.neurons.get(&uid)
    }

    /// The slot of a hotkey.
    #[must_use]
    pub fn of(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.values().find(|neuron| neuron.hotkey == *hotkey)
    }
}

/// Whether the neuron announced an axon that can be asked.
#[must_use]
pub fn announces_axon(neuron: &Neuron) -> bool {
    !matches!(neuron.ip.as_str(), "" | "0" | "0.0.0.0") && neuron.port != 0
}
