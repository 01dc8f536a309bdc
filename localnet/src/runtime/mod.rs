//! The runtime's types under the names of the crates they have in subtensor.
//!
//! A module here stands for a crate there (`pallet_subtensor::pallet::Call` is `pallet_subtensor/…`), so that the paths in
//! the metadata are the real ones: clients choose how to decode by them. Indexes, field names and types are those of
//! spec 393; `tests/conformance.rs` compares all of them with the real metadata. What is not here is not offered.
//! A chain of spec 425 has the same but for what `crate::schedule` names.

#![allow(missing_docs, reason = "the names are subtensor's and Substrate's, and mean what they mean there")]

pub mod bounded_collections;
pub mod extensions;
pub mod fp_self_contained;
pub mod frame_support;
pub mod frame_system;
pub mod node_subtensor_runtime;
pub mod pallet_admin_utils;
pub mod pallet_balances;
pub mod pallet_commitments;
pub mod pallet_development;
pub mod pallet_drand;
pub mod pallet_subtensor;
pub mod pallet_subtensor_utility;
pub mod pallet_sudo;
pub mod pallet_timestamp;
pub mod pallet_transaction_payment;
pub mod primitive_types;
pub mod sp_arithmetic;
pub mod sp_core;
pub mod sp_runtime;
pub mod sp_version;
pub mod sp_weights;
pub mod substrate_fixed;

pub(crate) mod apis;
pub(crate) mod constants;
pub(crate) mod metadata;

/// The runtime's version: what an extrinsic signs.
pub const SPEC_VERSION: u32 = 393;
/// The same of a chain whose epochs have state of their own.
pub const STATEFUL_SPEC_VERSION: u32 = 425;
/// The version of the extrinsics' format: what an extrinsic signs.
pub const TRANSACTION_VERSION: u32 = 1;
/// Blocks whose hash an era may begin with.
pub const BLOCK_HASH_COUNT: u32 = 2400;
/// The number of Bittensor's addresses.
pub const SS58_PREFIX: u16 = 42;
