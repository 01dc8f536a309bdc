//! `assay check` reports everything in one run: what is right, what is wrong, and nothing that is secret.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
const KEY: &str = "sk-test-2718281828459045";
const COMPLETION: &str = r#"{"model":"served","choices":[{"message":{"role":"assistant","content":"OK"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;

/// An endpoint that accepts one key and otherwise echoes it in its refusal, as a careless one would. Ends with the process.
fn endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut accepted, mut length, mut sent) = (false, 0, String::new());
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let (name, value) = line.trim().split_once(": ").unwrap_or_default();
                match name.to_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    "authorization" => (accepted, sent) = (value == format!("Bearer {KEY}"), value.to_owned()),
                    _ if line.trim().is_empty() => break,
                    _ => {}
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let refusal = format!(r#"{{"error":{{"message":"bad key {sent}"}}}}"#);
            let (status, body) = if accepted { ("200 OK", COMPLETION) } else { ("401 Unauthorized", refusal.as_str()) };
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// The exit code, the findings by piece, and everything that was printed.
fn check(
    home: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, Vec<(String, String, String)>, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("check").args(arguments).arg("--json").current_dir(home).env("RUST_LOG", "trace");
    command.env("DATABASE_URL", "postgres://somebody:correct-horse-battery@127.0.0.1:1/assay");
    for name in
        ["ASSAY_CHAIN", "ASSAY_CONFIG", "OPENAI_API_KEY", "OPENAI_API_URL", "OPENAI_MODEL", "ASSAY_VALIDATOR_LISTEN"]
    {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let text = |finding: &serde_json::Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let triple = |finding| (text(finding, "piece"), text(finding, "state"), text(finding, "said"));
    (output.status.code(), found.as_array().unwrap().iter().map(triple).collect(), shown)
}

/// A small model of random weights.
fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("inference/models").join(name)
}

fn reward(name: &str, kind: &str, folder: &Path) -> String {
    format!("[reward.{name}]\nkind = \"{kind}\"\nfolder = {folder:?}\n")
}

fn finding<'a>(found: &'a [(String, String, String)], piece: &str) -> (&'a str, &'a str) {
    let found = found.iter().find(|finding| finding.0 == piece).unwrap_or_else(|| panic!("no {piece} in {found:?}"));
    (&found.1, &found.2)
}

#[test]
fn everything_that_is_wrong_is_reported_in_one_run() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let address = endpoint();
    let endpoint = |name: &str, key: &str| {
        format!(
            "[llm.{name}]\nprovider = \"openai_compatible\"\nmodel = \"m\"\nbase = \"{address}\"\nkey = \"{key}\"\n"
        )
    };
    let file = [
        endpoint("right", KEY),
        endpoint("wrong", "sk-other-16180339"),
        reward("pairs", "classifier", &tiny("tiny-classifier")),
        reward("lost", "language_model", Path::new("nowhere")),
        "[judge]\ndefault = \"right\"\nrlhf = \"pairs\"\ndpo = \"lost\"\n".to_owned(),
        format!("[embedding]\nmodel = {:?}\n", tiny("tiny-mpnet")),
    ];
    std::fs::write(home.path().join("assay.toml"), file.concat()).unwrap();
    let chain = "--chain=ws://127.0.0.1:1";
    let arguments = [chain, listen.as_str(), "--hotkey=none.json", "--checkpoints=none", "--netuid=78"];
    let (code, found, shown) = check(home.path(), &arguments, &[]);
    assert_eq!(code, Some(1), "{found:?}");
    let configured = "language models: right, wrong; reward models: lost, pairs";
    assert_eq!(finding(&found, "configuration"), ("good", configured));
    let (state, said) = finding(&found, "reward.pairs");
    let named = "onnx/tiny-classifier sha256:6f00b2be252212a80e9d63be80edf3efdd7a06ac8f08f4053ae09ee7a61b3932, logit ";
    assert!(state == "good" && said.starts_with(named), "{said}");
    let (state, said) = finding(&found, "llm.right");
    assert!(state == "good" && said.starts_with("openai_compatible/served answers in "), "{said}");
    for (piece, said) in [
        ("llm.wrong", "the key is refused with status 401: bad key Bearer [key]"),
        ("reward.lost", "[reward.lost] folder = \"nowhere\": the model is not at nowhere/manifest.json"),
        ("embeddings", "no shipped rule set accepts tiny-mpnet with weights "),
        ("database", "127.0.0.1:1 of DATABASE_URL"),
        ("hotkey", "none.json does not exist"),
        ("checkpoints", "none cannot be read"),
        ("chain", "ws://127.0.0.1:1 does not answer"),
        ("port", "cannot be listened on"),
    ] {
        let found = finding(&found, piece);
        assert!(found.0 == "wrong" && found.1.contains(said), "{piece}: {found:?}");
    }
    // A number names a subnet as well as a name does: a validator would make this key.
    let (state, said) = finding(&found, "checkpoint key");
    assert!(state == "good" && said.starts_with("will be made as ") && said.ends_with("checkpoint.json"), "{said}");
    // What the chain would say of the slot is listed, and counted as not looked at.
    for piece in ["subnet 78", "registration 78", "permit 78", "stake 78", "axon 78"] {
        let wanted = ("not_asked", "not looked at without an answer of the chain that was meant");
        assert_eq!(finding(&found, piece), wanted, "{piece}");
    }
    for secret in [KEY, "sk-other-16180339", "correct-horse-battery"] {
        assert!(!shown.contains(secret), "a secret shows:\n{shown}");
    }
    assert!(!home.path().join("none.json").exists() && !home.path().join("none").exists(), "a check makes nothing");
}

