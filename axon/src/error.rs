//! What can go wrong in setting up an axon or a dendrite. What goes wrong in an exchange is an answer or an outcome.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A route cannot be served under this name.
    #[error("route {name:?} cannot be served: {problem}")]
    Route {
        /// The synapse's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    /// The challenge service cannot be called.
    #[error("the challenge service {address:?} cannot be called: {problem}")]
    Service {
        /// Its configured address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A call that is no request of its synapse.
    #[error("the body is no {synapse}: {source}")]
    Body {
        /// The synapse.
        synapse: String,
        /// What is wrong.
        #[source]
        source: network::legacy::ShapeError,
    },
    /// Exact body bytes that are not JSON.
    #[error("the body of {synapse} is not JSON: {source}")]
    Json {
        /// The synapse.
        synapse: String,
        /// What is wrong.
        #[source]
        source: network::legacy::JsonError,
    },
}
