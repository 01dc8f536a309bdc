//! Epochs, derived weights and averages, and their fate on chain.

use domain::events::{
    ChainOutcome, CheckpointAnchored, CheckpointPublished, EpochClosed, EpochOpened, RuleSetAdopted, WeightsCommitted,
    WeightsDerived, WeightsIncluded, WeightsRejected, WeightsRevealed, WeightsSubmitted,
};
use sqlx::PgConnection;

use super::{At, failed, hash, signed, text, word};
use crate::error::Result;

/// What stands before the block in the detail of a commitment.
pub(crate) const REVEALED_AT: &str = "revealed at block ";

pub(super) async fn adopted(connection: &mut PgConnection, at: &At<'_>, adopted: &RuleSetAdopted) -> Result<()> {
    sqlx::query("INSERT INTO rule_sets (ledger_id, position, hash, name, bytes) VALUES ($1, $2, $3, $4, $5)")
        .bind(at.ledger)
        .bind(at.position())
        .bind(hash(&adopted.hash))
        .bind(text(&adopted.name))
        .bind(text(&adopted.bytes))
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("write a rule set"))
}

pub(super) async fn published(
    connection: &mut PgConnection,
    at: &At<'_>,
    published: &CheckpointPublished,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO checkpoints (ledger_id, position, recorded_at, size, root, note) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(signed(published.size))
    .bind(hash(&published.root))
    .bind(text(&published.note))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a checkpoint"))
}

