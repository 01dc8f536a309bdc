//! Why a miner does not start or stops. What a caller did wrong is a [`crate::Refusal`] instead.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A miner that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address to listen on cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The axon cannot be put together.
    #[error("the axon cannot be served: {0}")]
    Wire(String),
    /// The corpus file cannot be read.
    #[error("cannot read the corpus {}", path.display())]
    ReadCorpus {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line of the corpus is no passage, or the corpus is too large or empty.
    #[error("corpus line {line}: {reason}")]
    Corpus {
        /// 1-based line; 0 when it is about the whole.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The file of tweets cannot be read.
    #[error("cannot read the tweets {}", path.display())]
    ReadTweets {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file is no tweet, or the file is too large or empty.
    #[error("tweets, line {line}: {reason}")]
    Tweets {
        /// 1-based line; 0 when it is about the whole.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A field of the profile or of the limits cannot be as it is.
    #[error("{field} cannot be {value}: {reason}")]
    Setting {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        reason: &'static str,
    },
    /// The embedding model.
    #[error(transparent)]
    Embedding(#[from] inference::Error),
    /// The model and the corpus do not go together, or a vector is missing.
    #[error("the corpus has {texts} texts and {vectors} vectors")]
    Vectors {
        /// Texts of the corpus.
        texts: usize,
        /// Vectors for them.
        vectors: usize,
    },
    /// A task of the miner's own panicked.
    #[error("a task of the miner ended: {0}")]
    Task(String),
    /// The HTTP client of a copycat cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
}
