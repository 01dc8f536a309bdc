//! What a validator lives in: database, chain, peers, model.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chain::Chain;
use cluster::{Cluster, TestDatabase};
use domain::events::{Challenge, Event, ResponseScored};
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::twitter::task::Task;
use domain::types::{Hotkey, NetUid, Position, Rao};
use domain::wire::Dialect;
use futures::TryStreamExt;
use inference::{EmbeddingConfig, EmbeddingService};
use ledger::{AppendSettings, LedgerReader, migrate};
use localnet::server::{Configuration, Running as RunningChain};
use localnet::{GenesisNeuron, GenesisSubnet, Hyperparameters, Root, RootCall, Specification};
use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use subtensor::{Settings, Subtensor};
use tokio::task::JoinHandle;
use validator::faults::Faults;
use validator::judge::{Judge, Offline};
use validator::service::{ChallengeState, ChallengeStatus, Handle};
use validator::{Error, Models, Validator, ValidatorConfig, open_ledger_with};

use crate::peer::{Behaviour, Peer};

pub const NETUID: NetUid = NetUid(78);
/// The same neurons in another subnet.
pub const OTHER_NETUID: NetUid = NetUid(79);
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const QUESTION: &str = "Why is an append-only log useful to an auditor?";
/// Three honest answers that agree.
pub const ANSWERS: [&str; 3] = [
    "An append-only log lets an auditor see every recorded event in order, because nothing that was written can be changed or removed later.",
    "Because records in an append-only log are never changed or deleted, an auditor can replay them in order and check every result.",
    "An auditor can trust an append-only log since each event stays in its place, so the whole history can be replayed and checked.",
];

/// Where the ledger lies.
pub enum Database {
    /// A database of the tests' common server.
    Shared(TestDatabase),
    /// A server of the test's own, which it may stop.
    Own(Box<Cluster>),
}

impl Database {
    pub fn url(&self) -> String {
        match self {
            Self::Shared(database) => database.url().to_owned(),
            Self::Own(cluster) => cluster.url(),
        }
    }
}

pub struct World {
    pub database: Database,
    pub settings: AppendSettings,
    pub directory: tempfile::TempDir,
    pub chain: Arc<Subtensor>,
    /// Where it listens.
    pub chain_url: String,
    pub validator_key: Keypair,
    pub root: Keypair,
    pub peers: Vec<Peer>,
    pub rule_set: RuleSet,
    pub embeddings: EmbeddingService,
    pub judge: Arc<dyn Judge>,
    /// How miners are asked.
    pub dialect: Dialect,
    running_chain: Option<RunningChain>,
    pub specification: Specification,
}

