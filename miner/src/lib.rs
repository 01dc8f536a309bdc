//! The miner process: an HTTP server that answers questions from a corpus and signs what it says.
//!
//! It is an axon: the route of its subnet's synapse speaks the dialects of Bittensor's SDKs, fiber and Epistula, and Loosh's
//! dialect of fiber has routes of its own on the same port, as has Prometheus. `GET /availability` and
//! `POST /inference` follow the plain routes of the Loosh inference miner besides. An honest miner embeds the
//! question, finds the passages of its corpus nearest in meaning and answers with their most relevant sentences: an
//! extractive answer, nothing is made up. Its [`Profile`] decides how much of the corpus it has and how it chooses, so
//! that miners differ honestly. With a [`Writer`] a language model writes the answers, and what is above is what a miner falls
//! back on. [`subnets`] holds the ways of the other subnets. The other kinds of [`Behaviour`] misbehave on purpose, for demonstrations and tests, and say
//! so in their logs.
//!
//! **Architecture invariants:** a miner never reads a ledger, a chain or a clock of the validator; it answers what it is
//! asked and signs the bytes it sends. Bodies are capped before they are parsed, and every wait has an end.

mod answering;
mod behaviour;
mod cache;
mod config;
mod copying;
mod corpus;
pub mod drafts;
mod error;
mod malformed;
mod measures;
mod receipt;
mod request;
mod retrieval;
mod sending;
mod server;
mod signing;
pub mod subnets;
mod wire;
mod writer;

pub use behaviour::{Behaviour, Malformation, Peer};
pub use config::{EmbeddingSource, Limits, MinerConfig, Profile};
pub use corpus::{Corpus, Passage, split_sentences};
pub use error::Error;
pub use request::{InferenceRequest, InferenceResponse, ReceiptFields, Refusal, Usage};
pub use retrieval::{Answer, Index};
pub use server::Server;
pub use signing::verify_response;
pub use wire::Gate;
pub use writer::Writer;

/// Serves one miner until `shutdown` completes: [`Server::bind`], then [`Server::serve`].
///
/// # Errors
/// An address that cannot be had, a corpus or a model that cannot be opened.
pub async fn run(config: MinerConfig, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    Server::bind(config).await?.serve(shutdown).await
}
