//! Scores with every component and the reason of every zero.

use std::ops::RangeInclusive;

use domain::types::Hotkey;
use sqlx::postgres::PgRow;

use super::columns::Columns;
use super::rounds::RoundKey;
use super::{MAX_PAGE, bits};
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// One named part of a score.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Component {
    /// The mechanism's name for it.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// What a miner got in a round.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Score {
    /// Position of the `ResponseScored`.
    pub position: u64,
    /// Recording time, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Block last seen.
    pub block: u64,
    /// The epoch that it counts in.
    pub epoch: u64,
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: String,
    /// Its slot when drawn.
    pub uid: u16,
    /// The score that enters the moving average.
    pub score: f64,
    /// Its 64 bits in hex.
    pub score_bits: String,
    /// Whether it enters the moving average at all.
    pub counted: bool,
    /// The stage that dropped the response, if one did.
    pub filtered: Option<String>,
    /// Why it is zero, if it is.
    pub reason: Option<String>,
    /// Every component in the mechanism's order.
    pub components: Vec<Component>,
}

/// Which scores of a miner are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoreFilter {
    /// Of these epochs.
    pub epochs: Option<RangeInclusive<u64>>,
    /// Recorded at or after, microseconds since 1970 UTC.
    pub since: Option<u64>,
    /// Recorded before.
    pub until: Option<u64>,
}

/// `$2` is the frame's position, `$3` its open epoch.
const SELECT: &str =
    "SELECT s.position, s.recorded_at, s.block, s.challenge_id, s.attempt, s.hotkey, s.uid, s.score, s.counted,
        s.filtered, s.reason, s.components,
        coalesce((SELECT d.epoch FROM derivations d WHERE d.ledger_id = s.ledger_id AND d.revision = 0
                   AND d.range_to >= s.position AND d.position <= $2 ORDER BY d.range_to LIMIT 1), $3) AS epoch
   FROM scores s WHERE s.ledger_id = $1 AND s.position <= $2";

/// Scores of a miner, newest first, before a position. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn score_history(
    view: &View,
    frame: &Frame,
    hotkey: &Hotkey,
    filter: &ScoreFilter,
    before: Option<u64>,
    first: u32,
) -> Result<Vec<Score>> {
    let statement = format!(
        "SELECT * FROM ({SELECT} AND s.hotkey = $4 AND s.position < $5 AND ($6::bigint IS NULL OR s.recorded_at >= $6)
            AND ($7::bigint IS NULL OR s.recorded_at < $7)) AS found
          WHERE ($8::bigint IS NULL OR epoch >= $8) AND ($9::bigint IS NULL OR epoch <= $9)
          ORDER BY position DESC LIMIT $10"
    );
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(frame.open_epoch))
        .bind(hotkey.as_str())
        .bind(before.map_or(i64::MAX, signed))
        .bind(filter.since.map(signed))
        .bind(filter.until.map(signed))
        .bind(filter.epochs.as_ref().map(|epochs| signed(*epochs.start())))
        .bind(filter.epochs.as_ref().map(|epochs| signed(*epochs.end())))
        .bind(i64::from(first.min(MAX_PAGE + 1)))
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read a score history"))?;
    rows.iter().map(read).collect()
}

/// All scores of the rounds, by position.
///
/// # Errors
/// What the database says.
pub async fn scores_of_rounds(view: &View, frame: &Frame, rounds: &[RoundKey]) -> Result<Vec<Score>> {
    let statement = format!(
        "{SELECT} AND (s.challenge_id, s.attempt) IN (SELECT * FROM unnest($4::text[], $5::bigint[])) ORDER BY s.position"
    );
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(frame.open_epoch))
        .bind(rounds.iter().map(|key| key.challenge_id.as_str()).collect::<Vec<_>>())
        .bind(rounds.iter().map(|key| i64::from(key.attempt)).collect::<Vec<_>>())
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read the scores of rounds"))?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Score> {
    let columns = Columns(row);
    let score: f64 = columns.get("score")?;
    Ok(Score {
        position: columns.number("position")?,
        recorded_at: columns.number("recorded_at")?,
        block: columns.number("block")?,
        epoch: columns.number("epoch")?,
        challenge_id: columns.get("challenge_id")?,
        attempt: columns.attempt()?,
        hotkey: columns.get("hotkey")?,
        uid: columns.small("uid")?,
        score,
        score_bits: bits(score),
        counted: columns.get("counted")?,
        filtered: columns.get("filtered")?,
        reason: columns.get("reason")?,
        components: columns.components()?,
    })
}
