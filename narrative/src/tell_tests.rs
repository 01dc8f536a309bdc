#![allow(clippy::unwrap_used)]

use super::*;
use crate::facts::{Answer, Figure, Similarity};

fn answer(hotkey: &str, uid: u16, failure: Option<&str>) -> Answer {
    let (hotkey, failure) = (hotkey.to_owned(), failure.map(str::to_owned));
    Answer { hotkey, uid, received: failure.is_none(), failure, response_time_ms: Some(u64::from(uid) * 10) }
}

fn score(hotkey: &str, uid: u16, score: f64, inside: f64) -> Score {
    Score {
        hotkey: hotkey.to_owned(),
        uid,
        score,
        counted: true,
        filtered: (inside == 0.0).then(|| "outlier".to_owned()),
        reason: (score == 0.0).then(|| "filtered_as_outlier".to_owned()),
        components: vec![Figure { name: "in_consensus".to_owned(), value: inside }],
    }
}

/// Two answers that agree, one that does not, and a failure.
fn round() -> Round {
    let rows = vec![vec![1.0, 0.75, 0.25], vec![0.75, 1.0, 0.5], vec![0.25, 0.5, 1.0]];
    Round {
        challenge_id: "c\n1".to_owned(),
        attempt: 2,
        rules: Some("loosh/readme".to_owned()),
        prompt: Prompt::Shown("Why is the sky\u{1b}[31m blue?".to_owned()),
        candidates: 9,
        excluded: 3,
        drawn: 4,
        end: End::Evaluated,
        consensus: Some(0.5),
        consensus_achieved: Some(true),
        best: Some("two".to_owned()),
        figures: vec![Figure { name: "mu".to_owned(), value: 0.25 }],
        answers: vec![
            answer("one", 1, None),
            answer("two", 2, None),
            answer("three", 3, None),
            answer("four", 4, Some("timed_out")),
        ],
        scores: vec![score("one", 1, 0.5, 1.0), score("two", 2, 1.0, 1.0), score("three", 3, 0.0, 0.0)],
        similarity: Some(Similarity { labels: ["one", "two", "three"].map(str::to_owned).to_vec(), rows }),
    }
}

#[test]
fn the_same_facts_give_the_same_text() {
    let expected = "Round c 1/2, told by rules over the recorded facts; no language model was asked.
Prompt: The miners were asked: \"Why is the sky [31m blue?\". What it means is not judged by rules.
Comparison: 3 answers were compared; the mean cosine of a pair is 0.5000. Most alike are uid 1 and uid 2 (0.7500), least alike uid 1 and uid 3 (0.2500). Within the consensus the mean is 0.7500, between it and the other answers 0.3750.
Process: Under loosh/readme 4 of 9 candidates were drawn, 3 neurons were excluded. 3 answered, 1 failed (1 timed out). Answers took 10 to 30 ms, in the median 20 ms. The measure of agreement is 0.5000. Figures: mu 0.2500.
Filtering: Filters dropped 1 of 3 answers: 1 by the outlier filter (uid 3). By that the mean cosine went from 0.5000 to 0.7500.
Miners: In the consensus: uid 2 with 1.0000; uid 1 with 0.5000. Not in it: uid 3 with 0.0000: the answer was dropped as an outlier of the round.
Verdict: The measure of agreement passed the rule set's threshold; the best answer is that of uid 2 with 1.0000. 2 of 3 scores are above zero, 3 enter the moving averages.";
    let told = narrate(&round());
    assert_eq!(told.text(), expected);
    assert_eq!(told, narrate(&round()));
}

#[test]
fn what_is_missing_is_said_and_long_texts_are_cut() {
    let bare = Round {
        prompt: Prompt::Shown("é".repeat(1_000)),
        rules: None,
        end: End::Abandoned { reason: Some("no_responses".to_owned()), last: false },
        best: None,
        answers: Vec::new(),
        scores: Vec::new(),
        similarity: None,
        ..round()
    };
    let told = narrate(&bare);
    let text = |at: usize| told.topics[at].text.as_str();
    assert_eq!(text(0).matches('é').count(), QUOTED);
    assert!(text(0).contains("(1000 characters in all)"));
    assert_eq!(text(1), "There are no two answers whose similarity is recorded.");
    assert!(text(2).starts_with("Under an unnamed rule set") && text(2).contains("0 answered, none failed."));
    assert_eq!(text(4), "Nobody was scored.");
    assert!(text(5).contains("because nobody answered. The challenge is drawn again"), "{}", text(5));
    let withheld = narrate(&Round { prompt: Prompt::Withheld, ..bare });
    assert!(withheld.topics[0].text.contains("once the challenge has ended"));
}

#[test]
fn long_lists_say_how_many_more_there_are() {
    let many: Vec<String> = (0..20).map(|at| at.to_string()).collect();
    assert!(list(&many).ends_with("14, 15 and 4 more"));
    assert_eq!(joined(&many[..2], "; "), "0; 1");
}
