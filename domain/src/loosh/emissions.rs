//! Emissions (spec 3.8): what each answer of a round earns.
//!
//! Time share × consensus × membership × the best answer's bonus. Quality, vote caps and the gate enter only through θ and
//! the factors: an answer that was filtered out is still paid. Nothing is clamped or normalised, and a negative θ makes
//! negative emissions.

use std::cmp::Ordering;

use super::constants::Emissions;
use crate::math;

/// All response times were zero: nobody has a time share (upstream divides by zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {responses} response times are zero, so that no time share exists")]
pub struct NoTime {
    /// How many responses there were.
    pub responses: usize,
}

/// The best individual score and the bonus for its lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Its index; the first of equals; `None` for fewer than two scores.
    pub index: Option<usize>,
    /// The factor of its emission, at least 1.
    pub factor: f64,
}

/// `min(1.5, 1 + 0.5 tanh(0.1 (s₁ − s₂)))` for the best score; `scores` in the order in which ties are broken.
pub fn best(scores: &[f64], rule: &Emissions) -> Best {
    if scores.len() < 2 {
        return Best { index: None, factor: 1.0 };
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Stable, and 0 equals −0, as in Python's `sorted`.
    order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap_or(Ordering::Equal));
    let lead = scores[order[0]] - scores[order[1]];
    let factor = 1.0 + rule.bonus * math::tanh(lead * rule.bonus_scale);
    Best { index: Some(order[0]), factor: if lead > 0.0 { factor.min(rule.bonus_limit) } else { 1.0 } }
}

/// One answer's earnings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emission {
    /// `1 − t / Σt`.
    pub time_share: f64,
    /// What enters the moving average.
    pub emission: f64,
}

/// Emissions in the order of the response times (whole milliseconds).
///
/// # Errors
/// When there are responses and all their times are zero.
pub fn emissions(
    times: &[u64],
    theta: f64,
    members: &[bool],
    best: Best,
    rule: &Emissions,
) -> Result<Vec<Emission>, NoTime> {
    let total: u128 = times.iter().map(|time| u128::from(*time)).sum();
    if total == 0 && !times.is_empty() {
        return Err(NoTime { responses: times.len() });
    }
    let earn = |(at, time): (usize, &u64)| {
        let time_share = 1.0 - *time as f64 / total as f64;
        let mut emission = time_share * theta;
        if members.get(at).copied().unwrap_or_default() {
            emission *= rule.member_factor;
        }
        if best.index == Some(at) {
            emission *= best.factor;
        }
        Emission { time_share, emission }
    };
    Ok(times.iter().enumerate().map(earn).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loosh::constants::Constants;
    use proptest::prelude::*;

    fn rule() -> Emissions {
        Constants::v1_2_8().emissions
    }

    #[test]
    fn nobody_and_no_time() {
        let nobody = best(&[], &rule());
        assert_eq!(emissions(&[], 0.9, &[], nobody, &rule()), Ok(vec![]));
        assert_eq!(emissions(&[0, 0], 0.9, &[true, true], nobody, &rule()), Err(NoTime { responses: 2 }));
        let lone = emissions(&[40], 0.9, &[true], nobody, &rule());
        assert_eq!(lone, Ok(vec![Emission { time_share: 0.0, emission: 0.0 }]));
        assert_eq!(best(&[0.3, 0.7, 0.7], &rule()), Best { index: Some(1), factor: 1.0 });
        assert_eq!(best(&[1e6, 0.0], &rule()).factor, 1.5);
    }

    proptest! {
        #[test]
        fn time_shares_sum_to_one_less_than_responses(times in proptest::collection::vec(1u64..100_000, 1..20)) {
            let all = emissions(&times, 1.0, &[], best(&[], &rule()), &rule());
            prop_assert!(all.is_ok());
            let sum: f64 = all.iter().flatten().map(|e| e.time_share).sum();
            prop_assert!((sum - (times.len() as f64 - 1.0)).abs() < 1e-9);
            for e in all.iter().flatten() {
                prop_assert!((0.0..1.0).contains(&e.time_share));
            }
        }

        #[test]
        fn order_does_not_matter(times in proptest::collection::vec(1u64..100_000, 2..9), theta in -1f64..2.0) {
            let members: Vec<bool> = times.iter().map(|t| t % 2 == 0).collect();
            let none = best(&[], &rule());
            let forward = emissions(&times, theta, &members, none, &rule());
            let back_times: Vec<u64> = times.iter().rev().copied().collect();
            let back_members: Vec<bool> = members.iter().rev().copied().collect();
            let back = emissions(&back_times, theta, &back_members, none, &rule());
            for (a, b) in forward.iter().flatten().zip(back.iter().flatten().rev()) {
                prop_assert_eq!(a.emission.to_bits(), b.emission.to_bits());
            }
        }
    }
}
