//! Masks of the ancestor's validator (spec 2.8): an answer that fails one earns nothing. The Twitter validator has none of them,
//! and no shipped rule set uses them; they are here to replay the ancestor. What models said is given: distances and logits.
//!
//! Its fourth mask, a list of phrases that return in many answers, is not here: it counts pieces of a tokenizer in a memory of its
//! process alone, so that nobody could repeat it. Only how much a phrase counts is a formula.

use crate::math;

/// The least closeness, a negative root mean square distance, of answer and prompt in the first space.
const LEAST_CLOSENESS: f64 = -0.0246;

/// The least absolute cosine of answer and prompt in the second one.
const LEAST_COSINE: f64 = 0.3;

/// An answer passes above this reward for being unlike others.
const LEAST_DIVERSITY: f64 = 0.2;

/// An answer fails above this mark for hate.
const MOST_HATE: f64 = -0.5;

/// Whether an answer is about its prompt, in both spaces.
pub fn relevant(closeness: f64, cosine: f64) -> bool {
    closeness >= LEAST_CLOSENESS && cosine.abs() >= LEAST_COSINE
}

/// The negative root mean square difference of two vectors; 0 for empty ones. Components beyond the shorter one are not looked at.
pub fn closeness(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().min(b.len());
    let total = a.iter().zip(b).fold(0.0, |total, (x, y)| total + (x - y) * (x - y));
    if count == 0 { 0.0 } else { -math::sqrt(total / count as f64) }
}

/// The distance by which an answer differs from its batch: the second smallest of `1 − |cosine|` to all of it, its own
/// included, which is the smallest. None for an answer alone.
pub fn batch_distance(cosines: &[f64]) -> Option<f64> {
    let mut distances: Vec<f64> = cosines.iter().map(|cosine| 1.0 - cosine.abs()).collect();
    distances.sort_by(f64::total_cmp);
    distances.get(1).copied()
}

/// The reward for being unlike the batch, `1 / (1 + e^(−40 r + 4))`, times that for being unlike what was said before,
/// `1 / (1 + e^(−1000 r + 50))`, where enough of it is remembered.
pub fn diversity(batch_distance: f64, historic_distance: Option<f64>) -> f64 {
    let batch = 1.0 / (1.0 + math::exp(-40.0 * batch_distance + 4.0));
    batch * historic_distance.map_or(1.0, |distance| 1.0 / (1.0 + math::exp(-1000.0 * distance + 50.0)))
}

/// Whether that reward is enough.
pub fn diverse(reward: f64) -> bool {
    reward > LEAST_DIVERSITY
}

/// Whether no chunk of an answer is hateful. Each has two logits: that it is not, and that it is.
pub fn decent(chunks: &[[f64; 2]]) -> bool {
    !chunks.iter().any(|[not, hate]| (-not).max(*hate) > MOST_HATE)
}

/// How much a phrase counts that was found `count` times (and perhaps `missed` times more) in so many completions:
/// `1.25^(words − 1) · (count + missed) / completions · 100`; 0 for none.
pub fn significance(words: u32, count: u64, missed: u64, completions: u64) -> f64 {
    if completions == 0 {
        return 0.0;
    }
    let share = (count as f64 + missed as f64) / completions as f64;
    math::pow(1.25, f64::from(words) - 1.0) * share * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_are_the_ancestors() {
        for (closeness, cosine, expected) in [
            (-0.0246, 0.3, true),
            (-0.0246, -0.3, true),
            (-0.0247, 0.9, false),
            (-0.01, 0.29, false),
            (f64::NAN, 1.0, false),
        ] {
            assert_eq!(relevant(closeness, cosine), expected, "{closeness} {cosine}");
        }
        assert_eq!((closeness(&[1.0, 0.0], &[0.0, 1.0]), closeness(&[], &[])), (-1.0, 0.0));
        assert_eq!((batch_distance(&[0.5, 1.0, -0.75]), batch_distance(&[1.0])), (Some(0.25), None));
        assert_eq!((diversity(0.1, None), diversity(0.1, Some(0.05))), (0.5, 0.25));
        assert!(diverse(0.21) && !diverse(0.2) && !diverse(diversity(0.0, None)));
        assert!(decent(&[[3.0, -3.0], [0.5, -0.5]]) && decent(&[]));
        assert!(!decent(&[[3.0, -3.0], [0.4, -2.0]]) && !decent(&[[3.0, -0.4]]));
        assert_eq!(
            [significance(1, 3, 1, 40), significance(3, 4, 0, 40), significance(3, 4, 0, 0)],
            [10.0, 15.625, 0.0]
        );
    }

    proptest! {
        #[test]
        fn whoever_says_the_same_is_not_diverse(distance in 0f64..0.06, historic in prop::option::of(0f64..1.0)) {
            prop_assert!((0.0..=1.0).contains(&diversity(distance, historic)));
            prop_assert!(!diverse(diversity(distance, historic)));
        }
    }
}
