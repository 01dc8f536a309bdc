#![allow(clippy::unwrap_used, clippy::expect_used)]
use domain::events::{Candidate, DrawnMiner, FailureReason, FilterStage};
use domain::mechanism;
use domain::types::{Block, HexBytes, Position, Uid};
use pictures::{Heatmap, Histogram};

use super::*;

fn hotkey(number: u8) -> Hotkey {
    Hotkey::from_public(&[number; 32])
}

fn answered(number: u8, body: &str) -> ResponseReceived {
    ResponseReceived {
        challenge_id: "c".into(),
        attempt: 1,
        hotkey: hotkey(number),
        address: "http://127.0.0.1:1".into(),
        dialect: "assay/http/1".into(),
        status: 200,
        sent_at: Micros(1),
        first_byte_at: Micros(2),
        received_at: Micros(3),
        response_time_ms: 7,
        request_hash: HexBytes([0; 32]),
        signature: None,
        body: Block::new(body.as_bytes().to_vec()),
    }
}

fn scored(number: u8, filtered: Option<FilterStage>) -> ResponseScored {
    ResponseScored {
        challenge_id: "c".into(),
        attempt: 1,
        hotkey: hotkey(number),
        uid: Uid(u16::from(number)),
        score: f64::from(number) / 8.0,
        counted: number != 4,
        filtered,
        reason: None,
        components: Vec::new(),
    }
}

/// Four answers, of which the second is dropped; their cosines are 0.11, 0.12, … by row and column.
fn results(bodies: [&str; 4]) -> Results {
    let numbers = (1..=4).flat_map(|row| (row..=4).map(move |column| cosine(row, column)));
    let challenge = crate::sources::task("c".to_owned(), "A question?".to_owned(), "{}".to_owned());
    Results {
        selected: Some(selected()),
        failures: vec![failed(5)],
        challenge: Challenge { metadata: Some("{\"a\":[1]}".into()), tools: Some("no JSON".into()), ..challenge },
        responses: (1..).zip(bodies).map(|(number, body)| answered(number, body)).collect(),
        scores: (1..=4).map(|number| scored(number, (number == 2).then_some(FilterStage::Outlier))).collect(),
        evaluated: RoundEvaluated {
            challenge_id: "c".into(),
            attempt: 1,
            rule_set: HexBytes([0; 32]),
            consensus: 0.75,
            consensus_achieved: true,
            best: Some(hotkey(3)),
            components: Vec::new(),
            labels: (1..=4).map(hotkey).collect(),
            label: None,
            statistics: Vec::new(),
            similarity: Block::new(numbers.flat_map(f64::to_be_bytes).collect()),
        },
        at: Micros(0),
    }
}

/// Five miners of six candidates.
fn selected() -> MinersSelected {
    let drawn = |number: u8| DrawnMiner {
        hotkey: hotkey(number),
        uid: Uid(u16::from(number)),
        coldkey: hotkey(100),
        ip: "127.0.0.1".into(),
        port: 1,
    };
    MinersSelected {
        challenge_id: "c".into(),
        attempt: 1,
        accepted: Position(1),
        metagraph: Position(0),
        sweep: Position(0),
        external_scores: None,
        rule_set: HexBytes([0; 32]),
        seed: HexBytes([0; 32]),
        limit: 5,
        candidates: (1..=6).map(|number| Candidate { hotkey: hotkey(number), weight: 1 }).collect(),
        excluded: Vec::new(),
        drawn: (1..=5).map(drawn).collect(),
    }
}

fn failed(number: u8) -> ResponseFailed {
    ResponseFailed {
        challenge_id: "c".into(),
        attempt: 1,
        hotkey: hotkey(number),
        reason: FailureReason::TimedOut,
        detail: String::new(),
        sent_at: Micros(1_000),
        failed_at: Micros(9_000),
        status: 0,
        request_hash: HexBytes([0; 32]),
        signature: None,
        signed_by: None,
        body: Block::default(),
    }
}

fn cosine(row: u8, column: u8) -> f64 {
    f64::from(row.min(column)) / 10.0 + f64::from(row.max(column)) / 100.0
}

