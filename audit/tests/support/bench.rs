//! Tries every change of chosen events of a world: whether the audit finds it, at its event and field or elsewhere, with or without
//! a chain; and compares what is not found with a section of the golden list.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Replay, Settings};

use super::seal::{Sealed, Sealing, Signers, seal};
use super::{World, mutate};

/// What became of a mutation; the worst of a field counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
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

/// Status by kind and field, then by change; and how many changes there were.
#[derive(Default)]
pub struct Found {
    pub fields: BTreeMap<String, BTreeMap<&'static str, Status>>,
    pub count: usize,
}

impl Found {
    fn add(&mut self, field: String, class: &'static str, status: Status) {
        self.count += 1;
        self.worse(field, class, status);
    }

    fn worse(&mut self, field: String, class: &'static str, status: Status) {
        let worst = self.fields.entry(field).or_default().entry(class).or_insert(Status::Found);
        *worst = status.min(*worst);
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        for (field, classes) in other.fields {
            for (class, status) in classes {
                self.worse(field.clone(), class, status);
            }
        }
    }

    /// `Kind.field [status]`, one line a field where all changes have the same status.
    fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (field, classes) in &self.fields {
            let statuses: BTreeSet<Status> = classes.values().copied().collect();
            let not_found = classes.iter().filter(|(_, status)| **status != Status::Found);
            if statuses.len() == 1 {
                lines.extend(not_found.take(1).map(|(_, status)| format!("{field} [{}]", status.name())));
            } else {
                lines.extend(not_found.map(|(class, status)| format!("{field}/{class} [{}]", status.name())));
            }
        }
        lines
    }

    /// Compares what is not found with a section of the golden list, both ways.
    pub fn compare(&self, section: &str) {
        let (lines, listed) = (self.lines(), listed(section));
        let unlisted: Vec<&String> = lines.difference(&listed).collect();
        let superfluous: Vec<&String> = listed.difference(&lines).collect();
        println!("{} mutations of {} fields", self.count, self.fields.len());
        let text = |lines: &[&String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        assert!(
            unlisted.is_empty() && superfluous.is_empty(),
            "{section}\nnot found and not listed:\n{}\nlisted, but found (or with another status):\n{}",
            text(&unlisted),
            text(&superfluous)
        );
    }
}

/// The lines of a section of the golden list, without their reasons.
fn listed(section: &str) -> BTreeSet<String> {
    let golden = include_str!("../../../docs/not-covered-by-audit.txt");
    let mut listed = BTreeSet::new();
    let mut sections = BTreeSet::new();
    let mut current = None;
    for line in golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            assert!(sections.insert(title), "two sections {title:?}");
            current = Some(title);
            continue;
        }
        let (key, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason in {line:?}"));
        assert!(reason.len() > 10, "no reason in {line:?}");
        assert!(current.is_some(), "in no section: {line:?}");
        if current == Some(section) {
            assert!(listed.insert(key.to_owned()), "{key} is listed twice");
        }
    }
    assert!(sections.contains(section), "no section {section:?}, but {sections:?}");
    listed
}

/// A world whose events are changed one at a time.
pub struct Bench {
    world: World,
    base: Sealed,
    signers: Signers,
    /// Replays that stand before each chosen event, without and with a chain.
    before: BTreeMap<usize, [Replay; 2]>,
}

impl Bench {
    pub fn new(world: World, chosen: &BTreeSet<usize>) -> Self {
        let base = seal(&world);
        let signers = Signers::of(&world);
        let mut before = BTreeMap::new();
        let mut replays = [None, Some(base.chain.clone())].map(|chain| Replay::new(Settings { epoch: None, chain }));
        for (at, recorded) in base.records.iter().enumerate() {
            if chosen.contains(&at) {
                before.insert(at, replays.clone());
            }
            for replay in &mut replays {
                replay.push(recorded.clone());
            }
        }
        for replay in replays {
            let report = replay.finish();
            assert_eq!(report.difference_count, 0, "{report}");
        }
        Self { world, base, signers, before }
    }

    /// Changes each chosen event in every way, in two halves of about the same work.
    pub fn run(&self) -> Found {
        let halves: [Vec<usize>; 2] = [0, 1].map(|half| self.before.keys().skip(half).step_by(2).copied().collect());
        let [mut first, second] = std::thread::scope(|scope| {
            let handles = halves.map(|half| scope.spawn(move || self.some(&half)));
            handles.map(|handle| handle.join().unwrap())
        });
        first.merge(second);
        first
    }

    fn some(&self, positions: &[usize]) -> Found {
        let other_hotkey = self.world.neurons[2].hotkey.to_string();
        let mut found = Found::default();
        for at in positions {
            let recorded = &self.base.records[*at];
            let (kind, payload) = (&recorded.kind, recorded.payload.as_deref().unwrap());
            for mutation in mutate::mutations(kind, recorded.version, payload, &other_hotkey) {
                if mutation.payload != payload {
                    found.add(format!("{kind}.{}", mutation.path), mutation.class, self.status(*at, &mutation));
                }
            }
        }
        found
    }

    fn status(&self, at: usize, mutation: &mutate::Mutation) -> Status {
        let sealing = || {
            let fixed = Some((at, mutation.payload.as_slice()));
            Sealing::new(&self.base, &self.world.drafts, at, fixed, &self.signers)
        };
        let kind = self.base.records[at].kind.as_str();
        let named = |differences: &[audit::Difference]| names(differences, at as u64, kind, &mutation.path);
        let [without, with] = &self.before[&at];
        // Differences stay, so that the first that names the field is enough. Most are found where they stand.
        let mut first = without.clone();
        for recorded in sealing().take(1) {
            first.push(recorded);
        }
        if named(&first.findings().differences) {
            return Status::Found;
        }
        let changed = sealing().all();
        let run = |mut replay: Replay| {
            for recorded in &changed.records {
                replay.push(recorded.clone());
                if named(&replay.findings().differences) {
                    return (true, true);
                }
            }
            let report = replay.finish();
            (named(&report.differences), report.difference_count > 0)
        };
        let mut asked = with.clone();
        let mut chain = changed.chain.clone();
        self.world.answer(&mut chain, &changed.records[0].event().unwrap().unwrap());
        asked.chain(chain);
        // A chain only adds differences: what is not found with one is not found without.
        match run(asked) {
            (true, _) if run(without.clone()).0 => Status::Found,
            (true, _) => Status::Chain,
            (false, true) => Status::Elsewhere,
            (false, false) => Status::Word,
        }
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
