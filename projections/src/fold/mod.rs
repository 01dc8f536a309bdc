//! One event into rows. Each kind touches its own tables; a kind that has none stands in the feed alone.
//!
//! **Architecture invariant:** the rows follow from the events and their envelopes. Folding the same events in other batches
//! gives the same tables, to the byte.

mod chain;
mod epoch;
mod round;

pub(crate) use epoch::REVEALED_AT;

use domain::events::{Event, LedgerOpened, PayloadErased};
use domain::types::Digest;
use ledger::StoredEvent;
use sqlx::PgConnection;

use crate::error::{Error, Result};

/// An event with what every row of it needs.
pub(crate) struct At<'a> {
    pub(crate) ledger: i64,
    pub(crate) event: &'a StoredEvent,
}

impl At<'_> {
    pub(crate) fn position(&self) -> i64 {
        signed(self.event.position)
    }
    pub(crate) fn recorded_at(&self) -> i64 {
        signed(self.event.recorded_at)
    }
    pub(crate) fn block(&self) -> i64 {
        signed(self.event.block)
    }
}

/// PostgreSQL has no unsigned numbers; positions, blocks and times stay far below 2^63.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// PostgreSQL's text cannot hold a NUL; it is shown as the replacement character.
pub(crate) fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    Error::database(doing)
}

/// The next position of a ledger, locked until the transaction ends; 0 for one that is not folded at all.
pub(crate) async fn next_position(connection: &mut PgConnection, ledger: i64) -> Result<u64> {
    let next: Option<i64> = sqlx::query_scalar("SELECT next_position FROM ledgers WHERE ledger_id = $1 FOR UPDATE")
        .bind(ledger)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the position of a ledger"))?;
    Ok(next.map_or(0, i64::unsigned_abs))
}

/// Moves the position behind `last`.
pub(crate) async fn move_to(connection: &mut PgConnection, ledger: i64, last: &StoredEvent) -> Result<()> {
    sqlx::query("UPDATE ledgers SET next_position = $2, recorded_at = $3, block = $4 WHERE ledger_id = $1")
        .bind(ledger)
        .bind(signed(last.position + 1))
        .bind(signed(last.recorded_at))
        .bind(signed(last.block))
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("move the position of a ledger"))
}

/// Folds consecutive events.
pub(crate) async fn fold(
    connection: &mut PgConnection,
    origin: &str,
    ledger: i64,
    events: &[StoredEvent],
) -> Result<()> {
    let decoded = events.iter().map(|event| decode(origin, event)).collect::<Result<Vec<_>>>()?;
    feed(connection, ledger, events, &decoded).await?;
    for (event, payload) in events.iter().zip(&decoded) {
        let at = At { ledger, event };
        match payload {
            Some(payload) => apply(connection, origin, &at, payload).await?,
            None if event.position == 0 => {
                return Err(Error::NotOpened { origin: origin.to_owned(), kind: event.kind.clone() });
            }
            None => round::accepted_and_erased(connection, &at).await?,
        }
    }
    Ok(())
}

/// The payload; none when it is erased, or of a kind or version that a newer program wrote.
fn decode(origin: &str, event: &StoredEvent) -> Result<Option<Event>> {
    let Some(payload) = &event.payload else { return Ok(None) };
    match Event::decode(&event.kind, event.version, payload) {
        Ok(event) => Ok(Some(event)),
        Err(domain::codec::CodecError::Unknown { kind, version }) => {
            tracing::warn!(
                origin,
                position = event.position,
                kind,
                version,
                "an unknown event stands in the feed alone"
            );
            Ok(None)
        }
        Err(source) => Err(Error::Payload { origin: origin.to_owned(), position: event.position, source }),
    }
}

