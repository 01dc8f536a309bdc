//! Rewards of later versions for links and for what they lead to (spec 3). No shipped rule set uses them.

use crate::math;

/// Links that an answer should have, unless something else is asked for.
pub const EXPECTED: u64 = 10;

/// A score adjusted for the number of links and of duplicates among them.
///
/// `bonus = 0.2 (1 − 1 / (1 + min(n, T) / 9))`; `s = min(1, score + bonus)`; times `√(n / T)` up to T links and
/// `max(0, 1 − 0.1 (n − T))` beyond; each duplicate takes 0.05.
pub fn adjusted(score: f64, links: u64, duplicates: u64, expected: u64) -> f64 {
    let (n, t) = (links as f64, expected as f64);
    let bonus = 0.2 * (1.0 - 1.0 / (1.0 + links.min(expected) as f64 / 9.0));
    let raised = (score + bonus).min(1.0);
    let scaled = if links <= expected { raised * math::sqrt(n / t) } else { raised * (1.0 - (n - t) * 0.1).max(0.0) };
    if duplicates > 0 { (scaled - 0.05 * duplicates as f64).max(0.0) } else { scaled }
}

/// The reward for tweets that an answer names: marks (0 to 10) of the re-scraped ones, the share of them that were found as
/// given, the number of links and of duplicates. 0 for fewer than two links or nothing re-scraped.
pub fn twitter_content(marks: &[f64], as_given: &[bool], links: u64, duplicates: u64) -> f64 {
    if links < 2 || marks.is_empty() || as_given.is_empty() {
        return 0.0;
    }
    let share = as_given.iter().filter(|given| **given).count() as f64 / as_given.len() as f64;
    let mean = tenths(marks) / (marks.len() as f64).max(10.0);
    adjusted(mean * share, links, duplicates, EXPECTED)
}

/// The reward for web pages that an answer names: marks of the scraped ones, times the share that passed the checks; at
/// most 1.
pub fn web_search(marks: &[f64], links: u64, duplicates: u64, expected: u64, checked: f64) -> f64 {
    let pages = (marks.len() as f64).max(expected as f64);
    let mean = if pages > 0.0 { tenths(marks) / pages } else { 0.0 };
    (adjusted(mean, links, duplicates, expected.max(1)) * checked).min(1.0)
}

/// The reward where a tool was not asked for: all of it for no links, else none.
pub fn unasked(links: u64) -> f64 {
    f64::from(u8::from(links == 0))
}

/// The reward for a summary: `min(1, 0.6 s + 0.4 l)` with its mark over ten and, for the links, the sum of the marks of their
/// descriptions over ten, at most 1, so that one good link is enough; 0 when the summary's mark is 0.
pub fn summary(mark: f64, descriptions: &[f64]) -> f64 {
    if mark == 0.0 {
        return 0.0;
    }
    let links = tenths(descriptions).min(1.0);
    (0.6 * (mark / 10.0) + 0.4 * links).min(1.0)
}

fn tenths(marks: &[f64]) -> f64 {
    marks.iter().fold(0.0, |total, mark| total + mark / 10.0)
}

/// The first penalty on links: the maximum when there is none or a foreign one.
pub fn first_link_penalty(links: u64, valid: u64, maximum: f64) -> f64 {
    if links > 0 && links == valid { 0.0 } else { maximum }
}

/// The second one, which is inverted: valid links raise it. Only answers all of whose links are Twitter's are charged.
pub fn inverted_link_penalty(links: u64, found: u64, all_of_twitter: bool, maximum: f64) -> f64 {
    if links > 0 && all_of_twitter { maximum * found as f64 / links as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cases() {
        for (score, links, duplicates, expected) in [
            (0.5, 0, 0, 0.0),
            (0.8, 10, 0, 0.905_263_157_894_736_9),
            (0.95, 10, 0, 1.0),
            (0.8, 20, 0, 0.0),
            (0.05, 3, 9, 0.0),
        ] {
            assert!((adjusted(score, links, duplicates, EXPECTED) - expected).abs() < 1e-12, "{score} {links}");
        }
        assert_eq!(twitter_content(&[10.0], &[true], 1, 0), 0.0);
        assert!(twitter_content(&[10.0; 10], &[true; 3], 10, 0) > twitter_content(&[10.0; 10], &[true, false], 10, 0));
        assert_eq!((unasked(0), unasked(1)), (1.0, 0.0));
        assert_eq!([summary(0.0, &[10.0]), summary(10.0, &[10.0, 10.0]), summary(5.0, &[])], [0.0, 1.0, 0.3]);
        assert_eq!(
            (first_link_penalty(0, 0, 0.9), first_link_penalty(2, 1, 0.9), first_link_penalty(2, 2, 0.9)),
            (0.9, 0.9, 0.0)
        );
        assert_eq!((inverted_link_penalty(2, 1, true, 0.9), inverted_link_penalty(2, 1, false, 0.9)), (0.45, 0.0));
    }

    proptest! {
        #[test]
        fn rewards_stay_shares(
            marks in prop::collection::vec(0f64..=10.0, 0..14),
            links in 0u64..40,
            duplicates in 0u64..5,
            expected in 0u64..12,
        ) {
            let given: Vec<bool> = marks.iter().map(|mark| *mark > 3.0).collect();
            for reward in [
                twitter_content(&marks, &given, links, duplicates),
                web_search(&marks, links, duplicates, expected, 1.0),
                summary(marks.first().copied().unwrap_or(0.0), &marks),
            ] {
                prop_assert!((0.0..=1.0).contains(&reward), "{}", reward);
            }
        }
    }
}
