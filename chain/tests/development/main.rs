//! The development chain through its public interface: one module per promise.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod extrinsics;
mod history;
mod persistence;
mod processes;
mod replay;
mod set_weights;
mod slots;
mod world;
