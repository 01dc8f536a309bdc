//! The chain of a real subtensor node, through [subxt](https://docs.rs/subxt) with the metadata that the node gives.
//!
//! [`Subtensor`] is [`chain::Chain`] for finney, the test network and every other node that speaks Substrate's JSON-RPC.
//! [`Runtime`] is the part that needs no network: what a runtime has, and how it is encoded.
//!
//! **Invariants.** No metadata is compiled in: indexes, hashers and types are those of the runtime of the very block that is
//! read. The newest block is the newest finalised one: nothing that was read is ever undone. An extrinsic's result is read from its block's events. Every request has a deadline, every pause and queue a limit.
//! subxt stays behind this crate.
//!
//! Layers, from the wire up: `link` (one websocket and who keeps it), `runtime` (bytes), `read` (a block's state), `status`
//! (extrinsics), `client` (the trait).

#![forbid(unsafe_code)]

mod client;
mod error;
mod link;
mod read;
mod runtime;
mod settings;
mod status;

pub use client::Subtensor;
pub use error::Error;
pub use link::name_of;
pub use runtime::{CallStyle, ReadExtrinsic, Runtime, Signing, bytes_to_sign};
pub use settings::Settings;
