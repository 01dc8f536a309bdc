//! Cleaning of tags, and what a model says of them: ground-truth replies and validation replies (spec 3.1 and 3.2).
//!
//! Replies of models and tags of miners are hostile text: nothing here can be made to accept a tag that the miner did not
//! send, and no text is interpreted.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::constants::{Membership, Tags, Validation};
use super::requests::single_line;
use crate::mechanism::MAX_PARTS;
use crate::text::{is_space, length, lower, strip};
use crate::types::{Digest, sha256_parts};

/// Cleaned tags have at least so many characters.
const SHORTEST: usize = 3;

/// And at most so many.
const LONGEST: usize = 64;

/// A model's comma-separated tags: each trimmed, in lower case, without double quotes. Order, repetitions and empty ones stay.
pub fn clean_tags<S: AsRef<str>>(tags: &[S]) -> Vec<String> {
    tags.iter().map(|tag| lower(strip(tag.as_ref())).replace('"', "")).collect()
}

/// The tags in a model's reply to the tagging prompt. A reply without a comma is one tag.
pub fn parse_tag_reply(reply: &str) -> Vec<String> {
    clean_tags(&reply.split(',').collect::<Vec<_>>())
}

/// A tag of ASCII letters, digits and single white space, in lower case.
///
/// `\s{2,}|[^a-zA-Z0-9\s]` becomes one space, then `[^\w\s]|(?<=\s)\s*` nothing: of every run of white space that this
/// leaves only the first character stays, which may be a tab or a line's end. "C++" becomes "c", "café" "caf", other
/// scripts nothing.
pub fn safe_tag(tag: &str) -> String {
    let mut out = String::with_capacity(tag.len());
    let mut after_space = false;
    let mut characters = tag.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii_alphanumeric() {
            out.push(character.to_ascii_lowercase());
            after_space = false;
            continue;
        }
        let mut kept = if is_space(character) { character } else { ' ' };
        if is_space(character) {
            while characters.next_if(|next| is_space(*next)).is_some() {
                kept = ' ';
            }
        }
        if !after_space {
            out.push(kept);
        }
        after_space = true;
    }
    strip(&out).to_owned()
}

/// The set of [safe](safe_tag) tags of 3 to 64 characters, in alphabetical order; upstream's order is that of its hashes.
pub fn clean_tag_set<S: AsRef<str>>(tags: &[S]) -> BTreeSet<String> {
    let safe = tags.iter().map(|tag| safe_tag(tag.as_ref()));
    safe.filter(|tag| (SHORTEST..=LONGEST).contains(&length(tag))).collect()
}

/// [`clean_tag_set`] of a list that may hold something else than texts (`None`): then nothing of it counts.
pub fn clean_raw_tag_set(tags: &[Option<&str>]) -> BTreeSet<String> {
    let texts: Option<Vec<&str>> = tags.iter().copied().collect();
    texts.map(|texts| clean_tag_set(&texts)).unwrap_or_default()
}

/// The tags that a model is asked to judge: the clean set, a uniform sample of it when it is large, each cut to a length.
///
/// Upstream samples with its own random source in the order of its hashes; here those with the least
/// SHA-256("assay/cgp/tags/1" 0x00 ‖ seed of the round ‖ tag) are drawn, in alphabetical order again. A tag's place in the draw
/// is the same in every answer of a round, so that copies of a long list are judged by the same tags, whatever is added.
pub fn validation_input<S: AsRef<str>>(tags: &[S], rule: &Validation, seed: &Digest) -> Vec<String> {
    let mut drawn: Vec<String> = clean_tag_set(tags).into_iter().collect();
    if drawn.len() as u64 > rule.sample {
        drawn.sort_by_cached_key(|tag| sha256_parts(&[b"assay/cgp/tags/1\0", &seed.0, tag.as_bytes()]).0);
        drawn.truncate(rule.sample as usize);
        drawn.sort_unstable();
    }
    drawn.iter().map(|tag| tag.chars().take(rule.longest_tag as usize).collect()).collect()
}

