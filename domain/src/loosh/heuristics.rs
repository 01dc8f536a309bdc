//! Quality signals that need no vectors: density, specificity, heuristic coherence, answer shape (spec 3.3).
//!
//! They look at characters and words only, so that a miner can game them; the spec keeps them as upstream has them.

use super::words::{FILLER, has};
use crate::math::clip;
use crate::text::patterns::{has_bulleted_item, has_digit, has_numbered_item, has_step_item, split_at_stops};
use crate::text::{is_upper, length, lower, split, strip, word_count};

/// Share of words that carry content: longer than three characters and no filler; 0 for no words.
pub fn density(text: &str) -> f64 {
    let lowered = lower(text);
    let words = word_count(&lowered);
    if words == 0 {
        return 0.0;
    }
    let content = split(&lowered).filter(|word| length(word) > 3 && !has(FILLER, word)).count();
    content as f64 / words as f64
}

/// Numbers, capitalised words inside sentences, long words, and colons or semicolons; at most 1.
pub fn specificity(text: &str) -> f64 {
    let mut score = 0.0;
    if has_digit(text) {
        score += 0.3;
    }
    let capitalised =
        |sentence: &str| split(sentence).skip(1).filter(|word| word.chars().next().is_some_and(is_upper)).count();
    let names: usize = split_at_stops(text).into_iter().map(capitalised).sum();
    if names > 0 {
        score += (names as f64 * 0.1).min(0.3);
    }
    let words = word_count(text);
    if words > 0 {
        let long = split(text).filter(|word| length(word) > 8).count();
        score += (long as f64 / words as f64 * 2.0).min(0.2);
    }
    if text.contains([';', ':']) {
        score += 0.2;
    }
    score.min(1.0)
}

/// The non-empty, trimmed pieces between runs of stops.
pub fn plain_sentences(text: &str) -> Vec<&str> {
    split_at_stops(text).into_iter().map(strip).filter(|sentence| !sentence.is_empty()).collect()
}

/// Mean words per plain sentence; 0 for none.
pub fn words_per_sentence(sentences: &[&str]) -> f64 {
    if sentences.is_empty() {
        return 0.0;
    }
    let words: usize = sentences.iter().map(|sentence| word_count(sentence)).sum();
    words as f64 / sentences.len() as f64
}

/// Coherence guessed from sentence lengths; 0 for no sentence.
pub fn coherence(text: &str) -> f64 {
    let sentences = plain_sentences(text);
    if sentences.is_empty() {
        return 0.0;
    }
    let mean = words_per_sentence(&sentences);
    let mut score: f64 = 0.5;
    if (5.0..=30.0).contains(&mean) {
        score += 0.3;
    } else if mean < 3.0 {
        score -= 0.2;
    }
    if sentences.len() > 1 {
        score += 0.2;
    }
    clip(score, 0.0, 1.0)
}

/// Whether the answer has the shape that the prompt asks for: list, code, steps, comparison. Diagnostic only.
pub fn answer_shape(answer: &str, prompt: &str) -> f64 {
    let (asked, said) = (lower(prompt), lower(answer));
    let asks = |cues: &[&str]| cues.iter().any(|cue| asked.contains(cue));
    let mut score = 0.5;
    if asks(&["list", "enumerate", "name ", "what are", "give me"]) {
        score += if has_numbered_item(answer) || has_bulleted_item(answer) { 0.25 } else { -0.15 };
    }
    if asks(&["code", "implement", "write a function", "write a program", "script"]) {
        let keywords = ["```", "def ", "class ", "import ", "function ", "const ", "let ", "var "];
        score += if keywords.iter().any(|word| answer.contains(word)) { 0.25 } else { -0.15 };
    }
    if asks(&["how to", "step by step", "steps to", "instructions", "explain how"]) {
        score += if has_step_item(answer) { 0.25 } else { -0.10 };
    }
    if asks(&["compare", "contrast", "difference", "versus", "vs"]) {
        let compares = ["however", "whereas", "on the other hand", "in contrast", "while"];
        score += if compares.iter().any(|word| said.contains(word)) { 0.2 } else { -0.05 };
    }
    clip(score, 0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn empty_and_odd_texts() {
        for (text, dense, specific, coherent) in [
            ("", 0.0, 0.0, 0.0),
            ("...!?", 1.0, 0.0, 0.0),
            (" \u{1c}\n", 0.0, 0.0, 0.0),
            ("THE the The", 0.0, 0.1, 0.5),
            ("Paris. Émile à École", 0.75, 0.1, 0.5),
            ("٣", 0.0, 0.3, 0.3),
            ("one two three four five", 0.6, 0.0, 0.8),
        ] {
            assert_eq!((density(text), specificity(text), coherence(text)), (dense, specific, coherent), "{text:?}");
        }
    }

    #[test]
    fn shapes() {
        for (prompt, answer, expected) in [
            ("What is love", "A feeling", 0.5),
            ("List the steps to compare code", "no", 0.05),
            ("NAME them: give me code", "1) x\n```", 1.0),
            ("how to", "Step  4", 0.75),
            ("difference", "WHILE", 0.7),
        ] {
            assert!(
                (answer_shape(answer, prompt) - expected).abs() < 1e-15,
                "{prompt} {}",
                answer_shape(answer, prompt)
            );
        }
    }

    proptest! {
        #[test]
        fn signals_stay_in_bounds(text in "\\PC{0,80}", prompt in "\\PC{0,40}") {
            for value in [density(&text), specificity(&text), coherence(&text), answer_shape(&text, &prompt)] {
                prop_assert!((0.0..=1.0).contains(&value));
            }
        }
    }
}
