//! A subnet with its hyperparameters and neurons.

use codec::{Compact, Encode as _};

use super::{dynamic, subnets};
use crate::neurons::{mechanism_index, netuids};
use crate::runtime::frame_system;
use crate::runtime::pallet_commitments::COMMITMENT_OF;
use crate::runtime::pallet_subtensor::rpc_info::metagraph;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::store::Read;

type Metagraph = metagraph::Metagraph<AccountId32>;
type SelectiveMetagraph = metagraph::SelectiveMetagraph<AccountId32>;
/// Who committed, and the SCALE form of what.
type Commitments = Vec<(AccountId32, Vec<Compact<u8>>)>;

/// `SelectiveMetagraphIndex::Validators`.
const VALIDATORS: u16 = 72;
/// `SelectiveMetagraphIndex::Commitments`.
const COMMITMENTS: u16 = 73;

pub(super) fn all(state: &impl Read) -> Vec<Option<Metagraph>> {
    netuids(state).into_iter().map(|netuid| full(state, netuid, 0)).collect()
}

/// Everything of a subnet; of the mechanism come updates and incentives.
pub(super) fn full(state: &impl Read, netuid: u16, mechanism: u8) -> Option<Metagraph> {
    let index = mechanism_index(state, netuid, mechanism)?;
    let subnet = subnets::state(state, netuid)?;
    let parameters = subnets::hyperparameters(state, netuid)?;
    let dynamic = dynamic::one(state, netuid)?;
    let axons = subnet.hotkeys.iter().map(|hotkey| s::AXONS.get(state, &(netuid, *hotkey))).collect();
    let identities = subnet.coldkeys.iter().map(|coldkey| s::IDENTITIES_V2.find(state, coldkey)).collect();
    Some(Metagraph {
        netuid: Compact(netuid),
        name: dynamic::name(state, netuid),
        symbol: dynamic.token_symbol,
        identity: dynamic.subnet_identity,
        network_registered_at: dynamic.network_registered_at,
        owner_hotkey: dynamic.owner_hotkey,
        owner_coldkey: dynamic.owner_coldkey,
        block: u64::from(frame_system::NUMBER.get(state, &())).into(),
        tempo: dynamic.tempo,
        last_step: dynamic.last_step,
        blocks_since_last_step: dynamic.blocks_since_last_step,
        subnet_emission: 0.into(),
        alpha_in: dynamic.alpha_in,
        alpha_out: dynamic.alpha_out,
        tao_in: dynamic.tao_in,
        alpha_out_emission: dynamic.alpha_out_emission,
        alpha_in_emission: dynamic.alpha_in_emission,
        tao_in_emission: dynamic.tao_in_emission,
        pending_alpha_emission: dynamic.pending_alpha_emission,
        pending_root_emission: dynamic.pending_root_emission,
        subnet_volume: dynamic.subnet_volume,
        moving_price: dynamic.moving_price,
        rho: parameters.rho,
        kappa: parameters.kappa,
        min_allowed_weights: parameters.min_allowed_weights,
        max_weights_limit: parameters.max_weights_limit,
        weights_version: parameters.weights_version,
        weights_rate_limit: parameters.weights_rate_limit,
        activity_cutoff: parameters.activity_cutoff,
        max_validators: parameters.max_validators,
        num_uids: s::SUBNETWORK_N.get(state, &netuid).into(),
        max_uids: s::MAX_ALLOWED_UIDS.get(state, &netuid).into(),
        burn: s::BURN.get(state, &netuid).into(),
        difficulty: parameters.difficulty,
        registration_allowed: parameters.registration_allowed,
        pow_registration_allowed: s::NETWORK_POW_REGISTRATION_ALLOWED.get(state, &netuid),
        immunity_period: parameters.immunity_period,
        min_difficulty: parameters.min_difficulty,
        max_difficulty: parameters.max_difficulty,
        min_burn: parameters.min_burn,
        max_burn: parameters.max_burn,
        adjustment_alpha: parameters.adjustment_alpha,
        adjustment_interval: parameters.adjustment_interval,
        target_regs_per_interval: parameters.target_regs_per_interval,
        max_regs_per_block: parameters.max_regs_per_block,
        serving_rate_limit: parameters.serving_rate_limit,
        commit_reveal_weights_enabled: parameters.commit_reveal_weights_enabled,
        commit_reveal_period: parameters.commit_reveal_period,
        liquid_alpha_enabled: parameters.liquid_alpha_enabled,
        alpha_high: parameters.alpha_high,
        alpha_low: parameters.alpha_low,
        bonds_moving_avg: parameters.bonds_moving_avg,
        hotkeys: subnet.hotkeys,
        coldkeys: subnet.coldkeys,
        identities,
        axons,
        active: subnet.active,
        validator_permit: subnet.validator_permit,
        pruning_score: subnet.pruning_score,
        last_update: subnets::compact(s::LAST_UPDATE.get(state, &index)),
        emission: subnet.emission,
        dividends: subnet.dividends,
        incentives: subnets::compact(s::INCENTIVE.get(state, &index)),
        consensus: subnet.consensus,
        trust: subnet.trust,
        rank: subnet.rank,
        block_at_registration: subnet.block_at_registration,
        alpha_stake: subnet.alpha_stake,
        tao_stake: subnet.tao_stake,
        total_stake: subnet.total_stake,
        tao_dividends_per_hotkey: Vec::new(),
        alpha_dividends_per_hotkey: Vec::new(),
    })
}

