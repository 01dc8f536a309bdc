//! From a round's facts to its scores: every drawn miner gets one score, every zero its reason.
//!
//! Failures, canned answers and rounds that cannot be computed do not enter the moving average in the way upstream leaves
//! them out: a failure is not counted at all (our own rules count it as 0), a canned answer counts as 0, and a round whose
//! times are all zero counts for nobody.

use super::constants::Constants;
use super::entity::{NodeOwner, vote_caps};
use super::matrix::{SquareMatrix, similarity};
use super::mechanism::Loosh;
use super::quality::{Answer, Breakdown, Prompt};
use super::round::{Entry, Round, Stage, evaluate as evaluate_round, is_test_answer, single_answer};
use super::{remedies, report};
use crate::events::{
    Component, DrawnMiner, FailureReason, FilterStage, ResponseScored, RoundEvaluated, TextRole, ZeroReason,
};
use crate::math;
use crate::mechanism::{Evaluation, EvaluationError, Mechanism, ResponseFact, RoundFacts, TextVectors};
use crate::types::{Block, Digest, Hotkey, sha256};

/// Scores a round.
///
/// # Errors
/// When vectors are missing or do not have the shape that the texts ask for.
pub(super) fn evaluate(loosh: &Loosh, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
    let constants = loosh.constants();
    let unfit: Vec<Option<ZeroReason>> = facts.responses.iter().map(|answer| unfit(answer, facts, constants)).collect();
    let valid: Vec<usize> = (0..unfit.len()).filter(|at| unfit[*at].is_none()).collect();
    let vectors = Vectors::read(loosh, facts, &valid)?;
    let outcome = match (valid.as_slice(), &vectors.answers[..]) {
        ([], _) => Outcome::Nobody,
        // Our own rules ask quality of a single answer, too.
        ([_], [answer]) if !constants.remedies.as_ref().is_some_and(|rule| rule.lone_survivor) => {
            match single_answer(&vectors.prompt.document, &answer.document, constants) {
                Some((consensus, emission)) => Outcome::Single { consensus, emission },
                None => Outcome::Round(Box::new(run(loosh, facts, &valid, &vectors))),
            }
        }
        _ => Outcome::Round(Box::new(run(loosh, facts, &valid, &vectors))),
    };
    let matrix = similarity(&vectors.answers.iter().map(|answer| answer.document.clone()).collect::<Vec<_>>());
    let texts: Vec<&str> = valid.iter().map(|at| facts.responses[*at].text.as_str()).collect();
    let alike = constants.sybil_detection.as_ref().and_then(|limits| report::alike(&texts, &matrix, limits));
    let mut scores: Vec<ResponseScored> = Vec::with_capacity(facts.responses.len() + facts.failures.len());
    for (at, response) in facts.responses.iter().enumerate() {
        scores.push(match valid.iter().position(|v| *v == at) {
            Some(place) => {
                let mut score = outcome.score(facts, response, place);
                score.components.extend(alike.iter().flat_map(|alike| alike.of_answer(place)));
                score
            }
            None => {
                let reason = unfit[at].unwrap_or(ZeroReason::EmptyAnswer);
                let filtered = (reason == ZeroReason::TestMode).then_some(FilterStage::TestMode);
                ResponseScored { filtered, counted: true, ..zero(facts, &response.miner, reason) }
            }
        });
    }
    // Where nobody answered, the validator itself may have been cut off.
    let counted = !facts.responses.is_empty() && constants.remedies.as_ref().is_some_and(|rule| rule.failures_count);
    let failed = |(miner, reason): &(DrawnMiner, FailureReason)| ResponseScored {
        counted,
        ..zero(facts, miner, (*reason).into())
    };
    scores.extend(facts.failures.iter().map(failed));
    let labels: Vec<Hotkey> = valid.iter().map(|at| facts.responses[*at].miner.hotkey).collect();
    let mut round = outcome.round(facts, loosh, &scores, labels);
    round.similarity = triangle(&matrix);
    round.components.extend(alike.iter().flat_map(report::Alike::of_round));
    let count = |reason| unfit.iter().filter(|found| **found == Some(reason)).count() as f64;
    round.components.push(component("canned_answers", count(ZeroReason::TestMode)));
    if constants.remedies.is_some() {
        round.components.push(component("empty_answers", count(ZeroReason::EmptyAnswer)));
        round.components.push(component("broken_answers", count(ZeroReason::InvalidAnswer)));
    }
    Ok(Evaluation { scores, round })
}

