//! From scores to averages, and from averages to weights.
//!
//! Averages are keyed by hotkey under every rule set, so that a slot that changes hands inherits nothing; upstream comes to
//! the same by setting the average of a replaced hotkey to 0. The burnt slot's average is a running statistic, because the
//! slot is paid whoever holds it.
//!
//! Rounds enter the average one after the other, in order of the events that count them. Upstream's sum over batches that are
//! collected in one pass ([`super::constants::Combine`]) is made of these steps, too: a round of a pass that is already begun adds
//! to the average ([`super::average::added`]).

use std::collections::{BTreeMap, BTreeSet};

use super::average::{added, updated};
use super::constants::{Burn, Constants};
use super::evaluation::{BURNT, is_added, pass};
use super::payout::weights;
use crate::events::{Neuron, ResponseScored, SkipReason, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::metagraph::announces_axon;
use crate::sdk_weights::Limits;
use crate::selection::is_validator;
use crate::types::Hotkey;

/// Takes a round's scores into the averages: those who were not asked or did not answer lose a share.
pub(super) fn absorb(miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], rule: &Constants) {
    let Some((rewards, _)) = pass(scores, rule) else { return };
    if is_added(scores) {
        for (hotkey, average) in added(&averages(miners), &rewards, rule.average.alpha) {
            miners.entry(hotkey).or_default().average = Some(f64::from(average));
        }
        return;
    }
    let unjudged = scores.iter().filter(|score| !score.counted).map(|score| score.hotkey);
    let held: BTreeSet<Hotkey> = if rule.average.hold_unjudged { unjudged.collect() } else { BTreeSet::new() };
    for (hotkey, average) in updated(&averages(miners), &rewards, &held, rule.average.alpha) {
        miners.entry(hotkey).or_default().average = Some(f64::from(average));
    }
}

/// The averages as upstream holds them; the doubles are single-precision values.
fn averages(miners: &BTreeMap<Hotkey, MinerState>) -> BTreeMap<Hotkey, f32> {
    miners.iter().filter_map(|(hotkey, miner)| Some((*hotkey, miner.average? as f32))).collect()
}

fn burnt_uid(burn: &Burn) -> Option<u16> {
    match burn {
        Burn::None => None,
        Burn::All { uid } | Burn::Times { uid, .. } => Some(*uid),
    }
}

/// Derives the weights of an epoch.
pub(super) fn derive(rule: &Constants, facts: &EpochFacts<'_>) -> Derivation {
    let known = averages(facts.miners);
    let burnt = burnt_uid(&rule.payout.burn);
    let statistic = facts.statistics.iter().find(|statistic| statistic.name == BURNT);
    let burnt_average = statistic.and_then(|statistic| statistic.values.first().copied()).unwrap_or(0.0) as f32;
    let is_payable = |neuron: &&Neuron| {
        let validator = is_validator(neuron, Some(rule.selection.permit_stake));
        Some(neuron.uid.0) == burnt || neuron.hotkey != facts.own && announces_axon(neuron) && !validator
    };
    let (payable, idle): (Vec<&Neuron>, Vec<&Neuron>) = facts.metagraph.neurons().partition(is_payable);
    let of = |neuron: &&Neuron| {
        if Some(neuron.uid.0) == burnt { burnt_average } else { known.get(&neuron.hotkey).copied().unwrap_or(0.0) }
    };
    let slots: Vec<f32> = payable.iter().map(of).collect();
    let skip = if facts.metagraph.of(&facts.own).is_none() {
        Some(SkipReason::NotRegistered)
    } else if payable.is_empty() {
        Some(SkipReason::NobodyServing)
    } else {
        // The SDK would pay everybody alike; there is nothing to pay by.
        (!slots.iter().any(|average| *average > 0.0)).then_some(SkipReason::NoScores)
    };
    let paid = if skip.is_none() { quantised(&slots, rule) } else { BTreeMap::new() };
    let mut derivation = Derivation {
        mode: WeightMode::Normal,
        skip,
        averages: known.iter().map(|(hotkey, average)| (*hotkey, f64::from(*average))).collect(),
        window_start: facts.now,
        weights: Vec::new(),
        zeros: idle.iter().map(|neuron| zero(neuron.uid, neuron.hotkey, ZeroReason::NotServing)).collect(),
    };
    for (place, neuron) in payable.iter().enumerate() {
        match paid.get(&place) {
            Some(weight) => {
                derivation.weights.push(Weight { uid: neuron.uid, hotkey: neuron.hotkey, weight: *weight });
            }
            None => derivation.zeros.push(zero(neuron.uid, neuron.hotkey, reason(rule, facts, neuron))),
        }
    }
    derivation.zeros.sort_by_key(|zero| zero.uid);
    derivation
}

/// Weights above 0 by place in the list.
fn quantised(averages: &[f32], rule: &Constants) -> BTreeMap<usize, u16> {
    let limits = Limits {
        neurons: averages.len(),
        minimum: usize::from(rule.payout.minimum_weights),
        maximum_share: rule.payout.maximum_share,
        exclude_quantile: rule.payout.exclude_quantile,
    };
    // Averages of scores are not negative; a ledger that holds others has nothing to pay by.
    let (places, values) = weights(averages, &limits).unwrap_or_default();
    places.into_iter().filter_map(|place| usize::try_from(place).ok()).zip(values).collect()
}

fn reason(rule: &Constants, facts: &EpochFacts<'_>, neuron: &Neuron) -> ZeroReason {
    let state = facts.miners.get(&neuron.hotkey);
    match state.and_then(|state| state.average) {
        Some(average) if average > 0.0 => ZeroReason::QuantisedToZero,
        _ if matches!(rule.payout.burn, Burn::All { .. }) => ZeroReason::Burned,
        Some(_) => ZeroReason::NoScore,
        None if state.is_some_and(|state| state.drawn > 0) => ZeroReason::NeverAnswered,
        None => ZeroReason::NotSampled,
    }
}
