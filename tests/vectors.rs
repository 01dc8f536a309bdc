//! Runs the vectors made from the original software through the functions that the validator and the audit call.
//!
//! `ASSAY_VECTORS` names another folder of vectors. `table` says which of our functions answers for which upstream
//! function, or why none does; a vector in neither, or with another result, fails by name. This test holds adapters from
//! JSON to arguments and a comparison, and no arithmetic: integers, strings, booleans and orders are compared exactly, floats
//! to 1e-12 absolute and relative, or to the bound that the vector's own note states.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

#[path = "vectors/axon_client.rs"]
mod axon_client;
#[path = "vectors/axon_peers.rs"]
mod axon_peers;
#[path = "vectors/axon.rs"]
mod axon_wire;
#[path = "vectors/bettertherapy.rs"]
mod bettertherapy;
#[path = "vectors/cgp.rs"]
mod cgp;
#[path = "vectors/conversion.rs"]
mod conversion;
#[path = "vectors/extrinsic.rs"]
mod extrinsic;
#[path = "vectors/fiber_epistula.rs"]
mod fiber_epistula;
#[path = "vectors/json.rs"]
mod json;
#[path = "vectors/loosh.rs"]
mod loosh;
#[path = "vectors/payout.rs"]
mod payout;
#[path = "vectors/quality.rs"]
mod quality;
#[path = "vectors/table.rs"]
mod table;
#[path = "vectors/timelock.rs"]
mod timelock;
#[path = "vectors/twitter.rs"]
mod twitter;
#[path = "vectors/wallet.rs"]
mod wallet;
#[path = "vectors/weights.rs"]
mod weights;
#[path = "vectors/wire.rs"]
mod wire;
#[path = "vectors/yuma.rs"]
mod yuma_epochs;

use std::path::{Path, PathBuf};

use json::{Found, Json, compare};
use loosh::Call;
use table::{ELSEWHERE, Elsewhere, Verdict};

/// The bound unless a note states another.
const TOLERANCE: f64 = 1e-12;

/// How the vectors of a subnet are run: the differences of one, `None` when its table says why it is not ours.
type Check = fn(&Json) -> Found<Option<Vec<String>>>;

/// Subnets by the beginning of their files' names. Named vectors of every other file are Loosh's.
const SUBNETS: [(&str, Check, &[table::Row]); 5] = [
    ("bettertherapy", bettertherapy::check, bettertherapy::TABLE),
    ("cgp", cgp::check, cgp::TABLE),
    ("conversion", conversion::check, conversion::TABLE),
    ("twitter", twitter::check, twitter::TABLE),
    ("", check, table::LOOSH),
];

/// How a file that has a form of its own is run.
type Form = fn(&Json, &mut Tally);

/// Such files, by the beginning of their names.
const FORMS: [(&str, Form); 7] = [
    ("axon", axon_wire::run),
    ("extrinsic", |json, tally| run_judged(extrinsic::run(json), tally)),
    ("fiber", |json, tally| run_judged(fiber_epistula::run(json, None, "fiber_epistula"), tally)),
    ("timelock", run_timelock),
    ("wallet", |json, tally| run_judged(wallet::run(json, "wallet"), tally)),
    ("weights", run_weights),
    ("yuma", run_yuma),
];

/// What became of the vectors of a file.
#[derive(Default)]
struct Tally {
    equal: usize,
    not_ours: usize,
    failures: Vec<String>,
}

impl Tally {
    fn fail(&mut self, name: &str, why: impl std::fmt::Display) {
        self.failures.push(format!("{name}: {why}"));
    }

    /// Counts what is expected and what was computed.
    fn judge(&mut self, name: &str, pair: Found<(Json, Json)>) {
        match pair.map(|(expected, actual)| compare(&expected, &actual, TOLERANCE)) {
            Ok(differences) if differences.is_empty() => self.equal += 1,
            Ok(differences) => self.fail(name, differences.join("; ")),
            Err(error) => self.fail(name, error),
        }
    }
}

