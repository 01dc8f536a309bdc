//! Tiles: the tree as immutable files of 256 hashes, [C2SP tlog-tiles](https://c2sp.org/tlog-tiles).
//!
//! A tile at level `l` holds 256 consecutive nodes of the tree's level `8 · l`; only at the right edge of the tree a tile
//! is partial. Entry bundles share the coordinates of level 0. Nothing here touches a file: paths are text.

use std::fmt;
use std::str::FromStr;

use crate::tree::{Coordinate, HashSource, fetch};
use crate::{Error, Hash, MAX_SIZE};

/// Levels of the tree that one tile spans: 2^8 = 256 hashes.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes of a full tile.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;
/// The highest level that has a tile in a tree of at most 2^63 - 1 leaves: 256^7 = 2^56 leaves to a hash.
pub const MAX_TILE_LEVEL: u8 = 7;

/// Bytes of the longest path: `tile/entries/`, five elements `x123/` and `.p/255` are far below it.
const MAX_PATH_LENGTH: usize = 64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of the tree's level `8 · level`.
    Hashes {
        /// 0 to [`MAX_TILE_LEVEL`].
        level: u8,
    },
    /// The entries themselves, each with a u16 length before it.
    Entries,
}

impl TileKind {
    fn level(self) -> u8 {
        match self {
            Self::Hashes { level } => level,
            Self::Entries => 0,
        }
    }
}

/// One tile, full or partial. Its text form is its path below the log's prefix, such as `tile/0/x001/x234/067.p/112`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl Tile {
    /// A tile by its coordinates: `index` within the level, `width` from 1 to 256.
    ///
    /// # Errors
    /// [`Error::TileFormat`] when no tree of at most [`MAX_SIZE`] leaves has this tile.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, Error> {
        let malformed = |reason| Err(Error::TileFormat { reason });
        if kind.level() > MAX_TILE_LEVEL {
            return malformed("the level is above 7");
        }
        if width == 0 || width > TILE_WIDTH {
            return malformed("the width is not 1 to 256");
        }
        let tile = Self { kind, index, width };
        match tile.leaves_needed() {
            Some(leaves) if leaves <= MAX_SIZE => Ok(tile),
            _ => malformed("the index is beyond any tree"),
        }
    }

    /// The tile at `index` as a tree of `size` leaves has it: full, partial, or `None` when the tree does not reach it.
    pub fn in_tree(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let level = kind.level();
        if level > MAX_TILE_LEVEL || size > MAX_SIZE {
            return None;
        }
        let hashes = size >> (TILE_HEIGHT * u32::from(level));
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH)) as u16;
        (width > 0).then_some(Self { kind, index, width })
    }

    /// What the tile holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// 0-based index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in the tile, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile has fewer than 256 hashes or entries.
    pub fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// Whether a tree of `size` leaves has all hashes of the tile.
    pub fn is_in_tree(&self, size: u64) -> bool {
        self.leaves_needed().is_some_and(|leaves| leaves <= size)
    }

    /// Leaves of the smallest tree that has the tile.
    fn leaves_needed(&self) -> Option<u64> {
        let hashes = self.index.checked_mul(u64::from(TILE_WIDTH))?.checked_add(u64::from(self.width))?;
        hashes.checked_mul(1 << (TILE_HEIGHT * u32::from(self.kind.level())))
    }

    /// The tree's nodes that the tile holds, from left to right. For entries those are the leaves.
    pub fn coordinates(&self) -> Vec<Coordinate> {
        let level = self.kind.level() * TILE_HEIGHT as u8;
        let first = self.index * u64::from(TILE_WIDTH);
        (first..first + u64::from(self.width)).map(|index| Coordinate { level, index }).collect()
    }

    /// The content of a tile of hashes: 32 bytes for each. For entries, the content of the level 0 tile beside them.
    ///
    /// # Errors
    /// [`Error::MissingHash`] when the source lacks a node.
    pub fn content(&self, source: &impl HashSource) -> Result<Vec<u8>, Error> {
        let hashes = fetch(source, &self.coordinates())?;
        Ok(hashes.iter().flat_map(|hash| hash.0).collect())
    }

    /// The hashes in a tile's content.
    ///
    /// # Errors
    /// [`Error::TileFormat`] when there are not 32 bytes for each hash.
    pub fn read(&self, content: &[u8]) -> Result<Vec<Hash>, Error> {
        let (hashes, rest) = content.as_chunks::<{ Hash::LENGTH }>();
        if hashes.len() != usize::from(self.width) || !rest.is_empty() {
            return Err(Error::TileFormat { reason: "the content has not 32 bytes for each hash" });
        }
        Ok(hashes.iter().copied().map(Hash).collect())
    }
}

