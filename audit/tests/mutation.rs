//! For every kind of event and every field: another value in a copy of the log, with leaves, tree and checkpoints made
//! consistent again, must be found by the audit, at that event and field; or the field is on the golden list of what an
//! audit does not cover, with the reason.
//!
//! A line of `docs/not-covered-by-audit.txt` is `Kind.field [status]: reason`, or `Kind.field/change [status]: reason` where
//! only some changes pass. The status says what happens instead: `chain` – found when a chain is asked; `elsewhere` – the
//! audit differs, but at another event, because the field is an input there; `word` – nothing shows it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use audit::{Replay, Settings};
use support::seal::{Sealed, Signers, seal, seal_from};
use support::{World, history, mutate};

/// What became of a mutation; the worst of a field counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Word,
    Elsewhere,
    Chain,
    Found,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Elsewhere => "elsewhere",
            Self::Chain => "chain",
            Self::Found => "found",
        }
    }
}

/// Kinds with so many events or fewer have all of them mutated; of others about half as many, spread over the history.
const INSTANCES: usize = 8;

struct Bench {
    world: World,
    base: Sealed,
    signers: Signers,
    /// Replays that stand before each event, without and with a chain.
    before: [Vec<Replay>; 2],
}

impl Bench {
    fn new() -> Self {
        let world = history::complete();
        let base = seal(&world);
        let signers = Signers::of(&world);
        let before = [None, Some(base.chain.clone())].map(|chain| {
            let mut replay = Replay::new(Settings { epoch: None, chain });
            let step = |recorded: &audit::record::Recorded| {
                let before = replay.clone();
                replay.push(recorded.clone());
                before
            };
            let before: Vec<Replay> = base.records.iter().map(step).collect();
            assert_eq!(replay.finish().difference_count, 0);
            before
        });
        Self { world, base, signers, before }
    }

    fn run(&self, at: usize, mutation: &mutate::Mutation) -> Status {
        let fixed = Some((at, mutation.payload.clone()));
        let changed = seal_from(&self.base, &self.world.drafts, at, fixed, &self.signers);
        // A chain only adds differences, so that what is not found with one is not found without.
        match self.audit(1, at, &changed, &mutation.path) {
            (true, _) if self.audit(0, at, &changed, &mutation.path).0 => Status::Found,
            (true, _) => Status::Chain,
            (false, true) => Status::Elsewhere,
            (false, false) => Status::Word,
        }
    }

    /// Whether the change is found at its event and field, and whether there is any difference.
    fn audit(&self, which: usize, at: usize, changed: &Sealed, path: &str) -> (bool, bool) {
        let mut replay = self.before[which][at].clone();
        if which == 1 {
            let mut chain = changed.chain.clone();
            let event = changed.records[0].event().unwrap().unwrap();
            self.world.answer(&mut chain, &event);
            replay.chain(chain);
        }
        let kind = &changed.records[0].kind;
        for recorded in &changed.records {
            replay.push(recorded.clone());
            if names(&replay.findings().differences, at as u64, kind, path) {
                return (true, true);
            }
        }
        let report = replay.finish();
        (names(&report.differences, at as u64, kind, path), report.difference_count > 0)
    }
}

/// Whether a difference names the event and the field (or one above or below it), with both values.
fn names(differences: &[audit::Difference], position: u64, kind: &str, path: &str) -> bool {
    let near = |field: &String| {
        let field = any_item(field);
        let below = |long: &str, short: &str| {
            !short.is_empty()
                && long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        below(&field, path) || below(path, &field)
    };
    differences.iter().any(|difference| {
        difference.position == position
            && difference.kind == kind
            && difference.recorded != difference.recomputed
            && (near(&difference.field) || difference.involves.iter().any(near))
    })
}

/// `weights[3].uid` → `weights[].uid`.
fn any_item(field: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in field.chars() {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            digit if inside && digit.is_ascii_digit() => continue,
            _ => {}
        }
        out.push(letter);
    }
    out
}

