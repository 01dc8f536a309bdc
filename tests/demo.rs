//! The demo as a user runs it: everything comes up, an epoch is audited equal, every command that it prints works as
//! printed, neither Ctrl-C nor a kill leaves anything behind, and a second run goes on where the first ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
/// Long enough for a busy machine with two cores and a debug build.
const PATIENCE: Duration = Duration::from_secs(420);

/// One demo at a time, also where one process runs all tests: each needs the whole machine to come to its epochs in time.
static MACHINE: Mutex<()> = Mutex::new(());

fn the_machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A home of its own that shares the fetched models.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let fetched = std::env::var_os("ASSAY_HOME")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".assay"), PathBuf::from);
        for name in ["models", "onnxruntime"] {
            let source = fetched.join(name);
            assert!(source.exists(), "{} is missing; run `make setup`", source.display());
            std::os::unix::fs::symlink(source, home.path().join(name)).unwrap();
        }
        Self(home)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("ASSAY_HOME", self.0.path()).env_remove("DATABASE_URL").env_remove("ASSAY_CHAIN");
        command.current_dir(self.0.path());
        command
    }

    /// Processes whose command line names this home.
    fn processes(&self) -> Vec<String> {
        Self::naming(&self.0.path().to_string_lossy())
    }

    /// Processes whose command line contains a text.
    fn naming(name: &str) -> Vec<String> {
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
        all.filter(|line| line.contains(name)).collect()
    }
}

/// A running demo and what it has printed.
struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    printed: Vec<String>,
}

impl Demo {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = home.command(PROGRAM);
        command.arg("demo").args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, printed: Vec::new() }
    }

    /// Reads until a line satisfies the predicate.
    fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Some(line) = self.lines.next() else { break };
            let line = line.unwrap();
            self.printed.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
        panic!("the demo did not print {what}; it printed:\n{}", self.printed.join("\n"));
    }

    /// Reads until it has ended by itself, with success. Gives what was printed since.
    fn until_it_ends(&mut self) -> Vec<String> {
        let rest: Vec<String> = self.lines.by_ref().map(|line| line.unwrap()).collect();
        self.printed.extend(rest.iter().cloned());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.printed.join("\n"));
        rest
    }

    /// The commands between `Check` and the empty line after them.
    fn commands(&self) -> Vec<String> {
        let after = self.printed.iter().skip_while(|line| line.as_str() != "Check").skip(1);
        after.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
    }

    /// Rounds of the epochs that were audited, each of them equal.
    fn audited_rounds(&self) -> u32 {
        let audits = self.printed.iter().filter(|line| line.starts_with("  epoch ") && line.contains(" audit: "));
        audits
            .map(|line| {
                let counted = line.split_once(" audit: equal; ").unwrap_or_else(|| panic!("{line}")).1;
                counted.split(' ').next().unwrap().parse::<u32>().unwrap()
            })
            .sum()
    }

    /// Ctrl-C. The shell has `kill` also where no package brings the program.
    fn signal(&self) -> bool {
        let line = format!("kill -INT {}", self.child.id());
        Command::new("sh").args(["-c", &line]).status().is_ok_and(|status| status.success())
    }

    fn interrupt(&mut self) -> Vec<String> {
        assert!(self.signal(), "the demo cannot be told to end");
        self.until_it_ends()
    }
}

