//! The worked mechanism through the same doors as the shipped ones: rounds, the epoch's fold, the request's bytes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use brevity::{Brevity, Constants, Task};
use domain::epoch::EpochFold;
use domain::events::{DrawnMiner, Event, FailureReason, Neuron, ZeroReason};
use domain::mechanism::{Mechanism, ResponseFact, RoundFacts, Rules};
use domain::metagraph::Metagraph;
use domain::types::{BlockNumber, Hotkey, Micros, Position, Rao, Uid, sha256};

fn brevity() -> Brevity {
    Brevity(Rules::new(Rules::<Constants>::shipped().remove(0)).unwrap())
}

fn hotkey(n: u16) -> Hotkey {
    Hotkey::from_public(&sha256(&n.to_be_bytes()).0)
}

fn miner(n: u16) -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(n), uid: Uid(n), coldkey: hotkey(n), ip: "10.0.0.1".into(), port: 1 }
}

fn facts(answers: &[&str]) -> RoundFacts {
    let task = Some(serde_json::to_string(&Task { word: "moon".into() }).unwrap());
    let mut facts = RoundFacts { challenge_id: "c".into(), attempt: 1, task, ..RoundFacts::default() };
    for (at, answer) in (1..).zip(answers) {
        let (position, text, text_hash) = (Position(at), (*answer).to_owned(), sha256(answer.as_bytes()));
        let miner = miner(u16::try_from(at).unwrap());
        facts.responses.push(ResponseFact { position, miner, response_time_ms: 5, first_byte_ms: 4, text, text_hash });
    }
    facts.failures.push((miner(9), FailureReason::TimedOut));
    facts
}

#[test]
fn short_answers_with_the_word_are_paid() {
    let brevity = brevity();
    let found = brevity.evaluate(&facts(&["moon", "the full moon", "the sun"])).unwrap();
    let scores: Vec<f64> = found.scores.iter().map(|score| score.score).collect();
    assert_eq!(scores, [1.0, 1.0 / 3.0, 0.0, 0.0]);
    assert_eq!(found.scores[2].reason, Some(ZeroReason::InvalidAnswer));
    assert_eq!(found.scores[3].reason, Some(ZeroReason::TimedOut));
    assert_eq!(found.round.best, Some(hotkey(1)));
    assert!(brevity.evaluate(&RoundFacts::default()).is_err(), "a round without a task");
    for body in ["", "7", "{\"a\":1}", "\"moon", "{\"said\":7}"] {
        assert!(brevity.parse_response(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn an_epoch_folds_to_weights_and_carries_on() {
    let brevity: Arc<dyn Mechanism> = Arc::new(brevity());
    let neuron = |n: u16| Neuron {
        uid: Uid(n),
        hotkey: hotkey(n),
        coldkey: hotkey(n),
        ip: "10.0.0.1".into(),
        port: 1,
        stake: Rao(0),
        validator_permit: n == 0,
        last_update: BlockNumber(0),
    };
    let neurons: Vec<Neuron> = (0..5).map(neuron).collect();
    let mut fold = EpochFold::genesis(Arc::clone(&brevity), hotkey(0));
    let evaluation = brevity.evaluate(&facts(&["moon", "the full moon", "the sun"])).unwrap();
    for event in domain::round::events(evaluation) {
        fold.apply(Position(1), Micros(1), &event);
    }
    let metagraph = Metagraph::full(BlockNumber(7), sha256(b"block"), None, &neurons);
    fold.apply(Position(9), Micros(9), &Event::MetagraphObserved(metagraph));
    let derived = fold.derive();
    let weights: Vec<(u16, u16)> = derived.weights.iter().map(|weight| (weight.uid.0, weight.weight)).collect();
    assert_eq!(weights, [(1, 65535), (2, 21845)]);
    let reasons: Vec<ZeroReason> = derived.zeros.iter().map(|zero| zero.reason).collect();
    assert_eq!(reasons, [ZeroReason::NotServing, ZeroReason::NoScore, ZeroReason::NotSampled]);
    // The next epoch begins with the averages that this one recorded.
    let mut next = EpochFold::carry(brevity, hotkey(0), &derived).unwrap();
    let later = Metagraph::full(BlockNumber(9), sha256(b"later"), None, &neurons);
    next.apply(Position(20), Micros(20), &Event::MetagraphObserved(later));
    assert_eq!(next.derive().weights, derived.weights);
}