async fn apply(connection: &mut PgConnection, origin: &str, at: &At<'_>, payload: &Event) -> Result<()> {
    if at.event.position == 0 && !matches!(payload, Event::LedgerOpened(_)) {
        return Err(Error::NotOpened { origin: origin.to_owned(), kind: at.event.kind.clone() });
    }
    match payload {
        Event::LedgerOpened(opened) => open(connection, at, opened).await,
        Event::PayloadErased(erased) => erase(connection, at, erased).await,
        Event::CheckpointPublished(published) => epoch::published(connection, at, published).await,
        Event::RuleSetAdopted(adopted) => epoch::adopted(connection, at, adopted).await,
        Event::MetagraphObserved(observed) => chain::observed(connection, at, observed).await,
        Event::AvailabilitySwept(swept) => chain::swept(connection, at, swept).await,
        Event::ChallengeAccepted(accepted) => round::accepted(connection, at, accepted).await,
        Event::MinersSelected(selected) => round::selected(connection, at, selected).await,
        Event::ChallengeIssued(issued) => round::issued(connection, at, issued).await,
        Event::ResponseReceived(response) => round::received(connection, at, response).await,
        Event::ResponseFailed(failure) => round::failed_response(connection, at, failure).await,
        Event::ResponseScored(scored) => round::scored(connection, at, scored).await,
        Event::RoundEvaluated(evaluated) => round::evaluated(connection, at, evaluated).await,
        Event::RoundAbandoned(abandoned) => round::abandoned(connection, at, abandoned).await,
        Event::EpochOpened(opened) => epoch::opened(connection, at, opened).await,
        Event::WeightsDerived(derived) => epoch::derived(connection, at, derived).await,
        Event::CheckpointAnchored(anchored) => epoch::anchored(connection, at, anchored).await,
        Event::WeightsSubmitted(submitted) => epoch::submitted(connection, at, submitted).await,
        Event::WeightsCommitted(committed) => epoch::committed(connection, at, committed).await,
        Event::WeightsRevealed(revealed) => epoch::revealed(connection, at, revealed).await,
        Event::WeightsIncluded(included) => epoch::included(connection, at, included).await,
        Event::WeightsRejected(rejected) => epoch::rejected(connection, at, rejected).await,
        Event::EpochClosed(closed) => epoch::closed(connection, at, closed).await,
        Event::ValidatorStarted(_)
        | Event::ValidatorPaused(_)
        | Event::ValidatorResumed(_)
        | Event::ValidatorStopped(_)
        | Event::ExternalScoresFetched(_)
        | Event::EmbeddingComputed(_)
        | Event::JudgementRecorded(_)
        | Event::LabelRevealed(_)
        | Event::DeliveryAttempted(_) => Ok(()),
    }
}

/// The challenge and the epoch that an event speaks of: what the disclosure rule asks about.
fn subject(payload: &Event) -> (Option<&str>, Option<u64>) {
    match payload {
        Event::ChallengeAccepted(event) => (Some(&event.challenge.id), None),
        Event::MinersSelected(event) => (Some(&event.challenge_id), None),
        Event::ChallengeIssued(event) => (Some(&event.challenge_id), None),
        Event::ResponseReceived(event) => (Some(&event.challenge_id), None),
        Event::ResponseFailed(event) => (Some(&event.challenge_id), None),
        Event::EmbeddingComputed(event) => (Some(&event.challenge_id), None),
        Event::JudgementRecorded(event) => (Some(&event.challenge_id), None),
        Event::LabelRevealed(event) => (Some(&event.challenge_id), None),
        Event::ResponseScored(event) => (Some(&event.challenge_id), None),
        Event::RoundEvaluated(event) => (Some(&event.challenge_id), None),
        Event::RoundAbandoned(event) => (Some(&event.challenge_id), None),
        Event::DeliveryAttempted(event) => (Some(&event.challenge_id), None),
        Event::EpochOpened(event) => (None, Some(event.epoch)),
        Event::WeightsDerived(event) => (None, Some(event.epoch)),
        Event::CheckpointAnchored(event) => (None, Some(event.epoch)),
        Event::WeightsSubmitted(event) => (None, Some(event.epoch)),
        Event::WeightsCommitted(event) => (None, Some(event.epoch)),
        Event::WeightsRevealed(event) => (None, Some(event.epoch)),
        Event::WeightsIncluded(event) => (None, Some(event.epoch)),
        Event::WeightsRejected(event) => (None, Some(event.epoch)),
        Event::EpochClosed(event) => (None, Some(event.epoch)),
        _ => (None, None),
    }
}

