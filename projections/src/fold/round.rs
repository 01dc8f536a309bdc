//! Challenges, rounds, what each drawn miner answered, and the scores.

use domain::events::{
    ChallengeAccepted, ChallengeIssued, MinersSelected, ResponseFailed, ResponseReceived, ResponseScored,
    RoundAbandoned, RoundEvaluated,
};
use domain::types::Hotkey;
use sqlx::PgConnection;

use super::{At, components, failed, hash, text, word};
use crate::error::Result;

pub(super) async fn accepted(connection: &mut PgConnection, at: &At<'_>, accepted: &ChallengeAccepted) -> Result<()> {
    let prompt = domain::wire::evaluation_prompt(&accepted.challenge);
    let commitment = hash(&accepted.commitment);
    challenge(connection, at, &accepted.challenge.id, Some((commitment, text(&prompt)))).await
}

/// The challenge is known by its stream when its payload is gone.
pub(super) async fn accepted_and_erased(connection: &mut PgConnection, at: &At<'_>) -> Result<()> {
    if at.event.kind == "ChallengeAccepted" && at.event.payload.is_none() {
        return challenge(connection, at, &at.event.stream_id, None).await;
    }
    Ok(())
}

async fn challenge(
    connection: &mut PgConnection,
    at: &At<'_>,
    id: &str,
    content: Option<(String, String)>,
) -> Result<()> {
    let (commitment, prompt) = content.unzip();
    sqlx::query(
        "INSERT INTO challenges (ledger_id, challenge_id, position, recorded_at, block, commitment, prompt)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(text(id))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(at.block())
    .bind(commitment)
    .bind(prompt)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a challenge"))
}

pub(super) async fn selected(connection: &mut PgConnection, at: &At<'_>, selected: &MinersSelected) -> Result<()> {
    let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO rounds (ledger_id, challenge_id, attempt, position, recorded_at, block, rule_set, seed, candidates,
                             excluded, drawn)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(text(&selected.challenge_id))
    .bind(i64::from(selected.attempt))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(at.block())
    .bind(hash(&selected.rule_set))
    .bind(hash(&selected.seed))
    .bind(count(selected.candidates.len()))
    .bind(count(selected.excluded.len()))
    .bind(count(selected.drawn.len()))
    .execute(&mut *connection)
    .await
    .map_err(failed("write a round"))?;
    sqlx::query(
        "INSERT INTO responses (ledger_id, challenge_id, attempt, position, hotkey, uid, place)
         SELECT $1, $2, $3, $4, drawn.hotkey, drawn.uid, drawn.place - 1
           FROM unnest($5::text[], $6::integer[]) WITH ORDINALITY AS drawn (hotkey, uid, place)
         ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(text(&selected.challenge_id))
    .bind(i64::from(selected.attempt))
    .bind(at.position())
    .bind(selected.drawn.iter().map(|miner| miner.hotkey.as_str()).collect::<Vec<_>>())
    .bind(selected.drawn.iter().map(|miner| i32::from(miner.uid.0)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write the drawn miners"))
}

pub(super) async fn issued(connection: &mut PgConnection, at: &At<'_>, issued: &ChallengeIssued) -> Result<()> {
    sqlx::query(
        "UPDATE responses SET issued_position = $5, request_hash = $6
          WHERE ledger_id = $1 AND challenge_id = $2 AND attempt = $3 AND hotkey = $4 AND issued_position IS NULL",
    )
    .bind(at.ledger)
    .bind(text(&issued.challenge_id))
    .bind(i64::from(issued.attempt))
    .bind(issued.hotkey.as_str())
    .bind(at.position())
    .bind(hash(&issued.request_hash))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write an issued request"))
}

/// What came of one request.
struct Answer<'a> {
    challenge_id: &'a str,
    attempt: u32,
    hotkey: &'a Hotkey,
    received: bool,
    failure: Option<String>,
    detail: Option<String>,
    status: u16,
    response_time_ms: i64,
    signed: bool,
    body: &'a [u8],
}

pub(super) async fn received(connection: &mut PgConnection, at: &At<'_>, response: &ResponseReceived) -> Result<()> {
    let answer = Answer {
        challenge_id: &response.challenge_id,
        attempt: response.attempt,
        hotkey: &response.hotkey,
        received: true,
        failure: None,
        detail: None,
        status: response.status,
        response_time_ms: i64::from(response.response_time_ms),
        signed: response.signature.is_some(),
        body: response.body.bytes(),
    };
    answered(connection, at, answer).await
}

pub(super) async fn failed_response(
    connection: &mut PgConnection,
    at: &At<'_>,
    failure: &ResponseFailed,
) -> Result<()> {
    let taken = failure.failed_at.0.saturating_sub(failure.sent_at.0) / 1_000;
    let answer = Answer {
        challenge_id: &failure.challenge_id,
        attempt: failure.attempt,
        hotkey: &failure.hotkey,
        received: false,
        failure: Some(word(&failure.reason)),
        detail: Some(text(&failure.detail)),
        status: failure.status,
        response_time_ms: super::signed(taken),
        signed: failure.signature.is_some(),
        body: failure.body.bytes(),
    };
    answered(connection, at, answer).await
}

async fn answered(connection: &mut PgConnection, at: &At<'_>, answer: Answer<'_>) -> Result<()> {
    sqlx::query(
        "UPDATE responses SET answered_position = $5, received = $6, failure = $7, detail = $8, http_status = $9,
                response_time_ms = $10, signed = $11, body = $12
          WHERE ledger_id = $1 AND challenge_id = $2 AND attempt = $3 AND hotkey = $4 AND answered_position IS NULL",
    )
    .bind(at.ledger)
    .bind(text(answer.challenge_id))
    .bind(i64::from(answer.attempt))
    .bind(answer.hotkey.as_str())
    .bind(at.position())
    .bind(answer.received)
    .bind(answer.failure)
    .bind(answer.detail)
    .bind(i32::from(answer.status))
    .bind(answer.response_time_ms)
    .bind(answer.signed)
    .bind(answer.body)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a response"))
}

pub(super) async fn scored(connection: &mut PgConnection, at: &At<'_>, scored: &ResponseScored) -> Result<()> {
    sqlx::query(
        "INSERT INTO scores (ledger_id, position, recorded_at, block, challenge_id, attempt, hotkey, uid, score, counted,
                             filtered, reason, components)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(at.block())
    .bind(text(&scored.challenge_id))
    .bind(i64::from(scored.attempt))
    .bind(scored.hotkey.as_str())
    .bind(i32::from(scored.uid.0))
    .bind(scored.score)
    .bind(scored.counted)
    .bind(scored.filtered.as_ref().map(word))
    .bind(scored.reason.as_ref().map(word))
    .bind(text(&components(&scored.components)))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a score"))
}

pub(super) async fn evaluated(connection: &mut PgConnection, at: &At<'_>, evaluated: &RoundEvaluated) -> Result<()> {
    sqlx::query(
        "UPDATE rounds SET ended_position = $4, ended_at = $5, ended_block = $6, outcome = 'evaluated', last_attempt = true,
                consensus = $7, consensus_achieved = $8, best = $9, components = $10, labels = $11, similarity = $12
          WHERE ledger_id = $1 AND challenge_id = $2 AND attempt = $3 AND ended_position IS NULL",
    )
    .bind(at.ledger)
    .bind(text(&evaluated.challenge_id))
    .bind(i64::from(evaluated.attempt))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(at.block())
    .bind(evaluated.consensus)
    .bind(evaluated.consensus_achieved)
    .bind(evaluated.best.map(|hotkey| hotkey.to_string()))
    .bind(text(&components(&evaluated.components)))
    .bind(evaluated.labels.iter().map(Hotkey::as_str).collect::<Vec<_>>())
    .bind(evaluated.similarity.bytes())
    .execute(&mut *connection)
    .await
    .map_err(failed("end a round"))?;
    end_challenge(connection, at, &evaluated.challenge_id).await
}

/// An attempt may be given up before anybody was drawn; then its row begins and ends here.
pub(super) async fn abandoned(connection: &mut PgConnection, at: &At<'_>, abandoned: &RoundAbandoned) -> Result<()> {
    sqlx::query(
        "INSERT INTO rounds (ledger_id, challenge_id, attempt, position, recorded_at, block, candidates, excluded, drawn,
                             ended_position, ended_at, ended_block, outcome, abandon_reason, abandon_detail, last_attempt)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, $4, $5, $6, 'abandoned', $7, $8, $9)
         ON CONFLICT (ledger_id, challenge_id, attempt) DO UPDATE
            SET ended_position = excluded.ended_position, ended_at = excluded.ended_at, ended_block = excluded.ended_block,
                outcome = excluded.outcome, abandon_reason = excluded.abandon_reason,
                abandon_detail = excluded.abandon_detail, last_attempt = excluded.last_attempt
          WHERE rounds.ended_position IS NULL",
    )
    .bind(at.ledger)
    .bind(text(&abandoned.challenge_id))
    .bind(i64::from(abandoned.attempt))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(at.block())
    .bind(word(&abandoned.reason))
    .bind(text(&abandoned.detail))
    .bind(abandoned.last)
    .execute(&mut *connection)
    .await
    .map_err(failed("abandon a round"))?;
    if abandoned.last { end_challenge(connection, at, &abandoned.challenge_id).await } else { Ok(()) }
}

async fn end_challenge(connection: &mut PgConnection, at: &At<'_>, id: &str) -> Result<()> {
    sqlx::query(
        "UPDATE challenges SET ended_position = $3 WHERE ledger_id = $1 AND challenge_id = $2 AND ended_position IS NULL",
    )
    .bind(at.ledger)
    .bind(text(id))
    .bind(at.position())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("end a challenge"))
}
