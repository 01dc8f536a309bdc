//! Sets of tags held against each other, and the base score of the document's generation (spec 3.3).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Tags of two lists by where they occur. Sets, in alphabetical order; upstream's order is that of its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared<'a> {
    /// In both.
    pub both: Vec<&'a str>,
    /// Only in the first.
    pub only_first: Vec<&'a str>,
    /// Only in the second.
    pub only_second: Vec<&'a str>,
}

/// The texts of a list as a set, in alphabetical order.
pub fn distinct<S: AsRef<str>>(list: &[S]) -> Vec<&str> {
    let mut texts: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Compares two lists as sets, text by text.
pub fn compare<'a, S: AsRef<str>>(first: &'a [S], second: &'a [S]) -> Compared<'a> {
    compare_sets(&distinct(first), &distinct(second))
}

/// Compares two sets, each [`distinct`] and in order.
pub fn compare_sets<'a>(first: &[&'a str], second: &[&'a str]) -> Compared<'a> {
    let mut compared = Compared { both: Vec::new(), only_first: Vec::new(), only_second: Vec::new() };
    let (mut first, mut second) = (first.iter().copied().peekable(), second.iter().copied().peekable());
    loop {
        let order = match (first.peek(), second.peek()) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return compared,
        };
        match order {
            Ordering::Less => compared.only_first.extend(first.next()),
            Ordering::Greater => compared.only_second.extend(second.next()),
            Ordering::Equal => {
                compared.both.extend(first.next());
                second.next();
            }
        }
    }
}

/// How similar two sets are, each [`distinct`] and in order: the share of all their texts that both have (Jaccard), 0 to 1. Two
/// empty sets have nothing in common: 0.
pub fn jaccard(first: &[&str], second: &[&str]) -> f64 {
    let compared = compare_sets(first, second);
    let all = compared.both.len() + compared.only_first.len() + compared.only_second.len();
    if all == 0 { 0.0 } else { compared.both.len() as f64 / all as f64 }
}

/// What the base score looks at: lengths of the lists as they are, and sizes of the compared sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Ground-truth tags, repeated ones too.
    pub truth: usize,
    /// The answer's tags, repeated ones too.
    pub answer: usize,
    /// Distinct tags in both.
    pub both: usize,
    /// Distinct tags of the ground truth alone.
    pub only_truth: usize,
    /// Distinct tags of the answer alone.
    pub only_answer: usize,
}

impl Overlap {
    /// Of two lists of tags.
    pub fn of<S: AsRef<str>>(truth: &[S], answer: &[S]) -> Self {
        let compared = compare(truth, answer);
        Self {
            truth: truth.len(),
            answer: answer.len(),
            both: compared.both.len(),
            only_truth: compared.only_first.len(),
            only_answer: compared.only_second.len(),
        }
    }
}

/// Constants of the base score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlapScore {
    /// What an answer gets that has exactly the ground truth's tags.
    pub identical: f64,
    /// Above this share of own tags an answer is mostly its own.
    pub own_share: f64,
    /// What it gets then.
    pub mostly_own: f64,
    /// Weight of the share of common tags.
    pub shared_weight: f64,
    /// Weight of the share of own tags.
    pub own_weight: f64,
    /// The share of own tags counts up to this.
    pub own_limit: f64,
}

/// The document's generation divides by the number of tags of an answer that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer without tags has no share of own tags")]
pub struct NoTags;

impl OverlapScore {
    /// The base score of an answer, 0 to 0.84 with the document's constants:
    /// identical sets → 0.1; more than half own → 0.2; else
    /// `0.8·both / max(truth, answer) + 0.2·min(own / (truth + own), 0.2)`.
    ///
    /// # Errors
    /// An answer without tags, unless the ground truth has none either. The generation after it pays 0.
    pub fn score(&self, overlap: &Overlap) -> Result<f64, NoTags> {
        if overlap.only_truth == 0 && overlap.only_answer == 0 {
            return Ok(self.identical);
        }
        if overlap.answer == 0 {
            return Err(NoTags);
        }
        let (truth, answer) = (overlap.truth as f64, overlap.answer as f64);
        let (both, own) = (overlap.both as f64, overlap.only_answer as f64);
        if own / answer > self.own_share {
            return Ok(self.mostly_own);
        }
        let shared_share = both / truth.max(answer);
        let own_share = (own / (truth + own)).min(self.own_limit);
        Ok(shared_share * self.shared_weight + own_share * self.own_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn rule() -> OverlapScore {
        Constants::readme().overlap.unwrap()
    }

    fn score(truth: &[&str], answer: &[&str]) -> Result<f64, NoTags> {
        rule().score(&Overlap::of(truth, answer))
    }

    #[test]
    fn copying_everything_is_poor_and_nothing_is_no_score() {
        assert_eq!(score(&["a", "b"], &["b", "a", "a"]), Ok(0.1));
        assert_eq!(score(&[], &[]), Ok(0.1));
        assert_eq!(score(&["a"], &[]), Err(NoTags));
        assert_eq!(score(&["a"], &["a", "x", "y"]), Ok(0.2));
        assert_eq!(score(&["a", "b"], &["a"]), Ok(0.4));
        // Repeated tags count in the lengths: two own of four are not more than half.
        assert_eq!(score(&["a", "b"], &["a", "a", "x", "y"]), Ok(0.25 * 0.8 + 0.2 * 0.2));
    }

    #[test]
    fn sets_are_similar_by_what_both_have() {
        assert_eq!(jaccard(&["a", "b", "c"], &["b", "c", "d"]), 0.5);
        assert_eq!((jaccard(&["a"], &["a"]), jaccard(&["a"], &[]), jaccard(&[], &[])), (1.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn bounded(truth in prop::collection::vec("[a-f]", 0..12), answer in prop::collection::vec("[a-i]", 1..12)) {
            let found = rule().score(&Overlap::of(&truth, &answer)).unwrap();
            prop_assert!((0.0..=0.84).contains(&found));
        }

        #[test]
        fn comparing_is_a_partition(a in prop::collection::vec("[a-f]", 0..12), b in prop::collection::vec("[a-i]", 0..12)) {
            let found = compare(&a, &b);
            let mut all = [found.both.clone(), found.only_first, found.only_second].concat();
            all.sort_unstable();
            let union: BTreeSet<&str> = a.iter().chain(&b).map(String::as_str).collect();
            prop_assert_eq!(all, union.into_iter().collect::<Vec<_>>());
        }
    }
}
