//! From averages to weights (spec 2.9, 2.10), and a reason for every zero.
//!
//! Under a moving average the hotkey earns, and uids enter only here, from the metagraph of the facts. Under upstream's mean of
//! the run the slot earns: whoever holds it now is paid for what its predecessors did. That mean stands in the running
//! statistics, with the value that it had when weights were last due; before that nothing is sent.
//!
//! Upstream pays every slot of the metagraph. Here those that cannot be miners are left out under every rule set, because
//! they are never asked either: the validator itself, holders of a validator permit, and slots without an axon.

use std::collections::BTreeMap;

use super::average::blended;
use super::constants::{Constants, WeightRule};
use super::payout::{quantised, shares};
use super::running;
use crate::events::{Neuron, ResponseScored, SkipReason, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::metagraph::announces_axon;
use crate::types::Hotkey;

/// Takes a round into the moving averages. Under the mean of a run the statistics have taken it in already.
pub(super) fn absorb(constants: &Constants, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored]) {
    let WeightRule::MovingAverage {} = constants.weights else { return };
    let counted = || scores.iter().filter(|scored| scored.counted);
    // Averages are numbers of single precision, kept exactly.
    let next = |reward: f64, before: f64| f64::from(blended(reward as f32, before as f32, constants.average.alpha));
    if constants.remedies.absent_miners_count {
        let asked: std::collections::BTreeSet<Hotkey> = counted().map(|scored| scored.hotkey).collect();
        for (_, state) in miners.iter_mut().filter(|(hotkey, _)| !asked.contains(hotkey)) {
            state.average = state.average.map(|average| next(0.0, average));
        }
    }
    for scored in counted() {
        let state = miners.entry(scored.hotkey).or_default();
        state.average = Some(next(scored.score, state.average.unwrap_or(0.0)));
    }
}

/// Derives the weights of an epoch.
pub(super) fn derive(constants: &Constants, facts: &EpochFacts<'_>) -> Derivation {
    let averages = averages(constants, facts);
    let payable = |neuron: &&Neuron| neuron.hotkey != facts.own && !neuron.validator_permit && announces_axon(neuron);
    let (paid, idle): (Vec<&Neuron>, Vec<&Neuron>) = facts.metagraph.neurons().partition(payable);
    let earned: Vec<f32> =
        paid.iter().map(|neuron| averages.get(&neuron.hotkey).map_or(0.0, |average| *average as f32)).collect();
    let raw = match constants.weights {
        WeightRule::MovingAverage {} => shares(&earned),
        WeightRule::RunMean { .. } => earned,
    };
    let weights = quantised(&raw);
    let skip = if facts.metagraph.of(&facts.own).is_none() {
        Some(SkipReason::NotRegistered)
    } else if paid.is_empty() {
        Some(SkipReason::NobodyServing)
    } else {
        weights.is_none().then_some(SkipReason::NoScores)
    };
    let weights = weights.filter(|_| skip.is_none()).unwrap_or_else(|| vec![0; paid.len()]);
    let mut derivation = Derivation {
        mode: WeightMode::Normal,
        skip,
        window_start: facts.now,
        weights: Vec::new(),
        zeros: idle.iter().map(|neuron| zero(neuron.uid, neuron.hotkey, ZeroReason::NotServing)).collect(),
        averages,
    };
    for (neuron, weight) in paid.iter().zip(weights) {
        if weight > 0 {
            derivation.weights.push(Weight { uid: neuron.uid, hotkey: neuron.hotkey, weight });
        } else {
            let reason = reason(facts, derivation.averages.get(&neuron.hotkey), &neuron.hotkey);
            derivation.zeros.push(zero(neuron.uid, neuron.hotkey, reason));
        }
    }
    derivation.weights.sort_by_key(|weight| weight.uid);
    derivation.zeros.sort_by_key(|zero| zero.uid);
    derivation
}

/// What each hotkey is paid by.
fn averages(constants: &Constants, facts: &EpochFacts<'_>) -> BTreeMap<Hotkey, f64> {
    match constants.weights {
        WeightRule::MovingAverage {} => {
            facts.miners.iter().filter_map(|(hotkey, state)| state.average.map(|average| (*hotkey, average))).collect()
        }
        WeightRule::RunMean { .. } => {
            let run = running::run(facts.statistics);
            let of = |neuron: &Neuron| running::mean_of(&run, neuron.uid).map(|mean| (neuron.hotkey, f64::from(mean)));
            facts.metagraph.neurons().filter_map(of).collect()
        }
    }
}

fn reason(facts: &EpochFacts<'_>, average: Option<&f64>, hotkey: &Hotkey) -> ZeroReason {
    let drawn = facts.miners.get(hotkey).is_some_and(|state| state.drawn > 0);
    match average {
        None if !drawn => ZeroReason::NotSampled,
        Some(average) if *average > 0.0 => ZeroReason::QuantisedToZero,
        _ => ZeroReason::NoScore,
    }
}
