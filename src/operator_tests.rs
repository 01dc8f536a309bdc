//! Every combination of words, and what it comes to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::networks::host;
use super::*;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    operator: OperatorArgs,
}

/// The arguments as clap reads them; the environment of the tests must not matter.
fn line(words: &str) -> OperatorArgs {
    let mut operator = Line::try_parse_from(std::iter::once("assay").chain(words.split_whitespace())).unwrap().operator;
    if !words.contains("--chain") {
        operator.network.chain.clear();
    }
    operator
}

fn resolved(words: &str) -> Result<String, String> {
    let args = line(words);
    let come_to = || -> Result<String> {
        let network = Network::of(&args.network)?;
        let served = served(&args, network.name)?;
        let served: Vec<String> =
            served.iter().map(|served| format!("{} {}", served.netuid, served.rule_set.name())).collect();
        Ok(format!("{} {}: {}", network.name, network.endpoints.urls().join(" "), served.join(", ")))
    };
    come_to().map_err(|error| format!("{error:#}"))
}

#[test]
fn each_subnet_has_its_ledger_by_number() {
    let numbers = |words: &str| {
        let mut args = line(words);
        if !words.contains("--ledger-number") {
            args.ledger_number.clear();
        }
        let served = served(&args, NetworkName::Local).map_err(|error| error.to_string())?;
        Ok::<_, String>(served.iter().map(|served| served.ledger_number).collect::<Vec<u32>>())
    };
    assert_eq!(numbers("--subnet cgp"), Ok(vec![0]));
    assert_eq!(numbers("--subnet cgp --ledger-number 1"), Ok(vec![1]));
    assert_eq!(numbers("--subnet cgp --subnet loosh"), Ok(vec![0, 0]));
    assert_eq!(numbers("--subnet cgp --subnet loosh --ledger-number 2,0"), Ok(vec![2, 0]));
    assert_eq!(numbers("--subnet cgp --subnet loosh --ledger-number 0 --ledger-number 3"), Ok(vec![0, 3]));
    let one_for_all = numbers("--subnet cgp --subnet loosh --ledger-number 1").unwrap_err();
    assert!(one_for_all.starts_with("--ledger-number is given 1 times for 2 subnets"), "{one_for_all}");
}

#[test]
fn names_fill_in_what_is_not_said() {
    let finney = "finney wss://entrypoint-finney.opentensor.ai:443";
    for (words, expected) in [
        ("--subnet cgp --network finney", format!("{finney}: 33 cgp/2.30.65")),
        (
            "--subnet cgp --subtensor.network test",
            "test wss://test.finney.opentensor.ai:443: 138 cgp/2.30.65".to_owned(),
        ),
        ("--subnet bettertherapy", "local ws://127.0.0.1:9944: 102 bettertherapy/readme".to_owned()),
        ("--netuid 33 --network finney", format!("{finney}: 33 cgp/2.30.65")),
        ("--netuid 7", "local ws://127.0.0.1:9944: 7 loosh/readme".to_owned()),
        ("--subnet loosh --subnet cgp --network finney", format!("{finney}: 78 loosh/1.2.8, 33 cgp/2.30.65")),
        // What is said wins.
        ("--subnet loosh --netuid 2", "local ws://127.0.0.1:9944: 2 loosh/readme".to_owned()),
        (
            "--subnet loosh --netuid 9 --network test",
            "test wss://test.finney.opentensor.ai:443: 9 loosh/1.2.8".to_owned(),
        ),
        ("--subnet cgp --rules cgp/assay-1 --network finney", format!("{finney}: 33 cgp/assay-1")),
        ("--netuid 5 --rules cgp/readme --network finney", format!("{finney}: 5 cgp/readme")),
        (
            "--subnet cgp --network finney --chain ws://127.0.0.1:9945",
            "finney ws://127.0.0.1:9945: 33 cgp/2.30.65".to_owned(),
        ),
        ("--subnet cgp --subtensor.chain_endpoint ws://[::1]:1", "local ws://[::1]:1: 33 cgp/readme".to_owned()),
        (
            "--subnet cgp --subtensor.network wss://test.finney.opentensor.ai",
            "test wss://test.finney.opentensor.ai: 138 cgp/2.30.65".to_owned(),
        ),
        (
            "--subnet cgp --chain ws://127.0.0.1:1,ws://localhost:2 --chain ws://[::1]:3",
            "local ws://127.0.0.1:1 ws://localhost:2 ws://[::1]:3: 33 cgp/readme".to_owned(),
        ),
        (
            "--subnet cgp --chain ws://127.0.0.1:1 --chain wss://entrypoint-finney.opentensor.ai",
            "finney ws://127.0.0.1:1 wss://entrypoint-finney.opentensor.ai: 33 cgp/2.30.65".to_owned(),
        ),
        (
            "--subnet cgp --network finney --subtensor.network ws://10.0.0.7:1,ws://10.0.0.8:1",
            "finney ws://10.0.0.7:1 ws://10.0.0.8:1: 33 cgp/2.30.65".to_owned(),
        ),
        (
            "--subnet cgp --network test --subtensor.network test",
            "test wss://test.finney.opentensor.ai:443: 138 cgp/2.30.65".to_owned(),
        ),
    ] {
        assert_eq!(resolved(words), Ok(expected), "{words}");
    }
}

