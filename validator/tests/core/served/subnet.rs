//! A conversation server that comes and goes, a client of it, and a world whose miners are the subnet's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chain::Chain;
use conversations::server::{Config, Server as ConversationHost};
use conversations::{Client, ClientConfig, Key, store};
use domain::cgp::requests::GROUND_TRUTH;
use domain::mechanism::{self, JudgementRequest, Mechanism};
use miner::subnets::{self, Data};
use miner::{EmbeddingSource, MinerConfig, Server};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use validator::judge::{Judge, Offline, Verdict};
use validator::sources::{self, ConversationServer, Pace};
use validator::transport::HttpTransport;
use validator::{Models, Validator, open_ledger_with};

use crate::world::{PATIENCE, Running, World, honest};

/// Conversations on the server: with two windows each or more they make a batch of ten windows.
pub const CONVERSATIONS: usize = 6;
pub const MINERS: usize = 3;

/// Counts how often it is asked for a ground truth.
#[derive(Debug, Default)]
pub struct Counting(pub AtomicU64);

#[async_trait::async_trait]
impl Judge for Counting {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        if request.purpose == GROUND_TRUTH {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        let verdict = Offline.judge(request, mechanism).await?;
        Ok(Verdict { prompt_tokens: 10, ..verdict })
    }

    fn has_model(&self, purpose: &str) -> bool {
        Offline.has_model(purpose)
    }
}

/// A conversation server that can be stopped and started again at its place.
pub struct Host {
    pub address: SocketAddr,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<()>,
}

impl Host {
    pub async fn start(folder: &Path, address: SocketAddr) -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/conversations.jsonl");
        let mut found = store::read(&shipped).unwrap();
        found.truncate(CONVERSATIONS);
        let config = Config { key: Some(Key::new("a-key").unwrap()), ..Config::new(address, folder) };
        let server = ConversationHost::bind(config, found).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// Every record that the server took.
pub fn records(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("records-000001.jsonl")).unwrap_or_default();
    let read = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        // A guid has more digits than a number of this reader.
        let digits = line.strip_prefix("{\"guid\":").unwrap().split(',').next().unwrap();
        record["guid"] = Value::String(digits.to_owned());
        record
    };
    text.lines().map(read).collect()
}

pub fn client(address: SocketAddr) -> ConversationServer {
    client_of(address, None)
}

/// One that brings results elsewhere.
pub fn client_of(address: SocketAddr, results: Option<SocketAddr>) -> ConversationServer {
    let config = ClientConfig {
        key: Some(Key::new("a-key").unwrap()),
        timeout: Duration::from_secs(5),
        write: results.map(|address| format!("http://{address}")),
        attempts: 2,
        longest_wait: Duration::from_millis(50),
        ..ClientConfig::new(format!("http://{address}"))
    };
    let mut server = ConversationServer::new(Client::open(&config).unwrap());
    server.pace = Pace { pause: Duration::from_millis(50), ..Pace::default() };
    server.look = Duration::from_millis(100);
    server.longest_pause = Duration::from_millis(400);
    server
}

/// A world whose miners are the subnet's own.
pub struct Subnet {
    pub world: World,
    pub miners: Vec<JoinHandle<()>>,
    pub counting: Arc<Counting>,
    pub folder: PathBuf,
}

impl Subnet {
    pub async fn new() -> Self {
        let mut world = World::new(honest()).await;
        world.rule_set = mechanism::shipped_by_name("cgp/assay-1").unwrap();
        let mut miners = Vec::new();
        for (number, peer) in (0_u16..).zip(std::mem::take(&mut world.peers)) {
            let (address, keypair) = (peer.address, peer.key.clone());
            peer.end().await;
            let mut config = MinerConfig::new(address, keypair, EmbeddingSource::Shared(world.embeddings.clone()));
            config.subnet = subnets::open("cgp", number, &Data::default()).unwrap();
            let server = Server::bind(config).await.unwrap();
            miners.push(tokio::spawn(async move { server.serve(std::future::pending()).await.unwrap() }));
        }
        let folder = world.directory.path().join("records");
        Self { world, miners, counting: Arc::default(), folder }
    }

    /// A validator that takes its conversations from there, and the tasks that do so.
    pub async fn start(&self, server: &ConversationServer) -> (Running, Vec<JoinHandle<()>>) {
        let (world, config) = (&self.world, self.world.config());
        let chain: Arc<dyn Chain> = world.chain.clone();
        let (url, settings) = (world.database.url(), world.settings.clone());
        let ledger = open_ledger_with(&url, "the test", &config, chain.as_ref(), settings).await.unwrap();
        let judge: Arc<dyn Judge> = self.counting.clone();
        let models = Models { embeddings: world.embeddings.clone(), judge: judge.clone() };
        let transport = Arc::new(HttpTransport::new(true).unwrap());
        let started = Validator::start(config, ledger, chain, models, transport);
        let (handle, task) = started.await.unwrap();
        let tasks = sources::start_with(&handle, &world.rule_set, &judge, Some(server)).unwrap();
        (Running { handle, task }, tasks)
    }

    pub async fn stop((running, tasks): (Running, Vec<JoinHandle<()>>)) {
        running.stop().await;
        for task in tasks {
            tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
        }
    }

    pub async fn end(self) {
        self.miners.iter().for_each(JoinHandle::abort);
        self.world.assert_sound().await;
    }
}
