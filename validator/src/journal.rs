//! Plain appends: facts that no aggregate decides on.
//!
//! A fact is appended once. After a failure that leaves the outcome open it is not repeated here: the caller either can
//! live with a second observation, or asks the log.

use std::time::Duration;

use domain::events::Event;
use domain::types::{BlockNumber, Position};
use ledger::{Appended, Cause, Expected, Ledger, NewEvent, Unit};
use tokio::sync::watch;

use crate::Error;
use crate::clock::Backoff;
use crate::stop::Stop;

/// Pauses between attempts to append while the database is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A fact and where it belongs.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) stream_type: &'static str,
    pub(crate) stream_id: String,
    pub(crate) event: Event,
    pub(crate) cause: Cause,
}

impl Entry {
    /// A fact that nothing in the log led to.
    pub(crate) fn new(stream_type: &'static str, stream_id: impl Into<String>, event: impl Into<Event>) -> Self {
        Self { stream_type, stream_id: stream_id.into(), event: event.into(), cause: Cause::Own }
    }

    /// The same, led to by an event of the log.
    pub(crate) fn because(mut self, position: Position) -> Self {
        self.cause = Cause::Position(position.0);
        self
    }
}

/// The ledger as the validator writes it: every event carries the last block seen.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    ledger: Ledger,
    block: watch::Receiver<BlockNumber>,
}

impl Journal {
    pub(crate) fn new(ledger: Ledger, block: watch::Receiver<BlockNumber>) -> Self {
        Self { ledger, block }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The last block seen.
    pub(crate) fn block(&self) -> BlockNumber {
        *self.block.borrow()
    }

    /// Appends one fact.
    ///
    /// # Errors
    /// What the codec and the ledger say.
    pub(crate) async fn append(&self, entry: Entry) -> Result<Position, Error> {
        let appended = self.ledger.append(Unit::of(vec![self.encode(entry)?])).await?;
        Ok(Position(appended.first))
    }

    /// Appends the first fact of a stream.
    ///
    /// # Errors
    /// [`ledger::Error::Conflict`] when the stream exists.
    pub(crate) async fn begin(&self, entry: Entry) -> Result<Appended, Error> {
        let (stream_type, stream_id) = (entry.stream_type, entry.stream_id.clone());
        let unit = Unit::of(vec![self.encode(entry)?]).expecting(stream_type, &stream_id, Expected::Exactly(0));
        Ok(self.ledger.append(unit).await?)
    }

    /// Appends facts that belong together, as the next ones of a stream.
    ///
    /// # Errors
    /// [`ledger::Error::Conflict`] when the stream is at another sequence.
    pub(crate) async fn continue_with(&self, entries: Vec<Entry>, after: u64) -> Result<Appended, Error> {
        let stream = entries.first().map(|entry| (entry.stream_type, entry.stream_id.clone()));
        let events = entries.into_iter().map(|entry| self.encode(entry)).collect::<Result<Vec<_>, _>>()?;
        let mut unit = Unit::of(events);
        if let Some((stream_type, stream_id)) = stream {
            unit = unit.expecting(stream_type, &stream_id, Expected::Exactly(after));
        }
        Ok(self.ledger.append(unit).await?)
    }

    /// Appends an observation, again and again while the database is away. A lost answer may double it, which is why only
    /// facts that bear repetition are recorded this way.
    ///
    /// # Errors
    /// What no waiting mends, and [`Error::Stopping`].
    pub(crate) async fn observe(&self, entry: Entry, stop: &Stop) -> Result<Position, Error> {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            match self.append(entry.clone()).await {
                Err(Error::Ledger(error)) if !is_final(&error) => {
                    tracing::warn!(%error, kind = entry.event.kind(), "a fact cannot be recorded; trying again");
                    if stop.sleep(backoff.pause()).await {
                        return Err(Error::Stopping);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn encode(&self, entry: Entry) -> Result<NewEvent, Error> {
        let payload = entry.event.encode().map_err(|source| Error::Codec { position: None, source })?;
        Ok(NewEvent {
            stream_type: entry.stream_type.to_owned(),
            stream_id: entry.stream_id,
            kind: entry.event.kind().to_owned(),
            version: entry.event.version(),
            payload,
            block: self.block().0,
            cause: entry.cause,
        })
    }
}

/// Whether asking again cannot help: another process holds the ledger, or the log is damaged, or the request is wrong.
pub(crate) fn is_final(error: &ledger::Error) -> bool {
    !matches!(
        error,
        ledger::Error::Database { .. } | ledger::Error::NotCommitted { .. } | ledger::Error::OutcomeUnknown { .. }
    )
}
