//! The ledger in terms of `domain::events`: encoded on the way in. On the way out [`crate::StoredEvent::fact`] decodes.

use domain::events::Event;

use crate::error::{Error, Result};
use crate::event::{Appended, Cause, Expected, NewEvent, Unit};
use crate::handle::Ledger;

impl NewEvent {
    /// A fact, encoded, for a stream.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`] with what the codec refused, such as a NaN and its field.
    pub fn of(stream_type: &str, stream_id: &str, event: &Event, block: u64, cause: Cause) -> Result<Self> {
        let payload = event.encode().map_err(|error| Error::InvalidEvent { index: 0, reason: error.to_string() })?;
        Ok(Self {
            stream_type: stream_type.to_owned(),
            stream_id: stream_id.to_owned(),
            kind: event.kind().to_owned(),
            version: event.version(),
            payload,
            block,
            cause,
        })
    }
}

impl Ledger {
    /// Appends facts to one stream, as one unit. `block` is the last block seen; each event has the same `cause`.
    ///
    /// # Errors
    /// As [`Ledger::append`], and a fact that cannot be encoded.
    pub async fn append_events(
        &self,
        stream_type: &str,
        stream_id: &str,
        expected: Expected,
        events: &[Event],
        block: u64,
        cause: Cause,
    ) -> Result<Appended> {
        let events = events.iter().map(|event| NewEvent::of(stream_type, stream_id, event, block, cause));
        let unit = Unit::of(events.collect::<Result<_>>()?);
        self.append(unit.expecting(stream_type, stream_id, expected)).await
    }
}
