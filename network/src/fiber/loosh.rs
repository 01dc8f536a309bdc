//! Loosh's two dialects of fiber. Neither is the other, and neither is fiber itself.
//!
//! | | challenge service and validator | validator to miner |
//! |---|---|---|
//! | encrypted key | base64 | hexadecimal |
//! | key's name in the exchange | `key_uuid` | `symmetric_key_uuid` |
//! | caller in the exchange | `hotkey_ss58` (service), `validator_hotkey_ss58` (validator) | `validator_hotkey_ss58` |
//! | nonce in the exchange | none | a UUID |
//! | signed text | `{time}.{hotkey}.{key's name}`, hexadecimal | `{time}.{nonce}.{hotkey}`, `0x` and hexadecimal |
//! | header fields of a payload | `symmetric-key-uuid`, `hotkey-ss58-address` | `x-fiber-symmetric-key-uuid`, `x-fiber-validator-hotkey-ss58` |
//!
//! In both, what is encrypted under the RSA key is the *text* of the Fernet key, keys live for an hour, and payloads carry no
//! signature: that they open under a key proves who wrote them.
//!
//! **What the dialect leaves open:** between validator and miner the signature does not cover the key, so whoever can change
//! a request on its way can put another key in. [`server`] narrows it: an exchange must be recent, passes once, and a
//! signature that covers the key's name is asked for where the dialect has one.

pub mod client;
pub mod outbox;
pub mod server;
mod texts;

pub use client::Session;
pub use server::Receiver;
pub use texts::{handshake_message, service_exchange_message, service_headers, service_message};

/// Where a receiver shows its RSA key, in both dialects.
pub const PUBLIC_KEY_PATH: &str = "/fiber/public-key";
/// Where a symmetric key is brought, in both dialects.
pub const EXCHANGE_PATH: &str = "/fiber/key-exchange";
/// Where challenges go, to validators and to miners.
pub const CHALLENGE_PATH: &str = "/fiber/challenge";
/// Where a receiver tells how many keys it holds.
pub const STATISTICS_PATH: &str = "/fiber/stats";
/// How long keys live, in seconds.
pub const KEY_LIFETIME: u64 = 3600;
/// A sender brings a new key this long before the old one ends, in seconds.
pub const REFRESH_EARLY: u64 = 60;

/// Which of the two dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Between the challenge service and a validator, in either direction.
    Service,
    /// From a validator to a miner.
    Miner,
}

impl Dialect {
    /// The header field that names the key of a payload.
    #[must_use]
    pub fn key_header(self) -> &'static str {
        match self {
            Self::Service => "symmetric-key-uuid",
            Self::Miner => "x-fiber-symmetric-key-uuid",
        }
    }

    /// The header field that names who sent a payload.
    #[must_use]
    pub fn sender_header(self) -> &'static str {
        match self {
            Self::Service => "hotkey-ss58-address",
            Self::Miner => "x-fiber-validator-hotkey-ss58",
        }
    }
}
