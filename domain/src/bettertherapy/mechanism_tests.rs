//! Rounds, labels and epochs from facts, with the judge that needs no model.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::super::evaluation::{BATCH, BURNT};
use super::super::task::{Question, Task};
use super::*;
use crate::events::{DrawnMiner, FailureReason, Neuron, SkipReason, Statistic, ZeroReason};
use crate::mechanism::{AWAITS_LABEL, FailedCall, JudgementFact, OFFLINE, ResponseFact, rule_set};
use crate::metagraph::Metagraph;
use crate::ruleset::RuleSetError;
use crate::types::{BlockNumber, Digest, HexBytes, Position, Rao, Uid, sha256};
use proptest::prelude::*;

const QUESTION: &str = "I cannot sleep because I worry about work at night. What helps against the worries?";
const BASE: &str = "Worries about work at night keep many people from sleep. Write your worries down an hour before bed, keep a \
    fixed hour for getting up, and leave the phone outside the bedroom. If sleep does not return for weeks, ask a doctor.";
const HONEST: &str = "I am sorry that work worries keep you from sleep. Maybe write the worries down before bed, and put your phone \
    outside the bedroom at night.";
const OTHER: &str = "Lying awake with worries is tiring. What about a fixed hour for bed at night, and a doctor if the sleep stays \
    away for weeks because of work?";
const SPAM: &str = "Great question! Stay positive and follow us for more wonderful content every single day!";

fn therapy(version: &str) -> BetterTherapy {
    let name = format!("bettertherapy/{version}");
    BetterTherapy::new(BetterTherapy::shipped().into_iter().find(|set| set.name() == name).unwrap()).unwrap()
}

fn with(change: impl FnOnce(&mut Constants)) -> BetterTherapy {
    let mut constants = Constants::v1_2_2();
    change(&mut constants);
    BetterTherapy::new(rule_set("x", constants).unwrap()).unwrap()
}

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn miner(n: u8) -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(n), uid: Uid(n.into()), coldkey: hotkey(100 + n), ip: format!("10.0.0.{n}"), port: 1 }
}

fn task() -> Task {
    let question =
        Question::Shipped { id: "t".into(), question: QUESTION.into(), answer: BASE.into(), failed: Vec::new() };
    Task { request_id: "btai_X".into(), question }
}

fn response(n: u8, text: &str, milliseconds: u32) -> ResponseFact {
    ResponseFact {
        position: Position(n.into()),
        miner: miner(n),
        response_time_ms: milliseconds,
        first_byte_ms: milliseconds,
        text: text.to_owned(),
        text_hash: sha256(text.as_bytes()),
    }
}

/// A round of these answers, with every verdict recorded that the rules ask for; `judge` may reply for the judge.
fn facts_by(
    therapy: &BetterTherapy,
    responses: Vec<ResponseFact>,
    judge: impl Fn(&JudgementRequest) -> Option<String>,
) -> RoundFacts {
    let mut facts = RoundFacts {
        challenge_id: "c".to_owned(),
        attempt: 1,
        task: Some(task().to_text()),
        prompt: QUESTION.to_owned(),
        ..RoundFacts::default()
    };
    for stage in [Stage::BeforeIssue, Stage::AfterAnswers] {
        if stage == Stage::AfterAnswers {
            facts.responses.clone_from(&responses);
            facts.failures = vec![(miner(90), FailureReason::TimedOut)];
        }
        for want in therapy.wants(stage, &facts) {
            let Want::Judgement(request) = want else { panic!("{want:?}") };
            let reply = judge(&request).or_else(|| therapy.offline(&request)).unwrap();
            let JudgementRequest { purpose, hotkey, .. } = request;
            facts.judgements.push(JudgementFact { purpose, hotkey, reply: reply.into_bytes() });
        }
        assert!(therapy.wants(stage, &facts).is_empty());
    }
    facts
}

fn facts(therapy: &BetterTherapy, responses: Vec<ResponseFact>) -> RoundFacts {
    facts_by(therapy, responses, |_| None)
}

fn totals(evaluation: &Evaluation) -> Vec<f64> {
    evaluation.scores.iter().map(|score| score.score).collect()
}

fn reasons(evaluation: &Evaluation) -> Vec<Option<ZeroReason>> {
    evaluation.scores.iter().map(|score| score.reason).collect()
}