#[test]
fn what_miners_say_of_tool_calls_and_usage_goes_with_the_batch() {
    let calls = r#"{"response_text":"a","tool_calls":[{"id":"x"}],"finish_reason":"tool_calls","usage":{"prompt_tokens":2,"total_tokens":5}}"#;
    let long = format!(r#"{{"response_text":"b","tool_calls":"x","finish_reason":"{}","usage":[-1]}}"#, "y".repeat(65));
    let found = results([calls, &long, r#"{"response_text":"c"}"#, "no answer"]);
    let rules = mechanism::open(&mechanism::shipped_by_name("loosh/1.2.8").unwrap()).unwrap();
    let batch = found.batch(rules.as_ref(), hotkey(9)).unwrap();
    assert_eq!(batch, found.batch(rules.as_ref(), hotkey(9)).unwrap());
    let batch: Value = serde_json::from_slice(&batch).unwrap();
    let answer = |number: u8, text: &str, calls: Value, reason: &str, usage: [u64; 3]| {
        let [prompt, completion, total] = usage;
        serde_json::json!({
            "miner_id": hotkey(number), "miner_uid": number, "text": text, "tool_calls": calls, "finish_reason": reason,
            "response_time_ms": 7,
            "usage": { "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total },
        })
    };
    let expected = serde_json::json!([
        answer(1, "a", serde_json::json!([{ "id": "x" }]), "tool_calls", [2, 0, 5]),
        answer(2, "b", Value::Null, "stop", [0; 3]),
        answer(3, "c", Value::Null, "stop", [0; 3]),
    ]);
    assert_eq!(batch["responses"], expected);
    let emissions = batch["evaluation"]["emissions"].as_object().unwrap();
    assert_eq!((emissions.len(), &emissions[hotkey(3).as_str()]), (3, &serde_json::json!(0.375)));
    assert_eq!(batch["evaluation"]["best_miner_id"], hotkey(3).as_str());
    assert_eq!(batch["original_request"]["metadata"], serde_json::json!({ "a": [1] }));
    assert_eq!(batch["original_request"]["tools"], "no JSON");
}

#[test]
fn the_round_is_told_with_the_batch() {
    let answer = |text: &str| format!(r#"{{"response_text":"{text}"}}"#);
    let texts = ["a b c", "no", "a b", "a b c d"].map(answer);
    let mut found = results(texts.each_ref().map(String::as_str));
    let rules = mechanism::open(&mechanism::shipped_by_name("loosh/1.2.8").unwrap()).unwrap();
    let told = |found: &Results| {
        let batch: Value = serde_json::from_slice(&found.batch(rules.as_ref(), hotkey(9)).unwrap()).unwrap();
        assert_eq!(batch["evaluation"]["heatmap_path"], Value::Null);
        batch["evaluation"]["narrative"].as_str().map(str::to_owned)
    };
    let text = told(&found).unwrap();
    for part in [
        "Round c/1, told by rules over the recorded facts",
        "\"A question?\"",
        "Under loosh/1.2.8 5 of 6 candidates were drawn, 0 neurons were excluded. 4 answered, 1 failed (1 timed out).",
        "4 answers were compared",
        "Most alike are uid 4 and uid 3",
        "1 by the outlier filter (uid 2)",
        "the best answer is that of uid 3 with 0.3750",
    ] {
        assert!(text.replace("uid 3 and uid 4", "uid 4 and uid 3").contains(part), "{part}: {text}");
    }
    assert!(!text.contains("a b c"), "no answer is quoted");
    // What is left of the record is told of.
    found.evaluated.similarity = Block::new(vec![0; 9]);
    assert!(told(&found).unwrap().contains("no two answers whose similarity is recorded"));
    found.selected = None;
    assert_eq!(told(&found), None);
}

#[test]
fn the_plot_counts_words_of_the_answers_that_no_filter_dropped() {
    let answer = |text: &str| format!(r#"{{"response_text":"{text}"}}"#);
    let texts = ["a b c", "a b c d e f g h", "a", "a b c"].map(answer);
    let mut found = results(texts.each_ref().map(String::as_str));
    let rules = mechanism::open(&mechanism::shipped_by_name("loosh/1.2.8").unwrap()).unwrap();
    let expected = Histogram::new("c/1", &Micros(0).rfc3339(), "", &[3, 1, 3]).unwrap();
    assert_eq!(found.quality_plot(rules.as_ref()).unwrap(), Some(expected.png().unwrap()));
    found.scores.truncate(2);
    assert_eq!(found.quality_plot(rules.as_ref()).unwrap(), None, "one is not enough");
}

#[test]
fn the_picture_shows_the_answers_that_no_filter_dropped() {
    let found = results([""; 4]);
    let rows = [1, 3, 4].map(|row| [1, 3, 4].map(|column| cosine(row, column)).to_vec()).to_vec();
    let labels = ["1", "3", "4"].map(str::to_owned).to_vec();
    let expected = Heatmap::new("c/1", &Micros(0).rfc3339(), "", labels, rows).unwrap().png().unwrap();
    assert_eq!(found.heatmap().unwrap(), Some(expected));
    let mut alone = results([""; 4]);
    alone.scores.truncate(2);
    assert_eq!(alone.heatmap().unwrap(), None);
    alone.evaluated.similarity = Block::new(vec![0; 9]);
    assert!(alone.heatmap().unwrap_err().contains("9 bytes"));
}
