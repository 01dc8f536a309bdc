//! The checkpoint that covers a derivation: written outside, then anchored on chain, then the result recorded.

use std::time::Duration;

use chain::{ExtrinsicOutcome, ExtrinsicStatus};
use domain::epoch::{self, EpochCommand};
use domain::events::{ChainOutcome, CheckpointAnchored};
use domain::types::Position;
use domain::wire;

use crate::Error;
use crate::keeper::Outside;
use crate::shared::Shared;

/// Publishes, anchors and records.
///
/// # Errors
/// The chain's and the ledger's; it can be tried again, a second anchor of a later checkpoint does no harm.
pub(super) async fn run(shared: &Shared, number: u64, derived: Position, patience: Duration) -> Result<(), Error> {
    let outside = cover(shared, derived).await?;
    shared.config.faults.point("after_checkpoint").await;
    let data = wire::anchor_data(&outside.root, outside.size);
    let turn = shared.chain.sending().lock().await;
    let extrinsic = shared.chain.prepare_anchor(shared.config.netuid, &data, &shared.config.hotkey).await?;
    let sent = shared.chain.submit(&extrinsic).await;
    drop(turn);
    let outcome = match sent {
        Err(chain::Error::Rejected { name, .. }) => ChainOutcome::Rejected { error: name },
        Err(error) => return Err(error.into()),
        Ok(()) => outcome(shared.chain.await_extrinsic(&extrinsic.reference(), patience).await?),
    };
    let Outside { size, root } = outside;
    tracing::info!(epoch = number, size, ?outcome, "checkpoint anchored");
    let anchored = CheckpointAnchored { epoch: number, size, root, extrinsic: extrinsic.hash, outcome };
    shared.commands.epoch(&epoch::stream_id(number), EpochCommand::Anchor(anchored), Some(derived)).await?;
    Ok(())
}

/// Publishes a checkpoint that covers a derivation, outside of the database.
///
/// # Errors
/// The ledger's, and the file's.
pub(super) async fn cover(shared: &Shared, derived: Position) -> Result<Outside, Error> {
    let outside = shared.checkpoints.publish(shared.journal.block().0).await?;
    if outside.size <= derived.0 {
        let reason = format!("the checkpoint of size {} does not cover the derivation at {derived}", outside.size);
        return Err(Error::Refused(reason));
    }
    Ok(outside)
}

/// An anchor is evidence, not money: one whose fate is open when patience is over counts as expired.
fn outcome(status: ExtrinsicStatus) -> ChainOutcome {
    match status {
        ExtrinsicStatus::Included(inclusion) => match inclusion.outcome {
            ExtrinsicOutcome::Succeeded => {
                ChainOutcome::Included { block: inclusion.block, block_hash: inclusion.block_hash }
            }
            ExtrinsicOutcome::Failed { error } => ChainOutcome::Rejected { error },
        },
        ExtrinsicStatus::Expired | ExtrinsicStatus::Pending | ExtrinsicStatus::Unknown => ChainOutcome::Expired,
    }
}
