//! The one error type of the crate. Every variant carries what is needed to find the fault.

use crate::Hash;

/// Why a tree, proof, note, checkpoint or tile was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hash in text form was not 64 hexadecimal digits.
    #[error("a hash is 64 hexadecimal digits, this text has {length} bytes or another character")]
    HashText {
        /// Bytes of the refused text.
        length: usize,
    },
    /// The peaks of a frontier do not belong to its size.
    #[error("a tree of size {size} has {expected} bytes of peaks, not {found}")]
    FrontierLength {
        /// Leaves of the tree.
        size: u64,
        /// 32 bytes for each set bit of the size.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// A tree size above [`crate::MAX_SIZE`].
    #[error("tree size {size} is above the limit of 2^63 - 1")]
    SizeLimit {
        /// The refused size.
        size: u64,
    },
    /// An index that the tree does not have.
    #[error("index {index} is outside a tree of size {size}")]
    IndexOutside {
        /// The asked index, 0-based.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// Two sizes in the wrong order.
    #[error("the old size {old} is larger than the new size {new}")]
    SizesReversed {
        /// The size that should be the smaller one.
        old: u64,
        /// The size that should be the larger one.
        new: u64,
    },
    /// A hash source lacks a node that a proof or tile needs.
    #[error("the hash at level {level}, index {index} is missing")]
    MissingHash {
        /// 0 for leaves.
        level: u8,
        /// 0-based index within the level.
        index: u64,
    },
    /// A proof with another number of hashes than its sizes ask for.
    #[error("the proof has {found} hashes where {expected} are needed")]
    ProofLength {
        /// Hashes that the sizes ask for.
        expected: usize,
        /// Hashes that were given.
        found: usize,
    },
    /// A proof that leads to another root.
    #[error("the proof leads to root {computed}, not to {expected} (tree size {size})")]
    RootMismatch {
        /// Size of the tree whose root was computed.
        size: u64,
        /// The root that was to be proven.
        expected: Hash,
        /// The root that follows from the proof.
        computed: Hash,
    },
    /// A signed note that breaks the format.
    #[error("malformed signed note: {reason}")]
    NoteFormat {
        /// Which rule was broken.
        reason: &'static str,
    },
    /// A key name or verifier key that breaks the format.
    #[error("malformed note key: {reason}")]
    KeyFormat {
        /// Which rule was broken.
        reason: &'static str,
    },
    /// A signature of a known key that does not verify.
    #[error("the signature of {name} does not verify")]
    BadSignature {
        /// Name of the key.
        name: String,
    },
    /// A note on which no known key signed.
    #[error("no known key signed this note; expected {expected}")]
    NotSigned {
        /// Names of the known keys, separated by commas.
        expected: String,
    },
    /// A signer that could not sign.
    #[error("the key {name} could not sign: {reason}")]
    Signing {
        /// Name of the key.
        name: String,
        /// What the signer said.
        reason: String,
    },
    /// A checkpoint body that breaks the format.
    #[error("malformed checkpoint: {reason}")]
    CheckpointFormat {
        /// Which rule was broken.
        reason: &'static str,
    },
    /// A checkpoint of another log.
    #[error("this checkpoint is of origin {found}, not {expected}")]
    Origin {
        /// The origin that was asked for.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
    /// A tile path or tile coordinates that break the format.
    #[error("malformed tile: {reason}")]
    TileFormat {
        /// Which rule was broken.
        reason: &'static str,
    },
}