/// What precedes the malformed group in a validation reply.
const GOOD_HEADING: &str = "good english keywords:";

/// What begins it.
const MALFORMED: &str = "malformed";

/// The good tags in a model's validation reply; none of an empty reply.
///
/// The text before the first "malformed" in lower case, without heading, `***` and line ends, split at commas and cleaned
/// again; of these the ones that the rule's [`Membership`] knows. A reply without "malformed" loses its last character.
///
/// `sent` are the tags that the miner sent, `input` those that the model was asked about.
pub fn parse_validation<S: AsRef<str>>(
    reply: &str,
    sent: &[S],
    input: &[String],
    rule: &Validation,
) -> Option<Vec<String>> {
    if reply.is_empty() {
        return None;
    }
    let reply = lower(reply);
    let good = match reply.find(MALFORMED) {
        Some(end) => &reply[..end],
        None => reply.char_indices().next_back().map_or("", |(last, _)| &reply[..last]),
    };
    let good = good.replace(GOOD_HEADING, "").replace("***", "").replace('\n', "");
    let found = clean_tag_set(&strip(&good).split(',').collect::<Vec<_>>());
    Some(found.into_iter().filter(|tag| rule.membership.knows(tag, sent, input)).collect())
}

impl Membership {
    fn knows<S: AsRef<str>>(self, tag: &str, sent: &[S], input: &[String]) -> bool {
        match self {
            Self::Fragment => input.join(",").contains(tag),
            Self::Sent => sent.iter().any(|other| other.as_ref() == tag),
            // A tag that was cut may end in a space now, and a line's end is a space where a model reads it.
            Self::Clean => input.iter().any(|asked| safe_tag(&single_line(asked)) == *tag),
        }
    }
}

/// Whether [`parse_validation`] cuts the last character of this reply.
pub fn is_cut(reply: &str) -> bool {
    !reply.is_empty() && !lower(reply).contains(MALFORMED)
}

/// The tags in a model's reply in JSON, cleaned as those in text are: `{"tags": [TEXT, …]}`, at most [`MAX_PARTS`] of them, and
/// nothing else. None of any other reply, whose conversation is left out: nothing is guessed from it.
pub fn parse_tag_json(reply: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reply {
        tags: Vec<String>,
    }
    let reply: Reply = serde_json::from_str(reply).ok()?;
    (reply.tags.len() <= MAX_PARTS).then(|| clean_tags(&reply.tags))
}

/// The good tags in a model's validation reply in JSON, `{"good": [TEXT, …], "malformed": [TEXT, …]}` and nothing else: those of
/// the good group that the rule's [`Membership`] knows and that do not stand in the other group too. None of any other reply.
pub fn parse_validation_json<S: AsRef<str>>(
    reply: &str,
    sent: &[S],
    input: &[String],
    rule: &Validation,
) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reply {
        good: Vec<String>,
        malformed: Vec<String>,
    }
    let reply: Reply = serde_json::from_str(reply).ok()?;
    let (good, malformed) = (clean_tag_set(&reply.good), clean_tag_set(&reply.malformed));
    let counts = |tag: &String| !malformed.contains(tag) && rule.membership.knows(tag, sent, input);
    Some(good.into_iter().filter(counts).collect())
}

/// The ground truth's tags as they are compared: cleaned where the rule set says so, else as the tagger gave them.
pub fn truth_tags(tags: &[String], rule: &Tags) -> Vec<String> {
    if rule.clean_truth { clean_tag_set(tags).into_iter().collect() } else { tags.to_vec() }
}

/// The texts whose vectors make the neighbourhood: the clean set, whatever the tags are compared as.
pub fn embedded_tags(tags: &[String]) -> Vec<String> {
    clean_tag_set(tags).into_iter().collect()
}

