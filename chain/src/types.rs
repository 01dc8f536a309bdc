//! What is read from a chain and sent to it.

use std::net::{IpAddr, SocketAddr};

use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Rao, Uid};
use serde::{Deserialize, Serialize};

/// A block as others refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// Its number; 0 is genesis.
    pub number: BlockNumber,
    /// Its hash, which nobody knows before the block exists.
    pub hash: Digest,
    /// The hash of the block before it (its own of genesis).
    pub parent: Digest,
    /// The author's clock in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// Where a subnet stands in its schedule of epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The chain's count of epochs.
    pub index: u64,
    /// The block at which the last one ran.
    pub last_block: BlockNumber,
    /// The block at which the next one is due; the last representable block when the subnet has no tempo.
    pub next_block: BlockNumber,
}

/// What the chain stores of a subnet's schedule of epochs, for who must know when a commit is revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Epochs follow from the block's number, the netuid and the tempo.
    Legacy {
        /// `Tempo`; 0 for no epochs.
        tempo: u16,
    },
    /// Epochs follow from the subnet's state, as it is after the block that was asked for.
    Stateful {
        /// `Tempo`; 0 for no epochs.
        tempo: u16,
        /// `LastEpochBlock`.
        last_epoch_block: BlockNumber,
        /// `PendingEpochAt`; 0 for none.
        pending_epoch_at: BlockNumber,
        /// `BlocksSinceLastStep`.
        blocks_since_last_step: u64,
        /// `SubnetEpochIndex`.
        epoch_index: u64,
    },
}

/// A randomness beacon, as a chain knows the one that opens timelocked commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// The compressed public key, a point of G2 in 96 bytes.
    pub public_key: Vec<u8>,
    /// Seconds between two rounds.
    pub period_s: u32,
    /// Time of round 1 in seconds since the Unix epoch.
    pub genesis_s: u32,
}

/// A subnet's neurons at a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metagraph {
    /// The subnet.
    pub netuid: NetUid,
    /// The block after which it was read.
    pub block: BlockNumber,
    /// That block's hash.
    pub block_hash: Digest,
    /// Where the subnet stands in its schedule.
    pub epoch: Epoch,
    /// Hotkey of the subnet's owner, if it has one.
    pub owner: Option<Hotkey>,
    /// Sorted by uid, without gaps.
    pub neurons: Vec<Neuron>,
}

impl Metagraph {
    /// The neuron of a hotkey.
    pub fn neuron_of(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}

/// One slot of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neuron {
    /// The slot.
    pub uid: Uid,
    /// Who holds it.
    pub hotkey: Hotkey,
    /// Who owns the hotkey.
    pub coldkey: Hotkey,
    /// Where its axon listens; `0.0.0.0` when it announced none. Chosen by the miner: pass it through the address guard.
    pub ip: IpAddr,
    /// The axon's port; 0 when it announced none.
    pub port: u16,
    /// Stake in rao.
    pub stake: Rao,
    /// May set weights.
    pub validator_permit: bool,
    /// Block of its last weight setting, or of its registration.
    pub last_update: BlockNumber,
    /// Block at which this hotkey took the slot.
    pub registered_at: BlockNumber,
}

impl Neuron {
    /// As a `MetagraphObserved` records it.
    pub fn recorded(&self) -> domain::events::Neuron {
        domain::events::Neuron {
            uid: self.uid,
            hotkey: self.hotkey,
            coldkey: self.coldkey,
            ip: self.ip.to_string(),
            port: self.port,
            stake: self.stake,
            validator_permit: self.validator_permit,
            last_update: self.last_update,
        }
    }

    /// The announced axon, when there is one.
    pub fn axon(&self) -> Option<SocketAddr> {
        (self.port != 0 && !self.ip.is_unspecified()).then_some(SocketAddr::new(self.ip, self.port))
    }
}

