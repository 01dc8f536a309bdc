//! What `loosh/assay-1` changes in a round: who is evaluated, how much copies of an answer count, and who is paid.
//!
//! Upstream pays answers that its own stages dropped, pays the same text and the same owner once for every hotkey, and
//! pays nothing to the one honest answer beside garbage. Copies are told by their words: an answer that was written
//! anew is left to the quality and cluster stages, to the owners' shares and to the sybil penalty.

use super::constants::Remedies;
use super::emissions::Emission;
use crate::text::alike::company;

/// Whether an answer says too little to be evaluated.
pub fn is_empty(text: &str, rule: Option<&Remedies>) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count();
    rule.is_some_and(|rule| (words() as u64) < rule.minimum_words)
}

/// For each text how many are copies of each other, itself included.
pub fn copies(texts: &[&str], rule: &Remedies) -> Vec<u64> {
    company(texts, rule.copy_similarity)
}

/// Votes, where copies have one together: the owner's cap, shared by the copies. Who copies among hotkeys of one owner so has less
/// than with one answer.
pub fn votes(caps: Option<&[f64]>, copies: &[u64]) -> Vec<f64> {
    let cap = |at: usize| caps.and_then(|caps| caps.get(at)).copied().unwrap_or(1.0);
    copies.iter().enumerate().map(|(at, copies)| cap(at) / *copies as f64).collect()
}

/// What emissions depend on besides upstream's formula, one item per answer.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Who formed the consensus.
    pub members: &'a [bool],
    /// How many copies there are of the answer, itself included.
    pub copies: &'a [u64],
    /// Its vote, cut by copies and owner.
    pub votes: &'a [f64],
    /// Its quality, where there is that stage.
    pub quality: Option<&'a [f64]>,
}

/// Emissions, where copies and owners share one, quality counts, and who was dropped has none.
pub fn paid(earned: Vec<Emission>, standing: &Standing<'_>, rule: &Remedies) -> Vec<Emission> {
    let each = |(at, earned): (usize, Emission)| {
        if rule.members_only && !standing.members.get(at).copied().unwrap_or_default() {
            return Emission { emission: 0.0, ..earned };
        }
        let copies = standing.copies.get(at).map_or(1.0, |copies| 1.0 / *copies as f64);
        let share = if rule.owners_share { standing.votes.get(at).copied().unwrap_or(copies) } else { copies };
        let quality = standing.quality.filter(|_| rule.quality_pays).and_then(|all| all.get(at)).copied();
        Emission { emission: earned.emission * share * quality.unwrap_or(1.0), ..earned }
    };
    earned.into_iter().enumerate().map(each).collect()
}

/// The place of the only answer that is left, if the rule set pays it as a single answer.
pub fn lone_survivor(kept: &[bool], rule: Option<&Remedies>) -> Option<usize> {
    let mut left = kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at);
    let first = rule.filter(|rule| rule.lone_survivor).and_then(|_| left.next());
    first.filter(|_| left.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loosh::constants::Constants;

    fn rule() -> Remedies {
        Constants::assay_1().remedies.unwrap_or_else(|| unreachable!())
    }

    #[test]
    fn texts_without_a_word_are_empty() {
        for (text, empty) in [("", true), (" \n\t", true), ("...!", true), ("a", false), ("É", false), ("7", false)] {
            assert_eq!(is_empty(text, Some(&rule())), empty, "{text:?}");
            assert!(!is_empty(text, None));
        }
    }

    #[test]
    fn copies_vote_and_earn_as_one() {
        let one = "The Moon pulls the seas, and they follow it around the Earth.";
        let dressed = "the  moon — pulls the seas and they follow it around the earth";
        let one_word_more = "The Moon pulls the seas, and they slowly follow it around the Earth.";
        let texts = [one, dressed, one_word_more, "The Sun pulls, too, but it is far away.", ""];
        let found = copies(&texts, &rule());
        assert_eq!(found, [3, 3, 3, 1, 1]);
        assert_eq!(copies(&texts, &Remedies { copy_similarity: 1.0, ..rule() }), [2, 2, 1, 1, 1]);
        let of = |caps: Option<&[f64]>| votes(caps, &[2, 2, 1, 1]);
        assert_eq!(of(None), [0.5, 0.5, 1.0, 1.0]);
        assert_eq!(of(Some(&[0.25, 1.0, 0.5, 1.0])), [0.125, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn shares_and_quality_multiply() {
        let earned = vec![Emission { time_share: 0.5, emission: 0.8 }; 4];
        let standing = Standing {
            members: &[true, true, true, false],
            copies: &[2, 2, 1, 1],
            votes: &[0.25, 0.5, 0.5, 1.0],
            quality: Some(&[0.5, 1.0, 1.0, 1.0]),
        };
        let of = |rule: &Remedies| paid(earned.clone(), &standing, rule).iter().map(|e| e.emission).collect::<Vec<_>>();
        assert_eq!(of(&rule()), [0.1, 0.4, 0.4, 0.0]);
        assert_eq!(of(&Remedies { quality_pays: false, ..rule() }), [0.2, 0.4, 0.4, 0.0]);
        assert_eq!(of(&Remedies { quality_pays: false, owners_share: false, ..rule() }), [0.4, 0.4, 0.8, 0.0]);
        assert_eq!(of(&Remedies { members_only: false, ..rule() }), [0.1, 0.4, 0.4, 0.8]);
    }

    #[test]
    fn only_one_survivor_is_alone() {
        for (kept, place) in
            [(&[false, true][..], Some(1)), (&[true, true], None), (&[false, false], None), (&[], None)]
        {
            assert_eq!(lone_survivor(kept, Some(&rule())), place);
            assert_eq!(lone_survivor(kept, None), None);
            assert_eq!(lone_survivor(kept, Some(&Remedies { lone_survivor: false, ..rule() })), None);
        }
    }
}
