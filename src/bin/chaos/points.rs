//! What can be broken, and in which order a run breaks it.

use crate::chance::Chance;
use anyhow::{Result, bail};
use std::fmt;
use validator::faults;

/// Kinds of events whose appearance in the log is a moment to stop PostgreSQL: in mid-round, and between each two steps of
/// an epoch's way to the chain.
const MOMENTS: &[&str] =
    &["ChallengeIssued", "ResponseReceived", "WeightsDerived", "CheckpointAnchored", "WeightsSubmitted"];

/// One way to break something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// The validator kills itself with SIGKILL where its code has a named point.
    Fault(&'static str),
    /// The validator is killed with SIGKILL at any moment.
    Kill,
    /// Both at once, at any moment, as when the machine loses its power.
    PowerCut,
    /// PostgreSQL stops with `-m immediate` at any moment, or just after an event of a kind appeared; the validator lives.
    Crash(Option<&'static str>),
    /// Every connection between the validator and PostgreSQL is cut, several times; both live.
    Cut,
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(name) => out.write_str(name),
            Self::Kill => out.write_str("kill"),
            Self::PowerCut => out.write_str("power-cut"),
            Self::Crash(None) => out.write_str("pg-immediate"),
            Self::Crash(Some(kind)) => write!(out, "pg-immediate@{kind}"),
            Self::Cut => out.write_str("cut-connection"),
        }
    }
}

/// Every point.
pub(crate) fn all() -> Vec<Point> {
    let faults = faults::POINTS.iter().map(|name| Point::Fault(name));
    let crashes = [None].into_iter().chain(MOMENTS.iter().copied().map(Some)).map(Point::Crash);
    faults.chain(crashes).chain([Point::Kill, Point::PowerCut, Point::Cut]).collect()
}

/// The points of these names; all when there are no names.
pub(crate) fn named(names: &[String]) -> Result<Vec<Point>> {
    let all = all();
    let find = |name: &String| match all.iter().find(|point| point.to_string() == *name) {
        Some(point) => Ok(*point),
        None => {
            let known: Vec<String> = all.iter().map(Point::to_string).collect();
            bail!("there is no point {name:?}; points: {}", known.join(", "))
        }
    };
    if names.is_empty() { Ok(all.clone()) } else { names.iter().map(find).collect() }
}

/// The order of a run: all points in a random order first, then any.
pub(crate) fn plan(points: &[Point], cycles: u32, chance: &mut Chance) -> Vec<Point> {
    let mut first = points.to_vec();
    chance.shuffle(&mut first);
    let mut plan = first;
    while plan.len() < cycles as usize {
        plan.push(points[chance.below(points.len())]);
    }
    plan.truncate(cycles as usize);
    plan
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_point_comes_once_before_any_is_repeated() {
        let points = all();
        for seed in 0..50 {
            let plan = plan(&points, 40, &mut Chance::new(seed));
            let mut first: Vec<Point> = plan[..points.len()].to_vec();
            first.sort_unstable();
            let mut expected = points.clone();
            expected.sort_unstable();
            assert_eq!(first, expected, "seed {seed}");
            assert_eq!(plan.len(), 40);
        }
    }

    #[test]
    fn names_lead_back() {
        let names: Vec<String> = all().iter().map(Point::to_string).collect();
        assert_eq!(named(&names).unwrap(), all());
        assert!(named(&["nowhere".to_owned()]).is_err());
    }
}
