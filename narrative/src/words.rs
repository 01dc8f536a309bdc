//! The small change of a narrative: lists that end, words for recorded names, text of others made harmless, means over pairs.

use crate::facts::Similarity;

/// Miners or figures that one sentence names.
const NAMED: usize = 16;

/// Two different places, each pair once.
pub(crate) fn pairs(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |row| (row + 1..size).map(move |column| (row, column)))
}

/// Mean similarity of the pairs that are wanted, summed in recorded order; none of no pair.
pub(crate) fn mean_of_pairs(similarity: &Similarity, wanted: &dyn Fn(usize, usize) -> bool) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (row, column) in pairs(similarity.labels.len()).filter(|(row, column)| wanted(*row, *column)) {
        sum += similarity.rows[row][column];
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// The first few, and how many more there are.
pub(crate) fn list(items: &[String]) -> String {
    joined(items, ", ")
}

/// The same with another text between them.
pub(crate) fn joined(items: &[String], between: &str) -> String {
    let mut text = items.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(between);
    if items.len() > NAMED {
        text.push_str(&format!(" and {} more", items.len() - NAMED));
    }
    text
}

/// A filter's stage as a sentence names it.
pub(crate) fn stage_name(word: &str) -> String {
    match word {
        "test_mode" => "the look for canned answers".to_owned(),
        "quality" => "the quality filter".to_owned(),
        "outlier" => "the outlier filter".to_owned(),
        "cluster" => "the cluster filter".to_owned(),
        "length" => "the length filter".to_owned(),
        other => plain(other),
    }
}

/// Why a round was abandoned, as the end of a clause.
pub(crate) fn abandoned(word: &str) -> &str {
    match word {
        "restart" => "because the validator ended in its middle",
        "no_miners" => "because nobody could be drawn in time",
        "no_responses" => "because nobody answered",
        "evidence_failed" => "because evidence could not be produced",
        _ => "for a reason that this program does not know",
    }
}

/// A text of others without control characters: it is printed on terminals.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
