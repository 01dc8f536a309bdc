//! Secrets never show: not in a log line at any level, not in an error, not in a help page.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
const PASSWORD: &str = "correct-horse-battery";
const TOKEN: &str = "a-token-of-thirty-two-characters-";

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(home).env("ASSAY_HOME", home).env("RUST_LOG", "trace");
    // Nothing listens on port 1.
    command.env("DATABASE_URL", format!("postgres://somebody:{PASSWORD}@127.0.0.1:1/assay"));
    command.env("ASSAY_API_TOKEN", TOKEN).env("ASSAY_CHALLENGE_API_KEY", TOKEN).env_remove("ASSAY_CHAIN");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_hidden(what: &str, text: &str, secrets: &[String]) {
    assert!(!text.trim().is_empty(), "{what} printed nothing, so this test looked at nothing");
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{what} shows a secret:\n{text}");
    }
}

#[test]
fn errors_and_help_pages_do_not_show_passwords_and_tokens() {
    let home = tempfile::tempdir().unwrap();
    let secrets = [PASSWORD.to_owned(), TOKEN.to_owned()];
    let keys = ["--hotkey", "hotkey.json", "--checkpoint-key", "log.json", "--checkpoints", "checkpoints"];
    let validator: Vec<&str> = ["validator", "--netuid", "78"].into_iter().chain(keys).collect();
    let failing: [&[&str]; 8] = [
        &["verify"],
        &["audit", "--from-genesis"],
        &["leaderboard"],
        &["rebuild"],
        &["migrate"],
        &["api", "--listen", "127.0.0.1:0"],
        &["demo", "--once"],
        &validator,
    ];
    for arguments in failing {
        let output = command(home.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        let said = text(&output);
        assert!(said.contains("127.0.0.1:1 of DATABASE_URL"), "{arguments:?} names no server:\n{said}");
        assert_hidden(&format!("{arguments:?}"), &said, &secrets);
    }
    let malformed =
        command(home.path(), &["verify"]).env("DATABASE_URL", format!("{PASSWORD}@nowhere")).output().unwrap();
    assert_hidden("a malformed URL", &text(&malformed), &secrets);
    for name in
        ["demo", "validator", "miner", "localnet", "api", "audit", "replay", "verify", "export", "explain", "check"]
    {
        let help = text(&command(home.path(), &[name, "--help"]).output().unwrap());
        assert!(help.contains("Examples:\n  "), "{name} --help has no examples:\n{help}");
        assert_hidden(&format!("{name} --help"), &help, &secrets);
    }
}

/// Ends with the test, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_that_was_made_is_not_logged_at_any_level() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("miner.json");
    // The dead profile needs no model: it refuses every connection, and still opens its key.
    let mut command = command(home.path(), &["miner", "--profile", "dead", "--hotkey", "miner.json"]);
    let child = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut running = Running(child.unwrap());
    let begun = Instant::now();
    while !key.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&key).unwrap()).unwrap();
    let secrets: Vec<String> = stored
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.to_lowercase().contains("secret") || name.to_lowercase().contains("private"))
        .filter_map(|(_, value)| value.as_str().map(|text| text.trim_start_matches("0x").to_owned()))
        .collect();
    assert!(!secrets.is_empty(), "the key file names no secret: {:?}", stored.as_object().unwrap().keys());
    running.0.kill().unwrap();
    let mut log = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_hidden("the miner's log", &log, &secrets);
}
