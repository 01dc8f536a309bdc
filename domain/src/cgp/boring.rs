//! The Boring Index: how good a conversation is to read, on five axes of 0 to 1. Never used for rewards.
//!
//! The document names the index and its axes (relevance, engagement, novelty, coherence, fluency) and no formula, weight or
//! scale. These are ours, version 1, from the vectors of the lines and from counts:
//!
//! - **relevance**: how near the lines stay to the whole: mean cosine of a line with the mean vector of all lines.
//! - **engagement**: how much people talk with each other: mean of (a) the evenness of the speakers' shares of words
//!   (entropy / ln of the number of speakers), (b) how often the speaker changes from line to line, (c) the share of lines
//!   that ask, a quarter counting as full.
//! - **novelty**: how much each line adds: mean over the lines from the second on of 1 − the largest cosine with any
//!   earlier line, averaged with the share of content words that are said for the first time.
//! - **coherence**: how much a line follows from the one before: mean cosine of neighbours.
//! - **fluency**: how cleanly people speak: (1 − share of filler sounds) · (1 − share of words repeated at once) · (share
//!   of words that are made of letters) · min(1, mean words per line / 6).
//!
//! Every axis is held within 0 and 1, and 0 where there is nothing to measure. The index is 1 − the mean of the axes: 0 is
//! lively, 1 is boring.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::conversation::Line;
use super::words::{is_filler, is_stop, words};
use crate::math::{clip, dot, ln, mean, unit};

/// Version of the definition, recorded with every index.
pub const VERSION: u16 = 1;

/// Share of asking lines that counts as full.
const FULL_QUESTIONS: f64 = 0.25;

/// Words per line that count as full.
const FULL_LINE: f64 = 6.0;

/// The five axes and the index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoringIndex {
    /// How near the lines stay to the whole.
    pub relevance: f64,
    /// How much people talk with each other.
    pub engagement: f64,
    /// How much each line adds.
    pub novelty: f64,
    /// How much a line follows from the one before.
    pub coherence: f64,
    /// How cleanly people speak.
    pub fluency: f64,
    /// 1 − the mean of the five.
    pub index: f64,
}

/// Vectors that do not belong to the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoringError {
    /// Not one vector per line.
    #[error("{lines} lines with {vectors} vectors")]
    Counts {
        /// Lines.
        lines: usize,
        /// Vectors.
        vectors: usize,
    },
    /// Vectors of different lengths.
    #[error("vector {at} has {found} numbers, and the first one {expected}")]
    Dimensions {
        /// Which vector.
        at: usize,
        /// Its length.
        found: usize,
        /// The length of the first one.
        expected: usize,
    },
}

/// The index of a conversation whose lines have these vectors, in order. A vector with a number that is not finite counts
/// as no direction.
///
/// # Errors
/// Vectors that do not belong to the lines.
pub fn index(lines: &[Line], vectors: &[Vec<f64>]) -> Result<BoringIndex, BoringError> {
    if lines.len() != vectors.len() {
        return Err(BoringError::Counts { lines: lines.len(), vectors: vectors.len() });
    }
    let expected = vectors.first().map_or(0, Vec::len);
    if let Some((at, vector)) = vectors.iter().enumerate().find(|(_, vector)| vector.len() != expected) {
        return Err(BoringError::Dimensions { at, found: vector.len(), expected });
    }
    let finite = |vector: &Vec<f64>| {
        let direction = unit(vector);
        if direction.iter().all(|x| x.is_finite()) { direction } else { vec![0.0; expected] }
    };
    let units: Vec<Vec<f64>> = vectors.iter().map(finite).collect();
    let axes =
        [relevance(&units, expected), engagement(lines), novelty(lines, &units), coherence(&units), fluency(lines)]
            .map(|axis| clip(axis, 0.0, 1.0));
    let [relevance, engagement, novelty, coherence, fluency] = axes;
    Ok(BoringIndex { relevance, engagement, novelty, coherence, fluency, index: 1.0 - mean(&axes) })
}

fn relevance(units: &[Vec<f64>], dimensions: usize) -> f64 {
    let mut centre = vec![0.0; dimensions];
    for vector in units {
        for (total, value) in centre.iter_mut().zip(vector) {
            *total += value;
        }
    }
    let centre = unit(&centre);
    mean(&units.iter().map(|vector| dot(vector, &centre)).collect::<Vec<_>>())
}

fn coherence(units: &[Vec<f64>]) -> f64 {
    mean(&units.windows(2).map(|pair| dot(&pair[0], &pair[1])).collect::<Vec<_>>())
}

fn novelty(lines: &[Line], units: &[Vec<f64>]) -> f64 {
    let distance = |at: usize| {
        let nearest = units[..at].iter().map(|earlier| dot(earlier, &units[at])).fold(0.0, f64::max);
        clip(1.0 - nearest, 0.0, 1.0)
    };
    let distances: Vec<f64> = (1..units.len()).map(distance).collect();
    let content: Vec<String> = lines
        .iter()
        .flat_map(|line| words(line.text()))
        .map(|word| word.text)
        .filter(|word| !is_stop(word) && !is_filler(word))
        .collect();
    if distances.is_empty() || content.is_empty() {
        return 0.0;
    }
    let distinct: BTreeSet<&String> = content.iter().collect();
    (mean(&distances) + distinct.len() as f64 / content.len() as f64) / 2.0
}

