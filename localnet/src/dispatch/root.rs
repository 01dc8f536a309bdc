//! What only the root key may do.

use super::{Origin, Outcome, dispatch};
use crate::execution::Context;
use crate::genesis;
use crate::item::Item;
use crate::neurons;
use crate::runtime::node_subtensor_runtime::{RuntimeCall, RuntimeEvent};
use crate::runtime::pallet_admin_utils::pallet as admin_utils;
use crate::runtime::pallet_development::pallet as development_pallet;
use crate::runtime::pallet_subtensor::pallet as subtensor;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::{frame_system, pallet_balances, pallet_sudo};
use crate::store::Read;
use crate::timelock;

/// A beacon's signature is a compressed point of G1.
const SIGNATURE_BYTES: usize = 48;

/// `Sudo.sudo`. Whether the inner call failed is told by the event `Sudid` only.
pub(super) fn sudo(context: &mut Context<'_, '_>, signer: AccountId32, call: &RuntimeCall) -> Outcome {
    if pallet_sudo::KEY.find(context.state, &()) != Some(signer) {
        return Err(pallet_sudo::pallet::Error::RequireSudo.into());
    }
    let sudo_result = context.all_or_nothing(|context| dispatch(context, Origin::Root, call));
    context.deposit(RuntimeEvent::Sudo(pallet_sudo::pallet::Event::Sudid { sudo_result }));
    Ok(())
}

fn check_subnet(state: &impl Read, netuid: u16) -> Result<(), admin_utils::Error> {
    if s::NETWORKS_ADDED.get(state, &netuid) { Ok(()) } else { Err(admin_utils::Error::SubnetDoesNotExist) }
}

/// A hyperparameter of a subnet.
fn set<V: codec::Encode + codec::Decode>(
    context: &mut Context<'_, '_>,
    item: &Item<u16, V>,
    netuid: u16,
    value: &V,
) -> Outcome {
    check_subnet(context.state, netuid)?;
    item.put(context.state, &netuid, value);
    Ok(())
}

/// Subtensor's own root calls.
pub(super) fn admin(context: &mut Context<'_, '_>, origin: Origin, call: &admin_utils::Call) -> Outcome {
    use admin_utils::Call;
    origin.check_root()?;
    match call {
        Call::sudo_set_serving_rate_limit { netuid, serving_rate_limit: value } => {
            set(context, &s::SERVING_RATE_LIMIT, *netuid, value)
        }
        Call::sudo_set_weights_version_key { netuid, weights_version_key: value } => {
            set(context, &s::WEIGHTS_VERSION_KEY, *netuid, value)
        }
        Call::sudo_set_weights_set_rate_limit { netuid, weights_set_rate_limit: value } => {
            set(context, &s::WEIGHTS_SET_RATE_LIMIT, *netuid, value)
        }
        Call::sudo_set_immunity_period { netuid, immunity_period: value } => {
            set(context, &s::IMMUNITY_PERIOD, *netuid, value)
        }
        Call::sudo_set_min_allowed_weights { netuid, min_allowed_weights: value } => {
            set(context, &s::MIN_ALLOWED_WEIGHTS, *netuid, value)
        }
        Call::sudo_set_max_allowed_uids { netuid, max_allowed_uids: value } => {
            if *value < s::SUBNETWORK_N.get(context.state, netuid) {
                return Err(admin_utils::Error::MaxAllowedUIdsLessThanCurrentUIds.into());
            }
            set(context, &s::MAX_ALLOWED_UIDS, *netuid, value)
        }
        Call::sudo_set_kappa { netuid, kappa: value } => set(context, &s::KAPPA, *netuid, value),
        Call::sudo_set_activity_cutoff { netuid, activity_cutoff: value } => {
            set(context, &s::ACTIVITY_CUTOFF, *netuid, value)
        }
        Call::sudo_set_network_registration_allowed { netuid, registration_allowed: value } => {
            set(context, &s::NETWORK_REGISTRATION_ALLOWED, *netuid, value)
        }
        Call::sudo_set_max_allowed_validators { netuid, max_allowed_validators: value } => {
            if *value > s::MAX_ALLOWED_UIDS.get(context.state, netuid) {
                return Err(admin_utils::Error::MaxValidatorsLargerThanMaxUIds.into());
            }
            set(context, &s::MAX_ALLOWED_VALIDATORS, *netuid, value)
        }
        Call::sudo_set_bonds_moving_average { netuid, bonds_moving_average: value } => {
            if *value > 1_000_000 {
                return Err(admin_utils::Error::BondsMovingAverageMaxReached.into());
            }
            set(context, &s::BONDS_MOVING_AVERAGE, *netuid, value)
        }
        Call::sudo_set_bonds_penalty { netuid, bonds_penalty: value } => {
            set(context, &s::BONDS_PENALTY, *netuid, value)
        }
        Call::sudo_set_tempo { netuid, tempo: value } => set(context, &s::TEMPO, *netuid, value),
        Call::sudo_set_stake_threshold { min_stake } => {
            s::STAKE_THRESHOLD.put(context.state, &(), min_stake);
            Ok(())
        }
        Call::sudo_set_commit_reveal_weights_enabled { netuid, enabled: value } => {
            set(context, &s::COMMIT_REVEAL_WEIGHTS_ENABLED, *netuid, value)
        }
        Call::sudo_set_liquid_alpha_enabled { netuid, enabled: value } => {
            set(context, &s::LIQUID_ALPHA_ON, *netuid, value)
        }
        Call::sudo_set_commit_reveal_weights_interval { netuid, interval: value } => {
            set(context, &s::REVEAL_PERIOD_EPOCHS, *netuid, value)
        }
        Call::sudo_set_yuma3_enabled { netuid, enabled: value } => set(context, &s::YUMA3_ON, *netuid, value),
        Call::sudo_set_mechanism_count { netuid, mechanism_count: value } => {
            check_subnet(context.state, *netuid)?;
            if *value == 0 || *value > 16 {
                return Err(subtensor::Error::InvalidValue.into());
            }
            s::MECHANISM_COUNT_CURRENT.put(context.state, netuid, value);
            neurons::extend_mechanisms(context.state, *netuid);
            Ok(())
        }
    }
}

