//! The document's mock run: a conversation of three exchanges, a tagger that splits at spaces, and a check of the number of
//! tags. "Mined 37 tags" is what its quickstart prints, and what this one does.
//!
//! The conversation is our own.

use super::conversation::Line;

/// A mock answer is valid when it has more tags than this.
pub const MINIMUM_TAGS: usize = 10;

/// Three questions and their answers.
const EXCHANGES: [(&str, &str); 3] = [
    ("Where did you spend the summer?", "We rented a cabin near the lake and learned to sail."),
    ("Was sailing hard at first?", "The wind turned often, so we capsized twice."),
    ("Would you go back next year?", "Yes, my daughter wants a boat."),
];

/// The lines of the mock conversation: speaker 0 asks, speaker 1 answers.
pub fn conversation() -> Vec<Line> {
    let lines = |(question, answer): &(&str, &str)| [Line(0, (*question).to_owned()), Line(1, (*answer).to_owned())];
    EXCHANGES.iter().flat_map(lines).collect()
}

/// The mock tagger: words between single spaces, trimmed, in lower case, each once, in order of their first occurrence.
/// Punctuation stays.
pub fn tags<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in lines.iter().flat_map(|line| line.as_ref().split(' ')) {
        let tag = crate::text::lower(crate::text::strip(word));
        if !tag.is_empty() && !found.contains(&tag) {
            found.push(tag);
        }
    }
    found
}

/// Whether a mock answer has enough tags.
pub fn is_valid(tags: usize) -> bool {
    tags > MINIMUM_TAGS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mock_run_mines_37_tags() {
        let conversation = conversation();
        let lines: Vec<&str> = conversation.iter().map(Line::text).collect();
        let mined = tags(&lines);
        assert_eq!(mined.len(), 37, "{mined:?}");
        assert!(is_valid(mined.len()));
        assert!(!is_valid(10) && is_valid(11));
    }

    #[test]
    fn punctuation_makes_another_tag() {
        assert_eq!(tags(&["Tea  tea, TEA", "\ttea\n"]), ["tea", "tea,"]);
    }
}
