//! `assay demo --tamper`: what a dishonest owner of the database could do, in copies, and that it is caught.
//!
//! The first copy gets one flipped byte. The second gets another score with everything recomputed that lies in the
//! database: payload, commitment, leaf, frontier. Only the copies are touched, and they are dropped again.

use super::state::DemoState;
use crate::commands::audit::epoch_report;
use crate::output;
use anyhow::{Context, Result, bail, ensure};
use audit::Verdict;
use domain::events::Event;
use ledger::checkpoint::CheckpointDirectory;
use ledger::verify::Outcome;
use ledger::{LedgerReader, StoredEvent, ledger_id};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;

/// Tampers with two copies of the database and shows what catches it.
pub async fn run(state: &DemoState, origin: &str) -> Result<()> {
    output::line("");
    output::line(output::bold("Tampering, in copies"));
    payload(state, origin).await.context("the copy with a changed payload")?;
    score(state, origin).await.context("the copy with a changed score")
}

async fn payload(state: &DemoState, origin: &str) -> Result<()> {
    let copy = Copy::make(state, "assay_tampered_payload").await?;
    let reader = copy.reader(origin).await?;
    let stored = reader.by_kind("ResponseReceived", 0, 1).await?.pop().context("no response is recorded")?;
    let mut session = copy.session().await?;
    sqlx::query("UPDATE ledger.events SET payload = set_byte(payload, 64, get_byte(payload, 64) # 1) WHERE ledger_id = $1 AND position = $2")
        .bind(ledger_id(reader.origin()))
        .bind(i64::try_from(stored.position)?)
        .execute(&mut session)
        .await?;
    session.close().await?;
    output::line(format!("  one byte of the payload at position {} is flipped", stored.position));
    let outside = CheckpointDirectory::new(&state.checkpoints).read(reader.origin())?;
    let verification = reader.verify(outside.as_ref()).await?;
    output::line(format!("  assay {verification}"));
    ensure!(verification.outcome == Outcome::Bad { first: Some(stored.position) }, "verify did not name the position");
    drop(reader);
    copy.discard().await
}

async fn score(state: &DemoState, origin: &str) -> Result<()> {
    let copy = Copy::make(state, "assay_tampered_score").await?;
    let reader = copy.reader(origin).await?;
    let Some((stored, epoch)) = paid_score(&reader).await? else { bail!("no score is recorded in a derived epoch") };
    let Some(Event::ResponseScored(mut scored)) = stored.fact()? else { bail!("a score is erased") };
    let before = scored.score;
    scored.score += 0.25;
    output::line(format!(
        "  the score of {} at position {} is raised from {before} to {}; commitment, leaf, frontier and head are recomputed",
        scored.hotkey, stored.position, scored.score
    ));
    rewrite(&copy, &reader, &stored, &Event::ResponseScored(scored)).await?;
    let report = epoch_report(&reader, epoch, None).await?;
    let named = report.differences.iter().find(|difference| difference.position == stored.position);
    if let Some(difference) = named {
        output::line(format!(
            "  position {} {}.{}: recorded {}, recomputed {}",
            difference.position, difference.kind, difference.field, difference.recorded, difference.recomputed
        ));
    }
    output::line(format!("  {}", report.last_line()));
    ensure!(report.verdict == Verdict::Differs && named.is_some(), "the audit did not notice");
    let outside = CheckpointDirectory::new(&state.checkpoints).read(reader.origin())?;
    let verification = reader.verify(outside.as_ref()).await?;
    output::line(format!("  assay {verification}"));
    ensure!(matches!(verification.outcome, Outcome::Bad { .. }), "verify did not notice");
    drop(reader);
    copy.discard().await
}

/// The first score in the range of a derived epoch that is not zero.
async fn paid_score(reader: &LedgerReader) -> Result<Option<(StoredEvent, u64)>> {
    for epoch in 0..reader.derived_epochs().await? {
        let Some(range) = reader.epoch_range(epoch).await? else { continue };
        for stored in reader.by_kind("ResponseScored", range.from, 200).await? {
            let paid = matches!(stored.fact()?, Some(Event::ResponseScored(scored)) if scored.score > 0.0);
            if paid && stored.position < range.derived {
                return Ok(Some((stored, epoch)));
            }
        }
    }
    Ok(None)
}

/// Puts another payload in an event's place and makes everything in the database fit it.
async fn rewrite(copy: &Copy, reader: &LedgerReader, stored: &StoredEvent, event: &Event) -> Result<()> {
    let payload = event.encode()?;
    let salt = stored.salt.context("the salt is erased")?;
    let mut forged = stored.clone();
    forged.payload_length = u32::try_from(payload.len())?;
    forged.commitment = audit::leaf::commitment(&salt, &payload);
    let leaf = forged.leaf().hash()?;
    let mut session = copy.session().await?;
    let id = ledger_id(reader.origin());
    sqlx::query(
        "UPDATE ledger.events SET payload = $3, payload_length = $4, commitment = $5, leaf_hash = $6
          WHERE ledger_id = $1 AND position = $2",
    )
    .bind(id)
    .bind(i64::try_from(stored.position)?)
    .bind(&payload)
    .bind(i32::try_from(payload.len())?)
    .bind(forged.commitment.as_slice())
    .bind(leaf.0.as_slice())
    .execute(&mut session)
    .await?;
    let frontier = reader.frontier_at(reader.head().await?.size).await?;
    sqlx::query("UPDATE ledger.ledgers SET frontier = $2 WHERE ledger_id = $1")
        .bind(id)
        .bind(frontier.to_bytes())
        .execute(&mut session)
        .await?;
    session.close().await?;
    Ok(())
}

/// A copy of the demo's database.
struct Copy {
    name: &'static str,
    url: String,
    options: PgConnectOptions,
    admin: PgConnectOptions,
}

impl Copy {
    async fn make(state: &DemoState, name: &'static str) -> Result<Self> {
        let original = PgConnectOptions::from_str(&state.database).context("the database's URL")?;
        let source = original.get_database().context("the database's URL names no database")?.to_owned();
        let admin = original.clone().database("postgres");
        let mut session = PgConnection::connect_with(&admin).await?;
        sqlx::raw_sql(&format!("DROP DATABASE IF EXISTS {name}")).execute(&mut session).await?;
        let statement = format!("CREATE DATABASE {name} TEMPLATE \"{}\"", source.replace('"', "\"\""));
        sqlx::raw_sql(&statement).execute(&mut session).await.context("the database cannot be copied")?;
        session.close().await?;
        let options = original.database(name);
        Ok(Self { name, url: options.to_url_lossy().to_string(), options, admin })
    }

    async fn reader(&self, origin: &str) -> Result<LedgerReader> {
        Ok(LedgerReader::open(&self.url, origin).await?)
    }

    /// A superuser's session in which no trigger stands in the way.
    async fn session(&self) -> Result<PgConnection> {
        let mut session = PgConnection::connect_with(&self.options).await?;
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut session).await?;
        Ok(session)
    }

    async fn discard(self) -> Result<()> {
        let mut session = PgConnection::connect_with(&self.admin).await?;
        sqlx::raw_sql(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).execute(&mut session).await?;
        Ok(session.close().await?)
    }
}
