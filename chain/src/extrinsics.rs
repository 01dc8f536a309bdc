//! What a key signs for the chain, and what becomes of it.

use std::net::IpAddr;

use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A call that a key signs, in subtensor's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Call {
    /// `SubtensorModule.set_weights`, signed by the hotkey.
    SetWeights {
        /// The subnet.
        netuid: NetUid,
        /// The slots.
        uids: Vec<Uid>,
        /// Their weights, as many as `uids`.
        weights: Vec<u16>,
        /// The version key.
        version_key: u64,
    },
    /// `SubtensorModule.set_mechanism_weights`, signed by the hotkey.
    SetMechanismWeights {
        /// The subnet.
        netuid: NetUid,
        /// Which of its mechanisms, from 0.
        mechanism: u8,
        /// The slots.
        uids: Vec<Uid>,
        /// Their weights, as many as `uids`.
        weights: Vec<u16>,
        /// The version key.
        version_key: u64,
    },
    /// `SubtensorModule.commit_weights` or, for a mechanism other than 0, `commit_mechanism_weights`, signed by the hotkey.
    CommitWeights {
        /// The subnet.
        netuid: NetUid,
        /// Which of its mechanisms, from 0.
        mechanism: u8,
        /// The hash of what [`Call::RevealWeights`] will show.
        hash: Digest,
    },
    /// `SubtensorModule.reveal_weights` or, for a mechanism other than 0, `reveal_mechanism_weights`, signed by the hotkey.
    RevealWeights {
        /// The subnet.
        netuid: NetUid,
        /// Which of its mechanisms, from 0.
        mechanism: u8,
        /// The slots.
        uids: Vec<Uid>,
        /// Their weights, as many as `uids`.
        weights: Vec<u16>,
        /// The salt that was hashed with them.
        salt: Vec<u16>,
        /// The version key.
        version_key: u64,
    },
    /// `SubtensorModule.commit_timelocked_weights`, signed by the hotkey: the chain opens it itself.
    CommitTimelockedWeights {
        /// The subnet.
        netuid: NetUid,
        /// The ciphertext, at most 5,000 bytes.
        #[serde(with = "hex::serde")]
        commit: Vec<u8>,
        /// The round of the beacon whose signature opens it.
        reveal_round: u64,
        /// The version of commit–reveal.
        commit_reveal_version: u16,
    },
    /// `SubtensorModule.commit_timelocked_mechanism_weights`, signed by the hotkey: the chain opens it itself.
    CommitTimelockedMechanismWeights {
        /// The subnet.
        netuid: NetUid,
        /// Which of its mechanisms, from 0.
        mechanism: u8,
        /// The ciphertext, at most 5,000 bytes.
        #[serde(with = "hex::serde")]
        commit: Vec<u8>,
        /// The round of the beacon whose signature opens it.
        reveal_round: u64,
        /// The version of commit–reveal.
        commit_reveal_version: u16,
    },
    /// `Commitments.set_commitment`, signed by the hotkey: at most 128 bytes that stand until the next.
    SetCommitment {
        /// The subnet.
        netuid: NetUid,
        /// The bytes.
        #[serde(with = "hex::serde")]
        data: Vec<u8>,
    },
    /// `SubtensorModule.burned_register`, signed by the coldkey.
    BurnedRegister {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey that gets the slot.
        hotkey: Hotkey,
    },
    /// `SubtensorModule.serve_axon`, signed by the hotkey.
    ServeAxon {
        /// The subnet.
        netuid: NetUid,
        /// Where the axon listens.
        ip: IpAddr,
        /// Its port, not 0.
        port: u16,
    },
}

/// The blocks in which an extrinsic may be included: from `birth` to `birth + period - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    /// How many blocks; a power of two of at least 4.
    pub period: u64,
    /// The block whose hash is signed.
    pub birth: BlockNumber,
}

impl Era {
    /// The first block that can no longer include it.
    pub fn death(&self) -> BlockNumber {
        BlockNumber(self.birth.0.saturating_add(self.period))
    }
}

/// What must be remembered of an extrinsic to ask later what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtrinsicReference {
    /// Hash of its bytes.
    pub hash: Digest,
    /// Who signed it.
    pub signer: Hotkey,
    /// The signer's nonce in it.
    pub nonce: u64,
    /// Its life.
    pub era: Era,
}

/// A signed extrinsic, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedExtrinsic {
    /// The bytes that are sent.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: Digest,
    /// Who signed it.
    pub signer: Hotkey,
    /// The signer's nonce in it.
    pub nonce: u64,
    /// Its life.
    pub era: Era,
}

impl SignedExtrinsic {
    /// What must be remembered of it.
    pub fn reference(&self) -> ExtrinsicReference {
        ExtrinsicReference { hash: self.hash, signer: self.signer, nonce: self.nonce, era: self.era }
    }
}

/// What a call did in its block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtrinsicOutcome {
    /// All of it.
    Succeeded,
    /// Nothing, but the nonce is used.
    Failed {
        /// Subtensor's name of the error.
        error: String,
    },
}

/// Where an extrinsic stands on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// The block.
    pub block: BlockNumber,
    /// Its hash.
    pub block_hash: Digest,
    /// The place in the block.
    pub index: u32,
    /// What it did there.
    pub outcome: ExtrinsicOutcome,
}

/// What became of an extrinsic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtrinsicStatus {
    /// It waits in the pool.
    Pending,
    /// It is in a block.
    Included(Inclusion),
    /// It is in no block and can never be: its era is over, or its nonce was used by another. Signing a new one is safe.
    Expired,
    /// It is in no block and not in the pool, but could still be included by whoever has its bytes.
    Unknown,
}

impl ExtrinsicStatus {
    /// The inclusion of an extrinsic that succeeded.
    ///
    /// # Errors
    /// [`Error::CallFailed`] when it failed in its block, [`Error::NotIncluded`] when it is in none.
    pub fn into_success(self, hash: Digest) -> Result<Inclusion, Error> {
        match self {
            Self::Included(inclusion) => match inclusion.outcome {
                ExtrinsicOutcome::Succeeded => Ok(inclusion),
                ExtrinsicOutcome::Failed { error } => Err(Error::CallFailed { hash, block: inclusion.block, error }),
            },
            status => Err(Error::NotIncluded { hash, status }),
        }
    }
}
