//! What a call does, and why it may do nothing.
//!
//! The checks stand in subtensor's order and their errors have its numbers. A call that fails changes nothing: whoever
//! dispatches takes back what it did.

mod accounts;
mod commit_reveal;
mod registration;
mod root;
mod serving;
mod weights;

pub(crate) use commit_reveal::reveal_timelocked;

use crate::execution::Context;
use crate::runtime::constants::BATCHED_CALLS_LIMIT;
use crate::runtime::node_subtensor_runtime::{RuntimeCall, RuntimeEvent};
use crate::runtime::pallet_subtensor::pallet::Call as Subtensor;
use crate::runtime::pallet_subtensor_utility::pallet as utility;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_runtime::DispatchError;
use crate::runtime::{pallet_balances, pallet_commitments, pallet_sudo};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The signer of the extrinsic.
    Signed(AccountId32),
    /// The root key.
    Root,
}

impl Origin {
    fn signer(self) -> Result<AccountId32, DispatchError> {
        match self {
            Self::Signed(signer) => Ok(signer),
            Self::Root => Err(DispatchError::BadOrigin),
        }
    }

    fn check_root(self) -> Result<(), DispatchError> {
        match self {
            Self::Root => Ok(()),
            Self::Signed(_) => Err(DispatchError::BadOrigin),
        }
    }
}

type Outcome = Result<(), DispatchError>;

/// Performs a call.
pub(crate) fn dispatch(context: &mut Context<'_, '_>, origin: Origin, call: &RuntimeCall) -> Outcome {
    match call {
        RuntimeCall::System(call) => accounts::remark(context, origin, call),
        // Only the author's own extrinsic sets the time.
        RuntimeCall::Timestamp(_) => Err(DispatchError::BadOrigin),
        RuntimeCall::Balances(call) => {
            let (pallet_balances::pallet::Call::transfer_allow_death { dest, value }
            | pallet_balances::pallet::Call::transfer_keep_alive { dest, value }) = call;
            accounts::transfer(context, origin.signer()?, dest, *value)
        }
        RuntimeCall::SubtensorModule(call) => subtensor(context, origin.signer()?, call),
        RuntimeCall::Utility(call) => batch(context, origin, call),
        RuntimeCall::Sudo(pallet_sudo::pallet::Call::sudo { call }) => root::sudo(context, origin.signer()?, call),
        RuntimeCall::Commitments(pallet_commitments::pallet::Call::set_commitment { netuid, info }) => {
            serving::set_commitment(context, origin.signer()?, *netuid, info)
        }
        RuntimeCall::AdminUtils(call) => root::admin(context, origin, call),
        RuntimeCall::Development(call) => root::development(context, origin, call),
    }
}

fn subtensor(context: &mut Context<'_, '_>, signer: AccountId32, call: &Subtensor) -> Outcome {
    match call {
        Subtensor::set_weights { netuid, dests, weights, version_key } => {
            weights::set_weights(context, signer, *netuid, 0, dests, weights, *version_key)
        }
        Subtensor::set_mechanism_weights { netuid, mecid, dests, weights, version_key } => {
            weights::set_weights(context, signer, *netuid, *mecid, dests, weights, *version_key)
        }
        Subtensor::batch_set_weights { netuids, weights, version_keys } => {
            weights::batch_set_weights(context, signer, netuids, weights, version_keys)
        }
        Subtensor::commit_weights { netuid, commit_hash } => {
            commit_reveal::commit(context, signer, *netuid, 0, *commit_hash)
        }
        Subtensor::commit_mechanism_weights { netuid, mecid, commit_hash } => {
            commit_reveal::commit(context, signer, *netuid, *mecid, *commit_hash)
        }
        Subtensor::reveal_weights { netuid, uids, values, salt, version_key } => {
            commit_reveal::reveal(context, signer, *netuid, 0, uids, values, salt, *version_key)
        }
        Subtensor::reveal_mechanism_weights { netuid, mecid, uids, values, salt, version_key } => {
            commit_reveal::reveal(context, signer, *netuid, *mecid, uids, values, salt, *version_key)
        }
        Subtensor::commit_timelocked_weights { netuid, commit, reveal_round, commit_reveal_version } => {
            commit_reveal::commit_timelocked(context, signer, *netuid, 0, commit, *reveal_round, *commit_reveal_version)
        }
        Subtensor::commit_timelocked_mechanism_weights {
            netuid,
            mecid,
            commit,
            reveal_round,
            commit_reveal_version,
        } => commit_reveal::commit_timelocked(
            context,
            signer,
            *netuid,
            *mecid,
            commit,
            *reveal_round,
            *commit_reveal_version,
        ),
        Subtensor::burned_register { netuid, hotkey } => {
            registration::burned_register(context, signer, *netuid, *hotkey)
        }
        Subtensor::serve_axon { .. } | Subtensor::serve_axon_tls { .. } => serving::serve_axon(context, signer, call),
        Subtensor::serve_prometheus { netuid, version, ip, port, ip_type } => {
            serving::serve_prometheus(context, signer, *netuid, *version, *ip, *port, *ip_type)
        }
    }
}

/// Several calls, each of them all or nothing. `batch` stops at the first that fails and keeps what was done before,
/// `batch_all` keeps nothing then, `force_batch` goes on.
fn batch(context: &mut Context<'_, '_>, origin: Origin, call: &utility::Call) -> Outcome {
    let (utility::Call::batch { calls } | utility::Call::batch_all { calls } | utility::Call::force_batch { calls }) =
        call;
    if calls.len() > BATCHED_CALLS_LIMIT as usize {
        return Err(utility::Error::TooManyCalls.into());
    }
    let mut failed = false;
    for (index, item) in (0u32..).zip(calls) {
        let outcome = context.all_or_nothing(|context| dispatch(context, origin, item));
        let event = match (outcome, call) {
            (Ok(()), _) => utility::Event::ItemCompleted,
            (Err(error), utility::Call::batch { .. }) => {
                context.deposit(RuntimeEvent::Utility(utility::Event::BatchInterrupted { index, error }));
                return Ok(());
            }
            (Err(error), utility::Call::batch_all { .. }) => return Err(error),
            (Err(error), utility::Call::force_batch { .. }) => {
                failed = true;
                utility::Event::ItemFailed { error }
            }
        };
        context.deposit(RuntimeEvent::Utility(event));
    }
    let event = if failed { utility::Event::BatchCompletedWithErrors } else { utility::Event::BatchCompleted };
    context.deposit(RuntimeEvent::Utility(event));
    Ok(())
}