/// One row per event, of any kind.
async fn feed(
    connection: &mut PgConnection,
    ledger: i64,
    events: &[StoredEvent],
    decoded: &[Option<Event>],
) -> Result<()> {
    let numbers = |of: fn(&StoredEvent) -> u64| events.iter().map(|event| signed(of(event))).collect::<Vec<i64>>();
    let words = |of: fn(&StoredEvent) -> &str| events.iter().map(of).collect::<Vec<&str>>();
    let json = |(event, payload): (&StoredEvent, &Option<Event>)| {
        let bytes = event.payload.as_ref().filter(|_| payload.is_some())?;
        let json = domain::codec::json_part(&event.kind, bytes).ok()?;
        Some(String::from_utf8_lossy(json).into_owned())
    };
    let subjects = decoded.iter().map(|payload| payload.as_ref().map_or((None, None), subject));
    let (challenges, epochs): (Vec<Option<String>>, Vec<Option<i64>>) =
        subjects.map(|(challenge, epoch)| (challenge.map(text), epoch.map(signed))).unzip();
    sqlx::query(
        "INSERT INTO events (ledger_id, position, recorded_at, block, sequence, cause, version, payload_length, stream_type,
                             stream_id, kind, leaf_hash, commitment, json, challenge_id, epoch)
         SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::integer[],
             $8::integer[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::bytea[], $14::text[], $15::text[],
             $16::bigint[])",
    )
    .bind(ledger)
    .bind(numbers(|event| event.position))
    .bind(numbers(|event| event.recorded_at))
    .bind(numbers(|event| event.block))
    .bind(numbers(|event| event.sequence))
    .bind(numbers(|event| event.cause))
    .bind(events.iter().map(|event| i32::from(event.version)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| i32::try_from(event.payload_length).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(words(|event| &event.stream_type))
    .bind(words(|event| &event.stream_id))
    .bind(words(|event| &event.kind))
    .bind(events.iter().map(|event| event.leaf_hash.0.as_slice()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.commitment.as_slice()).collect::<Vec<_>>())
    .bind(events.iter().zip(decoded).map(json).collect::<Vec<_>>())
    .bind(challenges)
    .bind(epochs)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write the feed"))
}

async fn open(connection: &mut PgConnection, at: &At<'_>, opened: &LedgerOpened) -> Result<()> {
    sqlx::query(
        "INSERT INTO ledgers (ledger_id, origin, netuid, hotkey, genesis_hash, checkpoint_key, next_position, recorded_at, block)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
    )
    .bind(at.ledger)
    .bind(text(&opened.origin))
    .bind(i32::from(opened.netuid.0))
    .bind(opened.hotkey.as_str())
    .bind(opened.genesis_hash.to_string())
    .bind(opened.checkpoint_key.to_string())
    .bind(at.recorded_at())
    .bind(at.block())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a ledger"))
}

/// Removes what the payload said of a person. Rows of facts without such content stay as they are.
async fn erase(connection: &mut PgConnection, at: &At<'_>, erased: &PayloadErased) -> Result<()> {
    let position = signed(erased.position.0);
    for statement in [
        "UPDATE events SET json = NULL, challenge_id = NULL, epoch = NULL, erased_at = $3 WHERE ledger_id = $1 AND position = $2",
        "UPDATE challenges SET prompt = NULL, commitment = NULL WHERE ledger_id = $1 AND position = $2 AND $3 > 0",
        "UPDATE responses SET answered_position = NULL, received = NULL, failure = NULL, detail = NULL, http_status = NULL,
                response_time_ms = NULL, signed = NULL, body = NULL
          WHERE ledger_id = $1 AND answered_position = $2 AND $3 > 0",
    ] {
        sqlx::query(statement)
            .bind(at.ledger)
            .bind(position)
            .bind(at.position())
            .execute(&mut *connection)
            .await
            .map_err(failed("erase a payload"))?;
    }
    Ok(())
}

pub(crate) fn hash(digest: &Digest) -> String {
    digest.to_string()
}

/// The word that serde writes for a plain enum.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Components as the JSON array they stand in the payload as.
pub(crate) fn components(components: &[domain::events::Component]) -> String {
    serde_json::to_string(components).unwrap_or_else(|_| "[]".to_owned())
}