/// The tiles of hashes that a tree of `new_size` leaves has and one of `old_size` has not, in order of level and index:
/// what a log writes out before it publishes a checkpoint of `new_size`.
///
/// # Errors
/// [`Error::SizesReversed`] or [`Error::SizeLimit`].
pub fn new_tiles(old_size: u64, new_size: u64) -> Result<impl Iterator<Item = Tile>, Error> {
    if new_size > MAX_SIZE {
        return Err(Error::SizeLimit { size: new_size });
    }
    if old_size > new_size {
        return Err(Error::SizesReversed { old: old_size, new: new_size });
    }
    Ok((0..=MAX_TILE_LEVEL).flat_map(move |level| {
        let shift = TILE_HEIGHT * u32::from(level);
        let (old_hashes, new_hashes) = (old_size >> shift, new_size >> shift);
        let first = old_hashes / u64::from(TILE_WIDTH);
        let end = if new_hashes > old_hashes { new_hashes.div_ceil(u64::from(TILE_WIDTH)) } else { first };
        (first..end).filter_map(move |index| Tile::in_tree(TileKind::Hashes { level }, index, new_size))
    }))
}

impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(formatter, "tile/{level}/")?,
            TileKind::Entries => formatter.write_str("tile/entries/")?,
        }
        // Groups of three digits; all but the last begin with an x, so that no file is named like a directory.
        let mut divisor = 1;
        while self.index / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(formatter, "x{:03}/", self.index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(formatter, "{:03}", self.index % 1000)?;
        if self.is_partial() {
            write!(formatter, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = Error;

    /// Reads a path, which must be the one that [`Tile`] prints.
    fn from_str(path: &str) -> Result<Self, Error> {
        let malformed = |reason| Error::TileFormat { reason };
        if path.len() > MAX_PATH_LENGTH {
            return Err(malformed("the path is too long"));
        }
        let rest = path.strip_prefix("tile/").ok_or(malformed("the path does not begin with tile/"))?;
        let (kind, rest) = rest.split_once('/').ok_or(malformed("the path has no index"))?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes { level: level.parse().map_err(|_| malformed("the level is not a number"))? },
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| malformed("the width is not a number"))?),
            None => (rest, TILE_WIDTH),
        };
        let digits: String = index.chars().filter(char::is_ascii_digit).collect();
        let index = digits.parse().map_err(|_| malformed("the index is not a number"))?;
        let tile = Self::new(kind, index, width)?;
        // Whatever the reading above let pass, there is one path for each tile.
        if tile.to_string() == path { Ok(tile) } else { Err(malformed("the path is not the tile's only one")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{MemoryTree, leaf_hash, tree};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn paths_are_those_of_the_specification() {
        let rows = [
            (TileKind::Hashes { level: 0 }, 0, 256, "tile/0/000"),
            (TileKind::Hashes { level: 0 }, 273, 112, "tile/0/273.p/112"),
            (TileKind::Hashes { level: 1 }, 999, 1, "tile/1/999.p/1"),
            (TileKind::Hashes { level: 1 }, 1000, 256, "tile/1/x001/000"),
            (TileKind::Hashes { level: 2 }, 1_234_067, 256, "tile/2/x001/x234/067"),
            (TileKind::Entries, 1_234_067, 255, "tile/entries/x001/x234/067.p/255"),
            (TileKind::Hashes { level: 7 }, 0, 127, "tile/7/000.p/127"),
            (TileKind::Hashes { level: 0 }, (1 << 55) - 2, 256, "tile/0/x036/x028/x797/x018/x963/966"),
            (TileKind::Hashes { level: 0 }, (1 << 55) - 1, 255, "tile/0/x036/x028/x797/x018/x963/967.p/255"),
        ];
        for (kind, index, width, path) in rows {
            let tile = Tile::new(kind, index, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn other_paths_are_refused_with_the_rule() {
        let (only, beyond) = ("the path is not the tile's only one", "the index is beyond any tree");
        let rows = [
            ("", "the path does not begin with tile/"),
            ("/tile/0/000", "the path does not begin with tile/"),
            ("tile/0", "the path has no index"),
            ("tile/0/", "the index is not a number"),
            ("tile/x/000", "the level is not a number"),
            ("tile/-1/000", "the level is not a number"),
            ("tile/256/000", "the level is not a number"),
            ("tile/8/000", "the level is above 7"),
            ("tile/00/000", only),
            ("tile/+0/000", only),
            ("tile/0/0", only),
            ("tile/0/0000", only),
            ("tile/0/001/000", only),
            ("tile/0/x000/001", only),
            ("tile/0/x001/x000", only),
            ("tile/0/x001/../000", only),
            ("tile/0/000/", only),
            ("tile/0/0\u{660}0", only),
            ("tile/0/000.p/0", "the width is not 1 to 256"),
            ("tile/0/000.p/256", only),
            ("tile/0/000.p/257", "the width is not 1 to 256"),
            ("tile/0/000.p/01", only),
            ("tile/0/000.p/", "the width is not a number"),
            ("tile/0/000.p/1.p/1", "the width is not a number"),
            ("tile/0/x999/x999/x999/x999/x999/x999/999", "the index is not a number"),
            ("tile/0/x009/x223/x372/x036/x854/x775/808", beyond),
            ("tile/0/x036/x028/x797/x018/x963/967", beyond),
            ("tile/7/000", beyond),
            ("tile/0/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/001", "the path is too long"),
        ];
        for (path, reason) in rows {
            assert_eq!(path.parse::<Tile>(), Err(Error::TileFormat { reason }), "{path}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_of_the_specification_s_example() {
        // 70,000 leaves: 273 full tiles and one of 112 at level 0, 1 full and one of 17 at level 1, one of 1 at level 2.
        let tiles: Vec<Tile> = new_tiles(0, 70_000).unwrap().collect();
        let at = |level| tiles.iter().filter(move |tile| tile.kind() == TileKind::Hashes { level });
        let widths = |level| at(level).map(Tile::width).collect::<Vec<u16>>();
        assert_eq!(widths(0), [vec![256; 273], vec![112]].concat());
        assert_eq!((widths(1), widths(2), widths(3)), (vec![256, 17], vec![1], vec![]));
        let paths: Vec<String> = new_tiles(0, 256).unwrap().map(|tile| tile.to_string()).collect();
        assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(new_tiles(0, 0).unwrap().count(), 0);
        assert_eq!(new_tiles(2, 1).err(), Some(Error::SizesReversed { old: 2, new: 1 }));
        assert_eq!(new_tiles(0, u64::MAX).err(), Some(Error::SizeLimit { size: u64::MAX }));
        assert_eq!(Tile::in_tree(TileKind::Entries, u64::MAX, MAX_SIZE), None);
        assert_eq!(Tile::in_tree(TileKind::Hashes { level: 8 }, 0, MAX_SIZE), None);
    }

    #[test]
    fn a_higher_tile_holds_the_roots_of_full_lower_ones() {
        let leaves: Vec<Hash> = (0_u64..600).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
        let tree = MemoryTree::from_leaves(&leaves);
        let lower: Tile = "tile/0/001".parse().unwrap();
        let content = lower.content(&tree).unwrap();
        assert_eq!(content.len(), 8192);
        assert_eq!(lower.read(&content).unwrap(), leaves[256..512]);
        let upper: Tile = "tile/1/000.p/2".parse().unwrap();
        let roots = upper.read(&upper.content(&tree).unwrap()).unwrap();
        assert_eq!(roots[1], MemoryTree::from_leaves(&leaves[256..512]).root());
        assert_eq!(roots[0], tree::root(256, &tree).unwrap());
        assert!(upper.is_in_tree(512) && !upper.is_in_tree(511));
        let wider: Tile = "tile/1/000.p/3".parse().unwrap();
        assert_eq!(wider.content(&tree), Err(Error::MissingHash { level: 8, index: 2 }));
        for length in [0, 32, 63, 65, 96] {
            assert!(upper.read(&vec![0; length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_prints_the_same(path in "tile/([0-9]|entries)/(x[0-9]{3}/){0,2}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Ok(tile) = path.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), path);
            }
        }

        /// Writing only the new tiles at each checkpoint leaves the tiles of the whole tree, and every hash in them.
        #[test]
        fn new_tiles_add_up(sizes in prop::collection::vec(0_u64..3000, 1..5)) {
            let ends: BTreeSet<u64> = sizes.into_iter().collect();
            let last = ends.last().copied().unwrap();
            let mut written: BTreeMap<(TileKind, u64), Tile> = BTreeMap::new();
            let mut before = 0;
            for size in ends {
                for tile in new_tiles(before, size).unwrap() {
                    prop_assert!(tile.is_in_tree(size) && !tile.is_in_tree(before));
                    written.insert((tile.kind(), tile.index()), tile);
                }
                before = size;
            }
            let whole: Vec<Tile> = new_tiles(0, last).unwrap().collect();
            prop_assert_eq!(written.into_values().collect::<Vec<_>>(), whole);
        }
    }
}
