//! Weights committed by their hash: their sender opens them again, by a second extrinsic in the epoch of the chain that is their turn.
//!
//! The salt is kept nowhere. It follows from a signature of the ledger's checkpoint key, which nobody else can make and which is the
//! same each time, so that after a restart what was committed before it can be opened.
//!
//! **Architecture invariant:** what is sent from here is what a recorded submission and its recorded commitment announce. Nothing is
//! recorded here: that weights were revealed is what the events of a block say, which [`super::reveals`] reads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use chain::{Call, ExtrinsicOutcome, ExtrinsicStatus, Hyperparameters, Schedule, SignedExtrinsic};
use domain::events::{WeightsCommitted, WeightsSubmitted};
use domain::types::{BlockNumber, Digest, HexBytes, NetUid, Position, Uid, sha256};
use network::checkpoint_key::CheckpointKey;
use yuma::schedule::legacy;

use super::commit::{self, MECHANISM};
use super::record::Record;
use crate::Error;
use crate::shared::Shared;

/// What is signed for a salt begins with this, and nothing else that the key signs does.
const SALT_LABEL: &[u8] = b"assay/commit-reveal/salt/1\0";
/// How often one commit is opened anew, each time after the chain said that the extrinsic before had failed.
const MOST_ATTEMPTS: u32 = 16;
/// Errors of the chain after which no further attempt is made.
const FINAL: [&str; 4] =
    ["ExpiredWeightCommit", "NoWeightsCommitFound", "InvalidRevealCommitHashNotMatch", "CommitRevealDisabled"];

/// The salt of an epoch's weights, as many numbers as the SDK takes.
fn salt(key: &CheckpointKey, origin: &str, epoch: u64, derived: Position) -> Vec<u16> {
    let message = [SALT_LABEL, origin.as_bytes(), b"\0", &epoch.to_be_bytes(), &derived.0.to_be_bytes()].concat();
    let digest = sha256(&key.sign(&message));
    digest
        .0
        .chunks_exact(2)
        .take(8)
        .map(|pair| pair.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
        .collect()
}

/// The hash of weights with their salt.
fn hash(shared: &Shared, uids: &[Uid], weights: &[u16], salt: &[u16], version_key: u64) -> Digest {
    let index = yuma::mechanisms::storage_index(shared.config.netuid.0, MECHANISM);
    let slots: Vec<u16> = uids.iter().map(|uid| uid.0).collect();
    let public = shared.config.hotkey.public();
    HexBytes(commit_reveal::weights_hash(&public, index, &slots, weights, salt, version_key))
}

/// The call that opens a commitment, where that is the hash of the submission; [`None`] where the chain opens it.
fn opening(shared: &Shared, submitted: &WeightsSubmitted, commitment: Digest) -> Option<Call> {
    let WeightsSubmitted { epoch, derived, version_key, uids, weights, .. } = submitted.clone();
    let salt = salt(&shared.config.checkpoint_key, shared.origin(), epoch, derived);
    let is_of = hash(shared, &uids, &weights, &salt, version_key) == commitment;
    let netuid = shared.config.netuid;
    is_of.then_some(Call::RevealWeights { netuid, mechanism: MECHANISM, uids, weights, salt, version_key })
}

/// The call that commits weights by their hash.
///
/// # Errors
/// The chain's; [`Error::Refused`] for a reveal period or a tempo under which nothing can be revealed.
pub(super) async fn call(
    shared: &Shared,
    at: BlockNumber,
    (epoch, derived): (u64, Position),
    parameters: &Hyperparameters,
    weights: &[(Uid, u16)],
) -> Result<Call, Error> {
    // Refused before anything is sent where nothing could be opened.
    commit::reveal_block(shared, at, parameters.reveal_period_epochs).await?.map_err(commit::refused)?;
    let (uids, weights): (Vec<Uid>, Vec<u16>) = weights.iter().copied().unzip();
    let salt = salt(&shared.config.checkpoint_key, shared.origin(), epoch, derived);
    let hash = hash(shared, &uids, &weights, &salt, parameters.weights_version_key);
    tracing::info!(epoch, %hash, "weights are committed by their hash");
    Ok(Call::CommitWeights { netuid: shared.config.netuid, mechanism: MECHANISM, hash })
}

/// Whether a commitment is the hash of a submission: what is opened from here, and not by the chain.
pub(super) fn is_of(shared: &Shared, submitted: &WeightsSubmitted, committed: &WeightsCommitted) -> bool {
    opening(shared, submitted, committed.commitment).is_some()
}

/// What one process remembers of a commit that waits; losing it costs one extrinsic more.
#[derive(Debug, Default)]
struct Opening {
    /// What opens it; none where the chain does.
    call: Option<Call>,
    sent: Option<SignedExtrinsic>,
    attempts: u32,
    /// Nothing more is tried.
    is_over: bool,
}

/// Opens what was committed by its hash, until the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(super) async fn run(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut openings: BTreeMap<u64, Opening> = BTreeMap::new();
    let mut blocks = shared.chain_view.block();
    // A shadow sends nothing, not even this.
    while !shared.config.shadow && !shared.stop.is_ordered() {
        let head = *blocks.borrow_and_update();
        let committed = shared.board.read().committed.clone();
        openings.retain(|number, _| committed.contains_key(number));
        for (number, committed) in &committed {
            let stepped = tokio::select! {
                stepped = step(shared, committed, &mut openings, head) => stepped,
                () = shared.stop.stopped() => return Ok(()),
            };
            match stepped {
                Ok(()) => {}
                Err(Error::Stopping) => return Ok(()),
                Err(error) if error.may_pass() => {
                    tracing::warn!(epoch = number, %error, "weights cannot be opened; trying again with the next block");
                }
                Err(error) => return Err(error),
            }
        }
        tokio::select! {
            changed = blocks.changed() => if changed.is_err() { return Ok(()) },
            () = shared.stop.stopped() => return Ok(()),
        }
    }
    Ok(())
}