fn figure(evaluation: &Evaluation, name: &str) -> f64 {
    evaluation.round.components.iter().find(|component| component.name == name).unwrap().value
}

fn of_miner(evaluation: &Evaluation, place: usize, name: &str) -> Option<f64> {
    evaluation.scores[place].components.iter().find(|component| component.name == name).map(|found| found.value)
}

#[test]
fn question_and_base_answer_are_asked_for_before_anybody_else() {
    let therapy = therapy("readme");
    let mut facts = RoundFacts { challenge_id: "c".into(), task: Some(task().to_text()), ..RoundFacts::default() };
    let [Want::Judgement(request)] = &therapy.wants(Stage::BeforeIssue, &facts)[..] else { panic!() };
    assert_eq!((request.purpose.as_str(), request.hotkey), ("question_and_base_answer", None));
    assert_eq!(therapy.offline(request).unwrap(), format!("{{\"question\":\"{QUESTION}\",\"answer\":\"{BASE}\"}}"));
    let sent: serde_json::Value = serde_json::from_str(&request.request).unwrap();
    assert!(sent["system"].is_string() && sent["user"].as_str().unwrap().contains("worries"));
    assert!(sent["maximum_tokens"] == 1000 && sent["schema"]["type"] == "object");
    // A client's own question needs a model for its base answer, and so does a question that a model wrote.
    facts.task = None;
    facts.prompt = "Why?".into();
    let [Want::Judgement(request)] = &therapy.wants(Stage::BeforeIssue, &facts)[..] else { panic!() };
    assert_eq!(therapy.offline(request), None);
    facts.task = Some("{}".into());
    assert!(therapy.wants(Stage::BeforeIssue, &facts).is_empty());
    assert!(matches!(therapy.evaluate(&facts), Err(EvaluationError::MalformedTask { .. })));
}

#[test]
fn the_base_answer_is_the_recorded_one() {
    let therapy = therapy("assay-1");
    let other = "{\"answer\":\"Tides come from the Moon and the Sun, twice a day, and highest at new and full moon.\"}";
    let judge = |request: &JudgementRequest| (request.purpose == "question_and_base_answer").then(|| other.to_owned());
    let facts = facts_by(&therapy, vec![response(1, HONEST, 5000)], judge);
    let [Want::Judgement(request)] = &{
        let mut again = facts.clone();
        again.judgements.truncate(1);
        therapy.wants(Stage::AfterAnswers, &again)
    }[..] else {
        panic!()
    };
    assert!(request.request.contains("Tides come") && !request.request.contains("keep many people"));
    assert_eq!((request.purpose.as_str(), request.hotkey), ("quality", Some(hotkey(1))));
    for reply in ["", "[]", "{\"answer\":\" \"}"] {
        let mut without = facts.clone();
        without.judgements[0].reply = reply.into();
        let found = therapy.evaluate(&without);
        assert!(matches!(found, Err(EvaluationError::MissingJudgement { .. })), "{found:?}");
    }
}

#[test]
fn a_round_under_each_rule_set() {
    let answers =
        || vec![response(2, HONEST, 4000), response(1, BASE, 12_000), response(3, SPAM, 10), response(4, "", 5)];
    for (version, second, judgements) in [("readme", 0.7 * 49.0 + 15.0, 4), ("assay-1", 49.0 + 15.0 * 0.7, 4)] {
        let therapy = therapy(version);
        let facts = facts(&therapy, answers());
        assert_eq!(facts.judgements.len(), judgements, "{version}");
        let found = therapy.evaluate(&facts).unwrap();
        assert!((found.scores[1].score - second).abs() < 1e-9, "{version}: {:?}", totals(&found));
        assert_eq!(reasons(&found)[3..], [Some(ZeroReason::EmptyAnswer), Some(ZeroReason::TimedOut)]);
        assert!(found.scores.iter().all(|score| score.counted && score.reason.is_none() == (score.score > 0.0)));
        assert_eq!(of_miner(&found, 0, "response_time"), Some(4.0));
        assert_eq!(of_miner(&found, 0, "response_time_score"), Some(100.0));
        assert_eq!(of_miner(&found, 1, "quality_score"), Some(70.0));
        assert_eq!(of_miner(&found, 1, "total_score"), Some(found.scores[1].score));
        assert_eq!(found.round.best, Some(hotkey(2)));
        assert_eq!(figure(&found, "answers"), 4.0);
    }
    // Upstream: one judgement for the line, and everything waits.
    let running = therapy("1.2.2");
    let facts = facts(&running, answers());
    let purposes: Vec<&str> = facts.judgements.iter().map(|judged| judged.purpose.as_str()).collect();
    assert_eq!(purposes, ["question_and_base_answer", "quality/1/1"]);
    let found = running.evaluate(&facts).unwrap();
    assert_eq!(totals(&found), [0.0; 5]);
    assert_eq!(reasons(&found)[..2], [Some(ZeroReason::AwaitingLabel); 2]);
    assert!(found.scores.iter().all(|score| !score.counted));
    assert_eq!((figure(&found, AWAITS_LABEL), figure(&found, "sharing_a_judgement")), (1.0, 3.0));
    assert_eq!((of_miner(&found, 0, "batch_place"), of_miner(&found, 1, "batch_place")), (Some(2.0), Some(1.0)));
}

