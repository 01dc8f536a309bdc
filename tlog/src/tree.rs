//! Where the hashes of a tree come from: coordinates of stored nodes, the source trait, and a tree held in memory.
//!
//! Only roots of perfect subtrees are stored, because they never change as the tree grows. The node (level, index) covers
//! the leaves `index · 2^level .. (index + 1) · 2^level`.

use crate::frontier::fold_peaks;
use crate::{Error, Frontier, Hash, MAX_SIZE, empty_root};

/// Which node of the tree: level 0 holds the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinate {
    /// Height of the perfect subtree below the node.
    pub level: u8,
    /// 0-based index within the level.
    pub index: u64,
}

/// Hashes of perfect subtrees by coordinate. A source that does I/O fetches the coordinates of a plan first.
pub trait HashSource {
    /// The hash at a coordinate, or `None` when it is not there.
    fn hash(&self, coordinate: Coordinate) -> Option<Hash>;
}

impl<F: Fn(Coordinate) -> Option<Hash>> HashSource for F {
    fn hash(&self, coordinate: Coordinate) -> Option<Hash> {
        self(coordinate)
    }
}

impl HashSource for std::collections::BTreeMap<Coordinate, Hash> {
    fn hash(&self, coordinate: Coordinate) -> Option<Hash> {
        self.get(&coordinate).copied()
    }
}

/// The perfect subtrees that make up the subtree over leaves `start..end`, the leftmost and largest first.
///
/// `start` must be a multiple of the smallest power of two that is at least `end - start`, as it is for every subtree
/// that RFC 6962 names.
pub(crate) fn subtree_coordinates(start: u64, end: u64) -> Vec<Coordinate> {
    let mut coordinates = Vec::new();
    let mut from = start;
    while from < end {
        let level = (end - from).ilog2();
        coordinates.push(Coordinate { level: level as u8, index: from >> level });
        from += 1 << level;
    }
    coordinates
}

/// Hashes of some coordinates in their order.
pub(crate) fn fetch(source: &impl HashSource, coordinates: &[Coordinate]) -> Result<Vec<Hash>, Error> {
    let find = |coordinate: &Coordinate| {
        let missing = Error::MissingHash { level: coordinate.level, index: coordinate.index };
        source.hash(*coordinate).ok_or(missing)
    };
    coordinates.iter().map(find).collect()
}

/// The coordinates that [`root`] and [`frontier`] need for a tree of `size` leaves: one for each set bit, largest first.
///
/// # Errors
/// When `size` is above [`MAX_SIZE`].
pub fn peak_coordinates(size: u64) -> Result<Vec<Coordinate>, Error> {
    if size > MAX_SIZE {
        return Err(Error::SizeLimit { size });
    }
    Ok(subtree_coordinates(0, size))
}

/// Root of the tree over the first `size` leaves.
///
/// # Errors
/// When `size` is above [`MAX_SIZE`] or the source lacks a peak.
pub fn root(size: u64, source: &impl HashSource) -> Result<Hash, Error> {
    let peaks = fetch(source, &peak_coordinates(size)?)?;
    Ok(fold_peaks(peaks.into_iter()).unwrap_or_else(empty_root))
}

/// The frontier of the tree over the first `size` leaves: what is needed to append further ones.
///
/// # Errors
/// When `size` is above [`MAX_SIZE`] or the source lacks a peak.
pub fn frontier(size: u64, source: &impl HashSource) -> Result<Frontier, Error> {
    let peaks = fetch(source, &peak_coordinates(size)?)?;
    Frontier::from_peaks(size, peaks)
}

/// A tree with all its perfect subtrees in memory: 64 bytes for each leaf.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    frontier: Frontier,
    /// Hashes by level, then by index.
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over some leaf hashes.
    pub fn from_leaves(leaves: &[Hash]) -> Self {
        let mut tree = Self::new();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        tree
    }

    /// Adds one leaf hash.
    pub fn append(&mut self, leaf: Hash) {
        let levels = &mut self.levels;
        self.frontier.append_visiting(leaf, |level, _, hash| {
            let level = usize::from(level);
            if levels.len() == level {
                levels.push(Vec::new());
            }
            // Nodes of one level complete from left to right, so that pushing puts each at its index.
            levels[level].push(hash);
        });
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over all leaves; [`root`] gives that of an earlier size.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The frontier over all leaves.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

impl HashSource for MemoryTree {
    fn hash(&self, coordinate: Coordinate) -> Option<Hash> {
        let index = usize::try_from(coordinate.index).ok()?;
        self.levels.get(usize::from(coordinate.level))?.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::leaf_hash;

    #[test]
    fn every_earlier_size_has_its_root_and_frontier() {
        let mut grown = Frontier::new();
        let leaves: Vec<Hash> = (0_u64..200).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
        let tree = MemoryTree::from_leaves(&leaves);
        for size in 0..=tree.size() {
            assert_eq!(root(size, &tree), Ok(grown.root()), "size {size}");
            assert_eq!(frontier(size, &tree), Ok(grown.clone()), "size {size}");
            if let Some(leaf) = leaves.get(size as usize) {
                grown.append(*leaf);
            }
        }
        assert_eq!(tree.root(), grown.root());
        assert_eq!(tree.frontier(), &grown);
    }

    #[test]
    fn missing_hashes_are_named() {
        let tree = MemoryTree::from_leaves(&[leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")]);
        assert_eq!(root(4, &tree), Err(Error::MissingHash { level: 2, index: 0 }));
        assert_eq!(frontier(6, &tree), Err(Error::MissingHash { level: 2, index: 0 }));
        assert_eq!(root(MAX_SIZE + 1, &tree), Err(Error::SizeLimit { size: MAX_SIZE + 1 }));
        assert_eq!(peak_coordinates(MAX_SIZE).unwrap().len(), 63);
    }
}
