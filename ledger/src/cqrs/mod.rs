//! The ledger as a `cqrs_es::EventStore`, so that commands run under the stock `CqrsFramework`.
//!
//! Written against `EventStore` itself: the path through `PersistedEventRepository` parses every payload into a JSON
//! value, orders its bytes anew, and loads the whole stream for every command. Here a loaded aggregate is taken out of a
//! bounded cache, and put back only after its commit; any error in between drops it, so a command costs the same however
//! long its stream is, and a state that was not committed is never seen again.

mod adapter;
mod store;

pub use adapter::{CqrsAggregate, CqrsEvent};
pub use store::{LedgerContext, LedgerStore};

/// An event's payload on its way into the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEvent {
    /// Kind of the event.
    pub kind: String,
    /// Version of the payload's format.
    pub version: u16,
    /// Canonical bytes.
    pub payload: Vec<u8>,
}

/// How an aggregate's events lie in the ledger.
pub trait StoredAggregate: cqrs_es::Aggregate + 'static {
    /// The event's bytes.
    ///
    /// # Errors
    /// What the codec refused.
    fn encode(event: &Self::Event) -> Result<EncodedEvent, String>;

    /// The event of some bytes.
    ///
    /// # Errors
    /// An unknown kind or version, or bytes without its shape.
    fn decode(kind: &str, version: u16, payload: &[u8]) -> Result<Self::Event, String>;
}
