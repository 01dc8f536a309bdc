//! The chain of a real subtensor node, through subxt with the metadata that the node gives.
#![forbid(unsafe_code)]
mod error;
mod runtime;
pub use error::Error;
pub use runtime::{CallStyle, Runtime, Signing};
