//! What a task may ask of an answer's form, each with a penalty (spec 2.7). Upstream's Twitter task asks for nothing, so that
//! its validation penalty never takes anything; its ancestor's tasks do, and so may a client's and a rule set.
//!
//! Whoever asks has to say so in the prompt: nothing is added to it.

use serde::{Deserialize, Serialize};

use super::Error;
use super::numbers::{self, Real};
use crate::draw::{Stream, sample};
use crate::math;
use crate::text::ignore_case::{contains, ends_with, folded, starts_with_word};
use crate::text::{is_digit, is_space, length, split, strip};

/// The most criteria of one task.
pub const MAX_CRITERIA: usize = 16;

/// The most words of one criterion.
const MAX_WORDS: usize = 64;

/// The longest word, in characters.
const MAX_WORD: usize = 64;

/// What lengths are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Code points of the whole answer.
    Characters,
    /// Pieces between white space; a blank answer has one.
    Words,
    /// Stops before white space or the end that follow no capital letter.
    Sentences,
    /// Pieces between empty lines; a blank answer has one.
    Paragraphs,
}

impl Unit {
    /// The unit of upstream's name.
    pub fn named(name: &str) -> Option<Self> {
        [(Self::Characters, "characters"), (Self::Words, "words"), (Self::Sentences, "sentences")]
            .into_iter()
            .chain([(Self::Paragraphs, "paragraphs")])
            .find(|(_, known)| *known == name)
            .map(|(unit, _)| unit)
    }

    /// How many the answer has.
    pub fn count(self, answer: &str) -> u64 {
        let count = match self {
            Self::Characters => length(answer),
            Self::Words => split(answer).count().max(1),
            Self::Sentences => sentence_ends(answer),
            Self::Paragraphs => paragraphs(strip(answer)),
        };
        count as u64
    }
}

/// `(?<![A-Z])[.?!](?:\s|$)`: how often it is found.
fn sentence_ends(text: &str) -> usize {
    let mut previous = None;
    let mut characters = text.chars().peekable();
    let mut count = 0;
    while let Some(character) = characters.next() {
        let ends = characters.peek().is_none_or(|next| is_space(*next));
        let initial = previous.is_some_and(|before: char| before.is_ascii_uppercase());
        count += usize::from(matches!(character, '.' | '?' | '!') && ends && !initial);
        previous = Some(character);
    }
    count
}

/// `\n\n+` as a splitter of a trimmed text: how many pieces there are.
fn paragraphs(text: &str) -> usize {
    let mut run = 0;
    let mut breaks = 0;
    for character in text.chars() {
        run = if character == '\n' { run + 1 } else { 0 };
        breaks += usize::from(run == 2);
    }
    breaks + 1
}

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `^\s*(…)\b`
    Start,
    /// `(…)\s*$`
    End,
    /// `(…)`
    Anywhere,
}

/// One thing that a task asks for, with the penalty for missing it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Criterion {
    /// A length: `penalty × (1 − e^(−10 e²))` with the relative error `e`; 0 when it is met.
    Length {
        /// The wanted length.
        target: u64,
        /// In these units.
        unit: Unit,
        /// The penalty of an answer that is far off.
        penalty: f64,
    },
    /// A length between two bounds: outside of them as [`Criterion::Length`] with the nearer one as its target.
    Range {
        /// The shortest wanted length.
        least: u64,
        /// The longest.
        most: u64,
        /// In these units.
        unit: Unit,
        /// The penalty of an answer that is far off.
        penalty: f64,
    },
    /// One of some words at a place, ignoring case.
    Content {
        /// The words.
        words: Vec<String>,
        /// The place.
        place: Place,
        /// They must not be there.
        negated: bool,
        /// The penalty.
        penalty: f64,
    },
    /// No list.
    Plain {
        /// The penalty for a list.
        penalty: f64,
    },
    /// A list.
    List {
        /// A numbered one, else one with bullets.
        numbered: bool,
        /// The penalty for none.
        penalty: f64,
    },
}

/// Some of the words, drawn without replacement, as upstream chooses them when it makes a task.
pub fn drawn_words(words: &[&str], count: usize, stream: &mut Stream) -> Vec<String> {
    let even = vec![1; words.len()];
    sample(stream, &even, count).into_iter().map(|at| words[at].to_owned()).collect()
}

impl Criterion {
    /// The penalties of answers.
    ///
    /// # Errors
    /// A length criterion with target 0.
    pub fn penalties<R: Real>(&self, answers: &[&str]) -> Result<Vec<R>, Error> {
        let of = |answer: &&str| self.penalty(answer).map(R::near);
        answers.iter().map(of).collect()
    }

