//! Step 8, Yuma3: bonds that move at a rate of their own for each validator and miner.

use substrate_fixed::transcendental::exp;
use substrate_fixed::types::I32F32;

use crate::fixed::{ONE, ZERO, clamp, share};
use crate::input::EpochInput;
use crate::sparse::{Matrix, Row, dense};

/// The rate for every pair of neurons, zeros standing for weights and bonds that are not there.
pub(crate) fn rates(input: &EpochInput, weights: &Matrix, bonds: &Matrix, consensus: &[I32F32]) -> Vec<Vec<I32F32>> {
    let (low, high) = (share(input.alpha_values.0), share(input.alpha_values.1));
    // Negative already: the exponent is −steepness · (difference − ½).
    let slope =
        I32F32::saturating_from_num(input.alpha_sigmoid_steepness).saturating_div(I32F32::saturating_from_num(-100));
    let columns = consensus.len();
    let row = |(weights, bonds): (&Row, &Row)| {
        let (weights, bonds) = (dense(weights, columns), dense(bonds, columns));
        let pairs = weights.iter().zip(&bonds).zip(consensus);
        pairs
            .map(|((weight, bond), consensus)| rate(difference(*weight, *bond, *consensus), slope, low, high))
            .collect()
    };
    weights.iter().zip(bonds).map(row).collect()
}

/// How far a buyer stands above consensus, or how much of its bond a seller gives up, in 0 … 1.
fn difference(weight: I32F32, bond: I32F32, consensus: I32F32) -> I32F32 {
    let difference = if weight >= bond { weight.saturating_sub(consensus) } else { bond.saturating_sub(weight) };
    clamp(difference, ZERO, ONE)
}

/// `low + (high − low) / (1 + e^(slope · (difference − ½)))`, within `[low, high]`.
fn rate(difference: I32F32, slope: I32F32, low: I32F32, high: I32F32) -> I32F32 {
    let half = I32F32::from_bits(1 << 31);
    let exponent = slope.saturating_mul(difference.saturating_sub(half));
    // The chain takes a power that does not fit for 0, whatever its sign.
    let power: I32F32 = exp(exponent).unwrap_or(ZERO);
    let sigmoid = ONE.checked_div(ONE.saturating_add(power)).unwrap_or(ZERO);
    clamp(low.saturating_add(sigmoid.saturating_mul(high.saturating_sub(low))), low, high)
}

/// `rate · weight + (1 − rate) · bond`, at most 1, where there is a weight and something is left; in the order of weights.
pub(crate) fn moving_average(weights: &Matrix, bonds: &Matrix, rates: &[Vec<I32F32>]) -> Matrix {
    let row = |((weights, bonds), rates): ((&Row, &Row), &Vec<I32F32>)| {
        let old = dense(bonds, rates.len());
        let moved = |(j, weight): &(u16, I32F32)| {
            let (rate, bond) = (rates[usize::from(*j)], old[usize::from(*j)]);
            let decayed = ONE.saturating_sub(rate).saturating_mul(bond);
            let bought = rate.saturating_mul(*weight).max(ZERO);
            let value = decayed.saturating_add(bought).min(ONE);
            (value > ZERO).then_some((*j, value))
        };
        weights.iter().filter_map(moved).collect()
    };
    weights.iter().zip(bonds).zip(rates).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_stay_within_their_limits_at_any_steepness() {
        let (low, high) = (share(45_875), share(58_982));
        for steepness in [i16::MIN, -1000, -1, 0, 1, 1000, i16::MAX] {
            let slope = I32F32::saturating_from_num(steepness).saturating_div(I32F32::saturating_from_num(-100));
            for bits in [0, 1, 1 << 20, 1 << 31, 1 << 32] {
                let found = rate(I32F32::from_bits(bits), slope, low, high);
                assert!(low <= found && found <= high, "{steepness} {bits} {found}");
            }
        }
    }

    #[test]
    fn the_middle_of_the_sigmoid_is_the_middle_of_the_rates() {
        let slope = I32F32::saturating_from_num(-10);
        assert_eq!(rate(I32F32::from_bits(1 << 31), slope, ZERO, ONE), I32F32::from_bits(1 << 31));
    }

    #[test]
    fn a_seller_is_measured_by_what_it_gives_up() {
        let (three, two, one) = (share(3), share(2), share(1));
        assert_eq!(difference(three, two, one), three.saturating_sub(one));
        assert_eq!(difference(one, three, ZERO), three.saturating_sub(one));
        assert_eq!(difference(one, one, three), ZERO);
    }
}
