//! The frontier of a growing tree: the roots of its perfect subtrees ("peaks"), enough to append and to name the root.
//!
//! A tree of `size` leaves has one peak for each set bit of `size`, the largest first. It keeps no leaf: 63 hashes at most.

use crate::{Error, Hash, MAX_SIZE, empty_root, node_hash};

/// An append-only tree of which only the peaks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first; as many as `size` has set bits.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds one leaf hash; amortised one node hash.
    pub fn append(&mut self, leaf: Hash) {
        self.append_visiting(leaf, |_, _, _| ());
    }

    /// Adds one leaf hash and tells `visit` each node that it completes, as (level, index, hash), the leaf first. Every
    /// node of the stored tree is visited exactly once in the life of a log.
    pub fn append_visiting(&mut self, leaf: Hash, mut visit: impl FnMut(u8, u64, Hash)) {
        let mut hash = leaf;
        let mut level = 0;
        let mut index = self.size;
        visit(level, index, hash);
        // Each trailing one of the size is a peak of the same height, which the new node joins from the right.
        while index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            visit(level, index, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Root of the tree: the Merkle tree hash of RFC 6962, section 2.1. One node hash per peak but the first.
    pub fn root(&self) -> Hash {
        fold_peaks(self.peaks.iter().copied()).unwrap_or_else(empty_root)
    }

    /// The peaks as bytes, largest first, 32 each. The size is not in them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| peak.0).collect()
    }

    /// The frontier of a tree of `size` leaves from [`Frontier::to_bytes`].
    ///
    /// # Errors
    /// When `size` is above [`MAX_SIZE`] or the number of bytes is not 32 for each set bit of `size`.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, Error> {
        let (hashes, rest) = bytes.as_chunks::<{ Hash::LENGTH }>();
        if !rest.is_empty() && size <= MAX_SIZE {
            return Err(Self::wrong_length(size, bytes.len()));
        }
        Self::from_peaks(size, hashes.iter().copied().map(Hash).collect())
    }

    /// The frontier of a tree of `size` leaves from its peaks, largest first.
    ///
    /// # Errors
    /// When `size` is above [`MAX_SIZE`] or there is not one peak for each set bit of `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, Error> {
        if size > MAX_SIZE {
            return Err(Error::SizeLimit { size });
        }
        if peaks.len() != size.count_ones() as usize {
            return Err(Self::wrong_length(size, peaks.len() * Hash::LENGTH));
        }
        Ok(Self { size, peaks })
    }

    fn wrong_length(size: u64, found: usize) -> Error {
        Error::FrontierLength { size, expected: size.count_ones() as usize * Hash::LENGTH, found }
    }
}

/// Root over adjacent perfect subtrees of falling height, the leftmost first: the right ones join first.
pub(crate) fn fold_peaks(peaks: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::leaf_hash;
    use crate::reference_log::{LEAVES, ROOTS};
    use proptest::prelude::*;

    #[test]
    fn roots_agree_with_the_reference_log() {
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            frontier.append(leaf_hash(leaf));
            assert_eq!(frontier.root().to_string(), root, "size {}", frontier.size());
        }
    }

    #[test]
    fn peaks_of_another_number_are_refused() {
        for (size, bytes, expected) in [(0, 32, 0), (1, 0, 32), (3, 32, 64), (3, 65, 64), (4, 64, 32), (7, 97, 96)] {
            let found = Frontier::from_bytes(size, &vec![0; bytes]);
            assert_eq!(found, Err(Error::FrontierLength { size, expected, found: bytes }));
        }
        assert_eq!(Frontier::from_bytes(1 << 63, &[0; 32]), Err(Error::SizeLimit { size: 1 << 63 }));
        assert!(Frontier::from_bytes(MAX_SIZE, &[0; 63 * 32]).is_ok());
    }

    proptest! {
        #[test]
        fn continuing_from_bytes_is_continuing(before in 0_u64..300, after in 0_u64..300) {
            let mut whole = Frontier::new();
            (0..before).for_each(|leaf| whole.append(leaf_hash(&leaf.to_be_bytes())));
            let mut resumed = Frontier::from_bytes(whole.size(), &whole.to_bytes()).unwrap();
            prop_assert_eq!(&resumed, &whole);
            prop_assert_eq!(whole.peaks().len() as u32, before.count_ones());
            for leaf in before..before + after {
                whole.append(leaf_hash(&leaf.to_be_bytes()));
                resumed.append(leaf_hash(&leaf.to_be_bytes()));
            }
            prop_assert_eq!(resumed.root(), whole.root());
            prop_assert_eq!(resumed.to_bytes(), whole.to_bytes());
        }
    }
}
