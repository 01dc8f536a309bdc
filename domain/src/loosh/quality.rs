//! Quality of answers (spec 3.3): relevance, coherence, coverage, complexity, density, specificity, and their composite.
//!
//! The scorer needs the vectors of sentences and of the prompt's components; without them the heuristic stands in. The
//! weights of the composite sum to 1.4 upstream, so that decent answers saturate at 1; `loosh/assay-1` has weights that sum
//! to 1.

use super::constants::{HeuristicWeights, Scorer, SignalWeights};
use super::heuristics;
use super::keywords::{keyword_coverage, keywords};
use super::matrix::{Embedding, inner_products, units};
use super::sentences::{Sentences, complexity, penalised};
use super::words::{MARKER_FAMILIES, MARKERS};
use crate::math::{self, clip};
use crate::text::lower;
use crate::text::patterns::{count_whole_words, sentences};

/// How steep the composite's sigmoids are.
const STEEPNESS: f64 = 8.0;

/// What answers are measured against.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its vector.
    pub embedding: &'a [f64],
    /// Vectors of its components (`text::patterns::prompt_components`), in order.
    pub components: &'a [Embedding],
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its vector.
    pub embedding: &'a [f64],
    /// Vectors of its sentences (`text::patterns::sentences`), in order; `None` when they were not computed.
    pub sentences: Option<&'a [Embedding]>,
}

/// All signals of one answer; those marked diagnostic change nothing.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "upstream's names, explained in the specification")]
pub struct Breakdown {
    pub relevance: f64,
    pub sentence_relevance: f64,
    pub full_response_relevance: f64,
    /// Diagnostic unless the prompt has no components.
    pub keyword_coverage: f64,
    pub coherence: f64,
    pub local_coherence: f64,
    pub global_coherence: f64,
    pub coherence_breaks: u64,
    pub coherence_break_rate: f64,
    /// Diagnostic.
    pub topic_drift: f64,
    /// Diagnostic.
    pub coherence_graph_score: f64,
    pub coverage: f64,
    /// Diagnostic.
    pub missing_parts: f64,
    pub complexity: f64,
    pub step_score: f64,
    pub num_steps: u64,
    pub novelty: f64,
    /// Diagnostic.
    pub path_length: f64,
    /// Diagnostic.
    pub curvature: f64,
    pub redundancy: f64,
    /// Diagnostic.
    pub answer_shape_score: f64,
    pub density: f64,
    pub specificity: f64,
    pub composite: f64,
    pub sentence_count: u64,
    pub covered_components: u64,
    pub total_components: u64,
    pub discourse_marker_count: u64,
}

/// `1 / (1 + e^(−steepness (x − midpoint)))`.
pub fn sigmoid(x: f64, midpoint: f64, steepness: f64) -> f64 {
    1.0 / (1.0 + math::exp(-steepness * (x - midpoint)))
}

/// The composite of six signals, in [0, 1].
pub fn composite(signals: &Breakdown, weights: &SignalWeights) -> f64 {
    let parts = [
        weights.relevance * sigmoid(signals.relevance, 0.45, STEEPNESS),
        weights.coherence * sigmoid(signals.coherence, 0.45, STEEPNESS),
        weights.coverage * sigmoid(signals.coverage, 0.40, STEEPNESS),
        weights.complexity * sigmoid(signals.complexity, 0.30, STEEPNESS),
        weights.density * sigmoid(signals.density, 0.40, STEEPNESS),
        weights.specificity * sigmoid(signals.specificity, 0.30, STEEPNESS),
    ];
    clip(math::sum(&parts), 0.0, 1.0)
}

/// All signals and the composite of every answer of a round.
pub fn score(prompt: &Prompt<'_>, answers: &[Answer<'_>], scorer: &Scorer, weights: &SignalWeights) -> Vec<Breakdown> {
    let texts: Vec<&str> = answers.iter().map(|answer| answer.text).collect();
    let keywords = keywords(prompt.text, &texts, scorer.keywords as usize);
    let prompt_unit = math::unit(prompt.embedding);
    let components = units(prompt.components);
    let context =
        Context { prompt: prompt.text, prompt_unit: &prompt_unit, components: &components, keywords: &keywords };
    answers
        .iter()
        .map(|answer| {
            let mut signals = context.signals(answer, scorer);
            signals.composite = composite(&signals, weights);
            signals
        })
        .collect()
}