fn folder() -> PathBuf {
    std::env::var_os("ASSAY_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from)
}

#[test]
fn vectors() {
    let folder = folder();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    let mut failures = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let tally = match std::fs::read(&file).map_err(|e| e.to_string()).and_then(|bytes| parse(&bytes)) {
            Ok(json) => run_file(&name, &json),
            Err(error) => Tally { failures: vec![format!("{name}: {error}")], ..Tally::default() },
        };
        println!("{name}: {} equal, {} not ours, {} failed", tally.equal, tally.not_ours, tally.failures.len());
        failures.extend(tally.failures);
    }
    assert!(failures.is_empty(), "{} vectors failed:\n{}", failures.len(), failures.join("\n"));
}

fn parse(bytes: &[u8]) -> Found<Json> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn run_file(file: &str, json: &Json) -> Tally {
    let mut tally = Tally::default();
    if let Some((_, run)) = FORMS.iter().find(|(start, _)| file.starts_with(start)) {
        run(json, &mut tally);
        return tally;
    }
    let elsewhere = ELSEWHERE.iter().find(|known| known.file == file);
    match (json.get("vectors").map(Json::list), elsewhere) {
        // Named vectors that carry their function.
        (Some(Ok(vectors)), None) => {
            let (_, check, _) = SUBNETS.iter().find(|(start, ..)| file.starts_with(start)).unwrap();
            for vector in vectors {
                run_vector(vector, *check, &mut tally);
            }
        }
        (Some(Ok(vectors)), Some(known)) => {
            for vector in vectors {
                run_elsewhere(vector, known, &mut tally);
            }
        }
        (None, Some(known)) => run_sections(json, known, &mut tally),
        _ => tally.fail(file, "neither a list of vectors nor a file in the table"),
    }
    tally
}

/// A vector's function as its file states it: one text, or an object with file and function.
fn source(vector: &Json) -> Found<String> {
    let stated = vector.any(&["source", "upstream", "function"])?;
    match stated {
        Json::Text(text) => Ok(text.clone()),
        other => Ok(format!("{}::{}", other.at("file")?.text()?, other.at("function")?.text()?)),
    }
}

fn run_vector(vector: &Json, check: Check, tally: &mut Tally) {
    let name = vector.get("name").and_then(|name| name.text().ok()).unwrap_or("(unnamed)");
    match check(vector) {
        Ok(Some(differences)) if differences.is_empty() => tally.equal += 1,
        Ok(Some(differences)) => tally.fail(name, differences.join("; ")),
        Ok(None) => tally.not_ours += 1,
        Err(error) => tally.fail(name, error),
    }
}

/// Loosh's vectors.
fn check(vector: &Json) -> Found<Option<Vec<String>>> {
    let source = source(vector)?;
    let (inputs, expected) = (vector.at("inputs")?, vector.at("expected")?);
    let verdict = table::find(&source, expected)
        .ok_or_else(|| format!("no function of the table in {source:?}: neither ours nor known as not ours"))?;
    match verdict {
        Verdict::NotOurs(_) => Ok(None),
        Verdict::Ours(_, adapter) => {
            let actual = adapter(&Call { inputs, expected })?;
            Ok(Some(compare(expected, &actual, tolerance(vector)?)))
        }
    }
}

/// `… tolerance 1e-6` in a vector's note widens its bound, for originals in single precision.
fn tolerance(vector: &Json) -> Found<f64> {
    let note = vector.get("note").map_or(Ok(""), Json::text)?;
    let Some((_, rest)) = note.split_once("tolerance ") else { return Ok(TOLERANCE) };
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-')).collect();
    // A note that only talks of tolerances widens nothing.
    Ok(number.trim_end_matches('.').parse().unwrap_or(TOLERANCE))
}

fn run_elsewhere(vector: &Json, known: &Elsewhere, tally: &mut Tally) {
    let name = vector.get("name").and_then(|name| name.text().ok()).unwrap_or("(unnamed)");
    match source(vector) {
        Ok(source) if known.known.iter().any(|upstream| names(&source, upstream)) => tally.not_ours += 1,
        Ok(source) => tally.fail(name, format!("{source:?} is not in the table of {}", known.file)),
        Err(error) => tally.fail(name, error),
    }
}