/// Whether a ground truth has enough tags: more than the minimum.
pub fn enough(tags: usize, rule: &Tags) -> bool {
    tags as u64 > rule.minimum_truth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use crate::types::sha256;
    use proptest::prelude::*;

    fn rules() -> (Validation, Validation) {
        let of = |constants: Constants| constants.tags.validation.unwrap();
        (of(Constants::v2_30_65()), of(Constants::assay_1()))
    }

    #[test]
    fn safe_tags_are_pythons() {
        // Run with Python 3.11's `re`.
        for (tag, expected) in [
            ("a\u{a0}b", "a\u{a0}b"),
            ("a\t-b", "a\tb"),
            ("a-\tb", "a b"),
            ("a\t\nb", "a b"),
            ("a\u{1c}b", "a\u{1c}b"),
            ("x \u{2028} y", "x y"),
            ("\u{3000}a", "a"),
            ("É\u{a0}\u{a0}b", "b"),
            ("a_b", "a b"),
            ("İa", "a"),
            ("K\u{212a}x", "k x"),
            ("C++", "c"),
            ("", ""),
        ] {
            assert_eq!(safe_tag(tag), expected, "{tag:?}");
        }
    }

    #[test]
    fn something_else_than_text_spoils_the_set() {
        assert_eq!(clean_raw_tag_set(&[Some("tea"), Some("tea "), Some("ab")]), BTreeSet::from(["tea".to_owned()]));
        assert!(clean_raw_tag_set(&[Some("tea"), None]).is_empty());
        assert_eq!(clean_tag_set(&["x".repeat(64), "y".repeat(65)]).len(), 1);
    }

    #[test]
    fn replies_are_read_as_upstream_reads_them() {
        let (upstream, ours) = rules();
        let sent = ["alpha", "beta ray", "Gamma"];
        let input: Vec<String> = clean_tag_set(&sent).into_iter().collect();
        let read = |reply: &str, rule: &Validation| parse_validation(reply, &sent, &input, rule);
        let texts = |tags: &[&str]| Some(tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        let reply = "***Good English Keywords:***\nalpha, Beta Ray, gamma, injected\n\nMalformed keywords: none";
        assert_eq!(read(reply, &upstream), texts(&["alpha", "beta ray"]), "a capital letter loses the tag");
        assert_eq!(read(reply, &ours), texts(&["alpha", "beta ray", "gamma"]));
        // Without the second heading the last character is cut.
        assert_eq!(read("alpha, gammas", &upstream), texts(&["alpha"]));
        assert_eq!(read("beta ray, alpha", &upstream), texts(&["beta ray"]));
        assert_eq!(read("", &upstream), None);
        assert_eq!(read("é", &upstream), texts(&[]));
        assert_eq!(read("malformed: alpha", &ours), texts(&[]));
        let fragments = Validation { membership: Membership::Fragment, ..upstream };
        assert_eq!(read("lph, alpha. malformed", &fragments), texts(&["alpha", "lph"]), "fragments pass");
    }

    #[test]
    fn large_sets_are_sampled_from_twenty_on() {
        let (rule, _) = rules();
        let tags: Vec<String> = (0..40).map(|at| format!("tag number {at} {}", "x".repeat(45))).collect();
        let input = |tags: &[String], seed: &[u8]| validation_input(tags, &rule, &sha256(seed));
        let drawn = input(&tags, b"a");
        assert_eq!(drawn.len(), 20);
        assert!(drawn.iter().all(|tag| length(tag) == 50) && drawn.is_sorted());
        assert_ne!(drawn, input(&tags, b"b"));
        assert_eq!(input(&tags[..19], b"a").len(), 19);
        // A copy with another tag is judged by the same ones, but for that one.
        let copy = input(&[&tags[..], &["something else".to_owned()]].concat(), b"a");
        assert!(copy.iter().filter(|tag| drawn.contains(tag)).count() >= 19);
    }

    #[test]
    fn replies_that_lose_a_letter_are_told() {
        assert!(is_cut("alpha, gammas") && !is_cut("alpha. MALFORMED: none") && !is_cut(""));
    }

    #[test]
    fn replies_in_json_are_of_one_form() {
        let texts = |tags: &[&str]| Some(tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse_tag_json(r#"{"tags": [" Tea ", "rain, snow"]}"#), texts(&["tea", "rain, snow"]));
        let input = ["good tea", "malformed words", "rain"].map(str::to_owned);
        let rule = rules().1;
        let read = |reply: &str| parse_validation_json(reply, &input, &input, &rule);
        assert_eq!(read(r#"{"good": ["rain"], "malformed": []}"#), texts(&["rain"]));
        let two_lines = ["rain\nsnow".to_owned()];
        let read_two =
            parse_validation_json(r#"{"good": ["rain snow"], "malformed": []}"#, &two_lines, &two_lines, &rule);
        assert_eq!(read_two, texts(&["rain snow"]), "as the model reads it");
        assert_eq!(
            read(r#"{"good": ["Good tea", "malformed words", "best miner ever"], "malformed": ["rain"]}"#),
            texts(&["good tea", "malformed words"]),
            "what was not asked about does not count, and no word ends a group"
        );
        assert_eq!(read(r#"{"good": ["rain", "good tea"], "malformed": ["Rain"]}"#), texts(&["good tea"]));
        for reply in [
            "",
            "tea, rain",
            "null",
            r#"["tea"]"#,
            r#"{"tags": "tea"}"#,
            r#"{"tags": ["tea", 1]}"#,
            r#"{"tags": ["tea"], "score": 10}"#,
            r#"{"tags": ["tea"], "tags": ["canary"]}"#,
            r#"{"tags": ["tea"]} {"tags": ["canary"]}"#,
            r#"Here they are: {"tags": ["tea"]}"#,
            "```json\n{\"tags\": [\"tea\"]}\n```",
        ] {
            assert_eq!(parse_tag_json(reply), None, "{reply}");
        }
        let many = vec!["\"a\""; MAX_PARTS + 1].join(",");
        assert_eq!(parse_tag_json(&format!(r#"{{"tags": [{many}]}}"#)), None);
        for reply in [
            "Good English Keywords: rain\nMalformed Keywords: none",
            r#"{"good": ["rain"]}"#,
            r#"{"good": ["rain"], "malformed": null}"#,
            r#"{"good": ["rain"], "malformed": [], "note": "all are good"}"#,
            r#"{"good": "rain", "malformed": []}"#,
            r#"{"good": ["rain"], "malformed": []}, {"good": ["good tea"], "malformed": []}"#,
        ] {
            assert_eq!(read(reply), None, "{reply}");
        }
    }

    #[test]
    fn truth_is_cleaned_where_the_rules_say_so() {
        let tags = ["easy-to-use".to_owned(), "easy to use".to_owned(), "u.s.".to_owned()];
        assert_eq!(truth_tags(&tags, &Constants::v2_30_65().tags), tags);
        assert_eq!(truth_tags(&tags, &Constants::assay_1().tags), ["easy to use", "u s"]);
        assert_eq!(embedded_tags(&tags), ["easy to use", "u s"]);
        assert!(!enough(10, &Constants::readme().tags) && enough(11, &Constants::readme().tags));
        assert_eq!(parse_tag_reply(" Alpha,be\"ta\",,x"), ["alpha", "beta", "", "x"]);
    }

    proptest! {
        #[test]
        fn cleaning_is_idempotent(tag in "\\PC{0,60}") {
            let once = safe_tag(&tag);
            prop_assert_eq!(safe_tag(&once), once.clone());
            prop_assert!(once.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || is_space(c)));
        }

        #[test]
        fn only_tags_that_were_sent_pass(
            sent in prop::collection::vec("[a-z ]{3,12}", 1..30),
            reply in "[a-z ,:*\n]{0,200}",
            strict: bool,
        ) {
            let (upstream, ours) = rules();
            let rule = if strict { ours } else { upstream };
            let input = validation_input(&sent, &rule, &sha256(b"s"));
            for tag in parse_validation(&reply, &sent, &input, &rule).unwrap_or_default() {
                prop_assert!(clean_tag_set(&sent).contains(&tag));
            }
        }
    }
}