/// Why an answer is not evaluated at all, if so.
fn unfit(answer: &ResponseFact, facts: &RoundFacts, constants: &Constants) -> Option<ZeroReason> {
    let rule = constants.remedies.as_ref();
    if is_test_answer(&answer.text, constants) {
        Some(ZeroReason::TestMode)
    } else if remedies::is_empty(&answer.text, rule) {
        Some(ZeroReason::EmptyAnswer)
    } else {
        let apart = rule.is_some_and(|rule| rule.broken_vectors_apart);
        let recorded = facts.vectors.get(&(TextRole::Answer, answer.text_hash)).filter(|_| apart);
        recorded.filter(|vectors| is_broken(vectors)).map(|_| ZeroReason::InvalidAnswer)
    }
}

/// Whether a recorded vector holds something that is no number.
fn is_broken(vectors: &TextVectors) -> bool {
    vectors.parts.iter().chain([&vectors.document]).flatten().any(|number| !number.is_finite())
}

/// Recorded vectors, each scaled to length one.
struct Vectors {
    prompt: TextVectors,
    /// Of the valid answers, in order.
    answers: Vec<TextVectors>,
}

impl Vectors {
    fn read(loosh: &Loosh, facts: &RoundFacts, valid: &[usize]) -> Result<Self, EvaluationError> {
        if valid.is_empty() {
            return Ok(Self { prompt: TextVectors::default(), answers: Vec::new() });
        }
        let prompt_hash = sha256(facts.prompt.as_bytes());
        let parts = loosh.text_parts(TextRole::Prompt, &facts.prompt).parts.len();
        let recorded = facts.vectors.get(&(TextRole::Prompt, prompt_hash));
        let recorded = recorded.ok_or(EvaluationError::MissingVectors(prompt_hash))?;
        let width = recorded.document.len();
        let prompt = scaled(recorded, prompt_hash, parts, width)?;
        let mut answers = Vec::with_capacity(valid.len());
        for at in valid {
            let response = &facts.responses[*at];
            let hash = response.text_hash;
            let found = facts.vectors.get(&(TextRole::Answer, hash)).ok_or(EvaluationError::MissingVectors(hash))?;
            let parts = loosh.text_parts(TextRole::Answer, &response.text).parts.len();
            answers.push(scaled(found, hash, parts, width)?);
        }
        Ok(Self { prompt, answers })
    }
}

fn scaled(vectors: &TextVectors, text: Digest, parts: usize, width: usize) -> Result<TextVectors, EvaluationError> {
    if vectors.document.is_empty() {
        return Err(EvaluationError::MissingVectors(text));
    }
    let malformed = |problem: String| Err(EvaluationError::MalformedVectors { text, problem });
    if vectors.parts.len() != parts {
        return malformed(format!("{} part vectors for {parts} parts", vectors.parts.len()));
    }
    for vector in vectors.parts.iter().chain([&vectors.document]) {
        if vector.len() != width {
            return malformed(format!("a vector of {} numbers among vectors of {width}", vector.len()));
        }
        if let Some(number) = vector.iter().find(|number| !number.is_finite()) {
            return malformed(format!("a vector holds {number}"));
        }
    }
    Ok(TextVectors {
        document: math::unit(&vectors.document),
        parts: vectors.parts.iter().map(|part| math::unit(part)).collect(),
    })
}

