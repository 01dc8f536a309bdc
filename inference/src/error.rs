//! What can go wrong between a text and what a model says of it.

use std::path::PathBuf;

/// A model that could not be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model's folder has no readable manifest, graph or tokenizer.
    #[error("the model is not at {}: {reason}; run `make setup` for the embedding model, or set ASSAY_HOME", path.display())]
    ModelMissing {
        /// The file that was looked for.
        path: PathBuf,
        /// Why it could not be read.
        reason: String,
    },
    /// A file of the model is not what the manifest says.
    #[error("the model is damaged: {} {reason}; install it again, the embedding model by removing its folder and `make setup`", path.display())]
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
    /// The folder holds a model for another purpose.
    #[error("the model at {} is for {found}, not for {wanted}", path.display())]
    OtherKind {
        /// The folder.
        path: PathBuf,
        /// What its manifest says it is for.
        found: &'static str,
        /// What it was opened for.
        wanted: &'static str,
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
    /// A sequence of tokens is longer than the model, or the limit of logits, takes.
    #[error("sequence {index} has {tokens} tokens; the limit is {limit}")]
    SequenceTooLong {
        /// Index of the sequence in the call.
        index: usize,
        /// Its tokens.
        tokens: usize,
        /// Tokens allowed.
        limit: usize,
    },
    /// A token, read or watched, is not in the model's vocabulary.
    #[error("sequence {index} names token {token}; the vocabulary has {vocabulary}")]
    UnknownToken {
        /// Index of the sequence in the call.
        index: usize,
        /// The token.
        token: u32,
        /// Tokens that there are.
        vocabulary: usize,
    },
    /// More values of watched tokens were asked for than allowed.
    #[error("sequence {index} asks for {values} values of watched tokens; the limit is {limit}")]
    TooManyWatched {
        /// Index of the sequence in the call.
        index: usize,
        /// Tokens to be read times tokens watched.
        values: usize,
        /// Values allowed.
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
    /// The model ran and returned something of another shape or size than its manifest says.
    #[error("the model returned {what}")]
    Output {
        /// What it returned.
        what: String,
    },
    /// The queue of the service stayed full.
    #[error("the model's queue stayed full for {waited_ms} ms")]
    Overloaded {
        /// How long the caller waited for a place, in milliseconds.
        waited_ms: u64,
    },
    /// The model panicked. The service goes on with the next call.
    #[error("the model panicked: {reason}; other texts may work, and if none do, restart the program")]
    Panicked {
        /// What the panic says.
        reason: String,
    },
    /// The answer did not come in time.
    #[error(
        "no answer for {texts} texts after {waited_ms} ms: the model is overloaded or hangs; ask for fewer \
         texts at a time or allow a longer wait, and restart the program if no call is answered"
    )]
    Overdue {
        /// Texts in the call.
        texts: usize,
        /// How long the caller waited, in milliseconds.
        waited_ms: u64,
    },
    /// The service's thread is gone.
    #[error("the model's service has stopped")]
    ServiceStopped,
}
