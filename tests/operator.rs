//! An operator's way in, as typed: the subnets, the documents' options, the check on a chain, the scripts, a miner that joins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "operator/joining.rs"]
mod joining;
#[path = "operator/scripts.rs"]
mod scripts;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use network::keys::Keypair;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
const PATIENCE: Duration = Duration::from_secs(60);
/// CGP's number on the test network.
const NETUID: u16 = 138;

fn command(home: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("ASSAY_HOME", home.join("assay")).env("HOME", home);
    for name in [
        "ASSAY_CHAIN",
        "ASSAY_CONFIG",
        "ASSAY_VALIDATOR_LISTEN",
        "ASSAY_YES",
        "DATABASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_API_URL",
        "OPENAI_MODEL",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command
}

fn assay(home: &Path, line: &str) -> Output {
    command(home, PROGRAM).args(line.split_whitespace()).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A development chain with one subnet: a validator with a permit, and one whose stake is too small for one.
fn chain(home: &Path) -> (Running, String) {
    let (validator, poor, root) = (key(home, "validator"), key(home, "poor"), key(home, "root"));
    let neuron = |hotkey: &Keypair, stake: u64| json!({"hotkey": hotkey.ss58(), "coldkey": root.ss58(), "stake": stake, "axon": null});
    let genesis = json!({
        "root": root.ss58(),
        "allow_loopback_axons": true,
        "subnets": [{
            "netuid": NETUID,
            "hyperparameters": {"max_allowed_validators": 1, "stake_threshold": 1_000_000_000u64},
            "owner": null,
            "neurons": [neuron(&validator, 5_000_000_000), neuron(&poor, 3)],
        }],
    });
    std::fs::write(home.join("genesis.json"), genesis.to_string()).unwrap();
    let address = free_address();
    let log = std::fs::File::create(home.join("chain.log")).unwrap();
    let mut localnet = command(home, PROGRAM);
    localnet.args([
        "localnet",
        "--data",
        "chain",
        "--genesis",
        "genesis.json",
        "--block-time-ms",
        "200",
        "--listen",
        &address,
    ]);
    let running = Running(localnet.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let begun = Instant::now();
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "{}", std::fs::read_to_string(home.join("chain.log")).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    (running, format!("ws://{address}"))
}

/// A wallet's hotkey, where the documents' tools would have put it.
fn key(home: &Path, wallet: &str) -> Keypair {
    let folder = home.join(".bittensor/wallets").join(wallet).join("hotkeys");
    std::fs::create_dir_all(&folder).unwrap();
    Keypair::load_or_generate(&folder.join("default")).unwrap()
}

/// The findings of a check by piece: state, what was said, what to do next.
fn check(home: &Path, line: &str) -> (Option<i32>, Value) {
    let output = assay(home, &format!("check --json {line}"));
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    (output.status.code(), found)
}

fn finding<'a>(found: &'a Value, piece: &str) -> (&'a str, &'a str, &'a str) {
    let all = found.as_array().unwrap();
    let found = all.iter().find(|found| found["piece"] == piece).unwrap_or_else(|| panic!("no {piece} in {found}"));
    let text = |field: &str| found[field].as_str().unwrap_or_default();
    (text("state"), text("said"), text("next"))
}

#[test]
fn subnets_are_listed_with_their_numbers_rules_and_hashes() {
    let home = tempfile::tempdir().unwrap();
    let listed = assay(home.path(), "subnets --json");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let cgp = listed.as_array().unwrap().iter().find(|subnet| subnet["name"] == "cgp").unwrap();
    assert_eq!(cgp["netuid"], json!({"finney": 33, "test": 138, "local": 33}));
    let running = cgp["rules"].as_array().unwrap().iter().find(|rules| rules["name"] == "cgp/2.30.65").unwrap();
    assert_eq!(running["default_on"], json!(["test", "finney"]));
    assert_eq!(running["hash"].as_str().unwrap().len(), 64);
    let table = text(&assay(home.path(), "subnets"));
    for part in [
        "bettertherapy     102   354",
        "conversion          -     -",
        "twitter/2.5.9",
        running["hash"].as_str().unwrap(),
    ] {
        assert!(table.contains(part), "{part}:\n{table}");
    }
}

#[test]
fn a_check_says_of_each_piece_what_is_missing_and_what_to_do_next() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    // Free a moment ago, and nobody asks for it by name.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = format!("--subnet cgp --subtensor.network test --subtensor.chain_endpoint {url} --axon.port {port}");
    let (code, found) = check(home, &format!("{said} --wallet.name validator"));
    assert_eq!(code, Some(1), "there is no database: {found}");
    for (piece, part) in [
        ("subnets", "138 under cgp/2.30.65"),
        ("chain", "test at ws://127.0.0.1:"),
        ("subnet 138", "2 neurons, 1 with a permit"),
        ("registration 138", "uid 0"),
        ("permit 138", "uid 0 may set weights"),
        ("stake 138", "5.000 TAO, 1.000 TAO are required"),
        ("axon 138", "none is announced"),
        ("checkpoint key", "will be made as "),
        ("port", format!("127.0.0.1:{port} is free").as_str()),
    ] {
        let found = finding(&found, piece);
        assert!(found.0 == "good" && found.1.contains(part) && found.2.is_empty(), "{piece}: {found:?}");
    }
    let database = finding(&found, "database");
    assert!(database.0 == "wrong" && database.2.contains("DATABASE_URL"), "{database:?}");
    // The subnet by its number alone: keys and folder are those of the home all the same.
    let (_, numbered) =
        check(home, &format!("{} --wallet.name validator", said.replace("--subnet cgp", "--netuid 138")));
    for piece in ["checkpoint key", "checkpoints"] {
        let found = finding(&numbered, piece);
        assert!(found.0 == "good" && found.1.starts_with("will be made as "), "{piece}: {found:?}");
    }

    let (_, poor) = check(home, &format!("{said} --wallet.name poor"));
    for (piece, part, next) in [
        ("permit 138", "the 1 with the most stake may, from 5.000 TAO", "btcli stake add --netuid 138"),
        ("stake 138", "1.000 TAO are required", "btcli stake add"),
    ] {
        let found = finding(&poor, piece);
        assert!(found.0 == "wrong" && found.1.contains(part) && found.2.contains(next), "{piece}: {found:?}");
    }
    // A shadow sets no weights: what it would take is worth knowing, and nothing is wrong.
    let (_, shadow) = check(home, &format!("{said} --wallet.name poor --shadow"));
    for (piece, part) in [("permit 138", "the 1 with the most stake may"), ("stake 138", "1.000 TAO are required")] {
        let found = finding(&shadow, piece);
        assert!(found.0 == "note" && found.1.contains(part) && found.2.is_empty(), "{piece}: {found:?}");
    }
    assert_eq!(finding(&shadow, "genesis").0, "note", "it is no genesis of the test network: {shadow}");
    // Several nodes: the first that answers is asked.
    let nowhere = free_address();
    let several = said.replace(&url, &format!("ws://{nowhere},{url}"));
    let (_, several) = check(home, &format!("{several} --wallet.name validator"));
    let of = |name: &str| {
        let all = several.as_array().unwrap();
        let found = all.iter().find(|found| found["piece"] == "node" && found["said"].as_str().unwrap().contains(name));
        found.unwrap_or_else(|| panic!("no {name}: {several}"))["state"].clone()
    };
    assert_eq!((of(&nowhere), of(&url)), (json!("note"), json!("good")));
    assert_eq!(finding(&several, "registration 138").0, "good");
    key(home, "stranger");
    let (_, stranger) = check(home, &format!("{said} --wallet.name stranger"));
    let (state, _, next) = finding(&stranger, "registration 138");
    assert!(state == "wrong" && next.contains("btcli subnet register --netuid 138"), "{stranger}");
    let unasked = |found: &Value, pieces: &[&str], without: &str| {
        let wanted = format!("not looked at without {without}");
        for piece in pieces.iter().map(|piece| format!("{piece} 138")) {
            assert_eq!(finding(found, &piece), ("not_asked", wanted.as_str(), ""), "{piece}");
        }
    };
    unasked(&stranger, &["permit", "stake", "axon"], "a slot");
    let (_, nobody) = check(home, &format!("{said} --wallet.name nobody"));
    let (state, missing, _) = finding(&nobody, "hotkey");
    assert!(
        state == "wrong" && missing.contains(".bittensor/wallets/nobody/hotkeys/default does not exist"),
        "{nobody}"
    );
    unasked(&nobody, &["registration", "permit", "stake", "axon"], "a hotkey that can be read");
    // On a network of one's own this program does what the documents' tools do elsewhere.
    let own = format!("--subnet cgp --netuid {NETUID} --network local --chain {url} --axon.port {port}");
    let (_, stranger) = check(home, &format!("{own} --wallet.name stranger"));
    let (state, _, next) = finding(&stranger, "registration 138");
    assert!(state == "wrong" && next.contains("`assay register --netuid 138 --network local`"), "{stranger}");
    let (_, nobody) = check(home, &format!("{own} --wallet.name nobody"));
    assert!(finding(&nobody, "hotkey").2.contains("`assay wallet new`"), "{nobody}");
    let (code, other) = check(home, &format!("--netuid 9 --network test --chain {url}"));
    assert_eq!(code, Some(1));
    assert!(finding(&other, "subnets").1.contains("which rules subnet 9 of test has is not known"), "{other}");
}

/// What a validator ends by at its start is found before it: who may push, and the services that its words name.
#[test]
fn a_check_looks_at_routes_and_services_as_the_start_does() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    std::fs::write(home.join("key"), "a-key").unwrap();
    let service = "--challenge-api http://127.0.0.1:1";
    for (subnet, words, piece, state, part) in [
        ("loosh", "", "pushes 137", "note", "this machine may push challenges, and the subnet's own service may not"),
        ("loosh", "--listen 0.0.0.0:0", "pushes 137", "wrong", "which others can reach"),
        ("loosh", "--allow-hotkey 5F", "pushes 137", "wrong", "--allow-hotkey 5F"),
        ("loosh", "--token-file nowhere", "pushes 137", "wrong", "--token-file nowhere"),
        ("loosh", service, "challenge service", "good", "http://127.0.0.1:1"),
        (
            "loosh",
            &format!("{service} --challenge-api-key-file key"),
            "challenge service",
            "good",
            "http://127.0.0.1:1",
        ),
        (
            "loosh",
            &format!("{service} --challenge-api-key-file nowhere"),
            "challenge service",
            "wrong",
            "-file nowhere",
        ),
        ("cgp", service, "challenge service", "wrong", "none of cgp/2.30.65 is one"),
        ("loosh", "--conversations http://127.0.0.1:1", "conversations", "wrong", "for rule sets of cgp"),
        ("cgp", "--conversations http://127.0.0.1:1", "conversations", "good", "http://127.0.0.1:1"),
    ] {
        let rules = if subnet == "loosh" { "--subnet loosh --netuid 137" } else { "--subnet cgp" };
        let said = format!(
            "{rules} --subtensor.network test --subtensor.chain_endpoint {url} --wallet.name validator {words}"
        );
        let (_, found) = check(home, &said);
        let found = finding(&found, piece);
        assert!(found.0 == state && found.1.contains(part), "{words}: {found:?}");
    }
}

