//! Weights on their way to the chain.
//!
//! **Architecture invariant:** an extrinsic is recorded with its hash, nonce and era before it is sent, and another one is
//! signed for the same epoch only after the chain has said that the one before failed, or has come to a block that makes it
//! certain that it can never be included. So each wait ends as soon as the chain goes on. A chain that goes on and cannot tell
//! any more what became of an extrinsic ends it, too: without another one for that epoch.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::{Chain, Era, ExtrinsicOutcome, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, SignedExtrinsic};
use domain::epoch::{self, EpochCommand};
use domain::events::{EpochOutcome, WeightsDerived, WeightsIncluded, WeightsRejected, WeightsSubmitted};
use domain::types::{BlockNumber, Hotkey, Position, Uid};

use super::record::Record;
use super::{commit, hash_form};
use crate::Error;
use crate::metagraph;
use crate::service::{MisdirectedWeight, SubmissionState};
use crate::shared::Shared;

/// How long one question for an extrinsic's fate waits.
const LOOK: Duration = Duration::from_secs(5);

/// How far beyond the end of an extrinsic's era the chain must be before it counts as expired without the chain's word for
/// it: a node that answers may be some blocks behind the one that told the newest block.
const MARGIN_BLOCKS: u64 = 8;

/// The name under which an extrinsic that no block can include any more is recorded.
pub(super) const EXPIRED: &str = "expired";

/// How an epoch is to be closed without a submission.
pub(super) type Ending = (EpochOutcome, String);

/// What the chain says about sending now.
enum Sending {
    /// Send these, under this version key.
    Send { weights: Vec<(Uid, u16)>, parameters: Box<Hyperparameters> },
    /// Close without sending.
    Close(Ending),
    /// Look again: a revision was recorded, or a block was waited for.
    Again,
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
    let (weights, parameters) = match ready(shared, number, record, derived).await? {
        Sending::Send { weights, parameters } => (weights, parameters),
        Sending::Close(ending) => return Ok(Some(ending)),
        Sending::Again => return Ok(None),
    };
    let at = record.newest_derivation.ok_or_else(|| Error::Refused(format!("epoch {number} has no derivation")))?;
    shared.config.faults.point("before_submission").await;
    let (netuid, keypair) = (shared.config.netuid, &shared.config.hotkey);
    let turn = shared.chain.sending().lock().await;
    let version_key = parameters.weights_version_key;
    let extrinsic = if parameters.commit_reveal_enabled {
        let head = shared.chain.head().await?.number;
        let call = match shared.config.commit_form.is_hash(parameters.commit_reveal_version) {
            true => hash_form::call(shared, head, (number, at), &parameters, &weights).await,
            false => commit::call(shared, head, &parameters, &weights).await,
        };
        match call {
            Ok(call) => shared.chain.prepare(&call, keypair).await?,
            // The subnet's settings or the weights themselves, and no fault of this process: the next epoch may have others.
            Err(Error::Refused(reason)) => return Ok(Some((EpochOutcome::Failed, reason))),
            Err(error) => return Err(error),
        }
    } else {
        shared.chain.prepare_set_weights(netuid, &weights, version_key, keypair).await?
    };
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
    drop(turn);
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
    if !held_as_derived(&metagraph, derived) {
        return revise(shared, number, record, derived).await;
    }
    let Some(own) = metagraph.neuron_of(&shared.own) else {
        // Recorded, so that everybody can see that it is true.
        let (_, observed) = metagraph::observe_all(shared).await?;
        if observed.of(&shared.own).is_some() {
            return Ok(Sending::Again);
        }
        // What was tried before has failed; only an epoch that sent nothing is skipped.
        let outcome = if record.submissions == 0 { EpochOutcome::Skipped } else { EpochOutcome::Failed };
        return Ok(Sending::Close((outcome, epoch::NOT_REGISTERED.to_owned())));
    };
    let parameters = shared.chain.hyperparameters(netuid, head.number).await?;
    if parameters.commit_reveal_enabled && !commit::has_its_turn(shared, head.number).await? {
        tracing::debug!(epoch = number, "weights were committed in this epoch of the chain; these wait for the next");
        shared.chain.await_block(head.number, LOOK).await?;
        return Ok(Sending::Again);
    }
    let since = head.number.0.saturating_sub(own.last_update.0);
    if record.submissions == 0 && since < parameters.weights_rate_limit {
        let limit = parameters.weights_rate_limit;
        let name = epoch::RATE_LIMITED;
        let reason = format!("{name}: {since} blocks since the last setting, {limit} are required");
        return Ok(Sending::Close((EpochOutcome::Skipped, reason)));
    }
    let weights = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
    Ok(Sending::Send { weights, parameters: Box::new(parameters) })
}

