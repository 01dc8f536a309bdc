//! From a round's facts to its scores, and once more when its batch is complete.
//!
//! Under rule sets with upstream's 24 hours the points are computed at once and wait: the scores do not count, a positive one
//! stands as 0 with the reason that its label is awaited, and the components hold what is paid later. The label comes from the
//! source [`BATCH`] and says what became of the batch; `of_label` pays from the recorded components alone.
//!
//! What upstream gets wrong is reported in the round's components under every rule set: answers that share a judgement, copies
//! of other answers, replies that are not what was asked for, answers lost between files.

use serde::{Deserialize, Serialize};

use super::average::step;
use super::constants::{Burn, Combine, Constants, Duplicates};
use super::duplicates::repeats;
use super::evidence::{Board, LineReply, base_answer};
use super::mechanism::BetterTherapy;
use super::payout::rewards;
use super::round::{Outcome, Reply, evaluate as evaluate_round};
use super::scoring::{Score, Zero};
use super::task::Asked;
use super::verdict::{Verdict, verdicts};
use crate::events::{Component, DrawnMiner, ResponseScored, RoundEvaluated, Statistic, ZeroReason};
use crate::mechanism::{AWAITS_LABEL, Evaluation, EvaluationError, LabelFacts, RoundFacts};
use crate::types::{Block, Hotkey};
use std::collections::BTreeMap;

/// Where labels of batches come from.
pub const BATCH: &str = "batch";
/// The burnt slot's average as a running statistic.
pub const BURNT: &str = "burnt";

/// When the pass began that collects batches now, in microseconds, as a running statistic.
const PASS: &str = "pass_begun";
/// Of a round whose batch is collected in a pass that is already begun: upstream adds its scores to those before.
const CAUGHT_UP: &str = "caught_up";
/// Of a score that is added to those of the rounds before it in one pass.
const ADDED: &str = "added_to_pass";

const TOTAL: &str = "total_score";
const QUALITY_SCORE: &str = "quality_score";
const WAITED: &str = "batch_seconds";

/// What became of a batch: the label of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchLabel {
    /// Its state.
    pub status: BatchStatus,
}

/// The last state of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Its output is there: what was judged is paid.
    Completed,
    /// It failed: the round is dropped unscored.
    Failed,
    /// It was not ready in time: likewise.
    Expired,
    /// Somebody cancelled it: likewise.
    Cancelled,
}

/// Scores a round.
///
/// # Errors
/// A task that cannot be read, and judgements that are not recorded.
pub(super) fn evaluate(therapy: &BetterTherapy, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
    let rule = therapy.constants();
    let malformed = |problem| EvaluationError::MalformedTask { rule_set: therapy.rule_set().name(), problem };
    Asked::of(&facts.challenge_id, facts.task.as_deref(), &facts.prompt).map_err(malformed)?;
    base_answer(facts)?;
    let board = Board::of(facts, rule);
    let replies = board.replies(rule)?;
    let borrowed: Vec<Vec<Reply<'_>>> = replies.iter().map(|file| file.iter().map(LineReply::read).collect()).collect();
    let outcome = evaluate_round(&board.answers, &board.files, &borrowed, rule);
    let judged = |score: &Score| !matches!(score.reason, Some(Zero::NoAnswer | Zero::Empty | Zero::Unjudged(_)));
    // Upstream's pass changes nobody's average when it has no score at all.
    let completed = outcome.aborted.is_none() && outcome.scores.iter().any(judged);
    let mut scores = Vec::with_capacity(facts.responses.len() + facts.failures.len());
    for (at, response) in facts.responses.iter().enumerate() {
        let mut score = match board.places.iter().position(|place| *place == at) {
            Some(place) => of_answer(facts, &board, &outcome, place, rule),
            None => zero(facts, &response.miner, ZeroReason::OverQuota),
        };
        score.components.insert(0, component("response_time", f64::from(response.response_time_ms) / 1000.0));
        scores.push(score);
    }
    scores.extend(facts.failures.iter().map(|(miner, reason)| zero(facts, miner, (*reason).into())));
    for score in &mut scores {
        score.counted &= completed;
        if rule.judge.ready_after_seconds > 0 {
            wait(score);
        }
    }
    let mut components = reports(&board, &outcome, &replies, rule);
    if scores.iter().any(awaits) {
        components.push(component(AWAITS_LABEL, 1.0));
    }
    let qualities: Vec<f64> =
        outcome.scores.iter().filter(|score| judged(score)).map(|score| score.points.quality).collect();
    let mean = if qualities.is_empty() { 0.0 } else { crate::math::sum(&qualities) / qualities.len() as f64 };
    let round = RoundEvaluated {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        rule_set: therapy.rule_set().hash(),
        consensus: mean,
        consensus_achieved: mean > rule.scoring.floor,
        best: best_paid(&scores),
        components,
        labels: Vec::new(),
        label: None,
        statistics: statistics(&facts.statistics, &scores, rule, known(&facts.statistics, PASS)),
        similarity: Block::default(),
    };
    Ok(Evaluation { scores, round })
}

