//! From recorded scores to weights (spec 3.12): averages, freshness, sybil penalty, shares, u16, and a reason per zero.
//!
//! Everything is keyed by hotkey; uids enter only at the end, from the metagraph of the facts.

use std::collections::BTreeMap;

use super::average::{average, is_fresh};
use super::constants::Constants;
use super::payout::{Mode, Node, normalised, not_serving, quantised, sybil_penalty};
use crate::events::{Neuron, SkipReason, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::types::{Hotkey, Micros};

const MICROS: f64 = 1e6;

/// Derives the weights of an epoch.
pub(super) fn derive(constants: &Constants, window: Micros, facts: &EpochFacts<'_>) -> Derivation {
    let window_start = Micros(facts.now.0.saturating_sub(window.0));
    let averages = averages(constants, facts, window_start);
    let own = facts.metagraph.of(&facts.own);
    let blocks = own.map_or(0, |own| facts.metagraph.block.0.saturating_sub(own.last_update.0));
    let mode = Mode::after(blocks, &constants.freshness);
    let gated = penalised(constants, facts, gate(constants, facts, &averages, mode));
    let (serving, idle): (Vec<&Neuron>, Vec<&Neuron>) =
        facts.metagraph.neurons().partition(|neuron| not_serving(&node(neuron), facts.own.as_str()).is_none());
    let scores: Vec<f64> = serving.iter().map(|neuron| gated.get(&neuron.hotkey).copied().unwrap_or(0.0)).collect();
    let shares = normalised(&scores, mode);
    let skip = if own.is_none() {
        Some(SkipReason::NotRegistered)
    } else if (serving.len() as u64) < constants.serving.minimum {
        Some(SkipReason::NobodyServing)
    } else {
        shares.is_none().then_some(SkipReason::NoScores)
    };
    let weights = match (&shares, skip) {
        (Some(shares), None) => quantised(shares),
        _ => vec![0; serving.len()],
    };
    let mut derivation = Derivation {
        mode: event_mode(mode),
        skip,
        window_start,
        weights: Vec::new(),
        zeros: idle.iter().map(|n| zero(n.uid, n.hotkey, ZeroReason::NotServing)).collect(),
        averages,
    };
    for (neuron, weight) in serving.iter().zip(weights) {
        if weight > 0 {
            derivation.weights.push(Weight { uid: neuron.uid, hotkey: neuron.hotkey, weight });
        } else {
            let reason = reason(constants, facts, &derivation.averages, neuron, mode);
            derivation.zeros.push(zero(neuron.uid, neuron.hotkey, reason));
        }
    }
    derivation.weights.sort_by_key(|weight| weight.uid);
    derivation.zeros.sort_by_key(|zero| zero.uid);
    derivation
}

fn averages(constants: &Constants, facts: &EpochFacts<'_>, window_start: Micros) -> BTreeMap<Hotkey, f64> {
    let of = |state: &MinerState| {
        let within = state.window.iter().filter(|(time, _)| *time >= window_start);
        average(within.map(|(_, score)| *score), constants.average.alpha)
    };
    facts.miners.iter().filter_map(|(hotkey, state)| of(state).map(|average| (*hotkey, average))).collect()
}

fn seen_in_time(constants: &Constants, facts: &EpochFacts<'_>, hotkey: &Hotkey, mode: Mode) -> bool {
    let Some(limit) = mode.freshness_seconds(&constants.freshness) else { return true };
    let last = facts.miners.get(hotkey).and_then(|state| state.last_seen);
    is_fresh(last.map(|last| facts.now.0.saturating_sub(last.0) as f64 / MICROS), limit as f64)
}

fn gate(
    constants: &Constants,
    facts: &EpochFacts<'_>,
    averages: &BTreeMap<Hotkey, f64>,
    mode: Mode,
) -> BTreeMap<Hotkey, f64> {
    let gated = |hotkey: &Hotkey, value: f64| if seen_in_time(constants, facts, hotkey, mode) { value } else { 0.0 };
    averages.iter().map(|(hotkey, value)| (*hotkey, gated(hotkey, *value))).collect()
}

fn penalised(constants: &Constants, facts: &EpochFacts<'_>, averages: BTreeMap<Hotkey, f64>) -> BTreeMap<Hotkey, f64> {
    let (Some(rule), Some(external)) = (&constants.sybil_penalty, facts.external) else { return averages };
    let serving = facts.metagraph.neurons().filter(|n| not_serving(&node(n), facts.own.as_str()).is_none()).count();
    let by_text = |map: &BTreeMap<Hotkey, f64>| map.iter().map(|(key, value)| (key.to_string(), *value)).collect();
    let penalised = sybil_penalty(&by_text(&averages), &by_text(&external.sybil), serving as u64, rule);
    let value = |hotkey: &Hotkey| penalised.averages.get(hotkey.as_str()).copied().unwrap_or(0.0);
    averages.keys().map(|hotkey| (*hotkey, value(hotkey))).collect()
}

fn node(neuron: &Neuron) -> Node {
    Node {
        hotkey: neuron.hotkey.to_string(),
        address: neuron.ip.clone(),
        port: neuron.port,
        validator: neuron.validator_permit,
    }
}

fn event_mode(mode: Mode) -> WeightMode {
    match mode {
        Mode::Normal => WeightMode::Normal,
        Mode::Degraded => WeightMode::Degraded,
        Mode::Emergency => WeightMode::Emergency,
    }
}

fn reason(
    constants: &Constants,
    facts: &EpochFacts<'_>,
    averages: &BTreeMap<Hotkey, f64>,
    neuron: &Neuron,
    mode: Mode,
) -> ZeroReason {
    let drawn = facts.miners.get(&neuron.hotkey).is_some_and(|state| state.drawn > 0);
    match averages.get(&neuron.hotkey) {
        None if drawn => ZeroReason::NeverAnswered,
        None => ZeroReason::NotSampled,
        Some(_) if !seen_in_time(constants, facts, &neuron.hotkey, mode) => ZeroReason::Stale,
        Some(average) if *average <= 0.0 => ZeroReason::NoScore,
        Some(_) => ZeroReason::QuantisedToZero,
    }
}
