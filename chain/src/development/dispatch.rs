//! What a call does to the state, and why it may do nothing.
//!
//! The checks stand in subtensor's order and their errors have its names, so that a caller that handles these handles
//! those of a real chain. A call that fails changes nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use domain::types::{BlockNumber, Hotkey, NetUid, Rao, Uid};

use super::extrinsic::{DevelopmentCall, RootCall};
use super::specification;
use super::state::{State, Subnet};
use crate::types::{Call, Hyperparameters};

/// A field of the commitments pallet holds at most this many bytes.
const MAXIMUM_COMMITMENT: usize = 128;

/// Errors of calls, named as subtensor and Substrate name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are subtensor's; what they mean stands at each check")]
pub enum DispatchError {
    AccountNotAllowedCommit,
    CanNotSetRootNetworkWeights,
    CommitRevealDisabled,
    DuplicateUids,
    HotKeyAlreadyRegisteredInSubNet,
    HotKeyNotRegisteredInNetwork,
    HotKeyNotRegisteredInSubNet,
    IncorrectWeightVersionKey,
    InvalidIpAddress,
    InvalidPort,
    MaxWeightExceeded,
    MechanismDoesNotExist,
    NeuronNoValidatorPermit,
    NoNeuronIdAvailable,
    NonAssociatedColdKey,
    NotEnoughStakeToSetWeights,
    RequireSudo,
    ServingRateLimitExceeded,
    SettingWeightsTooFast,
    SubnetNotExists,
    TooManyFieldsInCommitmentInfo,
    UidVecContainInvalidOne,
    UidsLengthExceedUidsInSubNet,
    WeightVecLengthIsLow,
    WeightVecNotEqualSize,
    /// A root call with hyperparameters that this chain cannot run; not a name of subtensor.
    InvalidHyperparameters,
}