fn label(evaluation: &Evaluation, seconds: u64, label: &str) -> LabelFacts {
    LabelFacts {
        position: Position(77),
        source: BATCH.to_owned(),
        label: label.to_owned(),
        revealed: Micros(5_000_000 + seconds * 1_000_000),
        evaluated: Micros(5_000_000),
        round: evaluation.clone(),
        statistics: evaluation.round.statistics.clone(),
    }
}

#[test]
fn a_batch_pays_when_it_is_complete() {
    let running = therapy("1.2.2");
    assert!(running.awaits_labels() && !therapy("readme").awaits_labels() && !therapy("assay-1").awaits_labels());
    let waiting = running.evaluate(&facts(&running, vec![response(1, BASE, 5000), response(2, "", 9)])).unwrap();
    let completed = r#"{"status":"completed"}"#;
    let paid = running.evaluate_label(&label(&waiting, 86_401, completed)).unwrap();
    assert!((paid.scores[0].score - 79.0).abs() < 1e-9 && paid.scores[0].counted && paid.scores[0].reason.is_none());
    assert_eq!(reasons(&paid)[1..], [Some(ZeroReason::EmptyAnswer), Some(ZeroReason::TimedOut)]);
    assert_eq!((paid.round.label, paid.round.best), (Some(Position(77)), Some(hotkey(1))));
    assert!(!paid.round.components.iter().any(|component| component.name == AWAITS_LABEL));
    assert_eq!(figure(&paid, "batch_seconds"), 86_401.0);
    for status in ["failed", "expired", "cancelled"] {
        let lost = running.evaluate_label(&label(&waiting, 90_000, &format!("{{\"status\":\"{status}\"}}"))).unwrap();
        assert!(totals(&lost).iter().all(|score| *score == 0.0) && lost.scores.iter().all(|score| !score.counted));
        assert_eq!(reasons(&lost)[0], Some(ZeroReason::NoJudgement));
    }
    let refused = |facts: &LabelFacts| running.evaluate_label(facts).is_err();
    assert!(refused(&label(&waiting, 86_400, completed)), "not before 24 hours are over");
    assert!(refused(&label(&waiting, 90_000, "{}")) && refused(&label(&waiting, 90_000, "completed")));
    assert!(refused(&LabelFacts { source: "rumour".into(), ..label(&waiting, 90_000, completed) }));
    assert!(therapy("readme").evaluate_label(&label(&waiting, 90_000, completed)).is_err());
}

fn neuron(uid: u16, n: u8, validator_permit: bool, ip: &str) -> Neuron {
    Neuron {
        uid: Uid(uid),
        hotkey: hotkey(n),
        coldkey: hotkey(n),
        ip: ip.to_owned(),
        port: 1,
        stake: Rao(0),
        validator_permit,
        last_update: BlockNumber(0),
    }
}

