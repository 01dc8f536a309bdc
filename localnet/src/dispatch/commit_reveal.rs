//! Weights that are committed first and revealed later: by their hash, or locked until a round of the beacon.

use super::Outcome;
use super::weights::{check_mechanism, is_too_fast, set_weights};
use crate::execution::Context;
use crate::hashing::blake2_256;
use crate::neurons;
use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_subtensor::pallet::{Error, Event};
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::schedule::{epoch_index, reveal_blocks, reveal_index};
use crate::store::Read;
use crate::timelock;

/// Commits of one hotkey that wait for their reveal.
const MAXIMUM_UNREVEALED: usize = 10;

/// The checks that both kinds of commit have; gives the mechanism's index and the signer's slot.
fn check_commit(
    context: &Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    mechanism: u8,
) -> Result<(u16, u16), Error> {
    let index = check_mechanism(context.state, netuid, mechanism)?;
    if !s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(context.state, &netuid) {
        return Err(Error::CommitRevealDisabled);
    }
    let uid = s::UIDS.find(context.state, &(netuid, signer)).ok_or(Error::HotKeyNotRegisteredInSubNet)?;
    if is_too_fast(context, netuid, index, uid) {
        return Err(Error::CommittingWeightsTooFast);
    }
    Ok((index, uid))
}

fn note_update(context: &mut Context<'_, '_>, index: u16, uid: u16) {
    let block = u64::from(context.block);
    s::LAST_UPDATE.change(context.state, &index, |updates| neurons::set(updates, uid, block));
}

/// `commit_weights`: a hash now, the weights within one epoch of the future.
pub(super) fn commit(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    mechanism: u8,
    hash: H256,
) -> Outcome {
    let (index, uid) = check_commit(context, signer, netuid, mechanism)?;
    let block = u64::from(context.block);
    let mut commits = s::WEIGHT_COMMITS.find(context.state, &(index, signer)).unwrap_or_default();
    commits.retain(|(_, committed, _, _)| !is_expired(context, netuid, *committed));
    if commits.len() >= MAXIMUM_UNREVEALED {
        return Err(Error::TooManyUnrevealedCommits.into());
    }
    let (first, last) = reveal_blocks(context.state, netuid, block);
    commits.push((hash, block, first, last));
    s::WEIGHT_COMMITS.put(context.state, &(index, signer), &commits);
    note_update(context, index, uid);
    context.deposit(RuntimeEvent::SubtensorModule(Event::WeightsCommitted(signer, index, hash)));
    Ok(())
}

/// The epoch in which a commit of a block is revealed.
fn reveal_epoch(state: &impl Read, netuid: u16, committed: u64) -> u64 {
    epoch_index(state, netuid, committed).saturating_add(s::REVEAL_PERIOD_EPOCHS.get(state, &netuid))
}

fn is_expired(context: &Context<'_, '_>, netuid: u16, committed: u64) -> bool {
    let now = epoch_index(context.state, netuid, u64::from(context.block));
    now > reveal_epoch(context.state, netuid, committed)
}

