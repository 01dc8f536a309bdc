//! From a verdict and a response time to points (spec 2.3 and 2.4).
//!
//! As coded: `total = 100 × quality × 0.7 + time points × 0.3`, at most 100, and nothing at or below a quality of 0.2. As
//! documented the share of quality is applied twice, `(100 × quality × 0.7) × 0.7 + time points × 0.3`, at most 79, and a
//! quality at or below 0.2 only loses the time points.

use super::constants::{Bucket, Scoring};
use super::verdict::{Gap, Verdict};

/// Points of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Points {
    /// The verdict, 0 to 1.
    pub quality: f64,
    /// Points for the response time, 0 to 100, unweighted.
    pub time_points: f64,
    /// Both, weighted: 0 to 100.
    pub total: f64,
}

impl Points {
    /// The verdict as points, 0 to 100, unweighted.
    #[must_use]
    pub fn quality_points(&self) -> f64 {
        self.quality * 100.0
    }
}

/// Why an answer earns nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Zero {
    /// There is no answer.
    #[error("no answer came")]
    NoAnswer,
    /// The answer is empty.
    #[error("the answer is empty")]
    Empty,
    /// The judge says that it is no answer.
    #[error("the judge rejected the answer")]
    Rejected,
    /// There is no verdict.
    #[error("no verdict: {0}")]
    Unjudged(Gap),
    /// The verdict is 0, or does not exceed the floor.
    #[error("the quality does not exceed the floor")]
    BelowFloor,
    /// Another answer is the same and came earlier; its place.
    #[error("the answer repeats answer {0}")]
    Duplicate(usize),
    /// Upstream: the answer is not stored with the file in which it was judged.
    #[error("the answer is not stored with the file in which it was judged")]
    NotStored,
    /// Upstream: text or time is missing.
    #[error("the stored answer lacks its text or time")]
    Incomplete,
    /// Upstream: the judgement that this answer shares could not be read.
    #[error("the shared judgement cannot be read: {0}")]
    LineLost(String),
}

/// What an answer earns in a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Points; zero when there is a reason.
    pub points: Points,
    /// Whether the round counts for the miner at all.
    pub counted: bool,
    /// Why it earns nothing.
    pub reason: Option<Zero>,
}

impl Score {
    /// Nothing, for this reason. The quality that the judge gave is kept.
    #[must_use]
    pub fn zero(reason: Zero, quality: f64, counted: bool) -> Self {
        Self { points: Points { quality, ..Points::default() }, counted, reason: Some(reason) }
    }
}

/// Points of the first bucket whose limit is undercut; 0 when there is none, and for what is not a number.
#[must_use]
pub fn time_points(seconds: f64, buckets: &[Bucket]) -> f64 {
    buckets.iter().find(|bucket| seconds < bucket.below_seconds).map_or(0.0, |bucket| bucket.points)
}

/// Points of a quality from 0 to 1 and a time in seconds.
#[must_use]
pub fn points(quality: f64, seconds: f64, rule: &Scoring) -> Points {
    let exceeds = quality > rule.floor;
    let time_points = if exceeds { time_points(seconds, &rule.buckets) } else { 0.0 };
    if !exceeds && rule.zero_at_floor {
        return Points { quality, time_points, total: 0.0 };
    }
    let mut from_quality = quality * 100.0;
    for _ in 0..rule.quality_weight_applied {
        from_quality *= rule.quality_weight;
    }
    let mut from_time = time_points * rule.time_weight;
    if rule.time_by_quality {
        from_time *= quality;
    }
    Points { quality, time_points, total: from_quality + from_time }
}

