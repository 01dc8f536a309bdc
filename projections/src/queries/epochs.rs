//! Epochs: what was derived, what came of it on chain, and the weights once they may be shown.

use domain::types::Hotkey;
use sqlx::postgres::PgRow;

use super::MAX_PAGE;
use super::columns::Columns;
use crate::disclosure::{self, Subject};
use crate::error::{Error, Result};
use crate::fold::{REVEALED_AT, signed};
use crate::view::{Frame, Meta, View};

/// One weight decision.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Epoch {
    /// 0, 1, 2 … without gaps.
    pub epoch: u64,
    /// Where it was opened.
    pub position: u64,
    /// When, microseconds since 1970 UTC.
    pub opened_at: u64,
    /// Newest block at the opening.
    pub block: u64,
    /// The chain's own epoch number.
    pub chain_epoch: u64,
    /// SHA-256 of the rule set, hex.
    pub rule_set: String,
    /// Its name, when its bytes are recorded.
    pub rule_set_name: Option<String>,
    /// The newest derivation.
    pub derivation: Option<Derivation>,
    /// Whether the weights may be shown.
    pub weights_public: bool,
    /// Where they became public.
    pub public_position: Option<u64>,
    /// Anchor, submission and their fate, in order.
    pub steps: Vec<ChainStep>,
    /// The block at which committed weights are to be revealed, while the epoch waits for that.
    pub reveal_due: Option<u64>,
    /// Where it was closed.
    pub closed_position: Option<u64>,
    /// When, microseconds since 1970 UTC.
    pub closed_at: Option<u64>,
    /// `included`, `skipped` or `failed`.
    pub outcome: Option<String>,
    /// Why, when not included.
    pub reason: Option<String>,
}

/// Epochs with the position at which they were read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct EpochsPage {
    /// At which position they were read.
    pub meta: Meta,
    /// Newest first.
    pub epochs: Vec<Epoch>,
}

/// Where weights were derived, and from what.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Derivation {
    /// 0, or the number of corrections.
    pub revision: u16,
    /// Position of the `WeightsDerived`.
    pub position: u64,
    /// Its leaf hash, hex.
    pub leaf_hash: String,
    /// First position of the range.
    pub range_from: u64,
    /// Last position of the range.
    pub range_to: u64,
    /// Where the metagraph stands that gave the uids.
    pub metagraph_position: u64,
    /// Block at which uids were read.
    pub block: u64,
    /// `normal`, `degraded` or `emergency`; shown with the weights.
    pub mode: Option<String>,
    /// Rounds evaluated in the range; shown with the weights.
    pub rounds: Option<u64>,
    /// Why nothing is to be submitted; shown with the weights.
    pub skip: Option<String>,
}

/// A step on the way to the chain.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChainStep {
    /// Where it is recorded.
    pub position: u64,
    /// When, microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// The epoch.
    #[serde(skip)]
    pub epoch: u64,
    /// `anchored`, `anchor_rejected`, `anchor_expired`, `submitted`, `committed`, `revealed`, `included` or `rejected`.
    pub step: String,
    /// Hash of the extrinsic, hex.
    pub extrinsic: Option<String>,
    /// The block (of a submission: where its mortality begins).
    pub block: Option<u64>,
    /// The block's hash, hex.
    pub block_hash: Option<String>,
    /// Leaves that an anchored checkpoint covers.
    pub size: Option<u64>,
    /// Its root, or the commitment to weights, hex.
    pub root: Option<String>,
    /// The chain's name for an error, or when a commitment is revealed.
    pub detail: Option<String>,
}

/// One miner's share.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EpochWeight {
    /// The epoch.
    pub epoch: u64,
    /// The slot.
    pub uid: u16,
    /// Who held it.
    pub hotkey: String,
    /// 0 to 65535.
    pub weight: u16,
    /// Why it is zero, if it is.
    pub reason: Option<String>,
}

/// The weights of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EpochWeights {
    /// Whether they may be shown; if not, both lists are empty.
    pub public: bool,
    /// Non-zero, by uid.
    pub weights: Vec<EpochWeight>,
    /// Zeros with their reasons, by uid.
    pub zeros: Vec<EpochWeight>,
}