fn run(loosh: &Loosh, facts: &RoundFacts, valid: &[usize], vectors: &Vectors) -> Round {
    let responses: Vec<&ResponseFact> = valid.iter().map(|at| &facts.responses[*at]).collect();
    let prompt = Prompt { text: &facts.prompt, embedding: &vectors.prompt.document, components: &vectors.prompt.parts };
    let entries: Vec<Entry<'_>> = responses
        .iter()
        .zip(&vectors.answers)
        .map(|(response, vectors)| Entry {
            answer: Answer { text: &response.text, embedding: &vectors.document, sentences: Some(&vectors.parts) },
            response_time_ms: u64::from(response.response_time_ms),
            confidence: 1.0,
        })
        .collect();
    let votes = loosh.constants().entity_caps.as_ref().map(|caps| {
        let owners = responses.iter().map(|response| (response.miner.hotkey.to_string(), owner(&response.miner)));
        let keys: Vec<&str> = responses.iter().map(|response| response.miner.hotkey.as_str()).collect();
        vote_caps(&keys, &owners.collect(), caps)
    });
    evaluate_round(&prompt, &entries, votes.as_deref(), loosh.constants())
}

fn owner(miner: &DrawnMiner) -> NodeOwner {
    NodeOwner { address: miner.ip.clone(), coldkey: miner.coldkey.to_string() }
}

/// What kind of round it was.
enum Outcome {
    Nobody,
    Single { consensus: f64, emission: f64 },
    Round(Box<Round>),
}

impl Outcome {
    fn score(&self, facts: &RoundFacts, response: &ResponseFact, place: usize) -> ResponseScored {
        let base = zero(facts, &response.miner, ZeroReason::NoConsensus);
        let mut components = vec![component("response_time_ms", f64::from(response.response_time_ms))];
        match self {
            Self::Nobody => base,
            Self::Single { emission, .. } => {
                let off_topic = *emission == 0.0;
                ResponseScored {
                    score: *emission,
                    counted: true,
                    reason: off_topic.then_some(ZeroReason::OffTopic),
                    components,
                    ..base
                }
            }
            Self::Round(round) => {
                let dropped = round.dropped_by[place];
                let earned = round.emissions.as_ref().ok().map(|all| all[place]);
                let score = earned.map_or(0.0, |earned| earned.emission);
                add_components(&mut components, round, place);
                let reason = match earned {
                    None => Some(ZeroReason::EvaluationError),
                    Some(_) if score != 0.0 => None,
                    Some(earned) => Some(match dropped {
                        Some(stage) => stage_reason(stage),
                        None if round.theta != 0.0 && earned.time_share == 0.0 => ZeroReason::NoTimeShare,
                        None => ZeroReason::NoConsensus,
                    }),
                };
                let counted = earned.is_some();
                ResponseScored { score, counted, filtered: dropped.map(filter_stage), reason, components, ..base }
            }
        }
    }

