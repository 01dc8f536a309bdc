//! A synthetic conversation drawn from a stream, with upstream's distributions (spec 1.3) and its consistency fixer.
//!
//! Upstream draws from numpy's and Python's generators, seeded with 42 at every start, so that its challenges repeat. Here
//! every number comes from a draw stream, whose seed is made of recorded facts: label it [`LABEL`]. Features are drawn in
//! wire order. A normal deviate takes two words of the stream (Box and Muller 1958): with u = (⌊w₁/2¹¹⌋ + 1)/2⁵³ in (0, 1]
//! and v = ⌊w₂/2¹¹⌋/2⁵³ in [0, 1) it is √(−2 ln u) · cos(2πv); the sine half is not used.

use super::ConversionError;
use super::feature_set::FeatureSet;
use super::features::{Draw, FEATURES, Feature, Kind, SESSION_ID};
use super::repair::prepared;
use super::value::{Value, round_decimals};
use crate::draw::Stream;
use crate::math;

/// Label of the stream that a conversation is drawn from.
pub const LABEL: &str = "conversion/features/1";

/// 2⁻⁵³: words of the stream are cut to the 53 bits of a double's fraction.
const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A number in [0, 1) with 53 random bits.
pub fn uniform(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 * STEP
}

/// A standard normal deviate; at most √(106 ln 2) ≈ 8.57 away from 0.
pub fn normal(stream: &mut Stream) -> f64 {
    let radius = math::sqrt(-2.0 * math::ln(uniform(stream) + STEP));
    radius * math::cos(2.0 * std::f64::consts::PI * uniform(stream))
}

/// A conversation as it is sent to miners: drawn, made consistent, in wire order.
///
/// # Errors
/// None with the table as it is: every drawn feature is there and no divisor is 0.
pub fn conversation(stream: &mut Stream) -> Result<FeatureSet, ConversionError> {
    let session = session(stream);
    let mut set = FeatureSet::new(vec![(SESSION_ID.to_owned(), Value::Text(session.clone()))]);
    for feature in &FEATURES {
        if let Some(value) = drawn(feature, stream) {
            set.set(feature.name, value);
        }
    }
    prepared(&set, &session)
}

/// A session id in the form of a random UUID (RFC 9562, version 4).
fn session(stream: &mut Stream) -> String {
    let high = stream.next_u64() & !0xf000 | 0x4000;
    let low = stream.next_u64() & !(0b11 << 62) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The value of a feature, `None` for a derived one.
fn drawn(feature: &Feature, stream: &mut Stream) -> Option<Value> {
    Some(match feature.draw {
        Draw::Normal { mean, deviation, bounds, decimals } => {
            Value::Float(round_decimals(held(stream, mean, deviation, bounds), decimals))
        }
        Draw::Whole { mean, deviation, bounds } => {
            Value::Int(libm::trunc(held(stream, mean, deviation, bounds)) as i128)
        }
        Draw::Uniform(first, last) => {
            let count = u64::try_from(last - first + 1).unwrap_or(1);
            Value::Int(i128::from(first) + i128::from(stream.below(count)))
        }
        Draw::Always(value) if feature.kind == Kind::Integer => Value::Int(value as i128),
        Draw::Always(value) => Value::Float(value),
        Draw::Derived => return None,
    })
}

fn held(stream: &mut Stream, mean: f64, deviation: f64, bounds: (f64, f64)) -> f64 {
    math::clip(mean + deviation * normal(stream), bounds.0, bounds.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::constants::Constants;
    use crate::conversion::truth::Truth;
    use crate::types::{HexBytes, sha256};
    use proptest::prelude::*;

    #[test]
    fn the_same_seed_draws_the_same_bytes() {
        let found = conversation(&mut Stream::new(sha256(b"conversation"), LABEL)).unwrap().to_json().unwrap();
        assert_eq!(sha256(found.as_bytes()).to_string(), GOLDEN, "{found}");
    }

    const GOLDEN: &str = "c2c562de32c2991bf65ba43d38e3fcd0a6acea481ee78a7f710713b937b32a58";

    #[test]
    fn deviates_are_normal() {
        let mut stream = Stream::new(sha256(b"normal"), "test");
        let sample: Vec<f64> = (0..20_000).map(|_| normal(&mut stream)).collect();
        let share = |low: f64, high: f64| sample.iter().filter(|x| (low..high).contains(*x)).count() as f64 / 20_000.0;
        assert!(math::mean(&sample).abs() < 0.03);
        assert!((math::population_deviation(&sample) - 1.0).abs() < 0.03);
        assert!((share(-1.0, 1.0) - 0.6827).abs() < 0.015);
        assert!((share(0.0, 0.674_49) - 0.25).abs() < 0.015);
        assert!((share(2.0, 9.0) - 0.02275).abs() < 0.005);
    }

    #[test]
    fn labels_are_as_frequent_as_upstreams() {
        // Spec 2.12, over 20,000 conversations of the original: 56.9 % positive, mean time 76.5 s.
        let rule = Constants::v0_1_0().label.rule;
        let mut stream = Stream::new(sha256(b"labels"), LABEL);
        let truths: Vec<Truth> =
            (0..4000).map(|_| Truth::of(&conversation(&mut stream).unwrap(), &rule).unwrap()).collect();
        let times: Vec<f64> = truths.iter().filter(|truth| truth.happened).map(|truth| truth.seconds).collect();
        assert!((times.len() as f64 / 4000.0 - 0.569).abs() < 0.025, "{}", times.len());
        assert!((math::mean(&times) - 76.5).abs() < 1.0, "{}", math::mean(&times));
        assert!(times.iter().all(|seconds| (30.0..=120.0).contains(seconds)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn conversations_are_complete_and_within_their_bounds(seed: [u8; 32]) {
            let set = conversation(&mut Stream::new(HexBytes(seed), LABEL)).unwrap();
            prop_assert_eq!(set.fields().len(), 41);
            prop_assert_eq!(set.check_required(), Ok(()));
            for feature in &FEATURES {
                let value = set.number(feature.name).unwrap();
                prop_assert_eq!(feature.kind == Kind::Integer, matches!(set.get(feature.name), Some(Value::Int(_))));
                let (low, high) = match feature.draw {
                    Draw::Normal { bounds, .. } => bounds,
                    // The fixer may move a length to the average.
                    Draw::Whole { bounds, .. } if feature.name.contains("_length_") => (bounds.0, bounds.1.max(100.0)),
                    Draw::Whole { bounds, .. } => bounds,
                    Draw::Uniform(first, last) => (first as f64, last as f64),
                    Draw::Always(value) => (value, value),
                    Draw::Derived => (0.0, 10_000.0),
                };
                prop_assert!((low..=high).contains(&value), "{} {}", feature.name, value);
            }
            let number = |name| set.number(name).unwrap();
            prop_assert_eq!(number("user_messages_count") + number("agent_messages_count"), number("total_messages"));
            prop_assert!(number("min_message_length_user") <= number("avg_message_length_user"));
        }
    }
}