const SELECT: &str = "SELECT e.*, coalesce(e.public_position <= $2, false) AS weights_public,
        (SELECT name FROM rule_sets s WHERE s.ledger_id = e.ledger_id AND s.hash = e.rule_set AND s.position <= $2
          ORDER BY s.position DESC LIMIT 1) AS rule_set_name,
        d.revision, d.position AS derived_position, d.leaf_hash, d.range_from, d.range_to, d.metagraph_position,
        d.block AS derived_block, d.mode, d.rounds, d.skip
   FROM epochs e
   LEFT JOIN LATERAL (SELECT * FROM derivations d WHERE d.ledger_id = e.ledger_id AND d.epoch = e.epoch AND d.position <= $2
                       ORDER BY d.revision DESC LIMIT 1) d ON true
  WHERE e.ledger_id = $1 AND e.position <= $2";

/// One epoch; none when it is not open yet.
///
/// # Errors
/// What the database says.
pub async fn epoch(view: &View, frame: &Frame, number: u64) -> Result<Option<Epoch>> {
    let statement = format!("{SELECT} AND e.epoch = $3");
    let row = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(number))
        .fetch_optional(&mut **view.connection().await)
        .await
        .map_err(Error::database("read an epoch"))?;
    let found = row.map(|row| read(&row, frame)).transpose()?;
    Ok(with_steps(view, frame, found.into_iter().collect()).await?.pop())
}

/// Epochs, newest first, before one. At most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn epochs(view: &View, frame: &Frame, before: Option<u64>, first: u32) -> Result<Vec<Epoch>> {
    let statement = format!("{SELECT} AND e.epoch < $3 ORDER BY e.epoch DESC LIMIT $4");
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::from(first.min(MAX_PAGE + 1)))
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read epochs"))?;
    with_steps(view, frame, rows.iter().map(|row| read(row, frame)).collect::<Result<_>>()?).await
}

fn read(row: &PgRow, frame: &Frame) -> Result<Epoch> {
    let columns = Columns(row);
    let subject = Subject { weights_public: columns.get("weights_public")?, ..Subject::default() };
    let weights_public = disclosure::is_public("WeightsDerived", subject);
    let closed = columns.number_if("closed_position")?.filter(|closed| *closed <= frame.position);
    let derivation = match columns.number_if("derived_position")? {
        None => None,
        Some(position) => Some(Derivation {
            revision: columns.small("revision")?,
            position,
            leaf_hash: columns.hex("leaf_hash")?,
            range_from: columns.number("range_from")?,
            range_to: columns.number("range_to")?,
            metagraph_position: columns.number("metagraph_position")?,
            block: columns.number("derived_block")?,
            mode: columns.get::<Option<String>>("mode")?.filter(|_| weights_public),
            rounds: columns.number_if("rounds")?.filter(|_| weights_public),
            skip: columns.get::<Option<String>>("skip")?.filter(|_| weights_public),
        }),
    };
    Ok(Epoch {
        epoch: columns.number("epoch")?,
        position: columns.number("position")?,
        opened_at: columns.number("recorded_at")?,
        block: columns.number("block")?,
        chain_epoch: columns.number("chain_epoch")?,
        rule_set: columns.get("rule_set")?,
        rule_set_name: columns.get("rule_set_name")?,
        derivation,
        weights_public,
        public_position: columns.number_if("public_position")?.filter(|_| weights_public),
        steps: Vec::new(),
        reveal_due: None,
        closed_position: closed,
        closed_at: columns.number_if("closed_at")?.filter(|_| closed.is_some()),
        outcome: columns.get::<Option<String>>("outcome")?.filter(|_| closed.is_some()),
        reason: columns.get::<Option<String>>("reason")?.filter(|reason| closed.is_some() && !reason.is_empty()),
    })
}

