//! The page of known weaknesses: complete by number, and every test that it names is one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/weaknesses.md");

/// What is numbered of each subnet: prefix and how many numbers, which begin at 1.
const NUMBERED: [(&str, &[(&str, usize)]); 5] = [
    ("loosh", &[("", 29)]),
    ("cgp", &[("", 33), ("8.", 14)]),
    ("twitter", &[("D", 7), ("", 14), ("J", 5)]),
    ("conversion", &[("", 17)]),
    ("bettertherapy", &[("", 19)]),
];

/// Rule sets whose columns a table has.
const COLUMNS: usize = 3;

/// One line of a table.
struct Row<'a> {
    number: &'a str,
    what: &'a str,
    kept: [&'a str; COLUMNS],
    shown: &'a str,
}

/// A subnet's part of the page.
fn part<'a>(page: &'a str, subnet: &str) -> &'a str {
    let rest = page.split_once(&format!("\n## {subnet}\n")).unwrap_or_else(|| panic!("no part {subnet}")).1;
    rest.split("\n## ").next().unwrap()
}

fn rows(part: &str) -> Vec<Row<'_>> {
    let tabled = part.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| no. |"));
    tabled
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [number, what, readme, running, ours, shown] = cells[..] else { panic!("six cells: {line}") };
            Row { number, what, kept: [readme, running, ours], shown }
        })
        .collect()
}

/// Words in backticks that are names of functions.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| {
            word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names of the repository's tests: functions right below an attribute of a test.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut announced = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[") {
                announced |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                continue;
            }
            let declared = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            let name =
                declared.and_then(|rest| rest.split(|letter: char| letter != '_' && !letter.is_alphanumeric()).next());
            names.extend(name.filter(|_| announced).map(str::to_owned));
            announced &= name.is_none() && (line.is_empty() || line.starts_with("//"));
        }
    }
    names
}

#[test]
fn every_number_has_its_line() {
    for (subnet, numbered) in NUMBERED {
        let expected: Vec<String> =
            numbered.iter().flat_map(|(prefix, count)| (1..=*count).map(move |n| format!("{prefix}{n}"))).collect();
        let found: Vec<&str> = rows(part(PAGE, subnet)).iter().map(|row| row.number).collect();
        assert_eq!(found, expected, "{subnet}");
    }
}

#[test]
fn what_is_kept_is_shown_by_a_test_and_what_no_test_shows_has_a_reason() {
    let tests = tests();
    assert!(tests.len() > 1000, "the sources were not understood: {}", tests.len());
    assert!(tests.contains("every_number_has_its_line") && !tests.contains("rows"));
    let mut problems: BTreeMap<String, &str> = BTreeMap::new();
    for (subnet, _) in NUMBERED {
        for row in rows(part(PAGE, subnet)) {
            let mut problem = |what| problems.insert(format!("{subnet} {}", row.number), what);
            let named = named(row.shown);
            if named.is_empty() && row.kept.iter().any(|cell| cell.contains("kept")) {
                problem("is kept, and no test shows it");
            } else if named.is_empty() && row.shown.split(' ').count() < 5 {
                problem("has neither a test nor a reason");
            } else if row.what.is_empty() || row.kept.contains(&"") {
                problem("has an empty cell");
            }
        }
    }
    for name in named(PAGE).into_iter().filter(|name| !tests.contains(*name)) {
        problems.insert(name.to_owned(), "is no test");
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The tables' rule sets are the shipped ones, in their order.
#[test]
fn the_columns_are_the_shipped_rule_sets() {
    let shipped: Vec<String> = domain::mechanism::shipped().iter().map(domain::ruleset::RuleSet::name).collect();
    for (subnet, _) in NUMBERED {
        let heading = part(PAGE, subnet).lines().find(|line| line.starts_with("| no. |")).unwrap();
        let columns: Vec<&str> = heading.split('`').skip(1).step_by(2).collect();
        let expected: Vec<&str> = shipped.iter().filter_map(|name| name.strip_prefix(&format!("{subnet}/"))).collect();
        assert_eq!(columns, expected, "{subnet}");
    }
}
