//! fiber over HTTP: a miner's routes in both modes, and a validator that asks in either. Bytes and rules are
//! `network::fiber`.
//!
//! A request is looked at in this order: path (404), header fields, sender and signature (401, 403, 400), which in plain mode
//! need the body (413, 408, 503 before that), then a place among the handlers (503, 408). The miner's key exchange is open to
//! those only who may also ask.

mod client;
mod server;

pub use client::FiberClient;
pub use server::FiberServer;
