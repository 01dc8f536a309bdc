//! The state after block 0.

use std::net::IpAddr;

use domain::types::Hotkey;

use crate::block::Genesis;
use crate::error::Error;
use crate::hyperparameters::Hyperparameters;
use crate::neurons;
use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::pallet_drand::types::BeaconConfiguration;
use crate::runtime::pallet_subtensor::pallet::AxonInfo;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::{frame_system, pallet_balances, pallet_development, pallet_drand, pallet_sudo, pallet_timestamp};
use crate::schedule::{Schedule, activity_cutoff_factor};
use crate::specification::GenesisSubnet;
use crate::store::Overlay;

/// The public key of an address.
pub(crate) fn account(hotkey: &Hotkey) -> Result<AccountId32, Error> {
    let public = hotkey.public().map_err(|error| Error::InvalidSpecification(format!("{hotkey}: {error}")))?;
    Ok(AccountId32(public))
}

/// Writes all that a chain begins with.
pub(crate) fn write(state: &mut Overlay<'_>, genesis: &Genesis) -> Result<(), Error> {
    let specification = &genesis.specification;
    frame_system::NUMBER.put(state, &(), &0);
    let spec_version = specification.schedule.spec_version();
    let upgrade = frame_system::LastRuntimeUpgradeInfo { spec_version, spec_name: "node-subtensor".to_owned() };
    frame_system::LAST_RUNTIME_UPGRADE.put(state, &(), &upgrade);
    pallet_timestamp::NOW.put(state, &(), &genesis.timestamp_ms);
    pallet_sudo::KEY.put(state, &(), &account(&specification.root)?);
    pallet_development::ALLOW_LOOPBACK_AXONS.put(state, &(), &specification.allow_loopback_axons);
    let mut issued = 0u64;
    for (owner, balance) in &specification.balances {
        frame_system::ACCOUNT.change(state, &account(owner)?, |account| {
            account.data.free = balance.0;
            account.providers = 1;
        });
        issued = issued.saturating_add(balance.0);
    }
    pallet_balances::TOTAL_ISSUANCE.put(state, &(), &issued);
    if let Some(beacon) = &specification.beacon {
        let key = commit_reveal::BeaconKey::from_seed(&beacon.seed.0);
        let public_key = key.public_key().map_err(|error| Error::InvalidSpecification(format!("beacon: {error}")))?;
        pallet_development::BEACON_SEED.put(state, &(), &beacon.seed.0);
        let configuration = BeaconConfiguration {
            public_key: BoundedVec(public_key.to_vec()),
            period: beacon.period,
            genesis_time: beacon.genesis_time,
            ..BeaconConfiguration::default()
        };
        pallet_drand::BEACON_CONFIG.put(state, &(), &configuration);
    }
    let networks = u16::try_from(specification.subnets.len()).unwrap_or(u16::MAX);
    s::TOTAL_NETWORKS.put(state, &(), &networks);
    for subnet in &specification.subnets {
        write_subnet(state, subnet)?;
    }
    Ok(())
}

fn write_subnet(state: &mut Overlay<'_>, subnet: &GenesisSubnet) -> Result<(), Error> {
    let netuid = subnet.netuid.0;
    s::NETWORKS_ADDED.put(state, &netuid, &true);
    s::SUBTOKEN_ENABLED.put(state, &netuid, &true);
    s::FIRST_EMISSION_BLOCK_NUMBER.put(state, &netuid, &1);
    s::MAX_REGISTRATIONS_PER_BLOCK.put(state, &netuid, &u16::MAX);
    s::SUBNET_MECHANISM.put(state, &netuid, &1);
    set_hyperparameters(state, netuid, &subnet.hyperparameters);
    if let Some(owner) = &subnet.owner {
        let owner = account(owner)?;
        s::SUBNET_OWNER_HOTKEY.put(state, &netuid, &owner);
        let coldkey = subnet.neurons.iter().find(|neuron| Some(neuron.hotkey) == subnet.owner);
        let coldkey = coldkey.map_or(Ok(owner), |neuron| account(&neuron.coldkey))?;
        s::SUBNET_OWNER.put(state, &netuid, &coldkey);
    }
    for (uid, neuron) in (0u16..).zip(&subnet.neurons) {
        let hotkey = account(&neuron.hotkey)?;
        neurons::seat(state, 0, netuid, uid, hotkey, account(&neuron.coldkey)?);
        set_stake(state, netuid, hotkey, neuron.stake.0);
        if let Some((ip, port)) = neuron.axon {
            s::AXONS.put(state, &(netuid, hotkey), &axon(ip, port));
        }
    }
    let permits = neurons::permits(state, netuid);
    s::VALIDATOR_PERMIT.put(state, &netuid, &permits);
    Ok(())
}