impl DispatchError {
    /// Subtensor's name.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// Performs a call for its signer in block `block`.
pub(crate) fn dispatch(
    state: &mut State,
    block: BlockNumber,
    signer: &Hotkey,
    call: &DevelopmentCall,
) -> Result<(), DispatchError> {
    match call {
        DevelopmentCall::Subtensor(Call::SetWeights { netuid, uids, weights, version_key }) => {
            set_weights(state, block, signer, *netuid, uids, weights, *version_key)
        }
        DevelopmentCall::Subtensor(Call::SetMechanismWeights { netuid, mechanism: 0, uids, weights, version_key }) => {
            set_weights(state, block, signer, *netuid, uids, weights, *version_key)
        }
        DevelopmentCall::Subtensor(Call::SetMechanismWeights { .. }) => Err(DispatchError::MechanismDoesNotExist),
        // There is no beacon here and no reveal: `commit_reveal_enabled` is refused for every subnet.
        DevelopmentCall::Subtensor(
            Call::CommitWeights { .. }
            | Call::RevealWeights { .. }
            | Call::CommitTimelockedWeights { .. }
            | Call::CommitTimelockedMechanismWeights { .. },
        ) => Err(DispatchError::CommitRevealDisabled),
        DevelopmentCall::Subtensor(Call::SetCommitment { netuid, data }) => {
            set_commitment(state, block, signer, *netuid, data)
        }
        DevelopmentCall::Subtensor(Call::BurnedRegister { netuid, hotkey }) => {
            burned_register(state, block, signer, *netuid, hotkey)
        }
        DevelopmentCall::Subtensor(Call::ServeAxon { netuid, ip, port }) => {
            serve_axon(state, block, signer, *netuid, *ip, *port)
        }
        DevelopmentCall::Root(call) => root(state, block, signer, call),
    }
}

fn subnet(state: &mut State, netuid: NetUid) -> Result<&mut Subnet, DispatchError> {
    state.subnets.get_mut(&netuid).ok_or(DispatchError::SubnetNotExists)
}

fn set_weights(
    state: &mut State,
    block: BlockNumber,
    signer: &Hotkey,
    netuid: NetUid,
    uids: &[Uid],
    weights: &[u16],
    version_key: u64,
) -> Result<(), DispatchError> {
    if netuid.0 == 0 {
        return Err(DispatchError::CanNotSetRootNetworkWeights);
    }
    if uids.len() != weights.len() {
        return Err(DispatchError::WeightVecNotEqualSize);
    }
    let subnet = subnet(state, netuid)?;
    let uid = check_weights(subnet, block, signer, uids, weights, version_key)?;
    let Some(slot) = subnet.slots.get_mut(usize::from(uid.0)) else {
        return Err(DispatchError::HotKeyNotRegisteredInSubNet);
    };
    let mut row: Vec<(Uid, u16)> = uids.iter().copied().zip(scaled_up(weights)).collect();
    row.sort_unstable_by_key(|(uid, _)| *uid);
    slot.weights.set(block, row);
    if let Some(mut neuron) = slot.neuron.latest().cloned() {
        neuron.last_update = block;
        slot.neuron.set(block, neuron);
    }
    Ok(())
}

/// The checks of `set_weights` from the length on; gives the signer's slot.
fn check_weights(
    subnet: &Subnet,
    block: BlockNumber,
    signer: &Hotkey,
    uids: &[Uid],
    weights: &[u16],
    version_key: u64,
) -> Result<Uid, DispatchError> {
    let Hyperparameters { weights_version_key, weights_rate_limit, min_allowed_weights, max_weight_limit, .. } =
        subnet.current();
    let slots = subnet.slots.len();
    if uids.len() > slots {
        return Err(DispatchError::UidsLengthExceedUidsInSubNet);
    }
    let uid = *subnet.uids.get(signer).ok_or(DispatchError::HotKeyNotRegisteredInSubNet)?;
    let neuron = subnet.neuron(uid).ok_or(DispatchError::HotKeyNotRegisteredInSubNet)?;
    let is_owner = subnet.owner == Some(*signer);
    if neuron.stake < subnet.current().stake_threshold && !is_owner {
        return Err(DispatchError::NotEnoughStakeToSetWeights);
    }
    if weights_version_key != 0 && version_key < weights_version_key {
        return Err(DispatchError::IncorrectWeightVersionKey);
    }
    // Block 0 stands for "never", as in subtensor.
    if neuron.last_update.0 != 0 && block.0.saturating_sub(neuron.last_update.0) < weights_rate_limit {
        return Err(DispatchError::SettingWeightsTooFast);
    }
    let is_self_weight = uids == [uid];
    if !neuron.validator_permit && !is_self_weight && !is_owner {
        return Err(DispatchError::NeuronNoValidatorPermit);
    }
    if uids.iter().collect::<BTreeSet<_>>().len() != uids.len() {
        return Err(DispatchError::DuplicateUids);
    }
    if uids.iter().any(|uid| usize::from(uid.0) >= slots) {
        return Err(DispatchError::UidVecContainInvalidOne);
    }
    if uids.len() < usize::from(min_allowed_weights).min(slots) && !is_self_weight {
        return Err(DispatchError::WeightVecLengthIsLow);
    }
    let sum: u64 = weights.iter().copied().map(u64::from).sum();
    let largest = u64::from(weights.iter().copied().max().unwrap_or(0));
    // largest / sum > limit / 65535, without a division. At most 65,536 weights of 16 bits: no overflow.
    if !is_self_weight && largest * u64::from(u16::MAX) > u64::from(max_weight_limit) * sum {
        return Err(DispatchError::MaxWeightExceeded);
    }
    Ok(uid)
}

/// Scales so that the largest weight is 65535, to the nearest, as subtensor stores weights. All zeros stay zeros.
fn scaled_up(weights: &[u16]) -> Vec<u16> {
    let largest = u32::from(weights.iter().copied().max().unwrap_or(0));
    let scale = |weight: u16| match largest {
        0 => 0,
        // At most 65535·65535 + 32767 < 2³², and at most 65535 after the division.
        largest => ((u32::from(weight) * u32::from(u16::MAX) + largest / 2) / largest) as u16,
    };
    weights.iter().copied().map(scale).collect()
}

fn set_commitment(
    state: &mut State,
    block: BlockNumber,
    signer: &Hotkey,
    netuid: NetUid,
    data: &[u8],
) -> Result<(), DispatchError> {
    let subnet = subnet(state, netuid)?;
    if !subnet.uids.contains_key(signer) {
        return Err(DispatchError::AccountNotAllowedCommit);
    }
    if data.len() > MAXIMUM_COMMITMENT {
        return Err(DispatchError::TooManyFieldsInCommitmentInfo);
    }
    subnet.anchors.entry(*signer).or_default().set(block, data.to_vec());
    Ok(())
}

fn burned_register(
    state: &mut State,
    block: BlockNumber,
    coldkey: &Hotkey,
    netuid: NetUid,
    hotkey: &Hotkey,
) -> Result<(), DispatchError> {
    let owner = state.owners.get(hotkey).copied();
    let subnet = subnet(state, netuid)?;
    if subnet.uids.contains_key(hotkey) {
        return Err(DispatchError::HotKeyAlreadyRegisteredInSubNet);
    }
    if owner.is_some_and(|owner| owner != *coldkey) {
        return Err(DispatchError::NonAssociatedColdKey);
    }
    let uid = free_slot(subnet, block).ok_or(DispatchError::NoNeuronIdAvailable)?;
    subnet.seat(block, uid, *hotkey, *coldkey);
    state.owners.insert(*hotkey, *coldkey);
    Ok(())
}

/// A new slot while there are any; then the one registered first of those that are not immune and have no permit. (The
/// real chain takes the one with the lowest emission; this one has no emission.)
fn free_slot(subnet: &Subnet, block: BlockNumber) -> Option<Uid> {
    let hyperparameters = subnet.current();
    let slots = u16::try_from(subnet.slots.len()).ok()?;
    if slots < hyperparameters.max_allowed_uids {
        return Some(Uid(slots));
    }
    let immune_since =
        |registered: BlockNumber| block.0.saturating_sub(registered.0) < u64::from(hyperparameters.immunity_period);
    let neurons = subnet.slots.iter().filter_map(|slot| slot.neuron.latest());
    let replaceable = neurons.filter(|neuron| !neuron.validator_permit && !immune_since(neuron.registered_at));
    replaceable.min_by_key(|neuron| (neuron.registered_at, neuron.uid)).map(|neuron| neuron.uid)
}

fn serve_axon(
    state: &mut State,
    block: BlockNumber,
    signer: &Hotkey,
    netuid: NetUid,
    ip: IpAddr,
    port: u16,
) -> Result<(), DispatchError> {
    let allow_loopback = state.specification.allow_loopback_axons;
    let subnet = subnet(state, netuid)?;
    let uid = *subnet.uids.get(signer).ok_or(DispatchError::HotKeyNotRegisteredInNetwork)?;
    let rate_limit = subnet.current().serving_rate_limit;
    let Some(slot) = subnet.slots.get_mut(usize::from(uid.0)) else {
        return Err(DispatchError::HotKeyNotRegisteredInNetwork);
    };
    let broadcast = ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if broadcast || (ip.is_loopback() && !allow_loopback) {
        return Err(DispatchError::InvalidIpAddress);
    }
    if port == 0 {
        return Err(DispatchError::InvalidPort);
    }
    if slot.served.is_some_and(|served| block.0.saturating_sub(served.0) < rate_limit) {
        return Err(DispatchError::ServingRateLimitExceeded);
    }
    if let Some(mut neuron) = slot.neuron.latest().cloned() {
        (neuron.ip, neuron.port) = (ip, port);
        slot.neuron.set(block, neuron);
        slot.served = Some(block);
    }
    Ok(())
}

fn root(state: &mut State, block: BlockNumber, signer: &Hotkey, call: &RootCall) -> Result<(), DispatchError> {
    if *signer != state.specification.root {
        return Err(DispatchError::RequireSudo);
    }
    match call {
        RootCall::SetHyperparameters { netuid, hyperparameters } => {
            if specification::fault(hyperparameters).is_some() {
                return Err(DispatchError::InvalidHyperparameters);
            }
            let subnet = subnet(state, *netuid)?;
            subnet.hyperparameters.set(block, hyperparameters.clone());
            subnet.reschedule(block);
            Ok(())
        }
        RootCall::SetStake { netuid, hotkey, stake } => set_stake(subnet(state, *netuid)?, block, hotkey, *stake),
        RootCall::ReplaceNeuron { netuid, uid, hotkey, coldkey } => {
            let subnet = subnet(state, *netuid)?;
            if subnet.neuron(*uid).is_none() {
                return Err(DispatchError::UidVecContainInvalidOne);
            }
            if subnet.uids.contains_key(hotkey) {
                return Err(DispatchError::HotKeyAlreadyRegisteredInSubNet);
            }
            subnet.seat(block, *uid, *hotkey, *coldkey);
            state.owners.insert(*hotkey, *coldkey);
            Ok(())
        }
    }
}

fn set_stake(subnet: &mut Subnet, block: BlockNumber, hotkey: &Hotkey, stake: Rao) -> Result<(), DispatchError> {
    let uid = *subnet.uids.get(hotkey).ok_or(DispatchError::HotKeyNotRegisteredInSubNet)?;
    let slot = subnet.slots.get_mut(usize::from(uid.0)).ok_or(DispatchError::HotKeyNotRegisteredInSubNet)?;
    if let Some(mut neuron) = slot.neuron.latest().cloned() {
        neuron.stake = stake;
        slot.neuron.set(block, neuron);
    }
    Ok(())
}