fn of_answer(
    facts: &RoundFacts,
    board: &Board<'_>,
    outcome: &Outcome,
    place: usize,
    rule: &Constants,
) -> ResponseScored {
    let score = &outcome.scores[place];
    let miner = &facts.responses[board.places[place]].miner;
    let mut components = vec![
        component("response_time_score", score.points.time_points),
        component(QUALITY_SCORE, score.points.quality_points()),
        component(TOTAL, score.points.total),
    ];
    let line = board.lines().find(|(_, line)| line.members.contains(&place));
    if let Some((file, line)) = line.filter(|_| rule.judge.answers_per_line != Some(1)) {
        let within = line.members.iter().position(|member| *member == place).unwrap_or_default();
        components.push(component("batch_file", file as f64));
        components.push(component("batch_line", line.number as f64));
        components.push(component("batch_place", (within + 1) as f64));
    }
    if let Some(Zero::Duplicate(earlier)) = &score.reason {
        let original = &facts.responses[board.places[*earlier]].miner;
        components.push(component("copy_of_uid", f64::from(original.uid.0)));
    }
    ResponseScored {
        score: score.points.total,
        // Without the rule that holds them, miners without a verdict lose a share like everybody else.
        counted: score.counted || !rule.average.hold_unjudged,
        reason: score.reason.as_ref().map(reason),
        components,
        ..zero(facts, miner, ZeroReason::NoJudgement)
    }
}

fn reason(zero: &Zero) -> ZeroReason {
    match zero {
        Zero::NoAnswer | Zero::Empty => ZeroReason::EmptyAnswer,
        Zero::Rejected | Zero::BelowFloor => ZeroReason::JudgedZero,
        Zero::Duplicate(_) => ZeroReason::Duplicate,
        Zero::Unjudged(_) | Zero::NotStored | Zero::Incomplete | Zero::LineLost(_) => ZeroReason::NoJudgement,
    }
}

fn zero(facts: &RoundFacts, miner: &DrawnMiner, reason: ZeroReason) -> ResponseScored {
    ResponseScored {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        hotkey: miner.hotkey,
        uid: miner.uid,
        score: 0.0,
        counted: true,
        filtered: None,
        reason: Some(reason),
        components: Vec::new(),
    }
}

/// Keeps a score until its label.
fn wait(score: &mut ResponseScored) {
    if std::mem::take(&mut score.counted) {
        score.components.push(component(AWAITS_LABEL, 1.0));
    }
    if score.score > 0.0 {
        score.score = 0.0;
        score.reason = Some(ZeroReason::AwaitingLabel);
    }
}

/// Whether a score enters the average when its label comes.
pub(super) fn awaits(score: &ResponseScored) -> bool {
    value(score, AWAITS_LABEL).is_some()
}

/// Whether a score is one that a label led to.
pub(super) fn is_of_label(score: &ResponseScored) -> bool {
    value(score, WAITED).is_some()
}

