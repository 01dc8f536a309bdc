//! A subnet's token. There is no market here: pools and prices are zero.

use codec::Compact;

use crate::neurons::netuids;
use crate::runtime::pallet_subtensor::rpc_info::dynamic_info;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::store::Read;

type DynamicInfo = dynamic_info::DynamicInfo<AccountId32>;

/// Text as the chain writes it here: each byte compact.
pub(super) fn text(bytes: &[u8]) -> Vec<Compact<u8>> {
    bytes.iter().copied().map(Compact).collect()
}

/// A subnet's name: that of its identity, else its number.
pub(super) fn name(state: &impl Read, netuid: u16) -> Vec<Compact<u8>> {
    match s::SUBNET_IDENTITIES_V3.find(state, &netuid) {
        Some(identity) => text(&identity.subnet_name),
        None => text(format!("subnet {netuid}").as_bytes()),
    }
}

pub(super) fn all(state: &impl Read) -> Vec<Option<DynamicInfo>> {
    netuids(state).into_iter().map(|netuid| one(state, netuid)).collect()
}

pub(super) fn one(state: &impl Read, netuid: u16) -> Option<DynamicInfo> {
    if !s::NETWORKS_ADDED.get(state, &netuid) {
        return None;
    }
    let pending = s::PENDING_SERVER_EMISSION
        .get(state, &netuid)
        .saturating_add(s::PENDING_VALIDATOR_EMISSION.get(state, &netuid));
    Some(DynamicInfo {
        netuid: Compact(netuid),
        owner_hotkey: s::SUBNET_OWNER_HOTKEY.get(state, &netuid),
        owner_coldkey: s::SUBNET_OWNER.get(state, &netuid),
        subnet_name: name(state, netuid),
        token_symbol: text(&s::TOKEN_SYMBOL.get(state, &netuid)),
        tempo: s::TEMPO.get(state, &netuid).into(),
        last_step: s::LAST_MECHANISM_STEP_BLOCK.get(state, &netuid).into(),
        blocks_since_last_step: s::BLOCKS_SINCE_LAST_STEP.get(state, &netuid).into(),
        emission: 0.into(),
        alpha_in: s::SUBNET_ALPHA_IN.get(state, &netuid).into(),
        alpha_out: s::SUBNET_ALPHA_OUT.get(state, &netuid).into(),
        tao_in: s::SUBNET_TAO.get(state, &netuid).into(),
        alpha_out_emission: s::SUBNET_ALPHA_OUT_EMISSION.get(state, &netuid).into(),
        alpha_in_emission: s::SUBNET_ALPHA_IN_EMISSION.get(state, &netuid).into(),
        tao_in_emission: s::SUBNET_TAO_IN_EMISSION.get(state, &netuid).into(),
        pending_alpha_emission: pending.into(),
        pending_root_emission: 0.into(),
        subnet_volume: s::SUBNET_VOLUME.get(state, &netuid).into(),
        network_registered_at: s::NETWORK_REGISTERED_AT.get(state, &netuid).into(),
        subnet_identity: s::SUBNET_IDENTITIES_V3.find(state, &netuid),
        moving_price: s::SUBNET_MOVING_PRICE.get(state, &netuid),
    })
}
