//! The event store on PostgreSQL: one ledger is one append-only log, hashed into one Merkle tree.
//!
//! A [`Ledger`] is the one writer of a ledger: it holds the lease and commits callers' units in groups. A
//! [`LedgerReader`] reads by position, stream and kind, and follows the log. [`LedgerReader::verify`] checks a whole log and names the
//! first bad position. [`LedgerStore`] is the same log as a `cqrs_es::EventStore`.
//!
//! **Architecture invariant:** payload bytes are opaque here. They are hashed, stored and handed back as they came, and
//! never parsed or encoded again.
//!
//! **Architecture invariant:** an append is acknowledged only after its commit, and positions have no gaps. There is no
//! sequence, no retry that could write twice, and no answer that guesses whether a commit happened.

mod appender;
pub mod checkpoint;
mod connect;
mod cqrs;
mod erase;
mod error;
mod event;
mod export;
mod handle;
mod lease;
pub mod migrate;
mod pages;
mod range;
mod reader;
mod subscribe;
mod typed;
pub mod verify;

pub use appender::AppendSettings;
pub use cqrs::{CqrsAggregate, CqrsEvent, EncodedEvent, LedgerContext, LedgerStore, StoredAggregate};
pub use error::{Error, Result};
pub use event::{Appended, Cause, Expected, ExpectedVersion, NewEvent, StoredEvent, Unit};
pub use handle::{Ledger, Observer};
pub use lease::LeaseInfo;
pub use range::EpochRange;
pub use reader::{Head, LedgerInfo, LedgerReader};
pub use subscribe::Subscription;

/// Positions in one partition of the events: 4,096 whole tiles of 256 leaves.
pub const SEGMENT: u64 = 1 << 20;

/// The number of a ledger in the database: the first 63 bits of the SHA-256 of its origin.
///
/// It follows from the origin, so that a ledger keeps it when it moves to another database.
#[must_use]
pub fn ledger_id(origin: &str) -> i64 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(origin.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}
