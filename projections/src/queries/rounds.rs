//! Rounds: their state, what was asked and answered (by the disclosure rule), and the similarity of the answers.

use sqlx::postgres::PgRow;

use super::MAX_PAGE;
use super::columns::Columns;
use super::scores::Component;
use crate::disclosure::{self, Subject};
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// Names a round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundKey {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// One attempt at one challenge.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Round {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// `open`, `evaluated` or `abandoned`.
    pub state: String,
    /// Where the challenge was accepted.
    pub accepted_position: Option<u64>,
    /// Where the miners were drawn (or the attempt given up before).
    pub position: u64,
    /// Recording time of the draw, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Block last seen at the draw.
    pub block: u64,
    /// Where it was evaluated or abandoned.
    pub ended_position: Option<u64>,
    /// When, microseconds since 1970 UTC.
    pub ended_at: Option<u64>,
    /// The epoch that it counts in, once it has ended.
    pub epoch: Option<u64>,
    /// SHA-256 of the rule set, hex.
    pub rule_set: Option<String>,
    /// Seed of the draw, hex.
    pub seed: Option<String>,
    /// Commitment to the challenge, hex.
    pub commitment: Option<String>,
    /// What was asked, once it may be shown.
    pub prompt: Option<String>,
    /// Whether prompt and answers may be shown.
    pub disclosed: bool,
    /// Miners that could be drawn.
    pub candidates: u32,
    /// Neurons that could not.
    pub excluded: u32,
    /// Miners drawn.
    pub drawn: u32,
    /// The mechanism's measure of agreement.
    pub consensus: Option<f64>,
    /// Whether it passed the mechanism's threshold.
    pub consensus_achieved: Option<bool>,
    /// Hotkey of the best answer.
    pub best: Option<String>,
    /// Figures of the round as a whole.
    pub components: Vec<Component>,
    /// Why it was abandoned.
    pub abandon_reason: Option<String>,
    /// Whether the challenge ended with it.
    pub last_attempt: Option<bool>,
}

/// What one drawn miner answered.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Response {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The miner.
    pub hotkey: String,
    /// Its slot when drawn.
    pub uid: u16,
    /// `drawn`, `issued`, `received` or `failed`.
    pub status: String,
    /// Where the request was recorded.
    pub issued_position: Option<u64>,
    /// Where the answer or failure was recorded.
    pub answered_position: Option<u64>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Details of the failure, once they may be shown.
    pub detail: Option<String>,
    /// HTTP status, 0 if there was none.
    pub http_status: Option<u16>,
    /// Milliseconds until the answer or the failure.
    pub response_time_ms: Option<u64>,
    /// Whether the miner signed it.
    pub signed: Option<bool>,
    /// The body as text, once it may be shown.
    pub body: Option<String>,
}

/// Cosines between the answers of a round.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Similarity {
    /// Hotkeys of the rows and columns.
    pub labels: Vec<String>,
    /// The whole symmetric matrix, row by row.
    pub rows: Vec<Vec<f64>>,
}

/// `$2` is the frame's position, `$3` its open epoch.
const SELECT: &str = "SELECT r.*, c.position AS accepted_position, c.commitment, c.prompt,
        coalesce(c.ended_position <= $2, false) AS challenge_ended,
        coalesce((SELECT d.epoch FROM derivations d WHERE d.ledger_id = r.ledger_id AND d.revision = 0
                   AND d.range_to >= r.ended_position AND d.position <= $2 ORDER BY d.range_to LIMIT 1), $3) AS epoch
   FROM rounds r LEFT JOIN challenges c ON c.ledger_id = r.ledger_id AND c.challenge_id = r.challenge_id
  WHERE r.ledger_id = $1 AND r.position <= $2";

/// The round of a challenge: the given attempt, else the newest one.
///
/// # Errors
/// What the database says.
pub async fn round(view: &View, frame: &Frame, challenge_id: &str, attempt: Option<u32>) -> Result<Option<Round>> {
    let statement = format!(
        "{SELECT} AND r.challenge_id = $4 AND ($5::bigint IS NULL OR r.attempt = $5) ORDER BY r.attempt DESC LIMIT 1"
    );
    let row = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(frame.open_epoch))
        .bind(challenge_id)
        .bind(attempt.map(i64::from))
        .fetch_optional(&mut **view.connection().await)
        .await
        .map_err(Error::database("read a round"))?;
    row.map(|row| read(&row, frame)).transpose()
}

