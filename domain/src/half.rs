//! IEEE 754 binary16 in software: vectors are recorded in it, rounded from f32 to nearest even.
//!
//! Our own twenty lines because the audited path must not depend on a processor's conversion instructions.

/// The nearest binary16 of a finite f32, ties to even. Values beyond 65504 become infinite.
#[must_use]
pub fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude >= 0x7f80_0000 {
        // Infinity stays, NaN stays a (quiet) NaN.
        return sign | if magnitude == 0x7f80_0000 { 0x7c00 } else { 0x7e00 };
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude >= 0x3880_0000 {
        // Normal: move the exponent from bias 127 to 15 and cut 13 bits of the mantissa.
        let rebased = magnitude - (112 << 23);
        let rounded = rebased + 0x0fff + ((rebased >> 13) & 1);
        return sign | (rounded >> 13) as u16;
    }
    if magnitude < 0x3300_0000 {
        // Below half of the smallest subnormal, 2⁻²⁵.
        return sign;
    }
    let exponent = magnitude >> 23;
    let mantissa = (magnitude & 0x007f_ffff) | 0x0080_0000;
    let cut = 126 - exponent;
    let kept = mantissa >> cut;
    let rest = mantissa & ((1 << cut) - 1);
    let tie = 1 << (cut - 1);
    let up = rest > tie || (rest == tie && kept & 1 == 1);
    sign | (kept + u32::from(up)) as u16
}

/// The f32 of a binary16; exact.
#[must_use]
pub fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let mantissa = u32::from(half & 0x03ff);
    let magnitude = match exponent {
        0 => {
            // Subnormal: mantissa · 2⁻²⁴, exact in f32.
            let value = mantissa as f32 * f32::from_bits(0x3380_0000);
            return f32::from_bits(sign | value.to_bits());
        }
        31 => 0x7f80_0000 | (mantissa << 13),
        _ => ((exponent + 112) << 23) | (mantissa << 13),
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_half_survives() {
        for half in 0..=u16::MAX {
            let value = to_f32(half);
            if value.is_nan() {
                assert!(to_f32(from_f32(value)).is_nan());
            } else {
                assert_eq!(from_f32(value), half, "{half:04x}");
            }
        }
    }

    #[test]
    fn known_values() {
        for (value, half) in [
            (0.0f32, 0x0000u16),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (65504.0, 0x7bff),
            (65519.996, 0x7bff),
            (65520.0, 0x7c00),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (2.980_232_6e-8, 0x0001),
            (6.097_555e-5, 0x03ff),
            (6.103_515_6e-5, 0x0400),
            (1.000_488_3, 0x3c00),
            (1.001_464_8, 0x3c02),
        ] {
            assert_eq!(from_f32(value), half, "{value}");
        }
    }

    proptest! {
        #[test]
        fn rounds_to_the_nearest(value in -65504.0f32..65504.0) {
            let near = to_f32(from_f32(value));
            let half = from_f32(value);
            for neighbour in [half.wrapping_sub(1), half.wrapping_add(1)] {
                let other = to_f32(neighbour);
                if other.is_finite() && other.is_sign_negative() == near.is_sign_negative() {
                    prop_assert!((near - value).abs() <= (other - value).abs());
                }
            }
        }
    }
}
