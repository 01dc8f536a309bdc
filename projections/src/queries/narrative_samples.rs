//! Rounds as the other queries give them.

use super::super::scores::Component;
use super::{Response, Round, Score, Similarity};

/// Microseconds of 2026-11-20 12:00:00 UTC.
const NOON: u64 = 1_795_176_000_000_000;

fn part(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

pub(crate) fn round() -> Round {
    Round {
        challenge_id: "c-1".to_owned(),
        attempt: 1,
        state: "evaluated".to_owned(),
        accepted_position: Some(10),
        position: 11,
        recorded_at: NOON - 3_000_000,
        block: 100,
        ended_position: Some(40),
        ended_at: Some(NOON),
        epoch: Some(0),
        rule_set: Some("00".repeat(32)),
        seed: None,
        commitment: None,
        prompt: Some("Why is\n\u{1b}[31mthe sky blue?".to_owned()),
        disclosed: true,
        candidates: 6,
        excluded: 2,
        drawn: 5,
        consensus: Some(0.87654321),
        consensus_achieved: Some(true),
        best: Some("five".to_owned()),
        components: vec![part("mu", 0.5), part("sigma", 0.123456)],
        abandon_reason: None,
        last_attempt: Some(true),
    }
}

fn response(hotkey: &str, uid: u16, time: u64, failure: Option<&str>) -> Response {
    Response {
        challenge_id: "c-1".to_owned(),
        attempt: 1,
        hotkey: hotkey.to_owned(),
        uid,
        status: if failure.is_some() { "failed" } else { "received" }.to_owned(),
        issued_position: Some(12),
        answered_position: Some(20),
        failure: failure.map(str::to_owned),
        detail: None,
        http_status: Some(200),
        response_time_ms: Some(time),
        signed: Some(true),
        body: None,
    }
}

fn score(hotkey: &str, uid: u16, score: f64, inside: Option<f64>) -> Score {
    Score {
        position: 30,
        recorded_at: NOON,
        block: 100,
        epoch: 0,
        challenge_id: "c-1".to_owned(),
        attempt: 1,
        hotkey: hotkey.to_owned(),
        uid,
        score,
        score_bits: super::super::bits(score),
        counted: inside.is_some(),
        filtered: None,
        reason: None,
        components: inside.map(|inside| part("in_consensus", inside)).into_iter().collect(),
    }
}

/// Four answers, one of them an outlier, and a failure.
pub(crate) fn evaluated() -> (Round, Vec<Response>, Vec<Score>, Similarity) {
    let responses = vec![
        response("three", 3, 120, None),
        response("five", 5, 80, None),
        response("seven", 7, 300, None),
        response("nine", 9, 95, None),
        response("two", 2, 60_000, Some("timed_out")),
    ];
    let mut scores = vec![
        score("three", 3, 0.75, Some(1.0)),
        score("five", 5, 1.25, Some(1.0)),
        score("seven", 7, 0.5, Some(0.0)),
        score("nine", 9, 0.0, Some(0.0)),
        score("two", 2, 0.0, None),
    ];
    (scores[3].filtered, scores[3].reason) = (Some("outlier".to_owned()), Some("filtered_as_outlier".to_owned()));
    scores[4].reason = Some("timed_out".to_owned());
    let rows = vec![
        vec![1.0, 0.9, 0.5, 0.21],
        vec![0.9, 1.0, 0.6, 0.25],
        vec![0.5, 0.6, 1.0, 0.3],
        vec![0.21, 0.25, 0.3, 1.0],
    ];
    let labels = ["three", "five", "seven", "nine"].map(str::to_owned).to_vec();
    (round(), responses, scores, Similarity { labels, rows })
}
