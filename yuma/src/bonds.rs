//! Steps 7 and 8: validators' bonds in miners, and what they earn by them.

use substrate_fixed::types::I32F32;

use crate::fixed::{ONE, ZERO, millionths, normalise, products, share, whole};
use crate::input::EpochInput;
use crate::liquid_alpha;
use crate::sparse::{
    Matrix, filter, from_stored, moving_average, normalise_columns, rows_times, scale_rows, upscale_columns,
};

/// Bonds after the epoch and the dividends that they bring.
pub(crate) struct Bonds {
    /// As they are stored.
    pub(crate) averaged: Matrix,
    /// Validators' shares.
    pub(crate) dividends: Vec<I32F32>,
    /// The rates of liquid alpha, where it was used.
    pub(crate) alphas: Option<Vec<Vec<I32F32>>>,
}

/// What the bonds move towards.
pub(crate) struct Basis<'a> {
    /// Weights after the penalty.
    pub(crate) weights: &'a Matrix,
    /// Shares among the active.
    pub(crate) active_stake: &'a [I32F32],
    /// Weighted medians.
    pub(crate) consensus: &'a [I32F32],
    /// Miners' shares.
    pub(crate) incentive: &'a [I32F32],
}

/// Step 8, in the generation that the subnet has switched on.
pub(crate) fn advance(input: &EpochInput, basis: &Basis<'_>) -> Bonds {
    if input.yuma3 { yuma3(input, basis) } else { yuma2(input, basis) }
}

/// Stored bonds without those in neurons who registered since the epoch before.
fn before(input: &EpochInput, convert: fn(u16) -> I32F32) -> Matrix {
    filter(&from_stored(&input.bonds, convert), |_, j| input.last_epoch_block > input.block_at_registration[j])
}

/// The share of the new in the moving average.
fn alpha(input: &EpochInput) -> I32F32 {
    ONE.saturating_sub(millionths(input.bonds_moving_average))
}

/// Bonds bought with stake and normalised for each miner; dividends are by the bonds alone.
fn yuma2(input: &EpochInput, basis: &Basis<'_>) -> Bonds {
    let mut old = before(input, whole);
    normalise_columns(&mut old);
    let mut bought = scale_rows(basis.weights, basis.active_stake);
    normalise_columns(&mut bought);
    let mut averaged = moving_average(&bought, &old, alpha(input));
    normalise_columns(&mut averaged);
    let mut dividends = rows_times(&averaged, basis.incentive);
    normalise(&mut dividends);
    upscale_columns(&mut averaged);
    Bonds { averaged, dividends, alphas: None }
}

/// Bonds that follow weights whatever the stake; dividends are by bonds and stake.
fn yuma3(input: &EpochInput, basis: &Basis<'_>) -> Bonds {
    let old = before(input, share);
    let liquid = input.liquid_alpha && basis.consensus.iter().any(|consensus| *consensus != ZERO);
    let alphas = liquid.then(|| liquid_alpha::rates(input, basis.weights, &old, basis.consensus));
    let averaged = match &alphas {
        Some(rates) => liquid_alpha::moving_average(basis.weights, &old, rates),
        None => moving_average(basis.weights, &old, alpha(input)),
    };
    let mut shares = averaged.clone();
    normalise_columns(&mut shares);
    let mut dividends = products(&rows_times(&shares, basis.incentive), basis.active_stake);
    normalise(&mut dividends);
    Bonds { averaged, dividends, alphas }
}
