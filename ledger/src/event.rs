//! Events as they go in and as they lie in the ledger.

pub use audit::record::Recorded as StoredEvent;
use tlog::Hash;

use crate::error::{Error, Result};

/// Bytes of a stream's type and of a kind.
const MAX_WORD: usize = 64;
/// Bytes of a stream's id and of an idempotency key.
const MAX_IDENTIFIER: usize = 256;

/// Streams whose version one unit may name.
const MAX_EXPECTED: usize = 64;

/// What led to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing in the ledger; the event's own position is recorded.
    Own,
    /// An event that is in the ledger already.
    Position(u64),
    /// An earlier event of the same unit, by its place from 0.
    InUnit(usize),
}

/// An event to append. The payload is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Type of the stream, 1 to 64 bytes.
    pub stream_type: String,
    /// Id of the stream within its type, 1 to 256 bytes.
    pub stream_id: String,
    /// Kind of the event, 1 to 64 bytes.
    pub kind: String,
    /// Version of the payload's format.
    pub version: u16,
    /// Canonical bytes.
    pub payload: Vec<u8>,
    /// Last block seen, 0 if none.
    pub block: u64,
    /// What led to it.
    pub cause: Cause,
}

/// At which version the caller saw a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Any,
    /// Exactly this one; 0 for a stream that does not exist.
    Exactly(u64),
}

/// A stream and the version it must be at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedVersion {
    /// Type of the stream.
    pub stream_type: String,
    /// Id of the stream.
    pub stream_id: String,
    /// Its version before the unit.
    pub expected: Expected,
}

/// Events that are written together, next to each other, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// In the order of their positions.
    pub events: Vec<NewEvent>,
    /// Streams whose version matters; one that is not named is not checked.
    pub expected: Vec<ExpectedVersion>,
    /// A second append with the same key and the same events gets the positions of the first.
    pub idempotency_key: Option<String>,
}

impl Unit {
    /// Events that expect nothing.
    #[must_use]
    pub fn of(events: Vec<NewEvent>) -> Self {
        Self { events, ..Self::default() }
    }

    /// The same, with a stream at a version.
    #[must_use]
    pub fn expecting(mut self, stream_type: &str, stream_id: &str, expected: Expected) -> Self {
        let (stream_type, stream_id) = (stream_type.to_owned(), stream_id.to_owned());
        self.expected.push(ExpectedVersion { stream_type, stream_id, expected });
        self
    }

    /// The same, with an idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Bytes that count against a batch's limit: payloads and names.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|e| e.payload.len() + e.stream_type.len() + e.stream_id.len() + e.kind.len()).sum()
    }

    /// Checks everything that does not depend on the ledger's state.
    pub(crate) fn check(&self, max_events: usize, max_bytes: usize) -> Result<()> {
        let (events, bytes) = (self.events.len(), self.bytes());
        if events == 0 || events > max_events || bytes > max_bytes {
            return Err(Error::UnitSize { events, bytes, max_events, max_bytes });
        }
        for (index, event) in self.events.iter().enumerate() {
            event.check(index).map_err(|reason| Error::InvalidEvent { index, reason })?;
        }
        if self.expected.len() > MAX_EXPECTED {
            let reason = format!("the unit names {} streams' versions, more than {MAX_EXPECTED}", self.expected.len());
            return Err(Error::InvalidEvent { index: 0, reason });
        }
        if let Some(key) = &self.idempotency_key {
            word("idempotency key", key, MAX_IDENTIFIER).map_err(|reason| Error::InvalidEvent { index: 0, reason })?;
        }
        Ok(())
    }
}

impl NewEvent {
    fn check(&self, index: usize) -> Result<(), String> {
        word("stream type", &self.stream_type, MAX_WORD)?;
        word("stream id", &self.stream_id, MAX_IDENTIFIER)?;
        word("kind", &self.kind, MAX_WORD)?;
        if self.block > i64::MAX as u64 {
            return Err(format!("block {} is beyond 2^63 - 1", self.block));
        }
        match self.cause {
            Cause::InUnit(cause) if cause >= index => {
                Err(format!("its cause {cause} is not an earlier event of the unit"))
            }
            _ => Ok(()),
        }
    }
}

/// PostgreSQL's text holds every UTF-8 string but one with a NUL.
fn word(field: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.is_empty() || text.len() > limit {
        return Err(format!("its {field} has {} bytes, not 1 to {limit}", text.len()));
    }
    if text.contains('\0') {
        return Err(format!("its {field} contains a NUL byte"));
    }
    Ok(())
}

/// What an append wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position of the unit's first event.
    pub first: u64,
    /// Position of its last.
    pub last: u64,
    /// When it was recorded, in microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// The leaf hash of each event.
    pub leaf_hashes: Vec<Hash>,
    /// These positions were written by an earlier append with the same key.
    pub repeated: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event() -> NewEvent {
        NewEvent {
            stream_type: "round".into(),
            stream_id: "r1".into(),
            kind: "Happened".into(),
            version: 1,
            payload: vec![1, 2, 3],
            block: 0,
            cause: Cause::Own,
        }
    }

    #[test]
    fn what_the_ledger_cannot_hold_is_refused_with_its_place() {
        type Spoil = fn(&mut NewEvent);
        let rows: [(Spoil, &str); 7] = [
            (|e| e.kind = "a\0b".into(), "its kind contains a NUL byte"),
            (|e| e.kind = String::new(), "its kind has 0 bytes, not 1 to 64"),
            (|e| e.stream_type = "x".repeat(65), "its stream type has 65 bytes, not 1 to 64"),
            (|e| e.stream_id = "x".repeat(257), "its stream id has 257 bytes, not 1 to 256"),
            (|e| e.block = 1 << 63, "block 9223372036854775808 is beyond 2^63 - 1"),
            (|e| e.cause = Cause::InUnit(1), "its cause 1 is not an earlier event of the unit"),
            (|e| e.cause = Cause::InUnit(7), "its cause 7 is not an earlier event of the unit"),
        ];
        for (spoil, expected) in rows {
            let mut unit = Unit::of(vec![event(), event()]);
            assert!(unit.check(512, 8 << 20).is_ok());
            spoil(&mut unit.events[1]);
            match unit.check(512, 8 << 20).unwrap_err() {
                Error::InvalidEvent { index: 1, reason } => assert_eq!(reason, expected),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_unit_must_fit_into_a_batch() {
        let size = |unit: &Unit| matches!(unit.check(2, 100), Err(Error::UnitSize { .. }));
        assert!(size(&Unit::of(vec![])));
        assert!(!size(&Unit::of(vec![event(); 2])));
        assert!(size(&Unit::of(vec![event(); 3])));
        assert!(size(&Unit::of(vec![NewEvent { payload: vec![0; 101], ..event() }])));
    }
}
