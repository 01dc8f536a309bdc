//! A development node whose blocks are made by the test, and a connection to it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chain::{Chain, ExtrinsicOutcome, ExtrinsicStatus, Inclusion, SignedExtrinsic};
use domain::types::{BlockNumber, HexBytes, NetUid, Rao};
use localnet::server::{Configuration, Running, start};
use localnet::{GenesisNeuron, Hyperparameters, Specification};
use network::keys::Keypair;
use subtensor::{Settings, Subtensor};

pub(crate) const NETUID: NetUid = NetUid(1);

pub(crate) fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

/// The hyperparameters of the tests: long epochs, so that none runs unless a test wants it.
pub(crate) fn hyperparameters() -> Hyperparameters {
    Hyperparameters { tempo: 1000, weights_rate_limit: 5, stake_threshold: 10, ..Hyperparameters::default() }
}

/// A validator with stake in slot 0, two miners, one of them with an axon.
pub(crate) fn specification(hyperparameters: Hyperparameters) -> Specification {
    let neuron = |name: &str, stake: u64, axon: Option<(IpAddr, u16)>| GenesisNeuron {
        hotkey: key(name).hotkey(),
        coldkey: key("Owner").hotkey(),
        stake: Rao(stake),
        axon,
    };
    let axon = Some(("127.0.0.1".parse().unwrap(), 8091));
    let neurons = vec![neuron("Validator", 1_000_000, None), neuron("Miner1", 0, axon), neuron("Miner2", 5, None)];
    let mut specification = Specification::single(key("Root").hotkey(), NETUID, hyperparameters, neurons);
    specification.seed = Some(HexBytes([7; 32]));
    specification
}

pub(crate) struct World {
    pub(crate) node: Running,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(hyperparameters: Hyperparameters) -> Self {
        Self::of(&specification(hyperparameters), None).await
    }

    pub(crate) async fn of(specification: &Specification, block_time: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = start_node(folder.path().join("blocks"), 0, block_time, specification).await;
        Self { node, folder }
    }

    /// Stops the node and starts it again on the same port.
    pub(crate) async fn restart(self, specification: &Specification) -> Self {
        let Self { node, folder } = self;
        let port = node.address().port();
        drop(node);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let node = start_node(folder.path().join("blocks"), port, None, specification).await;
        Self { node, folder }
    }

    pub(crate) async fn connect(&self) -> Subtensor {
        self.connect_with(settings()).await
    }

    pub(crate) async fn connect_with(&self, settings: Settings) -> Subtensor {
        Subtensor::connect(&[self.node.url()], settings).await.expect("a connection")
    }

    /// Makes blocks and waits until the connection knows the last one.
    pub(crate) async fn blocks(&self, chain: &Subtensor, count: u64) -> BlockNumber {
        let mut number = chain.head().await.unwrap().number;
        for _ in 0..count {
            make_block(&self.node);
            number = BlockNumber(number.0 + 1);
        }
        let before = BlockNumber(number.0 - 1);
        chain.await_block(before, Duration::from_secs(10)).await.unwrap().expect("a block").number
    }

    /// Sends an extrinsic, makes a block and gives what it did.
    pub(crate) async fn include(&self, chain: &Subtensor, extrinsic: &SignedExtrinsic) -> Inclusion {
        chain.submit(extrinsic).await.expect("a pool that takes it");
        self.blocks(chain, 1).await;
        match chain.extrinsic_status(&extrinsic.reference()).await.unwrap() {
            ExtrinsicStatus::Included(inclusion) => inclusion,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn make_block(node: &Running) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    node.node().author(u64::try_from(now).unwrap()).expect("a block");
}

async fn start_node(path: PathBuf, port: u16, block_time: Option<Duration>, specification: &Specification) -> Running {
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let configuration = Configuration { path, listen, block_time, serve_other_machines: false };
    start(configuration, specification).await.expect("a node")
}

/// Times for a node on this machine whose blocks come when a test makes them.
pub(crate) fn settings() -> Settings {
    Settings {
        request_deadline: Duration::from_secs(5),
        deadline: Duration::from_secs(20),
        silent_blocks: 100,
        shortest_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(500),
        ..Settings::default()
    }
}

pub(crate) fn failed(error: &str) -> ExtrinsicOutcome {
    ExtrinsicOutcome::Failed { error: error.to_owned() }
}
