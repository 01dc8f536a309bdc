//! The scanners against what Python 3.11's `re` answered for random texts full of edges (`python_re.json`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::text::{lower, split};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Golden {
    markers: Vec<String>,
    rows: Vec<Row>,
}

/// text, after stops, at stops, items, conjunctions, clauses, numbered, bulleted, steps, markers, lower, split
type Row = (
    String,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    bool,
    bool,
    bool,
    usize,
    String,
    Vec<String>,
);

#[test]
fn scanners_answer_as_python() {
    let golden: Golden = serde_json::from_str(include_str!("python_re.json")).unwrap();
    let markers: Vec<&str> = golden.markers.iter().map(String::as_str).collect();
    assert!(golden.rows.len() >= 100);
    for (text, after, at, items, conjunctions, clauses, numbered, bulleted, steps, count, low, words) in golden.rows {
        assert_eq!(split_after_stops(&text), after, "after stops {text:?}");
        assert_eq!(split_at_stops(&text), at, "at stops {text:?}");
        assert_eq!(split_items(&text), items, "items {text:?}");
        assert_eq!(split_conjunctions(&text), conjunctions, "conjunctions {text:?}");
        assert_eq!(split_clauses(&text), clauses, "clauses {text:?}");
        assert_eq!(has_numbered_item(&text), numbered, "numbered {text:?}");
        assert_eq!(has_bulleted_item(&text), bulleted, "bulleted {text:?}");
        assert_eq!(has_step_item(&text), steps, "steps {text:?}");
        assert_eq!(count_whole_words(&text, &markers), count, "markers {text:?}");
        assert_eq!(lower(&text), low, "lower {text:?}");
        assert_eq!(split(&text).collect::<Vec<_>>(), words, "split {text:?}");
    }
}

#[test]
fn components_of_prompts() {
    for (prompt, expected) in [
        ("", vec![]),
        ("? ?", vec!["? ?"]),
        ("Why? How?", vec![]),
        ("One question only here?", vec!["One question only here?"]),
        ("a b", vec!["a b"]),
        ("List these three: one two three", vec!["List these three", "one two three"]),
        ("Take it slowly, because it is hard", vec!["Take it slowly", ", because it is hard"]),
        ("Describe the sea AND describe the sky", vec!["Describe the sea", "describe the sky"]),
    ] {
        let texts: Vec<String> = prompt_components(prompt).iter().map(PromptComponent::text).collect();
        assert_eq!(texts, expected, "{prompt:?}");
    }
}

#[test]
fn sentences_need_three_words() {
    assert_eq!(sentences("  One two three.  No.\nFour five six", 3), ["One two three.", "Four five six"]);
    assert!(sentences("", 3).is_empty());
}

proptest! {
    #[test]
    fn pieces_put_together_are_the_text(text in "[a-zA-Z ,.!?\n]{0,60}") {
        prop_assert_eq!(&split_clauses(&text).concat(), &text);
        let kept: String = split_after_stops(&text).concat().chars().filter(|c| !is_space(*c)).collect();
        let all: String = text.chars().filter(|c| !is_space(*c)).collect();
        prop_assert_eq!(kept, all);
    }

    #[test]
    fn no_text_makes_a_scanner_fail(text in "\\PC{0,80}") {
        split_items(&text);
        split_conjunctions(&text);
        split_clauses(&text);
        count_whole_words(&text, &["so", "that is"]);
        has_step_item(&text);
        prompt_components(&text);
    }
}
