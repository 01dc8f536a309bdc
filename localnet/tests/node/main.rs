//! The node as its callers and as real clients see it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod commits;
mod epochs;
mod extrinsics;
mod history;
mod persistence;
mod replay;
mod rpc;
mod slots;
mod stateful;
mod weights;
mod world;