/// Rounds, newest draw first, before a position. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn rounds(
    view: &View,
    frame: &Frame,
    epoch: Option<u64>,
    before: Option<u64>,
    first: u32,
) -> Result<Vec<Round>> {
    let statement = format!(
        "SELECT * FROM ({SELECT} AND r.position < $4) AS found
          WHERE ($5::bigint IS NULL OR (epoch = $5 AND ended_position <= $2)) ORDER BY position DESC LIMIT $6"
    );
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(frame.open_epoch))
        .bind(before.map_or(i64::MAX, signed))
        .bind(epoch.map(signed))
        .bind(i64::from(first.min(MAX_PAGE + 1)))
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read rounds"))?;
    rows.iter().map(|row| read(row, frame)).collect()
}

/// The rounds of these names, in no order.
///
/// # Errors
/// What the database says.
pub async fn rounds_by_key(view: &View, frame: &Frame, keys: &[RoundKey]) -> Result<Vec<Round>> {
    let statement =
        format!("{SELECT} AND (r.challenge_id, r.attempt) IN (SELECT * FROM unnest($4::text[], $5::bigint[]))");
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(frame.open_epoch))
        .bind(keys.iter().map(|key| key.challenge_id.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| i64::from(key.attempt)).collect::<Vec<_>>())
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read rounds by name"))?;
    rows.iter().map(|row| read(row, frame)).collect()
}

fn read(row: &PgRow, frame: &Frame) -> Result<Round> {
    let columns = Columns(row);
    let ended = columns.number_if("ended_position")?.filter(|ended| *ended <= frame.position);
    let outcome: Option<String> = columns.get("outcome")?;
    let subject = Subject { challenge_ended: columns.get("challenge_ended")?, ..Subject::default() };
    let disclosed = disclosure::is_public("ChallengeAccepted", subject);
    let after_end = ended.is_some();
    let count = |name| Ok::<u32, Error>(columns.get::<i32>(name)?.unsigned_abs());
    Ok(Round {
        challenge_id: columns.get("challenge_id")?,
        attempt: columns.attempt()?,
        state: outcome.filter(|_| after_end).unwrap_or_else(|| "open".to_owned()),
        accepted_position: columns.number_if("accepted_position")?,
        position: columns.number("position")?,
        recorded_at: columns.number("recorded_at")?,
        block: columns.number("block")?,
        ended_position: ended,
        ended_at: columns.number_if("ended_at")?.filter(|_| after_end),
        epoch: after_end.then(|| columns.number("epoch")).transpose()?,
        rule_set: columns.get("rule_set")?,
        seed: columns.get("seed")?,
        commitment: columns.get("commitment")?,
        prompt: columns.get::<Option<String>>("prompt")?.filter(|_| disclosed),
        disclosed,
        candidates: count("candidates")?,
        excluded: count("excluded")?,
        drawn: count("drawn")?,
        consensus: columns.get::<Option<f64>>("consensus")?.filter(|_| after_end),
        consensus_achieved: columns.get::<Option<bool>>("consensus_achieved")?.filter(|_| after_end),
        best: columns.get::<Option<String>>("best")?.filter(|_| after_end),
        components: if after_end { columns.components()? } else { Vec::new() },
        abandon_reason: columns.get::<Option<String>>("abandon_reason")?.filter(|_| after_end),
        last_attempt: columns.get::<Option<bool>>("last_attempt")?.filter(|_| after_end),
    })
}

