//! For every kind of event and every field: another value in a copy of the log, with leaves, tree and checkpoints made
//! consistent again, must be found by the audit, at that event and field; or the field is on the golden list of what an
//! audit does not cover, with the reason.
//!
//! The list has a section for each of the tests. A line of `docs/not-covered-by-audit.txt` is `Kind.field [status]: reason`, or
//! `Kind.field/change [status]: reason` where only some changes pass. The status says what happens instead: `chain` – found when a
//! chain is asked; `elsewhere` – the audit differs, but at another event, because the field is an input there; `word` – nothing
//! shows it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use domain::codec;
use domain::events::Event;
use domain::mechanism;
use serde_json::Value;
use support::bench::{Bench, Found};
use support::{World, history, subnets};

/// Kinds with so many events or fewer have all of them mutated; of others about half as many, spread over the history.
const INSTANCES: usize = 8;

/// Of a complete history: every kind, failures of every reason, and what was filtered.
fn of_history(world: &World) -> BTreeSet<usize> {
    let mut instances: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, draft) in world.drafts.iter().enumerate().filter(|(_, draft)| !draft.erased) {
        instances.entry(draft.event.kind()).or_default().push(at);
    }
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    for (at, draft) in world.drafts.iter().enumerate() {
        let sort = match &draft.event {
            Event::ResponseFailed(failed) => format!("{:?} {}", failed.reason, failed.signature.is_some()),
            Event::ResponseScored(scored) => format!("{:?}", scored.filtered),
            _ => continue,
        };
        firsts.entry(sort).or_insert(at);
    }
    let mut chosen: BTreeSet<usize> = firsts.into_values().collect();
    for positions in instances.values() {
        let step = if positions.len() <= INSTANCES { 1 } else { positions.len().div_ceil(INSTANCES / 2) };
        chosen.extend(positions.iter().step_by(step).chain(positions.last()).copied());
    }
    chosen
}

/// Of a subnet: the first and the last of each sort, so of a first round, and of the second epoch.
fn of_subnet(world: &World, name: &str) -> BTreeSet<usize> {
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (at, draft) in world.drafts.iter().enumerate() {
        if let Some(sort) = sort(&draft.event, name.ends_with("/readme")) {
            // Scores that follow from a label are a sort of their own.
            let sort = format!("{sort} of a {}", draft.stream_type);
            places.entry(sort).or_insert((at, at)).1 = at;
        }
    }
    places.values().flat_map(|(first, last)| [*first, *last]).collect()
}

/// The sort of an event in which subnets differ: verdicts by purpose, vectors by what they are of. What all rule sets of a subnet
/// have in common is asked of one of them.
fn sort(event: &Event, common: bool) -> Option<String> {
    match event {
        Event::JudgementRecorded(judged) => Some(format!("verdict {}", judged.purpose)),
        Event::EmbeddingComputed(embedding) => Some(format!("vectors {:?}", embedding.role)),
        Event::LabelRevealed(_) | Event::WeightsDerived(_) => Some(event.kind().to_owned()),
        Event::ChallengeAccepted(_)
        | Event::MinersSelected(_)
        | Event::AvailabilitySwept(_)
        | Event::RoundEvaluated(_)
        | Event::ResponseScored(_)
            if common =>
        {
            Some(event.kind().to_owned())
        }
        _ => None,
    }
}

fn subnet_worlds() -> Vec<(String, World)> {
    let rules = mechanism::shipped().into_iter().filter(|rules| subnets::NAMES.contains(&rules.algorithm()));
    rules.map(|rules| (rules.name(), subnets::complete(rules))).collect()
}

#[test]
fn every_field_is_checked_or_on_the_golden_list() {
    let world = history::complete();
    let chosen = of_history(&world);
    let found = Bench::new(world, &chosen).run();
    assert!(found.count > 1500, "only {} mutations", found.count);
    found.compare("a ledger of Loosh with every kind of event");
}

/// Of epochs that overlap: what becomes of each is told from what becomes of the others.
#[test]
fn every_field_of_epochs_that_overlap_is_checked_or_on_the_golden_list() {
    let world = history::overlapping();
    let of_epochs = |(at, draft): (usize, &support::Draft)| (draft.stream_type == "epoch").then_some(at);
    let chosen: BTreeSet<usize> = world.drafts.iter().enumerate().filter_map(of_epochs).collect();
    let found = Bench::new(world, &chosen).run();
    assert!(found.count > 300, "only {} mutations", found.count);
    found.compare("epochs that go on while the commitments of those before them wait for their reveal");
}

#[test]
fn every_field_of_the_other_subnets_is_checked_or_on_the_golden_list() {
    let mut found = Found::default();
    for (name, world) in subnet_worlds() {
        let chosen = of_subnet(&world, &name);
        found.merge(Bench::new(world, &chosen).run());
    }
    assert!(found.count > 1500, "only {} mutations", found.count);
    found.compare("rounds of the other subnets, with their tasks, verdicts, labels and running statistics");
}

/// What no audit can recompute and weights follow from: said to be a model's, the verdicts of the same rounds; said to be somebody
/// else's, the labels.
#[test]
fn every_field_of_what_others_said_is_checked_or_on_the_golden_list() {
    let mut found = Found::default();
    for name in ["bettertherapy/readme", "cgp/2.30.65", "conversion/readme", "twitter/readme"] {
        let mut world = World::new(6, mechanism::shipped_by_name(name).unwrap(), 384);
        world.model = "openai/some-model".to_owned();
        world.label_source = name.starts_with("conversion").then(|| "customers".to_owned());
        let world = subnets::played(world);
        let said = |event: &Event| matches!(event, Event::JudgementRecorded(_) | Event::LabelRevealed(_));
        let mut chosen = of_subnet(&world, name);
        chosen.retain(|at| said(&world.drafts[*at].event));
        found.merge(Bench::new(world, &chosen).run());
    }
    found.compare("verdicts that a model gave, and labels that do not follow from the task");
}

/// A list that is empty wherever it is mutated has no items that could be: somewhere each has some, and what may be missing is
/// somewhere there.
#[test]
fn no_list_is_empty_in_every_mutated_event() {
    let (mut empty, mut filled) = (BTreeSet::new(), BTreeSet::new());
    let mut look = |world: &World, chosen: BTreeSet<usize>| {
        for event in chosen.into_iter().map(|at| &world.drafts[at].event) {
            let payload = event.encode().unwrap();
            let json: Value = serde_json::from_slice(codec::json_part(event.kind(), &payload).unwrap()).unwrap();
            lists(&json, event.kind().to_owned(), &mut empty, &mut filled);
        }
    };
    let world = history::complete();
    look(&world, of_history(&world));
    for (name, world) in subnet_worlds() {
        look(&world, of_subnet(&world, &name));
    }
    let never: Vec<&String> = empty.difference(&filled).collect();
    assert!(filled.len() > 30 && never.is_empty(), "never there in a mutated event: {never:#?}");
}

/// Sorts lists and what may be missing into what is empty and what is not, by path.
fn lists(value: &Value, path: String, empty: &mut BTreeSet<String>, filled: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            if items.is_empty() {
                empty.insert(path.clone())
            } else {
                filled.insert(path.clone())
            };
            items.iter().for_each(|item| lists(item, format!("{path}[]"), empty, filled));
        }
        Value::Object(fields) => {
            filled.insert(path.clone());
            fields.iter().for_each(|(name, below)| lists(below, format!("{path}.{name}"), empty, filled));
        }
        Value::Null => drop(empty.insert(path)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => drop(filled.insert(path)),
    }
}
