//! Word lists of the mechanism (spec annex A) and of scikit-learn's `stop_words="english"`: data, frozen with the rule sets.
//!
//! Every list is sorted, so that membership is a binary search, unless its order is part of a pattern.

/// Words that carry no content for the density signal.
#[rustfmt::skip]
pub const FILLER: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "aspects", "at", "be", "been", "being", "both", "but", "by",
    "can", "components", "considerations", "could", "did", "do", "does", "during", "each", "elements", "every",
    "factors", "few", "for", "from", "had", "has", "have", "important", "in", "into", "is", "issues", "it", "its",
    "many", "matters", "may", "might", "more", "much", "of", "on", "only", "or", "other", "own", "relevant", "should",
    "significant", "some", "such", "than", "that", "the", "them", "then", "there", "these", "this", "those",
    "through", "to", "up", "various", "very", "was", "were", "will", "with", "would",
];

/// Discourse markers by family: causal, contrast, elaboration, sequence.
#[rustfmt::skip]
pub const MARKER_FAMILIES: [&[&str]; 4] = [
    &[
        "accordingly", "as a result", "because", "consequently", "due to", "hence", "owing to", "since", "so",
        "therefore", "thus",
    ],
    &[
        "although", "but", "conversely", "despite", "however", "in contrast", "nevertheless", "nonetheless",
        "on the other hand", "whereas", "while", "yet",
    ],
    &["for example", "for instance", "in particular", "namely", "specifically", "such as", "that is", "to illustrate"],
    &[
        "additionally", "also", "finally", "first", "furthermore", "in addition", "lastly", "moreover", "next",
        "second", "subsequently", "then", "third",
    ],
];

/// All markers, longest first, as the counting pattern tries them.
#[rustfmt::skip]
pub const MARKERS: &[&str] = &[
    "on the other hand", "in particular", "to illustrate", "additionally", "consequently", "for instance",
    "nevertheless", "specifically", "subsequently", "accordingly", "as a result", "for example", "furthermore",
    "in addition", "in contrast", "nonetheless", "conversely", "therefore", "although", "moreover", "owing to",
    "because", "despite", "finally", "however", "such as", "that is", "whereas", "due to", "lastly", "namely",
    "second", "first", "hence", "since", "third", "while", "also", "next", "then", "thus", "but", "yet", "so",
];

/// scikit-learn's English stop words (1.9.1), left out of the keywords.
#[rustfmt::skip]
pub const STOP: &[&str] = &[
    "a", "about", "above", "across", "after", "afterwards", "again", "against", "all", "almost", "alone", "along",
    "already", "also", "although", "always", "am", "among", "amongst", "amoungst", "amount", "an", "and", "another",
    "any", "anyhow", "anyone", "anything", "anyway", "anywhere", "are", "around", "as", "at", "back", "be", "became",
    "because", "become", "becomes", "becoming", "been", "before", "beforehand", "behind", "being", "below", "beside",
    "besides", "between", "beyond", "bill", "both", "bottom", "but", "by", "call", "can", "cannot", "cant", "co",
    "con", "could", "couldnt", "cry", "de", "describe", "detail", "do", "done", "down", "due", "during", "each", "eg",
    "eight", "either", "eleven", "else", "elsewhere", "empty", "enough", "etc", "even", "ever", "every", "everyone",
    "everything", "everywhere", "except", "few", "fifteen", "fifty", "fill", "find", "fire", "first", "five", "for",
    "former", "formerly", "forty", "found", "four", "from", "front", "full", "further", "get", "give", "go", "had",
    "has", "hasnt", "have", "he", "hence", "her", "here", "hereafter", "hereby", "herein", "hereupon", "hers",
    "herself", "him", "himself", "his", "how", "however", "hundred", "i", "ie", "if", "in", "inc", "indeed",
    "interest", "into", "is", "it", "its", "itself", "keep", "last", "latter", "latterly", "least", "less", "ltd",
    "made", "many", "may", "me", "meanwhile", "might", "mill", "mine", "more", "moreover", "most", "mostly", "move",
    "much", "must", "my", "myself", "name", "namely", "neither", "never", "nevertheless", "next", "nine", "no",
    "nobody", "none", "noone", "nor", "not", "nothing", "now", "nowhere", "of", "off", "often", "on", "once", "one",
    "only", "onto", "or", "other", "others", "otherwise", "our", "ours", "ourselves", "out", "over", "own", "part",
    "per", "perhaps", "please", "put", "rather", "re", "same", "see", "seem", "seemed", "seeming", "seems", "serious",
    "several", "she", "should", "show", "side", "since", "sincere", "six", "sixty", "so", "some", "somehow",
    "someone", "something", "sometime", "sometimes", "somewhere", "still", "such", "system", "take", "ten", "than",
    "that", "the", "their", "them", "themselves", "then", "thence", "there", "thereafter", "thereby", "therefore",
    "therein", "thereupon", "these", "they", "thick", "thin", "third", "this", "those", "though", "three", "through",
    "throughout", "thru", "thus", "to", "together", "too", "top", "toward", "towards", "twelve", "twenty", "two",
    "un", "under", "until", "up", "upon", "us", "very", "via", "was", "we", "well", "were", "what", "whatever",
    "when", "whence", "whenever", "where", "whereafter", "whereas", "whereby", "wherein", "whereupon", "wherever",
    "whether", "which", "while", "whither", "who", "whoever", "whole", "whom", "whose", "why", "will", "with",
    "within", "without", "would", "yet", "you", "your", "yours", "yourself", "yourselves",
];

/// Whether a sorted list has the word.
pub fn has(list: &[&str], word: &str) -> bool {
    list.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_whole() {
        for (list, length) in [(FILLER, 76), (STOP, 318)] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(list.len(), length);
        }
        assert!(MARKERS.windows(2).all(|pair| pair[0].len() >= pair[1].len()));
        assert_eq!(MARKERS.len(), MARKER_FAMILIES.iter().map(|f| f.len()).sum::<usize>());
        assert!(MARKER_FAMILIES.iter().flat_map(|f| f.iter()).all(|m| MARKERS.contains(m)));
    }
}
