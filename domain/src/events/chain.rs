//! Facts about the chain and the miners' reachability.

use crate::types::{Block, BlockNumber, Digest, Hotkey, Rao, Uid};
use serde::{Deserialize, Serialize};

/// One slot of the metagraph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// The slot.
    pub uid: Uid,
    /// Who holds it.
    pub hotkey: Hotkey,
    /// Who owns the hotkey.
    pub coldkey: Hotkey,
    /// Announced axon address; empty or `0.0.0.0` when none.
    pub ip: String,
    /// Announced axon port; 0 when none.
    pub port: u16,
    /// Stake in rao.
    pub stake: Rao,
    /// May set weights.
    pub validator_permit: bool,
    /// Block of its last weight setting.
    pub last_update: BlockNumber,
}

/// The metagraph at a block: all of it, or what changed since the last observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetagraphObserved {
    /// The block it was read at.
    pub block: BlockNumber,
    /// Its hash.
    pub block_hash: Digest,
    /// Hotkey of the subnet's owner, where the chain names one.
    pub owner: Option<Hotkey>,
    /// Whether `neurons` is the whole metagraph; otherwise they replace the slots they name.
    pub full: bool,
    /// Slots sorted by uid.
    pub neurons: Vec<Neuron>,
    /// Slots that ceased to exist.
    pub removed: Vec<Uid>,
}

/// How a miner answered an availability probe, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The miner.
    pub hotkey: Hotkey,
    /// Whether it said that it is available.
    pub available: bool,
    /// Why not; empty when available.
    pub reason: String,
    /// Milliseconds until the answer or the failure.
    pub latency_ms: u32,
}

/// One availability sweep over the announced miners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvailabilitySwept {
    /// One probe per miner asked, sorted by hotkey.
    pub probes: Vec<Probe>,
}

/// Scores of others that the mechanism uses: priority weights, sybil scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalScoresFetched {
    /// Which service.
    pub source: String,
    /// What was asked.
    pub request: String,
    /// HTTP status of the reply.
    pub status: u16,
    /// The raw reply.
    pub reply: Block,
}