/// Where scores wait for a label, it is revealed and the round scored once more, as by a validator that waited for it.
#[test]
fn a_round_that_waits_for_its_label_is_scored_by_it() {
    let home = tempfile::tempdir().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join(".assay");
    let models = std::env::var_os("ASSAY_HOME").map_or(models, PathBuf::from);
    let rules = ["conversion/readme", "conversion/assay-1", "bettertherapy/1.2.2"];
    let mut command = Command::new(PROGRAM);
    command.args(["check", "--offline", "--process"]).args(rules).current_dir(home.path()).env("ASSAY_HOME", models);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let rounds: Vec<&str> = printed.split("One round under ").skip(1).collect();
    assert_eq!(rounds.len(), 3, "{printed}");
    let waits = ["5 s after the evaluation", "5 s after the evaluation", "86400 s after the evaluation"];
    for (round, waits) in rounds.iter().zip(waits) {
        let (before, after) = round.split_once("label of ").expect(&printed);
        assert!(before.contains("ada: 0.000000 (AwaitingLabel)") && !after.contains("label of "), "{round}");
        let known = after.lines().next().unwrap();
        assert!(known.contains(&format!(", known {waits}: ")), "{round}");
        let scores = after.split_once("Set weights").expect(round).0;
        assert!(!scores.contains("AwaitingLabel"), "{round}");
        let ada = scores.lines().find_map(|line| line.trim().strip_prefix("ada: ")?.split_whitespace().next());
        assert!(ada.is_some_and(|score| score.parse::<f64>().unwrap() > 0.0), "{round}");
    }
    assert!(rounds[1].contains("spammer: 0.000000 (WrongPrediction)"), "{}", rounds[1]);
    // A label of one class tells nobody from who always says the same.
    assert!(rounds[1].contains("uid 1: 0 (NotAboveConstant)"), "{}", rounds[1]);
    assert!(rounds[1].contains("uid 3: 0 (NoScore)"), "{}", rounds[1]);
}

#[test]
fn the_environment_gives_an_endpoint_and_a_mistyped_file_is_named() {
    let home = tempfile::tempdir().unwrap();
    let pasted = format!("{}/chat/completions", endpoint());
    let environment = [("OPENAI_API_URL", pasted.as_str()), ("OPENAI_API_KEY", KEY), ("OPENAI_MODEL", "m")];
    let chain = "--chain=ws://127.0.0.1:1";
    let (_, found, shown) = check(home.path(), &[chain, "--listen=127.0.0.1:0"], &environment);
    assert_eq!(finding(&found, "llm.environment").0, "good", "{found:?}");
    assert!(!shown.contains(KEY), "the key shows:\n{shown}");
    std::fs::write(home.path().join("mine.toml"), "[llm.a]\nprovider = \"openai\"\nmodle = \"m\"\n").unwrap();
    let (code, found, _) = check(home.path(), &[chain, "--config=mine.toml"], &environment);
    let (state, said) = finding(&found, "configuration");
    assert!(code == Some(1) && state == "wrong" && said.contains("line 3") && said.contains("modle"), "{said}");
}

