//! A round's scores: facts and evidence in, one score with its components and reasons per drawn miner out. Translation only; the
//! formulas are in `evaluation` and `bell`.
//!
//! Not a number cannot be recorded: a tag's similarity that is none is left out and counted in `not_finite`. The upstream
//! weaknesses show in the components of every round: `tags_lost` (good tags that membership or cleaning lost), `reply_cut` (a verdict
//! that lost its last letter), `same_answers` and `near_answers`, `not_finite`, `penalty_inverted` (a negative score made better),
//! `sharers`, `unescaped_lines`, `windows` of a conversation that is left out because it has too few, and `given_up` with
//! `spoilt_answers` of a round that those ended for everybody.

use std::collections::{BTreeMap, BTreeSet};

use super::constants::{Constants, Evaluator};
use super::derivation::tie_statistic;
use super::evaluation::{Answer, BellReward, NotScored, Outcome, Scored, Truth, bell_rewards, evaluate, score};
use super::evidence::{Evidence, Tags};
use super::overlap::{Overlap, OverlapScore, distinct, jaccard};
use super::penalties::Penalty;
use super::rules::COPIES_FROM;
use super::task::Task;
use crate::events::{Component, DrawnMiner, ResponseScored, RoundEvaluated, ZeroReason};
use crate::math;
use crate::mechanism::{Evaluation, EvaluationError, RoundFacts};
use crate::ruleset::RuleSet;
use crate::types::{Block, Hotkey};

/// Scores a round.
///
/// # Errors
/// A task that is none, and evidence that is missing or malformed.
pub(super) fn of(rule_set: &RuleSet, constants: &Constants, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
    let malformed = |problem| EvaluationError::MalformedTask { rule_set: rule_set.name(), problem };
    let task = Task::parse(facts.task.as_deref()).map_err(malformed)?;
    let evidence = Evidence { constants, facts, task: &task };
    let known = evidence.known()?;
    let mut components = Vec::new();
    components.extend(known.quality.map(|quality| component("quality_score", quality)));
    components.push(component("windows", known.windows as f64));
    components.extend(known.truth_tags.map(|tags| component("truth_tags", tags as f64)));
    components.extend(counted("unescaped_lines", evidence.unescaped_lines()));
    if known.truth.is_some() {
        components.extend(description(&evidence)?);
    }
    let scores = match (&known.truth, &constants.evaluator, &constants.overlap) {
        (None, ..) => given_up(&evidence, &mut components),
        (Some(_), Some(_), _) if evidence.spoilt() => given_up(&evidence, &mut components),
        (Some(truth), Some(rule), _) => evaluated(&evidence, truth, rule, &mut components)?,
        (Some(truth), None, Some(rule)) => overlapping(&evidence, truth, rule)?,
        // Refused with the rule set's constants: one of the two is there.
        (Some(_), None, None) => given_up(&evidence, &mut components),
    };
    Ok(Evaluation { round: round(rule_set, &evidence, &scores, components), scores })
}

