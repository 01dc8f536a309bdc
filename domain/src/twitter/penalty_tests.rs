#![allow(clippy::unwrap_used)]
use super::*;
use crate::twitter::constants::Constants;
use proptest::prelude::*;

fn analysis(keywords: &[&str], hashtags: &[&str], mentions: &[&str]) -> QueryAnalysis {
    let owned = |terms: &[&str]| terms.iter().map(|term| (*term).to_owned()).collect();
    QueryAnalysis {
        query: String::new(),
        keywords: owned(keywords),
        hashtags: owned(hashtags),
        user_mentions: owned(mentions),
    }
}

fn raw(asked: &QueryAnalysis, answers: &[&str], constants: &Constants) -> Vec<f64> {
    accuracy(asked, answers, &constants.penalties).raw
}

#[test]
fn terms_with_a_prefix_are_charged_to_everyone_upstream_only() {
    let asked = analysis(&["AI"], &["#AI"], &["@openai"]);
    let answers = ["AI #AI @openai", "##AI @@openai AI", "none"];
    assert_eq!(raw(&asked, &answers, &Constants::v2_5_9()), [2.0 / 3.0, 0.0, 1.0]);
    assert_eq!(raw(&asked, &answers, &Constants::assay_1()), [0.0, 0.0, 1.0]);
}

#[test]
fn off_topic_answers_lose_everything_under_ours() {
    let asked = analysis(&["SpaceX", "launch"], &[], &[]);
    let answers = ["Buy my coin now", "SpaceX news"];
    assert_eq!(raw(&asked, &answers, &Constants::v2_5_9()), [1.0 / 3.0, 0.0]);
    assert_eq!(raw(&asked, &answers, &Constants::assay_1()), [1.0, 0.0]);
}

#[test]
fn a_term_inside_of_another_word_excuses_spam_upstream_only() {
    let asked = analysis(&["AI"], &[], &[]);
    let answers = ["Order two chairs and get a parasol", "AI is slow"];
    assert_eq!(raw(&asked, &answers, &Constants::v2_5_9()), [0.0, 0.0]);
    assert_eq!(raw(&asked, &answers, &Constants::assay_1()), [1.0, 0.0]);
}

#[test]
fn one_common_word_of_many_excuses_spam_upstream_only() {
    let asked = analysis(&["ticket", "prices", "football"], &[], &[]);
    let answers = ["Comfort you can feel, prices you will love", "Football prices rise", ""];
    assert_eq!(raw(&asked, &answers, &Constants::v2_5_9()), [0.0, 0.0, 1.0 / 3.0]);
    assert_eq!(raw(&asked, &answers, &Constants::assay_1()), [1.0, 0.0, 1.0]);
}

#[test]
fn an_empty_term_excuses_everybody_upstream_only() {
    let asked = analysis(&["", "SpaceX"], &["", "#"], &[]);
    let answers = ["anything with a #", "SpaceX"];
    // Upstream looks for "" and for "#", "##".
    assert_eq!(raw(&asked, &answers, &Constants::v2_5_9()), [0.0, 1.0 / 3.0]);
    assert_eq!(raw(&asked, &answers, &Constants::assay_1()), [1.0, 0.0]);
    let nothing = analysis(&[], &[""], &[" "]);
    assert_eq!(raw(&nothing, &["x"], &Constants::assay_1()), [0.0]);
}

#[test]
fn labels_of_other_tasks() {
    for (task, answer, expected) in [
        ("augment", "Answer: 4", 1.0),
        ("augment", "Data: a", 1.0),
        ("augment", "Summary: fine", 0.0),
        ("augment", "Q: why", 1.0),
        ("followup2", "q: why", 0.0),
        ("followup2", "PARAPHRASED: x", 1.0),
        ("answer0", "A: because", 0.0),
        ("answer0", "query: x", 1.0),
        ("other", "answer: question: ", 0.0),
        ("other", "summary: ", 1.0),
        ("other", "## 2 Question 1:", 1.0),
        ("other", "f\"\\n## Answer:", 1.0),
        ("other", "# summary 1 context:", 1.0),
    ] {
        assert_eq!(keyword_match(task, answer), expected, "{task} {answer}");
    }
}

#[test]
fn stock_phrases() {
    for (answer, expected) in [
        ("", 0.0),
        ("Here's  a task", 0.1),
        ("Here is a task. here's a task", 0.1),
        ("Sure! Here we go: use complete\nsentences", 0.1 + 0.1),
        ("sure! her", 0.0),
        ("Solution (in Rust) ", 0.1),
        ("great job! here's", 0.1),
        ("Keep it clear and concise. Use complete sentences.", 0.1 + 0.1),
        ("Your task now is to write a tweet about the previous text", 0.1),
        ("What did I learn today ?", 0.1),
    ] {
        assert_eq!(content_match(answer), expected, "{answer}");
    }
    assert_eq!(content_match(&format!("{}use proper grammar", "x".repeat(200))), 0.0);
}

#[test]
fn penalties_are_clipped_to_their_maximum() {
    let found = adjusted(vec![-0.5, 0.25, 0.75, 3.0, f64::NAN], 0.6);
    assert_eq!(found.adjusted[..4], [0.0, 0.25, 0.6, 0.6]);
    assert_eq!(found.applied[..4], [1.0, 0.75, 0.4, 0.4]);
    assert!(found.applied[4].is_nan());
}

proptest! {
    #[test]
    fn factors_are_shares_and_hits_only_help(
        keywords in prop::collection::vec("[a-zA-Z#@ ]{0,4}", 0..4),
        hashtags in prop::collection::vec("[a-zA-Z#@ ]{0,4}", 0..4),
        answer in "[a-zA-Z#@ ]{0,20}",
        more in "[a-zA-Z#@ ]{0,20}",
    ) {
        for constants in [Constants::v2_5_9(), Constants::assay_1()] {
            let asked = QueryAnalysis {
                query: String::new(), keywords: keywords.clone(), hashtags: hashtags.clone(), user_mentions: vec![],
            };
            // Glued to a word, more text makes another word of it.
            let longer = format!("{answer} {more}");
            let found = accuracy::<f32>(&asked, &[&answer, &longer], &constants.penalties);
            prop_assert!(found.applied.iter().all(|factor| (0.0..=1.0).contains(factor)));
            prop_assert!(found.applied[1] >= found.applied[0]);
        }
    }
}