/// Status by kind and field, then by change.
type Found = BTreeMap<String, BTreeMap<&'static str, Status>>;

fn mutate_everything(bench: &Bench) -> (Found, usize) {
    let mut instances: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, recorded) in bench.base.records.iter().enumerate().filter(|(_, recorded)| recorded.payload.is_some()) {
        instances.entry(recorded.kind.as_str()).or_default().push(at);
    }
    let mut chosen = Vec::new();
    for positions in instances.values() {
        let step = if positions.len() <= INSTANCES { 1 } else { positions.len().div_ceil(INSTANCES / 2) };
        chosen.extend(positions.iter().step_by(step).chain(positions.last()).copied());
    }
    chosen.sort_unstable();
    chosen.dedup();
    // Two halves of about the same work.
    let halves: [Vec<usize>; 2] = [0, 1].map(|half| chosen.iter().skip(half).step_by(2).copied().collect());
    let results = std::thread::scope(|scope| {
        let handles = halves.map(|half| scope.spawn(move || mutate_some(bench, &half)));
        handles.map(|handle| handle.join().unwrap())
    });
    let (mut found, mut count) = (Found::new(), 0);
    for (some, more) in results {
        count += more;
        for (field, classes) in some {
            for (class, status) in classes {
                let worst = found.entry(field.clone()).or_default().entry(class).or_insert(Status::Found);
                *worst = status.min(*worst);
            }
        }
    }
    (found, count)
}

fn mutate_some(bench: &Bench, positions: &[usize]) -> (Found, usize) {
    let other_hotkey = bench.world.neurons[2].hotkey.to_string();
    let (mut found, mut count) = (Found::new(), 0);
    for at in positions {
        let recorded = &bench.base.records[*at];
        let (kind, payload) = (&recorded.kind, recorded.payload.as_deref().unwrap());
        for mutation in mutate::mutations(kind, recorded.version, payload, &other_hotkey) {
            if mutation.payload == payload {
                continue;
            }
            count += 1;
            let status = bench.run(*at, &mutation);
            let classes = found.entry(format!("{kind}.{}", mutation.path)).or_default();
            let worst = classes.entry(mutation.class).or_insert(Status::Found);
            *worst = status.min(*worst);
        }
    }
    (found, count)
}

/// `Kind.field [status]`, one line a field where all changes have the same status.
fn lines(found: &Found) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (field, classes) in found {
        let statuses: BTreeSet<Status> = classes.values().copied().collect();
        if statuses.len() == 1 {
            lines.extend(statuses.iter().filter(|s| **s != Status::Found).map(|s| format!("{field} [{}]", s.name())));
            continue;
        }
        let not_found = classes.iter().filter(|(_, status)| **status != Status::Found);
        lines.extend(not_found.map(|(class, status)| format!("{field}/{class} [{}]", status.name())));
    }
    lines
}

#[test]
fn every_field_is_checked_or_on_the_golden_list() {
    let bench = Bench::new();
    let (found, count) = mutate_everything(&bench);
    let lines = lines(&found);
    let golden = include_str!("../../docs/not-covered-by-audit.txt");
    let mut listed = BTreeSet::new();
    for line in golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason in {line:?}"));
        assert!(reason.len() > 10, "no reason in {line:?}");
        assert!(listed.insert(key.to_owned()), "{key} is listed twice");
    }
    let unlisted: Vec<&String> = lines.difference(&listed).collect();
    let superfluous: Vec<&String> = listed.difference(&lines).collect();
    println!("{count} mutations of {} fields", found.len());
    assert!(count > 1500, "only {count} mutations");
    let text = |lines: &[&String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert!(
        unlisted.is_empty() && superfluous.is_empty(),
        "not found and not listed:\n{}\nlisted, but found (or with another status):\n{}",
        text(&unlisted),
        text(&superfluous)
    );
}
