//! The hashes of Substrate's storage keys, blocks and extrinsics.
//!
//! Storage keys: <https://docs.polkadot.com/polkadot-protocol/basics/blocks-transactions-fees/> and the hashers of the
//! metadata: `twox128(pallet) ‖ twox128(entry) ‖ hasher(key)…`.

use blake2::digest::consts::{U16, U32};
use blake2::{Blake2b, Digest as _};
use twox_hash::XxHash64;

/// BLAKE2b with 32 bytes: block hashes, extrinsic hashes, long signer payloads.
pub fn blake2_256(data: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(data).into()
}

fn blake2_128(data: &[u8]) -> [u8; 16] {
    Blake2b::<U16>::digest(data).into()
}

fn twox_64(data: &[u8]) -> [u8; 8] {
    XxHash64::oneshot(0, data).to_le_bytes()
}

/// Two xxHash64 with the seeds 0 and 1: names of pallets and entries.
pub(crate) fn twox_128(data: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&XxHash64::oneshot(0, data).to_le_bytes());
    hash[8..].copy_from_slice(&XxHash64::oneshot(1, data).to_le_bytes());
    hash
}

/// How a part of a map's key becomes part of a storage key. All of these let the part be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hasher {
    /// The part itself.
    Identity,
    /// 16 bytes of BLAKE2b, then the part.
    Blake2_128Concat,
    /// 8 bytes of xxHash64, then the part.
    Twox64Concat,
}

impl Hasher {
    /// Appends a part in this form.
    pub(crate) fn append(self, part: &[u8], key: &mut Vec<u8>) {
        match self {
            Self::Identity => {}
            Self::Blake2_128Concat => key.extend_from_slice(&blake2_128(part)),
            Self::Twox64Concat => key.extend_from_slice(&twox_64(part)),
        }
        key.extend_from_slice(part);
    }

    /// The same in the words of the metadata.
    pub(crate) fn described(self) -> frame_metadata::v14::StorageHasher {
        match self {
            Self::Identity => frame_metadata::v14::StorageHasher::Identity,
            Self::Blake2_128Concat => frame_metadata::v14::StorageHasher::Blake2_128Concat,
            Self::Twox64Concat => frame_metadata::v14::StorageHasher::Twox64Concat,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn well_known_keys_are_those_of_every_substrate_chain() {
        // `System.Events` and `System.Account`, as every explorer shows them.
        for (pallet, entry, key) in [
            ("System", "Events", "26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"),
            ("System", "Account", "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"),
            ("Timestamp", "Now", "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"),
        ] {
            let made = [twox_128(pallet.as_bytes()), twox_128(entry.as_bytes())].concat();
            assert_eq!(hex::encode(made), key, "{pallet}.{entry}");
        }
    }
}
