//! Sums, moments and elementary functions in either precision, and the spelling of numbers that JSON does not have.
//!
//! Every operation is done in the precision of its arguments; elementary functions are computed in double precision and
//! rounded once. Sums go from left to right.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::math;
pub use crate::sdk_weights::Real;

/// The sum from left to right; 0 for nothing.
pub fn sum<R: Real>(values: &[R]) -> R {
    values.iter().fold(R::near(0.0), |total, value| total + *value)
}

/// Arithmetic mean; NaN for nothing, as upstream's tensors have it.
pub fn mean<R: Real>(values: &[R]) -> R {
    sum(values) / R::near(values.len() as f64)
}

/// Unbiased variance, `Σ (x − mean)² / (n − 1)`; NaN for fewer than two values, as upstream's tensors have it.
pub fn unbiased_variance<R: Real>(values: &[R]) -> R {
    if values.len() < 2 {
        return R::near(f64::NAN);
    }
    let centre = mean(values);
    let squares = values.iter().fold(R::near(0.0), |total, x| total + (*x - centre) * (*x - centre));
    squares / R::near((values.len() - 1) as f64)
}

/// Square root.
pub fn root<R: Real>(x: R) -> R {
    R::near(math::sqrt(x.into()))
}

/// e^x.
pub fn exp<R: Real>(x: R) -> R {
    R::near(math::exp(x.into()))
}

/// Natural logarithm.
pub fn ln<R: Real>(x: R) -> R {
    R::near(math::ln(x.into()))
}

/// The standard normal distribution function, `½ (1 + erf(z / √2))`.
pub fn normal_distribution<R: Real>(z: R) -> R {
    let scaled = z / root(R::near(2.0));
    let erf = R::near(math::erf(scaled.into()));
    R::near(0.5) * (R::near(1.0) + erf)
}

/// `x` held within `[low, high]`; NaN stays NaN.
pub fn clip<R: Real>(x: R, low: R, high: R) -> R {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Whether it is neither NaN nor infinite.
pub fn is_finite<R: Real>(x: R) -> bool {
    let x: f64 = x.into();
    x.is_finite()
}

/// Whether it is NaN.
pub fn is_nan<R: Real>(x: R) -> bool {
    let x: f64 = x.into();
    x.is_nan()
}

/// The index of the first largest value; NaN is never the largest. `None` when there is none.
pub fn first_largest<R: Real>(values: &[R]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, value) in values.iter().enumerate() {
        if !is_nan(*value) && best.is_none_or(|best| *value > values[best]) {
            best = Some(at);
        }
    }
    best
}

/// A number of a record: a JSON number, or `"NaN"`, `"Infinity"` or `"-Infinity"`. Upstream's statistics can become NaN and
/// stay so, and that is a fact to be carried.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<R>(pub R);

impl<R: Real> PartialEq for Recorded<R> {
    /// NaN equals NaN here: the same fact.
    fn eq(&self, other: &Self) -> bool {
        (is_nan(self.0) && is_nan(other.0)) || self.0 == other.0
    }
}

impl<R: Real> Serialize for Recorded<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: f64 = self.0.into();
        if value.is_finite() {
            serializer.serialize_f64(value)
        } else if value.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

impl<'de, R: Real> Deserialize<'de> for Recorded<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Number(f64),
            Text(String),
        }
        let value = match Spelling::deserialize(deserializer)? {
            Spelling::Number(value) => value,
            Spelling::Text(text) => match text.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                other => return Err(serde::de::Error::custom(format_args!("{other:?} is no number"))),
            },
        };
        let near = R::near(value);
        let back: f64 = near.into();
        if value.is_nan() || back == value {
            Ok(Self(near))
        } else {
            Err(serde::de::Error::custom(format_args!("{value} is no number of this precision")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_of_few_values() {
        assert_eq!(unbiased_variance(&[1.0, 2.0, 3.0, 4.0]), 5.0 / 3.0);
        assert!(unbiased_variance(&[2.0f32]).is_nan() && mean::<f64>(&[]).is_nan());
        assert_eq!(normal_distribution(0.0f32), 0.5);
        assert_eq!(first_largest(&[f64::NAN, 1.0, 3.0, 3.0]), Some(2));
        assert_eq!(first_largest::<f32>(&[f32::NAN]), None);
    }

    #[test]
    fn records_spell_what_json_lacks() {
        for (value, text) in
            [(f32::NAN, r#""NaN""#), (f32::INFINITY, r#""Infinity""#), (f32::NEG_INFINITY, r#""-Infinity""#)]
        {
            assert_eq!(serde_json::to_string(&Recorded(value)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Recorded<f32>>(text).unwrap(), Recorded(value));
        }
        for bad in [r#""nan""#, "0.1", "1e300", "null"] {
            assert!(serde_json::from_str::<Recorded<f32>>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn records_keep_every_bit(bits: u32) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = serde_json::to_string(&Recorded(value)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Recorded<f32>>(&text).unwrap().0.to_bits(), bits);
        }

        #[test]
        fn the_distribution_rises_within_bounds(low in -40f32..40.0, step in 0f32..10.0) {
            let (a, b) = (normal_distribution(low), normal_distribution(low + step));
            prop_assert!((0.0..=1.0).contains(&a) && a <= b);
        }
    }
}