/// What a check prints that plays rounds, with the embedding model that was fetched.
fn played(home: &Path, arguments: &[&str]) -> String {
    let fetched = std::env::var_os("ASSAY_HOME")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".assay"), PathBuf::from);
    let mut command = Command::new(PROGRAM);
    command.arg("check").args(arguments).current_dir(home).env("ASSAY_HOME", fetched).env("HOME", home);
    command.env_remove("ORT_DISABLE_TELEMETRY");
    for name in ["ASSAY_CONFIG", "OPENAI_API_KEY", "OPENAI_API_URL", "OPENAI_MODEL"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// One round of each subnet from its task to weights, with real miners on loopback and no chain, ledger or language model.
#[test]
fn a_round_of_every_subnet_is_played_outside_of_any_network() {
    let home = tempfile::tempdir().unwrap();
    let printed = played(home.path(), &["--offline", "--process"]);
    let is_title = |line: &&str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let is_told = |line: &&str| is_title(line) || line.starts_with("One round under ");
    let told: Vec<&str> = printed.lines().filter(is_told).collect();
    assert_eq!(told.join("\n"), STEPS.trim(), "{printed}");
    // What is loaded keeps nothing of this machine to tell others.
    assert!(!home.path().join(".cache").exists());
    // The document's seven steps: a server, its conversation, three miners, records, who scores what, shares, weights.
    let cgp = printed.split("One round under ").find(|round| round.starts_with("cgp/")).unwrap();
    let step = |number: u32| {
        let after = cgp.split_once(&format!("\n{number}. ")).unwrap().1;
        after.split_once(&format!("\n{}. ", number + 1)).map_or(after, |(step, _)| step)
    };
    assert!(step(1).contains("http://127.0.0.1:") && step(1).contains("holds 60 conversations"), "{cgp}");
    assert!(step(2).contains("reserved ") && step(2).contains("window 1: ground_truth by offline: "), "{cgp}");
    for name in ["ada", "bela", "spammer"] {
        for window in [0, 1] {
            assert!(step(3).contains(&format!("window {window}: {name}: ")), "{cgp}");
            assert!(step(4).contains(&format!("window {window}: {name}, after ")), "{cgp}");
            assert!(step(5).contains(&format!("window {window}: put {name}'s answer; ")), "{cgp}");
        }
        assert!(step(6).contains(&format!("\n   {name}: ")), "{cgp}");
    }
    assert!(step(5).contains("profiles: ") && step(5).contains("so nobody does"), "{cgp}");
    assert!(step(6).contains("by the bell curve"), "{cgp}");
    assert!(step(7).contains("uid 1: ") && step(7).contains("sent to no chain"), "{cgp}");
}

/// The steps that are told of each subnet, under the rules of its document.
const STEPS: &str = "
One round under loosh/readme, outside of any network
1. Take a challenge
2. Draw the miners
3. Send them the challenge, receive answers
4. Embed the answers
5. Find the consensus, score each answer by it
6. Set weights by the moving averages
One round under cgp/readme, outside of any network
1. Connect to the conversation server
2. Download a conversation
3. Send its windows to 3 miners
4. Receive the processed responses
5. Send each response to the server, and score its tags
6. Divide the reward by those scores
7. Send for emissions
One round under conversion/readme, outside of any network
1. Draw a conversation's 40 features
2. Draw the miners
3. Send them the features, receive predictions
4. Hold the scores until the label is known
5. Reveal the label, score the predictions by it
6. Set weights by the scores
One round under twitter/readme, outside of any network
1. Take a search prompt
2. Draw the miners
3. Send them the query, receive tweets and summaries
4. Have the reward models judge the summaries
5. Weigh the rewards, multiply the penalties in
6. Set weights by the moving averages
One round under bettertherapy/readme, outside of any network
1. Take a question and its base answer
2. Draw the miners
3. Send them the question, receive answers
4. Have each answer judged beside the base answer
5. Score quality and response time
6. Set weights by the scores
";

/// The Twitter scraper's rewards come from the configured models, and where there is none, from the mechanism's own rule.
#[test]
fn a_round_is_played_with_the_configured_reward_models() {
    let home = tempfile::tempdir().unwrap();
    let file = [
        reward("pairs", "classifier", &tiny("tiny-classifier")),
        reward("likely", "language_model", &tiny("tiny-language-model")),
        "[judge]\nrlhf = \"pairs\"\ndpo = \"likely\"\n".to_owned(),
    ];
    std::fs::write(home.path().join("assay.toml"), file.concat()).unwrap();
    let printed = played(home.path(), &["--process", "twitter/readme"]);
    let verdicts = |start: &str| printed.lines().filter(|line| line.trim_start().starts_with(start)).count();
    assert_eq!(verdicts("rlhf by onnx/tiny-classifier sha256:6f00b2be"), 3, "{printed}");
    assert_eq!(verdicts("dpo by onnx/tiny-language-model sha256:f5f0cf4a"), 3, "{printed}");
    assert_eq!((verdicts("prompt by offline: "), verdicts("rlhf by offline")), (3, 0), "{printed}");
}

#[test]
fn the_mock_run_of_a_document_is_played() {
    let rules = |arguments: &[&str]| Command::new(PROGRAM).arg("rules").args(arguments).output().unwrap();
    let played = rules(&["--mock", "cgp"]);
    let printed = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(played.status.success(), "{printed}");
    assert!(printed.lines().any(|line| line == "Mined 37 tags"), "{printed}");
    assert!(printed.contains("p0: Where did you spend the summer?") && printed.contains("is valid"), "{printed}");
    let other = rules(&["--mock", "loosh"]);
    assert!(!other.status.success() && String::from_utf8_lossy(&other.stderr).contains("no mock run"));
}