/// This chain's own root calls.
pub(super) fn development(context: &mut Context<'_, '_>, origin: Origin, call: &development_pallet::Call) -> Outcome {
    use development_pallet::{Call, Error};
    origin.check_root()?;
    match call {
        Call::set_hyperparameters { netuid, hyperparameters } => {
            check_subnet(context.state, *netuid)?;
            let slots = s::SUBNETWORK_N.get(context.state, netuid);
            if hyperparameters.fault().is_some() || hyperparameters.max_allowed_uids < slots {
                return Err(Error::InvalidHyperparameters.into());
            }
            genesis::set_hyperparameters(context.state, *netuid, hyperparameters);
        }
        Call::set_stake { netuid, hotkey, stake } => {
            if s::UIDS.find(context.state, &(*netuid, *hotkey)).is_none() {
                return Err(subtensor::Error::HotKeyNotRegisteredInSubNet.into());
            }
            genesis::set_stake(context.state, *netuid, *hotkey, *stake);
        }
        Call::replace_neuron { netuid, uid, hotkey, coldkey } => {
            if *uid >= s::SUBNETWORK_N.get(context.state, netuid) {
                return Err(Error::NoSuchSlot.into());
            }
            if s::UIDS.find(context.state, &(*netuid, *hotkey)).is_some() {
                return Err(subtensor::Error::HotKeyAlreadyRegisteredInSubNet.into());
            }
            neurons::seat(context.state, context.block, *netuid, *uid, *hotkey, *coldkey);
            let event = subtensor::Event::NeuronRegistered(*netuid, *uid, *hotkey);
            context.deposit(RuntimeEvent::SubtensorModule(event));
        }
        Call::set_balance { who, free } => set_balance(context, *who, *free),
        Call::write_pulse { round, signature } => {
            if signature.len() != SIGNATURE_BYTES {
                return Err(Error::InvalidPulse.into());
            }
            timelock::store(context, *round, signature);
        }
    }
    Ok(())
}

fn set_balance(context: &mut Context<'_, '_>, who: AccountId32, free: u64) {
    let before = frame_system::ACCOUNT.get(context.state, &who).data.free;
    frame_system::ACCOUNT.change(context.state, &who, |account| {
        account.data.free = free;
        account.providers = account.providers.max(1);
    });
    pallet_balances::TOTAL_ISSUANCE
        .change(context.state, &(), |issued| *issued = issued.saturating_sub(before).saturating_add(free));
    context.deposit(RuntimeEvent::Balances(pallet_balances::pallet::Event::BalanceSet { who, free }));
}
