//! Text as Python 3.11 sees it: white space, case, words, and the few regular expressions that scoring uses, by hand.
//!
//! Upstream's scores depend on `str.split`, `str.lower`, `str.isupper` and `re`; Rust's own functions follow other tables
//! (U+001C is white space in Python only) and a newer Unicode. The tables are Python's, frozen at Unicode 14.0. Nothing
//! here may use a regex engine, a locale, or the standard library's case mapping.

pub mod alike;
pub mod ignore_case;
pub mod numbers;
pub mod patterns;
mod tables;

use tables::{CASE_IGNORABLE, CASED, DECIMAL, LOWER, UPPER, WHITE_SPACE, WORD};

fn contains(table: &[(u32, u32)], character: char) -> bool {
    let code = u32::from(character);
    let at = table.partition_point(|(_, last)| *last < code);
    table.get(at).is_some_and(|(first, _)| *first <= code)
}

/// Python's `str.isspace` of one character, and the pattern `\s`.
pub fn is_space(character: char) -> bool {
    match character {
        '\t'..='\r' | '\x1c'..=' ' => true,
        '!'..='\x7f' => false,
        _ => contains(WHITE_SPACE, character),
    }
}

/// The pattern `\w`: `str.isalnum` or the underscore.
pub fn is_word(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_alphanumeric() || character == '_' } else { contains(WORD, character) }
}

/// The pattern `\d`: a decimal digit of any script.
pub fn is_digit(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_digit() } else { contains(DECIMAL, character) }
}

/// Python's `str.isupper` of one character.
pub fn is_upper(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_uppercase() } else { contains(UPPER, character) }
}

/// Python's `str.split()`: the parts between runs of white space, none of them empty.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|part| !part.is_empty())
}

/// `len(text.split())`.
pub fn word_count(text: &str) -> usize {
    split(text).count()
}

/// Python's `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `len(text)`: code points.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// Python's `str.lower()`, with its two special rules: `İ` becomes two characters, and a capital sigma at the end of a
/// word becomes `ς`.
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, character) in characters.iter().enumerate() {
        match character {
            '\u{130}' => out.push_str("i\u{307}"),
            '\u{3a3}' => out.push(if is_final_sigma(&characters, at) { 'ς' } else { 'σ' }),
            _ => out.push(lower_character(*character)),
        }
    }
    out
}

fn lower_character(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let code = u32::from(character);
    let at = LOWER.partition_point(|(_, last, _, _)| *last < code);
    match LOWER.get(at) {
        Some((first, _, step, offset)) if *first <= code && (code - first) % step == 0 => {
            code.checked_add_signed(*offset).and_then(char::from_u32).unwrap_or(character)
        }
        _ => character,
    }
}

/// Unicode's `Final_Sigma`: a cased letter before it and none after it, looking through case-ignorable characters.
fn is_final_sigma(characters: &[char], at: usize) -> bool {
    let ignorable = |c: &&char| contains(CASE_IGNORABLE, **c);
    let cased = |c: Option<&char>| c.is_some_and(|c| contains(CASED, *c));
    cased(characters[..at].iter().rev().find(|c| !ignorable(c)))
        && !cased(characters[at + 1..].iter().find(|c| !ignorable(c)))
}

/// The ASCII letter that a literal pattern matches under `re.IGNORECASE`: Python also lets `ſ` pass for s, `ı` and `İ`
/// for i, and the Kelvin sign for k. Other characters come back unchanged.
pub fn fold_to_ascii(character: char) -> char {
    match character {
        'ſ' => 's',
        'ı' | 'İ' => 'i',
        '\u{212a}' => 'k',
        _ => character.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn white_space_is_pythons() {
        for (text, words) in [
            ("", vec![]),
            (" \t\r\n ", vec![]),
            ("a\u{1c}b\u{1f}c", vec!["a", "b", "c"]),
            ("a\u{a0}b\u{3000}c\u{2028}d", vec!["a", "b", "c", "d"]),
            ("a\u{200b}b\u{feff}c", vec!["a\u{200b}b\u{feff}c"]),
            ("  one  two ", vec!["one", "two"]),
        ] {
            assert_eq!(split(text).collect::<Vec<_>>(), words, "{text:?}");
            assert_eq!(word_count(text), words.len());
        }
        assert_eq!(strip("\u{85} a b\u{1d}"), "a b");
    }

    #[test]
    fn lower_case_is_pythons() {
        for (text, expected) in [
            ("ABC xyz", "abc xyz"),
            ("İstanbul", "i\u{307}stanbul"),
            ("ΟΔΟΣ ΣΑΣ. Σ", "οδος σας. σ"),
            ("ΑΣ\u{301}Β ΑΣ\u{301} Α'Σ", "ασ\u{301}β ας\u{301} α'ς"),
            ("ÀÉÖ ĀĄ ǅ Ω ẞ Ⅷ Ⓐ 𐐀", "àéö āą ǆ ω ß ⅷ ⓐ 𐐨"),
            ("ℵ ß ﬁ 中", "ℵ ß ﬁ 中"),
        ] {
            assert_eq!(lower(text), expected, "{text}");
        }
    }

    #[test]
    fn character_classes_are_pythons() {
        for (character, word, digit, upper) in [
            ('a', true, false, false),
            ('Z', true, false, true),
            ('_', true, false, false),
            ('7', true, true, false),
            ('٣', true, true, false),
            ('²', true, false, false),
            ('½', true, false, false),
            ('Ⅷ', true, false, true),
            ('Ⓐ', false, false, true),
            ('\u{93f}', false, false, false),
            ('Ǆ', true, false, true),
            ('ǅ', true, false, false),
            ('中', true, false, false),
            ('-', false, false, false),
            ('•', false, false, false),
        ] {
            assert_eq!(
                (is_word(character), is_digit(character), is_upper(character)),
                (word, digit, upper),
                "{character}"
            );
        }
    }

    proptest! {
        #[test]
        fn ascii_agrees_with_the_tables(code in 0u8..128) {
            let character = char::from(code);
            prop_assert_eq!(is_space(character), contains(WHITE_SPACE, character));
            prop_assert_eq!(is_word(character), contains(WORD, character));
            prop_assert_eq!(is_digit(character), contains(DECIMAL, character));
            prop_assert_eq!(is_upper(character), contains(UPPER, character));
        }

        #[test]
        fn lower_is_the_standard_one_where_unicode_has_not_moved(text in "[ -~À-ɏΑ-ωА-я]{0,40}") {
            prop_assert_eq!(lower(&text), text.to_lowercase());
        }

        #[test]
        fn split_covers_everything_but_space(text in "\\PC{0,40}") {
            let kept: String = split(&text).collect();
            let expected: String = text.chars().filter(|c| !is_space(*c)).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
