//! Scalars and vectors in the chain's fixed point. Operations saturate; a quotient that does not exist is 0.

use substrate_fixed::types::I32F32;

/// 0.
pub(crate) const ZERO: I32F32 = I32F32::from_bits(0);
/// 1.
pub(crate) const ONE: I32F32 = I32F32::from_bits(1 << 32);

/// A number of 16 bits as it stands, in 0 … 65535.
pub(crate) fn whole(value: u16) -> I32F32 {
    I32F32::saturating_from_num(value)
}

/// A number of 16 bits as a share of 65535.
pub(crate) fn share(value: u16) -> I32F32 {
    quotient(whole(value), whole(u16::MAX))
}

/// A share as the 16-bit number that the chain stores: `value * 65535`, truncated.
pub(crate) fn to_u16(value: I32F32) -> u16 {
    value.saturating_mul(whole(u16::MAX)).saturating_to_num()
}

/// `numerator / denominator`, 0 where that has no value or does not fit.
pub(crate) fn quotient(numerator: I32F32, denominator: I32F32) -> I32F32 {
    numerator.checked_div(denominator).unwrap_or(ZERO)
}

/// The sum of values.
pub(crate) fn sum(values: impl IntoIterator<Item = I32F32>) -> I32F32 {
    values.into_iter().fold(ZERO, I32F32::saturating_add)
}

/// Divides every value by `total`; leaves all as they are when it is 0.
pub(crate) fn divide_by(values: &mut [I32F32], total: I32F32) {
    if total != ZERO {
        for value in values {
            *value = quotient(*value, total);
        }
    }
}

/// Divides every value by the sum of all.
pub(crate) fn normalise(values: &mut [I32F32]) {
    divide_by(values, sum(values.iter().copied()));
}

/// Element by element products of two vectors of one length.
pub(crate) fn products(left: &[I32F32], right: &[I32F32]) -> Vec<I32F32> {
    left.iter().zip(right).map(|(a, b)| a.saturating_mul(*b)).collect()
}

/// `value` held within `[low, high]`.
pub(crate) fn clamp(value: I32F32, low: I32F32, high: I32F32) -> I32F32 {
    value.max(low).min(high)
}

/// `numerator / 1_000_000` as a share, from an integer of 64 bits (`BondsMovingAverage`).
pub(crate) fn millionths(numerator: u64) -> I32F32 {
    use substrate_fixed::types::I64F64;
    let million = I64F64::saturating_from_num(1_000_000);
    let quotient = I64F64::saturating_from_num(numerator).checked_div(million);
    I32F32::saturating_from_num(quotient.unwrap_or(I64F64::from_bits(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_truncate_and_quotients_without_value_are_zero() {
        assert_eq!(to_u16(ONE), 65_535);
        assert_eq!(to_u16(I32F32::from_bits((1 << 32) - 1)), 65_534);
        assert_eq!(to_u16(I32F32::from_bits(-1)), 0);
        assert_eq!(to_u16(I32F32::max_value()), 65_535);
        assert_eq!(share(65_535), ONE);
        assert_eq!(share(32_767).to_bits(), 2_147_450_879);
        assert_eq!(quotient(ONE, ZERO), ZERO);
        assert_eq!(quotient(I32F32::max_value(), I32F32::from_bits(1)), ZERO);
        assert_eq!(millionths(900_000).to_bits(), 3_865_470_566);
        assert_eq!(millionths(u64::MAX), I32F32::max_value());
    }

    #[test]
    fn nothing_is_divided_by_a_sum_of_zero() {
        let mut values = [ZERO, ONE, I32F32::from_bits(-(1 << 32))];
        normalise(&mut values);
        assert_eq!(values[1], ONE);
        let mut values = [ONE, ONE, ONE];
        normalise(&mut values);
        assert_eq!(values.map(I32F32::to_bits), [1_431_655_765; 3]);
    }
}