fn metagraph() -> Metagraph {
    let neurons = [
        neuron(0, 200, true, "0.0.0.0"),
        neuron(1, 1, false, "10.0.0.1"),
        neuron(2, 2, false, "10.0.0.2"),
        neuron(3, 3, false, "10.0.0.3"),
        neuron(4, 201, true, "10.0.0.4"),
        neuron(5, 90, false, "10.0.0.5"),
    ];
    let mut metagraph = Metagraph::default();
    let zero: Digest = HexBytes([0; 32]);
    metagraph.observe(&Metagraph::full(BlockNumber(1), zero, None, &neurons));
    metagraph
}

fn derive(
    therapy: &BetterTherapy,
    metagraph: &Metagraph,
    miners: &BTreeMap<Hotkey, MinerState>,
    statistics: &[Statistic],
) -> Derivation {
    let (now, own) = (Micros(9), hotkey(201));
    therapy.derive(&EpochFacts { now, own, metagraph, miners, external: None, statistics })
}

#[test]
fn averages_grow_and_decay_by_hotkey() {
    let therapy = therapy("readme");
    let mut miners = BTreeMap::new();
    let first = therapy.evaluate(&facts(&therapy, vec![response(1, BASE, 12_000)])).unwrap();
    therapy.absorb(&mut miners, &first.scores, Micros(1));
    let second = therapy.evaluate(&facts(&therapy, vec![response(2, BASE, 12_000)])).unwrap();
    therapy.absorb(&mut miners, &second.scores, Micros(2));
    let average = |n: u8| miners[&hotkey(n)].average;
    let one = first.scores[0].score as f32 * 0.1_f32;
    assert_eq!((average(1), average(2)), (Some(f64::from(one * 0.9_f32)), Some(f64::from(one))));
    assert!(miners.values().all(|miner| miner.window.is_empty()) && average(90) == Some(0.0));
    let found = derive(&therapy, &metagraph(), &miners, &[]);
    let weights: Vec<(u16, u16)> = found.weights.iter().map(|weight| (weight.uid.0, weight.weight)).collect();
    // 0.9 × 65535 = 58981.5, and the share in single precision is a little less than 0.9.
    assert_eq!(weights, [(1, 58981), (2, 65535)]);
    let zeros: Vec<(u16, ZeroReason)> = found.zeros.iter().map(|zero| (zero.uid.0, zero.reason)).collect();
    let [idle, unseen, failed] = [ZeroReason::NotServing, ZeroReason::NotSampled, ZeroReason::NoScore];
    assert_eq!(zeros, [(0, idle), (3, unseen), (4, idle), (5, failed)]);
    assert_eq!((found.window_start, found.skip), (Micros(9), None));
    assert_eq!(derive(&therapy, &metagraph(), &BTreeMap::new(), &[]).skip, Some(SkipReason::NoScores));
    assert_eq!(derive(&therapy, &Metagraph::default(), &miners, &[]).skip, Some(SkipReason::NotRegistered));
}

#[test]
fn a_hotkey_that_takes_a_slot_inherits_nothing() {
    for version in ["readme", "assay-1"] {
        let therapy = therapy(version);
        let mut miners = BTreeMap::new();
        let round =
            therapy.evaluate(&facts(&therapy, vec![response(1, BASE, 5000), response(2, HONEST, 5000)])).unwrap();
        therapy.absorb(&mut miners, &round.scores, Micros(1));
        let mut metagraph = metagraph();
        let taken = [neuron(1, 9, false, "10.0.0.1")];
        let observed = Metagraph::default().difference(BlockNumber(2), HexBytes([0; 32]), None, &taken);
        metagraph.observe(&observed);
        let found = derive(&therapy, &metagraph, &miners, &[]);
        assert_eq!(found.weights.iter().map(|weight| weight.uid.0).collect::<Vec<_>>(), [2], "{version}");
    }
    // Upstream pays slot 0 alone, whoever holds it, and nobody who came to another slot that was paid once.
    let running = therapy("1.2.2");
    let round = running.evaluate(&facts(&running, vec![response(1, BASE, 5000)])).unwrap();
    let miners = BTreeMap::from([(hotkey(1), MinerState { average: Some(50.0), ..MinerState::default() })]);
    let mut metagraph = metagraph();
    let taken = [neuron(0, 8, false, "0.0.0.0"), neuron(1, 9, false, "10.0.0.1")];
    metagraph.observe(&Metagraph::default().difference(BlockNumber(2), HexBytes([0; 32]), None, &taken));
    let found = derive(&running, &metagraph, &miners, &round.round.statistics);
    let paid: Vec<(u16, Hotkey)> = found.weights.iter().map(|weight| (weight.uid.0, weight.hotkey)).collect();
    assert_eq!(paid, [(0, hotkey(8))]);
    assert!(found.zeros.iter().any(|zero| (zero.uid, zero.reason) == (Uid(1), ZeroReason::Burned)));
}

