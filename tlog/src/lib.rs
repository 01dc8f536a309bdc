//! The Merkle tree of a transparency log and the formats that publish it.
//!
//! Hashing and proofs follow [RFC 6962, section 2.1](https://www.rfc-editor.org/rfc/rfc6962#section-2.1) with SHA-256;
//! signed notes, checkpoints and tiles follow the C2SP specifications
//! [signed-note](https://c2sp.org/signed-note), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint) and
//! [tlog-tiles](https://c2sp.org/tlog-tiles).
//!
//! **Architecture invariant:** this crate is pure. It reads no clock, file, socket or random source, knows no signature
//! algorithm (keys come in as the traits [`NoteSigner`] and [`NoteVerifier`]), and nothing of events: a leaf
//! is bytes. Everything it parses is hostile: sizes are capped before parsing, and no input makes it panic.
#![forbid(unsafe_code)]

pub mod checkpoint;
mod error;
mod frontier;
mod hash;
pub mod key;
pub mod note;
pub mod proof;
#[cfg(test)]
mod reference_log;
pub mod tile;
pub mod tree;

pub use checkpoint::{Checkpoint, OpenedCheckpoint};
pub use error::Error;
pub use frontier::Frontier;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use key::{KeyId, SignatureType, VerifierKey};
pub use note::{NoteSigner, NoteVerifier};
pub use tile::{Tile, TileKind};
pub use tree::{Coordinate, HashSource, MemoryTree};

/// The largest tree size that this crate accepts: 2^63 - 1, the largest value of a signed 64-bit database column.
/// Index arithmetic on sizes up to this one never overflows a `u64`.
pub const MAX_SIZE: u64 = (1 << 63) - 1;