/// Whether the source is of this upstream package.
fn names(source: &str, package: &str) -> bool {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == package)
}

fn run_sections(json: &Json, known: &Elsewhere, tally: &mut Tally) {
    let sections: Vec<(&str, usize)> = match json {
        Json::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.list().map_or(1, <[Json]>::len)))
            .filter(|(key, _)| !known.about.contains(key))
            .collect(),
        // A bare list is one section under the file's name.
        Json::List(items) => vec![(known.file, items.len())],
        _ => Vec::new(),
    };
    for (section, count) in sections {
        if known.known.contains(&section) {
            tally.not_ours += count;
        } else {
            tally.fail(known.file, format!("section {section:?} is not in the table"));
        }
    }
}

/// A case's name, or its place.
fn label(case: &Json, section: &str, at: usize) -> String {
    let name = case.get("name").and_then(|name| name.text().ok());
    name.map_or_else(|| format!("{section}[{at}]"), |name| format!("{section}/{name}"))
}

/// Files whose adapters find their own way through sections.
fn run_judged(judged: wallet::Judged, tally: &mut Tally) {
    if judged.is_empty() {
        tally.fail("file", "it holds no case");
    }
    for (name, pair) in judged {
        tally.judge(&name, pair);
    }
}

/// The SDK's weight processing: sections of cases.
fn run_weights(json: &Json, tally: &mut Tally) {
    const ABOUT: [&str; 3] = ["sdk", "numpy", "note"];
    let fields = json.fields().unwrap_or_default();
    for (section, cases) in fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
        let Some((_, adapter)) = weights::SECTIONS.iter().find(|(known, _)| known == section) else {
            tally.fail("weights", format!("section {section:?} is not in the table"));
            continue;
        };
        match cases.list() {
            Ok(cases) => cases.iter().enumerate().for_each(|(at, case)| {
                tally.judge(&label(case, section, at), adapter(case));
            }),
            Err(error) => tally.fail(section, error),
        }
    }
}

/// Epochs: one list of cases.
fn run_yuma(json: &Json, tally: &mut Tally) {
    let fields = json.fields().unwrap_or_default();
    if let Some((key, _)) = fields.iter().find(|(key, _)| !["about", "note", "cases"].contains(&key.as_str())) {
        tally.fail("yuma", format!("section {key:?} is not in the table"));
    }
    match json.at("cases").and_then(Json::list) {
        Ok(cases) => cases.iter().enumerate().for_each(|(at, case)| {
            tally.judge(&label(case, "yuma", at), yuma_epochs::check(case));
        }),
        Err(error) => tally.fail("yuma", error),
    }
}

/// Timelock commits: one case, or a list of them.
fn run_timelock(json: &Json, tally: &mut Tally) {
    let cases = json.get("cases").unwrap_or(json);
    let cases = cases.list().unwrap_or(std::slice::from_ref(cases));
    for (at, case) in cases.iter().enumerate() {
        match timelock::ciphertexts(case) {
            Ok(names) if names.is_empty() => tally.fail(&label(case, "timelock", at), "it has no ciphertext"),
            Ok(names) => names.iter().for_each(|name| {
                tally.judge(&format!("{} {name}", label(case, "timelock", at)), timelock::check(case, name));
            }),
            Err(error) => tally.fail(&label(case, "timelock", at), error),
        }
    }
}

