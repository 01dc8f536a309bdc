//! Slots and who holds them.

use crate::item::Item;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::schedule::Schedule;
use crate::store::{Overlay, Read};

/// Subtensor's `GLOBAL_MAX_SUBNET_COUNT`.
const MECHANISM_STRIDE: u16 = 4096;

/// Under which index a mechanism's weights, bonds, incentives and updates stand; [`None`] when there is no such mechanism.
pub(crate) fn mechanism_index(state: &impl Read, netuid: u16, mechanism: u8) -> Option<u16> {
    let known = mechanism < s::MECHANISM_COUNT_CURRENT.get(state, &netuid);
    known.then(|| u16::from(mechanism) * MECHANISM_STRIDE + netuid)
}

/// The indexes of all mechanisms of a subnet.
pub(crate) fn mechanism_indexes(state: &impl Read, netuid: u16) -> Vec<u16> {
    let count = s::MECHANISM_COUNT_CURRENT.get(state, &netuid);
    (0..count).filter_map(|mechanism| mechanism_index(state, netuid, mechanism)).collect()
}

/// The netuids of all subnets. They are those of genesis.
pub(crate) fn netuids(state: &impl Read) -> Vec<u16> {
    let mut left = s::TOTAL_NETWORKS.get(state, &());
    let mut found = Vec::with_capacity(usize::from(left));
    for netuid in 1..MECHANISM_STRIDE {
        if left == 0 {
            break;
        }
        if s::NETWORKS_ADDED.get(state, &netuid) {
            found.push(netuid);
            left -= 1;
        }
    }
    found
}

/// The shares that a runtime stores of each slot.
fn shares(schedule: Schedule) -> impl Iterator<Item = &'static Item<u16, Vec<u16>>> {
    static ALL: [Item<u16, Vec<u16>>; 7] =
        [s::RANK, s::TRUST, s::CONSENSUS, s::DIVIDENDS, s::VALIDATOR_TRUST, s::PRUNING_SCORES, s::STAKE_WEIGHT];
    ALL.iter().filter(move |item| schedule.has_entry(item.name))
}

/// The vectors that have a place for each slot, besides those of the mechanisms.
fn resize(state: &mut Overlay<'_>, netuid: u16, slots: usize) {
    for item in shares(Schedule::of(state)) {
        item.change(state, &netuid, |values| values.resize(slots, 0));
    }
    s::EMISSION.change(state, &netuid, |values| values.resize(slots, 0));
    s::ACTIVE.change(state, &netuid, |values| values.resize(slots, true));
    s::VALIDATOR_PERMIT.change(state, &netuid, |values| values.resize(slots, false));
    for index in mechanism_indexes(state, netuid) {
        s::INCENTIVE.change(state, &index, |values| values.resize(slots, 0));
        s::LAST_UPDATE.change(state, &index, |values| values.resize(slots, 0));
    }
}

/// Makes the vectors of new mechanisms as long as those of the others.
pub(crate) fn extend_mechanisms(state: &mut Overlay<'_>, netuid: u16) {
    let slots = usize::from(s::SUBNETWORK_N.get(state, &netuid));
    resize(state, netuid, slots);
}

/// Puts a hotkey into a slot: a new one at the end, or an existing one whose holder loses it with all that stands there.
pub(crate) fn seat(
    state: &mut Overlay<'_>,
    block: u32,
    netuid: u16,
    uid: u16,
    hotkey: AccountId32,
    coldkey: AccountId32,
) {
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    if uid < slots {
        unseat(state, netuid, uid);
    } else {
        s::SUBNETWORK_N.put(state, &netuid, &(uid + 1));
        resize(state, netuid, usize::from(uid) + 1);
    }
    s::KEYS.put(state, &(netuid, uid), &hotkey);
    s::UIDS.put(state, &(netuid, hotkey), &uid);
    s::BLOCK_AT_REGISTRATION.put(state, &(netuid, uid), &u64::from(block));
    s::IS_NETWORK_MEMBER.put(state, &(hotkey, netuid), &true);
    s::ACTIVE.change(state, &netuid, |values| set(values, uid, true));
    for index in mechanism_indexes(state, netuid) {
        s::LAST_UPDATE.change(state, &index, |values| set(values, uid, u64::from(block)));
    }
    own(state, hotkey, coldkey);
}

