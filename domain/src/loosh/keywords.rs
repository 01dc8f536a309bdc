//! Keywords of a prompt by TF-IDF against the answers (spec 3.3), and how alike the words of answers are (spec 3.11), as scikit-learn's `TfidfVectorizer` finds them: words
//! of two or more characters without English stop words, single and in pairs, at most 5,000.
//!
//! The keywords are diagnostic, except that it stands in for coverage when the prompt has no components. Ties among equally rare words are
//! broken by numpy's unstable sort (see `math::order`).

use std::collections::BTreeMap;

use super::matrix::SquareMatrix;
use super::words::{STOP, has};
use crate::math::order::argsort;
use crate::math::{ln, norm, sqrt};
use crate::text::{is_word, length, lower, strip};

/// More features than this are cut by total frequency.
const MAXIMUM_FEATURES: usize = 5000;

/// A word, or two words in a row, as ranks in the sorted vocabulary: `first << 32 | (second + 1)`, 0 for no second. The
/// order of these numbers is the alphabetical order of the texts, because a space sorts below every letter.
type Feature = u64;

struct Vocabulary<'a> {
    words: Vec<&'a str>,
}

impl<'a> Vocabulary<'a> {
    /// The telling words of all texts, and the features of each text in order, repeated as often as they occur.
    fn read(lowered: &'a [String]) -> (Self, Vec<Vec<Feature>>) {
        // By word: its number in order of appearance, none for a word that tells nothing.
        let mut numbers: BTreeMap<&str, Option<usize>> = BTreeMap::new();
        let mut count = 0;
        let mut number = |word: &'a str| {
            *numbers.entry(word).or_insert_with(|| {
                let telling = length(word) >= 2 && !has(STOP, word);
                count += usize::from(telling);
                telling.then(|| count - 1)
            })
        };
        let texts: Vec<Vec<usize>> =
            lowered.iter().map(|text| text.split(|c| !is_word(c)).filter_map(&mut number).collect()).collect();
        let mut words = Vec::with_capacity(count);
        let mut ranks = vec![0; count];
        for (word, number) in numbers {
            if let Some(number) = number {
                ranks[number] = words.len() as u64;
                words.push(word);
            }
        }
        let features = |text: &Vec<usize>| features(&text.iter().map(|number| ranks[*number]).collect::<Vec<_>>());
        let documents = texts.iter().map(features).collect();
        (Self { words }, documents)
    }

    fn text(&self, feature: Feature) -> String {
        let first = self.words[(feature >> 32) as usize];
        match (feature & 0xffff_ffff).checked_sub(1) {
            Some(second) => format!("{first} {}", self.words[second as usize]),
            None => first.to_owned(),
        }
    }
}

/// The features of a text with these words, in order.
fn features(ranks: &[u64]) -> Vec<Feature> {
    let single = ranks.iter().map(|rank| rank << 32);
    let mut features: Vec<Feature> = single.chain(ranks.windows(2).map(|pair| pair[0] << 32 | (pair[1] + 1))).collect();
    features.sort_unstable();
    features
}

fn count(features: &[Feature], feature: Feature) -> usize {
    features.partition_point(|f| *f <= feature) - features.partition_point(|f| *f < feature)
}

/// The prompt's `limit` most telling keywords, most telling first; none for a blank prompt.
pub fn keywords(prompt: &str, answers: &[&str], limit: usize) -> Vec<String> {
    if strip(prompt).is_empty() {
        return Vec::new();
    }
    let lowered: Vec<String> = [prompt].iter().chain(answers).map(|text| lower(text)).collect();
    let (vocabulary, documents) = Vocabulary::read(&lowered);
    let kept = most_frequent(&documents);
    let scores = scores_of_first(&documents, &kept);
    let order = argsort(&scores);
    let best = order.iter().rev().take(limit).filter(|at| scores[**at] > 0.0);
    best.map(|at| vocabulary.text(kept[*at])).collect()
}

/// All features in order, cut to [`MAXIMUM_FEATURES`] by total frequency.
fn most_frequent(documents: &[Vec<Feature>]) -> Vec<Feature> {
    let mut all = documents.concat();
    all.sort_unstable();
    let mut totals: Vec<(Feature, f64)> = Vec::new();
    for feature in all {
        match totals.last_mut() {
            Some((last, total)) if *last == feature => *total += 1.0,
            _ => totals.push((feature, 1.0)),
        }
    }
    if totals.len() <= MAXIMUM_FEATURES {
        return totals.into_iter().map(|(feature, _)| feature).collect();
    }
    let negated: Vec<f64> = totals.iter().map(|(_, total)| -total).collect();
    let mut kept = argsort(&negated);
    kept.truncate(MAXIMUM_FEATURES);
    kept.sort_unstable();
    kept.into_iter().map(|at| totals[at].0).collect()
}

