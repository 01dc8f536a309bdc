//! The leaderboard: every miner by its moving average.

use sqlx::postgres::PgRow;

use super::bits;
use super::columns::Columns;
use super::live;
use crate::error::{Error, Result};
use crate::view::{Frame, Meta, View};

/// A leaderboard as of a position.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Leaderboard {
    /// At which position it was read.
    pub meta: Meta,
    /// Whether averages take scores since the last derivation into account.
    pub live: bool,
    /// The last derived epoch.
    pub derived_epoch: Option<u64>,
    /// The newest epoch whose weights may be shown.
    pub weight_epoch: Option<u64>,
    /// All miners, best first.
    pub rows: Vec<LeaderboardRow>,
}

/// One miner's standing.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LeaderboardRow {
    /// 1 for the best; equal averages are ordered by hotkey.
    pub rank: u32,
    /// The slot it holds.
    pub uid: Option<u16>,
    /// The miner.
    pub hotkey: String,
    /// The moving average; none before the first counted score of the window.
    pub average: Option<f64>,
    /// Its 64 bits in hex.
    pub average_bits: Option<String>,
    /// The average at the last derived epoch.
    pub derived_average: Option<f64>,
    /// Rounds in which it was drawn.
    pub drawn: u64,
    /// Rounds in which a usable answer of it was recorded.
    pub answered: u64,
    /// The newest score.
    pub last_score: Option<f64>,
    /// Where it is recorded.
    pub last_score_position: Option<u64>,
    /// Share in the newest epoch whose weights may be shown, 0 to 65535.
    pub weight: Option<u16>,
    /// Why that is zero, if it is.
    pub zero_reason: Option<String>,
}

/// Miners that hold a slot without a validator permit, and all that were ever drawn.
const ROWS: &str = "
WITH slot AS (
    SELECT DISTINCT ON (hotkey) hotkey, uid, validator_permit FROM slots
     WHERE ledger_id = $1 AND from_position <= $2 AND (to_position IS NULL OR to_position > $2) ORDER BY hotkey, uid
), asked AS (
    SELECT hotkey, count(*) AS drawn, count(*) FILTER (WHERE received AND answered_position <= $2) AS answered
      FROM responses WHERE ledger_id = $1 AND position <= $2 GROUP BY hotkey
), shown AS (
    SELECT max(epoch) AS epoch FROM epochs e WHERE ledger_id = $1 AND public_position <= $2
       AND EXISTS (SELECT 1 FROM derivations d WHERE d.ledger_id = $1 AND d.epoch = e.epoch)
), share AS (
    SELECT DISTINCT ON (w.hotkey) w.hotkey, w.weight, w.reason FROM weights w JOIN shown ON shown.epoch = w.epoch
     WHERE w.ledger_id = $1 AND w.position <= $2
       AND w.revision = (SELECT max(d.revision) FROM derivations d
                          WHERE d.ledger_id = $1 AND d.epoch = w.epoch AND d.position <= $2)
     ORDER BY w.hotkey, w.weight DESC, w.uid
)
SELECT miner.hotkey, slot.uid, coalesce(asked.drawn, 0) AS drawn, coalesce(asked.answered, 0) AS answered,
       last.score, last.position, share.weight, share.reason, shown.epoch AS weight_epoch
  FROM (SELECT hotkey FROM slot WHERE NOT validator_permit AND hotkey <> $3 UNION SELECT hotkey FROM asked) miner
  CROSS JOIN shown
  LEFT JOIN slot USING (hotkey) LEFT JOIN asked USING (hotkey) LEFT JOIN share USING (hotkey)
  LEFT JOIN LATERAL (SELECT score, position FROM scores
                      WHERE ledger_id = $1 AND hotkey = miner.hotkey AND position <= $2
                      ORDER BY position DESC LIMIT 1) last ON true";

/// The leaderboard: miners by moving average, those without one last.
///
/// # Errors
/// What the database says.
pub async fn leaderboard(view: &View, frame: &Frame) -> Result<Leaderboard> {
    let averages = live::averages(view, frame).await?;
    let found = sqlx::query(ROWS)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(&frame.ledger.hotkey)
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read the leaderboard"))?;
    let mut rows = found.iter().map(|row| read(row, &averages)).collect::<Result<Vec<_>>>()?;
    let weight_epoch = found.first().map(|row| Columns(row).number_if("weight_epoch")).transpose()?.flatten();
    rows.sort_by(|one, other| {
        let key = |row: &LeaderboardRow| row.average.unwrap_or(f64::NEG_INFINITY);
        key(other).total_cmp(&key(one)).then_with(|| one.hotkey.cmp(&other.hotkey))
    });
    for (rank, row) in (1..).zip(&mut rows) {
        row.rank = rank;
    }
    let derived_epoch = averages.derived_epoch;
    Ok(Leaderboard { meta: frame.into(), live: averages.live, derived_epoch, weight_epoch, rows })
}

fn read(row: &PgRow, averages: &live::Averages) -> Result<LeaderboardRow> {
    let columns = Columns(row);
    let hotkey: String = columns.get("hotkey")?;
    let average = averages.current.get(&hotkey).copied();
    Ok(LeaderboardRow {
        rank: 0,
        uid: columns.small_if("uid")?,
        average,
        average_bits: average.map(bits),
        derived_average: averages.derived.get(&hotkey).copied(),
        drawn: columns.number("drawn")?,
        answered: columns.number("answered")?,
        last_score: columns.get("score")?,
        last_score_position: columns.number_if("position")?,
        weight: columns.small_if("weight")?,
        zero_reason: columns.get("reason")?,
        hotkey,
    })
}