/// Notes who owns a hotkey.
pub(crate) fn own(state: &mut Overlay<'_>, hotkey: AccountId32, coldkey: AccountId32) {
    s::OWNER.put(state, &hotkey, &coldkey);
    for item in [&s::OWNED_HOTKEYS, &s::STAKING_HOTKEYS] {
        item.change(state, &coldkey, |hotkeys| {
            if !hotkeys.contains(&hotkey) {
                hotkeys.push(hotkey);
            }
        });
    }
}

fn unseat(state: &mut Overlay<'_>, netuid: u16, uid: u16) {
    let before = s::KEYS.get(state, &(netuid, uid));
    s::UIDS.remove(state, &(netuid, before));
    s::IS_NETWORK_MEMBER.remove(state, &(before, netuid));
    s::AXONS.remove(state, &(netuid, before));
    s::PROMETHEUS.remove(state, &(netuid, before));
    s::NEURON_CERTIFICATES.remove(state, &(netuid, before));
    for item in shares(Schedule::of(state)) {
        item.change(state, &netuid, |values| set(values, uid, 0));
    }
    s::EMISSION.change(state, &netuid, |values| set(values, uid, 0));
    s::VALIDATOR_PERMIT.change(state, &netuid, |values| set(values, uid, false));
    for index in mechanism_indexes(state, netuid) {
        s::INCENTIVE.change(state, &index, |values| set(values, uid, 0));
        s::WEIGHTS.remove(state, &(index, uid));
        s::BONDS.remove(state, &(index, uid));
    }
}

/// Sets one place of a vector, when it has that place.
pub(crate) fn set<T>(values: &mut [T], uid: u16, value: T) {
    if let Some(place) = values.get_mut(usize::from(uid)) {
        *place = value;
    }
}

/// A place of a vector, or the default where there is none.
pub(crate) fn at<T: Copy + Default>(values: &[T], uid: u16) -> T {
    values.get(usize::from(uid)).copied().unwrap_or_default()
}

/// Whether a hotkey is that of the subnet's owner. A subnet without owner has a zero there, which nobody has the key of.
pub(crate) fn is_owner(state: &impl Read, netuid: u16, hotkey: AccountId32) -> bool {
    hotkey != AccountId32::default() && s::SUBNET_OWNER_HOTKEY.get(state, &netuid) == hotkey
}

/// Stake of a hotkey in a subnet. (Root stake and children are not part of this chain.)
pub(crate) fn stake(state: &impl Read, netuid: u16, hotkey: AccountId32) -> u64 {
    s::TOTAL_HOTKEY_ALPHA.get(state, &(hotkey, netuid))
}

/// Permits go to the neurons with the most stake, of those with any and at least the threshold; ties to the higher uid, as
/// in subtensor. The owner has one in any case.
pub(crate) fn permits(state: &impl Read, netuid: u16) -> Vec<bool> {
    let threshold = s::STAKE_THRESHOLD.get(state, &());
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    let hotkeys: Vec<AccountId32> = (0..slots).map(|uid| s::KEYS.get(state, &(netuid, uid))).collect();
    let stakes = (0u16..).zip(hotkeys.iter().map(|hotkey| stake(state, netuid, *hotkey)));
    let mut ranked: Vec<(u64, u16)> =
        stakes.filter(|(_, stake)| *stake > 0 && *stake >= threshold).map(|(uid, stake)| (stake, uid)).collect();
    ranked.sort_unstable();
    let most = usize::from(s::MAX_ALLOWED_VALIDATORS.get(state, &netuid));
    let mut permits: Vec<bool> = hotkeys.iter().map(|hotkey| is_owner(state, netuid, *hotkey)).collect();
    for (_, uid) in ranked.into_iter().rev().take(most) {
        set(&mut permits, uid, true);
    }
    permits
}
