//! What an epoch is computed from, as the chain stores it.

use crate::stake::Stake;

/// More neurons than any subnet has; an epoch over more is refused, because its dense steps take the square of it.
pub const NEURONS_MAXIMUM: usize = 4096;

/// Why an epoch cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A vector does not have an element for each neuron.
    #[error("{field} has {found} elements for {neurons} neurons (the length of stake): give one for each uid")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length.
        found: usize,
        /// The number of neurons.
        neurons: usize,
    },
    /// Too many neurons.
    #[error("stake has {found} elements, and an epoch takes at most {NEURONS_MAXIMUM}: split the subnet")]
    Neurons {
        /// The number of neurons.
        found: usize,
    },
    /// The split over mechanisms has no sum.
    #[error("split has no positive finite sum: give at least one mechanism a positive share and none a negative one")]
    Split,
}

/// A subnet (or one mechanism of it) at the end of a tempo. Vectors have an element for each uid, `stake` says how many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochInput {
    /// The block in which the epoch is computed.
    pub block: u64,
    /// Where the epoch before ended: `LastMechansimStepBlock + 1`, or `block - tempo`. Bonds in miners who registered at
    /// or after it are dropped.
    pub last_epoch_block: u64,
    /// Blocks without an update after which a neuron is inactive; see [`activity_cutoff`].
    pub activity_cutoff: u64,
    /// The block of each neuron's last weights (`LastUpdate`).
    pub last_update: Vec<u64>,
    /// The block at which each uid got its hotkey (`BlockAtRegistration`).
    pub block_at_registration: Vec<u64>,
    /// With commit-reveal: the block of each neuron's earliest commit that is neither revealed nor expired. Empty without.
    pub earliest_commit: Vec<Option<u64>>,
    /// Each neuron's stake.
    pub stake: Vec<Stake>,
    /// Rao below which stake counts as none (`StakeThreshold`).
    pub stake_threshold: u64,
    /// Permits from the epoch before (`ValidatorPermit`).
    pub validator_permit: Vec<bool>,
    /// How many permits are given (`MaxAllowedValidators`).
    pub max_allowed_validators: u16,
    /// The subnet owner's uid: permitted always, free of the threshold, and allowed to weigh itself.
    pub owner: Option<u16>,
    /// `Weights` of each uid: (uid, value).
    pub weights: Vec<Vec<(u16, u16)>>,
    /// `Bonds` of each uid: (uid, value).
    pub bonds: Vec<Vec<(u16, u16)>>,
    /// The share of stake that makes a majority, of 65535 (`Kappa`).
    pub kappa: u16,
    /// Millionths of the old bonds that stay (`BondsMovingAverage`).
    pub bonds_moving_average: u64,
    /// How far weights above consensus buy no bonds, of 65535 (`BondsPenalty`).
    pub bonds_penalty: u16,
    /// `Yuma3On`.
    pub yuma3: bool,
    /// `LiquidAlphaOn`; without Yuma3 it changes nothing.
    pub liquid_alpha: bool,
    /// The least and the largest rate of liquid alpha, of 65535 (`AlphaValues`).
    pub alpha_values: (u16, u16),
    /// Hundredths of the slope between them (`AlphaSigmoidSteepness`).
    pub alpha_sigmoid_steepness: i16,
    /// Rao to give out.
    pub emission: u64,
}

impl EpochInput {
    /// Checks that every vector has one element for each neuron.
    ///
    /// # Errors
    /// The first vector of another length, or too many neurons.
    pub(crate) fn check(&self) -> Result<usize, Error> {
        let neurons = self.stake.len();
        if neurons > NEURONS_MAXIMUM {
            return Err(Error::Neurons { found: neurons });
        }
        let commits = if self.earliest_commit.is_empty() { neurons } else { self.earliest_commit.len() };
        for (field, found) in [
            ("last_update", self.last_update.len()),
            ("block_at_registration", self.block_at_registration.len()),
            ("earliest_commit", commits),
            ("validator_permit", self.validator_permit.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
        ] {
            if found != neurons {
                return Err(Error::Length { field, found, neurons });
            }
        }
        Ok(neurons)
    }

    /// Whether a uid is the owner's.
    pub(crate) fn is_owner(&self, uid: usize) -> bool {
        self.owner.is_some_and(|owner| usize::from(owner) == uid)
    }

    /// Step 1: whether a neuron set weights recently enough.
    pub(crate) fn active(&self) -> Vec<bool> {
        self.last_update.iter().map(|updated| updated.saturating_add(self.activity_cutoff) >= self.block).collect()
    }
}

/// Blocks without an update after which a neuron is inactive: `ActivityCutoffFactorMilli` thousandths of the tempo, at least
/// 1. Older runtimes store the number itself (`ActivityCutoff`).
pub fn activity_cutoff(factor_milli: u32, tempo: u16) -> u64 {
    (u64::from(factor_milli) * u64::from(tempo) / 1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_another_length_is_named() {
        let input = EpochInput { stake: vec![Stake::whole(1)], ..EpochInput::default() };
        assert_eq!(input.check(), Err(Error::Length { field: "last_update", found: 0, neurons: 1 }));
        let many = EpochInput { stake: vec![Stake::default(); NEURONS_MAXIMUM + 1], ..EpochInput::default() };
        assert_eq!(many.check(), Err(Error::Neurons { found: NEURONS_MAXIMUM + 1 }));
        assert_eq!(EpochInput::default().check(), Ok(0));
    }

    #[test]
    fn the_cutoff_follows_the_tempo() {
        for (factor, tempo, blocks) in
            [(13_889, 360, 5000), (1000, 360, 360), (1, 10, 1), (0, 0, 1), (u32::MAX, 65_535, 281_470_681_677)]
        {
            assert_eq!(activity_cutoff(factor, tempo), blocks, "{factor} {tempo}");
        }
    }
}
