//! Step 9: who is paid how much.

use substrate_fixed::types::{I32F32, I96F32};

use crate::fixed::{ZERO, divide_by, normalise, sum};

/// Rao for each neuron.
pub(crate) struct Emission {
    /// As a miner.
    pub(crate) server: Vec<u64>,
    /// As a validator.
    pub(crate) validator: Vec<u64>,
    /// As both, from the shares added before rounding.
    pub(crate) combined: Vec<u64>,
}

/// Divides the emission by incentive and dividends. Where neither is anything, validators get it by their active stake, or
/// by their stake if nobody was active.
pub(crate) fn pay(
    incentive: &[I32F32],
    dividends: &[I32F32],
    stake: &[I32F32],
    active_stake: &[I32F32],
    emission: u64,
) -> Emission {
    let mut combined: Vec<I32F32> = incentive.iter().zip(dividends).map(|(a, b)| a.saturating_add(*b)).collect();
    let total = sum(combined.iter().copied());
    if total == ZERO {
        let idle = if sum(active_stake.iter().copied()) == ZERO { stake } else { active_stake };
        return Emission {
            server: rao(incentive, emission),
            validator: rao(idle, emission),
            combined: rao(idle, emission),
        };
    }
    let (mut server, mut validator) = (incentive.to_vec(), dividends.to_vec());
    divide_by(&mut server, total);
    divide_by(&mut validator, total);
    normalise(&mut combined);
    Emission {
        server: rao(&server, emission),
        validator: rao(&validator, emission),
        combined: rao(&combined, emission),
    }
}

/// Shares of an amount in rao, truncated.
fn rao(shares: &[I32F32], amount: u64) -> Vec<u64> {
    let amount = I96F32::saturating_from_num(amount);
    shares.iter().map(|share| I96F32::saturating_from_num(*share).saturating_mul(amount).saturating_to_num()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::ONE;

    #[test]
    fn stake_is_paid_where_nothing_was_weighed() {
        let (none, all) = ([ZERO, ZERO], [ONE, ZERO]);
        let idle = pay(&none, &none, &[ZERO, ONE], &all, 1000);
        assert_eq!((idle.server, idle.validator, idle.combined), (vec![0, 0], vec![1000, 0], vec![1000, 0]));
        let inactive = pay(&none, &none, &[ZERO, ONE], &none, u64::MAX);
        assert_eq!(inactive.validator, [0, u64::MAX]);
        let half = pay(&all, &[ZERO, ONE], &none, &none, 1001);
        assert_eq!((half.server, half.validator, half.combined), (vec![500, 0], vec![0, 500], vec![500, 500]));
    }
}