#[test]
fn wrong_results_and_unknown_functions_fail_by_name() {
    let vector = |source: &str, expected: &str| {
        let text = format!(
            r#"{{"vectors":[{{"name":"probe","source":"{source}","inputs":{{"polarities":["a","b"]}},"expected":{expected}}}]}}"#
        );
        run_file("probe", &parse(text.as_bytes()).unwrap()).failures
    };
    let polarity = "x.py:_apply_polarity_clustering";
    assert!(vector(polarity, r#"{"agreement":0.5}"#).is_empty());
    for (source, expected) in [
        (polarity, r#"{"agreement":0.500000000002}"#),
        (polarity, r#"{"agreement":"0.5"}"#),
        (polarity, r#"{"agreement":0.5,"more":1}"#),
        (polarity, "{}"),
        ("x.py:_apply_unknown", r#"{"agreement":0.5}"#),
        ("x.py:_apply_polarity_clustering,_apply_unknown", r#"{"agreement":0.5}"#),
    ] {
        let failures = vector(source, expected);
        assert!(failures.len() == 1 && failures[0].starts_with("probe: "), "{source} {expected} {failures:?}");
    }
}

#[test]
fn a_ground_truth_is_read_wherever_it_stands() {
    let mean = r#"{"neighborhood":[0.5,0.5]}"#;
    let vectors = r#"{"a":{"vectors":[1.0,0.0]},"b":{"vectors":[0.0,1.0]}}"#;
    for (function, inputs, expected) in [
        ("_calculate_semantic_neighborhood", format!(r#"{{"vectors":{vectors}}}"#), mean),
        ("calculate_semantic_neighborhood", format!(r#"{{"metadata":{{"tags":["a"],"vectors":{vectors}}}}}"#), mean),
        ("calculate_semantic_neighborhood", format!(r#"{{"full_convo_vectors":{vectors}}}"#), mean),
        ("_calculate_semantic_neighborhood", r#"{"vectors":null}"#.to_owned(), r#"{"neighborhood":null}"#),
        ("_calculate_semantic_neighborhood", r#"{"metadata":{"tags":["a"]}}"#.to_owned(), r#"{"neighborhood":null}"#),
        ("_calculate_semantic_neighborhood", "{}".to_owned(), "null"),
        ("MockDendrite.forward", r#"{"input":["a"]}"#.to_owned(), r#"{"output":["a","a"]}"#),
    ] {
        let probe = |expected: &str| {
            let text = format!(r#"{{"upstream":{{"function":"{function}"}},"inputs":{inputs},"expected":{expected}}}"#);
            cgp::check(&parse(text.as_bytes()).unwrap())
        };
        let not_ours = function.starts_with("Mock");
        assert_eq!(probe(expected), Ok((!not_ours).then(Vec::new)), "{function} {inputs}");
        assert!(not_ours || probe(r#"{"neighborhood":[0.5,0.4]}"#) != Ok(Some(Vec::new())), "{inputs}");
    }
}

#[test]
fn inputs_that_nothing_reads_fail_by_name() {
    let limits = r#""num_neurons":1,"min_allowed_weights":1,"max_weight_limit":1.0,"exclude_quantile_u16":0"#;
    let inputs = format!(r#""uids":[0],"weights_f32":[1.0],{limits}"#);
    for (section, case) in [
        ("process_then_emit", format!(r#"{{"in":{{{inputs},"probe":1}},"out":{{}}}}"#)),
        ("process_then_emit", format!(r#"{{"in":{{{inputs}}},"out":{{}},"probe":1}}"#)),
        ("emit_only", r#"{"uids":[0],"weights_f32":[1.0],"out":{"uids":[0],"vals":[65535]},"probe":1}"#.to_owned()),
        ("normalize_max_weight", r#"{"x_f32":[1.0],"limit":1.0,"y":[1.0],"dtype":"float32","probe":1}"#.to_owned()),
        ("weight_commit_hash_v2", r#"{"ss58":"","probe":1}"#.to_owned()),
        ("mechanism_split_u16", r#"{"in":[1.0],"out":[65535],"probe":1}"#.to_owned()),
    ] {
        let file = format!(r#"{{"{section}":[{case}]}}"#);
        let failures = run_file("weights", &parse(file.as_bytes()).unwrap()).failures;
        assert!(failures.len() == 1 && failures[0].contains("nothing reads the input probe"), "{section} {failures:?}");
    }
}

#[test]
fn every_row_says_what_or_why() {
    for row in SUBNETS.iter().flat_map(|(_, _, table)| *table) {
        let text = match row.verdict {
            Verdict::Ours(name, _) => name,
            Verdict::NotOurs(reason) => reason,
        };
        assert!(text.len() > 8 && !row.functions.is_empty());
    }
    assert!(ELSEWHERE.iter().all(|known| known.reason.len() > 8));
}
