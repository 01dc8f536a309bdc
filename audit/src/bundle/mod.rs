//! One file that lets anyone audit an epoch offline: the contiguous range with everything its leaves are made of, the single
//! events from before it that it relies on, and what proves both against one signed checkpoint. `docs/formats.md` has the
//! bytes.
//!
//! Why nothing can be left out: the file holds the frontier (peaks) of the tree before the range. Frontier and the leaves of
//! the range give the root at the range's end, and a consistency proof leads from there to the checkpoint's root; a missing,
//! added, changed or moved event gives another root. Each antecedent is proven by inclusion.
//!
//! **Architecture invariant:** readers trust no length: each is capped before memory is taken, and no input makes them panic.

mod reader;
mod writer;

pub use reader::{Item, Reader, audit};
pub use writer::Writer;

use tlog::Frontier;

use crate::leaf::LeafError;

/// The first bytes of a bundle; the number is the version of the format.
pub const MAGIC: &[u8; 16] = b"assay/bundle/1\n\0";

/// Bytes of the longest origin.
pub const MAX_ORIGIN: usize = 255;

/// The most hashes of a proof: a path in a tree of 2^63 leaves, and its root.
pub const MAX_PROOF: usize = 128;

/// Bytes of the longest leaf: the fixed part and three strings.
pub const MAX_LEAF: usize = 85 + 3 * 65_535;

/// The most events of a bundle, antecedents included.
pub const MAX_EVENTS: u64 = 1 << 32;

/// What a bundle begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The ledger.
    pub origin: String,
    /// The epoch that it is about; all epochs derived in the range when none.
    pub epoch: Option<u64>,
    /// First position of the range.
    pub from: u64,
    /// One past its last position.
    pub end: u64,
    /// The signed checkpoint that everything is proven against; it covers at least `end` events.
    pub checkpoint: String,
    /// The tree over the events before `from`.
    pub frontier: Frontier,
}

/// Tags of the items that follow the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    Antecedent = 1,
    Previous = 2,
    Event = 3,
    End = 4,
}

impl Tag {
    fn of(byte: u8) -> Option<Self> {
        [Self::Antecedent, Self::Previous, Self::Event, Self::End].into_iter().find(|tag| *tag as u8 == byte)
    }
}

/// Why a bundle cannot be written or read. What a bundle contradicts is no error but a difference of the audit.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading or writing failed; an end of the file in mid-item included.
    #[error("the bundle cannot be read or written to its end")]
    Stream(#[from] std::io::Error),
    /// Bytes that are no bundle, or of another version.
    #[error("the bytes do not begin with {:?}", String::from_utf8_lossy(&MAGIC[..14]))]
    Magic,
    /// A length above its cap.
    #[error("the {what} of {length} is above the limit of {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The length stated.
        length: u64,
        /// The cap.
        limit: u64,
    },
    /// An item that may not stand where it stands.
    #[error("{problem} (at position {position})")]
    Order {
        /// Position of the event, or the next one expected.
        position: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Bytes that do not have the format's shape.
    #[error("the bundle is malformed: {0}")]
    Malformed(&'static str),
    /// A leaf that cannot be read or written.
    #[error("the leaf of an event is malformed")]
    Leaf(#[from] LeafError),
    /// A frontier that does not belong to its size.
    #[error("the frontier is malformed")]
    Frontier(#[from] tlog::Error),
}

/// Refuses what is above its cap.
fn capped(what: &'static str, length: usize, limit: usize) -> Result<usize, BundleError> {
    if length <= limit {
        return Ok(length);
    }
    Err(BundleError::TooLarge { what, length: length as u64, limit: limit as u64 })
}