#[test]
fn contradictions_are_refused_with_both_values() {
    for (words, named) in [
        ("--network finney --subtensor.network test --netuid 1", vec!["--network finney", "--subtensor.network test"]),
        (
            "--network finney --chain wss://test.finney.opentensor.ai:443 --netuid 1",
            vec!["--network finney", "wss://test.finney", "endpoint of test"],
        ),
        (
            "--network local --subtensor.chain_endpoint wss://entrypoint-finney.opentensor.ai:443 --netuid 1",
            vec!["--network local", "endpoint of finney"],
        ),
        (
            "--chain ws://127.0.0.1:1 --subtensor.chain_endpoint ws://127.0.0.1:2 --netuid 1",
            vec!["ws://127.0.0.1:1", "ws://127.0.0.1:2"],
        ),
        (
            "--chain wss://test.finney.opentensor.ai:443,wss://entrypoint-finney.opentensor.ai:443 --netuid 1",
            vec!["wss://entrypoint-finney", "endpoint of finney", "another one is of test"],
        ),
        (
            "--chain ws://127.0.0.1:1 --chain ws://127.0.0.1:2 --subtensor.chain_endpoint ws://127.0.0.1:1 --netuid 1",
            vec!["ws://127.0.0.1:1,ws://127.0.0.1:2 and --subtensor.chain_endpoint ws://127.0.0.1:1 contradict"],
        ),
        ("--chain ws://127.0.0.1:1,ws://10.0.0.7:9944 --netuid 1", vec!["ws://10.0.0.7:9944", "--network"]),
        ("--subnet cgp --netuid 34 --network finney", vec!["--subnet cgp", "--netuid 34", "33 on finney"]),
        ("--subnet cgp --rules loosh/readme", vec!["--subnet cgp", "--rules loosh/readme"]),
        ("--netuid 33 --rules loosh/1.2.8 --network finney", vec!["--netuid 33", "--rules loosh/1.2.8", "that is cgp"]),
        ("--subnet cgp --subnet cgp", vec!["subnet 33 is named twice"]),
        ("--subnet cgp --netuid 1 --netuid 2", vec!["--subnet is given 1 times and --netuid 2 times"]),
        ("--subnet cgp --subnet loosh --rules cgp/readme", vec!["--subnet loosh", "--rules cgp/readme"]),
        ("--subnet loosh --network test", vec!["no document states the number of loosh on test"]),
        ("--netuid 5 --network finney", vec!["rules subnet 5 of finney"]),
        ("--network kusama --netuid 1", vec!["network \"kusama\" is unknown; one of local, test, finney"]),
        ("--subnet gold", vec!["--subnet \"gold\" is unknown; one of loosh, cgp"]),
        ("--chain ws://10.0.0.7:9944 --netuid 1", vec!["ws://10.0.0.7:9944", "--network"]),
        ("", vec!["no subnet is named"]),
    ] {
        let refused = resolved(words).expect_err(words);
        named.iter().for_each(|part| assert!(refused.contains(part), "{words}: {refused}"));
    }
}

