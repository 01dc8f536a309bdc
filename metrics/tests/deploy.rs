//! Alert rules, dashboards and settings in `deploy/observability` name only what exists. What exists is what docs/metrics.md lists,
//! and that is held to running services by their own tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod page;
mod promql;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use promql::named;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/observability")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document of YAML as JSON.
fn yaml(text: &str) -> Value {
    fn json(node: &Yaml<'_>) -> Value {
        if let Some(rows) = node.as_vec() {
            return rows.iter().map(json).collect();
        }
        if let Some(fields) = node.as_mapping() {
            return fields.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), json(value))).collect();
        }
        match (node.as_bool(), node.as_integer(), node.as_floating_point(), node.as_str()) {
            (Some(value), ..) => value.into(),
            (_, Some(value), ..) => value.into(),
            (_, _, Some(value), _) => value.into(),
            (.., Some(value)) => value.into(),
            _ => Value::Null,
        }
    }
    let documents = Yaml::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    json(&documents[0])
}

fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// Everything that a query may name.
struct Known {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
    jobs: BTreeSet<String>,
}

impl Known {
    fn new() -> Self {
        let mut metrics = BTreeSet::from(["up".to_owned()]);
        let mut labels: BTreeSet<String> = ["job", "instance", "le", "netuid", "mechanism"].map(str::to_owned).into();
        for (name, row) in page::document().into_values().flatten() {
            labels.extend(row.labels);
            match row.kind.as_str() {
                "histogram" => metrics.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}"))),
                "gauge" | "counter" => drop(metrics.insert(name)),
                other => panic!("{name} is a {other}"),
            }
        }
        let prometheus = yaml(&read("prometheus.yml"));
        let jobs = rows(&prometheus, "scrape_configs").iter().map(|job| word(job, "job_name").to_owned()).collect();
        Self { metrics, labels, jobs }
    }

    fn problems(&self, at: &str, expression: &str) -> Vec<String> {
        let named = named(expression);
        let mut problems = Vec::new();
        if named.metrics.is_empty() {
            problems.push(format!("{at}: {expression} reads no metric"));
        }
        for metric in named.metrics.difference(&self.metrics) {
            problems.push(format!("{at}: there is no metric {metric}"));
        }
        for label in named.labels.difference(&self.labels) {
            problems.push(format!("{at}: there is no label {label}"));
        }
        for (_, job) in named.equal.iter().filter(|(label, job)| label == "job" && !self.jobs.contains(job)) {
            problems.push(format!("{at}: nothing is scraped as job {job}"));
        }
        problems
    }
}

