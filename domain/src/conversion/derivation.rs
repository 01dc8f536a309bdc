//! From recorded scores to weights: running averages, who can be paid, shares, the SDK's limits, 16-bit numbers (spec 2.9, 3.6).
//!
//! Everything is keyed by hotkey: a reused uid inherits nothing. Uids enter only at the end, from the metagraph of the facts.
//!
//! One deviation from the running upstream: where nobody has a positive average nothing is submitted. Its SDK would then
//! give every slot of the subnet the same weight, the validators' included.

use std::collections::BTreeMap;

use super::average::{moved, shares};
use super::constants::{Average, Constants, Unasked};
use super::{record, skill};
use crate::events::{Neuron, ResponseScored, SkipReason, Weight, WeightMode, ZeroReason};
use crate::mechanism::{Derivation, EpochFacts, MinerState, zero};
use crate::metagraph::announces_axon;
use crate::sdk_weights::{Limits, emit, process};
use crate::selection::is_validator;
use crate::types::{Hotkey, Micros, Uid};

/// Takes a round's scores into the averages, and labelled answers into what is remembered. A round in which nothing counts moves
/// nobody.
pub(super) fn absorb(
    constants: &Constants,
    miners: &mut BTreeMap<Hotkey, MinerState>,
    scores: &[ResponseScored],
    at: Micros,
) {
    let rule = &constants.average;
    let rewards: BTreeMap<Hotkey, f64> =
        scores.iter().filter(|scored| scored.counted).map(|scored| (scored.hotkey, scored.score)).collect();
    if rewards.is_empty() {
        return;
    }
    for hotkey in rewards.keys() {
        miners.entry(*hotkey).or_default();
    }
    if let Some(rule) = &constants.above_constant {
        for scored in scores.iter().filter(|scored| scored.counted) {
            if let (Some((happened, right)), Some(miner)) =
                (record::settled(&scored.components), miners.get_mut(&scored.hotkey))
            {
                miner.window.push((at, skill::item(happened, right)));
                let limit = usize::try_from(rule.answers).unwrap_or(usize::MAX);
                miner.window.drain(..miner.window.len().saturating_sub(limit));
            }
        }
    }
    for (hotkey, miner) in miners {
        let reward = match (rewards.get(hotkey), rule.unasked) {
            (Some(reward), _) => *reward,
            (None, Unasked::Decay) => 0.0,
            (None, Unasked::Keep { .. }) => continue,
        };
        // An average that was never moved stays none: it tells who was never asked from who earned nothing.
        if miner.average.is_some() || rewards.contains_key(hotkey) {
            let previous = single(miner.average);
            // Rule sets that believe claimed times pay without a limit; an average must stay a number.
            let reward = (reward as f32).clamp(f32::MIN, f32::MAX);
            miner.average = Some(f64::from(moved(previous, reward, rule.alpha)));
        }
    }
}

/// An average as it runs: single precision, exact in the double that carries it.
fn single(average: Option<f64>) -> f32 {
    average.unwrap_or(0.0) as f32
}

/// Derives the weights of an epoch.
pub(super) fn derive(constants: &Constants, facts: &EpochFacts<'_>) -> Derivation {
    let limit = Some(constants.collection.permit_stake);
    let payable =
        |neuron: &&Neuron| neuron.hotkey != facts.own && announces_axon(neuron) && !is_validator(neuron, limit);
    let (serving, idle): (Vec<&Neuron>, Vec<&Neuron>) = facts.metagraph.neurons().partition(payable);
    let mut derivation = Derivation {
        mode: WeightMode::Normal,
        skip: None,
        averages: averages(facts),
        window_start: window_start(constants, facts),
        weights: Vec::new(),
        zeros: idle.iter().map(|neuron| zero(neuron.uid, neuron.hotkey, ZeroReason::NotServing)).collect(),
    };
    let scores: BTreeMap<Uid, f32> = serving
        .iter()
        .filter(|neuron| is_fresh(&constants.average, facts, &neuron.hotkey))
        .filter_map(|neuron| facts.miners.get(&neuron.hotkey).map(|miner| (neuron.uid, paid(constants, facts, miner))))
        .filter(|(_, score)| *score > 0.0)
        .collect();
    let weights = weights(constants, facts, &scores);
    derivation.skip = if facts.metagraph.of(&facts.own).is_none() {
        Some(SkipReason::NotRegistered)
    } else if serving.is_empty() {
        Some(SkipReason::NobodyServing)
    } else {
        weights.is_empty().then_some(SkipReason::NoScores)
    };
    for neuron in serving {
        match weights.get(&neuron.uid).filter(|_| derivation.skip.is_none()) {
            Some(weight) => {
                derivation.weights.push(Weight { uid: neuron.uid, hotkey: neuron.hotkey, weight: *weight });
            }
            None => derivation.zeros.push(zero(neuron.uid, neuron.hotkey, reason(constants, facts, &neuron.hotkey))),
        }
    }
    derivation.weights.sort_by_key(|weight| weight.uid);
    derivation.zeros.sort_by_key(|zero| zero.uid);
    derivation
}

