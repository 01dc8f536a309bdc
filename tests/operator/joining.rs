//! A miner that joins its subnet on a local chain.

use super::*;

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
