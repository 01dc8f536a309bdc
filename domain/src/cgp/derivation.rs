//! From recorded scores to averages, and from averages to weights (spec 3.6 and 3.7). Everything is keyed by hotkey, under every
//! rule set: a slot that changes hands inherits nothing, as upstream zeroes it at its next look at the metagraph.
//!
//! Single precision where upstream's is, kept exactly in the doubles of the state. Equal scores are ordered by the stream
//! `cgp/ties/1` of the seed of the round evaluated last, which the running statistic [`TIE_SEED`] carries; before the first
//! round, of SHA-256("assay/cgp/ties/1" 0x00 ‖ own hotkey ‖ u64 time of the derivation).

use std::collections::BTreeMap;

use super::average::{counting, idle, step, transformed};
use super::constants::{ChainLimits, Constants};
use super::rank_curve::{raw_weights, tie_ranks};
use crate::draw::Stream;
use crate::events::{Neuron, ResponseScored, SkipReason, Statistic, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::metagraph::announces_axon;
use crate::sdk_weights::{Limits, emit, process};
use crate::selection::is_validator;
use crate::types::{Digest, HexBytes, Hotkey, Uid, sha256_parts};

/// Name of the statistic that carries the seed of the round evaluated last: eight numbers of 32 bits.
pub const TIE_SEED: &str = "tie_seed";

/// The seed as a running statistic.
pub(super) fn tie_statistic(seed: &Digest) -> Statistic {
    let (words, _) = seed.0.as_chunks::<4>();
    let values = words.iter().map(|word| f64::from(u32::from_be_bytes(*word))).collect();
    Statistic { name: TIE_SEED.to_owned(), values }
}

fn tie_seed(facts: &EpochFacts<'_>) -> Digest {
    let carried = facts.statistics.iter().find(|statistic| statistic.name == TIE_SEED);
    // Casts saturate: whatever is recorded gives some seed.
    let bytes: Vec<u8> =
        carried.iter().flat_map(|s| &s.values).flat_map(|value| (*value as u32).to_be_bytes()).collect();
    let found: Result<[u8; 32], _> = bytes.try_into();
    found.map_or_else(
        |_| sha256_parts(&[b"assay/cgp/ties/1\0", facts.own.as_str().as_bytes(), &facts.now.0.to_be_bytes()]),
        HexBytes,
    )
}

/// Takes a round's scores in. Miners that were not asked keep their average, up to a rounding; a round that scored nobody
/// changes nothing.
pub(super) fn absorb(constants: &Constants, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored]) {
    let rewards: BTreeMap<Hotkey, f32> =
        scores.iter().filter(|scored| scored.counted).map(|scored| (scored.hotkey, scored.score as f32)).collect();
    if rewards.is_empty() {
        return;
    }
    for hotkey in rewards.keys() {
        miners.entry(*hotkey).or_default();
    }
    for (hotkey, miner) in miners {
        let average = miner.average.map(|average| average as f32);
        let next = match rewards.get(hotkey) {
            Some(reward) => Some(step(average.unwrap_or(0.0), *reward, &constants.average)),
            None => average.map(|average| idle(average, &constants.average)),
        };
        miner.average = next.map(f64::from);
    }
}

