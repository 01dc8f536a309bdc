//! Literal text found as Python 3.11's `re` finds an escaped literal under `re.IGNORECASE`.
//!
//! Python compares the simple lower case of single characters and adds a small table of characters that share an upper
//! case without sharing a lower one (`re._casefix`). Full case folding would find more: `ß` never matches `ss` here.

use super::{is_digit, is_space, is_word, lower_character};

/// Characters whose lower case differs although their upper case does not, each with the one that stands for its class.
#[rustfmt::skip]
const SHARED_UPPER: &[(char, char)] = &[
    ('\u{131}', 'i'), ('\u{17f}', 's'), ('\u{3b9}', '\u{345}'), ('\u{3bc}', '\u{b5}'), ('\u{3c3}', '\u{3c2}'),
    ('\u{3d0}', '\u{3b2}'), ('\u{3d1}', '\u{3b8}'), ('\u{3d5}', '\u{3c6}'), ('\u{3d6}', '\u{3c0}'),
    ('\u{3f0}', '\u{3ba}'), ('\u{3f1}', '\u{3c1}'), ('\u{3f5}', '\u{3b5}'), ('\u{1c80}', '\u{432}'),
    ('\u{1c81}', '\u{434}'), ('\u{1c82}', '\u{43e}'), ('\u{1c83}', '\u{441}'), ('\u{1c84}', '\u{442}'),
    ('\u{1c85}', '\u{442}'), ('\u{1c86}', '\u{44a}'), ('\u{1c87}', '\u{463}'), ('\u{1e9b}', '\u{1e61}'),
    ('\u{1fbe}', '\u{345}'), ('\u{1fd3}', '\u{390}'), ('\u{1fe3}', '\u{3b0}'), ('\u{a64b}', '\u{1c88}'),
    ('\u{fb06}', '\u{fb05}'),
];

/// The character that stands for all that a literal matches under `re.IGNORECASE`.
pub fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let lowered = if character == '\u{130}' { 'i' } else { lower_character(character) };
    let at = SHARED_UPPER.binary_search_by_key(&lowered, |(known, _)| *known);
    at.map_or(lowered, |at| SHARED_UPPER[at].1)
}

/// A text prepared for searching: each character [folded](fold).
pub fn folded(text: &str) -> Vec<char> {
    text.chars().map(fold).collect()
}

/// Whether `literal` stands at `at` of a folded text; the place after it.
pub fn literal_at(folded_text: &[char], at: usize, literal: &str) -> Option<usize> {
    let mut place = at;
    for character in literal.chars() {
        if folded_text.get(place) != Some(&fold(character)) {
            return None;
        }
        place += 1;
    }
    Some(place)
}

/// `re.search(re.escape(literal), text, re.IGNORECASE)` on a folded text. The empty literal is everywhere.
pub fn contains(folded_text: &[char], literal: &str) -> bool {
    (0..=folded_text.len()).any(|at| literal_at(folded_text, at, literal).is_some())
}

/// `^\s*literal\b`, ignoring case.
pub fn starts_with_word(text: &str, literal: &str) -> bool {
    let folded_text = folded(text);
    let original: Vec<char> = text.chars().collect();
    let space = original.iter().take_while(|c| is_space(**c)).count();
    // `\s*` gives white space back when the literal begins with some.
    (0..=space).any(|start| {
        literal_at(&folded_text, start, literal).is_some_and(|end| {
            let before = end > 0 && original.get(end - 1).is_some_and(|c| is_word(*c));
            let after = original.get(end).is_some_and(|c| is_word(*c));
            before != after
        })
    })
}

/// `literal\s*$`, ignoring case.
pub fn ends_with(text: &str, literal: &str) -> bool {
    let folded_text = folded(text);
    let last = folded_text.len() - text.chars().rev().take_while(|c| is_space(*c)).count();
    (0..=folded_text.len()).any(|at| literal_at(&folded_text, at, literal).is_some_and(|end| end >= last))
}

/// One step of a [phrase](matches_phrase).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This text, ignoring case.
    Text(&'static str),
    /// `\s+`
    Spaces,
    /// `\s*`
    MaybeSpaces,
    /// `[\d\s]*`
    DigitsOrSpaces,
    /// `#+`
    Hashes,
    /// `\w+`
    Word,
    /// `.+` at the end of a pattern: one more character that is no line break.
    Rest,
}

/// Whether the steps, one after the other, stand anywhere in the text. Every step takes as much as it can; no pattern in use
/// needs a step to give something back.
pub fn matches_phrase(folded_text: &[char], steps: &[Step]) -> bool {
    (0..=folded_text.len())
        .any(|start| steps.iter().try_fold(start, |at, step| step_end(folded_text, at, *step)).is_some())
}

fn step_end(text: &[char], at: usize, step: Step) -> Option<usize> {
    let run = |fits: fn(char) -> bool| at + text[at..].iter().take_while(|c| fits(**c)).count();
    let some = |end: usize| (end > at).then_some(end);
    match step {
        Step::Text(literal) => literal_at(text, at, literal),
        Step::Spaces => some(run(is_space)),
        Step::MaybeSpaces => Some(run(is_space)),
        Step::DigitsOrSpaces => Some(run(|c| is_digit(c) || is_space(c))),
        Step::Hashes => some(run(|c| c == '#')),
        Step::Word => some(run(is_word)),
        Step::Rest => text.get(at).filter(|c| **c != '\n').map(|_| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_match_as_in_python() {
        for (text, literal, expected) in [
            ("I use c++ #C#", "C++", true),
            ("axb", "a.b", false),
            ("STRASSE", "straße", false),
            ("\u{212a}elvin", "KELVIN", true),
            ("ſet", "SET", true),
            ("\u{130}stanbul", "istanbul", true),
            ("ıstanbul", "ISTANBUL", true),
            ("Σας σας ςας", "ΣΑΣ", true),
            ("µ", "Μ", true),
            ("", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(contains(&folded(text), literal), expected, "{text} {literal}");
        }
    }

    #[test]
    fn anchored_literals() {
        for (text, literal, starts, ends) in [
            ("  What is it?", "what", true, false),
            ("Whatever", "what", false, false),
            ("so it is \n", "IS", false, true),
            ("is", "is", true, true),
            ("this", "is", false, true),
        ] {
            assert_eq!((starts_with_word(text, literal), ends_with(text, literal)), (starts, ends), "{text}");
        }
    }

    #[test]
    fn phrases() {
        let steps = [Step::Hashes, Step::DigitsOrSpaces, Step::Text("question"), Step::DigitsOrSpaces, Step::Text(":")];
        for (text, expected) in [("x ## 1 Question 2 :", true), ("Question:", false), ("#a question:", false)] {
            assert_eq!(matches_phrase(&folded(text), &steps), expected, "{text}");
        }
        assert!(matches_phrase(&folded("Sure! here we"), &[Step::Text("sure! her"), Step::Rest]));
        assert!(!matches_phrase(&folded("sure! her\n"), &[Step::Text("sure! her"), Step::Rest]));
    }

    proptest! {
        #[test]
        fn a_part_is_found_in_any_case(before in "[a-zà-ö]{0,8}", part in "[a-zà-ö]{1,6}", after in "[a-zà-ö]{0,8}") {
            let text = format!("{before}{part}{after}").to_uppercase();
            prop_assert!(contains(&folded(&text), &part));
        }
    }
}
