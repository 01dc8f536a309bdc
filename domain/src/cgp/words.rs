//! Word lists of the offline tagger, the profiles and the Boring Index: data, frozen with the rule sets. Every list is
//! sorted, so that membership is a binary search; scikit-learn's stop words come on top (`loosh::words::STOP`).

use crate::loosh::words::{STOP, has};

/// Words of spoken English that carry no subject.
#[rustfmt::skip]
const SPOKEN: &[&str] = &[
    "able", "absolutely", "actually", "ago", "agree", "ah", "ain", "alongside", "alright", "anymore", "apparently",
    "aren", "ask", "asked", "asking", "away", "awesome", "bad", "basically", "believe", "besides", "best", "better",
    "big", "bit", "bye", "came", "certain", "certainly", "clearly", "close", "closer", "come", "comes", "coming",
    "completely", "cool", "couldn", "course", "cuz", "day", "days", "deep", "definitely", "did", "didn", "different",
    "does", "doesn", "doing", "don", "earlier", "early", "easy", "eh", "em", "enough", "er", "especially", "exactly",
    "extra", "fact", "fairly", "far", "fast", "feel", "feeling", "feels", "felt", "fewer", "fine", "full", "general",
    "gets", "getting", "glad", "goes", "going", "gone", "gonna", "good", "got", "gotta", "great", "guess", "guy",
    "guys", "hadn", "half", "happen", "happened", "happens", "happy", "hard", "hardly", "hasn", "haven", "having",
    "hear", "heard", "hello", "help", "hey", "hi", "high", "higher", "hm", "hmm", "honestly", "hope", "hopefully",
    "huge", "huh", "idea", "inside", "instead", "isn", "just", "kind", "kinda", "knew", "know", "known", "knows",
    "large", "largest", "late", "later", "let", "lets", "like", "liked", "likely", "likes", "literally", "little",
    "ll", "long", "look", "looked", "looking", "looks", "lot", "lots", "love", "loved", "loves", "low", "lower",
    "main", "major", "make", "makes", "making", "maybe", "mean", "means", "mere", "mhm", "minor", "mm", "mostly",
    "near", "nearly", "need", "needed", "needs", "new", "nice", "nope", "obviously", "oh", "ok", "okay", "old",
    "ones", "ooh", "open", "outside", "past", "people", "person", "picked", "plus", "possible", "possibly", "pretty",
    "probably", "problem", "put", "question", "quick", "quickly", "quite", "rare", "rarely", "ready", "real",
    "really", "recent", "recently", "remember", "right", "said", "saw", "say", "saying", "says", "seen", "sense",
    "shouldn", "similar", "simply", "single", "sir", "slow", "slowly", "small", "soon", "sorry", "sort", "sounds",
    "special", "specific", "start", "started", "strong", "stuff", "sudden", "suddenly", "sure", "surprised", "taken",
    "takes", "taking", "talk", "talked", "talking", "tell", "telling", "thank", "thanks", "thing", "things", "think",
    "thinking", "tho", "though", "thought", "till", "time", "times", "tiny", "today", "told", "tomorrow", "tonight",
    "took", "total", "totally", "tried", "true", "try", "trying", "uh", "um", "understand", "use", "used", "using",
    "usual", "usually", "various", "ve", "wait", "want", "wanted", "wants", "wasn", "way", "week", "weird", "went",
    "weren", "whatever", "whole", "wide", "won", "wonder", "wonderful", "wondering", "work", "worked", "working",
    "works", "worry", "worse", "worst", "wouldn", "wow", "wrong", "ya", "yeah", "year", "years", "yep", "yes",
    "yesterday", "young",
];

/// Sounds and set phrases that fill a pause.
#[rustfmt::skip]
const FILLERS: &[&str] = &["ah", "eh", "em", "er", "erm", "hm", "hmm", "mhm", "mm", "uh", "uhh", "uhm", "um", "umm"];

/// Verbs after which a speaker names an interest: "I like …".
#[rustfmt::skip]
const LIKING: &[&str] = &["adore", "adored", "enjoy", "enjoyed", "enjoying", "like", "liked", "love", "loved", "prefer"];

/// Whether a lower-case word names no subject.
pub(super) fn is_stop(word: &str) -> bool {
    has(STOP, word) || has(SPOKEN, word)
}

/// Whether a lower-case word only fills a pause.
pub(super) fn is_filler(word: &str) -> bool {
    has(FILLERS, word)
}

/// Whether a lower-case word announces an interest.
pub(super) fn is_liking(word: &str) -> bool {
    has(LIKING, word)
}

/// Words in lower case with what stood before and after them: parts of a text of letters, digits, apostrophes and inner
/// hyphens. `fresh` marks a word that begins a phrase: no phrase runs over punctuation.
pub(super) struct Word {
    /// In lower case, without what follows an apostrophe.
    pub(super) text: String,
    /// Punctuation or a beginning stands before it.
    pub(super) fresh: bool,
    /// Written with a capital letter inside a phrase: a name, as far as letters tell.
    pub(super) named: bool,
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut fresh = true;
    for piece in crate::text::split(text) {
        let inner = |c: char| crate::text::is_word(c) && c != '_';
        let core = piece.trim_matches(|c: char| !inner(c));
        if core.is_empty() {
            fresh = true;
            continue;
        }
        fresh |= !piece.starts_with(inner);
        let stem = core.split(['\'', '\u{2019}']).next().unwrap_or(core);
        let named = !fresh && stem.chars().next().is_some_and(crate::text::is_upper);
        found.push(Word { text: crate::text::lower(stem), fresh, named });
        fresh = !piece.ends_with(inner);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [SPOKEN, FILLERS, LIKING] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", list.windows(2).find(|p| p[0] >= p[1]));
        }
    }

    #[test]
    fn words_know_where_phrases_begin() {
        let found = words("Well, in Lisbon -- we didn't see (old) tram-cars!");
        let shown: Vec<(&str, bool, bool)> = found.iter().map(|w| (w.text.as_str(), w.fresh, w.named)).collect();
        assert_eq!(
            shown,
            [
                ("well", true, false),
                ("in", true, false),
                ("lisbon", false, true),
                ("we", true, false),
                ("didn", false, false),
                ("see", false, false),
                ("old", true, false),
                ("tram-cars", true, false),
            ]
        );
    }
}
