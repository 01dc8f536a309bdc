//! From facts to scores, labels, averages and weights; and every known weakness, kept and closed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::conversion::feature_set::FeatureSet;
use crate::conversion::generate::{LABEL, conversation};
use crate::conversion::truth::{RULE_SOURCE, Truth};
use crate::draw::Stream;
use crate::events::{
    DrawnMiner, FailureReason, MetagraphObserved, Neuron, SkipReason, Statistic, Weight, ZeroReason, ZeroWeight,
};
use crate::mechanism::{AWAITS_LABEL, ResponseFact, Stage, rule_set};
use crate::metagraph::Metagraph;
use crate::types::{BlockNumber, HexBytes, Position, Rao, Uid, sha256};
use proptest::prelude::*;

const HOUR: u64 = 3_600_000_000;

fn conversion(version: &str) -> Conversion {
    let name = format!("conversion/{version}");
    Conversion::new(Conversion::shipped().into_iter().find(|set| set.name() == name).unwrap()).unwrap()
}

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn miner(n: u8) -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(n), uid: Uid(n.into()), coldkey: hotkey(100 + n), ip: format!("10.0.0.{n}"), port: 1 }
}

/// A conversation of which the public rule says this.
fn features(happened: bool) -> FeatureSet {
    let mut stream = Stream::new(sha256(b"mechanism"), LABEL);
    let rule = Constants::readme().label.rule;
    let mut drawn = (0..50).map(|_| conversation(&mut stream).unwrap());
    drawn.find(|set| Truth::of(set, &rule).unwrap().happened == happened).unwrap()
}

fn truth(happened: bool) -> Truth {
    Truth::of(&features(happened), &Constants::readme().label.rule).unwrap()
}

fn facts(happened: bool, bodies: &[&str], failures: &[FailureReason]) -> RoundFacts {
    let parse = conversion("readme");
    let mut facts = RoundFacts {
        challenge_id: "c".to_owned(),
        attempt: 1,
        task: Some(task::write(&features(happened)).unwrap()),
        ..RoundFacts::default()
    };
    for (n, body) in (1..).zip(bodies) {
        let text = parse.parse_response(body.as_bytes()).unwrap();
        facts.responses.push(ResponseFact {
            position: Position(n.into()),
            miner: miner(n),
            response_time_ms: 3000,
            first_byte_ms: 3000,
            text_hash: sha256(text.as_bytes()),
            text,
        });
    }
    facts.failures = (50..).zip(failures).map(|(n, reason)| (miner(n), *reason)).collect();
    facts
}

fn labelled(evaluation: &Evaluation, source: &str, label: &str, after: u64) -> LabelFacts {
    LabelFacts {
        position: Position(99),
        source: source.to_owned(),
        label: label.to_owned(),
        revealed: Micros(HOUR + after),
        evaluated: Micros(HOUR),
        round: evaluation.clone(),
        statistics: evaluation.round.statistics.clone(),
    }
}

/// The final scores: at once, or after the rule's label.
fn final_scores(conversion: &Conversion, facts: &RoundFacts, happened: bool) -> Evaluation {
    let evaluation = conversion.evaluate(facts).unwrap();
    if !conversion.awaits_labels() {
        return evaluation;
    }
    let label = truth(happened).to_label();
    conversion.evaluate_label(&labelled(&evaluation, RULE_SOURCE, &label, 5_000_000)).unwrap()
}

fn yes(seconds: f64, confidence: &str) -> String {
    format!(
        r#"{{"prediction":{{"conversion_happened":1,"time_to_conversion_seconds":{seconds}}},"confidence":{confidence}}}"#
    )
}

