//! The regular expressions of the mechanisms, as hand-written scanners with Python `re`'s leftmost, first-alternative
//! semantics.
//!
//! Each function names the pattern that it stands for. They run in time linear in the text (a bounded look-ahead of a few
//! words apart) and never fail: the texts are miners' answers.

use super::{fold_to_ascii, is_digit, is_space, is_word, strip, word_count};

/// `(?<=[.!?])\s+` as a splitter: the pieces between white space that follows a sentence's end.
pub fn split_after_stops(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if is_space(character) && previous.is_some_and(is_stop) {
            pieces.push(&text[start..at]);
            while characters.peek().is_some_and(|(_, next)| is_space(*next)) {
                characters.next();
            }
            start = characters.peek().map_or(text.len(), |(next, _)| *next);
        }
        previous = Some(character);
    }
    pieces.push(&text[start..]);
    pieces
}

fn is_stop(character: char) -> bool {
    matches!(character, '.' | '!' | '?')
}

/// `[.!?]+` as a splitter; empty pieces are kept as Python keeps them.
pub fn split_at_stops(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_stop) {
        pieces.push(&rest[..at]);
        rest = rest[at..].trim_start_matches(is_stop);
    }
    pieces.push(rest);
    pieces
}

/// The sentences that scoring looks at: split after stops, trimmed, at least `minimum_words` words.
pub fn sentences(text: &str, minimum_words: usize) -> Vec<&str> {
    split_after_stops(strip(text)).into_iter().filter(|s| word_count(s) >= minimum_words).map(strip).collect()
}

/// What follows an item's sign: `1.` or `1)` and `*` need white space after them in some patterns and not in others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Anything,
    Space,
}

/// Where the sign of a numbered item (`\d+[.)]`) that starts at `at` ends.
fn numbered(text: &[char], at: usize, after: After) -> Option<usize> {
    let digits = text[at..].iter().take_while(|c| is_digit(**c)).count();
    let end = at + digits;
    (digits > 0 && matches!(text.get(end), Some('.' | ')')) && followed(text, end + 1, after)).then_some(end + 1)
}

/// Where the sign of a bulleted item (`[-•*]`) at `at` ends.
fn bulleted(text: &[char], at: usize, after: After) -> Option<usize> {
    (matches!(text.get(at), Some('-' | '•' | '*')) && followed(text, at + 1, after)).then_some(at + 1)
}

fn followed(text: &[char], at: usize, after: After) -> bool {
    after == After::Anything || text.get(at).is_some_and(|c| is_space(*c))
}

fn skip_space(text: &[char], at: usize) -> usize {
    at + text[at..].iter().take_while(|c| is_space(**c)).count()
}

/// `(?:^|\n)\s*item`: tries every start of the text or of a line; `item` gets the place after the white space.
fn at_line_starts(text: &[char], mut item: impl FnMut(usize) -> bool) -> bool {
    (0..=text.len()).any(|at| (at == 0 || text[at - 1] == '\n') && item(skip_space(text, at)))
}

/// `(?:^|\n)\s*\d+[.)]\s`.
pub fn has_numbered_item(text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    at_line_starts(&text, |at| numbered(&text, at, After::Space).is_some())
}

/// `(?:^|\n)\s*[-•*]\s`.
pub fn has_bulleted_item(text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    at_line_starts(&text, |at| bulleted(&text, at, After::Space).is_some())
}

/// `(?:^|\n)\s*(?:\d+[.)]\s|step\s+\d|first|second|third)`, ignoring case.
pub fn has_step_item(text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    at_line_starts(&text, |at| {
        let step = literal(&text, at, "step").is_some_and(|end| {
            let number = skip_space(&text, end);
            number > end && text.get(number).is_some_and(|c| is_digit(*c))
        });
        step || numbered(&text, at, After::Space).is_some()
            || ["first", "second", "third"].iter().any(|word| literal(&text, at, word).is_some())
    })
}

