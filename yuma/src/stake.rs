//! Stake, who may set weights, and how much each voice counts.

use substrate_fixed::types::{I32F32, I64F64};

use crate::fixed::{ZERO, normalise};
use crate::input::EpochInput;

/// A neuron's stake in rao, with the fraction that the weighting of TAO leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stake(I64F64);

impl Stake {
    /// Stake of whole rao.
    pub fn whole(rao: u64) -> Self {
        Self(I64F64::saturating_from_num(rao))
    }

    /// `alpha + tao · TaoWeight / 2^64`: both in rao, each inherited through child keys already, `tao_weight` as the chain
    /// stores it. The weight is cut to 32 fractional bits first, as the chain's getter does.
    pub fn weighted(alpha: u64, tao: u64, tao_weight: u64) -> Self {
        let fraction = u128::from(tao_weight) * (1 << 32) / u128::from(u64::MAX);
        let weight = I64F64::from_bits(i128::try_from(fraction << 32).unwrap_or(i128::MAX));
        let tao = I64F64::saturating_from_num(tao).saturating_mul(weight);
        Self(I64F64::saturating_from_num(alpha).saturating_add(tao))
    }

    /// Whole rao, truncated.
    pub fn rao(self) -> u64 {
        self.0.saturating_to_num()
    }
}

/// Step 2: everybody's share of the stake; too little counts as none, except the owner's.
pub(crate) fn shares(input: &EpochInput) -> Vec<I32F32> {
    let counts = |(uid, stake): (usize, &Stake)| {
        if stake.rao() >= input.stake_threshold || input.is_owner(uid) { stake.0 } else { I64F64::from_bits(0) }
    };
    let stakes: Vec<I64F64> = input.stake.iter().enumerate().map(counts).collect();
    let total = stakes.iter().copied().fold(I64F64::from_bits(0), I64F64::saturating_add);
    let share = |stake: &I64F64| if total == 0 { *stake } else { stake.checked_div(total).unwrap_or_default() };
    stakes.iter().map(share).map(I32F32::saturating_from_num).collect()
}

/// Step 3: the permits under which this epoch's weights count: the stored ones, and the owner's.
pub(crate) fn permits(input: &EpochInput) -> Vec<bool> {
    input.validator_permit.iter().enumerate().map(|(uid, permit)| *permit || input.is_owner(uid)).collect()
}

/// Step 3: the permits of the next epoch: the largest shares that are not 0, of equal ones those of the higher uids, and
/// the owner.
pub(crate) fn new_permits(input: &EpochInput, shares: &[I32F32]) -> Vec<bool> {
    let mut ascending: Vec<usize> = (0..shares.len()).collect();
    ascending.sort_by_key(|uid| shares[*uid]);
    let left_out = shares.len().saturating_sub(usize::from(input.max_allowed_validators));
    let mut permits: Vec<bool> = shares.iter().map(|share| *share != ZERO).collect();
    for uid in &ascending[..left_out] {
        permits[*uid] = false;
    }
    for (uid, permit) in permits.iter_mut().enumerate() {
        *permit |= input.is_owner(uid);
    }
    permits
}

/// Step 4: shares among those who were active and hold a permit.
pub(crate) fn active_shares(shares: &[I32F32], active: &[bool], permits: &[bool]) -> Vec<I32F32> {
    let counted = |((share, active), permit): ((&I32F32, &bool), &bool)| if *active && *permit { *share } else { ZERO };
    let mut shares: Vec<I32F32> = shares.iter().zip(active).zip(permits).map(counted).collect();
    normalise(&mut shares);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tao_counts_by_its_weight() {
        assert_eq!(Stake::weighted(5, 0, u64::MAX).rao(), 5);
        assert_eq!(Stake::weighted(5, 7, u64::MAX), Stake::whole(12));
        assert_eq!(Stake::weighted(0, 1_000_000_000, u64::MAX / 100 * 18).rao(), 179_999_999);
        assert_eq!(Stake::weighted(u64::MAX, u64::MAX, u64::MAX), Stake::whole(u64::MAX));
    }

    #[test]
    fn equal_stakes_prefer_the_higher_uid_and_the_owner_is_never_left_out() {
        let input = EpochInput {
            stake: vec![Stake::whole(5); 4],
            max_allowed_validators: 2,
            owner: Some(0),
            ..EpochInput::default()
        };
        assert_eq!(new_permits(&input, &shares(&input)), [true, false, true, true]);
        let without = EpochInput { owner: None, ..input };
        assert_eq!(new_permits(&without, &shares(&without)), [false, false, true, true]);
        let poor = EpochInput { stake_threshold: 6, owner: Some(3), ..without };
        assert_eq!(shares(&poor).iter().map(|share| share.to_num::<u8>()).collect::<Vec<_>>(), [0, 0, 0, 1]);
    }
}
