//! Setting weights: the checks of subtensor in its order, and its fixed-point scaling.

use std::collections::BTreeSet;

use codec::Compact;

use super::Outcome;
use crate::execution::Context;
use crate::neurons;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_subtensor::pallet::{Error, Event};
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::store::Read;

/// `set_weights` and `set_mechanism_weights`, and the end of every reveal.
pub(super) fn set_weights(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    mechanism: u8,
    uids: &[u16],
    weights: &[u16],
    version_key: u64,
) -> Outcome {
    if netuid == 0 {
        return Err(Error::CanNotSetRootNetworkWeights.into());
    }
    if uids.len() != weights.len() {
        return Err(Error::WeightVecNotEqualSize.into());
    }
    let index = check_mechanism(context.state, netuid, mechanism)?;
    let uid = check_signer(context, signer, netuid, index, uids.len(), version_key)?;
    check_weights(context.state, signer, netuid, uid, uids, weights)?;
    let row: Vec<(u16, u16)> = uids.iter().copied().zip(scaled_up(weights)).collect();
    s::WEIGHTS.put(context.state, &(index, uid), &row);
    if !s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(context.state, &netuid) {
        let block = u64::from(context.block);
        s::LAST_UPDATE.change(context.state, &index, |updates| neurons::set(updates, uid, block));
    }
    context.deposit(RuntimeEvent::SubtensorModule(Event::WeightsSet(index, uid)));
    Ok(())
}

/// The index of a mechanism, when subnet and mechanism exist.
pub(super) fn check_mechanism(state: &impl Read, netuid: u16, mechanism: u8) -> Result<u16, Error> {
    if !s::NETWORKS_ADDED.get(state, &netuid) {
        return Err(Error::SubnetNotExists);
    }
    neurons::mechanism_index(state, netuid, mechanism).ok_or(Error::MechanismDoesNotExist)
}

/// The checks from the length on that do not look at the weights; gives the signer's slot.
fn check_signer(
    context: &Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    index: u16,
    length: usize,
    version_key: u64,
) -> Result<u16, Error> {
    let state = &*context.state;
    if length > usize::from(s::SUBNETWORK_N.get(state, &netuid)) {
        return Err(Error::UidsLengthExceedUidsInSubNet);
    }
    let uid = s::UIDS.find(state, &(netuid, signer)).ok_or(Error::HotKeyNotRegisteredInSubNet)?;
    let enough = neurons::stake(state, netuid, signer) >= s::STAKE_THRESHOLD.get(state, &());
    if !enough && !neurons::is_owner(state, netuid, signer) {
        return Err(Error::NotEnoughStakeToSetWeights);
    }
    let least = s::WEIGHTS_VERSION_KEY.get(state, &netuid);
    if least != 0 && version_key < least {
        return Err(Error::IncorrectWeightVersionKey);
    }
    if !s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(state, &netuid) && is_too_fast(context, netuid, index, uid) {
        return Err(Error::SettingWeightsTooFast);
    }
    Ok(uid)
}

/// Whether a slot was updated too short a time ago. Block 0 stands for "never".
pub(super) fn is_too_fast(context: &Context<'_, '_>, netuid: u16, index: u16, uid: u16) -> bool {
    let last = neurons::at(&s::LAST_UPDATE.get(context.state, &index), uid);
    let limit = s::WEIGHTS_SET_RATE_LIMIT.get(context.state, &netuid);
    last != 0 && u64::from(context.block).saturating_sub(last) < limit
}

