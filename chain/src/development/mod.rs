//! A chain of one process, for demonstrations and tests.
//!
//! It keeps what a validator depends on and what usually breaks one: blocks with hashes that nobody can predict, signed
//! mortal extrinsics with nonces, a pool that forgets at a restart, dispatch errors under subtensor's names, slots that
//! change hands, epochs by tempo, and reads at any past block. It keeps no token economy and computes no consensus: stake
//! is given by the specification or by the root key.
//!
//! [`State`] is a pure state machine over [`Block`]s; [`Node`] adds the pool and the file of blocks; [`server`] lets
//! other processes in, so that a validator killed with -9 does not take the chain with it; [`Client`] is their
//! [`crate::Chain`].

mod block;
mod block_file;
mod client;
mod dispatch;
mod extrinsic;
mod history;
mod node;
mod pool;
pub mod server;
mod specification;
mod state;

pub use block::{Block, Genesis};
pub use block_file::BlockFile;
pub use client::Client;
pub use dispatch::DispatchError;
pub use extrinsic::{DevelopmentCall, Extrinsic, Payload, RootCall};
pub use node::Node;
pub use specification::{GenesisNeuron, GenesisSubnet, Specification};
pub use state::State;
