//! The axon/dendrite protocol of Bittensor's SDK 6 to 10, without HTTP: what stands in headers and bodies, what is hashed, what
//! is signed, and when a signature counts.
//!
//! [`json`] keeps a body as Python reads it (order, integers apart from floats) and [`python`] writes it as Python does;
//! [`shape`] is a synapse's declaration and its body hash; [`head`] the headers of both directions; [`message`] the texts that
//! are signed; [`verify`] the rules of acceptance and [`nonces`] the bounded memory behind them.
//!
//! **Invariant:** nothing here reads a clock, and who a request is from is said by [`verify::Verified`] alone: header values
//! before it, and the `dendrite` object of a body at any time, are claims.

pub mod head;
pub mod json;
pub mod message;
pub mod nonces;
pub mod python;
pub mod shape;
pub mod verify;

pub use head::{Head, HeadError, Terminal};
pub use json::{Json, JsonError};
pub use shape::{Kind, Shape, ShapeError};
pub use verify::{Verified, Verifier, VerifyError};

/// The version that we announce as a dendrite or an axon: that of the last SDK with this protocol, in its own encoding.
pub const VERSION: u64 = message::version_integer(10, 5, 0);
