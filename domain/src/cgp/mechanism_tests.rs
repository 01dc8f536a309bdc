//! Whole rounds from facts: evidence as it is asked for, answered without a model and with toy vectors, then scores.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::cgp::conversation::Line;
use crate::cgp::requests::{GROUND_TRUTH, PROFILES, QUALITY, VALIDATE_TAGS};
use crate::cgp::task::Window;
use crate::events::{DrawnMiner, FailureReason, ZeroReason};
use crate::mechanism::{JudgementFact, ResponseFact, TextVectors};
use crate::types::{Position, Uid, sha256};
use proptest::prelude::*;
use std::sync::Arc;

const VERSIONS: [&str; 3] = ["readme", "2.30.65", "assay-1"];

fn cgp(version: &str) -> Cgp {
    let name = format!("cgp/{version}");
    Cgp::new(Cgp::shipped().into_iter().find(|set| set.name() == name).unwrap()).unwrap()
}

fn miner(n: u8) -> DrawnMiner {
    let hotkey = Hotkey::from_public(&[n; 32]);
    DrawnMiner { hotkey, uid: Uid(n.into()), coldkey: hotkey, ip: format!("10.0.0.{n}"), port: 1 }
}

const TALK: &[&str] = &[
    "Did you finally plant the tomatoes in the vegetable garden?",
    "Yes, the tomatoes and two rows of beans. The vegetable garden gets good morning sun.",
    "My compost heap attracts snails, and snails eat the lettuce every spring.",
    "Copper tape keeps snails away. My neighbour Rosa swears by copper tape on every pot.",
    "Does Rosa grow lettuce too, or only herbs like basil and parsley?",
    "Basil, parsley, and strawberries in hanging baskets above the compost heap.",
    "Strawberries in hanging baskets sound clever, out of reach for the snails.",
    "Watering the hanging baskets is a chore in August, so she built drip irrigation from old bottles.",
    "Drip irrigation from bottles? I threw away a whole crate of bottles last week.",
    "Keep the next crate, and bring tomatoes when you visit the greenhouse on Sunday.",
    "The greenhouse! I forgot that you repaired the greenhouse roof after the storm.",
    "New glass panes, and the seedlings of peppers survived the storm under a blanket.",
];

fn task(describe: bool) -> Task {
    Task {
        guid: "302165498713245781236549871324578123654".to_owned(),
        window_index: 0,
        window: Window { start: 0, end: 10 },
        participants: vec!["Ana".to_owned(), "Ben".to_owned()],
        lines: TALK.iter().zip((0..2).cycle()).map(|(text, who)| Line(who, (*text).to_owned())).collect(),
        describe,
    }
}

/// Toy vectors: a direction per word, and one that all words of the conversation share.
fn vector(text: &str) -> Vec<f64> {
    let mut out = vec![0.0; 65];
    let whole = TALK.join(" ").to_ascii_lowercase();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        out[usize::from(sha256(word.as_bytes()).0[0] % 64)] += 0.5;
        out[64] += if whole.contains(&word) { 1.0 } else { 0.0 };
    }
    out
}

fn body(tags: &[&str]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({"cgp_output": [{"tags": tags, "profiles": [], "vectors": null}]})).unwrap()
}

/// Facts of a round with these answers of the miners 1, 2, …, without evidence; miner 90 timed out.
fn bare(cgp: &Cgp, task: &Task, answers: &[&[&str]]) -> RoundFacts {
    let respond = |(at, tags): (usize, &&[&str])| {
        let n = u8::try_from(at + 1).unwrap();
        let text = cgp.parse_response(&body(tags)).unwrap();
        ResponseFact {
            position: Position(100 + u64::from(n)),
            miner: miner(n),
            response_time_ms: 500,
            first_byte_ms: 400,
            text_hash: sha256(text.as_bytes()),
            text,
        }
    };
    RoundFacts {
        challenge_id: "c".to_owned(),
        attempt: 1,
        seed: Some(sha256(b"seed")),
        accepted: Position(7),
        prompt: task.readable(),
        task: Some(task.to_json().unwrap()),
        responses: answers.iter().enumerate().map(respond).collect(),
        failures: vec![(miner(90), FailureReason::TimedOut)],
        ..RoundFacts::default()
    }
}