    fn penalty(&self, answer: &str) -> Result<f64, Error> {
        let unless = |met: bool, penalty: f64| if met { 0.0 } else { penalty };
        match self {
            Self::Length { target, unit, penalty } => far_off(*target, unit.count(answer), *penalty),
            Self::Range { least, most, unit, penalty } => {
                let found = unit.count(answer);
                far_off(found.max(*least).min(*most), found, *penalty)
            }
            Self::Content { words, place, negated, penalty } => {
                let text = folded(answer);
                let found = words.iter().any(|word| match place {
                    Place::Start => starts_with_word(answer, word),
                    Place::End => ends_with(answer, word),
                    Place::Anywhere => contains(&text, word),
                });
                Ok(unless(found != *negated, *penalty))
            }
            Self::Plain { penalty } => Ok(unless(!has_bullet(answer) && !has_number(answer), *penalty)),
            Self::List { numbered: true, penalty } => Ok(unless(has_number(answer), *penalty)),
            Self::List { numbered: false, penalty } => Ok(unless(has_bullet(answer), *penalty)),
        }
    }
}

/// `penalty × (1 − e^(−10 e²))` of the relative error `e`; 0 when the length is met.
fn far_off(target: u64, found: u64, penalty: f64) -> Result<f64, Error> {
    if target == 0 {
        return Err(Error::NoTargetLength);
    }
    let error = (target as f64 - found as f64) / target as f64;
    Ok(if found == target { 0.0 } else { penalty * (1.0 - math::exp(-10.0 * (error * error))) })
}

/// Whether criteria can be measured: few of them, lengths above 0, words that say something, penalties in [0, 1].
///
/// # Errors
/// What is wrong, in words.
pub fn check(criteria: &[Criterion]) -> Result<(), String> {
    if criteria.len() > MAX_CRITERIA {
        return Err(format!("{} criteria are over the limit of {MAX_CRITERIA}", criteria.len()));
    }
    for (at, criterion) in criteria.iter().enumerate() {
        let wrong = |problem: &str| Err(format!("criterion {at}: {problem}"));
        let penalty = match criterion {
            Criterion::Length { target: 0, .. } | Criterion::Range { least: 0, .. } => {
                return wrong("a length of 0 has no relative error");
            }
            Criterion::Range { least, most, .. } if least > most => return wrong("the least length is above the most"),
            Criterion::Content { words, .. } if words.is_empty() || words.len() > MAX_WORDS => {
                return wrong("there must be 1 to 64 words");
            }
            Criterion::Content { words, .. } if words.iter().any(|word| word.is_empty() || length(word) > MAX_WORD) => {
                return wrong("a word must have 1 to 64 characters");
            }
            Criterion::Length { penalty, .. }
            | Criterion::Range { penalty, .. }
            | Criterion::Content { penalty, .. }
            | Criterion::Plain { penalty }
            | Criterion::List { penalty, .. } => *penalty,
        };
        if !(0.0..=1.0).contains(&penalty) {
            return wrong("its penalty must lie between 0 and 1");
        }
    }
    Ok(())
}

/// `[*\-+•‣◦]\s`
fn has_bullet(text: &str) -> bool {
    let pairs = text.chars().zip(text.chars().skip(1));
    pairs.into_iter().any(|(sign, next)| matches!(sign, '*' | '-' | '+' | '•' | '‣' | '◦') && is_space(next))
}

/// `\d+\.\s`
fn has_number(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    characters.windows(3).any(|three| is_digit(three[0]) && three[1] == '.' && is_space(three[2]))
}

