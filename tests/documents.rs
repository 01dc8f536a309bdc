//! What the documents say of the repository: every direct dependency has its line, and links lead to files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The manifests of the workspace: its own and each member's.
fn manifests() -> Vec<String> {
    let own = read("Cargo.toml");
    let members = own.split_once("members = [").unwrap().1.split_once(']').unwrap().0.to_owned();
    let members = members.split('"').skip(1).step_by(2).map(|member| read(Path::new(member).join("Cargo.toml")));
    std::iter::once(own.clone()).chain(members).collect()
}

/// The names in the dependency tables of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            found.insert(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    found
}

#[test]
fn every_direct_dependency_has_its_line() {
    let manifests = manifests();
    let rooms: BTreeSet<String> = manifests
        .iter()
        .map(|manifest| manifest.split_once("\nname = \"").unwrap().1.split_once('"').unwrap().0.to_owned())
        .collect();
    let used: BTreeSet<String> =
        manifests.iter().flat_map(|manifest| dependencies(manifest)).filter(|name| !rooms.contains(name)).collect();
    let text = read("docs/dependencies.md");
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let listed: BTreeSet<String> = cells.flat_map(|cell| cell.split(", ")).map(|name| name.replace('`', "")).collect();
    let missing: Vec<&String> = used.difference(&listed).collect();
    let gone: Vec<&String> = listed.difference(&used).collect();
    assert!(missing.is_empty() && gone.is_empty(), "without a line: {missing:?}; no dependency any more: {gone:?}");
    assert!(used.len() > 30, "the manifests were not understood: {used:?}");
}

/// Targets of `[text](target)` in a document, without those on other hosts and without anchors.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn links_lead_to_files() {
    let mut documents = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for folder in ["docs", "docs/adr"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        documents.extend(files.map(|name| Path::new(folder).join(name)));
    }
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut broken = Vec::new();
    let mut followed = 0;
    for document in documents {
        for target in links(&read(&document)) {
            followed += 1;
            if !root().join(document.parent().unwrap()).join(&target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 5, "no links were found");
}

/// The verbs of the Makefile, and what `make help` says.
fn verbs() -> (BTreeSet<String>, String) {
    let text = read("Makefile");
    let names = text.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("the Makefile lists its verbs");
    let help = text.split_once("\nhelp:\n").unwrap().1.split_once("\n\n").unwrap().0.to_owned();
    (names.split(' ').map(str::to_owned).collect(), help)
}

#[test]
fn documents_and_help_name_the_verbs_there_are() {
    let (verbs, help) = verbs();
    let silent: Vec<&String> =
        verbs.iter().filter(|verb| *verb != "help" && !help.contains(&format!("make {verb} "))).collect();
    assert!(silent.is_empty(), "`make help` does not name {silent:?}");
    let documents = ["README.md", "docs/ARCHITECTURE.md", "docs/benchmarks.md", "docs/chaos.md", ".ci/run"];
    let mut named = BTreeSet::new();
    for document in documents {
        let text = read(document);
        for rest in text.split("`make ").chain(text.split("\nmake ")).skip(1) {
            let verb = rest.split(|letter: char| letter != '-' && !letter.is_ascii_lowercase()).next().unwrap();
            named.extend((!verb.is_empty()).then(|| verb.to_owned()));
        }
    }
    let unknown: Vec<&String> = named.difference(&verbs).collect();
    assert!(unknown.is_empty(), "no verb of the Makefile: {unknown:?}");
    assert!(named.contains("demo") && named.contains("test"), "the documents were not understood: {named:?}");
}