pub struct Running {
    pub handle: Handle,
    pub task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// What a kill leaves behind: every task ends where it stands, nothing more is said.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
        drop(self.handle);
    }

    pub async fn stop(self) {
        self.handle.stop("the test is over");
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

pub fn quick_rules() -> RuleSet {
    let shipped = mechanism::shipped_by_name("loosh/readme").unwrap();
    let quick = shipped.bytes().replace("\"deadline_ms\":120000", "\"deadline_ms\":3000");
    assert_ne!(quick, shipped.bytes());
    RuleSet::parse(&quick).unwrap()
}

pub fn honest() -> Vec<Behaviour> {
    let pauses = [20, 35, 50];
    ANSWERS.iter().zip(pauses).map(|(text, pause)| Behaviour::Answers(text, Duration::from_millis(pause))).collect()
}

/// A client that notices at once when the chain is gone.
async fn connect(url: &str) -> Arc<Subtensor> {
    let settings = Settings {
        deadline: Duration::from_secs(3),
        request_deadline: Duration::from_secs(3),
        longest_pause: Duration::from_millis(500),
        era_period: 16,
        ..Settings::default()
    };
    Arc::new(Subtensor::connect(&[url.to_owned()], settings).await.unwrap())
}

async fn start_chain(directory: &Path, listen: SocketAddr, specification: &Specification) -> RunningChain {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let configuration = Configuration {
            path: directory.join("chain"),
            listen,
            block_time: Some(Duration::from_millis(100)),
            serve_other_machines: false,
        };
        match localnet::server::start(configuration, specification).await {
            Ok(running) => return running,
            // The file and the port of the one before come free a moment later.
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "the chain starts: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl World {
    pub async fn new(behaviours: Vec<Behaviour>) -> Self {
        let template = format!("ledger_{}", migrate::fingerprint(migrate::MIGRATIONS));
        let prepared = cluster::test_database(&template, |url| async move { migrate::run(&url).await.map(drop) });
        Self::on(Database::Shared(prepared.await.unwrap()), behaviours).await
    }

    /// A world whose database server can be stopped.
    pub async fn on_own_server(behaviours: Vec<Behaviour>) -> Self {
        let cluster = Cluster::start(cluster::Options::temporary()).await.unwrap();
        migrate::run(&cluster.url()).await.unwrap();
        Self::on(Database::Own(Box::new(cluster)), behaviours).await
    }

    async fn on(database: Database, behaviours: Vec<Behaviour>) -> Self {
        let mut peers = Vec::new();
        for (name, behaviour) in behaviours.into_iter().enumerate() {
            peers.push(Peer::start(name, behaviour).await);
        }
        let directory = tempfile::tempdir().unwrap();
        let validator_key = Keypair::from_uri("//validator").unwrap();
        let root = Keypair::from_uri("//root").unwrap();
        let neuron = |hotkey: Hotkey, stake: u64, axon| GenesisNeuron {
            hotkey,
            coldkey: root.hotkey(),
            stake: Rao(stake),
            axon,
        };
        let mut neurons = vec![neuron(validator_key.hotkey(), 1_000_000_000_000, None)];
        neurons.extend(
            peers.iter().map(|peer| neuron(peer.key.hotkey(), 0, Some((peer.address.ip(), peer.address.port())))),
        );
        let hyperparameters = Hyperparameters { weights_rate_limit: 1, ..Hyperparameters::default() };
        let mut specification = Specification::single(root.hotkey(), NETUID, hyperparameters, neurons);
        let twin = GenesisSubnet { netuid: OTHER_NETUID, ..specification.subnets[0].clone() };
        specification.subnets.push(twin);
        let seed = domain::types::HexBytes([5; 32]);
        specification.beacon = Some(localnet::Beacon { seed, period: 1, genesis_time: 1_700_000_000 });
        let running = start_chain(directory.path(), "127.0.0.1:0".parse().unwrap(), &specification).await;
        let (chain_url, chain) = (running.url(), connect(&running.url()).await);
        let embedder = inference::open(&EmbeddingConfig::discover()).unwrap();
        let embeddings = EmbeddingService::start(embedder, &inference::ServiceLimits::default()).unwrap();
        let rule_set = quick_rules();
        let settings = AppendSettings::default();
        Self {
            database,
            settings,
            directory,
            chain,
            chain_url,
            validator_key,
            root,
            peers,
            rule_set,
            embeddings,
            judge: Arc::new(Offline),
            dialect: Dialect::Http,
            running_chain: Some(running),
            specification,
        }
    }

    /// Has the root key arrange something on the chain.
    pub async fn arrange(&self, call: RootCall) {
        let root = Root::new(&self.chain_url, self.root.clone()).unwrap();
        root.execute(call, PATIENCE).await.unwrap();
    }

    /// Ends the chain's process, as far as anybody can tell.
    pub async fn stop_chain(&mut self) -> SocketAddr {
        let running = self.running_chain.take().unwrap();
        let address = running.address();
        drop(running);
        until("the chain is gone", || async { self.chain.head().await.is_err() }).await;
        address
    }

    /// Continues the chain from its file.
    pub async fn restart_chain(&mut self, address: SocketAddr) {
        self.running_chain = Some(start_chain(self.directory.path(), address, &self.specification).await);
    }

    pub fn config(&self) -> ValidatorConfig {
        let checkpoints: PathBuf = self.directory.path().join("checkpoints");
        let key = CheckpointKey::from_seed(&[7; 32]);
        let mut config =
            ValidatorConfig::new(NETUID, self.rule_set.clone(), self.validator_key.clone(), key, checkpoints);
        config.network_is_local = true;
        // Ended by the tests themselves, unless they say otherwise.
        config.epoch_blocks = 1_000_000;
        config.metagraph_blocks = 5;
        config.sweep_interval = Duration::from_secs(2);
        config.candidates_poll = Duration::from_millis(200);
        config.stop_grace = Duration::from_secs(5);
        config
    }

    pub async fn start(&self, config: ValidatorConfig) -> Running {
        self.try_start(config).await.unwrap()
    }

    pub async fn try_start(&self, config: ValidatorConfig) -> Result<Running, Error> {
        let chain: Arc<dyn Chain> = self.chain.clone();
        let transport = validator::transport::open(self.dialect, &config.hotkey, config.network_is_local).unwrap();
        let ledger = {
            let (url, settings) = (self.database.url(), self.settings.clone());
            open_ledger_with(&url, "the test", &config, chain.as_ref(), settings).await?
        };
        let models = Models { embeddings: self.embeddings.clone(), judge: Arc::clone(&self.judge) };
        let (handle, task) = Validator::start(config, ledger, chain, models, transport).await?;
        Ok(Running { handle, task })
    }

    pub async fn start_with_faults(&self, faults: Faults) -> Running {
        self.start(ValidatorConfig { faults, ..self.config() }).await
    }

    /// The ledger as its writer has it, while no validator runs.
    pub async fn writer(&self) -> ledger::Ledger {
        let (url, settings) = (self.database.url(), self.settings.clone());
        open_ledger_with(&url, "the test", &self.config(), self.chain.as_ref(), settings).await.unwrap()
    }

    pub async fn reader(&self) -> LedgerReader {
        self.reader_of(0).await
    }

    /// Of the ledger with this number.
    pub async fn reader_of(&self, number: u32) -> LedgerReader {
        let genesis = self.chain.genesis_hash().await.unwrap();
        let origin = domain::events::LedgerOpened::origin_of(&genesis, NETUID, &self.validator_key.hotkey(), number);
        LedgerReader::open(&self.database.url(), &origin).await.unwrap()
    }

    /// Every event of the log.
    pub async fn log(&self) -> Vec<(Position, Event)> {
        let reader = self.reader().await;
        let stored: Vec<_> = reader.events(0, u64::MAX, None).try_collect().await.unwrap();
        stored.iter().map(|stored| (Position(stored.position), stored.fact().unwrap().unwrap())).collect()
    }

    /// The whole log, checked against its tree and the outside checkpoint, and audited: what was decided follows from what
    /// was recorded.
    pub async fn assert_sound(&self) {
        self.assert_sound_of(0).await;
    }

    /// The same of the ledger with this number.
    pub async fn assert_sound_of(&self, number: u32) {
        let reader = self.reader_of(number).await;
        let directory = ledger::checkpoint::CheckpointDirectory::new(self.directory.path().join("checkpoints"));
        let outside = directory.read(reader.origin()).unwrap();
        let report = reader.verify(outside.as_ref()).await.unwrap();
        assert!(matches!(report.outcome, ledger::verify::Outcome::Sound { .. }), "{report:?}");
        let mut replay = audit::Replay::new(audit::Settings::default());
        let stored: Vec<_> = reader.events(0, u64::MAX, None).try_collect().await.unwrap();
        let derived = stored.iter().any(|stored| stored.kind == "WeightsDerived");
        for stored in stored {
            replay.push(stored);
        }
        let report = replay.finish();
        assert_eq!(report.difference_count, 0, "{:#?}", report.differences);
        // Without a derivation an audit has nothing to recompute, and says so.
        let expected = if derived { audit::Verdict::Equal } else { audit::Verdict::CannotTell };
        assert_eq!(report.verdict, expected, "{:#?}", report.doubts);
        // Each epoch alone says the same of itself.
        for epoch in 0..reader.derived_epochs().await.unwrap() {
            let range = reader.epoch_range(epoch).await.unwrap().unwrap();
            let mut replay = audit::Replay::new(audit::Settings { epoch: Some(epoch), chain: None });
            reader.feed(&range, &mut replay).await.unwrap();
            let report = replay.finish();
            assert_eq!(report.difference_count, 0, "epoch {epoch} alone: {:#?}", report.differences);
        }
    }
}

/// A challenge of the Twitter scraper with one query.
pub fn search(id: &str, prompt: &str) -> Challenge {
    let task = Task::new(prompt, 0).to_json().unwrap();
    Challenge { prompt: Some(prompt.to_owned()), task: Some(task), ..challenge(id) }
}

/// The recorded scores, in order.
pub fn scores(log: &[(Position, Event)]) -> Vec<&ResponseScored> {
    log.iter()
        .filter_map(|(_, event)| if let Event::ResponseScored(scored) = event { Some(scored) } else { None })
        .collect()
}

pub fn challenge(id: &str) -> Challenge {
    Challenge {
        id: id.to_owned(),
        correlation_id: None,
        prompt: Some(QUESTION.to_owned()),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.7,
        top_p: 0.95,
        max_tokens: 512,
        metadata: None,
        created_at: None,
        requester: None,
        task: None,
    }
}

/// Waits until something holds, or fails with its name.
pub async fn until<Held: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> Held) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the challenge has ended.
pub async fn ended(handle: &Handle, id: &str) -> ChallengeStatus {
    until(&format!("{id} ends"), || async {
        let status = handle.status(id).await.unwrap();
        status.is_some_and(|status| matches!(status.state, ChallengeState::Evaluated | ChallengeState::Abandoned))
    })
    .await;
    handle.status(id).await.unwrap().unwrap()
}

/// Ends the open epoch now and waits until it is closed.
pub async fn close_epoch(handle: &Handle, epoch: u64) -> validator::service::ClosedEpoch {
    until(&format!("epoch {epoch} opens"), || async { handle.stats().epoch == Some(epoch) }).await;
    handle.close_epoch_now();
    epoch_closed(handle, epoch).await
}

pub async fn epoch_closed(handle: &Handle, epoch: u64) -> validator::service::ClosedEpoch {
    until(&format!("epoch {epoch} closes"), || async {
        handle.stats().closed_epoch.is_some_and(|closed| closed.epoch >= epoch)
    })
    .await;
    handle.stats().closed_epoch.unwrap()
}

/// Positions of the events of a kind.
pub fn positions(log: &[(Position, Event)], kind: &str) -> Vec<u64> {
    log.iter().filter(|(_, event)| event.kind() == kind).map(|(position, _)| position.0).collect()
}
