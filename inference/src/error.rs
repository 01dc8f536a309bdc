//! What can go wrong between a text and its vector.

use std::path::PathBuf;

/// An embedding that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model's folder has no readable manifest, graph or tokenizer.
    #[error("the embedding model is not at {}: {reason}; run `make setup`, or set ASSAY_HOME", path.display())]
    ModelMissing {
        /// The file that was looked for.
        path: PathBuf,
        /// Why it could not be read.
        reason: String,
    },
    /// A file of the model is not what the manifest says.
    #[error("the embedding model is damaged: {} {reason}; remove its folder and run `make setup`", path.display())]
    ModelDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model's file that was named cannot be read.
    #[error("cannot read the model {}: {reason}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No library of ONNX Runtime could be loaded.
    #[error("no usable ONNX Runtime library: {tried}")]
    LibraryUnusable {
        /// Every place that was tried, with what was wrong there.
        tried: String,
    },
    /// The execution provider that must be used cannot be.
    #[error("{provider} is required and cannot be used: {reason}")]
    ProviderUnavailable {
        /// `cuda`.
        provider: &'static str,
        /// The runtime's own words.
        reason: String,
    },
    /// The runtime refused the graph.
    #[error("{runtime} cannot open the model's graph: {reason}")]
    Graph {
        /// `onnxruntime` or `rten`.
        runtime: &'static str,
        /// The runtime's own words.
        reason: String,
    },
    /// A configured limit is zero or contradicts another one.
    #[error("limit {field} cannot be {value}")]
    Limit {
        /// The field of [`crate::Limits`] or [`crate::ServiceLimits`].
        field: &'static str,
        /// Its value.
        value: usize,
    },
    /// More texts in one call than allowed.
    #[error("{count} texts in one call; the limit is {limit}")]
    TooManyTexts {
        /// Texts given.
        count: usize,
        /// Texts allowed.
        limit: usize,
    },
    /// One text is longer than allowed.
    #[error("text {index} has {bytes} bytes; the limit is {limit}")]
    TextTooLong {
        /// Index of the text in the call.
        index: usize,
        /// Its length in bytes of UTF-8.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The tokenizer refused a text.
    #[error("text {index} cannot be cut into word pieces: {reason}")]
    Tokenize {
        /// Index of the text in the call.
        index: usize,
        /// The tokenizer's own words.
        reason: String,
    },
    /// The model could not be run.
    #[error("{runtime} failed on a batch: {reason}")]
    Run {
        /// `onnxruntime` or `rten`.
        runtime: &'static str,
        /// The runtime's own words.
        reason: String,
    },
    /// The model ran and returned something that is no set of vectors.
    #[error("the model returned {what}")]
    Output {
        /// What it returned.
        what: String,
    },
    /// The queue of the service stayed full.
    #[error("the embedding queue stayed full for {waited_ms} ms")]
    Overloaded {
        /// How long the caller waited for a place, in milliseconds.
        waited_ms: u64,
    },
    /// The model panicked. The service goes on with the next call.
    #[error("the embedding model panicked: {reason}; other texts may work, and if none do, restart the program")]
    Panicked {
        /// What the panic says.
        reason: String,
    },
    /// The vectors did not come in time.
    #[error(
        "no vectors for {texts} texts after {waited_ms} ms: the embedding model is overloaded or hangs; ask for fewer \
         texts at a time or allow a longer wait, and restart the program if no call is answered"
    )]
    Overdue {
        /// Texts in the call.
        texts: usize,
        /// How long the caller waited, in milliseconds.
        waited_ms: u64,
    },
    /// The service's thread is gone.
    #[error("the embedding service has stopped")]
    ServiceStopped,
}
