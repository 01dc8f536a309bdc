//! Facts of an epoch: one weight decision, from the fold over its rounds to its fate on chain.

use crate::types::{Block, BlockNumber, Digest, Hotkey, Micros, Position, Uid};
use serde::{Deserialize, Serialize};

use super::scores::{Statistic, ZeroReason};

/// An epoch began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochOpened {
    /// 0, 1, 2 … without gaps per ledger.
    pub epoch: u64,
    /// The newest block.
    pub block: BlockNumber,
    /// The chain's own epoch number for that block (block / (tempo + 1)).
    pub chain_epoch: u64,
    /// SHA-256 of the rule set in force.
    pub rule_set: Digest,
}

/// Which fall-back was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightMode {
    /// The normal freshness gate.
    Normal,
    /// A wider gate: the last update is long ago.
    Degraded,
    /// No gate: deregistration is near.
    Emergency,
}

/// One weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// The slot.
    pub uid: Uid,
    /// Who held it at the block the uids were read at.
    pub hotkey: Hotkey,
    /// The share, `65535` for the largest.
    pub weight: u16,
}

/// A miner that gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroWeight {
    /// The slot.
    pub uid: Uid,
    /// Who held it.
    pub hotkey: Hotkey,
    /// Why.
    pub reason: ZeroReason,
}

/// What is carried per hotkey into the next epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedMiner {
    /// The miner.
    pub hotkey: Hotkey,
    /// The moving average at the end of this epoch; none before the first counted score of the window.
    pub average: Option<f64>,
    /// When it last answered an availability sweep.
    pub last_seen: Option<Micros>,
    /// Rounds in which it was ever drawn.
    pub drawn: u64,
    /// Items it has in the window block.
    pub items: u32,
}

/// Why no weights are submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No miner can be paid.
    NobodyServing,
    /// All scores are zero.
    NoScores,
    /// The chain would refuse so early a setting.
    RateLimited,
    /// The validator's hotkey is not registered.
    NotRegistered,
}

impl SkipReason {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NobodyServing => "nobody_serving",
            Self::NoScores => "no_scores",
            Self::RateLimited => "rate_limited",
            Self::NotRegistered => "not_registered",
        }
    }
}

/// The weights that follow from the range, and the whole state carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsDerived {
    /// The epoch.
    pub epoch: u64,
    /// 0 for the derivation; 1, 2 … for corrections before submission (a uid changed hands).
    pub revision: u16,
    /// SHA-256 of the rule set.
    pub rule_set: Digest,
    /// First position of the range.
    pub from: Position,
    /// Last position of the range: that of the full `MetagraphObserved` that gives the uids. What is recorded between it
    /// and the derivation belongs to the next range.
    pub to: Position,
    /// Where the metagraph stands that gave the uids.
    pub metagraph: Position,
    /// The block at which uids were read.
    pub block: BlockNumber,
    /// External scores used, if any.
    pub external_scores: Option<Position>,
    /// Which fall-back was in force.
    pub mode: WeightMode,
    /// Rounds evaluated in the range.
    pub rounds: u64,
    /// Why nothing is to be submitted, if so.
    pub skip: Option<SkipReason>,
    /// Non-zero weights sorted by uid.
    pub weights: Vec<Weight>,
    /// Everybody else, sorted by uid.
    pub zeros: Vec<ZeroWeight>,
    /// State carried out, sorted by hotkey. Empty in a revision, which carries the state of revision 0.
    pub carried: Vec<CarriedMiner>,
    /// Running statistics carried out.
    pub statistics: Vec<Statistic>,
    /// Items of the time window, miner by miner in the order of `carried`: u64 time (µs), f64 bits of the score, big-endian.
    pub window: Block,
}

/// What an anchor or submission came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChainOutcome {
    /// It stands in a block and succeeded.
    Included {
        /// The block.
        block: BlockNumber,
        /// Its hash.
        block_hash: Digest,
    },
    /// It stands in a block and failed, or was refused before.
    Rejected {
        /// The chain's name for the error.
        error: String,
    },
    /// It did not get into a block in time.
    Expired,
}

/// A checkpoint was anchored on chain (or not).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointAnchored {
    /// The epoch.
    pub epoch: u64,
    /// Leaves that the checkpoint covers.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// Hash of the extrinsic.
    pub extrinsic: Digest,
    /// What came of it.
    pub outcome: ChainOutcome,
}

/// An extrinsic with weights was signed and is about to be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsSubmitted {
    /// The epoch.
    pub epoch: u64,
    /// The `WeightsDerived` it carries.
    pub derived: Position,
    /// Hash of the signed extrinsic.
    pub extrinsic: Digest,
    /// The account's nonce in it.
    pub nonce: u64,
    /// Block at which its mortality begins.
    pub era_birth: BlockNumber,
    /// Blocks it lives.
    pub era_period: u64,
    /// The version key in it.
    pub version_key: u64,
    /// The slots in it.
    pub uids: Vec<Uid>,
    /// The weights in it.
    pub weights: Vec<u16>,
}

/// A commitment to weights stands on chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsCommitted {
    /// The epoch.
    pub epoch: u64,
    /// Hash of the extrinsic.
    pub extrinsic: Digest,
    /// The block.
    pub block: BlockNumber,
    /// The commitment.
    pub commitment: Digest,
    /// When it is revealed.
    pub reveal_at: BlockNumber,
}

/// Committed weights were revealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsRevealed {
    /// The epoch.
    pub epoch: u64,
    /// The block.
    pub block: BlockNumber,
    /// Its hash.
    pub block_hash: Digest,
}

/// The weights stand on chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsIncluded {
    /// The epoch.
    pub epoch: u64,
    /// Hash of the extrinsic.
    pub extrinsic: Digest,
    /// The block.
    pub block: BlockNumber,
    /// Its hash.
    pub block_hash: Digest,
}

/// The chain refused the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsRejected {
    /// The epoch.
    pub epoch: u64,
    /// Hash of the extrinsic.
    pub extrinsic: Digest,
    /// The chain's name for the error, or `expired`.
    pub error: String,
}

/// How an epoch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochOutcome {
    /// The weights stand on chain.
    Included,
    /// Nothing was to be submitted.
    Skipped,
    /// The chain refused, or the extrinsic expired.
    Failed,
}

/// An epoch ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochClosed {
    /// The epoch.
    pub epoch: u64,
    /// How.
    pub outcome: EpochOutcome,
    /// Why; empty when included.
    pub reason: String,
}