fn check_weights(
    state: &impl Read,
    signer: AccountId32,
    netuid: u16,
    uid: u16,
    uids: &[u16],
    weights: &[u16],
) -> Result<(), Error> {
    let is_self_weight = uids == [uid];
    let permitted = neurons::at(&s::VALIDATOR_PERMIT.get(state, &netuid), uid);
    if !permitted && !is_self_weight && !neurons::is_owner(state, netuid, signer) {
        return Err(Error::NeuronNoValidatorPermit);
    }
    if uids.iter().collect::<BTreeSet<_>>().len() != uids.len() {
        return Err(Error::DuplicateUids);
    }
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    if uids.iter().any(|uid| *uid >= slots) {
        return Err(Error::UidVecContainInvalidOne);
    }
    let least = s::MIN_ALLOWED_WEIGHTS.get(state, &netuid).min(slots);
    if uids.len() < usize::from(least) && !is_self_weight {
        return Err(Error::WeightVecLengthIsLow);
    }
    let sum: u64 = weights.iter().copied().map(u64::from).sum();
    let largest = u64::from(weights.iter().copied().max().unwrap_or(0));
    let limit = u64::from(s::MAX_WEIGHTS_LIMIT.get(state, &netuid));
    // largest / sum > limit / 65535, without a division. At most 4,096 weights of 16 bits: no overflow.
    if !is_self_weight && largest * u64::from(u16::MAX) > limit * sum {
        return Err(Error::MaxWeightExceeded);
    }
    Ok(())
}

/// Scales so that the largest weight is 65535, in subtensor's arithmetic of 32 fraction bits: above 32768 by a truncated
/// factor, else by a truncated quotient, both rounded to the nearest. All zeros stay zeros.
fn scaled_up(weights: &[u16]) -> Vec<u16> {
    let largest = u64::from(weights.iter().copied().max().unwrap_or(0));
    let top = u64::from(u16::MAX);
    let scale = |weight: u16| {
        let weight = u64::from(weight);
        // Below 2⁶⁴ in both cases: 2¹⁶ · 2³³, and 2³¹ · 2³².
        let fixed = match largest {
            0 => 0,
            32_769.. => weight * ((top << 32) / largest),
            _ => ((weight * top) << 32) / largest,
        };
        u16::try_from((fixed + (1 << 31)) >> 32).unwrap_or(u16::MAX)
    };
    weights.iter().copied().map(scale).collect()
}

/// Sets the weights of several subnets; an item that fails is told of and does not stop the others.
pub(super) fn batch_set_weights(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuids: &[Compact<u16>],
    weights: &[Vec<(Compact<u16>, Compact<u16>)>],
    version_keys: &[Compact<u64>],
) -> Outcome {
    if netuids.len() != weights.len() || netuids.len() != version_keys.len() {
        return Err(Error::InputLengthsUnequal.into());
    }
    let mut failed = false;
    for ((Compact(netuid), row), Compact(version_key)) in netuids.iter().zip(weights).zip(version_keys) {
        let (uids, values): (Vec<u16>, Vec<u16>) = row.iter().map(|(uid, weight)| (uid.0, weight.0)).unzip();
        let outcome = context.all_or_nothing(|context| {
            if s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(context.state, netuid)
                && s::NETWORKS_ADDED.get(context.state, netuid)
            {
                return Err(Error::CommitRevealEnabled.into());
            }
            set_weights(context, signer, *netuid, 0, &uids, &values, *version_key)
        });
        if let Err(error) = outcome {
            failed = true;
            context.deposit(RuntimeEvent::SubtensorModule(Event::BatchWeightItemFailed(error)));
        }
    }
    if failed {
        context.deposit(RuntimeEvent::SubtensorModule(Event::BatchCompletedWithErrors()));
    }
    context.deposit(RuntimeEvent::SubtensorModule(Event::BatchWeightsCompleted(netuids.to_vec(), signer)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::scaled_up;

    #[test]
    fn weights_are_scaled_to_the_full_range() {
        for (weights, scaled) in [
            (vec![], vec![]),
            (vec![0, 0], vec![0, 0]),
            (vec![1, 2, 3], vec![21845, 43690, 65535]),
            (vec![1, 65535], vec![1, 65535]),
            (vec![32768, 16384], vec![65535, 32768]),
            (vec![2, 1], vec![65535, 32768]),
            // Half of 65535 is 32767.5: above 32768 the truncated factor falls just below it.
            (vec![40000, 20000, 1], vec![65535, 32767, 2]),
        ] {
            assert_eq!(scaled_up(&weights), scaled, "{weights:?}");
        }
    }
}
