//! What can go wrong between this process and a node.

use std::time::Duration;

/// Errors of this crate. Callers of [`crate::Subtensor`] see them as [`chain::Error`], with the node's address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node's metadata cannot be read.
    #[error("metadata of the runtime is not understood: {0}")]
    Metadata(String),
    /// The present runtime does not have something that was needed.
    #[error("runtime {spec_version} has no {what}")]
    Missing {
        /// Which runtime.
        spec_version: u32,
        /// The pallet and the name.
        what: String,
    },
    /// A value does not fit the type that the metadata states.
    #[error("{what} cannot be encoded: {reason}")]
    Encode {
        /// Which value.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Bytes do not fit the type that the metadata states, or an answer has no meaning.
    #[error("{what} cannot be decoded: {reason}")]
    Decode {
        /// Which value.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The node answered a request with an error.
    #[error("node refused {method}: {message} (code {code})")]
    Refused {
        /// The request.
        method: String,
        /// JSON-RPC's or Substrate's code.
        code: i32,
        /// The node's words, with its data behind.
        message: String,
    },
    /// The connection is gone.
    #[error("connection is lost: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("{method} was not answered within {} ms", after.as_millis())]
    Late {
        /// The request.
        method: String,
        /// How long was waited.
        after: Duration,
    },
    /// What the chain's own error says best: an unknown block or subnet, a refused extrinsic.
    #[error(transparent)]
    Chain(#[from] chain::Error),
}

/// JSON-RPC's code of a method that the node does not have.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;

impl Error {
    /// A value that cannot be encoded.
    pub(crate) fn encode(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Encode { what: what.into(), reason: reason.to_string() }
    }

    /// Bytes or an answer that cannot be read.
    pub(crate) fn decode(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Decode { what: what.into(), reason: reason.to_string() }
    }

    /// Whether another connection may give an answer.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Late { .. })
    }

    /// Whether the node or its runtime does not have what was asked for, so that the same may be asked in another way.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::Refused { code, .. } => *code == METHOD_NOT_FOUND,
            _ => false,
        }
    }

    /// As callers see it.
    pub(crate) fn at(self, url: &str) -> chain::Error {
        let url = url.to_owned();
        match self {
            Self::Chain(error) => error,
            Self::Lost(reason) => chain::Error::Disconnected { url, reason },
            Self::Late { method, after } => chain::Error::DeadlineExceeded { url, method, after },
            Self::Missing { .. } => chain::Error::NotOffered { url, what: self.to_string() },
            Self::Refused { .. } => chain::Error::NodeFailed { url, reason: self.to_string() },
            Self::Encode { what, reason } => {
                chain::Error::InvalidInput { field: "call", problem: format!("{what}: {reason}") }
            }
            Self::Metadata(_) | Self::Decode { .. } => chain::Error::Malformed { url, reason: self.to_string() },
        }
    }
}
