use super::*;

fn line(identifier: &str, status: u16, content: &str) -> JudgeLine {
    let raw = serde_json::json!({
        "custom_id": identifier,
        "response": {"status_code": status, "body": {"choices": [{"message": {"content": content}}]}},
    });
    judge_line(&raw.to_string())
}

fn pending(lines: Vec<JudgeLine>, metadata: &[(&str, &str)], uids: std::ops::Range<i64>) -> Pending {
    Pending {
        age_seconds: 90_000.0,
        completed: true,
        lines,
        metadata: metadata.iter().map(|(line, uids)| ((*line).to_owned(), (*uids).to_owned())).collect(),
        stored: uids.map(|uid| Stored { uid, text: Some("t".to_owned()), seconds: Some(5.0) }).collect(),
    }
}

fn run(requests: &[Pending]) -> Pass {
    collect(requests, 8, &Constants::v1_2_2())
}

#[test]
fn a_failed_line_pays_the_line_before_it_twice() {
    let lines = vec![line("a", 200, r#"{"scores":[1]}"#), line("b", 500, r#"{"scores":[1]}"#)];
    let pass = run(&[pending(lines, &[("a", "0"), ("b", "1")], 0..2)]);
    assert_eq!(pass.sums, BTreeMap::from([(0, 200.0)]));
    // Across requests too.
    let first = pending(vec![line("a", 200, r#"{"scores":[1]}"#)], &[("a", "0")], 0..1);
    let second = pending(vec![line("b", 500, "")], &[("b", "0")], 0..1);
    assert_eq!(run(&[first, second]).sums, BTreeMap::from([(0, 200.0)]));
    // With nothing before it, it is dropped.
    assert_eq!(run(&[pending(vec![line("b", 500, "")], &[("b", "0")], 0..1)]).sums, BTreeMap::new());
}

#[test]
fn requests_that_wait_together_are_added() {
    let one = pending(vec![line("a", 200, r#"{"scores":[0.7]}"#)], &[("a", "0")], 0..1);
    let pass = run(&[one.clone(), one]);
    assert_eq!((pass.sums[&0], pass.done), (158.0, vec![0, 1]));
}

#[test]
fn an_unreadable_line_loses_its_own_miners_only() {
    let lines = vec![line("a", 200, "no JSON"), line("b", 200, r#"{"scores":[1]}"#)];
    let pass = run(&[pending(lines, &[("a", "0,1"), ("b", "2")], 0..3)]);
    assert_eq!((pass.sums.keys().copied().collect::<Vec<_>>(), pass.aborted), (vec![2], None));
    assert_eq!(pass.skipped.iter().map(|skipped| &skipped.uid[..]).collect::<Vec<_>>(), ["0", "1"]);
}

#[test]
fn what_ends_a_pass_keeps_everything_for_the_next_hour() {
    for raw in [
        r#"{"custom_id":"b","response":null}"#,
        r#"{"custom_id":"b"}"#,
        r#"{"custom_id":"b","response":{"status_code":200,"body":{"choices":[]}}}"#,
        r#"{"custom_id":"unknown","response":{"status_code":200,"body":{"choices":[{"message":{"content":""}}]}}}"#,
        r#"{"custom_id":7}"#,
        "[]",
        "",
    ] {
        let lines = vec![line("a", 200, r#"{"scores":[1]}"#), judge_line(raw)];
        let pass = run(&[pending(lines, &[("a", "0"), ("b", "1")], 0..2)]);
        assert!(pass.aborted.is_some() && pass.sums.is_empty() && pass.done.is_empty() && pass.any_ready, "{raw}");
    }
}

#[test]
fn a_slot_that_does_not_exist_ends_the_line() {
    let lines = vec![line("a", 200, r#"{"scores":[1,1,1]}"#)];
    let pass = run(&[pending(lines, &[("a", "0,9,1")], 0..10)]);
    assert_eq!(pass.sums.keys().copied().collect::<Vec<_>>(), [0]);
    let lines = vec![line("a", 200, r#"{"scores":[1,1,1]}"#)];
    let pass = run(&[pending(lines, &[("a", "0,x,1")], 0..10)]);
    assert_eq!(pass.sums.keys().copied().collect::<Vec<_>>(), [0]);
}

#[test]
fn what_is_not_ready_or_not_completed_is_not_read() {
    let one = pending(vec![line("a", 200, r#"{"scores":[1]}"#)], &[("a", "0")], 0..1);
    let young = Pending { age_seconds: 86_400.0, ..one.clone() };
    let late = Pending { completed: false, ..one };
    let pass = run(&[young, late]);
    assert_eq!((pass.sums.len(), pass.any_ready, pass.done), (0, true, vec![1]));
}

#[test]
fn missing_content_is_no_text() {
    for content in ["null", "3", "[]"] {
        let raw = format!(
            r#"{{"custom_id":"a","response":{{"status_code":200.0,"body":{{"choices":[{{"message":{{"content":{content}}}}}]}}}}}}"#
        );
        assert_eq!(judge_line(&raw).outcome, LineOutcome::Content(None));
    }
    assert_eq!(judge_line(r#"{"custom_id":""}"#).outcome, LineOutcome::Failed);
}
