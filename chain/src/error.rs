//! What can go wrong with a chain.

use domain::types::{BlockNumber, Digest, NetUid};

use crate::extrinsics::ExtrinsicStatus;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection to the chain was lost, or none could be made in time.
    #[error("connection to the chain at {url} is lost: {reason}")]
    Disconnected {
        /// Which chain.
        url: String,
        /// What was noticed.
        reason: String,
    },
    /// The chain did not answer in time.
    #[error("chain at {url} did not answer {method} within {} ms", after.as_millis())]
    DeadlineExceeded {
        /// Which chain.
        url: String,
        /// What was asked.
        method: String,
        /// How long was waited.
        after: std::time::Duration,
    },
    /// This chain, or its present runtime, does not have what was asked for.
    #[error("chain at {url} does not offer {what}")]
    NotOffered {
        /// Which chain.
        url: String,
        /// What is missing.
        what: String,
    },
    /// Something that was to be sent or configured cannot be valid on any chain.
    #[error("{field} is not valid: {problem}")]
    InvalidInput {
        /// Which value.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The chain answered something that is no answer.
    #[error("chain at {url} gave an answer that is not understood: {reason}")]
    Malformed {
        /// Which chain.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node has a fault of its own.
    #[error("chain at {url} failed: {reason}")]
    NodeFailed {
        /// Which chain.
        url: String,
        /// What it says.
        reason: String,
    },
    /// There is no such block yet.
    #[error("block {0} does not exist yet")]
    UnknownBlock(BlockNumber),
    /// There was no such subnet at that block.
    #[error("subnet {netuid} does not exist at block {block}")]
    UnknownSubnet {
        /// The subnet.
        netuid: NetUid,
        /// The block.
        block: BlockNumber,
    },
    /// The pool refused an extrinsic; it is in no block.
    #[error("chain refused the extrinsic: {name} ({message})")]
    Rejected {
        /// Substrate's name: `Stale`, `BadProof`, `AncientBirthBlock`, `PriorityTooLow`, …
        name: String,
        /// What it means here.
        message: String,
    },
    /// A call is in a block and failed there.
    #[error("extrinsic {hash} failed in block {block}: {error}")]
    CallFailed {
        /// The extrinsic.
        hash: Digest,
        /// The block.
        block: BlockNumber,
        /// Subtensor's name of the error.
        error: String,
    },
    /// An extrinsic is in no block after the time given.
    #[error("extrinsic {hash} is in no block: {status:?}")]
    NotIncluded {
        /// The extrinsic.
        hash: Digest,
        /// The last answer.
        status: ExtrinsicStatus,
    },
}
