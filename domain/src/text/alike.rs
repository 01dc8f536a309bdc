//! Which texts are the same but for a few words: operators answer for many miners with one text.
//!
//! Two texts are compared by their sets of three consecutive words (lower case, punctuation left out) with the Jaccard
//! similarity, |A ∩ B| / |A ∪ B|. A text of fewer than three words is one item.

use std::collections::BTreeMap;

use crate::text::{is_word, lower};

/// The word triples of a text as sorted numbers.
type Triples = Vec<[u32; 3]>;

/// Numbers words in order of first appearance.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn triples(&mut self, text: &str) -> Triples {
        let lowered = lower(text);
        let words = lowered.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        let numbers: Vec<u32> = words.map(|word| self.number(word)).collect();
        let mut triples: Triples = match numbers[..] {
            [] => Vec::new(),
            [one] => vec![[one, 0, 0]],
            [one, two] => vec![[one, two, 0]],
            _ => numbers.windows(3).map(|three| [three[0], three[1], three[2]]).collect(),
        };
        triples.sort_unstable();
        triples.dedup();
        triples
    }

    fn number(&mut self, word: &str) -> u32 {
        // 0 fills short texts up.
        let next = self.0.len() as u32 + 1;
        *self.0.entry(word.to_owned()).or_insert(next)
    }
}

fn similarity(a: &Triples, b: &Triples) -> f64 {
    let (mut left, mut right, mut common) = (0, 0, 0usize);
    while let (Some(x), Some(y)) = (a.get(left), b.get(right)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => left += 1,
            std::cmp::Ordering::Greater => right += 1,
            std::cmp::Ordering::Equal => {
                (left, right, common) = (left + 1, right + 1, common + 1);
            }
        }
    }
    let together = a.len() + b.len() - common;
    if together == 0 { 0.0 } else { common as f64 / together as f64 }
}

/// For each text the place of the first earlier one that it repeats, if there is one. A text that repeats another is not
/// itself repeated by later ones. Texts without a word repeat nothing.
#[must_use]
pub fn repeats(texts: &[&str], threshold: f64) -> Vec<Option<usize>> {
    let mut numbers = Numbers::default();
    let mut kept: Vec<(usize, Triples)> = Vec::new();
    let mut found = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let triples = numbers.triples(text);
        let same = |(_, other): &&(usize, Triples)| !triples.is_empty() && similarity(&triples, other) >= threshold;
        let earlier = kept.iter().find(same).map(|(place, _)| *place);
        if earlier.is_none() {
            kept.push((at, triples));
        }
        found.push(earlier);
    }
    found
}

/// For each text how many belong together with it, itself included: texts with at least `threshold`, and those that are so
/// like one of them. Texts without a word stand alone.
#[must_use]
pub fn company(texts: &[&str], threshold: f64) -> Vec<u64> {
    let mut numbers = Numbers::default();
    let triples: Vec<Triples> = texts.iter().map(|text| numbers.triples(text)).collect();
    let mut group: Vec<usize> = (0..texts.len()).collect();
    for at in 0..texts.len() {
        for earlier in 0..at {
            let apart = group[at] != group[earlier];
            if apart && !triples[at].is_empty() && similarity(&triples[at], &triples[earlier]) >= threshold {
                let (from, to) = (group[at], group[earlier]);
                group.iter_mut().filter(|name| **name == from).for_each(|name| *name = to);
            }
        }
    }
    let mut sizes = vec![0; texts.len()];
    group.iter().for_each(|name| sizes[*name] += 1);
    group.iter().map(|name| sizes[*name]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn copies_are_found_whatever_their_dress() {
        let one = "It is okay to feel this way. Try to speak with someone you trust, and rest when you can tonight.";
        let dressed =
            "it is OKAY to feel this way!!  Try to speak with someone you trust and rest when you can, tonight";
        let one_word_more = format!("{one} Really.");
        let other = "You could write down what worries you before bed and see what remains of it in the morning.";
        let texts = [one, other, dressed, &one_word_more, "", "Yes", "yes.", "", "No"];
        let expected = [None, None, Some(0), Some(0), None, None, Some(5), None, None];
        assert_eq!(repeats(&texts, 0.8), expected);
    }

    #[test]
    fn copies_of_copies_belong_together() {
        let one = "the moon pulls the seas and the seas follow it around the turning earth";
        let two = "the moon pulls the seas and the oceans follow it around the turning earth";
        let three = "the moon pulls the seas and the oceans follow it around the whole turning earth";
        let other = "coasts and winds decide how far the water goes";
        // One and three are too far apart, but both are near the second.
        assert_eq!(company(&[one, three], 0.6), [1, 1]);
        assert_eq!(company(&[one, other, three, two], 0.6), [3, 1, 3, 3]);
        assert_eq!(company(&["", "", "Yes", "yes!"], 0.6), [1, 1, 2, 2]);
        assert!(company(&[], 0.6).is_empty());
    }

    proptest! {
        #[test]
        fn a_text_repeats_itself_and_similarity_is_symmetric(a in "[a-d ]{0,40}", b in "[a-d ]{0,40}") {
            let mut numbers = Numbers::default();
            let (left, right) = (numbers.triples(&a), numbers.triples(&b));
            prop_assert_eq!(similarity(&left, &right), similarity(&right, &left));
            prop_assert!((0.0..=1.0).contains(&similarity(&left, &right)));
            let expected = if a.split_whitespace().next().is_some() { Some(0) } else { None };
            prop_assert_eq!(repeats(&[&a, &a], 1.0)[1], expected);
        }
    }
}
