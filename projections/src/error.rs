//! What can go wrong on the read side.

use crate::view::LedgerRow;

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the read side could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the read models cannot {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The log could not be read.
    #[error("the ledger cannot be read for its read models")]
    Ledger(#[from] ledger::Error),
    /// A recorded payload of a known kind does not have its shape.
    #[error("event {position} of ledger {origin} cannot be folded")]
    Payload {
        /// The ledger.
        origin: String,
        /// Where the event stands.
        position: u64,
        /// What the codec said.
        #[source]
        source: domain::codec::CodecError,
    },
    /// Position 0 is no `LedgerOpened`.
    #[error("ledger {origin} does not begin with LedgerOpened but with {kind}")]
    NotOpened {
        /// The ledger.
        origin: String,
        /// What stands there.
        kind: String,
    },
    /// No set of read models is live.
    #[error("there are no read models yet; run `assay rebuild`")]
    NotBuilt,
    /// The live set was made by another version of the program.
    #[error("the read models have format {found}, this program reads {expected}; run `assay rebuild`")]
    OtherFormat {
        /// Of the live set.
        found: String,
        /// Of this program.
        expected: String,
    },
    /// Another process rebuilds.
    #[error("another process is rebuilding the read models")]
    RebuildRunning,
    /// No ledger is in the read models, or none of this name.
    #[error("no ledger {wanted} in the read models; there are: {}", list(candidates))]
    NoSuchLedger {
        /// What was asked for.
        wanted: String,
        /// What there is.
        candidates: Vec<String>,
    },
    /// More than one ledger fits.
    #[error("{} ledgers fit; name one of: {}", candidates.len(), list(candidates))]
    AmbiguousLedger {
        /// Their origins.
        candidates: Vec<String>,
    },
    /// The frame asked for lies after what is folded in.
    #[error("position {wanted} of ledger {origin} is not in the read models yet; the newest is {newest}")]
    Behind {
        /// The ledger.
        origin: String,
        /// What was asked for.
        wanted: u64,
        /// The newest position there is.
        newest: u64,
    },
    /// The frame asked for lies before the ledger's first event.
    #[error("ledger {origin} has no event at or before {wanted}")]
    BeforeFirst {
        /// The ledger.
        origin: String,
        /// The block or time asked for.
        wanted: String,
    },
    /// A column holds what no fold writes.
    #[error("a row of the read models is damaged: {what}; run `assay rebuild`")]
    Damaged {
        /// The column and what is wrong with it.
        what: String,
    },
}

fn list(candidates: &[String]) -> String {
    if candidates.is_empty() { "none".to_owned() } else { candidates.join(", ") }
}

impl Error {
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database { .. } | Self::Ledger(_) | Self::NotBuilt | Self::RebuildRunning)
    }

    pub(crate) fn ambiguous(ledgers: &[&LedgerRow]) -> Self {
        Self::AmbiguousLedger { candidates: ledgers.iter().map(|ledger| ledger.origin.clone()).collect() }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