fn engagement(lines: &[Line]) -> f64 {
    if lines.len() < 2 {
        return 0.0;
    }
    let mut spoken: BTreeMap<u32, usize> = BTreeMap::new();
    for line in lines {
        *spoken.entry(line.speaker()).or_insert(0) += words(line.text()).len();
    }
    let total: usize = spoken.values().sum();
    let terms = spoken.values().filter(|count| **count > 0).map(|count| {
        let share = *count as f64 / total as f64;
        -share * ln(share)
    });
    let entropy = terms.fold(0.0, |sum, term| sum + term);
    let evenness = if spoken.len() > 1 { entropy / ln(spoken.len() as f64) } else { 0.0 };
    let changes = lines.windows(2).filter(|pair| pair[0].speaker() != pair[1].speaker()).count();
    let turns = changes as f64 / (lines.len() - 1) as f64;
    let asking = lines.iter().filter(|line| line.text().contains('?')).count() as f64 / lines.len() as f64;
    (evenness + turns + (asking / FULL_QUESTIONS).min(1.0)) / 3.0
}

pub(super) fn fluency(lines: &[Line]) -> f64 {
    let (mut all, mut fillers, mut repeated, mut letters) = (0usize, 0usize, 0usize, 0usize);
    for line in lines {
        let text = words(line.text());
        all += text.len();
        fillers += text.iter().filter(|word| is_filler(&word.text)).count();
        repeated += text.windows(2).filter(|pair| !pair[1].fresh && pair[0].text == pair[1].text).count();
        letters += text.iter().filter(|word| word.text.chars().all(|c| c == '-' || !crate::text::is_digit(c))).count();
    }
    if all == 0 {
        return 0.0;
    }
    let share = |count: usize| count as f64 / all as f64;
    let fullness = (all as f64 / lines.len() as f64 / FULL_LINE).min(1.0);
    (1.0 - share(fillers)) * (1.0 - share(repeated)) * share(letters) * fullness
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(texts: &[(u32, &str)]) -> Vec<Line> {
        texts.iter().map(|(speaker, text)| Line(*speaker, (*text).to_owned())).collect()
    }

    fn axes(texts: &[(u32, &str)], vectors: &[[f64; 3]]) -> BoringIndex {
        index(&lines(texts), &vectors.iter().map(|vector| vector.to_vec()).collect::<Vec<_>>()).unwrap()
    }

    const TALK: &[(u32, &str)] = &[
        (0, "Have you ever repaired an old bicycle?"),
        (1, "Only once, when the gear cable snapped on a mountain road."),
        (0, "How did you get home without any gears?"),
        (1, "A farmer gave me a lift in the back of his tractor."),
    ];

    const NEAR: [[f64; 3]; 4] = [[1.0, 0.2, 0.0], [1.0, 0.5, 0.1], [0.9, 0.1, 0.2], [1.0, 0.3, 0.6]];

    #[test]
    fn a_monologue_of_repetitions_is_boring() {
        let lively = axes(TALK, &NEAR);
        let dull = axes(&[(0, "um um yes"), (0, "um um yes"), (0, "um um yes")], &[[1.0, 0.0, 0.0]; 3]);
        assert!(dull.index > lively.index + 0.2, "{lively:?} {dull:?}");
        assert_eq!((dull.engagement, dull.relevance, dull.coherence, dull.novelty), (0.0, 1.0, 1.0, 0.0));
        assert!(dull.fluency < 0.2 && lively.fluency > 0.95);
        assert!(lively.engagement > 0.95);
    }

    #[test]
    fn axes_move_with_what_they_measure() {
        let scattered = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]];
        let (near, far) = (axes(TALK, &NEAR), axes(TALK, &scattered));
        assert!(far.relevance < near.relevance && far.coherence < near.coherence && far.novelty > near.novelty);
        assert_eq!((far.engagement, far.fluency), (near.engagement, near.fluency));
        let alone: Vec<(u32, &str)> = TALK.iter().map(|(_, text)| (0, *text)).collect();
        assert!(axes(&alone, &NEAR).engagement < near.engagement);
        let stutter: Vec<(u32, String)> = TALK.iter().map(|(s, text)| (*s, format!("uh uh {text} 3 3"))).collect();
        let stutter: Vec<(u32, &str)> = stutter.iter().map(|(s, text)| (*s, text.as_str())).collect();
        assert!(axes(&stutter, &NEAR).fluency < near.fluency);
    }

    #[test]
    fn nothing_and_what_does_not_fit() {
        let nothing = index(&[], &[]).unwrap();
        assert_eq!(nothing.index, 1.0);
        let two = lines(&[(0, "a"), (1, "b")]);
        assert_eq!(index(&two, &[vec![1.0]]), Err(BoringError::Counts { lines: 2, vectors: 1 }));
        let ragged = index(&two, &[vec![1.0], vec![1.0, 2.0]]);
        assert_eq!(ragged, Err(BoringError::Dimensions { at: 1, found: 2, expected: 1 }));
    }

    proptest! {
        #[test]
        fn every_axis_is_within_its_scale(
            parts in prop::collection::vec((0u32..3, "\\PC{0,40}", prop::collection::vec(-1f64..1.0, 4), any::<bool>()), 0..14),
        ) {
            let lines: Vec<Line> = parts.iter().map(|(speaker, text, _, _)| Line(*speaker, text.clone())).collect();
            let spoil = |bad: bool, vector: &Vec<f64>| if bad { vec![f64::NAN; 4] } else { vector.clone() };
            let vectors: Vec<Vec<f64>> = parts.iter().map(|(_, _, vector, bad)| spoil(*bad, vector)).collect();
            let found = index(&lines, &vectors).unwrap();
            for axis in [found.relevance, found.engagement, found.novelty, found.coherence, found.fluency, found.index] {
                prop_assert!((0.0..=1.0).contains(&axis), "{:?}", found);
            }
        }
    }
}
