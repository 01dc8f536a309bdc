//! Hyperparameters and states of subnets.

use codec::Compact;

use crate::neurons::stake;
use crate::runtime::pallet_subtensor::rpc_info::show_subnet::SubnetState;
use crate::runtime::pallet_subtensor::rpc_info::subnet_info::{SubnetHyperparams, SubnetHyperparamsV2};
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::substrate_fixed::FixedI64;
use crate::schedule::activity_cutoff;
use crate::store::Read;

/// The same numbers in compact form.
pub(super) fn compact<T>(values: Vec<T>) -> Vec<Compact<T>> {
    values.into_iter().map(Compact).collect()
}

pub(super) fn hyperparameters(state: &impl Read, netuid: u16) -> Option<SubnetHyperparams> {
    if !s::NETWORKS_ADDED.get(state, &netuid) {
        return None;
    }
    let (alpha_low, alpha_high) = s::ALPHA_VALUES.get(state, &netuid);
    Some(SubnetHyperparams {
        rho: s::RHO.get(state, &netuid).into(),
        kappa: s::KAPPA.get(state, &netuid).into(),
        immunity_period: s::IMMUNITY_PERIOD.get(state, &netuid).into(),
        min_allowed_weights: s::MIN_ALLOWED_WEIGHTS.get(state, &netuid).into(),
        max_weights_limit: s::MAX_WEIGHTS_LIMIT.get(state, &netuid).into(),
        tempo: s::TEMPO.get(state, &netuid).into(),
        min_difficulty: s::MIN_DIFFICULTY.get(state, &netuid).into(),
        max_difficulty: s::MAX_DIFFICULTY.get(state, &netuid).into(),
        weights_version: s::WEIGHTS_VERSION_KEY.get(state, &netuid).into(),
        weights_rate_limit: s::WEIGHTS_SET_RATE_LIMIT.get(state, &netuid).into(),
        adjustment_interval: s::ADJUSTMENT_INTERVAL.get(state, &netuid).into(),
        activity_cutoff: u16::try_from(activity_cutoff(state, netuid)).unwrap_or(u16::MAX).into(),
        registration_allowed: s::NETWORK_REGISTRATION_ALLOWED.get(state, &netuid),
        target_regs_per_interval: s::TARGET_REGISTRATIONS_PER_INTERVAL.get(state, &netuid).into(),
        min_burn: s::MIN_BURN.get(state, &netuid).into(),
        max_burn: s::MAX_BURN.get(state, &netuid).into(),
        bonds_moving_avg: s::BONDS_MOVING_AVERAGE.get(state, &netuid).into(),
        max_regs_per_block: s::MAX_REGISTRATIONS_PER_BLOCK.get(state, &netuid).into(),
        serving_rate_limit: s::SERVING_RATE_LIMIT.get(state, &netuid).into(),
        max_validators: s::MAX_ALLOWED_VALIDATORS.get(state, &netuid).into(),
        adjustment_alpha: s::ADJUSTMENT_ALPHA.get(state, &netuid).into(),
        difficulty: s::DIFFICULTY.get(state, &netuid).into(),
        commit_reveal_period: s::REVEAL_PERIOD_EPOCHS.get(state, &netuid).into(),
        commit_reveal_weights_enabled: s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(state, &netuid),
        alpha_high: alpha_high.into(),
        alpha_low: alpha_low.into(),
        liquid_alpha_enabled: s::LIQUID_ALPHA_ON.get(state, &netuid),
    })
}

pub(super) fn hyperparameters_v2(state: &impl Read, netuid: u16) -> Option<SubnetHyperparamsV2> {
    let first = hyperparameters(state, netuid)?;
    Some(SubnetHyperparamsV2 {
        rho: first.rho,
        kappa: first.kappa,
        immunity_period: first.immunity_period,
        min_allowed_weights: first.min_allowed_weights,
        max_weights_limit: first.max_weights_limit,
        tempo: first.tempo,
        min_difficulty: first.min_difficulty,
        max_difficulty: first.max_difficulty,
        weights_version: first.weights_version,
        weights_rate_limit: first.weights_rate_limit,
        adjustment_interval: first.adjustment_interval,
        activity_cutoff: first.activity_cutoff,
        registration_allowed: first.registration_allowed,
        target_regs_per_interval: first.target_regs_per_interval,
        min_burn: first.min_burn,
        max_burn: first.max_burn,
        bonds_moving_avg: first.bonds_moving_avg,
        max_regs_per_block: first.max_regs_per_block,
        serving_rate_limit: first.serving_rate_limit,
        max_validators: first.max_validators,
        adjustment_alpha: first.adjustment_alpha,
        difficulty: first.difficulty,
        commit_reveal_period: first.commit_reveal_period,
        commit_reveal_weights_enabled: first.commit_reveal_weights_enabled,
        alpha_high: first.alpha_high,
        alpha_low: first.alpha_low,
        liquid_alpha_enabled: first.liquid_alpha_enabled,
        // Whole numbers with 32 fraction bits.
        alpha_sigmoid_steepness: FixedI64 { bits: i64::from(s::ALPHA_SIGMOID_STEEPNESS.get(state, &netuid)) << 32 },
        yuma_version: if s::YUMA3_ON.get(state, &netuid) { 3u16 } else { 2 }.into(),
        subnet_is_active: s::SUBTOKEN_ENABLED.get(state, &netuid),
        transfers_enabled: s::TRANSFER_TOGGLE.get(state, &netuid),
        bonds_reset_enabled: s::BONDS_RESET_ON.get(state, &netuid),
        user_liquidity_enabled: false,
    })
}

pub(super) fn state(state: &impl Read, netuid: u16) -> Option<SubnetState<AccountId32>> {
    if !s::NETWORKS_ADDED.get(state, &netuid) {
        return None;
    }
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    let hotkeys: Vec<AccountId32> = (0..slots).map(|uid| s::KEYS.get(state, &(netuid, uid))).collect();
    let stakes: Vec<u64> = hotkeys.iter().map(|hotkey| stake(state, netuid, *hotkey)).collect();
    let registered = (0..slots).map(|uid| s::BLOCK_AT_REGISTRATION.get(state, &(netuid, uid))).collect();
    let emission = s::EMISSION.get(state, &netuid);
    // Zeros where the runtime does not store them any more.
    let for_slots = |mut values: Vec<u16>| {
        values.resize(usize::from(slots), 0);
        compact(values)
    };
    Some(SubnetState {
        netuid: Compact(netuid),
        coldkeys: hotkeys.iter().map(|hotkey| s::OWNER.get(state, hotkey)).collect(),
        hotkeys,
        active: s::ACTIVE.get(state, &netuid),
        validator_permit: s::VALIDATOR_PERMIT.get(state, &netuid),
        pruning_score: for_slots(s::PRUNING_SCORES.get(state, &netuid)),
        last_update: compact(s::LAST_UPDATE.get(state, &netuid)),
        emission: compact(emission.clone()),
        dividends: compact(s::DIVIDENDS.get(state, &netuid)),
        incentives: compact(s::INCENTIVE.get(state, &netuid)),
        consensus: compact(s::CONSENSUS.get(state, &netuid)),
        trust: for_slots(s::TRUST.get(state, &netuid)),
        rank: for_slots(s::RANK.get(state, &netuid)),
        block_at_registration: compact(registered),
        alpha_stake: compact(stakes.clone()),
        tao_stake: vec![Compact(0); stakes.len()],
        total_stake: compact(stakes),
        emission_history: vec![compact(emission)],
    })
}
