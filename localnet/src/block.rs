//! Blocks: what was called, when, and 32 bytes that nobody could know before.

use codec::Encode;
use domain::types::{Digest as Hash, HexBytes};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::hashing::blake2_256;
use crate::runtime::sp_runtime::generic::digest::{Digest, DigestItem};
pub use crate::runtime::sp_runtime::generic::header::Header;
use crate::specification::Specification;

/// The beginning of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What it begins with.
    pub specification: Specification,
    /// The author's clock in milliseconds since the Unix epoch; 0 of a chain with a seed.
    pub timestamp_ms: u64,
    /// The operating system's randomness, or the seed.
    pub randomness: Hash,
}

impl Genesis {
    /// A beginning at a time, or without time when the specification has a seed.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn new(specification: &Specification, now_ms: u64) -> Result<Self, Error> {
        let (timestamp_ms, randomness) = match specification.seed {
            Some(seed) => (0, seed),
            None => (now_ms, randomness()?),
        };
        Ok(Self { specification: specification.clone(), timestamp_ms, randomness })
    }
}

/// A block with its header and extrinsics; the first extrinsic is the author's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// blake2-256 of the header.
    pub hash: [u8; 32],
    /// The extrinsics with their lengths, in their order.
    pub extrinsics: Vec<Vec<u8>>,
}

impl Block {
    /// A block of a header.
    pub fn new(header: Header, extrinsics: Vec<Vec<u8>>) -> Self {
        let hash = blake2_256(&header.encode());
        Self { header, hash, extrinsics }
    }
}

/// blake2-256 of the SCALE form of the extrinsics. (A real chain has the root of a trie here.)
pub(crate) fn extrinsics_root(extrinsics: &[Vec<u8>]) -> [u8; 32] {
    blake2_256(&extrinsics.encode())
}

/// The digest holds the author's randomness and nothing else: this chain has no consensus of authors.
pub(crate) fn digest(randomness: &Hash) -> Digest {
    Digest { logs: vec![DigestItem::Other(randomness.0.to_vec())] }
}

/// 32 bytes of the operating system's randomness.
///
/// # Errors
/// [`Error::Randomness`] when there is none.
pub(crate) fn randomness() -> Result<Hash, Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(HexBytes(bytes))
}