/// `\d+` found anywhere.
pub fn has_digit(text: &str) -> bool {
    text.chars().any(is_digit)
}

/// Where `pattern` (lower-case ASCII), matched ignoring case at `at`, ends.
fn literal(text: &[char], at: usize, pattern: &str) -> Option<usize> {
    let end = at + pattern.len();
    let here = text.get(at..end)?;
    here.iter().zip(pattern.chars()).all(|(c, p)| fold_to_ascii(*c) == p).then_some(end)
}

fn is_boundary(text: &[char], at: usize) -> bool {
    let before = at > 0 && text.get(at - 1).is_some_and(|c| is_word(*c));
    let after = text.get(at).is_some_and(|c| is_word(*c));
    before != after
}

/// `\b(?:a|b|…)\b`, ignoring case: how many non-overlapping matches there are. `patterns` must be in the order in which
/// the alternatives are to be tried.
pub fn count_whole_words(text: &str, patterns: &[&str]) -> usize {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        let end = if is_boundary(&text, at) { first_whole_word(&text, at, patterns) } else { None };
        count += usize::from(end.is_some());
        at = end.unwrap_or(at + 1);
    }
    count
}

fn first_whole_word(text: &[char], at: usize, patterns: &[&str]) -> Option<usize> {
    patterns.iter().filter_map(|p| literal(text, at, p)).find(|end| is_boundary(text, *end))
}

/// Cuts a text into pieces at places counted in characters.
struct Cutter<'a> {
    whole: &'a str,
    bytes: Vec<usize>,
    start: usize,
    pieces: Vec<&'a str>,
}

impl<'a> Cutter<'a> {
    fn new(whole: &'a str) -> (Self, Vec<char>) {
        let bytes = whole.char_indices().map(|(at, _)| at).chain([whole.len()]).collect();
        (Self { whole, bytes, start: 0, pieces: Vec::new() }, whole.chars().collect())
    }

    /// Ends a piece at `end`; the next one begins at `start`.
    fn cut(&mut self, end: usize, start: usize) {
        self.pieces.push(&self.whole[self.bytes[self.start]..self.bytes[end]]);
        self.start = start;
    }

    fn finish(mut self) -> Vec<&'a str> {
        self.pieces.push(&self.whole[self.bytes[self.start]..]);
        self.pieces
    }
}

/// `(?:^|\n)\s*(?:\d+[.)]\s*|[-•*]\s*)` as a splitter.
pub fn split_items(text: &str) -> Vec<&str> {
    let (mut cutter, text) = Cutter::new(text);
    let mut at = 0;
    while at <= text.len() {
        // At the very start the empty alternative `^` comes first; white space then swallows a line break anyway.
        let line = if at == 0 { Some(0) } else { (text.get(at) == Some(&'\n')).then_some(at + 1) };
        let sign = line.and_then(|line| {
            let item = skip_space(&text, line);
            numbered(&text, item, After::Anything).or_else(|| bulleted(&text, item, After::Anything))
        });
        match sign {
            Some(end) => {
                // A match is never empty, so the scan moves on.
                let next = skip_space(&text, end);
                cutter.cut(at, next);
                at = next;
            }
            None => at += 1,
        }
    }
    cutter.finish()
}

/// `\s+(?:and|or)\s+` as a splitter, ignoring case.
pub fn split_conjunctions(text: &str) -> Vec<&str> {
    let (mut cutter, text) = Cutter::new(text);
    let mut at = 0;
    while at < text.len() {
        let word = skip_space(&text, at);
        let end = if word > at { literal(&text, word, "and").or_else(|| literal(&text, word, "or")) } else { None };
        match end.map(|end| (end, skip_space(&text, end))) {
            Some((end, next)) if next > end => {
                cutter.cut(at, next);
                at = next;
            }
            _ => at += 1,
        }
    }
    cutter.finish()
}

