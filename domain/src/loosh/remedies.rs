//! What `loosh/assay-1` changes in a round: who is evaluated, how much copies of an answer count, and who is paid.
//!
//! Upstream pays answers that its own stages dropped, and pays the same text once for every hotkey that sends it. Copies
//! are told by their words alone: a reworded copy is left to the quality and cluster stages and to the sybil penalty.

use std::collections::BTreeMap;

use super::constants::Remedies;
use super::emissions::Emission;

/// Whether an answer says too little to be evaluated.
pub fn is_empty(text: &str, rule: Option<&Remedies>) -> bool {
    rule.is_some_and(|rule| (words(text).count() as u64) < rule.minimum_words)
}

/// For each text how many have the same words, itself included; 1 each where copies do not share.
pub fn copies(texts: &[&str], rule: &Remedies) -> Vec<u64> {
    if !rule.equal_answers_share {
        return vec![1; texts.len()];
    }
    let spoken: Vec<String> = texts.iter().map(|text| words(text).collect::<Vec<_>>().join(" ")).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for text in &spoken {
        *counts.entry(text).or_default() += 1;
    }
    spoken.iter().map(|text| counts[text.as_str()]).collect()
}

/// Votes, where copies have one together: the lower of a share of it and the owner's cap.
pub fn votes(caps: Option<&[f64]>, copies: &[u64]) -> Vec<f64> {
    let cap = |at: usize| caps.and_then(|caps| caps.get(at)).copied().unwrap_or(1.0);
    copies.iter().enumerate().map(|(at, copies)| cap(at).min(1.0 / *copies as f64)).collect()
}

/// Emissions, where copies share one and who was dropped has none.
pub fn paid(earned: Vec<Emission>, members: &[bool], copies: &[u64], rule: &Remedies) -> Vec<Emission> {
    let share = |(at, earned): (usize, Emission)| {
        let member = members.get(at).copied().unwrap_or_default();
        let copies = copies.get(at).copied().unwrap_or(1);
        let emission = if rule.members_only && !member { 0.0 } else { earned.emission / copies as f64 };
        Emission { emission, ..earned }
    };
    earned.into_iter().enumerate().map(share).collect()
}

/// Runs of letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Remedies = Remedies { minimum_words: 1, members_only: true, equal_answers_share: true };

    #[test]
    fn texts_without_a_word_are_empty() {
        for (text, empty) in [("", true), (" \n\t", true), ("...!", true), ("a", false), ("É", false), ("7", false)] {
            assert_eq!(is_empty(text, Some(&RULE)), empty, "{text:?}");
            assert!(!is_empty(text, None));
        }
    }

    #[test]
    fn copies_vote_and_earn_as_one() {
        let found = copies(&["The Moon pulls.", "the  moon — pulls", "The Sun pulls.", ""], &RULE);
        assert_eq!(found, [2, 2, 1, 1]);
        assert_eq!(copies(&["a", "a"], &Remedies { equal_answers_share: false, ..RULE }), [1, 1]);
        assert_eq!(votes(None, &found), [0.5, 0.5, 1.0, 1.0]);
        assert_eq!(votes(Some(&[0.25, 1.0, 0.5, 1.0]), &found), [0.25, 0.5, 0.5, 1.0]);
        let earned = vec![Emission { time_share: 0.5, emission: 0.8 }; 4];
        let members = [true, true, true, false];
        let of = |rule| paid(earned.clone(), &members, &found, rule).iter().map(|e| e.emission).collect::<Vec<_>>();
        assert_eq!(of(&RULE), [0.4, 0.4, 0.8, 0.0]);
        assert_eq!(of(&Remedies { members_only: false, ..RULE }), [0.4, 0.4, 0.8, 0.8]);
    }
}
