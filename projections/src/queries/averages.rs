//! Moving averages as each derivation carried them out.
//!
//! They follow from scores that are public already, so they are shown before the weights are.

use domain::types::Hotkey;
use sqlx::postgres::PgRow;

use super::columns::Columns;
use super::{MAX_PAGE, bits};
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// What an epoch carried out for a miner.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Average {
    /// The epoch.
    pub epoch: u64,
    /// Position of its `WeightsDerived`.
    pub position: u64,
    /// The miner.
    pub hotkey: String,
    /// The average; none before the first counted score of the window.
    pub average: Option<f64>,
    /// Its 64 bits in hex.
    pub average_bits: Option<String>,
    /// When it last answered an availability sweep, microseconds since 1970 UTC.
    pub last_seen: Option<u64>,
    /// Rounds in which it was ever drawn.
    pub drawn: u64,
    /// Scores in the window.
    pub items: u64,
}

/// Averages of a miner, newest epoch first, before an epoch. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn averages_of(
    view: &View,
    frame: &Frame,
    hotkey: &Hotkey,
    before: Option<u64>,
    first: u32,
) -> Result<Vec<Average>> {
    let rows = sqlx::query(
        "SELECT * FROM averages WHERE ledger_id = $1 AND position <= $2 AND hotkey = $3 AND epoch < $4
          ORDER BY epoch DESC LIMIT $5",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(hotkey.as_str())
    .bind(before.map_or(i64::MAX, signed))
    .bind(i64::from(first.min(MAX_PAGE + 1)))
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read moving averages"))?;
    rows.iter().map(read).collect()
}

/// Averages of an epoch, by hotkey; empty when it is not derived.
///
/// # Errors
/// What the database says.
pub async fn averages_of_epoch(view: &View, frame: &Frame, epoch: u64) -> Result<Vec<Average>> {
    let rows =
        sqlx::query("SELECT * FROM averages WHERE ledger_id = $1 AND position <= $2 AND epoch = $3 ORDER BY place")
            .bind(frame.id())
            .bind(frame.position_signed())
            .bind(signed(epoch))
            .fetch_all(&mut **view.connection().await)
            .await
            .map_err(Error::database("read moving averages"))?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Average> {
    let columns = Columns(row);
    let average: Option<f64> = columns.get("average")?;
    Ok(Average {
        epoch: columns.number("epoch")?,
        position: columns.number("position")?,
        hotkey: columns.get("hotkey")?,
        average,
        average_bits: average.map(bits),
        last_seen: columns.number_if("last_seen")?,
        drawn: columns.number("drawn")?,
        items: columns.number("items")?,
    })
}
