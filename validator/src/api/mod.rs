//! The routes through which challenges are pushed and the validator is watched and paused.
//!
//! A handler reads, asks one question of the [`Service`] and writes the answer. Everything before that is here too: who may
//! change something (`authorisation`), how much is read and for how long (`serve`, `limits`), and what a challenge may look
//! like (`challenge`). The contract is `openapi.json`; a test holds every route, status and body to it.
//!
//! **Architecture invariant:** nothing here decides anything about a round, and 201 is said only when the service says that
//! the challenge is committed.
//!
//! **Architecture invariant:** no header, body or query of a request is logged.

mod authorisation;
mod challenge;
mod config;
mod fields;
mod handlers;
mod label;
mod limits;
mod problem;
mod routes;
mod sealed;
mod serve;
mod service;
#[cfg(test)]
mod tests;

use domain::events::Challenge;

use crate::service::ToldLabel;

pub use authorisation::LARGEST_CLOCK_DIFFERENCE;
pub use config::{ApiConfig, ApiLimits, ChallengeDefaults, TOKEN_VARIABLE, Token};
pub use routes::{CONTRACT, router};
pub use sealed::SealedPush;
pub use serve::serve;
pub use service::Service;

/// A challenge from the body of `POST /challenges` or of a sealed push, as the routes read it.
///
/// # Errors
/// The refusal's sentence, which names the field.
pub fn read_challenge(body: &[u8], defaults: &ChallengeDefaults) -> Result<Challenge, String> {
    challenge::read(body, defaults).map_err(problem::Problem::into_message)
}

/// A label from the body of `POST /labels`, as the route reads it.
///
/// # Errors
/// As [`read_challenge`].
pub fn read_label(body: &[u8]) -> Result<ToldLabel, String> {
    label::read(body).map_err(problem::Problem::into_message)
}