/// A chain is what its first block says; private addresses are asked only where that is no public network's.
#[test]
fn a_chain_is_of_the_network_of_its_genesis_hash() {
    let hash = |network: NetworkName| network.genesis().map_or_else(|| "11".repeat(32), str::to_owned);
    let (local, test, finney) = (NetworkName::Local, NetworkName::Test, NetworkName::Finney);
    let (own, near) = ("--chain ws://127.0.0.1:9944", "ws://127.0.0.1:9944");
    for (words, found, expected) in [
        (own.to_owned(), local, Ok(local)),
        (own.to_owned(), test, Ok(test)),
        (own.to_owned(), finney, Ok(finney)),
        (String::new(), finney, Ok(finney)),
        (format!("--network local {own}"), local, Ok(local)),
        (format!("--network local {own}"), finney, Err(["--network local", "it is finney's", near])),
        (format!("--network local {own}"), test, Err(["--network local", "it is test's", near])),
        (format!("--network finney {own}"), finney, Ok(finney)),
        (format!("--network finney {own}"), test, Err(["--network finney", "it is test's", near])),
        (format!("--network finney {own}"), local, Err(["--network finney", "its genesis hash is 1111", near])),
        ("--network finney".to_owned(), local, Err(["--network finney", "2f0555cc", "wss://entrypoint-finney"])),
        (format!("--network test {own}"), test, Ok(test)),
        (format!("--network test {own}"), finney, Err(["--network test", "it is finney's", near])),
        // The test network may begin anew; it never becomes a local one.
        (format!("--network test {own}"), local, Ok(test)),
    ] {
        let network = Network::of(&line(&words).network).unwrap();
        let settled = network.settled(&hash(found).parse().unwrap());
        match (settled, expected) {
            (Ok(settled), Ok(expected)) => assert_eq!(settled.name, expected, "{words} at {found}"),
            (Err(error), Err(parts)) => {
                let said = error.to_string();
                parts.iter().for_each(|part| assert!(said.contains(part), "{words} at {found}: {said}"));
            }
            (settled, expected) => panic!("{words} at {found}: {settled:?}, not {expected:?}"),
        }
    }
}

#[test]
fn the_secrets_of_an_endpoint_are_not_shown() {
    let network = "--network local --chain ws://10.0.0.7:1/key-of-somebody,wss://user:word-of-it@host.example:2?x=y";
    let network = Network::of(&line(network).network).unwrap();
    assert_eq!(network.endpoints.to_string(), "ws://10.0.0.7:1, wss://host.example:2");
}

#[test]
fn a_wallet_is_a_path_and_never_made() {
    let file = |words: &str| HotkeyFile::of(&line(words).wallet).map_err(|error| error.to_string());
    let wallet = file("--wallet.name v --wallet.hotkey h --wallet.path /w").unwrap();
    assert_eq!(wallet, HotkeyFile { path: "/w/v/hotkeys/h".into(), made: false });
    assert!(
        wallet
            .load()
            .unwrap_err()
            .to_string()
            .contains("/w/v/hotkeys/h does not exist; name the wallet with --wallet.name")
    );
    let usual = file("").unwrap().path;
    assert!(usual.ends_with(".bittensor/wallets/default/hotkeys/default") && !usual.starts_with("~"), "{usual:?}");
    assert_eq!(file("--hotkey mine.json").unwrap(), HotkeyFile { path: "mine.json".into(), made: true });
    let both = file("--hotkey mine.json --wallet.name v").unwrap_err();
    assert!(both.contains("--hotkey mine.json") && both.contains("--wallet.name v"), "{both}");
    for name in ["../x", "a/b", ".hidden", ".."] {
        for (option, words) in
            [("--wallet.name", format!("--wallet.name {name}")), ("--wallet.hotkey", format!("--wallet.hotkey {name}"))]
        {
            let refused = HotkeyFile::of(&line(&words).wallet).map_err(|error| format!("{error:#}")).unwrap_err();
            assert!(refused.contains(&format!("{option} {name:?}")) && refused.contains("cannot be used"), "{refused}");
        }
    }
}

#[test]
fn the_axons_port_is_that_of_the_routes() {
    let at = |words: &str| listen(&OperatorArgs { listen: None, ..line(words) }).unwrap().to_string();
    assert_eq!([at(""), at("--axon.port 8091")], ["127.0.0.1:8000", "127.0.0.1:8091"]);
    let both = listen(&line("--listen 0.0.0.0:8000 --axon.port 8091")).unwrap_err().to_string();
    assert!(both.contains("0.0.0.0:8000") && both.contains("8091"), "{both}");
    assert_eq!(listen(&line("--listen 0.0.0.0:8091 --axon.port 8091")).unwrap().to_string(), "0.0.0.0:8091");
}

#[test]
fn hosts_are_found_in_urls() {
    for (url, expected) in [
        ("wss://test.finney.opentensor.ai:443", "test.finney.opentensor.ai"),
        ("ws://user:word@127.0.0.1:9944/path?x", "127.0.0.1"),
        ("http://[::1]:9944", "::1"),
        ("localhost", "localhost"),
        ("", ""),
    ] {
        assert_eq!(host(url), expected, "{url}");
    }
}
