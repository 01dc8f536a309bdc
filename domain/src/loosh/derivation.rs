//! From recorded scores to weights (spec 3.12): averages, freshness, sybil penalty, shares, u16, and a reason per zero.
//!
//! Everything is keyed by hotkey; uids enter only at the end, from the metagraph of the facts.

use std::collections::BTreeMap;

use super::average::{average, freshness_gate, is_fresh};
use super::constants::Constants;
use super::payout::{Mode, Node, normalised, not_serving, quantised, sybil_penalty};
use crate::events::{Neuron, SkipReason, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::types::{Hotkey, Micros};

const MICROS: f64 = 1e6;

/// Derives the weights of an epoch.
pub(super) fn derive(constants: &Constants, window: Micros, facts: &EpochFacts<'_>) -> Derivation {
    let averages = averages(constants, window, facts);
    let own = facts.metagraph.of(&facts.own);
    let blocks = own.map_or(0, |own| facts.metagraph.block.0.saturating_sub(own.last_update.0));
    let mode = Mode::after(blocks, &constants.freshness);
    let gated = penalised(constants, facts, gate(constants, facts, &averages, mode));
    let (serving, idle): (Vec<&Neuron>, Vec<&Neuron>) =
        facts.metagraph.neurons().partition(|neuron| not_serving(&node(neuron, facts), facts.own.as_str()).is_none());
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
        window_start: Micros(facts.now.0.saturating_sub(window.0)),
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

fn averages(constants: &Constants, window: Micros, facts: &EpochFacts<'_>) -> BTreeMap<Hotkey, f64> {
    let of = |state: &MinerState| {
        let items = state.window.iter().map(|(time, score)| (age(facts, *time), *score));
        average(items, window.0 as f64, constants.average.alpha)
    };
    facts.miners.iter().filter_map(|(hotkey, state)| of(state).map(|average| (*hotkey, average))).collect()
}

/// Microseconds since then; exact for 285 years.
fn age(facts: &EpochFacts<'_>, then: Micros) -> f64 {
    facts.now.0.saturating_sub(then.0) as f64
}

/// Microseconds since last seen within which a miner counts; `None` for no limit.
fn freshness_limit(constants: &Constants, mode: Mode) -> Option<f64> {
    mode.freshness_seconds(&constants.freshness).map(|seconds| seconds as f64 * MICROS)
}

/// When the miner was last seen. A ping is enough for upstream; where work counts, who was asked in vain since it last
/// earned was last seen when it earned.
fn seen(constants: &Constants, state: &MinerState) -> Option<Micros> {
    let by_work = constants.remedies.as_ref().is_some_and(|rule| rule.freshness_by_work);
    let in_vain = state.window.last().is_some_and(|(_, score)| *score <= 0.0);
    let earned = state.window.iter().rev().find(|(_, score)| *score > 0.0).map(|(then, _)| *then);
    match earned {
        Some(earned) if by_work && in_vain => state.last_seen.map(|pinged| pinged.min(earned)),
        _ => state.last_seen,
    }
}

/// The averages, 0 for who was not seen in time for the mode.
fn gate(
    constants: &Constants,
    facts: &EpochFacts<'_>,
    averages: &BTreeMap<Hotkey, f64>,
    mode: Mode,
) -> BTreeMap<Hotkey, f64> {
    let Some(limit) = freshness_limit(constants, mode) else { return averages.clone() };
    let last_seen =
        |(hotkey, state): (&Hotkey, &MinerState)| seen(constants, state).map(|then| (*hotkey, age(facts, then)));
    let ages = facts.miners.iter().filter_map(last_seen).collect();
    freshness_gate(averages, &ages, limit).0
}

fn penalised(constants: &Constants, facts: &EpochFacts<'_>, averages: BTreeMap<Hotkey, f64>) -> BTreeMap<Hotkey, f64> {
    let (Some(rule), Some(external)) = (&constants.sybil_penalty, facts.external) else { return averages };
    let serving =
        facts.metagraph.neurons().filter(|n| not_serving(&node(n, facts), facts.own.as_str()).is_none()).count();
    let by_text = |map: &BTreeMap<Hotkey, f64>| map.iter().map(|(key, value)| (key.to_string(), *value)).collect();
    let penalised = sybil_penalty(&by_text(&averages), &by_text(&external.sybil), serving as u64, rule);
    let value = |hotkey: &Hotkey| penalised.averages.get(hotkey.as_str()).copied().unwrap_or(0.0);
    averages.keys().map(|hotkey| (*hotkey, value(hotkey))).collect()
}

fn node(neuron: &Neuron, facts: &EpochFacts<'_>) -> Node {
    let listed = facts.external.is_some_and(|external| external.validators.contains(&neuron.hotkey));
    Node {
        hotkey: neuron.hotkey.to_string(),
        address: neuron.ip.clone(),
        port: neuron.port,
        validator: neuron.validator_permit || listed,
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
    let state = facts.miners.get(&neuron.hotkey);
    let drawn = state.is_some_and(|state| state.drawn > 0);
    let last_seen = state.and_then(|state| seen(constants, state)).map(|then| age(facts, then));
    let fresh = freshness_limit(constants, mode).is_none_or(|limit| is_fresh(last_seen, limit));
    match averages.get(&neuron.hotkey) {
        None if drawn => ZeroReason::NeverAnswered,
        None => ZeroReason::NotSampled,
        Some(_) if !fresh => ZeroReason::Stale,
        Some(average) if *average <= 0.0 => ZeroReason::NoScore,
        Some(_) => ZeroReason::QuantisedToZero,
    }
}
