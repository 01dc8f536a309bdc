//! Erasing a payload: first the event that says so, then salt and payload. The leaf stays, so every proof still holds.

use domain::events::{Event, NEVER_ERASED, PayloadErased};
use sqlx::Connection;

use crate::connect::{Part, connect_as};
use crate::error::{Error, Result};
use crate::event::{Appended, Cause, NewEvent, Unit};
use crate::handle::Ledger;
use crate::lease::signed;

/// The stream of erasures.
const STREAM: &str = "erasure";

impl Ledger {
    /// Erases salt and payload of the event at `position`, after a `PayloadErased` event with the reason. A second
    /// call only completes what the first may have left undone, and returns the first one's event.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`] for a position beyond the head or a kind that is kept.
    pub async fn erase(&self, position: u64, reason: &str) -> Result<Appended> {
        let refused = |reason: String| Error::InvalidEvent { index: 0, reason };
        let event = self.reader().get(position).await?;
        let event = event.ok_or_else(|| refused(format!("there is no event at position {position}")))?;
        if NEVER_ERASED.contains(&event.kind.as_str()) {
            return Err(refused(format!("{} at position {position} cannot be erased", event.kind)));
        }
        if let Some(earlier) = self.reader().stream(STREAM, &position.to_string(), 1).await?.pop() {
            self.clear(position).await?;
            return Ok(Appended {
                first: earlier.position,
                last: earlier.position,
                recorded_at: earlier.recorded_at,
                leaf_hashes: vec![earlier.leaf_hash],
                repeated: true,
            });
        }
        let fact =
            Event::from(PayloadErased { position: domain::types::Position(position), reason: reason.to_owned() });
        let payload = fact.encode().map_err(|error| refused(error.to_string()))?;
        let unit = Unit::of(vec![NewEvent {
            stream_type: STREAM.to_owned(),
            stream_id: position.to_string(),
            kind: fact.kind().to_owned(),
            version: fact.version(),
            payload,
            block: event.block,
            cause: Cause::Position(position),
        }]);
        let appended = self.append(unit).await?;
        self.clear(position).await?;
        Ok(appended)
    }

    async fn clear(&self, position: u64) -> Result<()> {
        let mut connection = connect_as(self.url(), "assay eraser", Part::Eraser).await?;
        sqlx::query(
            "UPDATE ledger.events SET salt = NULL, payload = NULL
              WHERE ledger_id = $1 AND position = $2 AND payload IS NOT NULL",
        )
        .bind(self.reader().ledger_id)
        .bind(signed(position))
        .execute(&mut connection)
        .await
        .map_err(Error::database("erase a payload"))?;
        connection.close().await.map_err(Error::database("disconnect"))
    }
}
