//! Blocks: what was called, when, and 32 bytes that nobody could know before.

use domain::types::{BlockNumber, Digest, HexBytes, sha256, sha256_parts};
use serde::{Deserialize, Serialize};

use super::extrinsic::Extrinsic;
use super::specification::Specification;
use crate::error::Error;

/// The beginning of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What it begins with.
    pub specification: Specification,
    /// The author's clock in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// The operating system's randomness: no two chains have one hash.
    pub randomness: Digest,
}

impl Genesis {
    /// SHA-256("assay/genesis/1" 0x00 ‖ SHA-256(specification) ‖ timestamp ‖ randomness).
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn hash(&self) -> Result<Digest, serde_json::Error> {
        let specification = sha256(&serde_json::to_vec(&self.specification)?);
        Ok(sha256_parts(&[
            b"assay/genesis/1\0",
            &specification.0,
            &self.timestamp_ms.to_be_bytes(),
            &self.randomness.0,
        ]))
    }
}

/// A block above genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Its number, from 1.
    pub number: BlockNumber,
    /// Hash of the block before it.
    pub parent: Digest,
    /// The author's clock in milliseconds since the Unix epoch; above the parent's.
    pub timestamp_ms: u64,
    /// The operating system's randomness.
    pub randomness: Digest,
    /// The calls, in their order.
    pub extrinsics: Vec<Extrinsic>,
    /// The block's hash over all of the above.
    pub hash: Digest,
}

impl Block {
    /// A block with its hash.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn new(
        number: BlockNumber,
        parent: Digest,
        timestamp_ms: u64,
        randomness: Digest,
        extrinsics: Vec<Extrinsic>,
    ) -> Result<Self, serde_json::Error> {
        let mut block = Self { number, parent, timestamp_ms, randomness, extrinsics, hash: HexBytes([0; 32]) };
        block.hash = block.computed_hash()?;
        Ok(block)
    }

    /// SHA-256("assay/block/1" 0x00 ‖ parent ‖ number ‖ timestamp ‖ randomness ‖ extrinsics root); the root is SHA-256
    /// over the extrinsics' hashes in their order.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn computed_hash(&self) -> Result<Digest, serde_json::Error> {
        let mut hashes = Vec::with_capacity(self.extrinsics.len() * 32);
        for extrinsic in &self.extrinsics {
            hashes.extend_from_slice(&extrinsic.hash()?.0);
        }
        Ok(sha256_parts(&[
            b"assay/block/1\0",
            &self.parent.0,
            &self.number.0.to_be_bytes(),
            &self.timestamp_ms.to_be_bytes(),
            &self.randomness.0,
            &sha256(&hashes).0,
        ]))
    }
}

/// 32 bytes of the operating system's randomness.
///
/// # Errors
/// [`Error::Randomness`] when there is none.
pub(crate) fn randomness() -> Result<Digest, Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(HexBytes(bytes))
}