/// Labelled answers before this are forgotten; all of them where the rule set remembers none.
fn window_start(constants: &Constants, facts: &EpochFacts<'_>) -> Micros {
    let seconds = constants.above_constant.as_ref().map_or(0, |rule| rule.window_seconds);
    Micros(facts.now.0.saturating_sub(seconds.saturating_mul(1_000_000)))
}

/// What a miner is paid by: its average, times its skill where the rule set asks for one.
fn paid(constants: &Constants, facts: &EpochFacts<'_>, miner: &MinerState) -> f32 {
    single(miner.average) * skill_of(constants, facts, miner) as f32
}

fn skill_of(constants: &Constants, facts: &EpochFacts<'_>, miner: &MinerState) -> f64 {
    let Some(rule) = &constants.above_constant else { return 1.0 };
    let start = window_start(constants, facts);
    let items = miner.window.iter().filter(|(at, _)| *at >= start).map(|(_, item)| *item);
    skill::of(items, rule)
}

fn averages(facts: &EpochFacts<'_>) -> BTreeMap<Hotkey, f64> {
    facts.miners.iter().filter_map(|(hotkey, miner)| miner.average.map(|average| (*hotkey, average))).collect()
}

/// Whether the miner was seen lately enough to be paid; always where averages decay by themselves.
fn is_fresh(rule: &Average, facts: &EpochFacts<'_>, hotkey: &Hotkey) -> bool {
    let Unasked::Keep { stale_after_seconds } = rule.unasked else { return true };
    let seen = facts.miners.get(hotkey).and_then(|miner| miner.last_seen);
    let limit = stale_after_seconds.saturating_mul(1_000_000);
    seen.is_some_and(|Micros(seen)| facts.now.0.saturating_sub(seen) <= limit)
}

/// 16-bit weights above 0 by slot: shares over all slots, those of nobody and of who is not paid 0.
fn weights(constants: &Constants, facts: &EpochFacts<'_>, scores: &BTreeMap<Uid, f32>) -> BTreeMap<Uid, u16> {
    if scores.is_empty() {
        return BTreeMap::new();
    }
    let slots = facts.metagraph.neurons().last().map_or(0, |last| usize::from(last.uid.0) + 1);
    let uids: Vec<i64> = (0..).take(slots).collect();
    let of = |uid: &i64| u16::try_from(*uid).ok().and_then(|uid| scores.get(&Uid(uid))).copied().unwrap_or(0.0);
    let all: Vec<f32> = uids.iter().map(of).collect();
    let limits = Limits {
        neurons: slots,
        minimum: constants.weights.minimum.into(),
        maximum_share: constants.weights.maximum_share,
        exclude_quantile: 0,
    };
    let (uids, processed) = process(&uids, &shares(&all), &limits);
    // Scores are not negative, so that nothing is refused.
    let (uids, weights) = emit(&uids, &processed.to_doubles()).unwrap_or_default();
    uids.into_iter().filter_map(|uid| u16::try_from(uid).ok()).map(Uid).zip(weights).collect()
}

fn reason(constants: &Constants, facts: &EpochFacts<'_>, hotkey: &Hotkey) -> ZeroReason {
    let miner = facts.miners.get(hotkey);
    match miner.and_then(|miner| miner.average) {
        None if miner.is_some_and(|miner| miner.drawn > 0) => ZeroReason::NeverAnswered,
        None => ZeroReason::NotSampled,
        Some(_) if !is_fresh(&constants.average, facts, hotkey) => ZeroReason::Stale,
        Some(average) if average <= 0.0 => ZeroReason::NoScore,
        Some(_) if miner.is_some_and(|miner| skill_of(constants, facts, miner) <= 0.0) => ZeroReason::NotAboveConstant,
        Some(_) => ZeroReason::QuantisedToZero,
    }
}
