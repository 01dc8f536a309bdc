//! Slots: who gets one, and who loses it.

use super::Outcome;
use super::accounts::withdraw;
use crate::execution::Context;
use crate::neurons;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_balances;
use crate::runtime::pallet_subtensor::pallet::{Error, Event};
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;

/// `burned_register`, signed by the coldkey. The burn is a hyperparameter here and does not move by demand.
pub(super) fn burned_register(
    context: &mut Context<'_, '_>,
    coldkey: AccountId32,
    netuid: u16,
    hotkey: AccountId32,
) -> Outcome {
    if netuid == 0 {
        return Err(Error::RegistrationNotPermittedOnRootSubnet.into());
    }
    if !s::NETWORKS_ADDED.get(context.state, &netuid) {
        return Err(Error::SubnetNotExists.into());
    }
    if !s::NETWORK_REGISTRATION_ALLOWED.get(context.state, &netuid) {
        return Err(Error::SubNetRegistrationDisabled.into());
    }
    if s::UIDS.find(context.state, &(netuid, hotkey)).is_some() {
        return Err(Error::HotKeyAlreadyRegisteredInSubNet.into());
    }
    if s::OWNER.find(context.state, &hotkey).is_some_and(|owner| owner != coldkey) {
        return Err(Error::NonAssociatedColdKey.into());
    }
    let burn = s::BURN.get(context.state, &netuid);
    if burn > 0 {
        withdraw(context, coldkey, burn).map_err(|_| Error::NotEnoughBalanceToStake)?;
        pallet_balances::TOTAL_ISSUANCE.change(context.state, &(), |issued| *issued = issued.saturating_sub(burn));
        let event = pallet_balances::pallet::Event::Withdraw { who: coldkey, amount: burn };
        context.deposit(RuntimeEvent::Balances(event));
    }
    let uid = free_slot(context, netuid).ok_or(Error::NoNeuronIdAvailable)?;
    neurons::seat(context.state, context.block, netuid, uid, hotkey, coldkey);
    context.deposit(RuntimeEvent::SubtensorModule(Event::NeuronRegistered(netuid, uid, hotkey)));
    Ok(())
}

/// A new slot while there are any; then that of the lowest emission outside immunity, never the owner's. Ties go to those
/// without permit (subtensor does not look at it), then to the earliest registration.
fn free_slot(context: &Context<'_, '_>, netuid: u16) -> Option<u16> {
    let state = &*context.state;
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    if slots < s::MAX_ALLOWED_UIDS.get(state, &netuid) {
        return Some(slots);
    }
    let immunity = u64::from(s::IMMUNITY_PERIOD.get(state, &netuid));
    let emission = s::EMISSION.get(state, &netuid);
    let permits = s::VALIDATOR_PERMIT.get(state, &netuid);
    (0..slots)
        .filter(|uid| !neurons::is_owner(state, netuid, s::KEYS.get(state, &(netuid, *uid))))
        .map(|uid| (uid, s::BLOCK_AT_REGISTRATION.get(state, &(netuid, uid))))
        .filter(|(_, registered)| u64::from(context.block).saturating_sub(*registered) >= immunity)
        .min_by_key(|(uid, registered)| (neurons::at(&emission, *uid), neurons::at(&permits, *uid), *registered, *uid))
        .map(|(uid, _)| uid)
}