/// A subnet's hyperparameters, in the chain's units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperparameters {
    /// Blocks between two epochs; 0 for none.
    pub tempo: u16,
    /// Blocks that must lie between two weight settings of one neuron.
    pub weights_rate_limit: u64,
    /// The fewest weights a setting may have.
    pub min_allowed_weights: u16,
    /// The largest share of one weight, in 65535ths.
    pub max_weight_limit: u16,
    /// The version key that a setting must reach; 0 for any.
    pub weights_version_key: u64,
    /// Weights must be committed first and revealed later.
    pub commit_reveal_enabled: bool,
    /// Epochs between commit and reveal.
    pub reveal_period_epochs: u64,
    /// Blocks after registration during which a neuron is not replaced.
    pub immunity_period: u16,
    /// Slots.
    pub max_allowed_uids: u16,
    /// Permits.
    pub max_allowed_validators: u16,
    /// Blocks that must lie between two announcements of one axon.
    pub serving_rate_limit: u64,
    /// The least stake for setting weights.
    pub stake_threshold: Rao,
    /// Blocks after which a neuron without update counts as inactive.
    pub activity_cutoff: u16,
    /// Incentive mechanisms of the subnet; weights are set for each.
    pub mechanism_count: u8,
    /// The version of commit–reveal that the chain accepts in timelocked commits.
    pub commit_reveal_version: u16,
}

impl Default for Hyperparameters {
    /// Short epochs, no rate limit on announcements. Not the defaults of subtensor.
    fn default() -> Self {
        Self {
            tempo: 20,
            weights_rate_limit: 5,
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
            weights_version_key: 0,
            commit_reveal_enabled: false,
            reveal_period_epochs: 1,
            immunity_period: 10,
            max_allowed_uids: 256,
            max_allowed_validators: 64,
            serving_rate_limit: 0,
            stake_threshold: Rao(0),
            activity_cutoff: 5000,
            mechanism_count: 1,
            commit_reveal_version: 4,
        }
    }
}

/// What the last epochs of a mechanism made of a subnet's neurons. Each list has one item a slot, by uid; a list that the
/// chain does not keep (any more) is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The stake-weighted median of the weights a neuron got, in 65535ths.
    pub consensus: Vec<u16>,
    /// A neuron's share as a miner in this mechanism, in 65535ths.
    pub incentive: Vec<u16>,
    /// A neuron's share as a validator, in 65535ths.
    pub dividends: Vec<u16>,
    /// How much of a validator's weights was within the consensus, in 65535ths.
    pub validator_trust: Vec<u16>,
    /// What the last epoch paid to a neuron, in rao of the subnet's alpha.
    pub emission: Vec<Rao>,
    /// Whether the neuron counts as active.
    pub active: Vec<bool>,
    /// Block of the last weight setting or commit in this mechanism, or of the registration.
    pub last_update: Vec<BlockNumber>,
}

/// The weights that one neuron has set, sorted by uid, as the chain stores them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightRow {
    /// Who set them.
    pub uid: Uid,
    /// To whom, and how much: the largest is 65535.
    pub weights: Vec<(Uid, u16)>,
}

/// What happened to weights in a block, as the chain's events say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WeightEvent {
    /// A neuron's row stands.
    Set {
        /// Which mechanism of the subnet.
        mechanism: u8,
        /// The slot.
        uid: Uid,
    },
    /// A hash of weights was committed.
    Committed {
        /// Which mechanism of the subnet.
        mechanism: u8,
        /// By whom.
        hotkey: Hotkey,
        /// The hash of the weights and a salt.
        hash: Digest,
    },
    /// Weights of an earlier hash were revealed.
    Revealed {
        /// Which mechanism of the subnet.
        mechanism: u8,
        /// By whom.
        hotkey: Hotkey,
        /// The hash of the weights and a salt.
        hash: Digest,
    },
    /// Weights were committed, to be opened by the beacon.
    TimelockedCommitted {
        /// Which mechanism of the subnet.
        mechanism: u8,
        /// By whom.
        hotkey: Hotkey,
        /// The hash of the commit.
        hash: Digest,
        /// The round of the beacon that opens it.
        reveal_round: u64,
    },
    /// The chain opened a timelocked commit and set its weights.
    TimelockedRevealed {
        /// Which mechanism of the subnet.
        mechanism: u8,
        /// Whose.
        hotkey: Hotkey,
    },
}

/// Bytes that a hotkey committed on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The block since which they stand.
    pub block: BlockNumber,
    /// The bytes.
    #[serde(with = "hex::serde")]
    pub data: Vec<u8>,
}
