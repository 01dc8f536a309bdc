//! The end of a tempo: Yuma consensus over the weights on chain, and what the chain stores of it.
//!
//! Each subnet emits [`ALPHA_PER_BLOCK`] rao of alpha in a block; an epoch divides what came together since the last one, all
//! of it among the neurons, and in equal parts (or by `MechanismEmissionSplit`) among mechanisms. `Emission` says who got
//! what. Nothing is staked with it, unlike subtensor: stake here is what genesis and the root key say, so that a test's
//! validators stay those it named.

use yuma::schedule::legacy;
use yuma::{EpochInput, EpochOutput, Stake};

use crate::dispatch::reveal_timelocked;
use crate::execution::Context;
use crate::neurons;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_development::ALPHA_PER_BLOCK;
use crate::runtime::pallet_subtensor::pallet::Event;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::schedule::{self, Schedule, epoch_index};
use crate::store::Read;
use crate::timelock;

/// What every block begins with.
pub(crate) fn on_block(context: &mut Context<'_, '_>) {
    timelock::note_round(context);
    let (netuids, block) = (neurons::netuids(context.state), u64::from(context.block));
    match Schedule::of(context.state) {
        Schedule::Legacy => {
            for netuid in netuids {
                let blocks = s::BLOCKS_SINCE_LAST_STEP.get(context.state, &netuid).saturating_add(1);
                s::BLOCKS_SINCE_LAST_STEP.put(context.state, &netuid, &blocks);
                reveal_timelocked(context, netuid);
                if legacy::is_due(netuid, s::TEMPO.get(context.state, &netuid), block) {
                    run(context, netuid, blocks);
                }
            }
        }
        Schedule::Stateful => {
            for netuid in &netuids {
                reveal_timelocked(context, *netuid);
            }
            for (netuid, blocks) in schedule::advance(context.state, &netuids, block) {
                run(context, netuid, blocks);
            }
        }
    }
}

/// The epoch of a subnet, so many blocks after the one before.
fn run(context: &mut Context<'_, '_>, netuid: u16, blocks: u64) {
    let emission = ALPHA_PER_BLOCK.get(context.state, &()).saturating_mul(blocks);
    let indexes = neurons::mechanism_indexes(context.state, netuid);
    let parts = emission_parts(context.state, netuid, emission, indexes.len());
    let mut outputs = Vec::with_capacity(indexes.len());
    for (index, part) in indexes.into_iter().zip(parts) {
        let input = input(context, netuid, index, part);
        match yuma::epoch(&input) {
            Ok(output) => outputs.push((index, part, output)),
            // The vectors were made of equal length: this cannot be. The epoch is then skipped, not the block.
            Err(error) => tracing::error!(netuid, index, %error, "the epoch cannot be computed"),
        }
    }
    for (index, _, output) in &outputs {
        store_mechanism(context, netuid, *index, output);
    }
    store_subnet(context, netuid, emission, &outputs);
    s::BLOCKS_SINCE_LAST_STEP.put(context.state, &netuid, &0);
    s::LAST_MECHANISM_STEP_BLOCK.put(context.state, &netuid, &u64::from(context.block));
}

/// What each mechanism gets: by the split of 65535ths when there is one of the right length, else equal parts. What the
/// division leaves goes to the first.
fn emission_parts(state: &impl Read, netuid: u16, emission: u64, mechanisms: usize) -> Vec<u64> {
    let split = s::MECHANISM_EMISSION_SPLIT.find(state, &netuid).filter(|split| split.len() == mechanisms);
    let split = split.unwrap_or_else(|| vec![1; mechanisms]);
    let sum: u128 = split.iter().copied().map(u128::from).sum();
    let part = |share: &u16| (u128::from(emission) * u128::from(*share)).checked_div(sum).unwrap_or(0);
    let mut parts: Vec<u64> = split.iter().map(|share| u64::try_from(part(share)).unwrap_or(u64::MAX)).collect();
    let given: u64 = parts.iter().sum();
    if let Some(first) = parts.first_mut() {
        *first = first.saturating_add(emission.saturating_sub(given));
    }
    parts
}

