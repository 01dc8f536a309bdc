//! Rules of upstream's later versions on rewards, times and penalties (spec 3). No shipped rule set uses them; they are here
//! to replay those versions.

use std::collections::BTreeMap;

use crate::math::{self, order};
use crate::twitter::numbers::{self, Real};

/// How far the non-zero rewards of a batch are pulled apart: `(factor × x)^power`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Before the power.
    pub factor: f64,
    /// The power.
    pub power: f64,
}

impl Spread {
    /// Since 2024-05-14.
    pub const FIRST: Self = Self { factor: 2.0, power: 2.0 };
    /// The final form.
    pub const FINAL: Self = Self { factor: 4.0, power: 4.0 };
}

/// Rewards of a batch without running statistics: zeros stay 0, equal ones become 1, others are stretched to [0, 1], pulled
/// apart and divided by the largest. The smallest non-zero reward thereby gets 0, like a failure.
pub fn stretched<R: Real>(rewards: &[R], spread: Spread) -> Vec<R> {
    let (zero, one) = (R::near(0.0), R::near(1.0));
    let counts = |x: &&R| **x != zero;
    let Some(first) = rewards.iter().find(counts).copied() else { return rewards.to_vec() };
    let (least, most) = rewards.iter().filter(counts).fold((first, first), |(least, most), x| {
        (if *x < least { *x } else { least }, if *x > most { *x } else { most })
    });
    let pulled = |x: &R| {
        let share = (*x - least) / (most - least);
        R::near(math::pow((R::near(spread.factor) * share).into(), spread.power))
    };
    let largest = if most > least { pulled(&most) } else { one };
    let of = |x: &R| {
        if *x == zero {
            zero
        } else if most > least {
            pulled(x) / largest
        } else {
            one
        }
    };
    rewards.iter().map(of).collect()
}

/// Rewards of January to May 2024: the distribution function of the scaled reward, but an exact 0 stays 0.
pub fn zero_kept<R: Real>(standardised: &[R]) -> Vec<R> {
    let zero = R::near(0.0);
    standardised.iter().map(|z| if *z == zero { zero } else { numbers::normal_distribution(*z) }).collect()
}

/// The reward for speed: `0.2 / (1 + e^(0.1 t − 5))` of a time in seconds, 0 from the limit on.
pub fn performance(seconds: f64, limit: f64) -> f64 {
    0.2 * speed(seconds, limit)
}

/// `1 / (1 + e^(0.1 t − 5))`, 0 from the limit on.
pub fn speed(seconds: f64, limit: f64) -> f64 {
    if seconds < limit { 1.0 / (1.0 + math::exp(0.1 * seconds - 5.0)) } else { 0.0 }
}

/// The time that counts: a failed or untimed response took all of it.
pub fn counted_time(seconds: Option<f64>, successful: bool, limit: f64) -> f64 {
    seconds.filter(|_| successful).unwrap_or(limit)
}

/// The first reward for speed: the rank of a time among all, from `most` for the fastest to `least` for the slowest. Failed
/// ones have an infinite time and still get the least, and a single time divides by zero. Equal times fall as numpy's sort
/// leaves them.
pub fn ranked(seconds: &[f64], most: f64, least: f64) -> Vec<f64> {
    let order = order::argsort(seconds);
    let mut ranks = vec![0.0; seconds.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank as f64;
    }
    let last = seconds.len() as f64 - 1.0;
    let percentile = |rank: f64| 100.0 - rank * 100.0 / last;
    ranks.into_iter().map(|rank| least + (most - least) * percentile(rank) / 100.0).collect()
}

/// The penalty for slowness: 0 up to the limit, `1 − e^(limit − t)` beyond; 1 for no time or a time of 0.
pub fn slowness<R: Real>(seconds: Option<f64>, limit: f64) -> R {
    R::near(match seconds {
        Some(seconds) if seconds != 0.0 => {
            if seconds <= limit {
                0.0
            } else {
                1.0 - math::exp(-(seconds - limit))
            }
        }
        _ => 1.0,
    })
}

/// Tokens that one streamed chunk may have.
const CHUNK_TOKENS: u64 = 2;

/// The penalty for chunks that were not streamed token by token: 0.01 for each token above two per chunk, at most 1; 1 for no
/// chunks. Token counts are upstream's tokenizer's, and are recorded.
pub fn lumps<R: Real>(tokens_per_chunk: &[u64]) -> R {
    let one = R::near(1.0);
    if tokens_per_chunk.is_empty() {
        return one;
    }
    tokens_per_chunk.iter().filter(|tokens| **tokens > CHUNK_TOKENS).fold(R::near(0.0), |total, tokens| {
        let next = total + R::near((tokens - CHUNK_TOKENS) as f64 * 0.01);
        if next > one { one } else { next }
    })
}

