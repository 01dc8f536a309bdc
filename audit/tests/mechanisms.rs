//! Every shipped rule set through draws, evidence, scores, labels and two epochs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use audit::record::Recorded;
use audit::{Replay, Report, Settings, Verdict};
use domain::mechanism;
use support::seal::seal;
use support::{World, subnets};

fn report(records: &[Recorded]) -> Report {
    let mut replay = Replay::new(Settings::default());
    for recorded in records {
        replay.push(recorded.clone());
    }
    replay.finish()
}

fn worlds() -> Vec<(String, World)> {
    let rules = mechanism::shipped().into_iter().filter(|rules| subnets::NAMES.contains(&rules.algorithm()));
    rules.map(|rules| (rules.name(), subnets::complete(rules))).collect()
}

#[test]
fn every_rule_set_audits_equal() {
    let mut seen = BTreeSet::new();
    for (name, world) in worlds() {
        let report = report(&seal(&world).records);
        assert_eq!(report.verdict, Verdict::Equal, "{name}: {report}");
        assert_eq!(report.counts.epochs, Some((0, 1)), "{name}");
        assert!(report.counts.rounds >= 4, "{name}: {report}");
        seen.insert(name.split('/').next().unwrap().to_owned());
    }
    assert_eq!(seen, subnets::NAMES.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn a_draw_from_a_sweep_before_its_challenge_is_found_where_rounds_have_their_own() {
    for (name, differs) in [("twitter/readme", true), ("twitter/assay-1", true), ("conversion/readme", false)] {
        let mut world = World::new(6, mechanism::shipped_by_name(name).unwrap(), 384);
        world.own_sweeps = false;
        let report = report(&seal(&subnets::played(world)).records);
        assert_eq!(report.verdict == Verdict::Differs, differs, "{name}: {report}");
        let fields: BTreeSet<&str> = report.differences.iter().map(|found| found.field.as_str()).collect();
        assert_eq!(fields, differs.then_some("sweep").into_iter().collect(), "{name}");
    }
}

/// A validator that sweeps until it likes the candidates draws from the last sweep all the same.
#[test]
fn a_draw_from_another_sweep_than_the_rounds_last_is_found() {
    let mut world = World::new(6, mechanism::shipped_by_name("twitter/assay-1").unwrap(), 384);
    world.picks_sweeps = true;
    let report = report(&seal(&subnets::played(world)).records);
    assert_eq!(report.verdict, Verdict::Differs, "{report}");
    assert!(report.differences.iter().all(|found| found.field == "sweep"), "{report}");
}