/// Records what the mechanism asks for, and says what that was.
fn gather(cgp: &Cgp, facts: &mut RoundFacts, stage: Stage, embed: impl Fn(&str) -> Vec<f64>) -> Vec<String> {
    let mut asked = Vec::new();
    for _ in 0..8 {
        let wants = cgp.wants(stage, facts);
        if wants.is_empty() {
            return asked;
        }
        for want in wants {
            match want {
                Want::Judgement(request) => {
                    asked.push(request.purpose.clone());
                    let reply = cgp.offline(&request).unwrap().into_bytes();
                    facts.judgements.push(JudgementFact { purpose: request.purpose, hotkey: request.hotkey, reply });
                }
                Want::Vectors { role, text, sources } => {
                    assert!(!sources.is_empty());
                    asked.push(format!("{role:?}"));
                    let parts = cgp.text_parts(role, &text).parts;
                    let part = |part: &TextPart| embed(&text[part.start as usize..part.end as usize]);
                    let vectors = TextVectors { document: embed(&text), parts: parts.iter().map(part).collect() };
                    let known = facts.vectors.insert((role, sha256(text.as_bytes())), Arc::new(vectors));
                    assert_eq!(known, None, "asked for twice: {text}");
                }
            }
        }
    }
    panic!("evidence without end");
}

fn full(cgp: &Cgp, task: &Task, answers: &[&[&str]]) -> RoundFacts {
    let mut facts = bare(cgp, task, answers);
    gather(cgp, &mut facts, Stage::BeforeIssue, vector);
    gather(cgp, &mut facts, Stage::AfterAnswers, vector);
    facts
}

fn run(version: &str, answers: &[&[&str]]) -> Evaluation {
    let cgp = cgp(version);
    cgp.evaluate(&full(&cgp, &task(false), answers)).unwrap()
}

fn part(components: &[crate::events::Component], name: &str) -> Option<f64> {
    components.iter().find(|component| component.name == name).map(|component| component.value)
}

const GOOD: &[&str] = &[
    "tomatoes",
    "vegetable garden",
    "snails",
    "compost heap",
    "hanging baskets",
    "greenhouse glass",
    "morning sun",
    "garden snails",
];
const FAIR: &[&str] = &["tomatoes", "lettuce", "copper tape", "rosa"];
const SPAM: &[&str] = &["cryptocurrency", "casino bonus", "luxury watches", "cheap flights"];

#[test]
fn evidence_is_asked_for_in_this_order() {
    let order = |version: &str, describe: bool| {
        let cgp = cgp(version);
        let mut facts = bare(&cgp, &task(describe), &[GOOD, FAIR, GOOD]);
        assert!(cgp.evaluate(&facts).is_err(), "not before evidence");
        let before = gather(&cgp, &mut facts, Stage::BeforeIssue, vector);
        (before, gather(&cgp, &mut facts, Stage::AfterAnswers, vector))
    };
    let (before, after) = order("readme", false);
    assert_eq!((before, after.len()), (vec![GROUND_TRUTH.to_owned()], 0), "overlap needs no vectors");
    let (before, _) = order("readme", true);
    assert_eq!(before, [GROUND_TRUTH, PROFILES, "Prompt"]);
    for version in ["2.30.65", "assay-1"] {
        let (before, after) = order(version, true);
        assert_eq!(before, [QUALITY, GROUND_TRUTH, PROFILES, "Prompt", "Prompt"]);
        let verdicts = [VALIDATE_TAGS; 3].map(str::to_owned);
        assert_eq!(after[..3], verdicts, "one verdict per answer, the same one too");
        assert_eq!(after[3..], ["Answer", "Answer"], "vectors of each list once");
    }
}

