//! The epoch: its ten steps in order. Each is a function of its own; nothing is computed here.

use crate::bonds::{Basis, Bonds, advance};
use crate::consensus::{clip, counted_weights, medians};
use crate::emission::pay;
use crate::fixed::{normalise, share};
use crate::input::{EpochInput, Error};
use crate::output::{EpochOutput, Trace, stored, stored_bonds};
use crate::sparse::{columns_times, interpolate, row_sums};
use crate::stake::{active_shares, new_permits, permits, shares};

/// Computes an epoch.
///
/// # Errors
/// A vector that has not one element for each neuron, or more than [`crate::NEURONS_MAXIMUM`] neurons.
pub fn epoch(input: &EpochInput) -> Result<EpochOutput, Error> {
    epoch_traced(input).map(|(output, _)| output)
}

/// Computes an epoch and keeps every intermediate result in the chain's own precision.
///
/// # Errors
/// As [`epoch`].
pub fn epoch_traced(input: &EpochInput) -> Result<(EpochOutput, Trace), Error> {
    input.check()?;
    let active = input.active();
    let stake = shares(input);
    let held = permits(input);
    let new = new_permits(input, &stake);
    let active_stake = active_shares(&stake, &active, &held);
    let weights = counted_weights(input, &held);
    let consensus = medians(&active_stake, &weights, share(input.kappa));
    let clipped = clip(&weights, &consensus);
    let validator_trust = row_sums(&clipped);
    let mut incentive = columns_times(&clipped, &active_stake);
    normalise(&mut incentive);
    let weights_for_bonds = interpolate(&weights, &clipped, share(input.bonds_penalty));
    let basis = Basis {
        weights: &weights_for_bonds,
        active_stake: &active_stake,
        consensus: &consensus,
        incentive: &incentive,
    };
    let Bonds { averaged, dividends, alphas } = advance(input, &basis);
    let emission = pay(&incentive, &dividends, &stake, &active_stake, input.emission);
    let output = EpochOutput {
        consensus: stored(&consensus),
        incentive: stored(&incentive),
        dividends: stored(&dividends),
        validator_trust: stored(&validator_trust),
        stake_weight: stored(&stake),
        active,
        emission: emission.combined,
        server_emission: emission.server,
        validator_emission: emission.validator,
        bonds: stored_bonds(&averaged, &input.bonds, &held, &new),
        permits: new,
    };
    let trace = Trace {
        stake,
        active_stake,
        weights,
        consensus,
        clipped,
        validator_trust,
        incentive,
        weights_for_bonds,
        alphas,
        ema_bonds: averaged,
        dividends,
    };
    Ok((output, trace))
}
