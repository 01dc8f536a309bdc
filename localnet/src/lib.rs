//! A development chain that speaks Substrate's JSON-RPC with subtensor's metadata, calls and consensus.
//!
//! subxt and the Python SDK take it for a subtensor of spec 393: storage under the real keys, calls, events and errors with
//! the real numbers, signed extrinsics of format 4, blocks with real header hashes, Yuma consensus at the end of each tempo.
//! With [`Schedule::Stateful`] it is one of spec 425, whose epochs follow the last one and not the block's number.
//! [`State`] is a pure state machine over blocks, [`Node`] adds the pool and the file of blocks, [`server`] lets other
//! processes in.
//!
//! What differs from subtensor, on purpose: axons may announce loopback addresses when the specification says so; nothing
//! costs a fee and an account without balance may send; there is no market, so stake is what genesis and the root key say,
//! emission is counted and not staked, and the burn does not move; state and extrinsics roots are hashes, not tries; every
//! block is final at once; pallet `Development` is this chain's own. Of spec 425 there are the schedule and what it needs, with
//! the numbers of 393: an owner cannot trigger an epoch, a tempo may be shorter than 360 blocks, nothing tells of an epoch that
//! was put off but its `PendingEpochAt`, and hyperparameters are told by `get_subnet_hyperparams_v2`, not by `_v3`.
//!
//! **Invariant:** what a client reads at a block never changes later, and nothing is told of a block that is not on disk.

#![forbid(unsafe_code)]

mod block;
mod block_file;
mod dispatch;
mod epoch;
mod error;
mod execution;
pub mod extrinsic;
mod genesis;
mod hashing;
mod hyperparameters;
mod item;
mod neurons;
mod node;
mod pool;
mod root;
mod rpc;
pub mod runtime;
mod runtime_api;
mod schedule;
pub mod server;
mod specification;
mod state;
mod store;
mod timelock;

pub use block::{Block, Genesis, Header};
pub use block_file::{BlockFile, read_blocks};
pub use error::Error;
pub use hashing::blake2_256;
pub use hyperparameters::Hyperparameters;
pub use node::{Node, Whereabouts};
pub use pool::Refusal;
pub use root::{Outcome, Root, RootCall};
pub use runtime_api::Failure;
pub use schedule::Schedule;
pub use specification::{Beacon, GenesisNeuron, GenesisSubnet, Specification};
pub use state::State;

/// The account of a hotkey or coldkey.
///
/// # Errors
/// [`Error::InvalidSpecification`] for an address that is none.
pub fn account(key: &domain::types::Hotkey) -> Result<runtime::sp_core::crypto::AccountId32, Error> {
    let public = key.public().map_err(|error| Error::InvalidSpecification(format!("{key}: {error}")))?;
    Ok(runtime::sp_core::crypto::AccountId32(public))
}

/// The metadata of spec 393 in SCALE, with its magic number: versions 14, 15 and 16.
pub fn metadata(version: u32) -> Option<&'static [u8]> {
    metadata_of(Schedule::Legacy, version)
}

/// The metadata of a schedule's runtime, likewise.
pub fn metadata_of(schedule: Schedule, version: u32) -> Option<&'static [u8]> {
    runtime::metadata::of_version(schedule, version)
}