/// TF-IDF of the first document, of length one, over the kept features.
fn scores_of_first(documents: &[Vec<Feature>], kept: &[Feature]) -> Vec<f64> {
    let Some(first) = documents.first() else { return Vec::new() };
    let score = |feature: &Feature| {
        let frequency = count(first, *feature);
        if frequency == 0 {
            return 0.0;
        }
        let having = documents.iter().filter(|document| document.binary_search(feature).is_ok()).count();
        frequency as f64 * rarity(documents.len(), having)
    };
    let scores: Vec<f64> = kept.iter().map(score).collect();
    let length = norm(&scores);
    if length > 0.0 { scores.iter().map(|score| score / length).collect() } else { scores }
}

/// Smoothed: as if one more document held every feature.
fn rarity(documents: usize, having: usize) -> f64 {
    ln((documents + 1) as f64 / (having + 1) as f64) + 1.0
}

/// Pairwise cosines of the texts' TF-IDF: 1 with itself, 0 for a text without a telling word.
pub fn word_similarity(texts: &[&str]) -> SquareMatrix {
    let lowered: Vec<String> = texts.iter().map(|text| lower(text)).collect();
    let (_, documents) = Vocabulary::read(&lowered);
    let kept = most_frequent(&documents);
    let size = texts.len();
    // By feature: who has it, and how much.
    let mut holders: Vec<Vec<(usize, f64)>> = vec![Vec::new(); kept.len()];
    for (at, document) in documents.iter().enumerate() {
        for same in document.chunk_by(|a, b| a == b) {
            if let Ok(place) = kept.binary_search(&same[0]) {
                holders[place].push((at, same.len() as f64));
            }
        }
    }
    let mut squares = vec![0.0; size];
    for holding in &mut holders {
        let rarity = rarity(size, holding.len());
        for (at, weight) in holding.iter_mut() {
            *weight *= rarity;
            squares[*at] += *weight * *weight;
        }
    }
    let shorten = |square: f64| if square > 0.0 { 1.0 / sqrt(square) } else { 0.0 };
    let shares: Vec<f64> = squares.into_iter().map(shorten).collect();
    let mut cells = vec![0.0; size * size];
    for holding in &holders {
        // The same sums where everybody has the feature, only faster.
        let everybody = holding.len() == size;
        for (place, (i, left)) in holding.iter().enumerate() {
            let row = &mut cells[i * size..(i + 1) * size];
            if everybody {
                row[place..].iter_mut().zip(&holding[place..]).for_each(|(cell, (_, right))| *cell += left * right);
            } else {
                holding[place..].iter().for_each(|(j, right)| row[*j] += left * right);
            }
        }
    }
    SquareMatrix::from_cells(size, |i, j| {
        let (first, second) = (i.min(j), i.max(j));
        cells[first * size + second] * (shares[first] * shares[second])
    })
}

/// Share of the keywords that occur in the answer; `None` without keywords.
pub fn keyword_coverage(answer: &str, keywords: &[String]) -> Option<f64> {
    let lowered = lower(answer);
    let found = keywords.iter().filter(|word| lowered.contains(word.as_str())).count();
    (!keywords.is_empty()).then(|| found as f64 / keywords.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_words_come_first() {
        let answers = ["Plants grow in light", "green plants need water", ""];
        let found = keywords("Why do green PLANTS need chlorophyll, chlorophyll?", &answers, 4);
        assert_eq!(found[0], "chlorophyll");
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|word| !word.contains("why")));
        assert_eq!(keyword_coverage("CHLOROPHYLL only", &found[..1]), Some(1.0));
        assert_eq!(keyword_coverage("x", &[]), None);
    }

    #[test]
    fn nothing_to_find() {
        assert!(keywords(" \n", &["words here"], 10).is_empty());
        assert!(keywords("the of and", &["the"], 10).is_empty());
        assert!(keywords("a b c", &[], 10).is_empty());
    }

    #[test]
    fn words_in_common_make_texts_alike() {
        // scikit-learn 1.9.1, TfidfVectorizer(ngram_range=(1, 2), stop_words="english", max_features=5000).
        let texts = ["The moon pulls the tides.", "tides: the MOON pulls", "Coasts shape tides", "of the"];
        let found = word_similarity(&texts);
        assert_eq!(found.others(3), [0.0; 3]);
        assert!((found.get(0, 0) - 1.0).abs() < 1e-12);
        for (i, j, expected) in WORDS_ALIKE {
            assert!((found.get(i, j) - expected).abs() < 1e-12, "{i} {j} {}", found.get(i, j));
            assert_eq!(found.get(i, j).to_bits(), found.get(j, i).to_bits());
        }
        assert_eq!(word_similarity(&[]).size(), 0);
    }

    const WORDS_ALIKE: [(usize, usize, f64); 3] =
        [(0, 1, 0.6943941217489826), (0, 2, 0.10728059403403598), (1, 2, 0.10728059403403598)];

    #[test]
    fn features_are_limited() {
        let prompt = "zebra zebra stripes";
        let answer: String = (0..6000).map(|i| format!("word{i} ")).collect();
        let found = keywords(prompt, &[&answer, &answer], 10);
        // Everything in the answers occurs twice; of the prompt only the zebra does.
        assert_eq!(found, ["zebra"]);
    }
}