/// What was asked for, by `SelectiveMetagraphIndex`: the places of the fields. The netuid is always there.
pub(super) fn selective(state: &impl Read, netuid: u16, mechanism: u8, indexes: &[u16]) -> Option<SelectiveMetagraph> {
    let full = full(state, netuid, mechanism)?;
    let asked = |index: u16| indexes.contains(&index);
    let validators = asked(VALIDATORS).then(|| {
        let permitted = (0u16..).zip(&full.validator_permit).filter(|(_, permit)| **permit);
        permitted.map(|(uid, _)| Compact(uid)).collect()
    });
    let commitments = asked(COMMITMENTS).then(|| commitments(state, netuid, &full.hotkeys));
    Some(SelectiveMetagraph {
        netuid: full.netuid,
        name: asked(1).then_some(full.name),
        symbol: asked(2).then_some(full.symbol),
        identity: asked(3).then_some(full.identity),
        network_registered_at: asked(4).then_some(full.network_registered_at),
        owner_hotkey: asked(5).then_some(full.owner_hotkey),
        owner_coldkey: asked(6).then_some(full.owner_coldkey),
        block: asked(7).then_some(full.block),
        tempo: asked(8).then_some(full.tempo),
        last_step: asked(9).then_some(full.last_step),
        blocks_since_last_step: asked(10).then_some(full.blocks_since_last_step),
        subnet_emission: asked(11).then_some(full.subnet_emission),
        alpha_in: asked(12).then_some(full.alpha_in),
        alpha_out: asked(13).then_some(full.alpha_out),
        tao_in: asked(14).then_some(full.tao_in),
        alpha_out_emission: asked(15).then_some(full.alpha_out_emission),
        alpha_in_emission: asked(16).then_some(full.alpha_in_emission),
        tao_in_emission: asked(17).then_some(full.tao_in_emission),
        pending_alpha_emission: asked(18).then_some(full.pending_alpha_emission),
        pending_root_emission: asked(19).then_some(full.pending_root_emission),
        subnet_volume: asked(20).then_some(full.subnet_volume),
        moving_price: asked(21).then_some(full.moving_price),
        rho: asked(22).then_some(full.rho),
        kappa: asked(23).then_some(full.kappa),
        min_allowed_weights: asked(24).then_some(full.min_allowed_weights),
        max_weights_limit: asked(25).then_some(full.max_weights_limit),
        weights_version: asked(26).then_some(full.weights_version),
        weights_rate_limit: asked(27).then_some(full.weights_rate_limit),
        activity_cutoff: asked(28).then_some(full.activity_cutoff),
        max_validators: asked(29).then_some(full.max_validators),
        num_uids: asked(30).then_some(full.num_uids),
        max_uids: asked(31).then_some(full.max_uids),
        burn: asked(32).then_some(full.burn),
        difficulty: asked(33).then_some(full.difficulty),
        registration_allowed: asked(34).then_some(full.registration_allowed),
        pow_registration_allowed: asked(35).then_some(full.pow_registration_allowed),
        immunity_period: asked(36).then_some(full.immunity_period),
        min_difficulty: asked(37).then_some(full.min_difficulty),
        max_difficulty: asked(38).then_some(full.max_difficulty),
        min_burn: asked(39).then_some(full.min_burn),
        max_burn: asked(40).then_some(full.max_burn),
        adjustment_alpha: asked(41).then_some(full.adjustment_alpha),
        adjustment_interval: asked(42).then_some(full.adjustment_interval),
        target_regs_per_interval: asked(43).then_some(full.target_regs_per_interval),
        max_regs_per_block: asked(44).then_some(full.max_regs_per_block),
        serving_rate_limit: asked(45).then_some(full.serving_rate_limit),
        commit_reveal_weights_enabled: asked(46).then_some(full.commit_reveal_weights_enabled),
        commit_reveal_period: asked(47).then_some(full.commit_reveal_period),
        liquid_alpha_enabled: asked(48).then_some(full.liquid_alpha_enabled),
        alpha_high: asked(49).then_some(full.alpha_high),
        alpha_low: asked(50).then_some(full.alpha_low),
        bonds_moving_avg: asked(51).then_some(full.bonds_moving_avg),
        hotkeys: asked(52).then_some(full.hotkeys),
        coldkeys: asked(53).then_some(full.coldkeys),
        identities: asked(54).then_some(full.identities),
        axons: asked(55).then_some(full.axons),
        active: asked(56).then_some(full.active),
        validator_permit: asked(57).then_some(full.validator_permit),
        pruning_score: asked(58).then_some(full.pruning_score),
        last_update: asked(59).then_some(full.last_update),
        emission: asked(60).then_some(full.emission),
        dividends: asked(61).then_some(full.dividends),
        incentives: asked(62).then_some(full.incentives),
        consensus: asked(63).then_some(full.consensus),
        trust: asked(64).then_some(full.trust),
        rank: asked(65).then_some(full.rank),
        block_at_registration: asked(66).then_some(full.block_at_registration),
        alpha_stake: asked(67).then_some(full.alpha_stake),
        tao_stake: asked(68).then_some(full.tao_stake),
        total_stake: asked(69).then_some(full.total_stake),
        tao_dividends_per_hotkey: asked(70).then_some(full.tao_dividends_per_hotkey),
        alpha_dividends_per_hotkey: asked(71).then_some(full.alpha_dividends_per_hotkey),
        validators,
        commitments,
    })
}

fn commitments(state: &impl Read, netuid: u16, hotkeys: &[AccountId32]) -> Commitments {
    let of = |hotkey: &AccountId32| {
        let registration = COMMITMENT_OF.find(state, &(netuid, *hotkey))?;
        Some((*hotkey, dynamic::text(&registration.info.encode())))
    };
    hotkeys.iter().filter_map(of).collect()
}