/// The sum of the criteria's penalties for each answer; zeros for no criteria.
///
/// # Errors
/// A length criterion with target 0.
pub fn total<R: Real>(criteria: &[Criterion], answers: &[&str]) -> Result<Vec<R>, Error> {
    let mut sums = vec![R::near(0.0); answers.len()];
    for criterion in criteria {
        for (sum, penalty) in sums.iter_mut().zip(criterion.penalties::<R>(answers)?) {
            *sum = numbers::sum(&[*sum, penalty]);
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::sha256;
    use proptest::prelude::*;

    #[test]
    fn lengths() {
        for (text, characters, words, sentences, paragraphs) in [
            ("", 0, 1, 0, 1),
            (" \n\n ", 4, 1, 0, 1),
            ("Mr. A said hi. Then left! Why?", 30, 7, 4, 1),
            ("U.S.A. is it. Yes", 17, 4, 1, 1),
            ("p1\n\np2\n\n\np3", 11, 3, 0, 3),
            ("a\n \nb", 5, 2, 0, 1),
            ("end?!", 5, 1, 1, 1),
        ] {
            let found = [Unit::Characters, Unit::Words, Unit::Sentences, Unit::Paragraphs].map(|u| u.count(text));
            assert_eq!(found, [characters, words, sentences, paragraphs], "{text:?}");
        }
        let nothing = Criterion::Length { target: 0, unit: Unit::Words, penalty: 0.1 };
        assert_eq!(nothing.penalties::<f32>(&["a"]), Err(Error::NoTargetLength));
    }

    #[test]
    fn content_and_layout() {
        let content = |place, negated| Criterion::Content {
            words: vec!["What".to_owned(), "C++".to_owned()],
            place,
            negated,
            penalty: 0.25,
        };
        let answers = ["what is c++?", "I like C++ ", "whatever", "- one\n2. two"];
        for (criterion, expected) in [
            (content(Place::Start, false), [0.0, 0.25, 0.25, 0.25]),
            (content(Place::End, false), [0.25, 0.0, 0.25, 0.25]),
            (content(Place::Anywhere, false), [0.0, 0.0, 0.0, 0.25]),
            (content(Place::Anywhere, true), [0.25, 0.25, 0.25, 0.0]),
            // Signs count wherever they stand before white space, so that `C++ ` makes a list.
            (Criterion::Plain { penalty: 0.5 }, [0.0, 0.5, 0.0, 0.5]),
            (Criterion::List { numbered: true, penalty: 0.5 }, [0.5, 0.5, 0.5, 0.0]),
            (Criterion::List { numbered: false, penalty: 0.5 }, [0.5, 0.0, 0.5, 0.0]),
        ] {
            assert_eq!(criterion.penalties::<f64>(&answers).unwrap(), expected, "{criterion:?}");
        }
        let both = [content(Place::Start, false), Criterion::Plain { penalty: 0.5 }];
        assert_eq!(total::<f64>(&both, &answers).unwrap(), [0.0, 0.75, 0.25, 0.75]);
        let drawn = drawn_words(&["a", "b", "c"], 2, &mut Stream::new(sha256(b"words"), "criteria"));
        assert!(drawn.len() == 2 && drawn[0] != drawn[1]);
    }

    #[test]
    fn a_range_is_a_length_with_room() {
        let range = Criterion::Range { least: 4, most: 6, unit: Unit::Words, penalty: 0.5 };
        let found = range.penalties::<f64>(&["a b c d", "a b c d e f", "a b", "a b c d e f g h i j k l", ""]).unwrap();
        let half = 0.5 * (1.0 - math::exp(-2.5));
        assert_eq!(found[..3], [0.0, 0.0, half]);
        assert!(found[3] > 0.49 && found[4] > half && found[4] < 0.5);
    }

    #[test]
    fn criteria_that_cannot_be_measured_are_refused() {
        let read = |json: &str| serde_json::from_str::<Vec<Criterion>>(json).map_err(|error| error.to_string());
        let good = r#"[{"length":{"target":50,"unit":"words","penalty":0.25}},{"plain":{"penalty":0.5}},
            {"content":{"words":["?"],"place":"end","negated":true,"penalty":0.25}},{"list":{"numbered":true,"penalty":1}}]"#;
        assert_eq!(check(&read(good).unwrap()), Ok(()));
        for bad in [
            r#"[{"length":{"target":0,"unit":"words","penalty":0.1}}]"#,
            r#"[{"range":{"least":3,"most":2,"unit":"words","penalty":0.1}}]"#,
            r#"[{"range":{"least":0,"most":2,"unit":"words","penalty":0.1}}]"#,
            r#"[{"content":{"words":[],"place":"start","negated":false,"penalty":0.1}}]"#,
            r#"[{"content":{"words":[""],"place":"start","negated":false,"penalty":0.1}}]"#,
            r#"[{"plain":{"penalty":-0.1}}]"#,
            &format!("[{}]", vec![r#"{"plain":{"penalty":0.1}}"#; MAX_CRITERIA + 1].join(",")),
        ] {
            assert!(check(&read(bad).unwrap()).is_err(), "{bad}");
        }
        assert!(read(r#"[{"length":{"target":1,"unit":"pages","penalty":0.1}}]"#).is_err());
    }

    proptest! {
        #[test]
        fn penalties_stay_within_theirs(answer in "\\PC{0,60}", target in 1u64..40, penalty in 0f64..1.0) {
            for unit in [Unit::Characters, Unit::Words, Unit::Sentences, Unit::Paragraphs] {
                let found = Criterion::Length { target, unit, penalty }.penalties::<f64>(&[&answer]).unwrap()[0];
                prop_assert!((0.0..=penalty).contains(&found));
                prop_assert_eq!(found == 0.0, unit.count(&answer) == target || penalty == 0.0);
            }
        }
    }
}
