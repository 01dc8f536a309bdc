//! `assay query` against a running miner of this program, in every dialect.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use network::keys::Keypair;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
const DIALECTS: [(&str, &str); 7] = [
    ("axon", "bittensor/axon/1"),
    ("btauth", "btauth/1"),
    ("http", "assay/http/1"),
    ("fiber", "fiber/plain/2"),
    ("fiber-encrypted", "fiber/encrypted/2"),
    ("fiber-loosh", "fiber/loosh/1"),
    ("epistula", "epistula/2"),
];

/// A miner of this program; it ends with the test.
struct Miner {
    child: Child,
    axon: String,
    hotkey: String,
}

impl Drop for Miner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(home).env("ASSAY_HOME", home).env("HOME", home);
    for variable in ["ASSAY_CONFIG", "OPENAI_API_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

fn start(home: &Path, arguments: &[&str]) -> Miner {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let axon = free.local_addr().unwrap().to_string();
    drop(free);
    let keypair = Keypair::load_or_generate(&home.join("miner.json")).unwrap();
    let fixed = ["miner", "--subnet", "bettertherapy", "--offline", "--hotkey", "miner.json", "--listen", &axon];
    let log = std::fs::File::create(home.join("miner.log")).unwrap();
    let mut command = command(home, &[&fixed[..], arguments].concat());
    let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(&axon).is_err() {
        let log = || std::fs::read_to_string(home.join("miner.log")).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Miner { child, axon, hotkey: keypair.ss58() }
}

fn query(home: &Path, miner: &Miner, arguments: &[&str]) -> Output {
    let fixed = ["query", "--axon", &miner.axon, "--hotkey", &miner.hotkey, "--subnet", "bettertherapy"];
    command(home, &[&fixed[..], arguments].concat()).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const PROMPT: &str = "I cannot sleep at night. What helps?";

#[test]
fn a_miner_is_asked_in_every_dialect() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let miner = start(home, &[]);
    let validator = Keypair::load_or_generate(&home.join("validator.json")).unwrap().ss58();
    let mut answers = Vec::new();
    for (name, recorded) in DIALECTS {
        let output = query(home, &miner, &["--dialect", name, "--key", "validator.json", "--json", PROMPT]);
        let (out, err) = said(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {out} {err}");
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&told["dialect"], &told["status"]), (&json!(recorded), &json!(200)), "{told}");
        assert_eq!((&told["signature"], &told["failure"]), (&json!("verified"), &Value::Null), "{told}");
        assert_eq!((&told["miner"], &told["asked_by"]), (&json!(miner.hotkey), &json!(validator)), "{told}");
        assert!(told["first_byte_ms"].as_u64().unwrap() <= told["elapsed_ms"].as_u64().unwrap(), "{told}");
        answers.push(told["answer"]["output"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned());
    }
    assert!(answers.iter().all(|answer| answer.contains("you cannot sleep at night")), "{answers:?}");

    // For a person: the text alone, and what is to be said about it beside.
    let output = query(home, &miner, &[PROMPT]);
    let (out, err) = said(&output);
    assert_eq!((output.status.code(), out.trim_end()), (Some(0), answers[0].as_str()), "{err}");
    assert!(err.contains("a new key signs") && err.contains("signed by the miner"), "{err}");

    // A body of one's own.
    std::fs::write(home.join("body.json"), json!({"prompt": PROMPT, "request_id": "r-1"}).to_string()).unwrap();
    let output = query(home, &miner, &["--body", "body.json", "--dialect", "fiber-loosh", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["answer"]["request_id"], &told["signature"]), (&json!("r-1"), &json!("verified")), "{told}");
}

#[test]
fn what_goes_wrong_is_told_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let miner = start(home, &["--require-signed"]);
    let check = |miner: &Miner, arguments: &[&str], code: i32, expected: &[&str]| {
        let output = query(home, miner, arguments);
        let (out, err) = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out} {err}");
        for expected in expected {
            assert!(err.contains(expected), "{arguments:?}: {expected:?} is not in {err:?}");
        }
    };
    check(&miner, &[PROMPT], 1, &["no answer", "ledger", "--key"]);
    for (axon, hotkey, expected) in [
        (miner.axon.as_str(), "nonsense", "no SS58 address"),
        ("127.0.0.1", miner.hotkey.as_str(), "has no port"),
        ("no.such.host.invalid:80", miner.hotkey.as_str(), "leads nowhere"),
    ] {
        let output = command(home, &["query", "--axon", axon, "--hotkey", hotkey, PROMPT]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{expected}");
        assert!(said(&output).1.contains(expected), "{:?}", said(&output));
    }
    check(&miner, &["--key", "missing.json", PROMPT], 2, &["missing.json does not exist"]);
    check(&miner, &["--wallet.name", "nobody", PROMPT], 2, &["nobody", "assay wallet show"]);
    check(&miner, &["--body", "missing.json"], 2, &["missing.json"]);
    check(&miner, &[], 2, &["PROMPT"]);
    check(&miner, &[" "], 2, &["blank"]);
    let mut gone = miner;
    gone.child.kill().unwrap();
    gone.child.wait().unwrap();
    check(&gone, &[PROMPT], 1, &["no answer", "is the miner running"]);
    let output = query(home, &gone, &["--json", PROMPT]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["failure"]), (Some(1), &json!("unreachable")), "{told}");
}

#[test]
fn an_answer_that_another_signed_is_none() {
    let home = tempfile::tempdir().unwrap();
    let miner = start(home.path(), &["--profile", "malformed"]);
    let mut wrong = 0;
    for _ in 0..8 {
        let output = query(home.path(), &miner, &["--dialect", "fiber", "--json", PROMPT]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_wrong = told["signature"] == "wrong";
        assert_eq!(output.status.code() == Some(0), told["signature"] == "verified", "{told}");
        wrong += usize::from(is_wrong);
    }
    assert_eq!(wrong, 3, "another's key, another body, and half a signature");
}
