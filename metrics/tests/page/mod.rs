//! What `docs/metrics.md` says, and whether a page that a service gave says the same. Used by the services' own tests.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

/// A metric as the document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub kind: String,
    pub unit: String,
    pub labels: BTreeSet<String>,
    pub what: String,
}

/// Rows of the document's sections by name.
pub fn document() -> BTreeMap<String, BTreeMap<String, Row>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut sections = BTreeMap::new();
    for section in text.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let mut rows = BTreeMap::new();
        for line in body.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, unit, labels, what] = cells[..] else { panic!("five columns: {line}") };
            let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            let row = Row {
                kind: kind.to_owned(),
                unit: unit.to_owned(),
                labels: words(labels).into_iter().collect(),
                what: what.to_owned(),
            };
            assert!(rows.insert(words(name)[0].clone(), row).is_none(), "twice: {line}");
        }
        if !rows.is_empty() {
            sections.insert(title.trim().to_owned(), rows);
        }
    }
    sections
}

/// A metric as a service gave it: its kind and the labels of its rows.
pub type Given = BTreeMap<String, (String, Option<BTreeSet<String>>)>;

/// Reads a page in Prometheus' format.
pub fn given(text: &str) -> Given {
    let mut found = Given::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            current = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            found.insert(current.clone(), (kind.to_owned(), None));
        } else if !line.starts_with('#') {
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            // Between the quotes of a value and the next comma stands a name.
            let mut names = BTreeSet::new();
            for part in labels.split('"').step_by(2).filter(|part| part.ends_with('=')) {
                names.insert(part.trim_start_matches(',').trim_end_matches('=').to_owned());
            }
            names.remove("le");
            found.get_mut(&current).expect(line).1 = Some(names);
        }
    }
    assert_eq!(text.lines().last(), Some("# EOF"));
    found
}

/// What differs between a page and sections of the document. `common` are labels that every row has.
pub fn differences(text: &str, sections: &[&str], common: &[&str]) -> Vec<String> {
    let document = document();
    let stated: BTreeMap<&String, &Row> = sections.iter().flat_map(|title| &document[*title]).collect();
    let given = given(text);
    let mut differences = Vec::new();
    for name in stated.keys().filter(|name| !given.contains_key(**name)) {
        differences.push(format!("{name} stands in docs/metrics.md and is not given"));
    }
    for (name, (kind, labels)) in &given {
        let Some(row) = stated.get(name) else {
            differences.push(format!("{name} is given and does not stand in docs/metrics.md"));
            continue;
        };
        if row.kind != *kind {
            differences.push(format!("{name} is a {kind}, and in docs/metrics.md a {}", row.kind));
        }
        let mut expected = row.labels.clone();
        expected.extend(common.iter().map(|label| (*label).to_owned()));
        if labels.as_ref().is_some_and(|labels| *labels != expected) {
            differences.push(format!("{name} has the labels {labels:?}, and in docs/metrics.md {expected:?}"));
        }
    }
    differences
}

/// The value of a row, as it is written before its last space.
pub fn value(text: &str, row: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' ')?.parse().ok())
}
