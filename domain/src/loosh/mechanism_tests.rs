//! Rule sets' bytes, and rounds and epochs from facts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::events::{DrawnMiner, FailureReason, Neuron, SkipReason, WeightMode, ZeroReason};
use crate::mechanism::{MinerState, ResponseFact, TextVectors, rule_set};
use crate::metagraph::Metagraph;
use crate::ruleset::RuleSetError;
use crate::types::{BlockNumber, Digest, HexBytes, Rao, Uid, sha256};
use std::sync::Arc;

fn loosh(version: &str) -> Loosh {
    let name = format!("loosh/{version}");
    Loosh::new(Loosh::shipped().into_iter().find(|set| set.name() == name).unwrap()).unwrap()
}

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn miner(n: u8) -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(n), uid: Uid(n.into()), coldkey: hotkey(100 + n), ip: format!("10.0.0.{n}"), port: 1 }
}

const PROMPT: &str = "Why do tides rise? When do tides fall?";
const ANSWER: &str = "Tides rise because the Moon pulls. Coasts shape how far they go.";

/// Answers 1, 2, … with these vectors and times; sentence vectors are the answer's.
fn facts(loosh: &Loosh, answers: &[(&str, [f64; 3], u32)]) -> RoundFacts {
    let prompt_parts = loosh.text_parts(TextRole::Prompt, PROMPT).parts.len();
    let document = vec![1.0, 0.2, 0.0];
    let prompt = TextVectors { parts: vec![document.clone(); prompt_parts], document };
    let mut facts = RoundFacts {
        challenge_id: "c".to_owned(),
        attempt: 1,
        prompt: PROMPT.to_owned(),
        vectors: [((TextRole::Prompt, sha256(PROMPT.as_bytes())), Arc::new(prompt))].into(),
        failures: vec![(miner(90), FailureReason::TimedOut)],
        ..RoundFacts::default()
    };
    for (at, (text, vector, time)) in answers.iter().enumerate() {
        // A distinct text for each, so that each has vectors of its own.
        let text = format!("{text} {at}");
        let text_hash = sha256(text.as_bytes());
        let parts = vec![vector.to_vec(); loosh.text_parts(TextRole::Answer, &text).parts.len()];
        let vectors = TextVectors { document: vector.to_vec(), parts };
        facts.vectors.insert((TextRole::Answer, text_hash), Arc::new(vectors));
        let n = u8::try_from(at + 1).unwrap();
        let (position, first_byte_ms) = (crate::types::Position(n.into()), *time);
        facts.responses.push(ResponseFact {
            position,
            miner: miner(n),
            response_time_ms: *time,
            first_byte_ms,
            text,
            text_hash,
        });
    }
    facts
}

fn reasons(evaluation: &Evaluation) -> Vec<Option<ZeroReason>> {
    evaluation.scores.iter().map(|score| score.reason).collect()
}

#[test]
fn constants_outside_of_their_domain_are_refused() {
    for change in [
        |c: &mut Constants| c.models.clear(),
        |c: &mut Constants| c.collection.miners = 0,
        |c: &mut Constants| c.outliers.neighbours = 0,
        |c: &mut Constants| c.average.alpha = 1.5,
    ] {
        let mut constants = Constants::readme();
        change(&mut constants);
        let refused = Loosh::new(rule_set("x", constants).unwrap());
        assert!(matches!(refused, Err(RuleSetError::Constant { .. })), "{refused:?}");
    }
}

#[test]
fn models_are_told_by_their_bytes() {
    let zero: Digest = HexBytes([0; 32]);
    for version in ["readme", "1.2.8"] {
        let loosh = loosh(version);
        for listed in &loosh.constants().models {
            let model = EmbeddingModel {
                name: "whatever".to_owned(),
                weights: listed.weights,
                tokenizer: listed.tokenizer.unwrap_or(zero),
                dimensions: listed.dimensions,
            };
            assert!(loosh.accepts(&model));
            assert!(!loosh.accepts(&EmbeddingModel { weights: zero, ..model.clone() }));
            assert!(!loosh.accepts(&EmbeddingModel { dimensions: 1, ..model.clone() }));
            let other = EmbeddingModel { tokenizer: zero, ..model };
            assert_eq!(loosh.accepts(&other), listed.tokenizer.is_none());
        }
    }
}

