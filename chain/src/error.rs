//! What can go wrong with a chain.

use std::path::PathBuf;

use domain::types::{BlockNumber, Digest, NetUid};

use crate::types::ExtrinsicStatus;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain did not answer, or not in time.
    #[error("chain at {url} cannot be reached")]
    Unreachable {
        /// Which chain.
        url: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
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
    /// A specification contradicts itself.
    #[error("specification of the development chain: {0}")]
    InvalidSpecification(String),
    /// The file of blocks could not be read or written.
    #[error("chain file {}: {action} failed", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes the file of blocks.
    #[error("chain file {} is in use by another process: two authors would fork the chain", .0.display())]
    FileInUse(PathBuf),
    /// The file of blocks is damaged before its last line.
    #[error("chain file {} is damaged at line {line}: {reason}", path.display())]
    FileDamaged {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A block does not follow the head.
    #[error("block {number} does not follow the head: {reason}")]
    InvalidBlock {
        /// Its number.
        number: BlockNumber,
        /// What is wrong.
        reason: String,
    },
    /// The author stopped after a fault; the process must be started again.
    #[error("the development chain has stopped: {0}")]
    Stopped(String),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(String),
    /// The address to listen on cannot be had.
    #[error("development chain cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The development chain serves this machine only unless told otherwise.
    #[error("{0} is not a loopback address: the development chain serves other machines only when told so")]
    NotLoopback(std::net::SocketAddr),
    /// A value could not be written as JSON.
    #[error("value cannot be written as json")]
    Json(#[from] serde_json::Error),
}
