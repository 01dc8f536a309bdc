//! What is reported of a round beside its scores: answers that are suspiciously alike, and how the clusters divide it.
//!
//! Nothing here enters an emission or a weight. Upstream keeps the first for its service and never enabled the second.

use super::consensus::polarity;
use super::keywords::word_similarity;
use super::matrix::SquareMatrix;
use super::sybil::{Limits, Report, detect, fused_pairs, long_enough, structural_similarity};
use crate::events::Component;

/// The detector's findings among the answers of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    report: Report,
    /// How many pairs are alike in several ways.
    fused: usize,
    /// How many pairs are suspicious, by vectors alone or in several ways.
    pairs: usize,
    /// For each answer how many others are suspiciously like it.
    alike: Vec<u64>,
    /// For each answer the largest structural similarity to another one.
    structure: Vec<f64>,
}

/// Looks at all answers, before any stage dropped one. None for fewer than two.
pub fn alike(texts: &[&str], similarity: &SquareMatrix, limits: &Limits) -> Option<Alike> {
    if texts.len() < 2 {
        return None;
    }
    let included = long_enough(texts, limits);
    let report = detect(similarity, &included, limits);
    let structural = structural_similarity(texts);
    let fused = fused_pairs(similarity, &word_similarity(texts), &structural, &included, &limits.fusion);
    let nearest = |(at, row): (usize, &Vec<f32>)| {
        let others = row.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, value)| *value);
        f64::from(others.fold(f32::NEG_INFINITY, f32::max))
    };
    let mut pairs: Vec<(usize, usize)> = report.pairs.iter().map(|(i, j, _)| (*i, *j)).collect();
    pairs.extend(fused.iter().map(|found| found.pair));
    pairs.sort_unstable();
    pairs.dedup();
    let mut alike = vec![0; texts.len()];
    for (i, j) in &pairs {
        alike[*i] += 1;
        alike[*j] += 1;
    }
    let structure = structural.iter().enumerate().map(nearest).collect();
    Some(Alike { structure, report, fused: fused.len(), pairs: pairs.len(), alike })
}

impl Alike {
    /// Figures of the round.
    pub fn of_round(&self) -> Vec<Component> {
        vec![
            component("alike_threshold", self.report.distribution.adaptive_high_threshold),
            component("alike_pairs", self.pairs as f64),
            component("alike_in_several_ways", self.fused as f64),
            component("alike_groups", self.report.groups.len() as f64),
        ]
    }

    /// Figures of an answer: how many are suspiciously like it, the group that it is in (1 for the first, 0 for none), and
    /// the nearest structure.
    pub fn of_answer(&self, place: usize) -> Vec<Component> {
        let alike = self.alike.get(place).copied().unwrap_or_default();
        let group = self.report.groups.iter().position(|group| group.members.contains(&place));
        vec![
            component("alike_answers", alike as f64),
            component("alike_group", group.map_or(0.0, |group| (group + 1) as f64)),
            component("alike_structure", self.structure.get(place).copied().unwrap_or_default()),
        ]
    }
}

/// The share of the largest cluster among the answers that came to that stage: upstream's polarity.
pub fn largest_cluster(labels: &[usize]) -> Component {
    component("largest_cluster", polarity(labels))
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_reported_and_strangers_are_not() {
        let copy = "The tides follow the moon, since its pull is stronger on the near side of the earth.";
        let other = "- one\n- two\n- three, and a list that goes on for quite a while to be long enough";
        let similarity = SquareMatrix::from_cells(3, |i, j| if i == j || i + j == 1 { 1.0 } else { 0.2 });
        let found = alike(&[copy, copy, other], &similarity, &Limits::default()).unwrap();
        let value =
            |components: Vec<Component>, name: &str| components.into_iter().find(|c| c.name == name).unwrap().value;
        assert_eq!(value(found.of_round(), "alike_pairs"), 1.0);
        assert_eq!(value(found.of_round(), "alike_in_several_ways"), 1.0);
        assert_eq!(value(found.of_answer(1), "alike_answers"), 1.0);
        assert_eq!(value(found.of_answer(0), "alike_group"), 1.0);
        assert_eq!(value(found.of_answer(2), "alike_group"), 0.0);
        assert!((value(found.of_answer(1), "alike_structure") - 1.0).abs() < 1e-6);
        assert!(value(found.of_answer(2), "alike_structure") < 0.9);
        assert!(alike(&[copy], &SquareMatrix::from_cells(1, |_, _| 1.0), &Limits::default()).is_none());
        assert_eq!(largest_cluster(&[0, 1, 0, 0]).value, 0.75);
    }
}
