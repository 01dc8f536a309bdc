//! An operator's way in, as typed: the subnets, the documents' options, the check on a chain, the scripts, a miner that joins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

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

/// The scripts start nothing while something is missing, and the main network's nothing that nobody said yes to.
#[test]
fn scripts_say_what_is_missing_before_they_start() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |script: &str, words: &[&str]| {
        let mut command = command(home, "sh");
        command.arg(root.join(script)).args(words).env("ASSAY", PROGRAM).stdin(Stdio::null());
        command.output().unwrap()
    };
    let words =
        ["--subnet", "cgp", "--chain", &url, "--wallet.name", "validator", "--listen", "127.0.0.1:0", "--", "--shadow"];
    for script in ["run_testnet.sh", "run_mainnet.sh"] {
        let refused = run(script, &words);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let missing = "WRONG  database";
        let next = "next: set DATABASE_URL, then run `assay migrate`";
        for part in [missing, next, &format!("{script}: not started; the lines marked WRONG")] {
            assert!(said.contains(part), "{part}:\n{said}");
        }
        let usage = run(script, &[]);
        assert!(usage.status.code() == Some(2) && text(&usage).contains("--subnet NAME"), "{}", text(&usage));
        let mistyped = run(script, &["--subent", "cgp"]);
        let said = text(&mistyped);
        assert!(
            mistyped.status.code() == Some(2) && said.contains("--subent") && said.contains("could not be made"),
            "{said}"
        );
    }
    let test = text(&run("run_testnet.sh", &words));
    assert!(test.contains("good   registration 138") && test.contains("test at ws://127.0.0.1"), "{test}");
    // Whatever else is right: a chain that is not the main network's is never acted on as if it were.
    let main = text(&run("run_mainnet.sh", &words));
    for part in [
        "WRONG  chain",
        "--network finney and the chain at ws://127.0.0.1:",
        "contradict each other: its genesis hash is ",
        "finney's is 2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03",
        "run_mainnet.sh: not started",
    ] {
        assert!(main.contains(part), "{part}:\n{main}");
    }
    for piece in ["subnet", "registration", "permit", "stake", "axon"] {
        let lines: Vec<&str> = main.lines().filter(|line| line.contains(&format!("{piece} 33"))).collect();
        let unasked = |line: &&str| line.starts_with("-  ") && line.ends_with("an answer of the chain that was meant");
        assert!(lines.len() == 1 && lines.iter().all(unasked), "nothing more is asked of it: {piece}\n{main}");
    }
    // The documents' option is understood by the check, too, which then says more.
    let debug = |words: &[&str]| text(&run("run_testnet.sh", &[&["--logging.debug"], words].concat()));
    let louder = debug(&words);
    assert!(louder.contains("WRONG  database") && louder.contains(" INFO ") && !test.contains(" INFO "), "{louder}");
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

