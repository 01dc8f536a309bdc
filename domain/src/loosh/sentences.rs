//! Signals from the vectors of an answer's sentences: coherence, steps, novelty, and the diagnostics (spec 3.3).
//!
//! All take the sentences in order, as recorded. Diagnostics are recorded with a score and change nothing.

use super::clustering::{average_linkage_labels, cluster_count};
use super::constants::Scorer;
use super::graph;
use super::matrix::{Embedding, SquareMatrix, distances, similarity_of_units, units};
use crate::math::{self, clip};

/// Sentence vectors with what several signals need of them.
#[derive(Debug, Clone)]
pub struct Sentences<'a> {
    vectors: &'a [Embedding],
    units: Vec<Embedding>,
    similarity: SquareMatrix,
}

/// How the sentences of an answer hang together.
#[derive(Debug, Clone, PartialEq)]
pub struct Coherence {
    /// Mean cosine of neighbours, in [0, 1].
    pub local: f64,
    /// Mean cosine with the centroid, in [0, 1].
    pub global: f64,
    /// Neighbours below the break threshold.
    pub breaks: u64,
    /// Their share.
    pub break_rate: f64,
    /// 1 − cosine of first and last, in [0, 1]; diagnostic.
    pub drift: f64,
    /// Connectedness of the similarity graph; diagnostic.
    pub graph_score: f64,
}

impl<'a> Sentences<'a> {
    /// Prepares the vectors of an answer's sentences.
    pub fn new(vectors: &'a [Embedding]) -> Self {
        let units = units(vectors);
        let similarity = similarity_of_units(&units);
        Self { vectors, units, similarity }
    }

    /// How many sentences there are.
    pub fn count(&self) -> usize {
        self.vectors.len()
    }

    /// The vectors scaled to length one.
    pub fn units(&self) -> &[Embedding] {
        &self.units
    }

    fn neighbours(&self) -> Vec<f64> {
        (1..self.count()).map(|at| self.similarity.get(at - 1, at)).collect()
    }

    /// Local, global and graph coherence; perfect for fewer than two sentences.
    pub fn coherence(&self, scorer: &Scorer) -> Coherence {
        let count = self.count();
        if count < 2 {
            return Coherence { local: 1.0, global: 1.0, breaks: 0, break_rate: 0.0, drift: 0.0, graph_score: 1.0 };
        }
        let neighbours = self.neighbours();
        let breaks = neighbours.iter().filter(|cosine| **cosine < scorer.break_threshold).count();
        let centroid = math::unit(&self.centroid());
        let global: Vec<f64> = self.units.iter().map(|unit| math::dot(unit, &centroid)).collect();
        Coherence {
            local: clip(math::mean(&neighbours), 0.0, 1.0),
            global: clip(math::mean(&global), 0.0, 1.0),
            breaks: breaks as u64,
            break_rate: breaks as f64 / neighbours.len() as f64,
            drift: clip(1.0 - self.similarity.get(0, count - 1), 0.0, 1.0),
            graph_score: self.graph_score(scorer.graph_edge),
        }
    }

    /// The mean of the vectors as recorded; twice normalised by its user upstream, once is the same direction.
    fn centroid(&self) -> Embedding {
        let width = self.vectors.first().map_or(0, Vec::len);
        let mut sums = vec![0.0; width];
        for vector in self.vectors {
            for (sum, x) in sums.iter_mut().zip(vector) {
                *sum += x;
            }
        }
        let count = self.count() as f64;
        sums.iter().map(|sum| sum / count).collect()
    }

    /// Connectedness of the graph that joins sentences with a cosine of at least `edge`; 1 for fewer than three.
    pub fn graph_score(&self, edge: f64) -> f64 {
        graph::connectedness(&self.similarity, edge)
    }

    /// Number of reasoning steps (average-linkage clusters) and the reward for it.
    pub fn steps(&self, scorer: &Scorer) -> (f64, u64) {
        if self.count() < 2 {
            return (0.0, 1);
        }
        let labels = average_linkage_labels(&distances(self.vectors), scorer.step_distance);
        let steps = cluster_count(&labels) as u64;
        let off = (steps as f64 - scorer.target_steps) / scorer.step_scale;
        (math::exp(-(off * off)), steps)
    }