#[test]
fn results_are_what_was_scored() {
    for version in VERSIONS {
        let cgp = cgp(version);
        let results = |answers: &[&[&str]]| {
            let facts = full(&cgp, &task(false), answers);
            (crate::cgp::results::of(cgp.rule_set(), &facts).unwrap(), facts)
        };
        let (found, facts) = results(&[GOOD, FAIR]);
        let truth = found.truth.unwrap();
        let reply = String::from_utf8(facts.judgement(GROUND_TRUTH, None).unwrap().reply.clone()).unwrap();
        let json = serde_json::from_str::<serde_json::Value>(&reply)
            .map(|json| json == serde_json::json!({"tags": truth.tags}));
        assert!(json.unwrap_or(truth.tags.join(", ") == reply), "{version}: {reply}");
        assert_eq!(truth.vectors.is_empty(), version == "readme", "{version}: only what was needed is embedded");
        assert_eq!(found.answers.len(), 2);
        for (answer, (sent, n)) in found.answers.iter().zip([(GOOD, 1), (FAIR, 2)]) {
            assert_eq!((&answer.sent[..], answer.hotkey), (&strings(sent)[..], miner(n).hotkey), "{version}");
            assert!(answer.tagged.tags.iter().all(|tag| answer.sent.contains(tag)), "{version}");
            assert!(answer.tagged.tags.len() >= 3);
            let with_vectors: Vec<&String> = answer.tagged.vectors.keys().collect();
            let mut tags: Vec<&String> = answer.tagged.tags.iter().collect();
            tags.sort_unstable();
            assert_eq!(with_vectors, if version == "readme" { Vec::new() } else { tags }, "{version}");
        }
        let bare = bare(&cgp, &task(false), &[GOOD]);
        assert!(crate::cgp::results::of(cgp.rule_set(), &bare).is_err(), "{version}: not before evidence");
        // An answer without a tag: upstream gives the round up for everybody, and has no result of it.
        let (spoilt, _) = results(&[GOOD, &["", "?"]]);
        assert_eq!(spoilt.answers.len(), if version == "2.30.65" { 0 } else { 2 }, "{version}");
        assert!(spoilt.truth.is_some());
    }
    let other = crate::loosh::mechanism::Loosh::shipped().remove(0);
    assert!(crate::cgp::results::of(&other, &RoundFacts::default()).is_err());
}

