//! What can go wrong with the chain itself. What a call or an extrinsic does wrong is not here: the chain answers that.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
        number: u32,
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
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The development chain serves this machine only unless told otherwise.
    #[error("{0} is not a loopback address: the development chain serves other machines only when told so")]
    NotLoopback(SocketAddr),
    /// A running chain did not do what it was asked for.
    #[error("{method} of the development chain: {reason}")]
    Rpc {
        /// What was asked.
        method: &'static str,
        /// What came of it.
        reason: String,
    },
    /// A method of the interface could not be offered.
    #[error("rpc method {0} is offered twice")]
    Method(String),
    /// A value could not be written as JSON.
    #[error("value cannot be written as json")]
    Json(#[from] serde_json::Error),
}