struct Context<'a> {
    prompt: &'a str,
    prompt_unit: &'a [f64],
    components: &'a [Embedding],
    keywords: &'a [String],
}

impl Context<'_> {
    fn signals(&self, answer: &Answer<'_>, scorer: &Scorer) -> Breakdown {
        let vectors = answer.sentences.filter(|vectors| !vectors.is_empty()).map(Sentences::new);
        // Upstream's text splitting decides the count; vectors are cut at a limit, and then the vectors decide.
        let count = match &vectors {
            Some(vectors) => vectors.count(),
            None => sentences(answer.text, scorer.minimum_sentence_words as usize).len(),
        };
        let several = vectors.as_ref().filter(|vectors| vectors.count() >= 2);
        let unit = math::unit(answer.embedding);
        let document = math::dot(self.prompt_unit, &unit);
        let mut signals = Breakdown {
            sentence_count: count as u64,
            full_response_relevance: document,
            sentence_relevance: several.map_or(document, |sentences| self.best_half(sentences)),
            keyword_coverage: keyword_coverage(answer.text, self.keywords).unwrap_or(document),
            answer_shape_score: heuristics::answer_shape(answer.text, self.prompt),
            density: heuristics::density(answer.text),
            specificity: heuristics::specificity(answer.text),
            ..Breakdown::default()
        };
        coherence(&mut signals, answer.text, several, scorer);
        let blend = |signals: &Breakdown, coverage: f64| {
            scorer.document_blend * signals.full_response_relevance
                + scorer.sentence_blend * signals.sentence_relevance
                + scorer.coverage_blend * coverage
        };
        if self.components.is_empty() {
            signals.coverage = blend(&signals, signals.keyword_coverage);
        } else {
            self.coverage(&mut signals, &unit, several, scorer);
        }
        signals.relevance = blend(&signals, signals.coverage);
        reasoning(&mut signals, answer.text, several, scorer);
        signals
    }

    /// Mean cosine with the prompt of the better half of the sentences.
    fn best_half(&self, sentences: &Sentences<'_>) -> f64 {
        let mut cosines = inner_products(self.prompt_unit, sentences.units());
        cosines.sort_by(f64::total_cmp);
        let best = (cosines.len() / 2).max(1);
        math::mean(&cosines[cosines.len() - best..])
    }

    fn coverage(&self, signals: &mut Breakdown, unit: &Embedding, several: Option<&Sentences<'_>>, scorer: &Scorer) {
        let covers = |component: &&Embedding| {
            math::dot(component, unit) >= scorer.coverage_threshold
                || several.is_some_and(|sentences| {
                    inner_products(component, sentences.units()).iter().any(|c| *c >= scorer.coverage_threshold)
                })
        };
        let total = self.components.len();
        let covered = self.components.iter().filter(covers).count();
        signals.covered_components = covered as u64;
        signals.total_components = total as u64;
        signals.coverage = covered as f64 / total as f64;
        signals.missing_parts = (total - covered) as f64 / total as f64;
    }
}

fn coherence(signals: &mut Breakdown, text: &str, several: Option<&Sentences<'_>>, scorer: &Scorer) {
    let Some(sentences) = several else {
        let guessed = heuristics::coherence(text);
        (signals.coherence, signals.local_coherence, signals.global_coherence) = (guessed, guessed, guessed);
        return;
    };
    let found = sentences.coherence(scorer);
    signals.coherence = penalised(&found, scorer);
    signals.local_coherence = found.local;
    signals.global_coherence = found.global;
    signals.coherence_breaks = found.breaks;
    signals.coherence_break_rate = found.break_rate;
    signals.topic_drift = found.drift;
    signals.coherence_graph_score = found.graph_score;
}

/// Complexity, only for answers that are relevant and coherent enough.
fn reasoning(signals: &mut Breakdown, text: &str, several: Option<&Sentences<'_>>, scorer: &Scorer) {
    if signals.relevance < scorer.complexity_relevance || signals.coherence < scorer.complexity_coherence {
        return;
    }
    let lowered = lower(text);
    let markers = count_whole_words(&lowered, MARKERS);
    signals.discourse_marker_count = markers as u64;
    if let Some(sentences) = several {
        (signals.step_score, signals.num_steps) = sentences.steps(scorer);
        signals.redundancy = sentences.redundancy();
        signals.novelty = sentences.novelty();
        signals.path_length = sentences.path_length();
        signals.curvature = sentences.curvature();
        signals.complexity = complexity(signals.step_score, signals.novelty, scorer);
    } else if signals.sentence_count > 0 {
        let per_sentence = markers as f64 / signals.sentence_count as f64;
        let from_markers = clip(1.0 - math::exp(-1.3 * per_sentence), 0.0, 1.0);
        signals.complexity =
            if signals.sentence_count == 1 { from_markers } else { with_variety(from_markers, &lowered) };
    }
}

