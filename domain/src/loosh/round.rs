//! One round from answers to emissions: the stages in the order of the rule set, each with the mask of who stayed.
//!
//! The order is fixed (quality, outliers, clusters, length, then scores); a generation has those stages whose constants it
//! has. Nothing here knows hotkeys, hashes or events; `mechanism` translates.

use super::clustering;
use super::consensus::{Agreement, agreement, confidence_weighted};
use super::constants::{Constants, Quality};
use super::emissions::{Best, Emission, NoTime, best, emissions};
use super::individual::{Filtered, Scores, scores};
use super::matrix::{Embedding, SquareMatrix, cosines, select, similarity};
use super::outlier;
use super::quality::{self, Answer, Breakdown, Prompt};
use super::remedies::{self, Standing};
use crate::math;
use crate::text::{strip, word_count};

/// A stage that can drop an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Below the relevance gate or the quality threshold.
    Quality,
    /// On the wrong side of the outlier decision.
    Outlier,
    /// Not in the dominant cluster.
    Cluster,
    /// Too few words.
    Length,
}

/// An answer that is to be evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The answer with its vectors.
    pub answer: Answer<'a>,
    /// Whole milliseconds.
    pub response_time_ms: u64,
    /// The miner's confidence; upstream's validator never has one and takes 1.
    pub confidence: f64,
}

/// Quality of all answers.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityStage {
    /// All signals, when sentence vectors were there.
    pub breakdowns: Option<Vec<Breakdown>>,
    /// Cosine of each answer with the prompt.
    pub relevance: Vec<f64>,
    /// Quality after the gate.
    pub scores: Vec<f64>,
}

/// A round with at least two answers. Vectors without remark have one item per answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Similarity of all answers, before any stage.
    pub similarity: SquareMatrix,
    /// How many answers are copies of each other, where the rule set asks.
    pub copies: Option<Vec<u64>>,
    /// Votes that were used: the owners' caps and what copies leave of them.
    pub votes: Option<Vec<f64>>,
    /// Quality, where the rule set has it.
    pub quality: Option<QualityStage>,
    /// Local outlier factors of those that came to that stage.
    pub outlier_factors: Option<Vec<f64>>,
    /// Cluster labels of those that came to that stage.
    pub cluster_labels: Vec<usize>,
    /// Who was left after each stage that ran, in order.
    pub kept_after: Vec<(Stage, Vec<bool>)>,
    /// By which stage an answer was dropped.
    pub dropped_by: Vec<Option<Stage>>,
    /// Who formed the consensus.
    pub in_consensus: Vec<bool>,
    /// Mean and deviation of the survivors' similarity.
    pub agreement: Agreement,
    /// The consensus score.
    pub theta: f64,
    /// Mean similarity of the survivors; none when nobody survived.
    pub weighted_score: Option<f64>,
    /// Whether θ passed the threshold.
    pub consensus_achieved: bool,
    /// Individual scores; none when nobody survived.
    pub individual: Option<Scores>,
    /// The best answer and its factor.
    pub best: Best,
    /// Emissions, or why there are none.
    pub emissions: Result<Vec<Emission>, NoTime>,
}

impl Round {
    /// Qualities of the survivors, in order.
    pub fn surviving_quality(&self) -> Option<Vec<f64>> {
        self.quality.as_ref().map(|quality| select(&quality.scores, &self.in_consensus))
    }
}

/// Whether the text is a canned test answer.
pub fn is_test_answer(text: &str, constants: &Constants) -> bool {
    constants.test_mode_prefix.as_deref().is_some_and(|prefix| strip(text).starts_with(prefix))
}

/// The rule for a round with one answer: (consensus, emission), `None` where the rule set has no such rule. Zeros when the
/// answer is off topic.
pub fn single_answer(prompt: &[f64], answer: &[f64], constants: &Constants) -> Option<(f64, f64)> {
    let rule = constants.single_answer.as_ref()?;
    let relevant = math::cosine(prompt, answer) >= rule.minimum_relevance;
    Some(if relevant { (rule.consensus, rule.emission) } else { (0.0, 0.0) })
}

/// Who is still in, while the stages run.
struct Stages {
    kept: Vec<bool>,
    after: Vec<(Stage, Vec<bool>)>,
    dropped: Vec<Option<Stage>>,
}

impl Stages {
    /// Takes a stage's verdict on those who were still in.
    fn apply(&mut self, stage: Stage, verdict: &[bool]) {
        let still: Vec<usize> = super::matrix::indices(&self.kept);
        for (at, stays) in still.into_iter().zip(verdict) {
            if !stays {
                self.kept[at] = false;
                self.dropped[at] = Some(stage);
            }
        }
        self.after.push((stage, self.kept.clone()));
    }
}