fn value(score: &ResponseScored, name: &str) -> Option<f64> {
    score.components.iter().find(|component| component.name == name).map(|component| component.value)
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

/// The miner with the largest positive score, the first of equals.
fn best_paid(scores: &[ResponseScored]) -> Option<Hotkey> {
    let mut best: Option<&ResponseScored> = None;
    for score in scores.iter().filter(|score| score.score > 0.0) {
        if best.is_none_or(|best| score.score > best.score) {
            best = Some(score);
        }
    }
    best.map(|score| score.hotkey)
}

/// What is worth knowing of the round as a whole, upstream's weaknesses first of all.
fn reports(board: &Board<'_>, outcome: &Outcome, replies: &[Vec<LineReply>], rule: &Constants) -> Vec<Component> {
    let count = |matches: &dyn Fn(&Score) -> bool| outcome.scores.iter().filter(|score| matches(score)).count() as f64;
    let sharing = board.lines().map(|(_, line)| line.members.len()).filter(|members| *members > 1).sum::<usize>();
    let strict = super::constants::Judge { reply: super::constants::ReplyRule::Strict, ..rule.judge.clone() };
    let refused = board.lines().zip(replies.iter().flatten()).filter(|((_, line), reply)| match reply {
        LineReply::Content(reply) => {
            let found = verdicts(reply, line.members.len(), &strict);
            found.iter().any(|verdict| matches!(verdict, Verdict::Missing(_)))
        }
        LineReply::Failed | LineReply::Nothing => false,
    });
    let failed = replies.iter().flatten().filter(|reply| !matches!(reply, LineReply::Content(_))).count();
    let texts: Vec<&str> = board.answers.iter().map(|answer| answer.text.unwrap_or_default()).collect();
    let same = rule.duplicates.as_ref().map_or(COPIES.similarity, |rule| rule.similarity);
    let copies = repeats(&texts, same).iter().flatten().count();
    let from_time = |score: &Score| score.points.total > 0.0 && 2.0 * time_part(score, rule) > score.points.total;
    let mut components = vec![
        component("answers", board.answers.len() as f64),
        component("judgements", board.lines().count() as f64),
        component("paid", count(&|score| score.points.total > 0.0)),
        component("rejected", count(&|score| score.reason == Some(Zero::Rejected))),
        component("unjudged", count(&|score| matches!(score.reason, Some(Zero::Unjudged(_) | Zero::LineLost(_))))),
        component("over_quota", board.excluded.iter().flatten().count() as f64),
        component("sharing_a_judgement", sharing as f64),
        component("copies", copies as f64),
        component("paid_mostly_for_time", count(&from_time)),
        component("replies_off_schema", refused.count() as f64),
        component("lost_between_files", count(&|score| score.reason == Some(Zero::NotStored))),
        component("pass_aborted", f64::from(u8::from(outcome.aborted.is_some()))),
    ];
    if failed > 0 {
        components.push(component("failed_judgements", failed as f64));
    }
    components
}

/// From which similarity copies are reported under rule sets that pay for them.
const COPIES: Duplicates = Duplicates { similarity: 0.8 };

fn time_part(score: &Score, rule: &Constants) -> f64 {
    let by_quality = if rule.scoring.time_by_quality { score.points.quality } else { 1.0 };
    score.points.time_points * rule.scoring.time_weight * by_quality
}

/// What a round's scores do to averages: the reward of each miner, and of the burnt slot. None when they change nothing.
pub(super) fn pass(scores: &[ResponseScored], rule: &Constants) -> Option<(BTreeMap<Hotkey, f64>, Option<f64>)> {
    if let Burn::All { .. } = rule.payout.burn {
        // Upstream's hour ends so whatever the batches hold; a label is no hour of its own.
        let completed = scores.iter().any(|score| score.counted || awaits(score)) && !scores.iter().any(is_of_label);
        return completed.then(|| (scores.iter().map(|score| (score.hotkey, 0.0)).collect(), Some(1.0)));
    }
    let counted: Vec<&ResponseScored> = scores.iter().filter(|score| score.counted).collect();
    if counted.is_empty() {
        return None;
    }
    let found = rewards(&counted.iter().map(|score| (score.uid.0, score.score)).collect(), &rule.payout.burn);
    let of = |uid: u16| found.iter().find(|(slot, _)| *slot == uid).map(|(_, reward)| *reward);
    let miners = counted.iter().filter_map(|score| Some((score.hotkey, of(score.uid.0)?)));
    match rule.payout.burn {
        Burn::Times { uid, .. } => {
            let own = counted.iter().filter(|score| score.uid.0 == uid).map(|score| (score.hotkey, 0.0));
            Some((miners.chain(own).collect(), of(uid)))
        }
        Burn::None | Burn::All { .. } => Some((miners.collect(), None)),
    }
}

/// Whether scores are added to those of the pass before them.
pub(super) fn is_added(scores: &[ResponseScored]) -> bool {
    scores.iter().any(|score| value(score, ADDED).is_some())
}

fn known(before: &[Statistic], name: &str) -> Option<f64> {
    before.iter().find(|statistic| statistic.name == name).and_then(|statistic| statistic.values.first().copied())
}

/// The burnt slot's average after the scores, and when the pass began that they belong to.
fn statistics(before: &[Statistic], scores: &[ResponseScored], rule: &Constants, begun: Option<f64>) -> Vec<Statistic> {
    let alpha = rule.average.alpha;
    let known = known(before, BURNT);
    let previous = known.unwrap_or(0.0) as f32;
    let burnt = match pass(scores, rule) {
        Some((_, Some(reward))) if is_added(scores) => Some(f64::from(previous + step(0.0, reward, alpha))),
        Some((_, Some(reward))) => Some(f64::from(step(previous, reward, alpha))),
        _ => known,
    };
    let named =
        |name: &str, value: Option<f64>| value.map(|value| Statistic { name: name.to_owned(), values: vec![value] });
    [named(BURNT, burnt), named(PASS, begun)].into_iter().flatten().collect()
}

/// Whether a batch that is collected now is collected in the pass that began then. Upstream makes a pass each
/// `collection.interval_seconds` and takes all batches that are ready; while it runs that is one. Batches that waited until it
/// was there again are collected together: here one after the other, much closer than two passes are.
fn same_pass(begun: Option<f64>, now: f64, rule: &Constants) -> bool {
    let half = rule.collection.interval_seconds as f64 * 1e6 / 2.0;
    begun.is_some_and(|begun| now >= begun && now - begun < half)
}

/// Pays what was judged, now that it is known what became of the round's batch.
///
/// # Errors
/// A label of another source or shape, and one before its time.
pub(super) fn of_label(therapy: &BetterTherapy, facts: &LabelFacts) -> Result<Evaluation, EvaluationError> {
    let rule = therapy.constants();
    let unusable = |problem: String| Err(EvaluationError::Label(problem));
    if facts.source != BATCH {
        return unusable(format!("it is of source {:?}, not {BATCH:?}", facts.source));
    }
    let BatchLabel { status } =
        serde_json::from_str(&facts.label).map_err(|error| EvaluationError::Label(error.to_string()))?;
    let seconds = facts.revealed.0.saturating_sub(facts.evaluated.0) as f64 / 1e6;
    if !super::collection::is_ready(seconds, rule) {
        let ready = rule.judge.ready_after_seconds;
        return unusable(format!("the batch is {seconds} s old and is collected after {ready} s"));
    }
    let completed = status == BatchStatus::Completed;
    let paid = |scored: &ResponseScored| {
        let waiting = scored.reason == Some(ZeroReason::AwaitingLabel);
        let mut components = scored.components.clone();
        components.retain(|component| component.name != AWAITS_LABEL);
        components.push(component(WAITED, seconds));
        let score = if waiting && completed { value(scored, TOTAL).unwrap_or(0.0) } else { 0.0 };
        let reason = match (waiting, completed) {
            (true, true) => (score == 0.0).then_some(ZeroReason::JudgedZero),
            (true, false) => Some(ZeroReason::NoJudgement),
            (false, _) => scored.reason,
        };
        ResponseScored { score, counted: completed && awaits(scored), reason, components, ..scored.clone() }
    };
    let mut scores: Vec<ResponseScored> = facts.round.scores.iter().map(paid).collect();
    let mut components = facts.round.round.components.clone();
    components.retain(|component| component.name != AWAITS_LABEL);
    components.push(component(WAITED, seconds));
    let (now, mut begun) = (facts.revealed.0 as f64, known(&facts.statistics, PASS));
    // A batch of which nothing is paid is dropped by upstream, too, and is no part of a pass.
    if scores.iter().any(|score| score.counted) {
        let caught_up = same_pass(begun, now, rule);
        components.push(component(CAUGHT_UP, f64::from(u8::from(caught_up))));
        if !caught_up {
            begun = Some(now);
        } else if rule.average.combine == Combine::Sum {
            scores.iter_mut().for_each(|score| score.components.push(component(ADDED, 1.0)));
        }
    }
    let round = RoundEvaluated {
        rule_set: therapy.rule_set().hash(),
        best: best_paid(&scores),
        components,
        label: Some(facts.position),
        statistics: statistics(&facts.statistics, &scores, rule, begun),
        ..facts.round.round.clone()
    };
    Ok(Evaluation { scores, round })
}
