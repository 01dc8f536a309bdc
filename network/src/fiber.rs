//! fiber: how many subnets' validators ask miners, in plain and in encrypted mode, and the two dialects of it that Loosh
//! uses ([`loosh`]). Formats and rules only: bytes in, bytes out; time is an argument.
//!
//! A request names validator and miner and carries a nonce and a signature. In plain mode the signature covers the body's
//! hash. In encrypted mode the validator first brings the miner a symmetric key under the miner's RSA key; from then on the
//! body is a Fernet token and the signature covers the key's name, not the body.
//! Reference: fiber 2.1.0, `fiber/encrypted` (<https://github.com/rayonlabs/fiber>).
//!
//! | part | module |
//! |---|---|
//! | nonces and header fields | [`headers`] |
//! | a miner's RSA key | [`rsa_key`] |
//! | symmetric keys that validators brought | [`key_store`] |
//! | what a validator sends | [`client`] |
//! | what a miner accepts | [`server`] |
//!
//! **Where this side is stricter than fiber**, which stays compatible: the miner's name must be the miner's own; a nonce is
//! remembered per validator and only after its signature verified; a request may be at most [`headers::WINDOW_SECONDS`]
//! old or ahead; a token passes once, so that a captured one cannot be sent again under a new signature; every store is
//! bounded and refuses instead of forgetting.

pub mod client;
pub mod headers;
pub mod key_store;
pub mod loosh;
pub mod refusal;
pub mod rsa_key;
pub mod server;

pub use loosh::{handshake_message, service_headers, service_message};
pub use refusal::Refusal;
