//! The event feed: every event by position, its payload by the disclosure rule.

use sqlx::postgres::PgRow;

use super::MAX_PAGE;
use super::columns::Columns;
use crate::disclosure::{self, Subject};
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// An event as readers see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FeedEvent {
    /// Its position.
    pub position: u64,
    /// Recording time, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Block last seen.
    pub block: u64,
    /// Type of its stream.
    pub stream_type: String,
    /// Id of its stream.
    pub stream_id: String,
    /// Sequence in the stream, from 1.
    pub sequence: u64,
    /// Its kind.
    pub kind: String,
    /// Version of the payload's format.
    pub version: u16,
    /// Position of what led to it, its own if nothing did.
    pub cause: u64,
    /// Bytes of the payload, also when it is not shown.
    pub payload_length: u32,
    /// Its leaf hash, hex.
    pub leaf_hash: String,
    /// The commitment to its payload, hex.
    pub commitment: String,
    /// JSON part of the payload, once it may be shown and unless it is erased.
    pub payload: Option<String>,
    /// Whether the payload may be shown.
    pub disclosed: bool,
    /// Whether the payload was erased.
    pub erased: bool,
}

/// Events after a position, in order. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn feed(
    view: &View,
    frame: &Frame,
    after: Option<u64>,
    kinds: Option<&[String]>,
    first: u32,
) -> Result<Vec<FeedEvent>> {
    let rows = sqlx::query(
        "SELECT e.*, coalesce(c.ended_position <= $2, false) AS challenge_ended,
                coalesce(p.public_position <= $2, false) AS weights_public
           FROM events e
           LEFT JOIN challenges c ON c.ledger_id = e.ledger_id AND c.challenge_id = e.challenge_id
           LEFT JOIN epochs p ON p.ledger_id = e.ledger_id AND p.epoch = e.epoch
          WHERE e.ledger_id = $1 AND e.position <= $2 AND e.position > $3 AND ($4::text[] IS NULL OR e.kind = ANY ($4))
          ORDER BY e.position LIMIT $5",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(after.map_or(-1, signed))
    .bind(kinds)
    .bind(i64::from(first.min(MAX_PAGE + 1)))
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read the feed"))?;
    rows.iter().map(|row| read(row, frame)).collect()
}

fn read(row: &PgRow, frame: &Frame) -> Result<FeedEvent> {
    let columns = Columns(row);
    let kind: String = columns.get("kind")?;
    let subject =
        Subject { challenge_ended: columns.get("challenge_ended")?, weights_public: columns.get("weights_public")? };
    let disclosed = disclosure::is_public(&kind, subject);
    Ok(FeedEvent {
        position: columns.number("position")?,
        recorded_at: columns.number("recorded_at")?,
        block: columns.number("block")?,
        stream_type: columns.get("stream_type")?,
        stream_id: columns.get("stream_id")?,
        sequence: columns.number("sequence")?,
        kind,
        version: columns.small("version")?,
        cause: columns.number("cause")?,
        payload_length: columns.get::<i32>("payload_length")?.unsigned_abs(),
        leaf_hash: columns.hex("leaf_hash")?,
        commitment: columns.hex("commitment")?,
        payload: columns.get::<Option<String>>("json")?.filter(|_| disclosed),
        disclosed,
        erased: columns.number_if("erased_at")?.is_some_and(|erased| erased <= frame.position),
    })
}
