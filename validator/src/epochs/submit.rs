//! Weights on their way to the chain.
//!
//! **Architecture invariant:** an extrinsic is recorded with its hash, nonce and era before it is sent, and another one is
//! signed for the same epoch only after the chain has said that the one before failed or can never be included.

use std::time::Duration;

use chain::{Era, ExtrinsicOutcome, ExtrinsicReference, ExtrinsicStatus, SignedExtrinsic};
use domain::epoch::{self, EpochCommand};
use domain::events::{EpochOutcome, WeightsDerived, WeightsIncluded, WeightsRejected, WeightsSubmitted};
use domain::types::{Position, Uid};

use super::record::Record;
use crate::Error;
use crate::metagraph;
use crate::shared::Shared;

/// How long one question for an extrinsic's fate waits.
const LOOK: Duration = Duration::from_secs(10);

/// The name under which an extrinsic that no block can include any more is recorded.
pub(super) const EXPIRED: &str = "expired";

/// How an epoch is to be closed without a submission.
pub(super) type Ending = (EpochOutcome, String);

/// What the chain says about sending now.
enum Sending {
    /// Send these, under this version key.
    Send { weights: Vec<(Uid, u16)>, version_key: u64 },
    /// Close without sending.
    Close(Ending),
    /// A revision was recorded; look again.
    Revised,
}

/// Signs, records and sends an epoch's weights, if the chain would take them. Gives how the epoch is to be closed if it is
/// not to be sent; `sent` keeps the extrinsic, so that the very same bytes can be sent again.
///
/// # Errors
/// The chain's and the ledger's. What was recorded decides what is done next.
pub(super) async fn run(
    shared: &Shared,
    number: u64,
    record: &Record,
    derived: &WeightsDerived,
    sent: &mut Option<SignedExtrinsic>,
) -> Result<Option<Ending>, Error> {
    let (weights, version_key) = match ready(shared, number, record, derived).await? {
        Sending::Send { weights, version_key } => (weights, version_key),
        Sending::Close(ending) => return Ok(Some(ending)),
        Sending::Revised => return Ok(None),
    };
    let at = record.newest_derivation.ok_or_else(|| Error::Refused(format!("epoch {number} has no derivation")))?;
    shared.config.faults.point("before_submission").await;
    let (netuid, keypair) = (shared.config.netuid, &shared.config.hotkey);
    let extrinsic = shared.chain.prepare_set_weights(netuid, &weights, version_key, keypair).await?;
    let (uids, weights) = weights.into_iter().unzip();
    let submitted = WeightsSubmitted {
        epoch: number,
        derived: at,
        extrinsic: extrinsic.hash,
        nonce: extrinsic.nonce,
        era_birth: extrinsic.era.birth,
        era_period: extrinsic.era.period,
        version_key,
        uids,
        weights,
    };
    let id = epoch::stream_id(number);
    let recorded = shared.commands.epoch(&id, EpochCommand::Submit(submitted), Some(at)).await?;
    tracing::info!(epoch = number, extrinsic = %extrinsic.hash, "weights signed and recorded; sending");
    shared.config.faults.point("before_sending").await;
    send(shared, number, &extrinsic, recorded.last).await?;
    *sent = Some(extrinsic);
    shared.config.faults.point("after_submission").await;
    Ok(None)
}

/// Sends; a refusal by the pool is recorded, any other failure leaves the fate open.
async fn send(shared: &Shared, number: u64, extrinsic: &SignedExtrinsic, cause: Position) -> Result<(), Error> {
    match shared.chain.submit(extrinsic).await {
        Ok(()) => Ok(()),
        Err(chain::Error::Rejected { name, message }) => {
            tracing::warn!(epoch = number, name, message, "the pool refused the weights");
            let rejected = WeightsRejected { epoch: number, extrinsic: extrinsic.hash, error: name };
            let command = EpochCommand::Reject(rejected);
            shared.commands.epoch(&epoch::stream_id(number), command, Some(cause)).await?;
            Ok(())
        }
        Err(error) => {
            tracing::warn!(epoch = number, %error, "it is not known whether the weights were sent; asking the chain");
            Ok(())
        }
    }
}

