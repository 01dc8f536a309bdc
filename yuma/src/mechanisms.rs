//! A subnet's mechanisms: where their state is kept, and how emission is split over them.

use crate::input::Error;

/// Subnets that can exist; a mechanism's state stands that much above the one before (`GLOBAL_MAX_SUBNET_COUNT`).
pub const SUBNETS_MAXIMUM: u16 = 4096;

/// The index under which the chain keeps the weights, bonds and incentives of a mechanism: `mechanism · 4096 + netuid`.
pub fn storage_index(netuid: u16, mechanism: u8) -> u16 {
    u16::from(mechanism).saturating_mul(SUBNETS_MAXIMUM).saturating_add(netuid)
}

/// The split over mechanisms as the SDK submits it (`MechanismEmissionSplit`): shares of 65535, halves rounded to even, what
/// rounding left over or took too much put on the largest. They sum to 65535.
///
/// # Errors
/// Shares without a positive finite sum, or a negative one.
pub fn split(shares: &[f64]) -> Result<Vec<u16>, Error> {
    let total = shares.iter().fold(0.0, |total, share| total + share);
    if !(total > 0.0 && total.is_finite()) || shares.iter().any(|share| *share < 0.0) {
        return Err(Error::Split);
    }
    let whole = f64::from(u16::MAX);
    // Within 0 … 65535 by the check above.
    let mut parts: Vec<u16> = shares.iter().map(|share| (share / total * whole).round_ties_even() as u16).collect();
    let sum: i64 = parts.iter().copied().map(i64::from).sum();
    let largest = parts.iter().copied().max().unwrap_or(0);
    if let Some(part) = parts.iter_mut().find(|part| **part == largest) {
        let corrected = i64::from(largest) + i64::from(u16::MAX) - sum;
        *part = u16::try_from(corrected).map_err(|_| Error::Split)?;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_stand_one_above_the_other() {
        assert_eq!([storage_index(78, 0), storage_index(78, 1), storage_index(78, 15)], [78, 4174, 61_518]);
        assert_eq!(storage_index(u16::MAX, u8::MAX), u16::MAX);
    }

    #[test]
    fn a_split_without_sum_is_refused() {
        for shares in [&[][..], &[0.0, 0.0], &[f64::NAN, 1.0], &[f64::INFINITY], &[2.0, -1.0]] {
            assert_eq!(split(shares), Err(Error::Split), "{shares:?}");
        }
        assert_eq!(split(&[7.0]), Ok(vec![65_535]));
        assert_eq!(
            split(&[1.0, 1.0, 1.0, 1.0]).map(|parts| parts.iter().map(|part| u32::from(*part)).sum()),
            Ok(65_535)
        );
    }
}
