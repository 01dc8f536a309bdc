//! Numbers as Python writes them.
//!
//! Messages that are signed hold floats as text, and both ends must write the same.

/// Python's `repr` and `str` of a float: the fewest digits that read back as the same number, with `.0` where nothing
/// follows the point, and an exponent below 10⁻⁴ and from 10¹⁶ on.
#[must_use]
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    // One digit, a point, the others, and the power of ten.
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let number = match exponent {
        -4..0 => format!("0.{}{digits}", "0".repeat((-1 - exponent) as usize)),
        0..16 => {
            let whole = exponent as usize + 1;
            let (before, after) = digits.split_at(whole.min(digits.len()));
            let after = if after.is_empty() { "0" } else { after };
            format!("{before}{}.{after}", "0".repeat(whole - before.len()))
        }
        _ => {
            let power = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{power}{:02}", exponent.unsigned_abs())
        }
    };
    format!("{sign}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_python_writes_them() {
        // Python 3.11: [repr(x) for x in …].
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1_700_000_000.0, "1700000000.0"),
            (1_700_000_000.123_456, "1700000000.123456"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    proptest! {
        #[test]
        fn they_read_back_as_the_same(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(float_repr(value).parse::<f64>().map(f64::to_bits), Ok(bits));
        }
    }
}