/// Several sentences but no vectors of them: markers of several families add a little.
fn with_variety(from_markers: f64, lowered: &str) -> f64 {
    let families = MARKER_FAMILIES.iter().filter(|family| family.iter().any(|marker| lowered.contains(marker))).count();
    clip(from_markers + (families.saturating_sub(1) as f64 * 0.05).min(0.15), 0.0, 1.0)
}

/// Quality without sentence vectors; `relevance` is the cosine with the prompt, `None` when the prompt has no vector.
pub fn heuristic(text: &str, relevance: Option<f64>, weights: &HeuristicWeights) -> f64 {
    relevance.unwrap_or(0.5) * weights.relevance
        + heuristics::density(text) * weights.density
        + heuristics::specificity(text) * weights.specificity
        + heuristics::coherence(text) * weights.coherence
}

/// The relevance gate: quality becomes 0 where the cosine with the prompt is below `gate` (strict).
pub fn gated(quality: f64, relevance: Option<f64>, gate: f64) -> f64 {
    if gate > 0.0 && relevance.is_some_and(|relevance| relevance < gate) { 0.0 } else { quality }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(prompt: &str, components: &[Embedding], text: &str, sentences: Option<&[Embedding]>) -> Breakdown {
        let prompt = Prompt { text: prompt, embedding: &[1.0, 0.0], components };
        let answer = Answer { text, embedding: &[0.8, 0.6], sentences };
        let mut all = score(&prompt, &[answer], &Scorer::default(), &SignalWeights::default());
        all.remove(0)
    }

    #[test]
    fn limits_of_the_composite() {
        let weights = super::super::constants::Constants::v1_2_8().quality.map(|q| q.weights).unwrap_or_default();
        let all = |x| Breakdown {
            relevance: x,
            coherence: x,
            coverage: x,
            complexity: x,
            density: x,
            specificity: x,
            ..Breakdown::default()
        };
        assert!((composite(&all(0.0), &weights) - 0.0649).abs() < 5e-5);
        assert_eq!(composite(&all(1.0), &weights), 1.0);
    }

    #[test]
    fn a_blank_prompt_is_covered_by_relevance() {
        let signals = one(" ", &[], "because one two three", Some(&[vec![0.8, 0.6]]));
        assert!((signals.coverage - 0.8).abs() < 1e-15);
        assert_eq!((signals.total_components, signals.missing_parts, signals.sentence_count), (0, 0.0, 1));
        // One marker in one sentence.
        assert!((signals.complexity - (1.0 - math::exp(-1.3))).abs() < 1e-15);
    }

    #[test]
    fn without_vectors_markers_speak() {
        let text = "Because it rains we stay. However, then the sun returns.";
        let signals = one("Why stay at home", &[vec![1.0, 0.0]], text, None);
        assert_eq!((signals.sentence_count, signals.discourse_marker_count), (2, 3));
        let expected = (1.0 - math::exp(-1.3 * 1.5) + 0.1f64).min(1.0);
        assert!((signals.complexity - expected).abs() < 1e-15, "{}", signals.complexity);
        assert_eq!(one("Why stay at home", &[vec![1.0, 0.0]], "", Some(&[])).complexity, 0.0);
    }

    #[test]
    fn the_gate_is_strict() {
        assert_eq!(gated(0.9, Some(0.2), 0.2), 0.9);
        assert_eq!(gated(0.9, Some(0.199_999), 0.2), 0.0);
        assert_eq!(gated(0.9, None, 0.2), 0.9);
        assert_eq!(gated(0.9, Some(-1.0), 0.0), 0.9);
    }

    proptest! {
        #[test]
        fn composites_stay_in_bounds(rows in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 2), 0..6)) {
            let signals = one("what is it", &[vec![0.0, 1.0]], "one two three", Some(&rows));
            prop_assert!((0.0..=1.0).contains(&signals.composite));
            prop_assert_eq!(signals.covered_components + (signals.missing_parts as u64), 1);
        }
    }
}