/// The demo's database lies on this machine for as long as the demo does: no public network's ledger goes there.
#[test]
fn the_demos_database_is_not_taken_for_a_public_network() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    let demo = home.join("assay/demo");
    std::fs::create_dir_all(&demo).unwrap();
    let left = json!({
        "cluster": null, "database": "postgres://127.0.0.1:1/assay", "validator": "http://127.0.0.1:1", "api": "http://127.0.0.1:1",
        "chain": url, "checkpoints": demo.join("checkpoints"),
    });
    std::fs::write(demo.join("state.json"), left.to_string()).unwrap();
    let words = format!("--subnet cgp --chain {url} --wallet.name validator");
    let (_, public) = check(home, &format!("{words} --network test"));
    let (state, said, next) = finding(&public, "database");
    let refused = "the demo's private one is for local networks: on test name one with DATABASE_URL";
    assert!(state == "wrong" && said.contains(refused) && next.contains("assay migrate"), "{public}");
    let started = assay(home, &format!("validator {words} --network test --offline"));
    assert!(started.status.code() == Some(2) && text(&started).contains(refused), "{}", text(&started));
    // On a network of one's own it is the usual one; this demo's is down.
    let (_, local) = check(home, &format!("{words} --netuid {NETUID} --network local"));
    let (state, said, _) = finding(&local, "database");
    assert!(state == "wrong" && said.contains("the demo's database does not answer"), "{local}");
}

