//! Sentence embeddings: text in, vectors of length 1 out.
//!
//! One trait, [`Embedder`], and two runtimes below it: ONNX Runtime, loaded from a shared library when one is found, and
//! rten, pure Rust, when there is none. Both run the same graph and agree to 1e-5 (`tests/contract.rs`).
//!
//! **Architecture invariants:** this crate never falls back in silence: the runtime and the provider asked for and in use
//! stand in [`ModelIdentity`], which travels with every recorded vector. It never hashes or rounds vectors, never scores
//! anything, and knows nothing of rounds or miners. Truncation and padding are decided here, never by `tokenizer.json`.

mod config;
mod error;
mod model;
mod onnx_runtime;
mod pure_rust;
mod service;
mod tabular;
mod word_pieces;

pub use config::{DEFAULT_MODEL, EmbeddingConfig, Limits, Provider, Runtime, find_home};
pub use error::Error;
pub use model::Manifest;
pub use service::{EmbeddingService, ServiceLimits};
pub use tabular::{MAX_MODEL_BYTES, Tabular};

use model::ModelFiles;
use word_pieces::WordPieces;

/// What produced a vector: enough to tell whether two vectors may be compared, and to compute one again.
///
/// The model is its weights and its tokenizer. The ONNX graph is derived from the weights and is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelIdentity {
    /// The model's name, `all-MiniLM-L6-v2`.
    pub name: String,
    /// SHA-256 of the published weights (`model.safetensors`), 64 hex digits.
    pub weights_sha256: String,
    /// SHA-256 of `tokenizer.json`, 64 hex digits.
    pub tokenizer_sha256: String,
    /// Numbers in one vector.
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

/// Turns texts into vectors. Calls block for as long as the model computes: use [`EmbeddingService`] from async code.
pub trait Embedder: Send + Sync {
    /// The model, the runtime and the provider.
    fn identity(&self) -> &ModelIdentity;

    /// The largest input this embedder takes.
    fn limits(&self) -> &Limits;

    /// One vector per text, in the order of the texts, each of [`ModelIdentity::dimensions`] numbers and length 1.
    /// Every text has a vector, the empty one too.
    ///
    /// # Errors
    /// [`Error::TooManyTexts`] and [`Error::TextTooLong`] before anything is computed; [`Error::Tokenize`],
    /// [`Error::Run`] and [`Error::Output`] if the model fails.
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error>;
}

/// Opens the model of a configuration on the runtime it names.
///
/// [`Runtime::Automatic`] takes ONNX Runtime when a usable library is found, else rten, and logs which and why.
///
/// # Errors
/// [`Error::ModelMissing`] and [`Error::ModelDamaged`] for the model's files; [`Error::LibraryUnusable`] when ONNX Runtime
/// was asked for by name; [`Error::ProviderUnavailable`] when CUDA was required.
pub fn open(config: &EmbeddingConfig) -> Result<Box<dyn Embedder>, Error> {
    config.limits.check()?;
    let files = ModelFiles::open(&config.model)?;
    let required = config.provider.required();
    let embedder: Box<dyn Embedder> = match config.runtime {
        Runtime::OnnxRuntime => Box::new(onnx_runtime_embedder(config, &files)?),
        Runtime::PureRust if required => {
            return Err(Error::ProviderUnavailable {
                provider: "cuda",
                reason: "rten runs on the CPU only".to_owned(),
            });
        }
        Runtime::PureRust => Box::new(pure_rust_embedder(config, &files)?),
        Runtime::Automatic => match onnx_runtime_embedder(config, &files) {
            Ok(embedder) => Box::new(embedder),
            Err(error @ Error::LibraryUnusable { .. }) if !required => {
                tracing::warn!(%error, "embeddings run in pure Rust");
                Box::new(pure_rust_embedder(config, &files)?)
            }
            Err(Error::LibraryUnusable { tried }) => {
                return Err(Error::ProviderUnavailable {
                    provider: "cuda",
                    reason: format!("no ONNX Runtime: {tried}"),
                });
            }
            Err(error) => return Err(error),
        },
    };
    let identity = embedder.identity();
    tracing::info!(
        model = identity.name,
        runtime = identity.runtime,
        version = identity.runtime_version,
        asked = identity.provider_asked,
        provider = identity.provider,
        "embedding model is open"
    );
    Ok(embedder)
}

