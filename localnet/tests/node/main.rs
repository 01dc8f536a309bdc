//! The node as its callers and as real clients see it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod world;