/// What miners owe for bad answers to users' own queries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganicDebts<K: Ord>(BTreeMap<K, u64>);

impl<K: Ord + Clone> OrganicDebts<K> {
    /// An answer to a user's query: one more debt when any reward that was asked for is 0.
    pub fn answered(&mut self, miner: &K, rewards: &[f64]) {
        if rewards.contains(&0.0) {
            *self.0.entry(miner.clone()).or_insert(0) += 1;
        }
    }

    /// A round of the validator's own: whether the miner pays a debt with all of that round's rewards.
    pub fn pays(&mut self, miner: &K) -> bool {
        let Some(debts) = self.0.get_mut(miner) else { return false };
        *debts -= 1;
        if *debts == 0 {
            self.0.remove(miner);
        }
        true
    }

    /// How many rounds the miner still has to pay with.
    pub fn owed(&self, miner: &K) -> u64 {
        self.0.get(miner).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stretching() {
        assert_eq!(stretched(&[0.4f32, 0.4, 0.0], Spread::FINAL), [1.0, 1.0, 0.0]);
        assert_eq!(stretched(&[0.0f32, 0.0], Spread::FINAL), [0.0, 0.0]);
        assert_eq!(stretched(&[0.2f64, 0.0, 0.6, 0.4], Spread::FIRST)[..3], [0.0, 0.0, 1.0]);
        assert!((stretched(&[0.25f64, 0.75, 0.5], Spread::FINAL)[2] - 0.0625).abs() < 1e-15);
        assert_eq!(zero_kept(&[0.0f32, f32::INFINITY]), [0.0, 1.0]);
    }

    #[test]
    fn speed_is_paid() {
        assert!((performance(0.0, 10.0) - 0.198_661_429_815_143_8).abs() < 1e-12);
        assert_eq!(performance(10.0, 10.0), 0.0);
        assert_eq!(counted_time(Some(1.0), false, 10.0), 10.0);
        // An empty result with a time of 0 is the best upstream.
        assert!(performance(counted_time(Some(0.0), true, 10.0), 10.0) > performance(1.0, 10.0));
        assert_eq!(ranked(&[3.0, f64::INFINITY, 1.0], 1.0, 0.1), [0.55, 0.1, 1.0]);
        assert!(ranked(&[3.0], 1.0, 0.1)[0].is_nan());
        assert!(ranked(&[], 1.0, 0.1).is_empty());
    }

    #[test]
    fn slowness_and_lumps_are_charged() {
        for (seconds, expected) in [(None, 1.0), (Some(0.0), 1.0), (Some(10.0), 0.0), (Some(5.0), 0.0)] {
            assert_eq!(slowness::<f64>(seconds, 10.0), expected);
        }
        assert!((slowness::<f64>(Some(11.0), 10.0) - (1.0 - math::exp(-1.0))).abs() < 1e-15);
        assert_eq!(lumps::<f64>(&[]), 1.0);
        assert_eq!(lumps::<f64>(&[0, 1, 2]), 0.0);
        assert_eq!(lumps::<f64>(&[5, 3]), 0.03 + 0.01);
        assert_eq!(lumps::<f32>(&[500]), 1.0);
    }

    #[test]
    fn debts_are_paid_one_round_each() {
        let mut debts = OrganicDebts::default();
        debts.answered(&"a", &[0.0, 0.5]);
        debts.answered(&"a", &[0.0]);
        debts.answered(&"b", &[0.1]);
        assert_eq!((debts.owed(&"a"), debts.pays(&"b")), (2, false));
        assert_eq!([debts.pays(&"a"), debts.pays(&"a"), debts.pays(&"a")], [true, true, false]);
        assert_eq!(debts, OrganicDebts::default());
    }

    proptest! {
        #[test]
        fn rewards_stay_shares(rewards in prop::collection::vec(prop_oneof![Just(0f32), 0.001f32..1.0], 0..12)) {
            for spread in [Spread::FIRST, Spread::FINAL] {
                let found = stretched(&rewards, spread);
                prop_assert!(found.iter().all(|x| (0.0..=1.0).contains(x)), "{:?}", found);
                prop_assert!(rewards.iter().all(|x| *x == 0.0) || found.contains(&1.0));
            }
        }

        #[test]
        fn penalties_stay_shares(seconds in 0f64..1e4, limit in 0f64..200.0, tokens in prop::collection::vec(0u64..60, 0..40)) {
            prop_assert!((0.0..=1.0).contains(&slowness::<f32>(Some(seconds), limit)));
            prop_assert!((0.0..=1.0).contains(&lumps::<f32>(&tokens)));
            prop_assert!((0.0..=0.2).contains(&performance(seconds, limit)));
        }
    }
}