fn strings(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

#[test]
fn good_tags_earn_more_than_spam() {
    for version in ["2.30.65", "assay-1"] {
        let found = run(version, &[GOOD, SPAM, FAIR]);
        let scores: Vec<f64> = found.scores.iter().map(|scored| scored.score).collect();
        assert!(scores[0] > scores[1] && scores[0] > 0.3, "{version} {scores:?}");
        assert_eq!(found.round.best, Some(miner(1).hotkey));
        assert_eq!(found.scores[3].reason, Some(ZeroReason::TimedOut));
        assert!(found.scores.iter().all(|scored| scored.counted));
        let components = &found.scores[0].components;
        assert_eq!(part(components, "final_miner_score"), Some(scores[0]));
        assert_eq!(part(components, "num_tags"), Some(8.0));
        assert!(part(components, "similarity_08").is_some() && part(components, "similarity_09").is_none());
    }
}

#[test]
fn off_topic_spam_earns_upstream_only() {
    assert!(run("2.30.65", &[GOOD, SPAM]).scores[1].score > 0.0);
    let ours = &run("assay-1", &[GOOD, SPAM]).scores[1];
    assert_eq!((ours.score, ours.reason), (0.0, Some(ZeroReason::OffTopic)));
}

#[test]
fn tags_that_cleaning_changes_are_lost_upstream_only() {
    let spelt: &[&str] = &["Tomatoes", "vegetable-garden", "Snails", "compost heap", "copper tape", "greenhouse"];
    let kept = |version: &str| {
        let found = run(version, &[spelt]);
        let components = &found.scores[0].components;
        (part(components, "num_tags"), part(components, "tags_lost"))
    };
    assert_eq!(kept("2.30.65"), (Some(3.0), Some(3.0)));
    assert_eq!(kept("assay-1"), (Some(6.0), Some(0.0)));
}

#[test]
fn an_empty_answer_ends_the_round_for_everybody_upstream_only() {
    for empty in [&[][..], &["x", "?!"]] {
        let upstream = run("2.30.65", &[GOOD, empty]);
        assert!(upstream.scores.iter().all(|scored| !scored.counted && scored.score == 0.0));
        assert_eq!(upstream.scores[0].reason, Some(ZeroReason::EvaluationError));
        assert_eq!(upstream.scores[1].reason, Some(ZeroReason::EmptyAnswer));
        assert_eq!(part(&upstream.round.components, "given_up"), Some(1.0));
        assert_eq!(part(&upstream.round.components, "spoilt_answers"), Some(1.0));
        let ours = run("assay-1", &[GOOD, empty]);
        assert!(ours.scores[0].score > 0.3);
        let reason = if empty.is_empty() { ZeroReason::EmptyAnswer } else { ZeroReason::TooFewTags };
        assert_eq!((ours.scores[1].score, ours.scores[1].counted, ours.scores[1].reason), (0.0, true, Some(reason)));
    }
}

#[test]
fn copies_share_by_our_rules() {
    let alone = run("assay-1", &[GOOD]).scores[0].score;
    let shuffled: Vec<&str> = GOOD.iter().rev().copied().collect();
    let found = run("assay-1", &[GOOD, &shuffled]);
    assert_eq!((found.scores[0].score, found.scores[1].score), (alone / 2.0, alone / 2.0));
    assert_eq!(part(&found.round.components, "same_answers"), Some(1.0));
    let upstream = run("2.30.65", &[GOOD, &shuffled]);
    assert_eq!(upstream.scores[1].score, run("2.30.65", &[GOOD]).scores[0].score);
    assert_eq!(part(&upstream.round.components, "same_answers"), Some(1.0), "reported under both");
    let nearly: Vec<&str> = GOOD[..7].iter().copied().chain(["slugs"]).collect();
    for (version, score) in [("assay-1", alone / 2.0), ("2.30.65", upstream.scores[0].score)] {
        let found = run(version, &[GOOD, &nearly, FAIR]);
        assert_eq!(found.scores[0].score, score, "{version}");
        let reported = ["same_answers", "near_answers"].map(|name| part(&found.round.components, name));
        assert_eq!(reported, [Some(0.0), Some(1.0)], "{version}");
    }
}

#[test]
fn a_vector_without_direction_is_reported() {
    let embed = |text: &str| if text == "snails" { vec![0.0; 65] } else { vector(text) };
    for (version, spoilt) in [("2.30.65", true), ("assay-1", false)] {
        let cgp = cgp(version);
        let mut facts = bare(&cgp, &task(false), &[GOOD]);
        gather(&cgp, &mut facts, Stage::BeforeIssue, vector);
        gather(&cgp, &mut facts, Stage::AfterAnswers, embed);
        let found = cgp.evaluate(&facts).unwrap();
        let components = &found.scores[0].components;
        assert_eq!(part(components, "not_finite").is_some(), spoilt);
        assert_eq!(part(components, "max_score") == Some(0.0), spoilt);
        assert!(found.scores[0].score.is_finite());
    }
}

#[test]
fn the_document_pays_by_the_curve() {
    let found = run("readme", &[GOOD, FAIR, &["tomatoes"]]);
    let sum: f64 = found.scores.iter().map(|scored| scored.score).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{:?}", found.scores);
    let base: Vec<f64> = found.scores.iter().filter_map(|scored| part(&scored.components, "base_score")).collect();
    assert_eq!(base.len(), 3);
    // Equal answers have no spread: nobody earns anything, and that counts.
    let same = run("readme", &[FAIR, FAIR]);
    assert!(
        same.scores[..2].iter().all(|s| s.score == 0.0 && s.counted && s.reason == Some(ZeroReason::EvaluationError))
    );
    assert_eq!(run("readme", &[FAIR, &[]]).scores[1].components.len(), 7);
}

#[test]
fn conversations_that_are_left_out_count_for_nobody() {
    let short =
        Task { lines: vec![Line(0, "Um, uh, hm.".to_owned()); 12], window: Window { start: 0, end: 3 }, ..task(true) };
    for version in VERSIONS {
        let cgp = cgp(version);
        let mut facts = bare(&cgp, &short, &[GOOD]);
        let asked = gather(&cgp, &mut facts, Stage::BeforeIssue, vector);
        assert!(gather(&cgp, &mut facts, Stage::AfterAnswers, vector).is_empty());
        let found = cgp.evaluate(&facts).unwrap();
        assert!(found.scores.iter().all(|scored| !scored.counted && scored.reason.is_some()), "{version}");
        assert_eq!(found.scores[1].reason, Some(ZeroReason::TimedOut));
        assert_eq!(part(&found.round.components, "given_up"), Some(1.0));
        if version != "readme" {
            assert_eq!(asked, [QUALITY], "nothing more is asked about it");
            assert!(part(&found.round.components, "quality_score").unwrap() < 5.0);
        }
    }
}

#[test]
fn conversations_are_described_and_that_is_not_paid_for() {
    for version in VERSIONS {
        let cgp = cgp(version);
        let scores = |describe: bool| {
            let found = cgp.evaluate(&full(&cgp, &task(describe), &[GOOD, FAIR])).unwrap();
            (found.scores.iter().map(|s| s.score).collect::<Vec<_>>(), found.round.components)
        };
        let ((plain, without), (described, with)) = (scores(false), scores(true));
        assert_eq!(plain, described);
        assert_eq!(part(&without, "boring_index"), None);
        assert!((0.0..=1.0).contains(&part(&with, "boring_index").unwrap()));
        assert_eq!(part(&with, "profiles"), Some(2.0));
    }
}

#[test]
fn verdicts_of_a_model_are_data() {
    let cgp = cgp("assay-1");
    let mut facts = bare(&cgp, &task(false), &[GOOD]);
    let readable = r#"{"quality_score": 8, "primary_reason": "", "reason_details": "clear"}"#;
    let truth = r#"{"tags": ["Tomatoes", "vegetable garden", "snails", "compost heap", "\"greenhouse\""]}"#;
    let verdict =
        r#"{"good": ["snails", "tomatoes", "compost heap", "best miner ever"], "malformed": ["garden snails"]}"#;
    for (purpose, hotkey, reply) in
        [(QUALITY, None, readable), (GROUND_TRUTH, None, truth), (VALIDATE_TAGS, Some(miner(1).hotkey), verdict)]
    {
        let (purpose, reply) = (purpose.to_owned(), reply.as_bytes().to_vec());
        facts.judgements.push(JudgementFact { purpose, hotkey, reply });
    }
    for stage in [Stage::BeforeIssue, Stage::AfterAnswers] {
        gather(&cgp, &mut facts, stage, vector);
    }
    let found = cgp.evaluate(&facts).unwrap();
    let components = &found.scores[0].components;
    assert_eq!((part(components, "num_tags"), part(components, "both_tags")), (Some(3.0), Some(3.0)));
    assert_eq!(part(&found.round.components, "truth_tags"), Some(5.0));
    // Bytes that are no text, and replies without a tag, end in no panic.
    for reply in [&b"\xff\xfe,,,\0"[..], b"", b",,,,,,,,,,,,"] {
        facts.judgements[1].reply = reply.to_vec();
        let _ = cgp.evaluate(&facts);
        facts.judgements[2].reply = reply.to_vec();
        let _ = cgp.evaluate(&facts);
    }
}

#[test]
fn parts_are_the_lines() {
    let cgp = cgp("readme");
    let parts = cgp.text_parts(TextRole::Answer, "a\nbé\nc");
    let places: Vec<(u32, u32)> = parts.parts.iter().map(|part| (part.start, part.end)).collect();
    assert_eq!(places, [(0, 1), (2, 5), (6, 7)]);
    let long = cgp.text_parts(TextRole::Prompt, &vec!["x"; 70].join("\n"));
    assert_eq!((long.parts.len(), long.cut), (64, 6));
}

#[test]
fn vectors_of_another_shape_are_refused() {
    let cgp = cgp("assay-1");
    let mut facts = full(&cgp, &task(false), &[GOOD]);
    let key = *facts.vectors.keys().find(|(role, _)| *role == TextRole::Answer).unwrap();
    let whole = facts.vectors[&key].as_ref().clone();
    let mut fewer = whole.clone();
    fewer.parts.pop();
    let mut shorter = whole;
    shorter.parts.iter_mut().for_each(|part| part.truncate(3));
    for vectors in [fewer, shorter] {
        facts.vectors.insert(key, Arc::new(vectors));
        assert!(matches!(cgp.evaluate(&facts), Err(EvaluationError::MalformedVectors { .. })));
    }
    facts.vectors.remove(&key);
    assert!(matches!(cgp.evaluate(&facts), Err(EvaluationError::MissingVectors(_))));
    facts.task = Some("{}".to_owned());
    assert!(matches!(cgp.evaluate(&facts), Err(EvaluationError::MalformedTask { .. })));
    assert!(cgp.wants(Stage::BeforeIssue, &facts).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scores_are_finite_bounded_and_follow_their_miners(
        lists in prop::collection::vec(prop::collection::vec("(tomatoes|snails|compost heap|rosa|casino|[a-z]{1,5}|[A-Z]é-[a-z])", 0..30), 1..6),
        by in 0usize..6, which in 0usize..3,
    ) {
        let cgp = cgp(VERSIONS[which]);
        let lists: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        let slices: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
        let mut facts = full(&cgp, &task(false), &slices);
        let before = cgp.evaluate(&facts).unwrap();
        for scored in &before.scores {
            prop_assert!((-1.0..=1.0).contains(&scored.score));
            prop_assert_eq!(scored.reason.is_some(), scored.score == 0.0);
            prop_assert!(scored.components.iter().all(|component| component.value.is_finite()));
        }
        prop_assert_eq!(&cgp.evaluate(&facts).unwrap(), &before);
        let by = by % slices.len();
        facts.responses.rotate_left(by);
        let mut after = cgp.evaluate(&facts).unwrap();
        after.scores[..slices.len()].rotate_right(by);
        for (one, other) in before.scores.iter().zip(&after.scores) {
            prop_assert_eq!(one.hotkey, other.hotkey);
            // The bell curve's sums are of another order then.
            prop_assert!((one.score - other.score).abs() < 1e-9);
        }
    }
}

#[path = "weakness_tests.rs"]
mod weaknesses;
