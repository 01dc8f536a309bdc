//! The chain as this crate sees it, against a development node in the same process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod extrinsics;
mod link;
mod middle;
mod odd_nodes;
mod proxy;
mod reads;
mod stateful;
mod tls;
mod weights;
mod world;