pub(super) async fn opened(connection: &mut PgConnection, at: &At<'_>, opened: &EpochOpened) -> Result<()> {
    sqlx::query(
        "INSERT INTO epochs (ledger_id, epoch, position, recorded_at, block, chain_epoch, rule_set)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(signed(opened.epoch))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(signed(opened.block.0))
    .bind(signed(opened.chain_epoch))
    .bind(hash(&opened.rule_set))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write an epoch"))
}

pub(super) async fn derived(connection: &mut PgConnection, at: &At<'_>, derived: &WeightsDerived) -> Result<()> {
    sqlx::query(
        "INSERT INTO derivations (ledger_id, epoch, revision, position, recorded_at, range_from, range_to,
                                  metagraph_position, block, rule_set, mode, rounds, skip, carried_window, leaf_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(at.ledger)
    .bind(signed(derived.epoch))
    .bind(i32::from(derived.revision))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(signed(derived.from.0))
    .bind(signed(derived.to.0))
    .bind(signed(derived.metagraph.0))
    .bind(signed(derived.block.0))
    .bind(hash(&derived.rule_set))
    .bind(word(&derived.mode))
    .bind(signed(derived.rounds))
    .bind(derived.skip.as_ref().map(word))
    .bind(derived.window.bytes())
    .bind(at.event.leaf_hash.0.as_slice())
    .execute(&mut *connection)
    .await
    .map_err(failed("write a derivation"))?;
    weights(connection, at, derived).await?;
    averages(connection, at, derived).await
}

async fn weights(connection: &mut PgConnection, at: &At<'_>, derived: &WeightsDerived) -> Result<()> {
    let paid = derived.weights.iter().map(|weight| (weight.uid, weight.hotkey, weight.weight, None));
    let zeros = derived.zeros.iter().map(|zero| (zero.uid, zero.hotkey, 0, Some(word(&zero.reason))));
    let rows: Vec<_> = paid.chain(zeros).collect();
    sqlx::query(
        "INSERT INTO weights (ledger_id, epoch, revision, position, uid, hotkey, weight, reason)
         SELECT $1, $2, $3, $4, * FROM unnest($5::integer[], $6::text[], $7::integer[], $8::text[]) ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(signed(derived.epoch))
    .bind(i32::from(derived.revision))
    .bind(at.position())
    .bind(rows.iter().map(|row| i32::from(row.0.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i32::from(row.2)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write weights"))
}

async fn averages(connection: &mut PgConnection, at: &At<'_>, derived: &WeightsDerived) -> Result<()> {
    let carried = &derived.carried;
    sqlx::query(
        "INSERT INTO averages (ledger_id, epoch, position, hotkey, average, last_seen, drawn, items, place)
         SELECT $1, $2, $3, carried.hotkey, carried.average, carried.last_seen, carried.drawn, carried.items, carried.place - 1
           FROM unnest($4::text[], $5::double precision[], $6::bigint[], $7::bigint[], $8::bigint[])
                WITH ORDINALITY AS carried (hotkey, average, last_seen, drawn, items, place)
         ON CONFLICT DO NOTHING",
    )
    .bind(at.ledger)
    .bind(signed(derived.epoch))
    .bind(at.position())
    .bind(carried.iter().map(|miner| miner.hotkey.as_str()).collect::<Vec<_>>())
    .bind(carried.iter().map(|miner| miner.average).collect::<Vec<_>>())
    .bind(carried.iter().map(|miner| miner.last_seen.map(|seen| signed(seen.0))).collect::<Vec<_>>())
    .bind(carried.iter().map(|miner| signed(miner.drawn)).collect::<Vec<_>>())
    .bind(carried.iter().map(|miner| i64::from(miner.items)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write moving averages"))
}

/// One step on the way to the chain.
#[derive(Default)]
struct Step {
    epoch: u64,
    name: &'static str,
    extrinsic: Option<String>,
    block: Option<u64>,
    block_hash: Option<String>,
    size: Option<u64>,
    root: Option<String>,
    detail: Option<String>,
}

async fn step(connection: &mut PgConnection, at: &At<'_>, step: Step) -> Result<()> {
    sqlx::query(
        "INSERT INTO chain_steps (ledger_id, position, epoch, recorded_at, step, extrinsic, block, block_hash, size, root,
                                  detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(signed(step.epoch))
    .bind(at.recorded_at())
    .bind(step.name)
    .bind(step.extrinsic)
    .bind(step.block.map(signed))
    .bind(step.block_hash)
    .bind(step.size.map(signed))
    .bind(step.root)
    .bind(step.detail)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a step on chain"))
}

pub(super) async fn anchored(connection: &mut PgConnection, at: &At<'_>, anchored: &CheckpointAnchored) -> Result<()> {
    let (name, block, detail) = match &anchored.outcome {
        ChainOutcome::Included { block, block_hash } => ("anchored", Some((block.0, hash(block_hash))), None),
        ChainOutcome::Rejected { error } => ("anchor_rejected", None, Some(text(error))),
        ChainOutcome::Expired => ("anchor_expired", None, None),
    };
    let (block, block_hash) = block.unzip();
    let (size, root) = (Some(anchored.size), Some(hash(&anchored.root)));
    let extrinsic = Some(hash(&anchored.extrinsic));
    step(connection, at, Step { epoch: anchored.epoch, name, extrinsic, block, block_hash, size, root, detail }).await
}

pub(super) async fn submitted(connection: &mut PgConnection, at: &At<'_>, submitted: &WeightsSubmitted) -> Result<()> {
    let (extrinsic, block) = (Some(hash(&submitted.extrinsic)), Some(submitted.era_birth.0));
    step(connection, at, Step { epoch: submitted.epoch, name: "submitted", extrinsic, block, ..Step::default() }).await
}

pub(super) async fn committed(connection: &mut PgConnection, at: &At<'_>, committed: &WeightsCommitted) -> Result<()> {
    let detail = Some(format!("{REVEALED_AT}{}", committed.reveal_at));
    let (extrinsic, block, root) =
        (Some(hash(&committed.extrinsic)), Some(committed.block.0), Some(hash(&committed.commitment)));
    let committed =
        Step { epoch: committed.epoch, name: "committed", extrinsic, block, root, detail, ..Step::default() };
    step(connection, at, committed).await
}

pub(super) async fn revealed(connection: &mut PgConnection, at: &At<'_>, revealed: &WeightsRevealed) -> Result<()> {
    let (block, block_hash) = (Some(revealed.block.0), Some(hash(&revealed.block_hash)));
    let fact = Step { epoch: revealed.epoch, name: "revealed", block, block_hash, ..Step::default() };
    step(connection, at, fact).await?;
    make_public(connection, at, revealed.epoch).await
}

pub(super) async fn included(connection: &mut PgConnection, at: &At<'_>, included: &WeightsIncluded) -> Result<()> {
    let (block, block_hash) = (Some(included.block.0), Some(hash(&included.block_hash)));
    let extrinsic = Some(hash(&included.extrinsic));
    let fact = Step { epoch: included.epoch, name: "included", extrinsic, block, block_hash, ..Step::default() };
    step(connection, at, fact).await?;
    make_public(connection, at, included.epoch).await
}

pub(super) async fn rejected(connection: &mut PgConnection, at: &At<'_>, rejected: &WeightsRejected) -> Result<()> {
    let (extrinsic, detail) = (Some(hash(&rejected.extrinsic)), Some(text(&rejected.error)));
    step(connection, at, Step { epoch: rejected.epoch, name: "rejected", extrinsic, detail, ..Step::default() }).await
}

pub(super) async fn closed(connection: &mut PgConnection, at: &At<'_>, closed: &EpochClosed) -> Result<()> {
    sqlx::query(
        "UPDATE epochs SET closed_position = $3, closed_at = $4, outcome = $5, reason = $6
          WHERE ledger_id = $1 AND epoch = $2 AND closed_position IS NULL",
    )
    .bind(at.ledger)
    .bind(signed(closed.epoch))
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(word(&closed.outcome))
    .bind(text(&closed.reason))
    .execute(&mut *connection)
    .await
    .map_err(failed("close an epoch"))?;
    make_public(connection, at, closed.epoch).await
}

async fn make_public(connection: &mut PgConnection, at: &At<'_>, epoch: u64) -> Result<()> {
    sqlx::query(
        "UPDATE epochs SET public_position = $3 WHERE ledger_id = $1 AND epoch = $2 AND public_position IS NULL",
    )
    .bind(at.ledger)
    .bind(signed(epoch))
    .bind(at.position())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("make weights public"))
}