/// Reads the newest block: is anybody's slot in other hands, may this hotkey set weights, and so early?
async fn ready(shared: &Shared, number: u64, record: &Record, derived: &WeightsDerived) -> Result<Sending, Error> {
    let netuid = shared.config.netuid;
    let head = shared.chain.head().await?;
    let metagraph = shared.chain.metagraph(netuid, head.number).await?;
    let holds = |weight: &domain::events::Weight| {
        metagraph.neurons.iter().any(|neuron| neuron.uid == weight.uid && neuron.hotkey == weight.hotkey)
    };
    if !derived.weights.iter().all(holds) {
        return revise(shared, number, record, derived).await;
    }
    let close = |reason: String| Ok(Sending::Close((EpochOutcome::Skipped, reason)));
    let Some(own) = metagraph.neuron_of(&shared.own) else {
        return close("not_registered".to_owned());
    };
    let parameters = shared.chain.hyperparameters(netuid, head.number).await?;
    let since = head.number.0.saturating_sub(own.last_update.0);
    if record.submissions == 0 && since < parameters.weights_rate_limit {
        let limit = parameters.weights_rate_limit;
        return close(format!("rate_limited: {since} blocks since the last setting, {limit} are required"));
    }
    let weights = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
    Ok(Sending::Send { weights, version_key: parameters.weights_version_key })
}

/// Records who is left out because the slot changed hands.
async fn revise(shared: &Shared, number: u64, record: &Record, derived: &WeightsDerived) -> Result<Sending, Error> {
    if record.submission.is_some() {
        // What was signed before stands in the log as it is; a correction behind it would not be what was sent.
        let reason = "a uid changed hands after a submission that failed".to_owned();
        return Ok(Sending::Close((EpochOutcome::Failed, reason)));
    }
    let (position, metagraph) = metagraph::observe_all(shared).await?;
    if let Some(revised) = epoch::reassigned(derived, position, &metagraph) {
        tracing::warn!(epoch = number, revision = revised.revision, "a uid changed hands: its weight is left out");
        let command = EpochCommand::Derive(Box::new(revised));
        shared.commands.epoch(&epoch::stream_id(number), command, Some(position)).await?;
    }
    Ok(Sending::Revised)
}

/// Asks the chain what became of the recorded extrinsic, and records it once it is decided.
///
/// # Errors
/// The chain's and the ledger's; it is asked again then.
pub(super) async fn fate(
    shared: &Shared,
    number: u64,
    submitted: &WeightsSubmitted,
    cause: Position,
    sent: &Option<SignedExtrinsic>,
) -> Result<(), Error> {
    let era = Era { period: submitted.era_period, birth: submitted.era_birth };
    let (hash, nonce) = (submitted.extrinsic, submitted.nonce);
    let reference = ExtrinsicReference { hash, signer: shared.own, nonce, era };
    let reject = |error: String| EpochCommand::Reject(WeightsRejected { epoch: number, extrinsic: hash, error });
    let command = match shared.chain.await_extrinsic(&reference, LOOK).await? {
        ExtrinsicStatus::Included(inclusion) => match inclusion.outcome {
            ExtrinsicOutcome::Succeeded => EpochCommand::Include(WeightsIncluded {
                epoch: number,
                extrinsic: hash,
                block: inclusion.block,
                block_hash: inclusion.block_hash,
            }),
            ExtrinsicOutcome::Failed { error } => reject(error),
        },
        ExtrinsicStatus::Expired => reject(EXPIRED.to_owned()),
        ExtrinsicStatus::Pending => return Ok(()),
        ExtrinsicStatus::Unknown => {
            // The pool forgot it, or never had it. The very same bytes may be sent again, another extrinsic may not.
            return match sent.as_ref().filter(|extrinsic| extrinsic.hash == hash) {
                Some(extrinsic) => send(shared, number, extrinsic, cause).await,
                None => {
                    tracing::debug!(epoch = number, until = %era.death(), "waiting for the end of its era");
                    Ok(())
                }
            };
        }
    };
    shared.commands.epoch(&epoch::stream_id(number), command, Some(cause)).await?;
    Ok(())
}
