//! SHA-256 hashes of leaves and nodes, with the domain separation of RFC 6962, section 2.1.
//!
//! A leaf hash and a node hash never collide because their inputs begin with different bytes. Nothing here may hash a
//! leaf without its prefix.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::Error;

/// First byte of the input of a leaf's hash.
const LEAF_PREFIX: [u8; 1] = [0x00];
/// First byte of the input of an inner node's hash.
const NODE_PREFIX: [u8; 1] = [0x01];

/// A SHA-256 hash of a leaf, a node or a whole tree. `Debug` and `Display` print 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// The hash's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Reads 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::HashText { length: text.len() };
        if text.len() != 2 * Self::LENGTH {
            return Err(refused());
        }
        let mut bytes = [0; Self::LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let high = hexadecimal_digit(pair[0]).ok_or_else(refused)?;
            let low = hexadecimal_digit(pair[1]).ok_or_else(refused)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn hexadecimal_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

/// Hash of a leaf's bytes: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(LEAF_PREFIX).chain_update(data).finalize().into())
}

/// Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update(NODE_PREFIX).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// Root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Hash(Sha256::new().finalize().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn hashes_agree_with_published_values() {
        // The empty tree, the leaf of the empty string, and the first node of the reference log's eight leaves.
        assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let first = leaf_hash(b"");
        assert_eq!(first.to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let node = node_hash(&first, &leaf_hash(&[0]));
        assert_eq!(node.to_string(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn text_form_is_strict_about_length_and_digits() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        let digits = hash.to_string();
        let refused = [String::new(), digits[1..].into(), format!("{digits}0"), "g".repeat(64), "é".repeat(32)];
        for text in refused {
            assert_eq!(text.parse::<Hash>(), Err(Error::HashText { length: text.len() }), "{text}");
        }
    }
}