/// Opens one commit, if it is its turn, or sees what became of the attempt before.
async fn step(
    shared: &Shared,
    committed: &WeightsCommitted,
    openings: &mut BTreeMap<u64, Opening>,
    head: BlockNumber,
) -> Result<(), Error> {
    let number = committed.epoch;
    if let Entry::Vacant(place) = openings.entry(number) {
        let record = Record::read(shared, number).await?;
        let submitted = record.epoch.submitted().filter(|_| record.epoch.on_chain().is_none());
        let call = submitted.and_then(|submitted| opening(shared, submitted, committed.commitment));
        place.insert(Opening { call, ..Opening::default() });
    }
    let Some(Opening { call: Some(call), sent, attempts, is_over: is_over @ false }) = openings.get_mut(&number) else {
        return Ok(());
    };
    if let Some(extrinsic) = sent {
        match fate(shared, number, extrinsic).await? {
            Fate::Open => return Ok(()),
            Fate::Over => {
                *is_over = true;
                return Ok(());
            }
            Fate::Failed => *sent = None,
        }
    }
    if !is_due(shared, committed, head).await? {
        return Ok(());
    }
    if *attempts >= MOST_ATTEMPTS {
        tracing::warn!(epoch = number, attempts, "weights were not opened, and nothing more is tried");
        *is_over = true;
        return Ok(());
    }
    *attempts += 1;
    let turn = shared.chain.sending().lock().await;
    let extrinsic = shared.chain.prepare(call, &shared.config.hotkey).await?;
    let taken = shared.chain.submit(&extrinsic).await;
    drop(turn);
    tracing::info!(epoch = number, extrinsic = %extrinsic.hash, "weights are opened");
    match taken {
        Err(chain::Error::Rejected { name, message }) => {
            tracing::warn!(epoch = number, name, message, "the pool refused to open the weights");
        }
        // It may have been sent all the same.
        _ => *sent = Some(extrinsic),
    }
    Ok(())
}

/// What became of an attempt.
enum Fate {
    Open,
    Failed,
    Over,
}

