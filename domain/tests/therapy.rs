//! The shipped questions and base answers of BetterTherapy: they parse, they are distinct, and the judge that works without
//! a model tells an answer to a question from an answer to another one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use domain::bettertherapy::constants::Constants;
use domain::bettertherapy::duplicates::repeats;
use domain::bettertherapy::generator::{Pair, pair};
use domain::bettertherapy::offline::reply;
use domain::bettertherapy::tokens::{PlainRule, TokenRule};
use domain::bettertherapy::verdict::{Verdict, verdicts};
use domain::text::word_count;
use std::collections::BTreeSet;

const SHIPPED: &str = include_str!("../../demo/therapy.jsonl");

fn pairs() -> Vec<Pair> {
    SHIPPED.lines().map(|line| pair(line).expect("a pair")).collect()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    id: String,
    question: String,
    answer: String,
}

#[test]
fn they_parse_strictly_and_alike() {
    let pairs = pairs();
    for (line, pair) in SHIPPED.lines().zip(&pairs) {
        let strict: Shipped = serde_json::from_str(line).unwrap();
        assert!(!strict.id.is_empty() && strict.question == pair.question && strict.answer == pair.answer);
    }
    assert!(pairs.len() >= 40, "only {}", pairs.len());
}

#[test]
fn they_are_distinct_and_of_a_sensible_length() {
    let pairs = pairs();
    let ids: BTreeSet<String> = SHIPPED.lines().map(|line| serde_json::from_str::<Shipped>(line).unwrap().id).collect();
    assert_eq!(ids.len(), pairs.len());
    for texts in [
        pairs.iter().map(|pair| &pair.question[..]).collect::<Vec<_>>(),
        pairs.iter().map(|pair| &pair.answer[..]).collect(),
    ] {
        assert!(repeats(&texts, 0.2).iter().all(Option::is_none));
    }
    for pair in &pairs {
        assert!((60..=160).contains(&word_count(&pair.answer)), "{}", pair.question);
        assert!((15..=60).contains(&word_count(&pair.question)), "{}", pair.question);
        assert!(PlainRule.count(&pair.answer) <= 400, "{}", pair.question);
    }
}

#[test]
fn the_offline_judge_prefers_the_answer_to_the_question() {
    let pairs = pairs();
    let answers: Vec<&str> = pairs.iter().map(|pair| &pair.answer[..]).collect();
    let rule = Constants::assay_1().judge;
    let (mut elsewhere, mut above) = (0.0, 0);
    for (at, pair) in pairs.iter().enumerate() {
        let found = verdicts(&reply(&pair.question, &pair.answer, &answers, &rule), answers.len(), &rule);
        assert_eq!(found[at], Verdict::Quality(rule.anchor), "{}", pair.question);
        for (other, verdict) in found.iter().enumerate().filter(|(other, _)| *other != at) {
            let Verdict::Quality(quality) = verdict else { panic!("answer {other} to {}: {verdict:?}", pair.question) };
            elsewhere += quality;
            above += usize::from(*quality > Constants::assay_1().scoring.floor);
        }
    }
    let count = pairs.len() * (pairs.len() - 1);
    // Good answers to other people share comforting words; hardly any of them passes the floor.
    assert!(elsewhere / (count as f64) < 0.1, "mean {}", elsewhere / count as f64);
    assert!(above * 20 < count, "{above} of {count} pass the floor");
}