async fn with_steps(view: &View, frame: &Frame, mut epochs: Vec<Epoch>) -> Result<Vec<Epoch>> {
    let numbers: Vec<i64> = epochs.iter().map(|epoch| signed(epoch.epoch)).collect();
    if numbers.is_empty() {
        return Ok(epochs);
    }
    let rows = sqlx::query(
        "SELECT * FROM chain_steps WHERE ledger_id = $1 AND position <= $2 AND epoch = ANY ($3) ORDER BY position",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(&numbers)
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read steps on chain"))?;
    for row in &rows {
        let step = read_step(&Columns(row))?;
        if let Some(epoch) = epochs.iter_mut().find(|epoch| epoch.epoch == step.epoch) {
            epoch.steps.push(step);
        }
    }
    for epoch in epochs.iter_mut().filter(|epoch| epoch.closed_position.is_none()) {
        epoch.reveal_due = reveal_due(&epoch.steps);
    }
    Ok(epochs)
}

/// The block of the reveal that a commitment announces, until the weights stand on chain.
fn reveal_due(steps: &[ChainStep]) -> Option<u64> {
    let decides = |step: &&ChainStep| matches!(step.step.as_str(), "committed" | "revealed" | "included");
    let committed = steps.iter().rev().find(decides).filter(|newest| newest.step == "committed")?;
    committed.detail.as_deref()?.strip_prefix(REVEALED_AT)?.parse().ok()
}

fn read_step(columns: &Columns<'_>) -> Result<ChainStep> {
    Ok(ChainStep {
        position: columns.number("position")?,
        recorded_at: columns.number("recorded_at")?,
        epoch: columns.number("epoch")?,
        step: columns.get("step")?,
        extrinsic: columns.get("extrinsic")?,
        block: columns.number_if("block")?,
        block_hash: columns.get("block_hash")?,
        size: columns.number_if("size")?,
        root: columns.get("root")?,
        detail: columns.get("detail")?,
    })
}

/// The newest revision of each epoch, only where it is public in the frame.
const WEIGHTS: &str = "SELECT w.epoch, w.uid, w.hotkey, w.weight, w.reason FROM weights w
    JOIN epochs e ON e.ledger_id = w.ledger_id AND e.epoch = w.epoch
  WHERE w.ledger_id = $1 AND w.position <= $2 AND e.public_position <= $2
    AND w.revision = (SELECT max(d.revision) FROM derivations d
                       WHERE d.ledger_id = w.ledger_id AND d.epoch = w.epoch AND d.position <= $2)";

/// The weights of an epoch: of its newest revision, and only once they may be shown.
///
/// # Errors
/// What the database says.
pub async fn weights_of(view: &View, frame: &Frame, epoch: &Epoch) -> Result<EpochWeights> {
    if !epoch.weights_public {
        return Ok(EpochWeights { public: false, weights: Vec::new(), zeros: Vec::new() });
    }
    let statement = format!("{WEIGHTS} AND w.epoch = $3 ORDER BY w.uid, w.hotkey");
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(signed(epoch.epoch))
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read weights"))?;
    let all = rows.iter().map(read_weight).collect::<Result<Vec<_>>>()?;
    let (weights, zeros) = all.into_iter().partition(|weight| weight.reason.is_none());
    Ok(EpochWeights { public: true, weights, zeros })
}

/// Public weights of a miner, newest epoch first, at most `first`.
///
/// # Errors
/// What the database says.
pub async fn weights_of_miner(
    view: &View,
    frame: &Frame,
    hotkey: &Hotkey,
    epoch: Option<u64>,
    first: u32,
) -> Result<Vec<EpochWeight>> {
    let statement = format!(
        "{WEIGHTS} AND w.hotkey = $3 AND ($4::bigint IS NULL OR w.epoch = $4) ORDER BY w.epoch DESC, w.uid LIMIT $5"
    );
    let rows = sqlx::query(&statement)
        .bind(frame.id())
        .bind(frame.position_signed())
        .bind(hotkey.as_str())
        .bind(epoch.map(signed))
        .bind(i64::from(first.min(MAX_PAGE)))
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("read weights"))?;
    rows.iter().map(read_weight).collect()
}

fn read_weight(row: &PgRow) -> Result<EpochWeight> {
    let columns = Columns(row);
    Ok(EpochWeight {
        epoch: columns.number("epoch")?,
        uid: columns.small("uid")?,
        hotkey: columns.get("hotkey")?,
        weight: columns.small("weight")?,
        reason: columns.get("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_waits_for_its_reveal_until_the_weights_stand_on_chain() {
        let step = |name: &str| ChainStep {
            position: 1,
            recorded_at: 1,
            epoch: 3,
            step: name.to_owned(),
            extrinsic: None,
            block: Some(40),
            block_hash: None,
            size: None,
            root: None,
            detail: (name == "committed").then(|| format!("{REVEALED_AT}95")),
        };
        for (steps, due) in [
            ([].as_slice(), None),
            (&["anchored", "submitted"], None),
            (&["anchored", "submitted", "committed"], Some(95)),
            // Weights that were committed by their hash are opened by a second extrinsic.
            (&["submitted", "committed", "submitted"], Some(95)),
            (&["submitted", "committed", "submitted", "rejected"], Some(95)),
            (&["submitted", "committed", "revealed"], None),
            (&["submitted", "included"], None),
        ] {
            let found = reveal_due(&steps.iter().map(|name| step(name)).collect::<Vec<_>>());
            assert_eq!(found, due, "{steps:?}");
        }
    }
}
