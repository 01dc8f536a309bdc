//! How many tokens a text has, and where it is cut.
//!
//! Upstream counts with the vocabulary of its judge (cl100k), 100,000 entries that this program does not ship. Which
//! answers share a judgement depends on the count, so it is a rule of its own here, written down to the last character:
//! [`PlainRule`]. It counts English text a little higher than cl100k, so that a limit of upstream is not exceeded. A caller
//! with the vocabulary at hand gives its own [`TokenRule`].

use super::constants::Tokens;
use crate::text::{is_digit, is_space, is_word};

/// A tokenizer as far as batching needs one. Must be a pure function of the text.
pub trait TokenRule {
    /// The beginning of the text with at most `limit` tokens, and how many tokens it has.
    fn clip<'a>(&self, text: &'a str, limit: usize) -> (&'a str, usize);

    /// How many tokens the text has.
    fn count(&self, text: &str) -> usize {
        self.clip(text, usize::MAX).1
    }
}

/// The rule that a rule set names.
#[must_use]
pub fn rule(tokens: Tokens) -> &'static dyn TokenRule {
    match tokens {
        Tokens::Plain => &PlainRule,
    }
}

/// Tokens of a text without a vocabulary.
///
/// From left to right: a run of letters is one token for its first 8 characters and one more for each further 4 begun; a
/// run of digits is one token for each 3 begun; a single white space belongs to what follows it, a longer run is one token;
/// every other character, and every letter or digit outside ASCII, is a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlainRule;

/// Characters in the first token of a word.
const FIRST: usize = 8;
/// Characters in each further token of a word.
const FURTHER: usize = 4;
/// Digits in a token.
const DIGITS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Space,
    Other,
}

fn class(character: char) -> Class {
    if is_space(character) {
        Class::Space
    } else if !character.is_ascii() {
        Class::Other
    } else if is_digit(character) {
        Class::Digit
    } else if is_word(character) {
        Class::Letter
    } else {
        Class::Other
    }
}

impl PlainRule {
    /// The byte at which the first token of a text ends, and whether it counts.
    fn first(text: &str) -> (usize, bool) {
        let Some(first) = text.chars().next() else { return (0, false) };
        let kind = class(first);
        let run = || text.chars().take_while(move |c| class(*c) == kind);
        match kind {
            Class::Space => (run().map(char::len_utf8).sum(), run().nth(1).is_some()),
            Class::Other => (first.len_utf8(), true),
            // ASCII: a character is a byte.
            Class::Digit => (run().take(DIGITS).count(), true),
            Class::Letter => (run().take(FIRST).count(), true),
        }
    }

    /// The rest of a word of which the first token is taken.
    fn further(text: &str) -> usize {
        text.chars().take(FURTHER).take_while(|c| class(*c) == Class::Letter).count()
    }
}

impl TokenRule for PlainRule {
    fn clip<'a>(&self, text: &'a str, limit: usize) -> (&'a str, usize) {
        let (mut at, mut end, mut count) = (0, 0, 0);
        let mut in_word = false;
        while at < text.len() && count < limit {
            let rest = &text[at..];
            let more = if in_word { Self::further(rest) } else { 0 };
            let (length, counts) = if more > 0 { (more, true) } else { Self::first(rest) };
            in_word = class(rest.chars().next().unwrap_or(' ')) == Class::Letter;
            at += length;
            if counts {
                count += 1;
                end = at;
            }
        }
        // White space that belongs to a token that is no longer there is cut off too; at the end of the text it stays.
        let rest = &text[at..];
        if rest.is_empty() || Self::first(rest) == (rest.len(), false) { (text, count) } else { (&text[..end], count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_follow_the_rule() {
        for (text, count) in [
            ("", 0),
            (" ", 0),
            ("  ", 1),
            ("I feel alone.", 4),
            ("overwhelmed", 2),
            ("internationalisation", 4),
            ("12345", 2),
            ("don't", 3),
            ("a\n\nb", 3),
            ("a b", 2),
            ("naïve", 3),
            ("日本", 2),
            ("12ab", 2),
        ] {
            assert_eq!(PlainRule.count(text), count, "{text:?}");
        }
    }

    #[test]
    fn cuts_stand_after_a_token() {
        for (text, limit, left) in [
            ("one two three", 2, "one two"),
            ("internationalisation", 2, "internationa"),
            ("one  two", 2, "one  "),
            ("one", 0, ""),
            ("one two", 2, "one two"),
            ("1234567", 2, "123456"),
        ] {
            assert_eq!(PlainRule.clip(text, limit).0, left, "{text:?}");
        }
        // A word of any length is cut as well.
        assert_eq!(PlainRule.clip(&"a".repeat(100_000), 400), (&"a".repeat(8 + 399 * 4)[..], 400));
    }

    proptest! {
        #[test]
        fn a_cut_is_a_beginning_within_the_limit(text in "[a-z0-9 .,'\nßé日]{0,80}", limit in 0usize..30) {
            let (left, count) = PlainRule.clip(&text, limit);
            prop_assert!(text.starts_with(left) && count <= limit);
            prop_assert_eq!(PlainRule.count(left), count);
            prop_assert_eq!(PlainRule.clip(left, limit), (left, count));
            if PlainRule.count(&text) <= limit {
                prop_assert_eq!(left, &text[..]);
            }
        }
    }
}