    /// Mean pairwise cosine.
    pub fn redundancy(&self) -> f64 {
        math::mean(&self.similarity.upper())
    }

    /// 1 − [`Self::redundancy`], at least 0; 1 for fewer than two sentences.
    pub fn novelty(&self) -> f64 {
        (1.0 - self.redundancy()).max(0.0)
    }

    /// Twice the mean step of cosine from sentence to sentence, in [0, 1]; diagnostic.
    pub fn path_length(&self) -> f64 {
        let steps: Vec<f64> = self.neighbours().iter().map(|cosine| 1.0 - cosine).collect();
        clip(math::mean(&steps) * 2.0, 0.0, 1.0)
    }

    /// How close the mean change of direction is to 0.4; 0 for fewer than three sentences; diagnostic.
    pub fn curvature(&self) -> f64 {
        if self.count() < 3 {
            return 0.0;
        }
        let directions: Vec<Embedding> = self.vectors.windows(2).map(|pair| direction(&pair[0], &pair[1])).collect();
        let turns: Vec<f64> = directions.windows(2).map(|pair| 1.0 - math::dot(&pair[0], &pair[1])).collect();
        let off = (math::mean(&turns) - 0.4) / 0.3;
        math::exp(-(off * off))
    }
}

/// The unit vector from one to the other; the plain difference when they all but coincide.
fn direction(from: &[f64], to: &[f64]) -> Embedding {
    let difference: Embedding = from.iter().zip(to).map(|(a, b)| b - a).collect();
    let length = math::norm(&difference);
    if length > 1e-9 { difference.iter().map(|x| x / length).collect() } else { difference }
}

/// Local and global coherence in one.
pub fn combined(coherence: &Coherence, scorer: &Scorer) -> f64 {
    scorer.local_weight * coherence.local + scorer.global_weight * coherence.global
}

/// Combined coherence, cut when there are too many breaks.
pub fn penalised(coherence: &Coherence, scorer: &Scorer) -> f64 {
    let value = combined(coherence, scorer);
    if coherence.break_rate > scorer.break_rate_limit {
        value * scorer.break_floor.max(1.0 - coherence.break_rate)
    } else {
        value
    }
}

/// Steps and novelty in one, in [0, 1].
pub fn complexity(step_score: f64, novelty: f64, scorer: &Scorer) -> f64 {
    clip(scorer.step_weight * step_score + scorer.novelty_weight * novelty, 0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn too_few_sentences() {
        let scorer = Scorer::default();
        let none = Sentences::new(&[]);
        assert_eq!((none.coherence(&scorer).local, none.steps(&scorer), none.redundancy()), (1.0, (0.0, 1), 0.0));
        assert_eq!((none.novelty(), none.path_length(), none.curvature()), (1.0, 0.0, 0.0));
        let same = vec![vec![0.6, 0.8]; 4];
        let same = Sentences::new(&same);
        assert_eq!(same.steps(&scorer).1, 1);
        assert!((same.graph_score(0.3) - 1.0).abs() < 1e-12);
        // Directions of coinciding sentences are zero: every turn is 1.
        assert!((same.curvature() - math::exp(-4.0)).abs() < 1e-12);
        let zero = vec![vec![0.0, 0.0]; 3];
        let zero = Sentences::new(&zero).coherence(&scorer);
        assert_eq!((zero.local, zero.global, zero.breaks, zero.drift), (0.0, 0.0, 2, 1.0));
    }

    proptest! {
        #[test]
        fn signals_stay_in_bounds(rows in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 4), 0..9)) {
            let scorer = Scorer::default();
            let sentences = Sentences::new(&rows);
            let c = sentences.coherence(&scorer);
            let (step, _) = sentences.steps(&scorer);
            for value in [c.local, c.global, c.break_rate, c.drift, c.graph_score, step, sentences.path_length(),
                sentences.curvature(), penalised(&c, &scorer), complexity(step, sentences.novelty(), &scorer)] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{:?} {}", c, value);
            }
        }
    }
}