const AFTER_COMMA: &[&str] = &[
    "which",
    "who",
    "that",
    "where",
    "when",
    "while",
    "although",
    "because",
    "since",
    "if",
    "unless",
    "whereas",
    "though",
    "even though",
    "after",
    "before",
    "until",
    "once",
];
const RELATIVE: &[&str] = &["which", "who", "that"];
const VERBS: &[&str] = &["is", "are", "was", "were", "has", "have", "had"];

/// The pieces of a text cut at the start of each clause boundary: a comma with one of `AFTER_COMMA`, or a relative
/// pronoun that reaches a form of be or have within three words. One piece when there is no boundary.
///
/// Pattern: `,\s*(?:which|…|once)\b|\b(?:which|who|that)\b\s+(?:\w+\s+){0,3}(?:is|…|had)\b`, ignoring case.
pub fn split_clauses(text: &str) -> Vec<&str> {
    let (mut cutter, text) = Cutter::new(text);
    let mut at = 0;
    while at < text.len() {
        match comma_clause(&text, at).or_else(|| relative_clause(&text, at)) {
            Some(end) => {
                cutter.cut(at, at);
                at = end;
            }
            None => at += 1,
        }
    }
    cutter.finish()
}

fn comma_clause(text: &[char], at: usize) -> Option<usize> {
    (text.get(at) == Some(&',')).then(|| first_whole_word(text, skip_space(text, at + 1), AFTER_COMMA)).flatten()
}

fn relative_clause(text: &[char], at: usize) -> Option<usize> {
    if !is_boundary(text, at) {
        return None;
    }
    let pronoun = first_whole_word(text, at, RELATIVE)?;
    let mut place = skip_space(text, pronoun);
    if place == pronoun {
        return None;
    }
    // `{0,3}` is greedy: the furthest verb within three words wins.
    let mut found = None;
    for words in 0..=3 {
        found = first_whole_word(text, place, VERBS).or(found);
        let word = text[place..].iter().take_while(|c| is_word(**c)).count();
        let next = skip_space(text, place + word);
        if words == 3 || word == 0 || next == place + word {
            break;
        }
        place = next;
    }
    found
}

/// One component of a prompt: a part of it, and what the split took away and upstream puts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptComponent<'a> {
    /// A trimmed part of the prompt.
    pub part: &'a str,
    /// `?` for questions, else empty.
    pub suffix: &'static str,
}

impl PromptComponent<'_> {
    /// The text that is embedded.
    pub fn text(&self) -> String {
        format!("{}{}", self.part, self.suffix)
    }
}

/// The semantic components of a prompt: the first rule that yields at least two parts wins (questions, list items,
/// lines, colons, semicolons, conjunctions, clauses), else the whole prompt; nothing for a blank prompt.
///
/// Parts need three words, except that the question rule wins by its raw count and may then return fewer than two.
pub fn prompt_components<'a>(prompt: &'a str) -> Vec<PromptComponent<'a>> {
    let questions: Vec<&str> = prompt.split('?').map(strip).filter(|part| !part.is_empty()).collect();
    if questions.len() >= 2 {
        let long_enough = questions.into_iter().filter(|part| word_count(part) >= 3);
        return long_enough.map(|part| PromptComponent { part, suffix: "?" }).collect();
    }
    let plain = |part| PromptComponent { part, suffix: "" };
    let rules: [&dyn Fn() -> Vec<&'a str>; 6] = [
        &|| split_items(prompt),
        &|| prompt.split('\n').collect(),
        &|| prompt.split(':').collect(),
        &|| prompt.split(';').collect(),
        &|| split_conjunctions(prompt),
        &|| split_clauses(prompt),
    ];
    for rule in rules {
        let parts: Vec<&str> = rule().into_iter().map(strip).filter(|part| word_count(part) >= 3).collect();
        if parts.len() >= 2 {
            return parts.into_iter().map(plain).collect();
        }
    }
    let whole = strip(prompt);
    if whole.is_empty() { Vec::new() } else { vec![plain(whole)] }
}

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;
