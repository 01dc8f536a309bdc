//! Miners: who they are, which slots they held, whether they answer.

use domain::types::Hotkey;
use sqlx::postgres::PgRow;

use super::MAX_PAGE;
use super::columns::Columns;
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// Slots of one miner that are listed at most.
const MAX_SLOTS: i64 = 100;

/// A miner as of a position. The hotkey is the identity.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Miner {
    /// The identity.
    pub hotkey: String,
    /// The slot it holds.
    pub uid: Option<u16>,
    /// Its owner, as last observed.
    pub coldkey: Option<String>,
    /// Whether it holds a validator permit.
    pub validator_permit: bool,
    /// Rounds in which it was drawn.
    pub drawn: u64,
    /// Rounds in which a usable answer of it was recorded.
    pub answered: u64,
    /// The last availability sweep that asked it.
    pub availability: Option<Availability>,
    /// The states of its slots, newest first.
    pub slots: Vec<Slot>,
}

/// The state of a slot from one observation to the next that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Slot {
    /// The slot.
    pub uid: u16,
    /// The observation that began it.
    pub from_position: u64,
    /// The observation that ended it.
    pub to_position: Option<u64>,
    /// Announced axon address and port; none when it announced none.
    pub axon: Option<String>,
    /// Stake in rao.
    pub stake: String,
    /// May set weights.
    pub validator_permit: bool,
    /// Its owner.
    pub coldkey: String,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Availability {
    /// Where the sweep is recorded.
    pub position: u64,
    /// When, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Whether the miner said that it is available.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Milliseconds until the answer or the failure.
    pub latency_ms: u64,
}

/// Who holds the slot.
///
/// # Errors
/// What the database says.
pub async fn hotkey_at(view: &View, frame: &Frame, uid: u16) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT hotkey FROM slots WHERE ledger_id = $1 AND uid = $3 AND from_position <= $2
            AND (to_position IS NULL OR to_position > $2)",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(i32::from(uid))
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("find who holds a slot"))
}

/// A miner; none when the ledger has not heard of the hotkey.
///
/// # Errors
/// What the database says.
pub async fn miner(view: &View, frame: &Frame, hotkey: &Hotkey) -> Result<Option<Miner>> {
    let slots = slots(view, frame, hotkey).await?;
    let (drawn, answered) = counts(view, frame, hotkey).await?;
    let availability = availability_of(view, frame, hotkey, None, 1).await?.pop();
    if slots.is_empty() && drawn == 0 && availability.is_none() {
        return Ok(None);
    }
    let held = slots.iter().find(|slot| slot.to_position.is_none());
    Ok(Some(Miner {
        hotkey: hotkey.to_string(),
        uid: held.map(|slot| slot.uid),
        coldkey: slots.first().map(|slot| slot.coldkey.clone()),
        validator_permit: held.is_some_and(|slot| slot.validator_permit),
        drawn,
        answered,
        availability,
        slots,
    }))
}

async fn slots(view: &View, frame: &Frame, hotkey: &Hotkey) -> Result<Vec<Slot>> {
    let rows = sqlx::query(
        "SELECT * FROM slots WHERE ledger_id = $1 AND from_position <= $2 AND hotkey = $3
          ORDER BY from_position DESC, uid LIMIT $4",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(hotkey.as_str())
    .bind(MAX_SLOTS)
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read slots"))?;
    rows.iter().map(|row| read_slot(row, frame)).collect()
}

fn read_slot(row: &PgRow, frame: &Frame) -> Result<Slot> {
    let columns = Columns(row);
    let (ip, port): (String, u16) = (columns.get("ip")?, columns.small("port")?);
    let announced = port != 0 && !matches!(ip.as_str(), "" | "0" | "0.0.0.0");
    Ok(Slot {
        uid: columns.small("uid")?,
        from_position: columns.number("from_position")?,
        to_position: columns.number_if("to_position")?.filter(|ended| *ended <= frame.position),
        axon: announced.then(|| format!("{ip}:{port}")),
        stake: columns.get("stake")?,
        validator_permit: columns.get("validator_permit")?,
        coldkey: columns.get("coldkey")?,
    })
}

async fn counts(view: &View, frame: &Frame, hotkey: &Hotkey) -> Result<(u64, u64)> {
    let row = sqlx::query(
        "SELECT count(*) AS drawn, count(*) FILTER (WHERE received AND answered_position <= $2) AS answered
           FROM responses WHERE ledger_id = $1 AND position <= $2 AND hotkey = $3",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(hotkey.as_str())
    .fetch_one(&mut **view.connection().await)
    .await
    .map_err(Error::database("count rounds of a miner"))?;
    let columns = Columns(&row);
    Ok((columns.number("drawn")?, columns.number("answered")?))
}

/// What the sweeps found of a miner, newest first, before a position. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn availability_of(
    view: &View,
    frame: &Frame,
    hotkey: &Hotkey,
    before: Option<u64>,
    first: u32,
) -> Result<Vec<Availability>> {
    let rows = sqlx::query(
        "SELECT * FROM availability WHERE ledger_id = $1 AND position <= $2 AND hotkey = $3 AND position < $4
          ORDER BY position DESC LIMIT $5",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(hotkey.as_str())
    .bind(before.map_or(i64::MAX, signed))
    .bind(i64::from(first.min(MAX_PAGE + 1)))
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read availability"))?;
    rows.iter().map(read_availability).collect()
}

fn read_availability(row: &PgRow) -> Result<Availability> {
    let columns = Columns(row);
    Ok(Availability {
        position: columns.number("position")?,
        recorded_at: columns.number("recorded_at")?,
        available: columns.get("available")?,
        reason: columns.get::<Option<String>>("reason")?.filter(|reason| !reason.is_empty()),
        latency_ms: columns.number("latency_ms")?,
    })
}