async fn fate(shared: &Shared, number: u64, extrinsic: &SignedExtrinsic) -> Result<Fate, Error> {
    Ok(match shared.chain.extrinsic_status(&extrinsic.reference()).await? {
        ExtrinsicStatus::Included(inclusion) => match inclusion.outcome {
            ExtrinsicOutcome::Succeeded => Fate::Over,
            ExtrinsicOutcome::Failed { error } => {
                let block = inclusion.block;
                tracing::warn!(epoch = number, %block, error, "the chain did not open the weights");
                if FINAL.contains(&error.as_str()) { Fate::Over } else { Fate::Failed }
            }
        },
        ExtrinsicStatus::Expired => Fate::Failed,
        ExtrinsicStatus::Pending => Fate::Open,
        ExtrinsicStatus::Unknown => {
            // The pool forgot it, or never had it.
            if let Err(error) = shared.chain.submit(extrinsic).await {
                tracing::warn!(epoch = number, %error, "the opening of weights was not taken once more; the chain decides");
            }
            Fate::Open
        }
    })
}

/// Whether the block after `head` is one in which the chain lets a commit be opened.
async fn is_due(shared: &Shared, committed: &WeightsCommitted, head: BlockNumber) -> Result<bool, Error> {
    let (chain, netuid) = (shared.chain.as_ref(), shared.config.netuid);
    let schedule = chain.schedule(netuid, head).await?;
    let period = chain.hyperparameters(netuid, head).await?.reveal_period_epochs;
    Ok(is_turn(netuid, schedule, period, committed, head))
}

/// The chain counts epochs by its blocks, and the period is the one in force when the commit is opened; where it counts by its state, what
/// was foretold at the commit decides.
fn is_turn(netuid: NetUid, schedule: Schedule, period: u64, committed: &WeightsCommitted, head: BlockNumber) -> bool {
    let next = head.0.saturating_add(1);
    match schedule {
        Schedule::Legacy { tempo } => {
            let epoch = |block| legacy::number(netuid.0, tempo, block);
            epoch(next) >= epoch(committed.block.0).saturating_add(period)
        }
        Schedule::Stateful { .. } => next >= committed.reveal_at.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_is_of_its_weights_and_the_same_each_time() {
        let key = |seed| CheckpointKey::from_seed(&[seed; 32]);
        let of = |seed, origin, epoch, derived| salt(&key(seed), origin, epoch, Position(derived));
        let known = of(1, "assay/one", 2, 3);
        assert_eq!(known, of(1, "assay/one", 2, 3));
        assert_eq!(known.len(), 8);
        for other in
            [of(2, "assay/one", 2, 3), of(1, "assay/two", 2, 3), of(1, "assay/one", 3, 3), of(1, "assay/one", 2, 4)]
        {
            assert!(other != known, "{other:?}");
        }
    }

    #[test]
    fn weights_are_committed_by_their_hash_where_that_is_wanted_or_there_is_nothing_else() {
        use crate::CommitForm::{Auto, Hash, Timelock};
        for (form, version, expected) in
            [(Auto, 4, false), (Auto, 0, true), (Auto, 5, true), (Timelock, 0, false), (Hash, 4, true)]
        {
            assert_eq!(form.is_hash(version), expected, "{form:?} {version}");
        }
    }

    #[test]
    fn a_commit_has_its_turn_some_epochs_later() {
        let commit = |block, reveal_at| WeightsCommitted {
            epoch: 0,
            extrinsic: HexBytes([0; 32]),
            block: BlockNumber(block),
            commitment: HexBytes([0; 32]),
            reveal_at: BlockNumber(reveal_at),
        };
        let stateful = Schedule::Stateful {
            tempo: 360,
            last_epoch_block: BlockNumber(1000),
            pending_epoch_at: BlockNumber(0),
            blocks_since_last_step: 0,
            epoch_index: 7,
        };
        // Of subnet 78 with a tempo of 99, epochs begin in blocks 21, 121 …
        let legacy = Schedule::Legacy { tempo: 99 };
        for (schedule, period, block, reveal_at, head, expected) in [
            (legacy, 1, 30, 121, 119, false),
            (legacy, 1, 30, 121, 120, true),
            (legacy, 1, 121, 221, 219, false),
            (legacy, 1, 121, 221, 220, true),
            // Made shorter or longer meanwhile.
            (legacy, 1, 30, 221, 120, true),
            (legacy, 3, 30, 121, 319, false),
            (stateful, 1, 1010, 1360, 1358, false),
            (stateful, 1, 1010, 1360, 1359, true),
        ] {
            let found = is_turn(NetUid(78), schedule, period, &commit(block, reveal_at), BlockNumber(head));
            assert_eq!(found, expected, "{schedule:?} {period} {block} {head}");
        }
    }
}