    fn round(
        &self,
        facts: &RoundFacts,
        loosh: &Loosh,
        scores: &[ResponseScored],
        labels: Vec<Hotkey>,
    ) -> RoundEvaluated {
        let (consensus, components) = match self {
            Self::Nobody => (0.0, Vec::new()),
            Self::Single { consensus, .. } => (*consensus, Vec::new()),
            Self::Round(round) => (round.theta, round_components(round)),
        };
        RoundEvaluated {
            challenge_id: facts.challenge_id.clone(),
            attempt: facts.attempt,
            rule_set: loosh.rule_set().hash(),
            consensus,
            consensus_achieved: consensus > loosh.constants().consensus.threshold,
            best: best_paid(scores),
            components,
            labels,
            label: None,
            statistics: Vec::new(),
            similarity: Block::default(),
        }
    }
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

fn zero(facts: &RoundFacts, miner: &DrawnMiner, reason: ZeroReason) -> ResponseScored {
    ResponseScored {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        hotkey: miner.hotkey,
        uid: miner.uid,
        score: 0.0,
        counted: false,
        filtered: None,
        reason: Some(reason),
        components: Vec::new(),
    }
}

fn filter_stage(stage: Stage) -> FilterStage {
    match stage {
        Stage::Quality => FilterStage::Quality,
        Stage::Outlier => FilterStage::Outlier,
        Stage::Cluster => FilterStage::Cluster,
        Stage::Length => FilterStage::Length,
    }
}

fn stage_reason(stage: Stage) -> ZeroReason {
    match stage {
        Stage::Quality => ZeroReason::FilteredByQuality,
        Stage::Outlier => ZeroReason::FilteredAsOutlier,
        Stage::Cluster => ZeroReason::FilteredByCluster,
        Stage::Length => ZeroReason::FilteredByLength,
    }
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

fn add_components(components: &mut Vec<Component>, round: &Round, place: usize) {
    let mut add = |name: &str, value: f64| components.push(component(name, value));
    if let Some(copies) = &round.copies {
        add("copies", copies[place] as f64);
    }
    if let Some(votes) = &round.votes {
        add("entity_weight", votes[place]);
    }
    if let Some(quality) = &round.quality {
        if let Some(signals) = quality.breakdowns.as_ref().map(|all| &all[place]) {
            for (name, value) in signals.named() {
                add(name, value);
            }
        }
        add("prompt_cosine", quality.relevance[place]);
        add("quality", quality.scores[place]);
    }
    add("in_consensus", f64::from(u8::from(round.in_consensus[place])));
    if let Some(individual) = &round.individual {
        add("alignment", individual.alignment[place]);
        add("diversity", individual.diversity[place]);
        add("individual", individual.scores[place]);
    }
    if round.best.index == Some(place) {
        add("best_factor", round.best.factor);
    }
    if let Some(earned) = round.emissions.as_ref().ok().map(|all| all[place]) {
        add("time_share", earned.time_share);
        add("emission", earned.emission);
    }
}

fn round_components(round: &Round) -> Vec<Component> {
    let mut components = vec![
        component("mu", round.agreement.mu),
        component("sigma", round.agreement.sigma),
        component("theta", round.theta),
    ];
    if let Some(weighted) = round.weighted_score {
        components.push(component("weighted_score", weighted));
    }
    components.push(report::largest_cluster(&round.cluster_labels));
    components.push(component("best_factor", round.best.factor));
    components.push(component("answers", round.in_consensus.len() as f64));
    for (stage, kept) in &round.kept_after {
        let name = match stage {
            Stage::Quality => "kept_after_quality",
            Stage::Outlier => "kept_after_outliers",
            Stage::Cluster => "kept_after_clusters",
            Stage::Length => "kept_after_length",
        };
        components.push(component(name, kept.iter().filter(|kept| **kept).count() as f64));
    }
    components
}

impl Breakdown {
    /// All signals under upstream's names, in its order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, f64); 28] {
        [
            ("relevance", self.relevance),
            ("sentence_relevance", self.sentence_relevance),
            ("full_response_relevance", self.full_response_relevance),
            ("keyword_coverage", self.keyword_coverage),
            ("coherence", self.coherence),
            ("local_coherence", self.local_coherence),
            ("global_coherence", self.global_coherence),
            ("coherence_breaks", self.coherence_breaks as f64),
            ("coherence_break_rate", self.coherence_break_rate),
            ("topic_drift", self.topic_drift),
            ("coherence_graph_score", self.coherence_graph_score),
            ("coverage", self.coverage),
            ("missing_parts", self.missing_parts),
            ("complexity", self.complexity),
            ("step_score", self.step_score),
            ("num_steps", self.num_steps as f64),
            ("novelty", self.novelty),
            ("path_length", self.path_length),
            ("curvature", self.curvature),
            ("redundancy", self.redundancy),
            ("answer_shape_score", self.answer_shape_score),
            ("density", self.density),
            ("specificity", self.specificity),
            ("composite", self.composite),
            ("sentence_count", self.sentence_count as f64),
            ("covered_components", self.covered_components as f64),
            ("total_components", self.total_components as f64),
            ("discourse_marker_count", self.discourse_marker_count as f64),
        ]
    }
}

/// The upper triangle with its diagonal, row by row, big-endian.
fn triangle(matrix: &SquareMatrix) -> Block {
    let size = matrix.size();
    let cells = (0..size).flat_map(|i| (i..size).map(move |j| (i, j)));
    Block::new(cells.flat_map(|(i, j)| matrix.get(i, j).to_be_bytes()).collect())
}
