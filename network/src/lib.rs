//! Keys, signatures and addresses of the wire.
//!
//! [`keys`] holds the sr25519 hotkeys that sign requests, answers and extrinsics; [`checkpoint_key`] the Ed25519 key
//! that signs checkpoints of the log; [`wallet`] and [`key_file`] keep them on disk, readable by their owner only;
//! [`address`] decides which addresses a miner may name; [`note`] makes signers of notes of both kinds of key. [`fiber`]
//! and [`epistula`] are dialects in which validators ask miners, and [`fernet`] the envelope of fiber's payloads.
//! [`legacy`] is the axon/dendrite protocol of the SDK 6 to 10, [`btauth`] the signatures of SDK 11.
//!
//! **Invariant:** no secret leaves this crate except into a key file: no `Display`, no `Serialize`, and `Debug` shows
//! the public half only.

pub mod address;
pub mod btauth;
pub mod checkpoint_key;
pub mod epistula;
pub mod fernet;
pub mod fiber;
pub mod key_file;
pub mod keys;
pub mod legacy;
pub mod note;
mod random;
pub mod replay;
pub mod wallet;

pub use error::Error;

mod error;