/// What the scripts do with what a check says, with a program that tells what it was called with.
#[test]
fn the_main_network_is_asked_about_once_and_started_when_the_answer_is_yes() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let program = home.join("assay that tells");
    let calls = home.join("calls");
    let told = "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done >>calls\necho >>calls\n[ \"$1\" != check ] || exit \"$FOUND\"\n";
    std::fs::write(&program, told).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |script: &str, found: &str, yes: Option<&str>| {
        let _ = std::fs::remove_file(&calls);
        let mut command = command(home, "sh");
        command.arg(root.join(script)).args(["--subnet", "cgp", "--wallet.name", "it's mine", "--", "--shadow"]);
        command.env("ASSAY", &program).env("FOUND", found).stdin(Stdio::null());
        if let Some(yes) = yes {
            command.env("ASSAY_YES", yes);
        }
        let output = command.output().unwrap();
        let called = std::fs::read_to_string(&calls).unwrap_or_default();
        (output.status.code(), called, text(&output))
    };
    let checked = |network: &str| format!("<check><--network><{network}><--subnet><cgp><--wallet.name><it's mine>\n");
    let started = |network: &str| {
        let words = format!("<validator><--network><{network}><--subnet><cgp><--wallet.name><it's mine><--shadow>\n");
        format!("{}{words}", checked(network))
    };
    for (script, found, yes, code, called, said) in [
        ("run_mainnet.sh", "0", Some("1"), 0, started("finney"), "looking at everything"),
        ("run_mainnet.sh", "0", None, 1, checked("finney"), "nobody is there to be asked, and ASSAY_YES=1 is not set"),
        ("run_mainnet.sh", "0", Some("0"), 1, checked("finney"), "nobody is there to be asked"),
        ("run_mainnet.sh", "1", Some("1"), 1, checked("finney"), "the lines marked WRONG say what is missing"),
        ("run_mainnet.sh", "2", Some("1"), 2, checked("finney"), "the check could not be made"),
        ("run_testnet.sh", "0", None, 0, started("test"), "looking at everything"),
        ("run_testnet.sh", "1", None, 1, checked("test"), "the lines marked WRONG say what is missing"),
    ] {
        let found = run(script, found, yes);
        assert_eq!((found.0, &found.1), (Some(code), &called), "{script} {yes:?}: {}", found.2);
        assert!(found.2.contains(said), "{script} {yes:?}: {}", found.2);
    }
    // At a terminal it asks, once.
    if Command::new("script").arg("--version").output().is_err() {
        println!("NOT CHECKED: the answer at a terminal, for want of `script` (util-linux)");
        return;
    }
    for (answer, called) in [("y\n", started("finney")), ("n\n", checked("finney")), ("\n", checked("finney"))] {
        let _ = std::fs::remove_file(&calls);
        let line = format!(
            "sh '{}' --subnet cgp --wallet.name \"it's mine\" -- --shadow",
            root.join("run_mainnet.sh").display()
        );
        let mut command = command(home, "script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.env("ASSAY", &program).env("FOUND", "0").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), answer.as_bytes()).unwrap();
        let said = text(&child.wait_with_output().unwrap());
        assert!(said.matches("will act with real stake on the main network. Start it? [y/N]").count() == 1, "{said}");
        assert_eq!(std::fs::read_to_string(&calls).unwrap(), called, "{answer:?}: {said}");
    }
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

/// On a local chain a miner takes a slot and announces its axon; started again it has nothing to do.
#[test]
fn a_miner_joins_its_subnet_on_a_local_chain() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    let miner = key(home, "miner");
    let address = free_address();
    let (_, port) = address.split_once(':').unwrap();
    let line = format!(
        "miner --subnet cgp --offline --network local --netuid {NETUID} --subtensor.chain_endpoint {url} --wallet.name miner --axon.port {port}"
    );
    let run = |name: &str, wanted: &str| {
        let log = home.join(name);
        let file = std::fs::File::create(&log).unwrap();
        let mut command = command(home, PROGRAM);
        let child = command.args(line.split_whitespace()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let running = Running(child);
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if said.contains(wanted) {
                return (running, said);
            }
            assert!(begun.elapsed() < PATIENCE, "no {wanted:?}:\n{said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let (first, said) = run("first.log", "axon announced");
    assert!(said.contains("registered") && said.contains(&miner.ss58()) && said.contains(&address), "{said}");
    drop(first);
    let (_, said) = run("second.log", "the chain knows this axon");
    assert!(!said.contains("registered") && !said.contains("axon announced"), "{said}");

    // A public network sells its slots; none is bought here.
    let public =
        format!("miner --subnet cgp --offline --network test --chain {url} --wallet.name other --listen 127.0.0.1:0");
    key(home, "other");
    let refused = assay(home, &public);
    let said = text(&refused);
    assert!(refused.status.code() == Some(2) && said.contains("btcli subnet register --netuid 138"), "{said}");
}

/// Several miners beside each other, told nothing of key and port: each has its own of both, keeps them when it is started again, and
/// takes nobody's port, also of one that is down.
#[test]
fn miners_of_a_local_network_find_port_and_key_themselves() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_chain, url) = chain(home);
    std::fs::create_dir(home.join("nobody")).unwrap();
    let run = |name: &str, words: &str| {
        let log = home.join(name);
        let mut command = command(home, PROGRAM);
        command.env("HOME", home.join("nobody")).env("ASSAY_CHAIN", &url).stdout(Stdio::null());
        command
            .args(format!("miner --subnet cgp --offline --network local --netuid {NETUID} {words}").split_whitespace());
        let running = Running(command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap());
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            let line =
                said.lines().find(|line| line.contains("axon announced") || line.contains("the chain knows this axon"));
            if let Some(line) = line {
                let port = line.split("axon=127.0.0.1:").nth(1).expect(line);
                let port: u16 = port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
                let key = Keypair::load(&home.join(format!("assay/keys/miner-{port}.json"))).expect(&said);
                return (running, port, key.ss58(), said);
            }
            assert!(begun.elapsed() < PATIENCE, "{said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let (first, first_port, first_key, said) = run("first.log", "");
    assert!(
        said.contains("the miner has a key of its own") && said.contains(&first_key) && first_port >= 8091,
        "{said}"
    );
    let (second, second_port, second_key, _) = run("second.log", "");
    assert!(second_port > first_port && second_key != first_key);
    // The first is down, and its port is still its own: nobody else takes it, and it takes it again itself.
    drop(first);
    let (named, named_port, named_key, _) =
        run("named.log", &format!("--axon.port {}", free_address().split_once(':').unwrap().1));
    assert!(![first_port, second_port].contains(&named_port) && ![&first_key, &second_key].contains(&&named_key));
    drop((second, named));
    key(home, "other");
    let other = format!("--wallet.name other --wallet.path {}", home.join(".bittensor/wallets").display());
    let log = home.join("other.log");
    let mut elsewhere = command(home, PROGRAM);
    elsewhere.env("ASSAY_CHAIN", &url).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    elsewhere
        .args(format!("miner --subnet cgp --offline --network local --netuid {NETUID} {other}").split_whitespace());
    let elsewhere = Running(elsewhere.spawn().unwrap());
    let begun = Instant::now();
    while !std::fs::read_to_string(&log).unwrap().contains("axon announced") {
        assert!(begun.elapsed() < PATIENCE, "{}", std::fs::read_to_string(&log).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = std::fs::read_to_string(&log).unwrap();
    for port in [first_port, second_port, named_port] {
        assert!(!said.contains(&format!("axon=127.0.0.1:{port}")), "another miner's port {port} is taken: {said}");
    }
    drop(elsewhere);
    let (_again, port, key, said) = run("again.log", "");
    assert_eq!((port, key), (first_port, first_key), "{said}");
    assert!(!said.contains("registered") && said.contains("the chain knows this axon"), "{said}");
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