#[test]
fn words_that_contradict_each_other_are_refused_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    for (line, parts) in [
        ("validator --subnet cgp --network finney --netuid 34", ["--netuid 34", "33 on finney"]),
        (
            "validator --subnet cgp --network finney --subtensor.network test",
            ["--network finney", "--subtensor.network test"],
        ),
        ("validator --subnet cgp --listen 127.0.0.1:8000 --axon.port 8091", ["127.0.0.1:8000", "--axon.port 8091"]),
        ("miner --hotkey m.json --wallet.name miner --logging.debug", ["--hotkey m.json", "--wallet.name miner"]),
        (
            "miner --subnet cgp --network finney --wallet.name nobody",
            ["wallets/nobody/hotkeys/default", "does not exist"],
        ),
    ] {
        let refused = assay(home.path(), line);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{line}: {said}");
        parts.iter().for_each(|part| assert!(said.contains(part), "{line}: {said}"));
    }
    assert!(!home.path().join("m.json").exists(), "nothing is made");
}

/// Whoever reads the guide copies its lines: their options must exist.
#[test]
fn the_guides_lines_are_understood() {
    let guide = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut options = 0;
    for line in guide.lines().filter(|line| line.starts_with("assay ")) {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().skip(1).collect();
        let help = text(&assay(home.path(), &format!("{} --help", words[0])));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            let listed = help.split([' ', '\n', ',', '=']).any(|word| word == *option);
            assert!(listed, "{line}: {} has no {option}:\n{help}", words[0]);
            options += 1;
        }
    }
    assert!(options > 10, "the guide shows {options} options");
}
