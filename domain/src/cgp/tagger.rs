//! The tagger without a model: phrases that look like nouns, by counting. Validator and miner use it when no language model
//! is configured; it reads the words and nothing else, and the same text gives the same tags on every machine.
//!
//! Phrases are runs of words without stop words and punctuation; single words and pairs in a row are candidates. A
//! candidate's weight is how often it occurs, times how much its letters look like a noun: endings of verbs and adverbs
//! count half or less, names half more, long words a little more. Pairs count when they are repeated or both their words
//! look like nouns. Plurals count with their singular when the text has both.

use std::collections::BTreeMap;

use super::tags::safe_tag;
use super::words::{Word, is_stop, words};

/// How many tags a prompt asks for; upstream scores twenty.
pub const DEFAULT_LIMIT: usize = 20;

/// Shorter words are no subject.
const SHORTEST_WORD: usize = 3;

/// Factor of a pair that is said once: below either of its words.
const SINGLE_PAIR: f64 = 0.4;

/// Factor of a pair that is said again: nearly the sum of its words.
const REPEATED_PAIR: f64 = 0.9;

/// A candidate on its way through the text.
#[derive(Debug, Clone, Default)]
struct Candidate {
    count: u32,
    first: usize,
    weight: f64,
    pair: bool,
}

/// How much a word looks like a noun, by its letters: 0.3 to 1.5.
fn noun_weight(word: &Word) -> f64 {
    let text = word.text.as_str();
    let ending = |ends: &[&str]| ends.iter().any(|end| text.len() > end.len() + 2 && text.ends_with(end));
    let shape = if ending(&["ly"]) {
        0.3
    } else if ending(&["ing", "ed"]) {
        0.5
    } else if ending(&["ful", "ous", "able", "ible", "ive", "ish"]) {
        0.6
    } else if ending(&["tion", "ment", "ness", "ship", "ity", "ism", "ist", "ology", "ence", "ance"]) {
        1.2
    } else {
        1.0
    };
    if word.named { shape * 1.5 } else { shape }
}

/// Whether a word can be part of a tag.
fn is_content(word: &Word) -> bool {
    let letters = word.text.chars().filter(|c| c.is_ascii_alphabetic()).count();
    letters >= SHORTEST_WORD && letters == word.text.chars().filter(|c| *c != '-').count() && !is_stop(&word.text)
}

/// The singulars that a plural may have: tomatoes → tomatoe, tomato; berries → berrie, berry.
fn singulars(word: &str) -> Vec<String> {
    let Some(stem) =
        word.strip_suffix('s').filter(|stem| stem.len() >= SHORTEST_WORD && !stem.ends_with(['s', 'u', 'i']))
    else {
        return Vec::new();
    };
    let shorter = stem.strip_suffix('e').map(str::to_owned);
    let ending_in_y = stem.strip_suffix("ie").map(|stem| format!("{stem}y"));
    std::iter::once(stem.to_owned()).chain(shorter).chain(ending_in_y).collect()
}

/// Counts an occurrence of a candidate.
fn count(candidates: &mut BTreeMap<String, Candidate>, tag: String, first: usize, weight: f64, pair: bool) {
    let known = candidates.entry(tag).or_insert(Candidate { count: 0, first, weight: 0.0, pair });
    known.count += 1;
    known.weight = known.weight.max(weight);
}

fn candidates<S: AsRef<str>>(lines: &[S]) -> BTreeMap<String, Candidate> {
    let texts: Vec<Vec<Word>> = lines.iter().map(|line| words(line.as_ref())).collect();
    let vocabulary: std::collections::BTreeSet<&str> = texts.iter().flatten().map(|word| word.text.as_str()).collect();
    let base = |word: &Word| {
        let said = |stem: &String| vocabulary.contains(stem.as_str()) && !is_stop(stem);
        singulars(&word.text).into_iter().find(said).unwrap_or_else(|| word.text.clone())
    };
    let mut found = BTreeMap::new();
    let mut place = 0;
    for text in &texts {
        let mut before: Option<&Word> = None;
        for word in text {
            place += 1;
            if !is_content(word) {
                before = None;
                continue;
            }
            let weight = noun_weight(word);
            count(&mut found, base(word), place, weight, false);
            if let Some(first) = before.filter(|_| !word.fresh) {
                let weight = noun_weight(first) + weight;
                count(&mut found, format!("{} {}", first.text, base(word)), place, weight, true);
            }
            before = Some(word);
        }
    }
    found
}

/// At most `limit` tags of a text in lines, the weightiest first; equal ones in the order in which they are first said.
/// All are [safe](safe_tag).
pub fn tags<S: AsRef<str>>(lines: &[S], limit: usize) -> Vec<String> {
    let mut ranked: Vec<(f64, usize, String)> = candidates(lines)
        .into_iter()
        .filter(|(_, found)| !found.pair || found.count > 1 || found.weight >= 2.0)
        .map(|(tag, found)| {
            let length = crate::text::length(&tag).min(12) as f64;
            let pair = match (found.pair, found.count) {
                (false, _) => 1.0,
                (true, 1) => SINGLE_PAIR,
                (true, _) => REPEATED_PAIR,
            };
            (f64::from(found.count) * found.weight * pair * (1.0 + length / 24.0), found.first, tag)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut out: Vec<String> = Vec::new();
    for (_, _, tag) in ranked {
        let safe = safe_tag(&tag);
        if out.len() < limit && crate::text::length(&safe) >= SHORTEST_WORD && !out.contains(&safe) {
            out.push(safe);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::tags::clean_tag_set;
    use proptest::prelude::*;

    const GARDEN: &[&str] = &[
        "Did you finally plant the tomatoes in the vegetable garden?",
        "Yes, the tomatoes and two rows of beans. The vegetable garden gets good sun.",
        "I really love gardening, but slugs ate every lettuce last year.",
        "Copper tape keeps slugs away. My neighbour Rosa swears by copper tape!",
        "A tomato a day, as Rosa would say.",
    ];

    #[test]
    fn subjects_come_first() {
        let found = tags(GARDEN, 8);
        let has = |tag: &str| found.iter().any(|other| other == tag);
        for tag in ["vegetable garden", "copper tape", "tomato", "slugs", "rosa"] {
            assert!(has(tag), "{tag}: {found:?}");
        }
        for tag in ["really", "finally", "love", "yes"] {
            assert!(!has(tag), "{tag}: {found:?}");
        }
        assert!(!has("tomatoes"), "counted with the singular: {found:?}");
    }

    #[test]
    fn nothing_to_tag() {
        assert!(tags::<&str>(&[], 20).is_empty());
        assert!(tags(&["Yes, I think so!", "um, 42, 7th...", "你好 世界"], 20).is_empty());
        assert!(tags(GARDEN, 0).is_empty());
    }

    #[test]
    fn no_phrase_runs_over_punctuation() {
        let found = tags(&["apples, pears. apples, pears. apples, pears"], 20);
        assert_eq!(found, ["apples", "pears"]);
    }

    proptest! {
        #[test]
        fn tags_are_clean_distinct_and_few(lines in prop::collection::vec("\\PC{0,60}", 0..12), limit in 0usize..30) {
            let found = tags(&lines, limit);
            prop_assert!(found.len() <= limit);
            prop_assert!(found.iter().all(|tag| safe_tag(tag) == *tag));
            let short: Vec<&String> = found.iter().filter(|tag| tag.len() <= 64).collect();
            prop_assert_eq!(clean_tag_set(&short).len(), short.len());
            prop_assert_eq!(tags(&lines, limit), found);
        }
    }
}
