//! Axon and dendrite over HTTP: the protocol of Bittensor's SDK 6 to 10, and `btauth/1` of SDK 11 on the same routes.
//!
//! [`Axon`] answers: routes by synapse name, blacklist and priority hooks, a bounded stake-ordered queue before a bounded number
//! of handlers, and every limit before anything is parsed. [`Dendrite`] asks: addresses pass the guard, one deadline covers the
//! exchange, and outcomes are told in the words of the SDK's own client. The bytes and rules are `network::legacy` and
//! `network::btauth`; this crate adds sockets and clocks.
//!
//! [`fiber`], [`loosh`] and [`epistula`] are the servers and clients of three other dialects; [`endpoint`] and [`post`] hold
//! what they have in common. [`challenge_service`] brings results to Loosh's service and reads from it.
//!
//! **Invariants:** a handler learns who asks from a verified signature and from nothing else; no body is read beyond its limit and
//! none is parsed before its sender is known; no redirect is followed and no name resolved.

mod clock;
mod error;
pub mod hostile;
mod sessions;

pub mod challenge_service;
pub mod client;
pub mod endpoint;
pub mod epistula;
pub mod fiber;
pub mod loosh;
pub mod post;
pub mod server;

pub use client::{Call, Dendrite, Failure, Outcome, Target};
pub use clock::Clock;
pub use error::Error;
pub use server::{Answer, Axon, AxonLimits, Claim, Handler, HandlerError, PriorityError, Request, Route};
