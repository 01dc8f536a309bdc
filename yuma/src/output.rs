//! What an epoch leaves behind.

use substrate_fixed::types::I32F32;

use crate::fixed::to_u16;
use crate::sparse::Matrix;

/// What the chain stores after an epoch. Vectors have an element for each uid; shares are of 65535, truncated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochOutput {
    /// `Consensus`: the weight on which a majority of the stake agrees.
    pub consensus: Vec<u16>,
    /// `Incentive`: each miner's share.
    pub incentive: Vec<u16>,
    /// `Dividends`: each validator's share.
    pub dividends: Vec<u16>,
    /// `ValidatorTrust`: how much of a validator's weights stood within consensus.
    pub validator_trust: Vec<u16>,
    /// `StakeWeight`: each neuron's share of the stake.
    pub stake_weight: Vec<u16>,
    /// `Active`.
    pub active: Vec<bool>,
    /// `Emission`: rao for being a miner and a validator together, from the shares added before rounding.
    pub emission: Vec<u64>,
    /// Rao for being a miner.
    pub server_emission: Vec<u64>,
    /// Rao for being a validator.
    pub validator_emission: Vec<u64>,
    /// `ValidatorPermit` for the next epoch.
    pub permits: Vec<bool>,
    /// `Bonds`: new rows of those who hold a permit, none of those who lost theirs, the old ones of everybody else.
    pub bonds: Vec<Vec<(u16, u16)>>,
}

/// The intermediate results in the chain's own precision. Matrices have a row for each uid, of (uid, value).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Shares of the stake.
    pub stake: Vec<I32F32>,
    /// Shares among active neurons with a permit.
    pub active_stake: Vec<I32F32>,
    /// Weights that count, each row normalised.
    pub weights: Matrix,
    /// Weighted medians.
    pub consensus: Vec<I32F32>,
    /// Weights cut at consensus.
    pub clipped: Matrix,
    /// Row sums of the cut weights.
    pub validator_trust: Vec<I32F32>,
    /// Miners' shares.
    pub incentive: Vec<I32F32>,
    /// Weights that buy bonds.
    pub weights_for_bonds: Matrix,
    /// Rates of liquid alpha, dense, where it was used.
    pub alphas: Option<Vec<Vec<I32F32>>>,
    /// Bonds after the moving average, as they are stored.
    pub ema_bonds: Matrix,
    /// Validators' shares.
    pub dividends: Vec<I32F32>,
}

/// Step 10: shares as they are stored.
pub(crate) fn stored(shares: &[I32F32]) -> Vec<u16> {
    shares.iter().map(|share| to_u16(*share)).collect()
}

/// Step 10: the rows of bonds after the epoch.
pub(crate) fn stored_bonds(
    bonds: &Matrix,
    before: &[Vec<(u16, u16)>],
    permits: &[bool],
    new_permits: &[bool],
) -> Vec<Vec<(u16, u16)>> {
    let row = |uid: usize| match (permits[uid], new_permits[uid]) {
        (_, true) => bonds[uid].iter().map(|(j, value)| (*j, to_u16(*value))).collect(),
        (true, false) => Vec::new(),
        (false, false) => before[uid].clone(),
    };
    (0..bonds.len()).map(row).collect()
}