#[test]
fn a_permit_makes_a_validator_only_above_the_stake() {
    for version in ["readme", "1.2.2", "assay-1"] {
        assert_eq!(therapy(version).validator_stake(), Some(4096.0));
    }
    let ours = therapy("assay-1");
    let miners = [1, 2, 3].map(|n| (hotkey(n), MinerState { average: Some(50.0), ..MinerState::default() }));
    let with = |n: u8, stake: u64| Neuron { stake: Rao(stake), ..neuron(n.into(), n, true, &format!("10.0.0.{n}")) };
    let mut metagraph = metagraph();
    let permitted = [with(1, 4_096_000_000_000), with(2, 4_096_000_000_001)];
    metagraph.observe(&Metagraph::default().difference(BlockNumber(2), HexBytes([0; 32]), None, &permitted));
    let found = derive(&ours, &metagraph, &miners.into(), &[]);
    assert_eq!(found.weights.iter().map(|weight| weight.uid.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn everything_is_burnt_upstream_and_nothing_by_our_rule() {
    let running = therapy("1.2.2");
    let mut miners = BTreeMap::from([(hotkey(3), MinerState { average: Some(50.0), ..MinerState::default() })]);
    let mut round = running.evaluate(&facts(&running, vec![response(1, BASE, 5000)])).unwrap();
    running.absorb(&mut miners, &round.scores, Micros(1));
    assert_eq!(miners[&hotkey(3)].average, Some(45.0), "an hour takes its tenth from everybody");
    let mut burnt = vec![round.round.statistics[0].values[0]];
    for _ in 0..2 {
        let next =
            RoundFacts { statistics: round.round.statistics.clone(), ..facts(&running, vec![response(1, BASE, 5000)]) };
        round = running.evaluate(&next).unwrap();
        running.absorb(&mut miners, &round.scores, Micros(1));
        burnt.push(round.round.statistics[0].values[0]);
    }
    let near = burnt.iter().zip([0.1, 0.19, 0.271]).all(|(found, expected)| (found - expected).abs() < 1e-6);
    assert!(near && round.round.statistics[0].name == BURNT, "{burnt:?}");
    // The label pays scores, but no average and no burnt slot.
    let paid = running.evaluate_label(&label(&round, 90_000, r#"{"status":"completed"}"#)).unwrap();
    assert_eq!(paid.round.statistics[0], round.round.statistics[0]);
    let before = miners.clone();
    running.absorb(&mut miners, &paid.scores, Micros(2));
    assert_eq!(miners, before);
    miners.remove(&hotkey(3));
    let found = derive(&running, &metagraph(), &miners, &paid.round.statistics);
    assert_eq!(
        found.weights.iter().map(|w| (w.uid.0, w.hotkey, w.weight)).collect::<Vec<_>>(),
        [(0, hotkey(200), 65535)]
    );
    assert!(found.zeros.iter().all(|zero| matches!(zero.reason, ZeroReason::Burned | ZeroReason::NotServing)));
    assert_eq!(derive(&running, &metagraph(), &miners, &[]).skip, Some(SkipReason::NoScores));
}

#[test]
fn the_burn_of_autumn_takes_ninety_five_percent() {
    let autumn = with(|constants| {
        constants.payout.burn = super::super::constants::Burn::ninety_five();
        constants.judge.ready_after_seconds = 0;
    });
    let mut miners = BTreeMap::new();
    let round = autumn.evaluate(&facts(&autumn, vec![response(1, BASE, 5000), response(2, BASE, 15_000)])).unwrap();
    autumn.absorb(&mut miners, &round.scores, Micros(1));
    assert!((miners[&hotkey(1)].average.unwrap() - 10.0 * 79.0 / 143.0).abs() < 1e-5);
    let found = derive(&autumn, &metagraph(), &miners, &round.round.statistics);
    let total: f64 = found.weights.iter().map(|weight| f64::from(weight.weight)).sum();
    assert!((f64::from(found.weights[0].weight) / total - 0.95).abs() < 1e-4 && found.weights[0].uid == Uid(0));
}

#[test]
fn one_record_is_scored_under_the_other_grouping() {
    let answers = || vec![response(3, HONEST, 5000), response(1, BASE, 12_000), response(2, SPAM, 5)];
    let (running, ours, readme) = (therapy("1.2.2"), therapy("assay-1"), therapy("readme"));
    let (lines, singles) = (facts(&running, answers()), facts(&ours, answers()));
    for rules in [&running, &ours, &readme] {
        let found = rules.evaluate(&singles).unwrap();
        assert_eq!(found, rules.evaluate(&lines).unwrap(), "{}", rules.rule_set().name());
    }
    // What the first of the two asks for is missing all the same.
    assert_eq!(ours.wants(Stage::AfterAnswers, &lines).len(), 3);
    let mut nothing = singles.clone();
    nothing.judgements.truncate(1);
    for rules in [&running, &ours] {
        assert!(matches!(rules.evaluate(&nothing), Err(EvaluationError::MissingJudgement { .. })));
    }
}

#[test]
fn requests_are_answered_as_named() {
    let therapy = therapy("readme");
    for (purpose, request) in [("summary", "{}"), ("quality", "{}"), ("quality", "no json"), ("question", "{}")] {
        let request = JudgementRequest { purpose: purpose.into(), hotkey: None, request: request.into() };
        assert_eq!(therapy.offline(&request), None, "{purpose}");
    }
    let question = evidence::question_request().unwrap();
    assert_eq!(therapy.offline(&question), None, "questions are not made up");
    assert_ne!(question.purpose, OFFLINE);
    let constants =
        Constants { duplicates: Some(super::super::constants::Duplicates { similarity: 2.0 }), ..Constants::assay_1() };
    let refused = BetterTherapy::new(rule_set("x", constants).unwrap());
    assert!(matches!(refused, Err(RuleSetError::Constant { constant: "duplicates.similarity", .. })));
}

proptest! {
    #[test]
    fn permuting_miners_permutes_scores(times in prop::collection::vec(1u32..40_000, 2..9), turn in 0usize..9, texts in any::<u64>()) {
        let parts = [HONEST, OTHER, BASE, SPAM, ""];
        let text = |at: usize| format!("{} w{at} v{at}", parts[(texts >> (at * 3)) as usize % parts.len()]);
        let answers: Vec<ResponseFact> =
            times.iter().enumerate().map(|(at, time)| response(at as u8 + 1, &text(at), *time)).collect();
        let turn = turn % answers.len();
        let mut turned = answers.clone();
        turned.rotate_left(turn);
        for version in ["readme", "1.2.2"] {
            let therapy = therapy(version);
            let total = |facts: &RoundFacts| -> Vec<f64> {
                let found = therapy.evaluate(facts).unwrap();
                (0..times.len()).map(|place| of_miner(&found, place, "total_score").unwrap()).collect()
            };
            let mut expected = total(&facts(&therapy, answers.clone()));
            prop_assert!(expected.iter().all(|total| (0.0..=100.0).contains(total)));
            expected.rotate_left(turn);
            prop_assert_eq!(total(&facts(&therapy, turned.clone())), expected, "{}", version);
        }
    }

    #[test]
    fn hostile_bodies_and_replies_lead_to_finite_scores(body in prop::collection::vec(any::<u8>(), 0..60), reply in "\\PC{0,40}") {
        for version in ["readme", "1.2.2", "assay-1"] {
            let therapy = therapy(version);
            let _ = therapy.parse_response(&body);
            let judge = |request: &JudgementRequest| request.purpose.starts_with("quality").then(|| reply.clone());
            let found = therapy.evaluate(&facts_by(&therapy, vec![response(1, &reply, 5000), response(2, HONEST, 1)], judge)).unwrap();
            for score in &found.scores {
                prop_assert!((0.0..=200.0).contains(&score.score));
                prop_assert!(score.components.iter().all(|component| component.value.is_finite()));
                prop_assert!(score.score > 0.0 || score.reason.is_some());
            }
        }
    }
}

#[path = "weakness_tests.rs"]
mod weaknesses;
