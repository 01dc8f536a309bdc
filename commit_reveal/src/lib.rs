//! Commit–reveal: weights that nobody can copy before they count.
//!
//! Two forms are in use. A commit by [hash](hash::weights_hash) is opened by its sender. A [timelock](timelock::encrypt) commit is
//! opened by everybody, once a randomness beacon (drand quicknet on public networks) has signed the [round](rounds) for which it
//! was made. Nothing here does I/O, reads a clock or draws a random number: time and randomness are arguments. Ciphertexts,
//! payloads, keys and signatures are hostile input; every length in them is checked before anything is read by it.

pub mod beacon;
mod error;
pub mod hash;
pub mod payload;
pub mod rounds;
pub mod timelock;

pub use beacon::{Beacon, BeaconKey, PublicKey, Pulse, QUICKNET, Signature};
pub use error::Error;
pub use hash::weights_hash;
pub use payload::{Payload, Weights};
pub use rounds::{Moment, Schedule, reveal_block, reveal_round};
pub use timelock::{decrypt, encrypt, open_envelope, seal_envelope};

/// The version that goes with timelock commits (`CommitRevealWeightsVersion`).
pub const COMMIT_REVEAL_VERSION: u16 = 4;

/// The longest commit that the chain takes, in bytes.
pub const COMMIT_BYTES_MAXIMUM: usize = 5000;
