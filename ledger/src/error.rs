//! What can go wrong with a ledger, and what the caller may conclude from it.

use crate::checkpoint::Contradiction;
use domain::types::Micros;
use std::sync::Arc;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a ledger failed.
///
/// Clonable, because one failed commit answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or broke a statement that changes nothing, or connecting to it.
    #[error("cannot {action}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A stream is not at the version that the caller decided on. Nothing was written.
    #[error("stream {stream_type}/{stream_id} is at version {actual}, not at {expected}")]
    Conflict {
        /// The stream's type.
        stream_type: String,
        /// The stream's id.
        stream_id: String,
        /// The version that the caller expected.
        expected: u64,
        /// The version found.
        actual: u64,
    },
    /// An event that the ledger cannot hold. Nothing was written.
    #[error("event {index} of the unit is refused: {reason}")]
    InvalidEvent {
        /// Its place in the unit, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A unit that is empty or larger than one batch may be. Nothing was written.
    #[error(
        "a unit of {events} events and {bytes} bytes is refused: 1 to {max_events} events and at most {max_bytes} bytes"
    )]
    UnitSize {
        /// Events in the unit.
        events: usize,
        /// Their payload bytes.
        bytes: usize,
        /// The limit of events.
        max_events: usize,
        /// The limit of bytes.
        max_bytes: usize,
    },
    /// The idempotency key was used for other events. Nothing was written.
    #[error("idempotency key `{key}` was used for other events, at positions {first} to {last}")]
    KeyReused {
        /// The key.
        key: String,
        /// First position of the earlier events.
        first: u64,
        /// Last position of the earlier events.
        last: u64,
    },
    /// Another process is the writer of this ledger.
    #[error(
        "ledger {origin} is held by {holder} since {} (lease {generation}); stop that process first",
        Micros(*since).rfc3339()
    )]
    LeaseHeld {
        /// The ledger.
        origin: String,
        /// Who holds it.
        holder: String,
        /// Since when, in microseconds since 1970 UTC.
        since: u64,
        /// The lease's generation.
        generation: u64,
    },
    /// The ledger is not in this database.
    #[error("there is no ledger {origin} in this database")]
    NoSuchLedger {
        /// The origin asked for.
        origin: String,
    },
    /// The ledger has been created before.
    #[error("ledger {origin} exists already, with {size} events")]
    LedgerExists {
        /// The ledger.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// The ledger has no opening event yet.
    #[error("ledger {origin} has no opening event; create it again to finish its creation")]
    NotOpened {
        /// The ledger.
        origin: String,
    },
    /// The commit failed, and it is certain that nothing was written.
    #[error("the events were not written, after {attempts} attempts: {reason}")]
    NotCommitted {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        reason: String,
    },
    /// The connection was lost during the commit and the database did not come back in time to ask it.
    #[error("it is not known whether events were written at positions {first} to {last}: {reason}")]
    OutcomeUnknown {
        /// First position of the batch.
        first: u64,
        /// Last position of the batch.
        last: u64,
        /// Why nobody could be asked.
        reason: String,
    },
    /// The writer has stopped and takes no more events.
    #[error("the writer of the ledger has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// Something stored contradicts the ledger's own rules.
    #[error("the ledger is damaged at position {position}: {reason}")]
    Damaged {
        /// The position.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A migration that was applied differs from the one in this program.
    #[error("migration {name} was applied with other contents; this program does not fit this database")]
    MigrationChanged {
        /// The migration's name.
        name: String,
    },
    /// The operating system gave no randomness.
    #[error("the system gave no randomness for the salts: {reason}")]
    Randomness {
        /// What it said.
        reason: String,
    },
    /// A file outside the database could not be used.
    #[error("cannot {action} {path:?}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// An epoch cannot be written as a bundle.
    #[error("the bundle cannot be written: {reason}")]
    Bundle {
        /// Why.
        reason: String,
    },
    /// The log is not the one that its checkpoint outside vouches for. Nothing may be appended to it.
    #[error(
        "{0}; restore the newest backup of the database, or begin a new ledger with the next --ledger-number: the old one \
         stays for audits"
    )]
    Contradiction(Contradiction),
    /// A checkpoint cannot be signed or read.
    #[error("checkpoint refused: {reason}")]
    Checkpoint {
        /// Why.
        reason: String,
    },
}

impl From<Contradiction> for Error {
    fn from(contradiction: Contradiction) -> Self {
        Self::Contradiction(contradiction)
    }
}

impl From<audit::record::Unreadable> for Error {
    fn from(unreadable: audit::record::Unreadable) -> Self {
        Self::Damaged { position: unreadable.position, reason: Self::chain(&unreadable.source) }
    }
}

impl Error {
    pub(crate) fn database(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { action, source: Arc::new(source) }
    }

    pub(crate) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source: Arc::new(source) }
    }

    /// A cause chain in one line, for an error that must be shown or cloned as text.
    pub(crate) fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}