fn round(
    rule_set: &RuleSet,
    evidence: &Evidence<'_>,
    scores: &[ResponseScored],
    components: Vec<Component>,
) -> RoundEvaluated {
    let facts = evidence.facts;
    let answered: Vec<f64> = scores.iter().take(facts.responses.len()).map(|scored| scored.score).collect();
    let best = best(scores);
    RoundEvaluated {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        rule_set: rule_set.hash(),
        consensus: math::mean(&answered),
        consensus_achieved: best.is_some(),
        best,
        components,
        labels: Vec::new(),
        label: None,
        statistics: vec![tie_statistic(&evidence.seed())],
        similarity: Block::default(),
    }
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

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

/// What is told only where there is any of it.
fn counted(name: &str, count: usize) -> Option<Component> {
    (count > 0).then(|| component(name, count as f64))
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

/// Failures count as 0, after the answers.
fn failures(facts: &RoundFacts) -> impl Iterator<Item = ResponseScored> {
    facts.failures.iter().map(|(miner, reason)| zero(facts, miner, (*reason).into()))
}

/// A conversation that is left out, or a round that one answer ended: nobody's score counts. Who ended it is told by the reason.
fn given_up(evidence: &Evidence<'_>, components: &mut Vec<Component>) -> Vec<ResponseScored> {
    let facts = evidence.facts;
    components.push(component("given_up", 1.0));
    let spoils: Vec<bool> = facts.responses.iter().map(|response| evidence.spoils(response)).collect();
    components.extend(counted("spoilt_answers", spoils.iter().filter(|spoils| **spoils).count()));
    let answers = facts.responses.iter().zip(spoils).map(|(response, spoils)| {
        let reason = if spoils { ZeroReason::EmptyAnswer } else { ZeroReason::EvaluationError };
        zero(facts, &response.miner, reason)
    });
    answers.chain(failures(facts)).map(|scored| ResponseScored { counted: false, ..scored }).collect()
}

/// What the conversation is like: recorded, never paid for.
fn description(evidence: &Evidence<'_>) -> Result<Vec<Component>, EvaluationError> {
    let Some((index, profiles)) = evidence.description()? else { return Ok(Vec::new()) };
    let named = [
        ("boring_relevance", index.relevance),
        ("boring_engagement", index.engagement),
        ("boring_novelty", index.novelty),
        ("boring_coherence", index.coherence),
        ("boring_fluency", index.fluency),
        ("boring_index", index.index),
        ("profiles", profiles as f64),
    ];
    Ok(named.map(|(name, value)| component(name, value)).to_vec())
}

/// The document's rewards: base scores by overlap, shares by the bell curve over the answers of this window.
fn overlapping(
    evidence: &Evidence<'_>,
    truth: &[String],
    rule: &OverlapScore,
) -> Result<Vec<ResponseScored>, EvaluationError> {
    let facts = evidence.facts;
    let compared = evidence.compared(truth);
    let tags: Vec<Tags> = facts.responses.iter().map(|response| evidence.tags(response)).collect::<Result<_, _>>()?;
    let counting: Vec<&[String]> = tags.iter().map(|tags| tags.counting.as_deref().unwrap_or_default()).collect();
    let rewards = bell_rewards(&compared, &counting, rule);
    let scored = facts.responses.iter().zip(counting).zip(rewards).map(|((response, tags), earned)| {
        let BellReward { base, reward } = earned;
        let overlap = Overlap::of(&compared, tags);
        let components = vec![
            component("response_time_ms", f64::from(response.response_time_ms)),
            component("num_tags", overlap.answer as f64),
            component("both", overlap.both as f64),
            component("unique_1", overlap.only_truth as f64),
            component("unique_2", overlap.only_answer as f64),
            component("base_score", base),
            component("emission_reward", reward),
        ];
        // Base scores without any spread have no curve: the document divides by zero, and the code after it pays nobody.
        let reason = if tags.is_empty() { ZeroReason::EmptyAnswer } else { ZeroReason::EvaluationError };
        ResponseScored {
            score: reward,
            reason: (reward == 0.0).then_some(reason),
            components,
            ..zero(facts, &response.miner, reason)
        }
    });
    Ok(scored.chain(failures(facts)).collect())
}

/// The running upstream's scores.
fn evaluated(
    evidence: &Evidence<'_>,
    truth: &[String],
    rule: &Evaluator,
    components: &mut Vec<Component>,
) -> Result<Vec<ResponseScored>, EvaluationError> {
    let facts = evidence.facts;
    let compared = evidence.compared(truth);
    let neighbourhood = evidence.neighbourhood(truth)?;
    let width = neighbourhood.as_ref().map(|neighbourhood| neighbourhood.mean().len());
    let tags: Vec<Tags> = facts.responses.iter().map(|response| evidence.tags(response)).collect::<Result<_, _>>()?;
    let vectors: Vec<BTreeMap<&str, Vec<f64>>> = tags
        .iter()
        .map(|tags| match &tags.counting {
            Some(counting) if !rule.too_few(counting) => evidence.vectors(counting, width),
            _ => Ok(BTreeMap::new()),
        })
        .collect::<Result<_, _>>()?;
    let answers: Vec<Option<Answer<'_>>> = tags
        .iter()
        .zip(&vectors)
        .map(|(tags, vectors)| {
            let vectors = vectors.iter().map(|(tag, vector)| (*tag, vector.as_slice())).collect();
            Some(Answer { tags: tags.counting.as_deref(), vectors: Some(vectors) })
        })
        .collect();
    let outcomes = evaluate(&Truth { tags: &compared, neighbourhood }, &answers, rule, &evidence.seed());
    components.push(component("same_answers", same_answers(&tags) as f64));
    components.push(component("near_answers", near_answers(&tags) as f64));
    let scored = facts.responses.iter().zip(tags.iter().zip(&outcomes)).map(|(response, (tags, outcome))| {
        let mut components = vec![
            component("response_time_ms", f64::from(response.response_time_ms)),
            component("tags_sent", tags.sent.len() as f64),
            component("tags_asked", tags.asked as f64),
            component("tags_lost", tags.asked.saturating_sub(tags.counting.as_ref().map_or(0, Vec::len)) as f64),
        ];
        components.extend(counted("reply_cut", usize::from(tags.cut)));
        if let Ok(scored) = outcome {
            add(&mut components, scored);
        }
        let earned = score(outcome);
        let reason = reason(outcome, tags);
        ResponseScored {
            score: earned,
            reason: (earned == 0.0).then_some(reason),
            components,
            ..zero(facts, &response.miner, reason)
        }
    });
    Ok(scored.chain(failures(facts)).collect())
}

/// How many answers have the same set of tags as an earlier one.
fn same_answers(tags: &[Tags]) -> usize {
    let sets: Vec<BTreeSet<&String>> =
        tags.iter().filter_map(|tags| Some(tags.counting.as_ref()?.iter().collect())).collect();
    sets.len() - sets.iter().collect::<BTreeSet<_>>().len()
}

/// How many answers are copies of an earlier one, the same or nearly so, by what `cgp/assay-1` calls that. Recorded under every
/// rule set.
fn near_answers(tags: &[Tags]) -> usize {
    let sets: Vec<Vec<&str>> = tags.iter().filter_map(|tags| Some(distinct(tags.counting.as_ref()?))).collect();
    let copies = |(at, own): &(usize, &Vec<&str>)| sets[..*at].iter().any(|other| jaccard(own, other) >= COPIES_FROM);
    sets.iter().enumerate().filter(copies).count()
}

fn add(components: &mut Vec<Component>, scored: &Scored) {
    let mut add = |name: &str, value: f64| components.push(component(name, value));
    add("num_tags", (scored.shared + scored.unique) as f64);
    add("both_tags", scored.shared as f64);
    add("num_unique_tags", scored.unique as f64);
    // By their places in alphabetical order: what miners wrote is no name here.
    for (at, (_, similarity)) in scored.similarities.iter().enumerate().filter(|(_, (_, found))| found.is_finite()) {
        add(&format!("similarity_{:02}", at + 1), *similarity);
    }
    let spoilt = scored.similarities.iter().filter(|(_, found)| !found.is_finite()).count();
    if spoilt > 0 {
        add("not_finite", spoilt as f64);
    }
    add("top_3_mean", scored.statistics.top_mean);
    add("median_score", scored.statistics.median);
    add("mean_score", scored.statistics.mean);
    add("max_score", scored.statistics.maximum);
    add("min_score", scored.statistics.minimum);
    add("adjusted_score", scored.adjusted);
    for (penalty, factor) in &scored.penalties {
        let name = match penalty {
            Penalty::NoneShared => "penalty_none_shared",
            Penalty::Junk => "penalty_junk",
            Penalty::Few => "penalty_few",
            Penalty::FewUnique => "penalty_few_unique",
        };
        add(name, *factor);
    }
    // Factors below 1 make a negative score better.
    if scored.adjusted < 0.0 && scored.score > scored.adjusted && scored.score < 0.0 {
        add("penalty_inverted", 1.0);
    }
    add("sharers", scored.sharers as f64);
    add("final_miner_score", scored.score);
}

fn reason(outcome: &Outcome, tags: &Tags) -> ZeroReason {
    match outcome {
        Err(NotScored::NoOutput | NotScored::NoVectors) => ZeroReason::NoJudgement,
        // A verdict that cannot be read.
        Err(NotScored::TooFewTags) if tags.counting.is_none() && tags.asked > 0 => ZeroReason::NoJudgement,
        Err(NotScored::TooFewTags) if tags.sent.is_empty() => ZeroReason::EmptyAnswer,
        Err(NotScored::TooFewTags) => ZeroReason::TooFewTags,
        Ok(scored) if scored.penalties.iter().any(|(penalty, factor)| (*penalty, *factor) == (Penalty::Junk, 0.0)) => {
            ZeroReason::OffTopic
        }
        Ok(scored) if scored.adjusted <= 0.0 => ZeroReason::OffTopic,
        Ok(_) => ZeroReason::Penalised,
    }
}