fn onnx_runtime_embedder(config: &EmbeddingConfig, files: &ModelFiles) -> Result<Pipeline<onnx_runtime::Graph>, Error> {
    let graph = onnx_runtime::Graph::open(config, files)?;
    let (version, provider) = (graph.version().to_owned(), graph.provider());
    Pipeline::new(config, files, graph, "onnxruntime", version, provider)
}

fn pure_rust_embedder(config: &EmbeddingConfig, files: &ModelFiles) -> Result<Pipeline<pure_rust::Graph>, Error> {
    let graph = pure_rust::Graph::open(config, files)?;
    Pipeline::new(config, files, graph, "rten", pure_rust::VERSION.to_owned(), "cpu")
}

/// Word pieces of several texts, padded to one length: what a graph is run on.
struct Batch {
    /// Token ids, `rows × columns`, row by row.
    ids: Vec<i64>,
    /// 1 where there is a word piece, 0 where there is padding.
    mask: Vec<i64>,
    rows: usize,
    columns: usize,
}

/// A loaded encoder graph: one batch in, `rows × dimensions` numbers out.
trait EncoderGraph: Send + Sync {
    fn run(&self, batch: Batch) -> Result<Vec<f32>, Error>;
}

/// Tokenizer, batching and checks, the same above either runtime.
struct Pipeline<G> {
    identity: ModelIdentity,
    limits: Limits,
    word_pieces: WordPieces,
    graph: G,
}

impl<G: EncoderGraph> Pipeline<G> {
    fn new(
        config: &EmbeddingConfig,
        files: &ModelFiles,
        graph: G,
        runtime: &str,
        runtime_version: String,
        provider: &str,
    ) -> Result<Self, Error> {
        let manifest = &files.manifest;
        let identity = ModelIdentity {
            name: manifest.name.clone(),
            weights_sha256: manifest.weights_sha256.clone(),
            tokenizer_sha256: manifest.tokenizer_sha256.clone(),
            dimensions: manifest.dimensions,
            max_word_pieces: manifest.max_word_pieces,
            runtime: runtime.to_owned(),
            runtime_version,
            provider_asked: config.provider.to_string(),
            provider: provider.to_owned(),
        };
        let word_pieces = WordPieces::open(files)?;
        Ok(Self { identity, limits: config.limits.clone(), word_pieces, graph })
    }
}

impl<G: EncoderGraph> Embedder for Pipeline<G> {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        self.limits.admit(texts)?;
        let dimensions = self.identity.dimensions;
        let tokens = self.word_pieces.of(texts)?;
        let mut vectors = vec![Vec::new(); texts.len()];
        for group in word_pieces::groups_by_length(&tokens, self.limits.batch_texts, self.limits.batch_word_pieces) {
            let batch = self.word_pieces.batch(&tokens, &group);
            let output = self.graph.run(batch)?;
            if output.len() != group.len() * dimensions {
                return Err(Error::Output {
                    what: format!("{} numbers for {} texts of {dimensions} dimensions", output.len(), group.len()),
                });
            }
            for (index, vector) in group.iter().zip(output.chunks_exact(dimensions)) {
                if let Some(position) = vector.iter().position(|number| !number.is_finite()) {
                    return Err(Error::Output {
                        what: format!("a number that is not finite: text {index}, at {position}"),
                    });
                }
                vectors[*index] = vector.to_vec();
            }
        }
        Ok(vectors)
    }
}