fn no(confidence: &str) -> String {
    format!(r#"{{"prediction":{{"conversion_happened":0,"time_to_conversion_seconds":-1}},"confidence":{confidence}}}"#)
}

fn scores(evaluation: &Evaluation) -> Vec<f64> {
    evaluation.scores.iter().map(|scored| scored.score).collect()
}

fn reasons(evaluation: &Evaluation) -> Vec<Option<ZeroReason>> {
    evaluation.scores.iter().map(|scored| scored.reason).collect()
}

fn component(scored: &ResponseScored, name: &str) -> Option<f64> {
    crate::conversion::record::value(&scored.components, name)
}

#[test]
fn a_round_waits_and_its_label_pays() {
    let rules = conversion("assay-1");
    let right = yes(truth(true).seconds, "0.9");
    let facts = facts(true, &[&right, &no("0.1"), "{}", &yes(70.0, "7")], &[FailureReason::TimedOut]);
    let waiting = rules.evaluate(&facts).unwrap();
    assert!(waiting.scores.iter().all(|scored| !scored.counted && scored.score == 0.0));
    let awaiting = Some(ZeroReason::AwaitingLabel);
    let settled = [Some(ZeroReason::EmptyAnswer), Some(ZeroReason::InvalidAnswer), Some(ZeroReason::TimedOut)];
    assert_eq!(reasons(&waiting), [&[awaiting, awaiting], &settled[..]].concat());
    assert_eq!((waiting.round.components[0].name.as_str(), waiting.round.components[0].value), (AWAITS_LABEL, 1.0));
    assert_eq!((waiting.round.best, waiting.round.consensus), (None, 0.5));

    let done = final_scores(&rules, &facts, true);
    assert!(done.scores.iter().all(|scored| scored.counted));
    assert_eq!(reasons(&done), [&[None, Some(ZeroReason::WrongPrediction)], &settled[..]].concat());
    assert_eq!((done.round.label, done.round.best), (Some(Position(99)), Some(hotkey(1))));
    let expected = 0.8 * (0.55 * 0.375 + 0.45) + 0.2 * (1.0 - 3.0 / 60.0);
    assert!((done.scores[0].score - expected).abs() < 1e-12);
    assert_eq!(component(&done.scores[0], "response_time"), Some(3.0));
    assert_eq!(component(&done.scores[0], "total_reward"), Some(done.scores[0].score));
    assert!(done.round.components.iter().all(|component| component.name != AWAITS_LABEL));
    // One conversation, one truth to learn from.
    assert_eq!(done.round.statistics[1].values, [1.0]);
}

#[test]
fn the_running_upstream_does_not_wait() {
    let rules = conversion("0.1.0");
    assert!(!rules.awaits_labels());
    for (happened, expected) in [(true, 0.2), (false, 0.475)] {
        let answers = [yes(truth(true).seconds, "0.9"), no("0.1")];
        let facts = facts(happened, &[&answers[0], &answers[1], "{}"], &[FailureReason::TimedOut]);
        let done = rules.evaluate(&facts).unwrap();
        assert!(done.scores.iter().all(|scored| scored.counted && (scored.score - expected).abs() < 1e-12));
        assert_eq!(done.round.statistics, []);
        let refused = rules.evaluate_label(&labelled(&done, RULE_SOURCE, &truth(happened).to_label(), 1));
        assert!(matches!(refused, Err(EvaluationError::Label(_))), "{refused:?}");
    }
}

#[test]
fn labels_that_cannot_be_used() {
    let rules = conversion("readme");
    let waiting = rules.evaluate(&facts(true, &[&no("0.1")], &[])).unwrap();
    let refused = |source: &str, label: &str| {
        matches!(rules.evaluate_label(&labelled(&waiting, source, label, 1)), Err(EvaluationError::Label(_)))
    };
    let other = Truth { seconds: truth(true).seconds + 1.0, ..truth(true) };
    for label in ["", "{}", "null", &Truth::NO.to_label(), &other.to_label()] {
        assert!(refused(RULE_SOURCE, label), "{label}");
    }
    // Another source says what it knows.
    assert!(!refused("operator", &Truth::NO.to_label()));
    let mut over = waiting.clone();
    over.round.components.remove(0);
    assert!(rules.evaluate_label(&labelled(&over, "operator", &Truth::NO.to_label(), 1)).is_err());
}

#[test]
fn a_label_that_comes_too_late_counts_for_nobody() {
    let rules = conversion("readme");
    let waiting = rules.evaluate(&facts(true, &[&no("0.1")], &[FailureReason::TimedOut])).unwrap();
    let label = truth(true).to_label();
    let at = |after| rules.evaluate_label(&labelled(&waiting, RULE_SOURCE, &label, after)).unwrap();
    assert!(at(24 * HOUR).scores[0].counted);
    let late = at(24 * HOUR + 1);
    assert!(late.scores.iter().all(|scored| !scored.counted));
    assert_eq!(reasons(&late), [Some(ZeroReason::NoJudgement), Some(ZeroReason::TimedOut)]);
    assert_eq!((late.round.label, &late.round.statistics), (Some(Position(99)), &waiting.round.statistics));
}

#[test]
fn class_weights_follow_the_labels_from_round_to_round() {
    let rules = conversion("readme");
    let answer = yes(truth(true).seconds, "0.9");
    let mut statistics: Vec<Statistic> = Vec::new();
    for round in 0..101 {
        let facts = RoundFacts { statistics: statistics.clone(), ..facts(true, &[&answer], &[]) };
        let waiting = rules.evaluate(&facts).unwrap();
        assert_eq!(waiting.round.statistics, statistics);
        let done = final_scores(&rules, &facts, true);
        // The hundredth truth in a row makes "yes" worthless, from the next round on.
        let worth = if round < 100 { 0.375 } else { 0.0 };
        assert_eq!(component(&done.scores[0], "classification_reward"), Some(worth), "{round}");
        statistics = done.round.statistics;
    }
}

#[test]
fn requests_and_tasks() {
    let rules = conversion("readme");
    let mut challenge = Challenge {
        id: "c".to_owned(),
        correlation_id: None,
        prompt: None,
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.0,
        top_p: 1.0,
        max_tokens: 1,
        metadata: None,
        created_at: None,
        requester: None,
        task: Some(task::write(&features(true)).unwrap()),
    };
    let synapse = rules.synapse(&challenge).unwrap().unwrap();
    assert_eq!(synapse.kind.name, "ConversionSynapse");
    assert!(synapse.body.starts_with(r#"{"features":{"session_id":""#), "{}", synapse.body);
    // An echo of the request is an answer of the protocol, and earns nothing under rules of our own.
    let echo = facts(false, &[&synapse.body], &[]);
    assert!(scores(&final_scores(&rules, &echo, false))[0] > 0.0);
    assert_eq!(scores(&final_scores(&conversion("assay-1"), &echo, false)), [0.0]);
    for task in [None, Some("{}".to_owned())] {
        challenge.task = task.clone();
        assert!(rules.synapse(&challenge).is_err());
        let facts = RoundFacts { task, ..facts(true, &[], &[]) };
        assert!(matches!(rules.evaluate(&facts), Err(EvaluationError::MalformedTask { .. })));
    }
    assert!(rules.wants(Stage::AfterAnswers, &echo).is_empty() && rules.parse_response(b"[]").is_err());
}

#[test]
fn weaknesses_of_upstream_are_kept_reported_and_closed() {
    let (code, ours) = (conversion("0.1.0"), conversion("assay-1"));
    let reported: Vec<&str> = code.weaknesses().into_iter().map(|(flag, _)| flag).collect();
    assert_eq!(reported.len(), 12);
    assert!(ours.weaknesses().is_empty());
    // Each attack alone, beside an honest answer: what upstream pays it, and what we do.
    let honest = yes(truth(true).seconds, "0.9");
    for (attack, happened, flag) in [
        ("{}".to_owned(), false, "gate.missing_is_no"),
        (no("null"), false, "gate.confidence_demanded"),
        (no("0.5"), true, "gate.answers_read"),
        (yes(1.0, "null"), true, "gate.answers_read"),
        (yes(70.0, "\"nan\""), true, "gate.answers_read"),
        (
            r#"{"prediction":{"conversion_happened":1,"time_to_conversion_seconds":"inf"},"confidence":1}"#.to_owned(),
            true,
            "gate.finite_seconds",
        ),
        (
            r#"{"prediction":{"conversion_happened":0,"time_to_conversion_seconds":-1},"confidence":1,"response_time":-6000}"#
                .to_owned(),
            true,
            "reward.claimed_time",
        ),
    ] {
        assert!(reported.contains(&flag));
        let facts = facts(happened, &[&honest, &attack], &[]);
        let paid = scores(&final_scores(&code, &facts, happened));
        assert!(paid[1] > 0.0 && paid[0] == paid[1], "{attack}");
        assert_eq!(scores(&final_scores(&ours, &facts, happened))[1], 0.0, "{attack}");
    }
    // Claims are believed once answers are read, and then pay without a limit.
    let mut read = code.constants().clone();
    read.gate.answers_read = true;
    let read = Conversion::new(rule_set("read", read).unwrap()).unwrap();
    let claim = no("1").replacen('{', r#"{"response_time":-6000,"#, 1);
    assert!(scores(&read.evaluate(&facts(true, &[&claim], &[])).unwrap())[0] > 20.0);
}

#[test]
fn one_model_under_many_hotkeys_is_paid_once() {
    let at = |confidence: &str| yes(truth(true).seconds, confidence);
    let mut facts = facts(true, &[&at("0.9"), &at("0.8"), &at("0.7")], &[]);
    facts.responses[1].miner.coldkey = facts.responses[0].miner.coldkey;
    let found = scores(&final_scores(&conversion("assay-1"), &facts, true));
    assert!((found[0] + found[1] - found[2]).abs() < 1e-12 && found[0] == found[1]);
    let code = scores(&final_scores(&conversion("0.1.0"), &facts, true));
    assert_eq!((code[0], code[1]), (code[2], code[2]));
    let readme = final_scores(&conversion("readme"), &facts, true);
    assert!(readme.scores.iter().all(|scored| component(scored, "share") == Some(1.0)));
}

fn neuron(n: u8) -> Neuron {
    let miner = miner(n);
    Neuron {
        uid: miner.uid,
        hotkey: miner.hotkey,
        coldkey: miner.coldkey,
        ip: miner.ip,
        port: miner.port,
        stake: Rao(1),
        validator_permit: false,
        last_update: BlockNumber(0),
    }
}

fn metagraph(neurons: Vec<Neuron>) -> Metagraph {
    let mut metagraph = Metagraph::default();
    metagraph.observe(&MetagraphObserved {
        block: BlockNumber(5),
        block_hash: HexBytes([5; 32]),
        owner: None,
        full: true,
        neurons,
        removed: Vec::new(),
    });
    metagraph
}

fn derive(rules: &Conversion, metagraph: &Metagraph, miners: &BTreeMap<Hotkey, MinerState>) -> Derivation {
    rules.derive(&EpochFacts {
        now: Micros(10 * HOUR),
        own: hotkey(0),
        metagraph,
        miners,
        external: None,
        statistics: &[],
    })
}

/// A miner whose remembered answers, ten of each class, were right.
fn seen(average: Option<f64>, drawn: u64, hour: u64) -> MinerState {
    let at = Micros(hour * HOUR);
    MinerState { last_seen: Some(at), drawn, window: [(at, 1.0), (at, 3.0)].repeat(10), average }
}

#[test]
fn averages_move_with_counted_rounds_only() {
    let rules = conversion("readme");
    let facts = facts(true, &[&yes(truth(true).seconds, "0.9")], &[FailureReason::TimedOut]);
    let mut miners: BTreeMap<Hotkey, MinerState> =
        [(hotkey(7), seen(Some(0.5), 1, 9)), (hotkey(8), MinerState::default())].into();
    let before = miners.clone();
    rules.absorb(&mut miners, &rules.evaluate(&facts).unwrap().scores, Micros(1));
    assert_eq!(miners, before, "nothing counts before the label");
    let done = final_scores(&rules, &facts, true);
    rules.absorb(&mut miners, &done.scores, Micros(2));
    let alpha = 0.05f32;
    assert_eq!(miners[&hotkey(1)].average, Some(f64::from(alpha * done.scores[0].score as f32)));
    assert_eq!(miners[&hotkey(50)].average, Some(0.0));
    assert_eq!(miners[&hotkey(7)].average, Some(f64::from(0.95f32 * 0.5)), "not asked: decays");
    assert_eq!(miners[&hotkey(8)].average, None);
    conversion("assay-1").absorb(&mut miners, &done.scores, Micros(3));
    assert_eq!(miners[&hotkey(7)].average, Some(f64::from(0.95f32 * 0.5)), "not asked: stays");
}

#[test]
fn weights_and_a_reason_for_each_zero() {
    let rules = conversion("assay-1");
    let mut permitted = neuron(6);
    (permitted.validator_permit, permitted.stake) = (true, Rao(5_000_000_000_000));
    let slots = vec![neuron(0), neuron(1), neuron(2), neuron(3), neuron(4), neuron(5), permitted, neuron(7), neuron(8)];
    let miners = [
        (hotkey(1), seen(Some(0.5), 3, 9)),
        (hotkey(2), seen(Some(0.25), 3, 9)),
        (hotkey(3), seen(Some(0.0), 3, 9)),
        (hotkey(4), seen(None, 3, 9)),
        (hotkey(6), seen(Some(0.5), 3, 9)),
        (hotkey(7), seen(Some(0.5), 3, 1)),
        (hotkey(8), seen(Some(0.5 / 140_000.0), 3, 9)),
        (hotkey(77), seen(Some(0.5), 3, 9)),
    ];
    let found = derive(&rules, &metagraph(slots.clone()), &miners.into());
    let weight = |n: u8, weight| Weight { uid: Uid(n.into()), hotkey: hotkey(n), weight };
    assert_eq!((found.skip, found.weights), (None, vec![weight(1, 65535), weight(2, 32768)]));
    let zero = |n: u8, reason| ZeroWeight { uid: Uid(n.into()), hotkey: hotkey(n), reason };
    assert_eq!(
        found.zeros,
        [
            zero(0, ZeroReason::NotServing),
            zero(3, ZeroReason::NoScore),
            zero(4, ZeroReason::NeverAnswered),
            zero(5, ZeroReason::NotSampled),
            zero(6, ZeroReason::NotServing),
            zero(7, ZeroReason::Stale),
            zero(8, ZeroReason::QuantisedToZero),
        ]
    );
    assert_eq!(found.averages.get(&hotkey(77)), Some(&0.5), "carried on, under its hotkey");
    // Upstream's averages decay by themselves and know no staleness.
    let stale = [(hotkey(7), seen(Some(0.5), 3, 1))];
    assert_eq!(
        derive(&conversion("0.1.0"), &metagraph(slots.clone()), &stale.clone().into()).weights,
        [weight(7, 65535)]
    );
    for (slots, miners, skip) in [
        (slots.clone(), BTreeMap::from(stale), SkipReason::NoScores),
        (vec![neuron(0)], BTreeMap::new(), SkipReason::NobodyServing),
        (vec![neuron(1)], BTreeMap::from([(hotkey(1), seen(Some(0.5), 1, 9))]), SkipReason::NotRegistered),
    ] {
        let found = derive(&rules, &metagraph(slots), &miners);
        assert_eq!((found.skip, found.weights), (Some(skip), vec![]));
    }
}

#[test]
fn a_reused_uid_inherits_nothing() {
    let mut newcomer = neuron(2);
    newcomer.uid = Uid(1);
    let miners = BTreeMap::from([(hotkey(1), seen(Some(0.5), 3, 9)), (hotkey(3), seen(Some(0.5), 3, 9))]);
    for version in ["readme", "0.1.0", "assay-1"] {
        let slots = metagraph(vec![neuron(0), newcomer.clone(), neuron(3)]);
        let found = derive(&conversion(version), &slots, &miners);
        assert_eq!(found.weights.iter().map(|weight| weight.uid).collect::<Vec<_>>(), [Uid(3)], "{version}");
        assert!(found.zeros.contains(&ZeroWeight { uid: Uid(1), hotkey: hotkey(2), reason: ZeroReason::NotSampled }));
    }
}

#[test]
fn a_permit_makes_a_validator_only_above_the_stake() {
    let miners = BTreeMap::from([1, 2, 3].map(|n| (hotkey(n), seen(Some(0.5), 3, 9))));
    let with = |n: u8, stake: u64| Neuron { validator_permit: true, stake: Rao(stake), ..neuron(n) };
    let slots = metagraph(vec![neuron(0), with(1, 4_096_000_000_000), with(2, 4_096_000_000_001), neuron(3)]);
    for version in ["readme", "0.1.0", "assay-1"] {
        let rules = conversion(version);
        assert_eq!(rules.validator_stake(), Some(4096.0));
        let found = derive(&rules, &slots, &miners);
        assert_eq!(found.weights.iter().map(|weight| weight.uid.0).collect::<Vec<_>>(), [1, 3], "{version}");
    }
}

/// What the answer "no" scores in one round, whoever gives it. What of the average is paid, is seen over many: `weaknesses`.
#[test]
fn a_constant_no_earns_on_negatives() {
    for (version, on_negative, on_positive) in [("0.1.0", 0.475, 0.2), ("readme", 0.515, 0.24), ("assay-1", 0.475, 0.0)]
    {
        let rules = conversion(version);
        let paid = |happened: bool| {
            let facts = facts(happened, &[&no("0.1")], &[]);
            scores(&final_scores(&rules, &facts, happened))[0]
        };
        let (negative, positive) = (paid(false), paid(true));
        let near = |found: f64, expected: f64| (found - expected).abs() < 0.03;
        assert!(near(negative, on_negative) && near(positive, on_positive), "{version}: {negative} {positive}");
    }
}

fn any_body() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("\"nan\"".to_owned()),
        Just("\"-inf\"".to_owned()),
        Just("1e308".to_owned()),
        Just("-1".to_owned()),
        (-10.0f64..130.0).prop_map(|number| number.to_string()),
    ];
    let confidence = prop_oneof![Just("null".to_owned()), number.clone()];
    (-1i32..3, number.clone(), confidence, number).prop_map(|(class, seconds, confidence, time)| {
        format!(
            r#"{{"prediction":{{"conversion_happened":{class},"time_to_conversion_seconds":{seconds}}},"confidence":{confidence},"response_time":{time}}}"#
        )
    })
}

proptest! {
    #[test]
    fn scores_are_recordable_and_permuting_miners_permutes_them(
        bodies in prop::collection::vec(any_body(), 0..8), turn in 0usize..8, happened: bool, which in 0usize..3,
    ) {
        let rules = conversion(["readme", "0.1.0", "assay-1"][which]);
        let texts: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let facts = facts(happened, &texts, &[FailureReason::Refused]);
        let found = final_scores(&rules, &facts, happened);
        for scored in &found.scores {
            prop_assert!(scored.counted && (0.0..=1.0).contains(&scored.score), "{:?}", scored);
            prop_assert_eq!(scored.reason.is_some(), scored.score == 0.0);
            prop_assert_eq!(crate::finite::check(scored), Ok(()));
        }
        prop_assert_eq!(crate::finite::check(&found.round), Ok(()));
        let mut turned = facts.clone();
        let turn = if bodies.is_empty() { 0 } else { turn % bodies.len() };
        turned.responses.rotate_left(turn);
        let mut expected = found.scores.clone();
        expected[..bodies.len()].rotate_left(turn);
        prop_assert_eq!(final_scores(&rules, &turned, happened).scores, expected);
    }
}

#[path = "weakness_tests.rs"]
mod weaknesses;
