//! What models say of texts: embeddings, the logit of a pair, the log-probability of each token; and of rows of numbers.
//!
//! One trait for each ([`Embedder`], [`Classifier`], [`LanguageModel`]) and two runtimes below them: ONNX Runtime, loaded from
//! a shared library when one is found, and rten, pure Rust, when there is none. Both run the same graph and agree to 1e-5
//! (`tests/contract.rs`, `tests/rewards.rs`). Models that are small and take numbers are [`Tabular`].
//!
//! **Architecture invariants:** this crate never falls back in silence: the runtime and the provider asked for and in use
//! stand in [`ModelIdentity`], which travels with every recorded vector. It never hashes or rounds what a model says, never
//! scores a miner, and knows nothing of rounds. Truncation and padding are decided here, never by `tokenizer.json`.

mod classifier;
mod config;
mod embedder;
mod error;
mod graph;
mod language_model;
mod model;
mod onnx_runtime;
mod pure_rust;
mod service;
mod tabular;
mod word_pieces;
mod worker;

pub use classifier::{Classifier, Score, TextPair, open_classifier};
/// What to open, where it is a model for embeddings.
pub use config::ModelConfig as EmbeddingConfig;
pub use config::{DEFAULT_MODEL, Limits, ModelConfig, Provider, Runtime, find_home};
pub use embedder::{Embedder, open};
pub use error::Error;
pub use language_model::{LanguageModel, Reading, Sequence, TokenReading, open_language_model};
pub use model::{Manifest, ModelKind, Pooling};
pub use service::{ClassifierService, EmbeddingService, LanguageModelService, ServiceLimits};
pub use tabular::{MAX_MODEL_BYTES, Tabular};

/// What produced a vector, a logit or a log-probability: enough to tell whether two may be compared, and to compute one
/// again.
///
/// The model is its weights and its tokenizer. The ONNX graph is derived from the weights and is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelIdentity {
    /// The model's name, `all-MiniLM-L6-v2`.
    pub name: String,
    /// SHA-256 of the published weights (`model.safetensors`, or the graph where no other are published), 64 hex digits.
    pub weights_sha256: String,
    /// SHA-256 of `tokenizer.json`, 64 hex digits.
    pub tokenizer_sha256: String,
    /// Numbers in one vector; 1 for a classifier; the size of a language model's vocabulary.
    pub dimensions: usize,
    /// Longest input in word pieces, `[CLS]` and `[SEP]` included; what is longer is cut at its end.
    pub max_word_pieces: usize,
    /// `onnxruntime` or `rten`.
    pub runtime: String,
    /// The runtime's version, for example `1.31.1 (6af1a93)`.
    pub runtime_version: String,
    /// The execution provider the configuration asked for: `cpu`, `cuda` or `cuda, required`.
    pub provider_asked: String,
    /// The execution provider in use: `cpu` or `cuda`.
    pub provider: String,
}
