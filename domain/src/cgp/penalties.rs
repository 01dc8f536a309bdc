//! Penalties on an answer's score (spec 3.5): factors for sharing nothing, junk, few tags and few unique tags.

use serde::{Deserialize, Serialize};

/// The factors and when they apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalties {
    /// No tag is shared with the ground truth.
    pub none_shared: f64,
    /// Answers whose best score is below this are junk.
    pub junk_below: f64,
    /// And those that share no tag with the ground truth when it is below this.
    pub unshared_junk_below: f64,
    /// Factor for junk.
    pub junk: f64,
    /// Fewer distinct tags than this are few.
    pub few_below: u64,
    /// Factor for few tags.
    pub few: f64,
    /// Factors for no, one and two unique tags.
    pub few_unique: [f64; 3],
}

/// A penalty that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// No tag is shared with the ground truth.
    NoneShared,
    /// The best tag is far from the conversation.
    Junk,
    /// Hardly any tags.
    Few,
    /// Fewer than three tags of its own.
    FewUnique,
}

/// What the penalties look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// All distinct tags, scored or not.
    pub tags: usize,
    /// Those that the ground truth does not have.
    pub unique: usize,
    /// The best score of a tag.
    pub maximum: f64,
}

impl Penalties {
    /// The penalties that apply with their factors, in the order in which they are multiplied in.
    pub fn applying(&self, counts: Counts) -> Vec<(Penalty, f64)> {
        let mut found = Vec::new();
        let none_shared = counts.tags == counts.unique;
        if none_shared {
            found.push((Penalty::NoneShared, self.none_shared));
        }
        if counts.maximum < if none_shared { self.unshared_junk_below } else { self.junk_below } {
            found.push((Penalty::Junk, self.junk));
        }
        if (counts.tags as u64) < self.few_below {
            found.push((Penalty::Few, self.few));
        }
        if let Some(factor) = self.few_unique.get(counts.unique) {
            found.push((Penalty::FewUnique, *factor));
        }
        found
    }
}

/// The score after its penalties. A negative score becomes better by them, as upstream; callers who do not want that hold
/// it at 0 first.
pub fn penalised(score: f64, penalties: &[(Penalty, f64)]) -> f64 {
    penalties.iter().fold(score, |score, (_, factor)| score * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use proptest::prelude::*;

    fn rule() -> Penalties {
        Constants::v2_30_65().evaluator.unwrap().penalties.unwrap()
    }

    #[test]
    fn the_worst_is_a_single_unique_junk_tag() {
        let worst = rule().applying(Counts { tags: 1, unique: 1, maximum: 0.1 });
        let names: Vec<Penalty> = worst.iter().map(|(penalty, _)| *penalty).collect();
        assert_eq!(names, [Penalty::NoneShared, Penalty::Junk, Penalty::Few, Penalty::FewUnique]);
        assert!((penalised(1.0, &worst) - 0.081).abs() < 1e-15);
        assert!(penalised(-0.5, &worst) > -0.5, "upstream's inversion of negative scores");
    }

    #[test]
    fn off_topic_is_nothing_by_our_rules() {
        let ours = Constants::assay_1().evaluator.unwrap().penalties.unwrap();
        for (unique, maximum, paid) in [(3, 0.57, false), (3, 0.59, true), (2, 0.57, true), (2, 0.39, false)] {
            let found = penalised(1.0, &ours.applying(Counts { tags: 3, unique, maximum }));
            assert_eq!(found > 0.0, paid, "{unique} {maximum}");
        }
    }

    proptest! {
        #[test]
        fn penalties_only_take(tags in 0usize..30, unique in 0usize..30, maximum in -1f64..1.0, score in 0f64..1.0) {
            let counts = Counts { tags: tags.max(unique), unique, maximum };
            let found = penalised(score, &rule().applying(counts));
            prop_assert!((0.0..=score).contains(&found));
        }
    }
}