/// Derives the weights of an epoch.
pub(super) fn derive(constants: &Constants, facts: &EpochFacts<'_>) -> Derivation {
    let averages: BTreeMap<Hotkey, f64> =
        facts.miners.iter().filter_map(|(hotkey, state)| Some((*hotkey, state.average?))).collect();
    let neurons: Vec<&Neuron> = facts.metagraph.neurons().collect();
    let validator = |neuron: &Neuron| is_validator(neuron, Some(constants.collection.validator_stake as f64));
    let payable = |neuron: &Neuron| announces_axon(neuron) && neuron.hotkey != facts.own && !validator(neuron);
    let scores = scores(constants, &averages, &neurons, payable);
    let burns = constants.payout.burn.as_ref().filter(|burn| burn.rate > 0.0);
    let owner = burns.and(facts.metagraph.owner).and_then(|owner| neurons.iter().position(|n| n.hotkey == owner));
    // Upstream sends nothing while all scores are zero; with `whole_when_alone` the owner's slot then gets all of it.
    let unpaid = scores.iter().all(|score| *score == 0.0);
    let alone = owner.is_some() && burns.is_some_and(|burn| burn.whole_when_alone) && !averages.is_empty();
    let skip = if facts.metagraph.of(&facts.own).is_none() {
        Some(SkipReason::NotRegistered)
    } else if !neurons.iter().any(|neuron| payable(neuron)) {
        Some(SkipReason::NobodyServing)
    } else {
        (unpaid && !alone).then_some(SkipReason::NoScores)
    };
    let mut found: BTreeMap<Uid, u16> = BTreeMap::new();
    if skip.is_none() {
        let hotkeys: Vec<Hotkey> = neurons.iter().map(|neuron| neuron.hotkey).collect();
        let ties = tie_ranks(&hotkeys, &mut Stream::new(tie_seed(facts), "cgp/ties/1"));
        let slot = owner.and_then(|at| i64::try_from(at).ok());
        let raw = raw_weights(&scores, &ties, slot, &constants.payout).unwrap_or_default();
        found = sent(&neurons, &raw, &constants.payout.limits);
    }
    let mut derivation = Derivation {
        mode: WeightMode::Normal,
        skip,
        window_start: facts.now,
        weights: Vec::new(),
        zeros: Vec::new(),
        averages,
    };
    for (at, neuron) in neurons.iter().enumerate() {
        let paid = payable(neuron) || owner == Some(at);
        match found.get(&neuron.uid).copied().filter(|weight| paid && *weight > 0) {
            Some(weight) => derivation.weights.push(Weight { uid: neuron.uid, hotkey: neuron.hotkey, weight }),
            None => {
                let reason = if payable(neuron) {
                    reason(constants, facts, derivation.averages.get(&neuron.hotkey), &neuron.hotkey)
                } else {
                    ZeroReason::NotServing
                };
                derivation.zeros.push(zero(neuron.uid, neuron.hotkey, reason));
            }
        }
    }
    derivation
}

/// Scores in order of the slots; 0 for who cannot be paid.
fn scores(
    constants: &Constants,
    averages: &BTreeMap<Hotkey, f64>,
    neurons: &[&Neuron],
    payable: impl Fn(&Neuron) -> bool,
) -> Vec<f64> {
    let average = |neuron: &&Neuron| {
        let known = averages.get(&neuron.hotkey).filter(|_| payable(neuron));
        known.map_or(0.0, |average| *average as f32)
    };
    let counted = counting(&neurons.iter().map(average).collect::<Vec<_>>(), constants.payout.minimum_average);
    let nobody = counted.iter().all(|average| *average <= 0.0);
    if averages.is_empty() || (nobody && !constants.payout.even_without_scores) {
        return vec![0.0; neurons.len()];
    }
    let scores = transformed(&counted, neurons.len(), &constants.average);
    neurons.iter().zip(scores).map(|(neuron, score)| if payable(neuron) { score.into() } else { 0.0 }).collect()
}

/// What goes to the chain: upstream's path through the SDK, `process_weights` and 16 bits.
fn sent(neurons: &[&Neuron], raw: &[f64], limits: &ChainLimits) -> BTreeMap<Uid, u16> {
    if raw.iter().all(|weight| *weight <= 0.0) {
        // The SDK would make an even share for everybody of nothing.
        return BTreeMap::new();
    }
    let uids: Vec<i64> = neurons.iter().map(|neuron| neuron.uid.0.into()).collect();
    let single: Vec<f32> = raw.iter().map(|weight| *weight as f32).collect();
    let limits = Limits {
        neurons: neurons.len(),
        minimum: usize::try_from(limits.minimum_weights).unwrap_or(usize::MAX),
        maximum_share: limits.maximum_share,
        exclude_quantile: 0,
    };
    let (uids, processed) = process(&uids, &single, &limits);
    // Neither negative weights nor negative uids can come of it.
    let (uids, weights) = emit(&uids, &processed.to_doubles()).unwrap_or_default();
    uids.into_iter().zip(weights).filter_map(|(uid, weight)| Some((Uid(u16::try_from(uid).ok()?), weight))).collect()
}

fn reason(constants: &Constants, facts: &EpochFacts<'_>, average: Option<&f64>, hotkey: &Hotkey) -> ZeroReason {
    let drawn = facts.miners.get(hotkey).is_some_and(|state| state.drawn > 0);
    match average {
        None if drawn => ZeroReason::NeverAnswered,
        None => ZeroReason::NotSampled,
        Some(average) if *average <= 0.0 || *average < constants.payout.minimum_average => ZeroReason::NoScore,
        Some(_) => ZeroReason::QuantisedToZero,
    }
}

#[cfg(test)]
#[path = "derivation_tests.rs"]
mod tests;