/// The score of an answer by its own verdict, with the zero conditions. A missing verdict does not count: it is no fault of
/// the miner.
#[must_use]
pub fn score(text: Option<&str>, seconds: Option<f64>, verdict: &Verdict, rule: &Scoring) -> Score {
    let (Some(text), Some(seconds)) = (text, seconds) else { return Score::zero(Zero::NoAnswer, 0.0, true) };
    if text.is_empty() {
        return Score::zero(Zero::Empty, 0.0, true);
    }
    let quality = match verdict {
        Verdict::Quality(quality) => *quality,
        Verdict::Rejected => return Score::zero(Zero::Rejected, 0.0, true),
        Verdict::Missing(gap) => return Score::zero(Zero::Unjudged(gap.clone()), 0.0, false),
    };
    let points = points(quality, seconds, rule);
    if points.total > 0.0 {
        Score { points, counted: true, reason: None }
    } else {
        Score::zero(Zero::BelowFloor, quality, true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::constants::Constants;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documented_and_coded() {
        let (readme, coded) = (Constants::readme().scoring, Constants::v1_2_2().scoring);
        for (quality, seconds, documented, running) in [
            (1.0, 5.0, 79.0, 100.0),
            (0.7, 5.0, 64.3, 79.0),
            (0.7, 15.0, 49.3, 64.0),
            (0.7, 25.0, 40.3, 55.0),
            (0.7, 35.0, 34.3, 49.0),
            (0.2, 5.0, 9.8, 0.0),
            (0.0, 5.0, 0.0, 0.0),
        ] {
            assert!((points(quality, seconds, &readme).total - documented).abs() < 1e-12, "{quality} {seconds}");
            assert!((points(quality, seconds, &coded).total - running).abs() < 1e-12, "{quality} {seconds}");
        }
    }

    #[test]
    fn limits_belong_to_the_slower_bucket() {
        let buckets = Constants::v1_2_2().scoring.buckets;
        for (seconds, points) in
            [(9.999, 100.0), (10.0, 50.0), (19.999, 50.0), (20.0, 20.0), (29.999, 20.0), (30.0, 0.0), (f64::NAN, 0.0)]
        {
            assert_eq!(time_points(seconds, &buckets), points, "{seconds}");
        }
    }

    #[test]
    fn zeros_have_reasons() {
        let rule = Constants::assay_1().scoring;
        let good = Verdict::Quality(0.9);
        let reason = |text, seconds, verdict: &Verdict| score(text, seconds, verdict, &rule).reason;
        assert_eq!(reason(Some("text"), Some(3.0), &good), None);
        assert_eq!(reason(None, Some(3.0), &good), Some(Zero::NoAnswer));
        assert_eq!(reason(Some("text"), None, &good), Some(Zero::NoAnswer));
        assert_eq!(reason(Some(""), Some(3.0), &good), Some(Zero::Empty));
        assert_eq!(reason(Some("text"), Some(3.0), &Verdict::Rejected), Some(Zero::Rejected));
        assert_eq!(reason(Some("text"), Some(3.0), &Verdict::Quality(0.2)), Some(Zero::BelowFloor));
        let unjudged = score(Some("text"), Some(3.0), &Verdict::Missing(Gap::NoReply), &rule);
        assert_eq!((unjudged.reason, unjudged.counted), (Some(Zero::Unjudged(Gap::NoReply)), false));
    }

    /// An instant answer that barely exceeds the floor against a good one that took its time.
    #[test]
    fn speed_alone_pays_upstream_and_not_by_our_rule() {
        let share = |rule: &Scoring| points(0.21, 0.1, rule).total / points(0.7, 35.0, rule).total;
        assert!(share(&Constants::v1_2_2().scoring) > 0.9);
        assert!(share(&Constants::assay_1().scoring) < 0.45);
    }

    proptest! {
        #[test]
        fn totals_are_bounded_and_grow(quality in 0f64..=1.0, better in 0f64..=1.0, seconds in 0f64..600.0, later in 0f64..600.0) {
            for (constants, most) in [(Constants::readme(), 79.0), (Constants::v1_2_2(), 100.0), (Constants::assay_1(), 100.0)] {
                let rule = &constants.scoring;
                let total = points(quality, seconds, rule).total;
                prop_assert!((0.0..=most + 1e-9).contains(&total));
                prop_assert!(points(quality.max(better), seconds, rule).total >= total);
                prop_assert!(points(quality, seconds + later, rule).total <= total);
            }
        }
    }
}