#[test]
fn parts_are_ranges_of_the_text() {
    let loosh = loosh("1.2.8");
    let texts = |role, text: &str| {
        let parts = loosh.text_parts(role, text).parts;
        let part = |p: &TextPart| format!("{}{}", &text[p.start as usize..p.end as usize], p.suffix);
        parts.iter().map(part).collect::<Vec<_>>()
    };
    assert_eq!(texts(TextRole::Prompt, PROMPT), ["Why do tides rise?", "When do tides fall?"]);
    assert_eq!(texts(TextRole::Answer, "É one two. Three four fïve! no"), ["É one two.", "Three four fïve!"]);
    let long = "One two three. ".repeat(70);
    let parts = loosh.text_parts(TextRole::Answer, &long);
    assert_eq!((parts.parts.len(), parts.cut), (64, 6));
    for (role, text) in [(TextRole::Prompt, PROMPT), (TextRole::Answer, long.as_str())] {
        let readme = self::loosh("readme").text_parts(role, text);
        assert_eq!(readme, loosh.text_parts(role, text), "what one records, the other can score");
    }
}

#[test]
fn bodies_are_parsed_with_care() {
    let loosh = loosh("readme");
    assert_eq!(loosh.parse_response(br#"{"response_text":"hi","response_time_ms":3,"x":[]}"#), Ok("hi".to_owned()));
    for body in [
        &b"{}"[..],
        b"",
        b"[]",
        br#"{"response_text":3}"#,
        b"{\"response_text\":\"\xff\"}",
        br#"{"response_text":"a\u0000"}"#,
    ] {
        assert!(loosh.parse_response(body).is_err(), "{body:?}");
    }
}

#[test]
fn every_zero_has_its_reason() {
    let running = loosh("1.2.8");
    let near = |x: f64| [1.0, x, 0.1];
    let round = [
        (ANSWER, near(0.2), 100),
        (ANSWER, near(0.3), 200),
        (ANSWER, [0.0, 0.0, 1.0], 300),
        (" [TEST MODE] canned", near(0.2), 50),
    ];
    let found = running.evaluate(&facts(&running, &round)).unwrap();
    assert_eq!(reasons(&found), [None, None, None, Some(ZeroReason::TestMode), Some(ZeroReason::TimedOut)]);
    let filtered: Vec<bool> = found.scores.iter().map(|score| score.filtered.is_some()).collect();
    assert_eq!(filtered, [false, false, true, true, false]);
    let counted: Vec<bool> = found.scores.iter().map(|score| score.counted).collect();
    assert_eq!(counted, [true, true, true, true, false]);
    assert!(found.scores[2].score > 0.0, "a filtered answer is still paid");
    assert_eq!(found.round.labels, [hotkey(1), hotkey(2), hotkey(3)]);
    assert_eq!(found.round.similarity.bytes().len(), 6 * 8);
    assert_eq!(found.round.best, Some(hotkey(1)));

    let still = [(ANSWER, near(0.2), 0), (ANSWER, near(0.3), 0)];
    let found = running.evaluate(&facts(&running, &still)).unwrap();
    assert_eq!(reasons(&found)[..2], [Some(ZeroReason::EvaluationError); 2]);
    assert!(found.scores.iter().all(|score| !score.counted && score.score == 0.0));

    let gated = [(ANSWER, [0.0, 0.1, 1.0], 5), (ANSWER, [0.0, 0.0, 1.0], 5)];
    let found = running.evaluate(&facts(&running, &gated)).unwrap();
    assert_eq!(reasons(&found)[..2], [Some(ZeroReason::FilteredByQuality); 2]);

    let lone = |vector| running.evaluate(&facts(&running, &[(ANSWER, vector, 5)])).unwrap();
    assert_eq!((lone(near(0.1)).scores[0].score, lone(near(0.1)).round.consensus), (1.0, 1.0));
    assert_eq!(reasons(&lone([0.0, 0.0, 1.0]))[0], Some(ZeroReason::OffTopic));

    let readme = loosh("readme");
    let found = readme.evaluate(&facts(&readme, &[(ANSWER, near(0.2), 5)])).unwrap();
    assert_eq!(reasons(&found)[0], Some(ZeroReason::NoConsensus));
    let nobody = readme.evaluate(&facts(&readme, &[])).unwrap();
    assert_eq!((nobody.scores.len(), nobody.round.best), (1, None));
}

/// What each of three answers earns when the third says these words with this vector, after this time.
fn earned(version: &str, third: (&str, [f64; 3], u32)) -> (Vec<f64>, Vec<Option<ZeroReason>>) {
    let rules = loosh(version);
    let honest = [(ANSWER, [1.0, 0.2, 0.1], 400), ("The Sun pulls too, but its pull is weaker.", [1.0, 0.3, 0.1], 500)];
    let mut round = facts(&rules, &[honest[0], honest[1], third]);
    if third.0 == honest[0].0 {
        // A copy, word for word.
        let original = round.responses[0].clone();
        (round.responses[2].text, round.responses[2].text_hash) = (original.text, original.text_hash);
    } else if third.0.is_empty() {
        let text_hash = sha256(b"");
        let vectors = TextVectors { document: third.1.to_vec(), parts: Vec::new() };
        round.vectors.insert((TextRole::Answer, text_hash), Arc::new(vectors));
        (round.responses[2].text, round.responses[2].text_hash) = (String::new(), text_hash);
    }
    let found = rules.evaluate(&round).unwrap();
    (found.scores.iter().take(3).map(|score| score.score).collect(), reasons(&found))
}

#[test]
fn our_own_rules_close_what_upstream_pays() {
    let off_topic = ("Buy my wonderful tokens now, they only ever rise!", [0.1, 0.0, 1.0], 1);
    assert!(earned("1.2.8", off_topic).0[2] > 0.3, "upstream pays instant spam");
    let (ours, why) = earned("assay-1", off_topic);
    assert_eq!((ours[2], why[2]), (0.0, Some(ZeroReason::FilteredByQuality)));
    assert!(ours[0] > 0.0 && ours[1] > 0.0);

    let empty = ("", [1.0, 0.2, 0.1], 1);
    assert!(earned("1.2.8", empty).0[2] > 0.3, "upstream pays an empty answer, too");
    let (ours, why) = earned("assay-1", empty);
    assert_eq!((ours[2], why[2]), (0.0, Some(ZeroReason::EmptyAnswer)));
    assert!(ours[0] > 0.0 && ours[1] > 0.0);

    let copy = (ANSWER, [1.0, 0.2, 0.1], 400);
    let (theirs, _) = earned("1.2.8", copy);
    let (ours, why) = earned("assay-1", copy);
    assert!(theirs[0] + theirs[2] > 1.8 * theirs[1], "{theirs:?}");
    assert!(ours[0] + ours[2] < 1.4 * ours[1] && ours[2] > 0.0, "{ours:?}");
    assert_eq!(why[..3], [None; 3]);
}

#[test]
fn disagreement_costs_under_our_own_rules() {
    let consensus = |version: &str, apart: f64| {
        let rules = loosh(version);
        let answers: Vec<(&str, [f64; 3], u32)> =
            (0..4u8).map(|n| (ANSWER, [1.0, apart * f64::from(n), 0.1], 300)).collect();
        rules.evaluate(&facts(&rules, &answers)).unwrap().round.consensus
    };
    let lost = |version| consensus(version, 0.1) - consensus(version, 0.25);
    assert!(lost("assay-1") > 0.05, "disagreement costs");
    assert!(lost("1.2.8") < 0.01, "upstream gives a standard deviation back");
}

#[test]
fn bad_evidence_is_refused() {
    let running = loosh("1.2.8");
    let round = [(ANSWER, [1.0, 0.2, 0.0], 100), (ANSWER, [1.0, 0.3, 0.0], 200)];
    let good = facts(&running, &round);
    let key = good.responses[0].text_hash;
    let mut missing = good.clone();
    missing.vectors.remove(&(TextRole::Answer, key));
    assert_eq!(running.evaluate(&missing), Err(EvaluationError::MissingVectors(key)));
    for vectors in [
        TextVectors { document: vec![1.0; 3], parts: vec![] },
        TextVectors { document: vec![1.0; 2], parts: vec![vec![1.0; 3]; 2] },
        TextVectors { document: vec![f64::NAN, 1.0, 1.0], parts: vec![vec![1.0; 3]; 2] },
    ] {
        let mut bad = good.clone();
        bad.vectors.insert((TextRole::Answer, key), Arc::new(vectors));
        assert!(matches!(running.evaluate(&bad), Err(EvaluationError::MalformedVectors { .. })));
    }
    assert!(running.evaluate(&good).is_ok());
}

fn neuron(n: u8, last_update: u64) -> Neuron {
    Neuron {
        uid: Uid(n.into()),
        hotkey: hotkey(n),
        coldkey: hotkey(n),
        ip: if n == 5 { String::new() } else { format!("10.0.0.{n}") },
        port: 1,
        stake: Rao(0),
        validator_permit: n == 6,
        last_update: BlockNumber(last_update),
    }
}

#[test]
fn an_epoch_from_window_to_weights() {
    let running = loosh("1.2.8");
    let hour = 3_600_000_000u64;
    let now = Micros(100 * hour);
    let mut metagraph = Metagraph::default();
    let neurons: Vec<Neuron> = (0..10).map(|n| neuron(n, 90)).collect();
    metagraph.observe(&Metagraph::full(BlockNumber(100), HexBytes([0; 32]), None, &neurons));
    let state = |hours_ago: &[(u64, f64)], seen: Option<u64>, drawn| MinerState {
        last_seen: seen.map(|ago| Micros(now.0 - ago * hour)),
        drawn,
        average: None,
        window: hours_ago.iter().map(|(ago, score)| (Micros(now.0 - ago * hour), *score)).collect(),
    };
    let miners: BTreeMap<Hotkey, MinerState> = [
        (hotkey(1), state(&[(30, 9.0), (20, 1.0), (2, 0.2)], Some(1), 2)),
        (hotkey(2), state(&[(1, 0.38)], Some(3), 1)),
        (hotkey(3), state(&[(1, 0.5)], Some(4), 1)),
        (hotkey(4), state(&[], Some(1), 3)),
        (hotkey(7), state(&[(1, 0.0)], Some(1), 1)),
        (hotkey(8), state(&[(1, 1e-7)], Some(1), 1)),
    ]
    .into();
    let facts =
        EpochFacts { now, own: hotkey(0), metagraph: &metagraph, miners: &miners, external: None, statistics: &[] };
    let found = running.derive(&facts);
    let weights: Vec<(u16, u16)> = found.weights.iter().map(|w| (w.uid.0, w.weight)).collect();
    assert_eq!(weights, [(1, 65535), (2, 32768)]);
    let zeros: Vec<(u16, ZeroReason)> = found.zeros.iter().map(|zero| (zero.uid.0, zero.reason)).collect();
    assert_eq!(
        zeros,
        [
            (0, ZeroReason::NotServing),
            (3, ZeroReason::Stale),
            (4, ZeroReason::NeverAnswered),
            (5, ZeroReason::NotServing),
            (6, ZeroReason::NotServing),
            (7, ZeroReason::NoScore),
            (8, ZeroReason::QuantisedToZero),
            (9, ZeroReason::NotSampled),
        ]
    );
    assert!((found.averages[&hotkey(1)] - 0.76).abs() < 1e-15);
    assert_eq!((found.mode, found.skip, found.window_start), (WeightMode::Normal, None, Micros(76 * hour)));

    let flagged = ExternalScores { sybil: [(hotkey(1), 0.75)].into(), ..ExternalScores::default() };
    let punished = running.derive(&EpochFacts { external: Some(&flagged), ..facts.clone() });
    let weights: Vec<(u16, u16)> = punished.weights.iter().map(|w| (w.uid.0, w.weight)).collect();
    assert_eq!(weights, [(1, 32768), (2, 65535)]);

    // Whom the service lists as a validator is none that can be paid.
    let listing = ExternalScores { validators: [hotkey(1)].into(), ..ExternalScores::default() };
    let without = running.derive(&EpochFacts { external: Some(&listing), ..facts.clone() });
    let weights: Vec<(u16, u16)> = without.weights.iter().map(|w| (w.uid.0, w.weight)).collect();
    assert_eq!(weights, [(2, 65535)]);
    assert!(without.zeros.iter().any(|zero| zero.uid == Uid(1) && zero.reason == ZeroReason::NotServing));

    // Long without weights of its own: no freshness gate, and equal shares when there are no scores.
    let mut later = metagraph.clone();
    later.observe(&Metagraph::full(BlockNumber(4590), HexBytes([0; 32]), None, &neurons));
    let late = EpochFacts { metagraph: &later, ..facts.clone() };
    assert!(running.derive(&late).weights.iter().any(|weight| weight.uid == Uid(3)));
    let nobody = BTreeMap::new();
    let even = running.derive(&EpochFacts { miners: &nobody, ..late });
    assert!(even.weights.iter().all(|weight| weight.weight == 65535) && even.weights.len() == 7);
    assert_eq!(even.mode, WeightMode::Emergency);
    let stranger = running.derive(&EpochFacts { own: hotkey(77), ..facts });
    assert_eq!(stranger.skip, Some(SkipReason::NotRegistered));
    assert_eq!(stranger.weights.len() + stranger.zeros.len(), 10);
}

#[test]
fn outside_scores_are_hostile_input() {
    let running = loosh("1.2.8");
    let key = hotkey(1);
    let parse = |text: &str| running.external_scores(text.replace("KEY", key.as_str()).as_bytes());
    let number = parse(r#"{"scores":{"KEY":0.4,"not a key":1}}"#).unwrap();
    assert_eq!((number.sybil.get(&key), number.sybil.len()), (Some(&0.4), 1));
    let detailed = parse(r#"{"scores":{"KEY":{"sybil_score":0.7,"priority_weight":0.25,"more":[]}}}"#).unwrap();
    assert_eq!((detailed.sybil[&key], detailed.priorities[&key]), (0.7, 250_000));
    assert_eq!(parse(r#"{"scores":{"KEY":{"priority_weight":-3}}}"#).unwrap().priorities[&key], 0);
    let other = hotkey(2);
    for odd in ["null", r#""x""#, "[[]]", "1e999", "true", r#"{"sybil_score":"high"}"#, r#"{"priority_weight":1e999}"#]
    {
        let read = parse(&format!(r#"{{"scores":{{"{other}":{odd},"KEY":0.4}},"validators":[1e999]}}"#));
        assert_eq!(read.map(|read| read.sybil), Some([(key, 0.4)].into()), "{odd}");
    }
    let listed =
        r#"{"scores":{},"validators":{"validators":[{"hotkey_ss58":"KEY","validator_permit":true},7,{"hotkey":3}]}}"#;
    assert_eq!(parse(listed).unwrap().validators, [key].into());
    let approved = parse(r#"{"validators":[{"hotkey":"KEY","metadata":{"admin_approved":true}}]}"#).unwrap();
    assert_eq!((approved.validators.contains(&key), approved.sybil.len()), (true, 0));
    for passed_over in ["[]", r#"[{"hotkey":"KEY"}]"#, r#"[{"hotkey":"KEY","validator_permit":"true"}]"#, r#"["KEY"]"#]
    {
        let found = parse(&format!(r#"{{"validators":{passed_over}}}"#)).unwrap();
        assert!(found.validators.is_empty(), "{passed_over}");
    }
    for bad in ["", "[]", "{}", r#"{"scores":3}"#, r#"{"scores":[]}"#, r#"{"validators":"KEY"}"#] {
        assert_eq!(parse(bad), None, "{bad}");
    }
    assert_eq!(loosh("readme").external_scores(br#"{"scores":{}}"#), None);
}

#[path = "weakness_tests.rs"]
mod weaknesses;
