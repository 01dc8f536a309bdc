//! From a round's facts to its scores: what was answered is recorded first, the rewards follow from that record and the truth.
//!
//! Where labels are awaited the two steps are apart: [`evaluate`] records the answers and counts nobody, [`evaluate_label`]
//! adds the rewards once the label is there. Otherwise the truth is the public rule and both are done at once. A score is
//! the same either way, since the second step reads nothing but the first one's record.

use super::constants::Constants;
use super::mechanism::Conversion;
use super::prediction::{CLASS, SECONDS};
use super::record::{self, component, value};
use super::round::{Entry, Round, Taken, Zero, rewarded, taken};
use super::synapse::Submission;
use super::task;
use super::truth::{Latency, RULE_SOURCE, Truth, latency};
use crate::events::{DrawnMiner, FailureReason, ResponseScored, RoundEvaluated, ZeroReason};
use crate::mechanism::{AWAITS_LABEL, Evaluation, EvaluationError, LabelFacts, RoundFacts};
use crate::types::{Block, Hotkey};

/// Round component: what the public rule says of the conversation, kept for a label that claims to be of the rule.
const RULE_CLASS: &str = "rule_conversion_happened";

/// Its seconds.
const RULE_SECONDS: &str = "rule_time_to_conversion_seconds";

/// Round component: 1 where the label came too late to count.
const EXPIRED: &str = "label_expired";

/// A drawn miner with what it answered, if it did.
struct Drawn<'a> {
    miner: &'a DrawnMiner,
    answer: Result<Submission, FailureReason>,
    seconds: f64,
}

/// Scores a round whose answers are in.
///
/// # Errors
/// A task that is none of the mechanism.
pub(super) fn evaluate(conversion: &Conversion, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
    let constants = conversion.constants();
    let truth = rule_truth(conversion, facts)?;
    let drawn = drawn(facts);
    let entries: Vec<Entry<'_>> = drawn
        .iter()
        .map(|drawn| Entry {
            coldkey: drawn.miner.coldkey.as_str(),
            submission: drawn.answer.as_ref().ok(),
            measured_seconds: drawn.seconds,
        })
        .collect();
    let answers = taken(&entries, constants);
    let scores: Vec<ResponseScored> =
        drawn.iter().zip(&answers).map(|(drawn, taken)| recorded(facts, drawn, taken)).collect();
    let mut round = RoundEvaluated {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        rule_set: conversion.rule_set().hash(),
        consensus: 0.0,
        consensus_achieved: false,
        best: None,
        components: Vec::new(),
        labels: Vec::new(),
        label: None,
        statistics: facts.statistics.clone(),
        similarity: Block::default(),
    };
    if !constants.label.awaited {
        return Ok(finish(constants, &truth, scores, round));
    }
    round.consensus = majority(&answers);
    round.consensus_achieved = round.consensus > 0.5;
    round.components = vec![
        component(AWAITS_LABEL, 1.0),
        component("answers", counted(&answers)),
        component(RULE_CLASS, f64::from(u8::from(truth.happened))),
        component(RULE_SECONDS, truth.seconds),
    ];
    Ok(Evaluation { scores, round })
}

/// Scores a round once more, now that its label is revealed. A label that came too late counts for nobody.
///
/// # Errors
/// A round that does not wait for a label, a label that cannot be read, and one that claims to follow from the public rule
/// and does not.
pub(super) fn evaluate_label(conversion: &Conversion, facts: &LabelFacts) -> Result<Evaluation, EvaluationError> {
    let constants = conversion.constants();
    let before = &facts.round.round;
    let refused = |problem: String| EvaluationError::Label(problem);
    if !constants.label.awaited || value(&before.components, AWAITS_LABEL) != Some(1.0) {
        let round = crate::round::stream_id(&before.challenge_id, before.attempt);
        return Err(refused(format!("round {round} waits for none under {}", conversion.rule_set().name())));
    }
    let truth = Truth::parse_label(&facts.label, constants.label.service_positive_seconds)
        .map_err(|error| refused(error.to_string()))?;
    if facts.source == RULE_SOURCE {
        let class = value(&before.components, RULE_CLASS);
        let seconds = value(&before.components, RULE_SECONDS);
        if class != Some(f64::from(u8::from(truth.happened))) || seconds != Some(truth.seconds) {
            return Err(refused(format!("{} does not follow from the rule {RULE_SOURCE}", facts.label)));
        }
    }
    let round = RoundEvaluated {
        rule_set: conversion.rule_set().hash(),
        best: None,
        components: Vec::new(),
        label: Some(facts.position),
        statistics: facts.statistics.clone(),
        ..before.clone()
    };
    let scores = facts.round.scores.clone();
    let expires = constants.label.expires_after_seconds;
    if latency(facts.evaluated, Some(facts.revealed), facts.revealed, expires) == Latency::Expired {
        return Ok(expired(&truth, scores, round));
    }
    Ok(finish(constants, &truth, scores, round))
}

fn rule_truth(conversion: &Conversion, facts: &RoundFacts) -> Result<Truth, EvaluationError> {
    let malformed =
        |problem: String| EvaluationError::MalformedTask { rule_set: conversion.rule_set().name(), problem };
    let text = facts.task.as_deref().ok_or_else(|| malformed("there is none".to_owned()))?;
    let features = task::read(text).map_err(|error| malformed(error.to_string()))?;
    let truth = Truth::of(&features, &conversion.constants().label.rule);
    let truth = truth.map_err(|error| malformed(error.to_string()))?;
    let finite = truth.seconds.is_finite();
    finite.then_some(truth).ok_or_else(|| malformed("its time to conversion is not finite".to_owned()))
}