/// A failed assertion must not leave the demo running, nor wait for it for ever.
impl Drop for Demo {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let begun = Instant::now();
        let told = self.signal();
        while told && begun.elapsed() < Duration::from_secs(60) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// `curl` where there is one; the same request otherwise.
fn run(home: &Home, line: &str) -> (Option<i32>, String) {
    let has_curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    if line.starts_with("curl ") && !has_curl {
        eprintln!("no curl on this machine: sending its request without it");
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap();
        let body = line.split("-d '").nth(1).unwrap().trim_end_matches('\'').to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = runtime.block_on(async {
            let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
            request.send().await.unwrap().text().await.unwrap()
        });
        return (Some(0), text);
    }
    let output = home.command("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), format!("{text}{}", String::from_utf8_lossy(&output.stdout)))
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

#[test]
fn the_demo_does_what_it_says() {
    let _alone = the_machine();
    let home = Home::new();
    let mut demo = Demo::start(&home, &["--questions", "12"]);
    let audited = demo.until("an audit's last line", |line| line.starts_with("audit:"));
    assert!(audited.starts_with("audit: equal; "), "{audited}\n{}", demo.printed.join("\n"));
    assert!(demo.audited_rounds() >= 12, "{}", demo.printed.join("\n"));
    assert!(audited.ends_with("; embeddings not recomputed"), "{audited}");

    let commands = demo.commands();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for line in &commands {
        let (code, text) = run(&home, line);
        assert_eq!(code, Some(0), "{line}\n{text}");
        let expected = match line.split(' ').nth(1) {
            Some("audit") => audited.as_str(),
            Some("verify") => "verify: sound; ",
            Some("replay") => "audit: equal; ",
            _ => "{\"data\":{\"leaderboard\":{\"edges\":[",
        };
        assert!(last_line(&text).starts_with(expected), "{line}\n{text}");
    }
    readme_query(&home, &demo);
    compared(&home);
    joined(&home, &demo);
    let bundles = std::fs::read_dir(home.0.path().join("demo-out")).unwrap().count();
    assert!(bundles > 0, "no bundle was written");

    demo.interrupt();
    drop(demo);
    assert_eq!(home.processes(), Vec::<String>::new(), "processes are left behind");

    killed(&home);
    let before = commands_at_once(&home);

    // Started again it goes on; at the end it leaves nothing.
    let mut again = Demo::start(&home, &["--once", "--discard", "--questions", "4", "--tamper"]);
    let audited = again.until("the second audit's last line", |line| line.starts_with("audit:"));
    assert!(audited.starts_with("audit: equal; "), "{audited}\n{}", again.printed.join("\n"));
    let closed = again.printed.iter().filter_map(|line| line.trim().strip_prefix("epoch ")?.split(' ').next());
    let newest = closed.filter_map(|number| number.trim_end_matches(':').parse::<usize>().ok()).max();
    assert!(newest >= Some(before - 1), "epochs begin anew: {newest:?}, {before} before");
    let rest = again.until_it_ends().join("\n");
    assert!(rest.contains("ResponseScored.score: recorded"), "{rest}");
    assert!(rest.contains("audit: differs;"), "{rest}");
    assert!(rest.contains("the log contradicts the outside checkpoint"), "{rest}");
    assert!(!home.0.path().join("demo").exists(), "--discard leaves the folder");
    assert_eq!(home.processes(), Vec::<String>::new(), "processes are left behind");
}

/// One validator process, five subnets with their miners: each comes to weights on chain that audit equal, and to a bundle that
/// does so where there is neither database nor chain.
#[test]
fn every_subnet_comes_to_an_epoch_that_audits_equal() {
    const ROUNDS: u32 = 4;
    let _alone = the_machine();
    let home = Home::new();
    let mut demo = Demo::start(&home, &["--subnet", "all", "--once", "--questions", &ROUNDS.to_string()]);
    let server = demo.until("where its server is", |line| line.starts_with("demo: starting a private PostgreSQL in "));
    let server = server.rsplit(' ').next().unwrap().to_owned();
    demo.until_it_ends();
    let printed = demo.printed.join("\n");
    drop(demo);
    let left = [Home::naming(&server), home.processes()].concat();
    assert_eq!(left, Vec::<String>::new(), "processes are left behind");

    let audits: Vec<&str> =
        printed.lines().filter(|line| line.starts_with("  epoch ") && line.contains(" audit: ")).collect();
    assert!(audits.iter().all(|line| line.contains(" (included) audit: equal; ")), "{printed}");
    let mut of_epoch_0: Vec<&str> =
        audits.iter().filter_map(|line| line.strip_prefix("  epoch 0 (included) ")).collect();
    assert_eq!(of_epoch_0.len(), 5, "{printed}");
    assert_eq!(printed.matches("  epoch 0: weights included in block ").count(), 5, "{printed}");

    // A home without anything: what a bundle says it says alone.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for subnet in ["", "cgp-", "twitter-", "conversion-", "bettertherapy-"] {
        let bundle = home.0.path().join("demo-out").join(format!("{subnet}epoch-0.assay"));
        let mut command = home.command(PROGRAM);
        command.env("ASSAY_HOME", elsewhere.path()).args(["audit", "--json", "--bundle"]).arg(&bundle);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{}\n{text}", bundle.display());
        let report: serde_json::Value = serde_json::from_str(&text).expect(&text);
        assert_eq!((&report["verdict"], &report["difference_count"]), (&"equal".into(), &0.into()), "{text}");
        let count = |name: &str| report["counts"][name].as_u64().unwrap();
        assert!(count("rounds") >= u64::from(ROUNDS) && count("weights") >= 9, "{subnet}: {text}");
        found.push(format!("{} rounds, {} scores, {} weights", count("rounds"), count("scores"), count("weights")));
    }
    // The same rounds, scores and weights as beside the database, each of another subnet.
    for one in &found {
        let counted = format!("; {one} recomputed; ");
        let place = of_epoch_0.iter().position(|line| line.contains(&counted));
        of_epoch_0.swap_remove(place.unwrap_or_else(|| panic!("{one} in {of_epoch_0:?}")));
    }
}

/// Killed with no chance to clean up, the demo leaves nothing running either: no miner, no validator, no PostgreSQL.
fn killed(home: &Home) {
    let mut demo = Demo::start(home, &["--questions", "2"]);
    let server = demo.until("where its server is", |line| line.starts_with("demo: starting a private PostgreSQL in "));
    let server = server.rsplit(' ').next().unwrap().to_owned();
    demo.until("that everything is up", |line| line.starts_with("demo: everything is up"));
    assert!(!Home::naming(&server).is_empty() && !home.processes().is_empty());
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    let begun = Instant::now();
    let left = || [Home::naming(&server), home.processes()].concat();
    while !left().is_empty() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(left(), Vec::<String>::new(), "processes are left behind by a killed demo");
}

/// Without a server the commands start the demo's own for as long as they need it, also several of them at once. Returns how
/// many epochs there are.
fn commands_at_once(home: &Home) -> usize {
    let answers = std::thread::scope(|scope| {
        let runs = ["verify", "audit --epoch 0", "epochs --json"]
            .map(|command| scope.spawn(move || run(home, &format!("{PROGRAM} {command}"))));
        runs.map(|run| run.join().unwrap())
    });
    for (code, text) in &answers {
        assert_eq!(*code, Some(0), "{text}");
    }
    let epochs: serde_json::Value = serde_json::from_str(&answers[2].1).expect(&answers[2].1);
    let count = epochs["epochs"].as_array().unwrap().len();
    follower_that_was_away(home, epochs["meta"]["origin"].as_str().expect(&answers[2].1));
    count
}

/// Epochs that closed while nobody followed are audited when the follower is back, each once.
fn follower_that_was_away(home: &Home, origin: &str) {
    let file = home.0.path().join("follow.json");
    std::fs::write(&file, serde_json::json!({ origin: 0 }).to_string()).unwrap();
    let (code, text) = run(home, &format!("{PROGRAM} follow --once --progress follow.json"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(" since position 0; their audits first\n  epoch 0 (included) audit: equal; "), "{text}");
    assert_eq!(text.matches(" audit: ").count(), 1, "{text}");
}

/// A miner as the guide has it typed, with no wallet on this machine and the usual port taken: within two rounds of its announcement it
/// has answered and is scored, and what the validator reads more often of the chain does not fill the log.
fn joined(home: &Home, demo: &Demo) {
    const TYPED: &str = "assay miner --subnet loosh --network local";
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md")).unwrap();
    assert!(guide.lines().any(|line| line == TYPED), "the guide has another line");
    let log = home.0.path().join("joined.log");
    let mut command = home.command(PROGRAM);
    command.env("HOME", home.0.path().join("nobody")).stdin(Stdio::null()).stdout(Stdio::null());
    command.args(TYPED.split(' ').skip(1)).stderr(std::fs::File::create(&log).unwrap());
    let mut miner = Joined(command.spawn().unwrap());
    let begun = Instant::now();
    let (hotkey, announced) = loop {
        let said = std::fs::read_to_string(&log).unwrap();
        if let Some(line) = said.lines().find(|line| line.contains("axon announced")) {
            let block = line.split("block=").nth(1).expect(line);
            let block: u64 = block.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
            let hotkey = said.split(|c: char| !c.is_alphanumeric()).find(|word| is_hotkey(word)).expect(&said);
            break (hotkey.to_owned(), block);
        }
        let ended = miner.0.try_wait().unwrap();
        assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}:\n{said}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let api = demo.printed.iter().find_map(|line| line.trim().strip_prefix("GraphiQL")).unwrap();
    let api = format!("{}/graphql", api.trim().trim_end_matches("/graphiql"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |query: &str| -> serde_json::Value {
        let body = serde_json::json!({ "query": query });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        runtime.block_on(async { client.post(&api).json(&body).send().await.unwrap().json().await.unwrap() })
    };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let query =
        "{ rounds(first: 20) { edges { node { block state responses { hotkey status } scores { hotkey } } } } }";
    let later: Vec<serde_json::Value> = loop {
        let answer = ask(query);
        let rounds = answer["data"]["rounds"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let is_later = |round: &&serde_json::Value| text(&round["block"]).parse::<u64>().unwrap() > announced;
        let rounds: Vec<_> = rounds.iter().map(|edge| &edge["node"]).filter(is_later).rev().take(2).cloned().collect();
        if rounds.len() == 2 && rounds.iter().all(|round| round["state"] != "OPEN") {
            break rounds;
        }
        assert!(begun.elapsed() < PATIENCE, "no two rounds after block {announced}: {answer}");
        std::thread::sleep(Duration::from_millis(200));
    };
    let of = |list: &serde_json::Value| {
        list.as_array().unwrap().iter().find(|one| one["hotkey"] == hotkey.as_str()).cloned()
    };
    let has_answered = |round: &serde_json::Value| {
        of(&round["responses"]).is_some_and(|response| response["status"] == "RECEIVED")
            && of(&round["scores"]).is_some()
    };
    assert!(later.iter().any(has_answered), "{hotkey}, announced in block {announced}: {later:#?}");
    let (code, board) = run(home, &format!("{PROGRAM} leaderboard --json"));
    assert_eq!(code, Some(0), "{board}");
    let board: serde_json::Value = serde_json::from_str(&board[board.find('{').unwrap()..]).unwrap();
    let row = of(&board["rows"]).unwrap_or_else(|| panic!("{hotkey} is not there: {board}"));
    assert!(row["answered"].as_u64() > Some(0) && row["last_score"].is_number(), "{row}");
    // It is looked at every other block and recorded where something changed.
    let observed = ask(r#"{ events(kinds: ["MetagraphObserved"], first: 100) { edges { node { block } } } }"#);
    let observed = observed["data"]["events"]["edges"].as_array().unwrap_or_else(|| panic!("{observed}"));
    let blocks: Vec<u64> = observed.iter().map(|edge| text(&edge["node"]["block"]).parse().unwrap()).collect();
    let (first, last) = (blocks[0], blocks[blocks.len() - 1]);
    eprintln!("the metagraph was recorded {} times in {} blocks", blocks.len(), last - first);
    assert!(blocks.len() as u64 * 6 < last - first, "{blocks:?}");
}

/// The miner ends with the test.
struct Joined(Child);

impl Drop for Joined {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The row of an epoch that was included stands on chain as it was derived, and a chain of one validator agrees with it.
fn compared(home: &Home) {
    let line = format!("{PROGRAM} compare --epoch 0");
    let (code, table) = run(home, &line);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("derived and own row: no difference"), "{table}");
    let (code, text) = run(home, &format!("{line} --json"));
    assert_eq!(code, Some(0), "{text}");
    let json = &text[text.find('{').unwrap()..];
    let found: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!((&found["own"]["cosine"], &found["own"]["moved"]), (&1.0.into(), &0.0.into()), "{text}");
    // The chain rounds its consensus to 65535ths, each share down: no share is off by more than one, and what moves is half of all that.
    let figure = |name: &str| found["consensus"][name].as_f64().unwrap();
    let moved_most = found["slots"].as_f64().unwrap() / 65535.0 / 2.0;
    assert!(figure("cosine") > 0.999_999_99 && figure("moved") <= moved_most, "{text}");
    assert_eq!((&found["consensus"]["rows"], &found["validators"]), (&1.into(), &serde_json::json!([])), "{text}");
    assert_eq!(found["own"]["slots"], found["slots"], "{text}");
}

/// The query of the README, as printed there, for a miner of this run: the answer has the README's shape.
fn readme_query(home: &Home, demo: &Demo) {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("<!-- score-history -->").nth(1).expect("README.md has its query");
    let mut blocks = section.split("```");
    let command = blocks.nth(1).unwrap().trim_start_matches("sh").trim().to_owned();
    let shown: serde_json::Value = serde_json::from_str(blocks.nth(1).unwrap().trim_start_matches("json")).unwrap();
    let hotkey =
        |text: &str| text.split(|c: char| !c.is_alphanumeric()).find(|word| is_hotkey(word)).map(str::to_owned);
    let theirs = hotkey(&command).expect("the README's query names a hotkey");
    let ours = demo.printed.iter().find_map(|line| hotkey(line)).expect("the leaderboard names a hotkey");
    let api = demo.printed.iter().find_map(|line| line.trim().strip_prefix("GraphiQL")).unwrap();
    let api = api.trim().trim_end_matches("/graphiql");
    let command = command.replace(&theirs, &ours).replace("http://127.0.0.1:8080", api).replace("\\\n", " ");
    let (code, text) = run(home, &command);
    assert_eq!(code, Some(0), "{command}\n{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).expect(&text);
    assert_eq!(shape(&answer), shape(&shown), "{text}");
}

fn is_hotkey(word: &str) -> bool {
    word.len() == 48 && word.starts_with('5')
}

/// Names and types, one item of each list.
fn shape(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => Value::Array(items.iter().take(1).map(shape).collect()),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => "null".into(),
    }
}