fn axon(ip: IpAddr, port: u16) -> AxonInfo {
    let (ip, ip_type) = match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), 4),
        IpAddr::V6(ip) => (ip.to_bits(), 6),
    };
    AxonInfo { ip, port, ip_type, protocol: 4, ..AxonInfo::default() }
}

/// Sets a hotkey's stake in a subnet, and the subnet's sum of it.
pub(crate) fn set_stake(state: &mut Overlay<'_>, netuid: u16, hotkey: AccountId32, stake: u64) {
    let before = s::TOTAL_HOTKEY_ALPHA.get(state, &(hotkey, netuid));
    s::TOTAL_HOTKEY_ALPHA.put(state, &(hotkey, netuid), &stake);
    s::SUBNET_ALPHA_OUT.change(state, &netuid, |out| *out = out.saturating_sub(before).saturating_add(stake));
}

/// Sets all hyperparameters of a subnet.
pub(crate) fn set_hyperparameters(state: &mut Overlay<'_>, netuid: u16, hyperparameters: &Hyperparameters) {
    let h = hyperparameters;
    for (item, value) in [
        (&s::TEMPO, h.tempo),
        (&s::MIN_ALLOWED_WEIGHTS, h.min_allowed_weights),
        (&s::MAX_WEIGHTS_LIMIT, h.max_weight_limit),
        (&s::IMMUNITY_PERIOD, h.immunity_period),
        (&s::MAX_ALLOWED_UIDS, h.max_allowed_uids),
        (&s::MAX_ALLOWED_VALIDATORS, h.max_allowed_validators),
        (&s::ACTIVITY_CUTOFF, h.activity_cutoff),
        (&s::KAPPA, h.kappa),
        (&s::BONDS_PENALTY, h.bonds_penalty),
    ] {
        item.put(state, &netuid, &value);
    }
    for (item, value) in [
        (&s::WEIGHTS_SET_RATE_LIMIT, h.weights_rate_limit),
        (&s::WEIGHTS_VERSION_KEY, h.weights_version_key),
        (&s::REVEAL_PERIOD_EPOCHS, h.reveal_period_epochs),
        (&s::SERVING_RATE_LIMIT, h.serving_rate_limit),
        (&s::BONDS_MOVING_AVERAGE, h.bonds_moving_average),
        (&s::BURN, h.burn),
    ] {
        item.put(state, &netuid, &value);
    }
    for (item, value) in [
        (&s::COMMIT_REVEAL_WEIGHTS_ENABLED, h.commit_reveal_enabled),
        (&s::YUMA3_ON, h.yuma3),
        (&s::LIQUID_ALPHA_ON, h.liquid_alpha),
    ] {
        item.put(state, &netuid, &value);
    }
    if Schedule::of(state) == Schedule::Stateful
        && let Some(factor) = activity_cutoff_factor(h.activity_cutoff, h.tempo)
    {
        s::ACTIVITY_CUTOFF_FACTOR_MILLI.put(state, &netuid, &factor);
    }
    s::STAKE_THRESHOLD.put(state, &(), &h.stake_threshold);
    s::MECHANISM_COUNT_CURRENT.put(state, &netuid, &h.mechanism_count);
    neurons::extend_mechanisms(state, netuid);
}
