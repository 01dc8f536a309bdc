#![allow(clippy::unwrap_used)]

use super::samples::{evaluated, round};
use super::*;
use ::narrative::NarrativeSubject;

#[test]
fn an_evaluated_round_is_told_in_six_topics() {
    let (round, responses, scores, similarity) = evaluated();
    let told = narrate(&round, Some("loosh/readme"), &responses, &scores, Some(&similarity)).unwrap();
    insta::assert_snapshot!(told.text());
    let again = narrate(&round, Some("loosh/readme"), &responses, &scores, Some(&similarity)).unwrap();
    assert_eq!(told, again);
    let subjects: Vec<NarrativeSubject> = told.topics.iter().map(|topic| topic.subject).collect();
    assert!(subjects.is_sorted() && subjects.len() == 6);
}

#[test]
fn a_mechanism_without_a_consensus_is_told_by_its_scores() {
    let (mut round, responses, mut scores, _) = evaluated();
    (round.consensus_achieved, round.best) = (None, None);
    for score in &mut scores {
        score.components.clear();
        score.filtered = None;
    }
    let told = narrate(&round, None, &responses[..4], &scores[..4], None).unwrap();
    insta::assert_snapshot!(told.text());
}

#[test]
fn an_abandoned_round_says_why_and_keeps_a_prompt_that_is_drawn_again() {
    let mut round = round();
    round.state = "abandoned".to_owned();
    (round.abandon_reason, round.last_attempt) = (Some("no_responses".to_owned()), Some(false));
    (round.prompt, round.disclosed) = (None, false);
    (round.consensus, round.consensus_achieved, round.best) = (None, None, None);
    round.components.clear();
    let told = narrate(&round, Some("loosh/readme"), &[], &[], None).unwrap();
    insta::assert_snapshot!(told.text());
}

#[test]
fn an_open_round_is_not_told() {
    let (mut round, responses, scores, similarity) = evaluated();
    round.ended_position = None;
    assert_eq!(narrate(&round, None, &responses, &scores, Some(&similarity)), None);
}