/// `reveal_weights`: what a hash was of. Commits older than the revealed one are dropped with it.
#[allow(clippy::too_many_arguments, reason = "they are the call's")]
pub(super) fn reveal(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    mechanism: u8,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> Outcome {
    let index = check_mechanism(context.state, netuid, mechanism)?;
    if !s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(context.state, &netuid) {
        return Err(Error::CommitRevealDisabled.into());
    }
    let mut commits = s::WEIGHT_COMMITS.find(context.state, &(index, signer)).ok_or(Error::NoWeightsCommitFound)?;
    let given = weights_hash(signer, index, uids, values, salt, version_key);
    let was_committed = commits.iter().any(|(hash, ..)| *hash == given);
    commits.retain(|(_, committed, _, _)| !is_expired(context, netuid, *committed));
    let Some(place) = commits.iter().position(|(hash, ..)| *hash == given) else {
        return Err(match was_committed {
            true => Error::ExpiredWeightCommit,
            false => Error::InvalidRevealCommitHashNotMatch,
        }
        .into());
    };
    let committed = commits.get(place).map_or(0, |(_, committed, ..)| *committed);
    let now = epoch_index(context.state, netuid, u64::from(context.block));
    if now != reveal_epoch(context.state, netuid, committed) {
        return Err(Error::RevealTooEarly.into());
    }
    commits.drain(..=place);
    if commits.is_empty() {
        s::WEIGHT_COMMITS.remove(context.state, &(index, signer));
    } else {
        s::WEIGHT_COMMITS.put(context.state, &(index, signer), &commits);
    }
    set_weights(context, signer, netuid, mechanism, uids, values, version_key)?;
    context.deposit(RuntimeEvent::SubtensorModule(Event::WeightsRevealed(signer, index, given)));
    Ok(())
}

/// blake2-256 of the SCALE form of signer, mechanism index, uids, values, salt and version key.
fn weights_hash(signer: AccountId32, index: u16, uids: &[u16], values: &[u16], salt: &[u16], version_key: u64) -> H256 {
    H256(blake2_256(&codec::Encode::encode(&(signer, index, uids, values, salt, version_key))))
}

/// `commit_timelocked_weights`: weights that anyone can open once the beacon has signed a round.
pub(super) fn commit_timelocked(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    mechanism: u8,
    commit: &BoundedVec<u8>,
    reveal_round: u64,
    version: u16,
) -> Outcome {
    if version != s::COMMIT_REVEAL_WEIGHTS_VERSION.get(context.state, &()) {
        return Err(Error::IncorrectCommitRevealVersion.into());
    }
    let (index, uid) = check_commit(context, signer, netuid, mechanism)?;
    let block = u64::from(context.block);
    let key = (index, epoch_index(context.state, netuid, block));
    let mut commits = s::TIMELOCKED_WEIGHT_COMMITS.get(context.state, &key);
    if commits.iter().filter(|(who, ..)| *who == signer).count() >= MAXIMUM_UNREVEALED {
        return Err(Error::TooManyUnrevealedCommits.into());
    }
    commits.push((signer, block, commit.clone(), reveal_round));
    s::TIMELOCKED_WEIGHT_COMMITS.put(context.state, &key, &commits);
    note_update(context, index, uid);
    let hash = H256(blake2_256(&commit.0));
    let event = Event::TimelockedWeightsCommitted(signer, index, hash, reveal_round);
    context.deposit(RuntimeEvent::SubtensorModule(event));
    Ok(())
}

/// Opens the commits whose epoch of reveal is that of this block. One whose round has no pulse yet waits for the next
/// block of that epoch; after the epoch it is dropped.
pub(crate) fn reveal_timelocked(context: &mut Context<'_, '_>, netuid: u16) {
    let now = reveal_index(context.state, netuid, u64::from(context.block));
    let Some(epoch) = now.checked_sub(s::REVEAL_PERIOD_EPOCHS.get(context.state, &netuid)) else { return };
    for (mechanism, index) in (0u8..).zip(neurons::mechanism_indexes(context.state, netuid)) {
        if let Some(late) = epoch.checked_sub(1)
            && s::TIMELOCKED_WEIGHT_COMMITS.find(context.state, &(index, late)).is_some()
        {
            s::TIMELOCKED_WEIGHT_COMMITS.remove(context.state, &(index, late));
        }
        let Some(commits) = s::TIMELOCKED_WEIGHT_COMMITS.find(context.state, &(index, epoch)) else { continue };
        let mut waiting = Vec::new();
        for commit in commits {
            let (who, _, ciphertext, round) = &commit;
            let Some(signature) = timelock::signature(context, *round) else {
                waiting.push(commit);
                continue;
            };
            // What cannot be opened, or may not be set, is dropped, as in subtensor.
            let Some(opened) = timelock::open(&ciphertext.0, &signature, who) else { continue };
            let set = context.all_or_nothing(|context| {
                set_weights(context, *who, netuid, mechanism, &opened.uids, &opened.values, opened.version_key)
            });
            if set.is_ok() {
                context.deposit(RuntimeEvent::SubtensorModule(Event::TimelockedWeightsRevealed(index, *who)));
            }
        }
        match waiting.is_empty() {
            true => s::TIMELOCKED_WEIGHT_COMMITS.remove(context.state, &(index, epoch)),
            false => s::TIMELOCKED_WEIGHT_COMMITS.put(context.state, &(index, epoch), &waiting),
        }
    }
}
