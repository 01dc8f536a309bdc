//! Every shipped rule set through draws, evidence, scores, labels and two epochs; and whoever changes evidence is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use audit::record::Recorded;
use audit::{Replay, Report, Settings, Verdict};
use domain::events::Event;
use domain::mechanism;
use support::seal::{Sealed, Signers, seal, seal_from};
use support::{World, mutate, subnets};

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

/// A verdict made without a model, a label, and what they lead to: no field of them can be changed unseen, but for what is
/// listed here with its reason.
#[test]
fn changed_evidence_is_found() {
    const UNCHECKED: &[(&str, &str)] = &[
        ("JudgementRecorded.parameters", "how a model was asked is the validator's word"),
        ("JudgementRecorded.prompt_tokens", "what a model counted is the validator's word"),
        ("JudgementRecorded.completion_tokens", "what a model counted is the validator's word"),
        ("JudgementRecorded.latency_ms", "how long a model took is the validator's word"),
        ("JudgementRecorded.model", "a reply that is said to be a model's is that model's word"),
        ("EmbeddingComputed.model.name", "a model is known by its weights"),
        ("EmbeddingComputed.runtime", "what computed the vectors is the validator's word"),
        ("EmbeddingComputed.provider", "what computed the vectors is the validator's word"),
        ("EmbeddingComputed.vectors[\u{2026}]", "vectors are not recomputed, where they give the same scores"),
        ("LabelRevealed.source", "where a label comes from is the validator's word"),
        ("LabelRevealed.label", "a label is its source's word, where it gives the same scores"),
    ];
    let mut unseen = BTreeSet::new();
    let mut count = 0;
    for (name, world) in worlds() {
        let log = seal(&world);
        let signers = Signers::of(&world);
        // The first and the last of a sort: of a first round, and of the second epoch.
        let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (at, draft) in world.drafts.iter().enumerate() {
            let Some(sort) = sort(&draft.event, name.ends_with("/readme")) else { continue };
            places.entry(sort).or_insert((at, at)).1 = at;
        }
        let chosen: BTreeSet<usize> = places.values().flat_map(|(first, last)| [*first, *last]).collect();
        for at in chosen {
            count += changed(&name, &world, &log, &signers, at, &mut unseen);
        }
    }
    let listed = |field: &str| UNCHECKED.iter().any(|(known, _)| field == *known);
    let unlisted: Vec<&(String, String)> = unseen.iter().filter(|(_, field)| !listed(field)).collect();
    println!("{count} changes");
    assert!(count > 300 && unlisted.is_empty(), "{count} changes, not found and not listed: {unlisted:#?}");
}

/// The sort of evidence that an event is: verdicts by purpose, vectors by what they are of. On request scores, too.
fn sort(event: &Event, scores: bool) -> Option<String> {
    match event {
        Event::JudgementRecorded(judged) => Some(format!("verdict {}", judged.purpose)),
        Event::EmbeddingComputed(embedding) => Some(format!("vectors {:?}", embedding.role)),
        Event::LabelRevealed(_) => Some(event.kind().to_owned()),
        Event::RoundEvaluated(_) | Event::ResponseScored(_) if scores => Some(event.kind().to_owned()),
        _ => None,
    }
}

/// Tries every change of one event; collects the fields whose changes nothing finds.
fn changed(
    name: &str,
    world: &World,
    log: &Sealed,
    signers: &Signers,
    at: usize,
    unseen: &mut BTreeSet<(String, String)>,
) -> usize {
    let recorded = &log.records[at];
    let other = world.neurons[2].hotkey.to_string();
    let payload = recorded.payload.as_deref().unwrap();
    let mut before = Replay::new(Settings::default());
    for recorded in &log.records[..at] {
        before.push(recorded.clone());
    }
    let mut count = 0;
    for mutation in mutate::mutations(&recorded.kind, recorded.version, payload, &other) {
        if mutation.payload == payload {
            continue;
        }
        count += 1;
        let changed = seal_from(log, &world.drafts, at, Some((at, mutation.payload.clone())), signers);
        let mut replay = before.clone();
        for recorded in &changed.records {
            replay.push(recorded.clone());
        }
        if replay.finish().difference_count == 0 {
            unseen.insert((name.to_owned(), format!("{}.{}", recorded.kind, mutation.path)));
        }
    }
    count
}