#[test]
fn alerts_name_what_exists() {
    let known = Known::new();
    let alerts = yaml(&read("alerts.yml"));
    let (mut problems, mut names) = (Vec::new(), BTreeSet::new());
    for rule in rows(&alerts, "groups").iter().flat_map(|group| rows(group, "rules")) {
        let name = word(rule, "alert");
        assert!(names.insert(name.to_owned()), "{name} twice");
        problems.extend(known.problems(name, word(rule, "expr")));
        assert!(["warning", "critical"].contains(&word(&rule["labels"], "severity")), "{name}");
        for text in ["summary", "description"].map(|text| word(&rule["annotations"], text)) {
            let labels = text.split("$labels.").skip(1);
            let labels = labels.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap());
            problems.extend(labels.filter(|label| !known.labels.contains(*label)).map(|l| format!("{name}: {l}")));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(names.len() >= 10, "{names:?}");
    // What is shown to fire by the rules' own tests.
    let tests = read("alerts_test.yml");
    let untested: Vec<&String> = names.iter().filter(|name| !tests.contains(&format!("alertname: {name}\n"))).collect();
    assert!(untested.is_empty(), "without a test in alerts_test.yml: {untested:?}");
}

#[test]
fn dashboards_name_what_exists() {
    let known = Known::new();
    let datasources = yaml(&read("grafana/provisioning/datasources/prometheus.yml"));
    let datasource = word(&rows(&datasources, "datasources")[0], "uid").to_owned();
    let (mut problems, mut titles, mut ids) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for file in std::fs::read_dir(folder().join("grafana/dashboards")).unwrap() {
        let dashboard: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let title = word(&dashboard, "title");
        titles.insert(title.to_owned());
        assert!(ids.insert(word(&dashboard, "uid").to_owned()), "{title}: its uid is another's");
        let variables = rows(&dashboard["templating"], "list");
        for variable in variables {
            problems.extend(known.problems(title, word(variable, "query")));
        }
        let mut panels = 0;
        for panel in rows(&dashboard, "panels").iter().filter(|panel| panel["type"] != "row") {
            panels += 1;
            let at = format!("{title}, {}", word(panel, "title"));
            assert!(!rows(panel, "targets").is_empty(), "{at} asks nothing");
            for target in rows(panel, "targets") {
                let expression = word(target, "expr");
                problems.extend(known.problems(&at, expression));
                assert_eq!(word(&target["datasource"], "uid"), datasource, "{at}");
                for (used, _) in expression.match_indices('$') {
                    let named = variables.iter().any(|v| expression[used + 1..].starts_with(word(v, "name")));
                    assert!(named, "{at}: {expression} has a variable that is none");
                }
            }
        }
        assert!(panels >= 8, "{title} has {panels} panels");
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(titles, ["Miners", "Read side", "Validator"].map(str::to_owned).into());
}

#[test]
fn settings_lead_to_files_that_are_there() {
    let prometheus = yaml(&read("prometheus.yml"));
    for file in rows(&prometheus, "rule_files") {
        let name = Path::new(file.as_str().unwrap()).file_name().unwrap();
        assert!(folder().join(name).exists(), "{file}");
    }
    // Every name that is scraped is a service of the compose file, validators and miners by the DNS of their networks.
    let compose = std::fs::read_to_string(folder().join("../../docker-compose.yml")).unwrap();
    let mut scraped = BTreeSet::new();
    for job in rows(&prometheus, "scrape_configs").iter().filter(|job| job["job_name"] != "prometheus") {
        let (list, names) = match job.get("dns_sd_configs") {
            Some(found) => (found, "names"),
            None => (&job["static_configs"], "targets"),
        };
        let named = rows(&list[0], names).iter().map(|name| name.as_str().unwrap());
        scraped.extend(named.map(|name| name.split(':').next().unwrap().to_owned()));
    }
    for name in &scraped {
        assert!(compose.contains(&format!("\n  {name}:\n")), "{name} is no service of docker-compose.yml");
    }
    for name in ["validator", "validator-mainnet", "validator-gpu", "api", "miner-ada"] {
        assert!(scraped.contains(name), "{name} is not among {scraped:?}");
    }
    let provider = yaml(&read("grafana/provisioning/dashboards/assay.yml"));
    assert_eq!(provider["providers"][0]["options"]["path"], "/var/lib/grafana/dashboards");
}

/// `promtool` of Debian's package `prometheus`, or the one that `PROMTOOL` names.
#[test]
fn promtool_takes_the_rules_and_sees_them_fire() {
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let run = |arguments: &[&str]| Command::new(&promtool).args(arguments).current_dir(folder()).output();
    if run(&["--version"]).is_err() {
        eprintln!("NOT CHECKED: {promtool} is not here; apt-get install prometheus has it, or set PROMTOOL");
        return;
    }
    let checks: [&[&str]; 3] = [
        &["check", "rules", "alerts.yml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
        &["test", "rules", "alerts_test.yml"],
    ];
    for arguments in checks {
        let ended = run(arguments).unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success(), "{arguments:?}: {said}");
    }
}

#[test]
fn names_are_found_in_queries() {
    let check = |expression: &str, metrics: &[&str], labels: &[&str]| {
        let found = named(expression);
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!((found.metrics, found.labels), (of(metrics), of(labels)), "{expression}");
    };
    check("up{job=\"a\"} == 0", &["up"], &["job"]);
    check("sum by (le) (rate(x_bucket{a=~\"b\", c!=\"d}\"}[5m]))", &["x_bucket"], &["a", "c", "le"]);
    check("histogram_quantile(0.95, sum(rate(y[1h])) by (le))", &["y"], &["le"]);
    check("a > 0.5 * b and on (i, n) c offset 5m unless d", &["a", "b", "c", "d"], &["i", "n"]);
    check("label_values(up{job=\"x\"}, instance)", &["up"], &["instance", "job"]);
    check("time() - z > 3e3", &["z"], &[]);
    assert!(named("up{job=\"a\"}").equal.contains(&("job".to_owned(), "a".to_owned())));
    assert!(named("up{job=~\"a\"}").equal.is_empty());
}
