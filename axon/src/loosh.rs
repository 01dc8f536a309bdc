//! Loosh's two dialects of fiber over HTTP: receivers (a miner that validators ask, a validator that the challenge service
//! brings challenges) and the validator's client towards miners. Bytes and rules are `network::fiber::loosh`.
//!
//! A miner's receiver answers in the order of upstream's gates: who may ask (403), the key (401 with the miner's public key, so
//! that the validator brings a new one at once), the payload (400), and tokens under the same key as answers. A validator's
//! receiver answers 201 in clear.

mod client;
mod server;

pub use client::LooshClient;
pub use server::LooshServer;