/// Records who is left out because the slot changed hands.
async fn revise(shared: &Shared, number: u64, record: &Record, derived: &WeightsDerived) -> Result<Sending, Error> {
    if record.submission.is_some() {
        // What was signed before stands in the log as it is; a correction behind it would not be what was sent.
        let reason = "a uid changed hands after a submission that failed".to_owned();
        return Ok(Sending::Close((EpochOutcome::Failed, reason)));
    }
    record_revision(shared, number, derived).await?;
    Ok(Sending::Again)
}

/// Whether every slot that gets a weight is in the hands it was derived for.
fn held_as_derived(metagraph: &chain::Metagraph, derived: &WeightsDerived) -> bool {
    let holders: BTreeMap<Uid, Hotkey> = metagraph.neurons.iter().map(|neuron| (neuron.uid, neuron.hotkey)).collect();
    derived.weights.iter().all(|weight| holders.get(&weight.uid) == Some(&weight.hotkey))
}

/// Where a slot changed hands since the derivation, records the revision that leaves it out, and says so.
///
/// # Errors
/// The chain's and the ledger's.
pub(super) async fn revised(shared: &Shared, number: u64, derived: &WeightsDerived) -> Result<bool, Error> {
    let head = shared.chain.head().await?;
    let metagraph = shared.chain.metagraph(shared.config.netuid, head.number).await?;
    if held_as_derived(&metagraph, derived) {
        return Ok(false);
    }
    record_revision(shared, number, derived).await?;
    Ok(true)
}

async fn record_revision(shared: &Shared, number: u64, derived: &WeightsDerived) -> Result<(), Error> {
    let (position, metagraph) = metagraph::observe_all(shared).await?;
    if let Some(revised) = epoch::reassigned(derived, position, &metagraph) {
        tracing::warn!(epoch = number, revision = revised.revision, "a uid changed hands: its weight is left out");
        let command = EpochCommand::Derive(Box::new(revised));
        shared.commands.epoch(&epoch::stream_id(number), command, Some(position)).await?;
    }
    Ok(())
}

/// Sends what was sent before once more. It may be in a block that the pool knows already and that is not final yet, so that a
/// refusal says nothing of its fate.
async fn send_again(shared: &Shared, number: u64, extrinsic: &SignedExtrinsic) {
    if let Err(error) = shared.chain.submit(extrinsic).await {
        tracing::warn!(epoch = number, %error, "the weights were not taken once more; the chain decides");
    }
}

/// Asks the chain what became of the recorded extrinsic, and records it once it is decided. `silent` says that the chain has
/// told nothing for as long as is waited for: then an extrinsic whose era is over is given up.
///
/// # Errors
/// The chain's and the ledger's; it is asked again then.
pub(super) async fn fate(
    shared: &Shared,
    number: u64,
    submitted: &WeightsSubmitted,
    cause: Position,
    sent: &Option<SignedExtrinsic>,
    silent: bool,
) -> Result<(), Error> {
    let command = match decision(shared, number, submitted, sent).await {
        Ok(Some(command)) => command,
        Ok(None) => return Ok(()),
        Err(Error::Chain(error)) if silent && is_over(shared.chain.head().await?.number, era_of(submitted)) => {
            tracing::warn!(epoch = number, %error, "the chain cannot tell any more what became of the weights");
            let (epoch, extrinsic) = (number, submitted.extrinsic);
            EpochCommand::Reject(WeightsRejected { epoch, extrinsic, error: epoch::UNREADABLE.to_owned() })
        }
        Err(error) => return Err(error),
    };
    shared.commands.epoch(&epoch::stream_id(number), command, Some(cause)).await?;
    shared.watch.settled();
    Ok(())
}

fn era_of(submitted: &WeightsSubmitted) -> Era {
    Era { period: submitted.era_period, birth: submitted.era_birth }
}