fn input(context: &Context<'_, '_>, netuid: u16, index: u16, emission: u64) -> EpochInput {
    let state = &*context.state;
    let block = u64::from(context.block);
    let slots = s::SUBNETWORK_N.get(state, &netuid);
    let hotkeys: Vec<AccountId32> = (0..slots).map(|uid| s::KEYS.get(state, &(netuid, uid))).collect();
    let tempo = u64::from(s::TEMPO.get(state, &netuid));
    let last = match s::LAST_MECHANISM_STEP_BLOCK.get(state, &netuid) {
        0 => block.saturating_sub(tempo),
        last => last.saturating_add(1),
    };
    let owner = s::UIDS.find(state, &(netuid, s::SUBNET_OWNER_HOTKEY.get(state, &netuid)));
    EpochInput {
        block,
        last_epoch_block: last,
        activity_cutoff: schedule::activity_cutoff(state, netuid),
        last_update: s::LAST_UPDATE.get(state, &index),
        block_at_registration: (0..slots).map(|uid| s::BLOCK_AT_REGISTRATION.get(state, &(netuid, uid))).collect(),
        earliest_commit: earliest_commits(context, netuid, index, &hotkeys),
        stake: hotkeys.iter().map(|hotkey| Stake::whole(neurons::stake(state, netuid, *hotkey))).collect(),
        stake_threshold: s::STAKE_THRESHOLD.get(state, &()),
        validator_permit: s::VALIDATOR_PERMIT.get(state, &netuid),
        max_allowed_validators: s::MAX_ALLOWED_VALIDATORS.get(state, &netuid),
        owner,
        weights: (0..slots).map(|uid| s::WEIGHTS.get(state, &(index, uid))).collect(),
        bonds: (0..slots).map(|uid| s::BONDS.get(state, &(index, uid))).collect(),
        kappa: s::KAPPA.get(state, &netuid),
        bonds_moving_average: s::BONDS_MOVING_AVERAGE.get(state, &netuid),
        bonds_penalty: s::BONDS_PENALTY.get(state, &netuid),
        yuma3: s::YUMA3_ON.get(state, &netuid),
        liquid_alpha: s::LIQUID_ALPHA_ON.get(state, &netuid),
        alpha_values: s::ALPHA_VALUES.get(state, &netuid),
        alpha_sigmoid_steepness: s::ALPHA_SIGMOID_STEEPNESS.get(state, &netuid),
        emission,
    }
}

/// With commit-reveal: the block of each neuron's earliest commit that may still be revealed.
fn earliest_commits(context: &Context<'_, '_>, netuid: u16, index: u16, hotkeys: &[AccountId32]) -> Vec<Option<u64>> {
    let state = &*context.state;
    if !s::COMMIT_REVEAL_WEIGHTS_ENABLED.get(state, &netuid) {
        return Vec::new();
    }
    let now = epoch_index(state, netuid, u64::from(context.block));
    let period = s::REVEAL_PERIOD_EPOCHS.get(state, &netuid);
    let live = |block: u64| epoch_index(state, netuid, block).saturating_add(period) >= now;
    let oldest = now.saturating_sub(period);
    let timelocked: Vec<(AccountId32, u64)> = (oldest..=now)
        .flat_map(|epoch| s::TIMELOCKED_WEIGHT_COMMITS.get(state, &(index, epoch)))
        .map(|(who, block, ..)| (who, block))
        .collect();
    let of = |hotkey: &AccountId32| {
        let hashed = s::WEIGHT_COMMITS.find(state, &(index, *hotkey)).unwrap_or_default();
        let hashed = hashed.into_iter().map(|(_, block, ..)| block).filter(|block| live(*block));
        let locked = timelocked.iter().filter(|(who, _)| who == hotkey).map(|(_, block)| *block);
        hashed.chain(locked).min()
    };
    hotkeys.iter().map(of).collect()
}

fn store_mechanism(context: &mut Context<'_, '_>, netuid: u16, index: u16, output: &EpochOutput) {
    s::INCENTIVE.put(context.state, &index, &output.incentive);
    for (uid, row) in (0u16..).zip(&output.bonds) {
        match row.is_empty() {
            true => s::BONDS.remove(context.state, &(index, uid)),
            false => s::BONDS.put(context.state, &(index, uid), row),
        }
    }
    if index == netuid {
        let emissions = output.server_emission.clone();
        let event = Event::IncentiveAlphaEmittedToMiners { netuid, emissions };
        context.deposit(RuntimeEvent::SubtensorModule(event));
    }
}

/// What stands once for all mechanisms: sums of emission, and of the shares their means weighted by what each mechanism
/// emitted, truncated. With one mechanism these are its own.
fn store_subnet(context: &mut Context<'_, '_>, netuid: u16, total: u64, outputs: &[(u16, u64, EpochOutput)]) {
    let Some((_, _, first)) = outputs.first() else { return };
    let slots = first.emission.len();
    let mean = |values: fn(&EpochOutput) -> &Vec<u16>| -> Vec<u16> {
        if outputs.len() == 1 {
            return values(first).clone();
        }
        let share = |uid: usize| {
            let weighted = outputs
                .iter()
                .map(|(_, part, output)| u128::from(values(output).get(uid).copied().unwrap_or(0)) * u128::from(*part));
            weighted.sum::<u128>().checked_div(u128::from(total)).unwrap_or(0)
        };
        (0..slots).map(|uid| u16::try_from(share(uid)).unwrap_or(u16::MAX)).collect()
    };
    let sum = |uid: usize| {
        outputs
            .iter()
            .fold(0u64, |sum, (_, _, output)| sum.saturating_add(output.emission.get(uid).copied().unwrap_or(0)))
    };
    s::CONSENSUS.put(context.state, &netuid, &mean(|output| &output.consensus));
    s::DIVIDENDS.put(context.state, &netuid, &mean(|output| &output.dividends));
    s::VALIDATOR_TRUST.put(context.state, &netuid, &mean(|output| &output.validator_trust));
    s::STAKE_WEIGHT.put(context.state, &netuid, &first.stake_weight);
    s::ACTIVE.put(context.state, &netuid, &first.active);
    s::EMISSION.put(context.state, &netuid, &(0..slots).map(sum).collect());
    s::VALIDATOR_PERMIT.put(context.state, &netuid, &first.permits);
}
