//! The passages a miner answers from, and how they are cut into sentences.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The passages that come with the program.
const SHIPPED: &str = include_str!("../corpus/passages.jsonl");

const MAXIMUM_FILE_BYTES: u64 = 64 << 20;
const MAXIMUM_PASSAGES: usize = 10_000;
const MAXIMUM_PASSAGE_BYTES: usize = 8 << 10;

/// One passage: some sentences about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// Names the passage within its corpus.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The sentences.
    pub text: String,
}

/// Passages with different ids, in the order of their file.
#[derive(Clone, Debug)]
pub struct Corpus {
    passages: Vec<Passage>,
}

impl Corpus {
    /// The corpus that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn shipped() -> Result<Self, Error> {
        Self::parse(SHIPPED)
    }

    /// A corpus from a file: one JSON object a line with `id`, `title` and `text`.
    ///
    /// # Errors
    /// [`Error::ReadCorpus`] and [`Error::Corpus`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::ReadCorpus { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAXIMUM_FILE_BYTES {
            return Err(Error::Corpus { line: 0, reason: format!("{bytes} bytes; the limit is {MAXIMUM_FILE_BYTES}") });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(unreadable)?)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let mut passages = Vec::new();
        let mut ids = BTreeSet::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |reason: String| Error::Corpus { line: index + 1, reason };
            if line.len() > MAXIMUM_PASSAGE_BYTES {
                return Err(wrong(format!("{} bytes; the limit is {MAXIMUM_PASSAGE_BYTES}", line.len())));
            }
            if passages.len() == MAXIMUM_PASSAGES {
                return Err(wrong(format!("more than {MAXIMUM_PASSAGES} passages")));
            }
            let passage: Passage = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            if passage.id.is_empty() || split_sentences(&passage.text).is_empty() {
                return Err(wrong("the id or the text is empty".to_owned()));
            }
            if !ids.insert(passage.id.clone()) {
                return Err(wrong(format!("the id {:?} is there twice", passage.id)));
            }
            passages.push(passage);
        }
        if passages.is_empty() {
            return Err(Error::Corpus { line: 0, reason: "there is no passage in it".to_owned() });
        }
        Ok(Self { passages })
    }

    /// The passages.
    #[must_use]
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }
}

/// The sentences of a text: cut after `.`, `!` or `?` when white space and a capital letter or a digit follow.
///
/// Made for plain prose without abbreviations, as the corpus is; "23.4" and "example.org" stay whole.
#[must_use]
pub fn split_sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (end, character) in text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?')) {
        let after = &text[end + character.len_utf8()..];
        let next = after.trim_start();
        let opens = next.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
        if after.len() > next.len() && opens {
            sentences.push(&text[start..=end]);
            start = text.len() - next.len();
        }
    }
    sentences.push(&text[start..]);
    sentences.into_iter().map(str::trim).filter(|sentence| !sentence.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn cuts_prose_into_sentences() {
        let check = |text: &str, expected: &[&str]| assert_eq!(split_sentences(text), expected);
        check("", &[]);
        check("  ", &[]);
        check("One.", &["One."]);
        check("One. Two! Three? four", &["One.", "Two!", "Three? four"]);
        check(
            "The axis is tilted by 23.4 degrees. See example.org for more.",
            &["The axis is tilted by 23.4 degrees.", "See example.org for more."],
        );
        check("After that. 118 elements are known.", &["After that.", "118 elements are known."]);
        check("Ends here.\n\nÜber alles.", &["Ends here.", "Über alles."]);
    }

    #[test]
    fn the_shipped_corpus_is_broad_and_well_formed() {
        let corpus = Corpus::shipped().unwrap();
        assert!(corpus.passages().len() >= 120, "{}", corpus.passages().len());
        for passage in corpus.passages() {
            let sentences = split_sentences(&passage.text).len();
            assert!((2..=6).contains(&sentences), "{} has {sentences} sentences", passage.id);
        }
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let check = |text: &str, expected: &str| {
            let error = Corpus::parse(text).expect_err("it is wrong").to_string();
            assert!(error.contains(expected), "{error}");
        };
        let good = r#"{"id":"a","title":"A","text":"A."}"#;
        check("", "no passage");
        check("{", "corpus line 1");
        check(&format!("{good}\n\n{good}"), "corpus line 3: the id \"a\" is there twice");
        check(
            &format!("{good}\n{{\"id\":\"b\",\"title\":\"B\",\"text\":\" \"}}"),
            "corpus line 2: the id or the text is empty",
        );
        check(&format!("{{\"id\":\"b\",\"title\":\"B\",\"text\":\"{}\"}}", "x".repeat(9_000)), "the limit is 8192");
    }
}
