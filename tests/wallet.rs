//! `assay wallet` as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use network::keys::Keypair;

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");

fn wallet(root: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("wallet").args(arguments).arg("--wallet.path").arg(root).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_wallet_is_made_once_and_shown_without_its_secrets() {
    let root = tempfile::tempdir().unwrap();
    let made = wallet(root.path(), &["new", "--wallet.name", "trial", "--wallet.hotkey", "first", "--no-password"]);
    assert!(made.status.success(), "{made:?}");
    let phrases: Vec<&str> =
        text(&made.stdout).lines().filter_map(|line| line.trim().strip_prefix("phrase: ")).collect();
    assert!(phrases.len() == 2 && phrases.iter().all(|phrase| phrase.split(' ').count() == 12), "{made:?}");
    let hotkey = Keypair::load(&root.path().join("trial/hotkeys/first")).unwrap();
    assert!(text(&made.stdout).contains(&hotkey.ss58()));

    let shown = wallet(root.path(), &["show", "--json"]);
    assert!(shown.status.success(), "{shown:?}");
    let wallets: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(wallets[0]["name"], "trial");
    assert_eq!(wallets[0]["coldkey"]["secret"], "plain");
    assert_eq!(wallets[0]["hotkeys"][0]["ss58"], hotkey.ss58());
    let table = wallet(root.path(), &["show", "--wallet.name", "trial"]);
    assert!(text(&table.stdout).contains(&hotkey.ss58()) && text(&table.stdout).contains("hotkey first"), "{table:?}");
    for output in [&shown, &table] {
        for phrase in &phrases {
            assert!(!text(&output.stdout).contains(phrase) && !text(&output.stderr).contains(phrase));
        }
    }

    let again = wallet(root.path(), &["new", "--wallet.name", "trial", "--wallet.hotkey", "first", "--no-password"]);
    assert!(!again.status.success() && text(&again.stderr).contains("never overwritten"), "{again:?}");
    let second = wallet(root.path(), &["new", "--wallet.name", "trial", "--wallet.hotkey", "second", "--words", "24"]);
    assert!(second.status.success() && text(&second.stdout).contains("stays"), "{second:?}");
    let only = wallet(root.path(), &["show", "--wallet.hotkey", "second", "--json"]);
    let only: serde_json::Value = serde_json::from_slice(&only.stdout).unwrap();
    assert_eq!(only[0]["hotkeys"].as_array().unwrap().len(), 1);
}

#[test]
fn without_a_terminal_it_says_where_a_password_can_come_from() {
    let root = tempfile::tempdir().unwrap();
    let refused = wallet(root.path(), &["new"]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("BT_PW_") && said.contains("--no-password"), "{said}");
    assert!(!root.path().join("default").exists());
    let odd = wallet(root.path(), &["new", "--no-password", "--wallet.name", "../escape"]);
    assert!(!odd.status.success() && text(&odd.stderr).contains("name"), "{odd:?}");
    let none = wallet(root.path(), &["show"]);
    assert!(none.status.success() && text(&none.stdout).contains("assay wallet new"), "{none:?}");
}

#[test]
fn files_that_others_can_read_are_a_problem() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    assert!(wallet(root.path(), &["new", "--no-password"]).status.success());
    let file = root.path().join("default/hotkeys/default");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let shown = wallet(root.path(), &["show"]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stdout).contains("chmod 600"), "{shown:?}");
}
