//! The GraphQL schema over the read models.
//!
//! One request is one [`projections::View`]: every answer in it belongs to the same positions, and says which. Pages follow
//! Relay's connections; a cursor remembers the position that its page was read at, so that pages do not shift. Limits on
//! length, depth, cost and names are finite by default; introspection has a schema of its own, because limits that are
//! sensible for data refuse it.
//!
//! **Architecture invariant:** no resolver decides what may be shown: payloads come out of `projections` already disclosed
//! or not. Nothing here writes, and no error carries a Rust debug string.

mod api;
mod context;
mod cursor;
mod error;
mod limits;
mod order;
mod query;
mod scalars;
mod types;

pub use api::{Api, Executed};
pub use error::Code;
pub use limits::{Inspected, Limits, Operation, Refused, inspect};

/// The schema in the schema definition language.
#[must_use]
pub fn sdl() -> String {
    api::schema(None).sdl()
}