/// What is to be recorded of an extrinsic's fate; [`None`] while it is open.
async fn decision(
    shared: &Shared,
    number: u64,
    submitted: &WeightsSubmitted,
    sent: &Option<SignedExtrinsic>,
) -> Result<Option<EpochCommand>, Error> {
    let era = era_of(submitted);
    let (hash, nonce) = (submitted.extrinsic, submitted.nonce);
    let reference = ExtrinsicReference { hash, signer: shared.own, nonce, era };
    let reject = |error: String| EpochCommand::Reject(WeightsRejected { epoch: number, extrinsic: hash, error });
    let waits = |state, problem| shared.watch.waits(number, hash, era, state, problem);
    let status = ask(shared.chain.as_ref(), &reference).await;
    let status = status.inspect_err(|error| waits(SubmissionState::NoAnswer, Some(error.to_string())))?;
    let command = match status {
        ExtrinsicStatus::Included(inclusion) => match inclusion.outcome {
            ExtrinsicOutcome::Succeeded => match commit::found(shared, submitted, &inclusion).await? {
                Some(committed) => EpochCommand::Commit(committed),
                None => EpochCommand::Include(WeightsIncluded {
                    epoch: number,
                    extrinsic: hash,
                    block: inclusion.block,
                    block_hash: inclusion.block_hash,
                }),
            },
            ExtrinsicOutcome::Failed { error } => reject(error),
        },
        ExtrinsicStatus::Expired => reject(EXPIRED.to_owned()),
        ExtrinsicStatus::Pending => {
            waits(SubmissionState::Pending, None);
            return Ok(None);
        }
        ExtrinsicStatus::Unknown => {
            waits(SubmissionState::Unknown, None);
            // The pool forgot it, or never had it. The very same bytes may be sent again, another extrinsic may not.
            if let Some(extrinsic) = sent.as_ref().filter(|extrinsic| extrinsic.hash == hash) {
                send_again(shared, number, extrinsic).await;
            }
            return Ok(None);
        }
    };
    Ok(Some(command))
}

/// What became of an extrinsic, after one look's wait at most.
async fn ask(chain: &dyn Chain, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, chain::Error> {
    // The head first: it then is no newer than what the status is about, nodes that lag aside.
    let head = chain.head().await?;
    let status = chain.await_extrinsic(reference, LOOK).await?;
    Ok(decided(head.number, reference.era, status))
}

/// Beyond its era, an extrinsic that is in no block can be in none any more, whatever the pool still holds.
fn decided(head: BlockNumber, era: Era, status: ExtrinsicStatus) -> ExtrinsicStatus {
    match status {
        ExtrinsicStatus::Pending | ExtrinsicStatus::Unknown if is_over(head, era) => ExtrinsicStatus::Expired,
        known => known,
    }
}

fn is_over(head: BlockNumber, era: Era) -> bool {
    head.0 >= era.death().0.saturating_add(MARGIN_BLOCKS)
}

/// Looks who held the slots when the weights came to stand on chain: one may have changed hands after the last look. What is
/// on chain cannot be taken back, so it is said, and the epoch ends all the same.
pub(super) async fn check_holders(shared: &Shared, number: u64, record: &Record, derived: &WeightsDerived) {
    let Some(block) = record.included else { return };
    let metagraph = match shared.chain.metagraph(shared.config.netuid, block).await {
        Ok(metagraph) => metagraph,
        Err(error) => {
            tracing::warn!(epoch = number, %block, %error, "it cannot be checked who held the slots at the inclusion");
            return;
        }
    };
    let holders: BTreeMap<Uid, Hotkey> = metagraph.neurons.iter().map(|neuron| (neuron.uid, neuron.hotkey)).collect();
    for weight in &derived.weights {
        let held_by = holders.get(&weight.uid).copied();
        if held_by == Some(weight.hotkey) {
            continue;
        }
        let (uid, derived_for, weight) = (weight.uid, weight.hotkey, weight.weight);
        let holder = held_by.map_or_else(|| "nobody".to_owned(), |hotkey| hotkey.to_string());
        tracing::warn!(
            epoch = number, %block, %uid, weight, %derived_for, held_by = holder,
            "a slot changed hands before the inclusion: its weight went to another hotkey"
        );
        shared.watch.misdirected(MisdirectedWeight { epoch: number, block, uid, weight, derived_for, held_by });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_era_nothing_is_open() {
        use ExtrinsicStatus::{Expired, Pending, Unknown};
        let era = Era { period: 16, birth: BlockNumber(100) };
        let rows = [
            (100, Pending, Pending),
            (123, Unknown, Unknown),
            (123, Pending, Pending),
            (124, Unknown, Expired),
            (124, Pending, Expired),
            (u64::MAX, Expired, Expired),
        ];
        for (head, status, expected) in rows {
            assert_eq!(decided(BlockNumber(head), era, status.clone()), expected, "{status:?} at {head}");
        }
        let included = ExtrinsicStatus::Included(chain::Inclusion {
            block: BlockNumber(110),
            block_hash: domain::types::sha256(b"block"),
            index: 0,
            outcome: ExtrinsicOutcome::Succeeded,
        });
        assert_eq!(decided(BlockNumber(9999), era, included.clone()), included);
        let endless = Era { period: u64::MAX, birth: BlockNumber(1) };
        assert_eq!(decided(BlockNumber(9999), endless, Pending), Pending);
    }
}