/// Evaluates the answers of a round. `votes` are the entity caps, `None` where nothing is known of owners or the rule set
/// has none.
pub fn evaluate(prompt: &Prompt<'_>, entries: &[Entry<'_>], votes: Option<&[f64]>, constants: &Constants) -> Round {
    let count = entries.len();
    let texts: Vec<&str> = entries.iter().map(|entry| entry.answer.text).collect();
    let copies = constants.remedies.as_ref().map(|rule| remedies::copies(&texts, rule));
    let shared = copies.as_ref().map(|copies| remedies::votes(votes, copies));
    let votes = shared.as_deref().or(votes);
    let embeddings: Vec<Embedding> = entries.iter().map(|entry| entry.answer.embedding.to_vec()).collect();
    let all = similarity(&embeddings);
    let mut stages = Stages { kept: vec![true; count], after: Vec::new(), dropped: vec![None; count] };
    let quality = constants.quality.as_ref().map(|rule| assess(prompt, entries, rule));
    if let (Some(found), Some(rule)) = (&quality, &constants.quality) {
        let verdict: Vec<bool> = found.scores.iter().map(|score| *score >= rule.threshold).collect();
        stages.apply(Stage::Quality, &verdict);
    }
    let lone = quality.as_ref().and_then(|_| remedies::lone_survivor(&stages.kept, constants.remedies.as_ref()));
    let lone =
        lone.and_then(|at| Some((at, single_answer(prompt.embedding, entries[at].answer.embedding, constants)?)));
    let qualities = |kept: &[bool]| quality.as_ref().map(|found| select(&found.scores, kept));
    let (outlier_factors, decision) =
        outlier::filter(&select(&embeddings, &stages.kept), qualities(&stages.kept).as_deref(), &constants.outliers);
    stages.apply(Stage::Outlier, &decision.kept);
    let left = votes.map(|votes| select(votes, &stages.kept));
    let (cluster_labels, verdict) = clustering::filter(&all.select(&stages.kept), left.as_deref(), &constants.clusters);
    stages.apply(Stage::Cluster, &verdict);
    let words: Vec<u64> = texts.iter().map(|text| word_count(text) as u64).collect();
    if let Some(rule) = &constants.length {
        stages.apply(Stage::Length, &long_enough(&select(&words, &stages.kept), rule.sensitivity));
    }
    let Stages { kept, after, dropped } = stages;
    let surviving = all.select(&kept);
    let surviving_quality = qualities(&kept);
    let surviving_votes = votes.map(|votes| select(votes, &kept));
    let agreement = agreement(&surviving, surviving_quality.as_deref(), surviving_votes.as_deref());
    let theta = lone.map_or_else(|| agreement.theta(constants.consensus.lambda), |(_, (consensus, _))| consensus);
    let confidences: Vec<f64> = entries.iter().map(|entry| entry.confidence).collect();
    let filtered = Filtered {
        embeddings: &embeddings,
        kept: &kept,
        words: &words,
        votes,
        confidences: &confidences,
        similarity: &surviving,
        quality: surviving_quality.as_deref(),
    };
    let individual = scores(&filtered, &constants.individual, constants.diversity.as_ref());
    let best = best_answer(individual.as_ref(), constants);
    let times: Vec<u64> = entries.iter().map(|entry| entry.response_time_ms).collect();
    let earned = match lone {
        Some((at, (_, emission))) => Ok(alone(count, at, emission)),
        None => emissions(&times, theta, &kept, best, &constants.emissions),
    };
    let earned = match (&copies, &shared, &constants.remedies) {
        (Some(copies), Some(votes), Some(rule)) => {
            let quality = quality.as_ref().map(|found| found.scores.as_slice());
            earned.map(|all| remedies::paid(all, &Standing { members: &kept, copies, votes, quality }, rule))
        }
        _ => earned,
    };
    Round {
        quality,
        outlier_factors,
        cluster_labels,
        kept_after: after,
        dropped_by: dropped,
        agreement,
        theta,
        weighted_score: (surviving.size() > 0).then(|| confidence_weighted(&surviving, &select(&confidences, &kept))),
        consensus_achieved: theta > constants.consensus.threshold,
        individual,
        best,
        emissions: earned,
        in_consensus: kept,
        votes: votes.map(<[f64]>::to_vec),
        copies,
        similarity: all,
    }
}

/// Emissions of a round that one answer survived: its own, without a share of time.
fn alone(count: usize, at: usize, emission: f64) -> Vec<Emission> {
    let of = |place: usize| Emission { time_share: 0.0, emission: if place == at { emission } else { 0.0 } };
    (0..count).map(of).collect()
}

/// The scorer where sentence vectors are recorded, the heuristic otherwise; then the gate.
fn assess(prompt: &Prompt<'_>, entries: &[Entry<'_>], rule: &Quality) -> QualityStage {
    let answers: Vec<Answer<'_>> = entries.iter().map(|entry| entry.answer).collect();
    let embeddings: Vec<Embedding> = answers.iter().map(|answer| answer.embedding.to_vec()).collect();
    let relevance = cosines(prompt.embedding, &embeddings);
    let breakdowns = answers
        .iter()
        .all(|answer| answer.sentences.is_some())
        .then(|| quality::score(prompt, &answers, &rule.scorer, &rule.weights));
    let ungated: Vec<f64> = match &breakdowns {
        Some(all) => all.iter().map(|breakdown| breakdown.composite).collect(),
        None => {
            let pairs = answers.iter().zip(&relevance);
            pairs.map(|(answer, cosine)| quality::heuristic(answer.text, Some(*cosine), &rule.heuristic)).collect()
        }
    };
    let scores =
        ungated.iter().zip(&relevance).map(|(q, r)| quality::gated(*q, Some(*r), rule.relevance_gate)).collect();
    QualityStage { breakdowns, relevance, scores }
}

/// The length filter: at least `sensitivity` times the mean word count.
pub fn long_enough(words: &[u64], sensitivity: f64) -> Vec<bool> {
    let least = minimum_words(words, sensitivity);
    words.iter().map(|count| *count as f64 >= least).collect()
}

/// The word count that the length filter asks for.
pub fn minimum_words(words: &[u64], sensitivity: f64) -> f64 {
    let counts: Vec<f64> = words.iter().map(|count| *count as f64).collect();
    math::mean(&counts) * sensitivity
}

/// The best individual score; ties go to the first in upstream's order of insertion.
fn best_answer(individual: Option<&Scores>, constants: &Constants) -> Best {
    let Some(found) = individual else { return Best { index: None, factor: 1.0 } };
    let in_order: Vec<f64> = found.order.iter().map(|at| found.scores[*at]).collect();
    let first = best(&in_order, &constants.emissions);
    Best { index: first.index.map(|place| found.order[place]), factor: first.factor }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