/// Answers in order of arrival, then failures.
fn drawn(facts: &RoundFacts) -> Vec<Drawn<'_>> {
    let answered = facts.responses.iter().map(|response| Drawn {
        miner: &response.miner,
        // The text is what `parse_response` wrote, and always reads.
        answer: Submission::parse(response.text.as_bytes()).map_err(|_| FailureReason::Malformed),
        seconds: f64::from(response.response_time_ms) / 1000.0,
    });
    let failed = facts.failures.iter().map(|(miner, reason)| Drawn { miner, answer: Err(*reason), seconds: 0.0 });
    answered.chain(failed).collect()
}

/// The score as it stands before the truth is known.
fn recorded(facts: &RoundFacts, drawn: &Drawn<'_>, taken: &Result<Taken, Zero>) -> ResponseScored {
    let reason = match (taken, &drawn.answer) {
        (Ok(_), _) => ZeroReason::AwaitingLabel,
        (Err(_), Err(failure)) => (*failure).into(),
        (Err(zero), Ok(_)) => reason(*zero),
    };
    ResponseScored {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        hotkey: drawn.miner.hotkey,
        uid: drawn.miner.uid,
        score: 0.0,
        counted: false,
        filtered: None,
        reason: Some(reason),
        components: taken.as_ref().map(record::of_answer).unwrap_or_default(),
    }
}

fn reason(zero: Zero) -> ZeroReason {
    match zero {
        Zero::NoAnswer => ZeroReason::EmptyAnswer,
        Zero::Invalid | Zero::NotFinite => ZeroReason::InvalidAnswer,
        Zero::WrongClass => ZeroReason::WrongPrediction,
        Zero::NothingEarned => ZeroReason::JudgedZero,
    }
}

/// Adds the rewards that follow from the truth to recorded answers.
fn finish(
    constants: &Constants,
    truth: &Truth,
    mut scores: Vec<ResponseScored>,
    mut round: RoundEvaluated,
) -> Evaluation {
    let answers = answers(&scores);
    let carried = record::classes(&round.statistics);
    let Round { scores: rewards, before, classes } = rewarded(truth, &answers, carried.as_ref(), constants);
    for ((scored, answer), reward) in scores.iter_mut().zip(&answers).zip(&rewards) {
        scored.counted = true;
        if answer.is_ok() {
            scored.score = reward.score;
            scored.reason = reward.zero.map(reason);
            scored.components.extend(record::of_reward(reward));
            if constants.above_constant.is_some() {
                scored.components.push(component(record::TRUE_CLASS, f64::from(u8::from(truth.happened))));
            }
        }
    }
    round.consensus = majority(&answers);
    round.consensus_achieved = round.consensus > 0.5;
    round.best = best(&scores);
    round.components = truth_components(truth, &answers);
    round.components.push(component("class_weight_positive", before.positive));
    round.components.push(component("class_weight_negative", before.negative));
    round.statistics = if constants.classes.carried { record::statistics(&classes) } else { Vec::new() };
    Evaluation { scores, round }
}

/// A label that came too late: the round is over, nobody's average moves, and class weights learn nothing from it.
fn expired(truth: &Truth, mut scores: Vec<ResponseScored>, mut round: RoundEvaluated) -> Evaluation {
    let answers = answers(&scores);
    for (scored, _) in scores.iter_mut().zip(&answers).filter(|(_, answer)| answer.is_ok()) {
        scored.reason = Some(ZeroReason::NoJudgement);
    }
    round.components = truth_components(truth, &answers);
    round.components.push(component(EXPIRED, 1.0));
    Evaluation { scores, round }
}

/// The answers that the scores record.
fn answers(scores: &[ResponseScored]) -> Vec<Result<Taken, Zero>> {
    scores.iter().map(|scored| record::answer(&scored.components).ok_or(Zero::NoAnswer)).collect()
}

fn truth_components(truth: &Truth, answers: &[Result<Taken, Zero>]) -> Vec<crate::events::Component> {
    let right = answers.iter().flatten().filter(|taken| (taken.prediction.class == 1) == truth.happened).count();
    vec![
        component("answers", counted(answers)),
        component("right_answers", right as f64),
        component(CLASS, f64::from(u8::from(truth.happened))),
        component(SECONDS, truth.seconds),
    ]
}

fn counted(answers: &[Result<Taken, Zero>]) -> f64 {
    answers.iter().flatten().count() as f64
}

/// How far the answers agree: the share of the class that more of them give; 0 without answers.
fn majority(answers: &[Result<Taken, Zero>]) -> f64 {
    let all = answers.iter().flatten().count();
    let yes = answers.iter().flatten().filter(|taken| taken.prediction.class == 1).count();
    if all == 0 { 0.0 } else { yes.max(all - yes) as f64 / all as f64 }
}

/// The miner with the largest positive score, the first of equals.
fn best(scores: &[ResponseScored]) -> Option<Hotkey> {
    let mut best: Option<&ResponseScored> = None;
    for scored in scores.iter().filter(|scored| scored.score > 0.0) {
        if best.is_none_or(|best| scored.score > best.score) {
            best = Some(scored);
        }
    }
    best.map(|scored| scored.hotkey)
}