/// What the drawn miners of the rounds answered, in order of each draw.
///
/// # Errors
/// What the database says.
pub async fn responses_of(view: &View, frame: &Frame, keys: &[RoundKey]) -> Result<Vec<Response>> {
    let rows = sqlx::query(
        "SELECT a.*, coalesce(c.ended_position <= $2, false) AS challenge_ended
           FROM responses a LEFT JOIN challenges c ON c.ledger_id = a.ledger_id AND c.challenge_id = a.challenge_id
          WHERE a.ledger_id = $1 AND a.position <= $2
            AND (a.challenge_id, a.attempt) IN (SELECT * FROM unnest($3::text[], $4::bigint[]))
          ORDER BY a.challenge_id, a.attempt, a.place",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(keys.iter().map(|key| key.challenge_id.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| i64::from(key.attempt)).collect::<Vec<_>>())
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read responses"))?;
    rows.iter().map(|row| read_response(row, frame)).collect()
}

fn read_response(row: &PgRow, frame: &Frame) -> Result<Response> {
    let columns = Columns(row);
    let seen = |name| Ok::<_, Error>(columns.number_if(name)?.filter(|position| *position <= frame.position));
    let (issued_position, answered_position) = (seen("issued_position")?, seen("answered_position")?);
    let answered = answered_position.is_some();
    let received = columns.get::<Option<bool>>("received")?.filter(|_| answered);
    let subject = Subject { challenge_ended: columns.get("challenge_ended")?, ..Subject::default() };
    let shown = answered && disclosure::is_public("ResponseReceived", subject);
    let status = match (received, issued_position) {
        (Some(true), _) => "received",
        (Some(false), _) => "failed",
        (None, Some(_)) => "issued",
        (None, None) => "drawn",
    };
    let body: Option<&[u8]> = columns.get("body")?;
    Ok(Response {
        challenge_id: columns.get("challenge_id")?,
        attempt: columns.attempt()?,
        hotkey: columns.get("hotkey")?,
        uid: columns.small("uid")?,
        status: status.to_owned(),
        issued_position,
        answered_position,
        failure: columns.get::<Option<String>>("failure")?.filter(|_| answered),
        detail: columns.get::<Option<String>>("detail")?.filter(|_| shown),
        http_status: columns.small_if("http_status")?.filter(|_| answered),
        response_time_ms: columns.number_if("response_time_ms")?.filter(|_| answered),
        signed: columns.get::<Option<bool>>("signed")?.filter(|_| answered),
        body: body.filter(|_| shown).map(|body| String::from_utf8_lossy(body).into_owned()),
    })
}

/// The similarity matrix of an evaluated round; none before its evaluation.
///
/// # Errors
/// What the database says, and a block that does not fit its labels.
pub async fn similarity(view: &View, frame: &Frame, key: &RoundKey) -> Result<Option<Similarity>> {
    let row = sqlx::query(
        "SELECT labels, similarity FROM rounds
          WHERE ledger_id = $1 AND challenge_id = $2 AND attempt = $3 AND ended_position <= $4 AND outcome = 'evaluated'",
    )
    .bind(frame.id())
    .bind(&key.challenge_id)
    .bind(i64::from(key.attempt))
    .bind(frame.position_signed())
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("read a similarity matrix"))?;
    let Some(row) = row else { return Ok(None) };
    let columns = Columns(&row);
    let labels: Vec<String> = columns.get("labels")?;
    let rows = square(labels.len(), columns.get("similarity")?)?;
    Ok(Some(Similarity { labels, rows }))
}

/// The symmetric matrix of an upper triangle with its diagonal.
fn square(size: usize, block: &[u8]) -> Result<Vec<Vec<f64>>> {
    let (numbers, rest) = block.as_chunks::<8>();
    if !rest.is_empty() || numbers.len() != size * (size + 1) / 2 {
        let what = format!("a similarity block of {} bytes for {size} labels", block.len());
        return Err(Error::Damaged { what });
    }
    let mut rows = vec![vec![0.0; size]; size];
    let cells = (0..size).flat_map(|row| (row..size).map(move |column| (row, column)));
    for ((row, column), bytes) in cells.zip(numbers) {
        let value = f64::from_be_bytes(*bytes);
        rows[row][column] = value;
        rows[column][row] = value;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_upper_triangle_becomes_a_symmetric_matrix() {
        let block: Vec<u8> = [1.0, 0.5, 0.25, 1.0, 0.75, 1.0f64].iter().flat_map(|value| value.to_be_bytes()).collect();
        assert_eq!(square(3, &block).unwrap(), [[1.0, 0.5, 0.25], [0.5, 1.0, 0.75], [0.25, 0.75, 1.0]]);
        assert!(square(2, &block).is_err());
        assert!(square(3, &block[1..]).is_err());
        assert_eq!(square(0, &[]).unwrap(), Vec::<Vec<f64>>::new());
    }
}
