//! What stays alive while the validator is killed: PostgreSQL, the development chain, the miners.

use crate::chance::Chance;
use crate::child::Child;
use crate::witness::Witness;
use anyhow::{Context, Result, bail};
use chain::Chain;
use cluster::{Cluster, Options, StopMode};
use domain::events::LedgerOpened;
use domain::types::{Hotkey, NetUid, Rao, Uid};
use inference::{EmbeddingConfig, EmbeddingService, ServiceLimits};
use ledger::LedgerReader;
use localnet::{GenesisNeuron, Hyperparameters, Root, RootCall, Specification};
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile};
use network::keys::Keypair;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use subtensor::{Settings, Subtensor};
use tokio::task::JoinHandle;

/// The subnet.
pub(crate) const NETUID: NetUid = NetUid(78);
/// Fast enough that an epoch is over in a few seconds.
const BLOCK_TIME_MS: u64 = 200;
const EPOCH_BLOCKS: u64 = 10;
/// The slow miner lets every round last so long: there are always rounds under way.
const DEADLINE_MS: u64 = 1_200;
/// How long a process may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a call of the harness may take to get into a block.
const BLOCK_PATIENCE: Duration = Duration::from_secs(30);
const STAKE: Rao = Rao(1_000_000_000_000);
/// Longer than the deadline, so that it is always missed.
const SLOW: Duration = Duration::from_secs(3);
const HONEST: u16 = 3;

/// Everything but the validator.
pub(crate) struct Stage {
    /// The run's own folder.
    pub(crate) folder: PathBuf,
    /// PostgreSQL, with fsync, on a disk.
    pub(crate) cluster: Cluster,
    /// The chain's client.
    pub(crate) chain: Subtensor,
    /// Where it listens.
    pub(crate) chain_url: String,
    /// The ledger's origin.
    pub(crate) origin: String,
    /// The validator's hotkey.
    pub(crate) validator: Hotkey,
    /// Where the validator listens.
    pub(crate) listen: SocketAddr,
    /// The miner that remembers.
    pub(crate) witness: Witness,
    /// The witness's hotkey.
    pub(crate) witness_hotkey: Hotkey,
    /// The program that is tested.
    pub(crate) program: PathBuf,
    chain_process: Child,
    embeddings: EmbeddingService,
    miners: Vec<(Hotkey, JoinHandle<Result<(), miner::Error>>)>,
    starts: u32,
    seats: u32,
}

impl Stage {
    /// Starts everything below `folder`.
    pub(crate) async fn start(folder: PathBuf) -> Result<Self> {
        let program = program()?;
        let (logs, keys) = (folder.join("logs"), folder.join("keys"));
        for made in [&folder, &logs, &keys] {
            std::fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
        }
        refuse_memory(&folder)?;
        let cluster = Cluster::start(Options::persistent(folder.join("postgres"))).await.context("PostgreSQL")?;
        ledger::migrate::run(&cluster.url()).await.context("the schema")?;
        let embeddings = embeddings()?;
        let witness = Witness::start().await?;
        let mut miners = Vec::new();
        let mut neurons = vec![neuron(&keys, "validator", STAKE, None)?];
        for (name, behaviour, variant) in cast() {
            let (hotkey, axon, task) = miner(&keys, &name, behaviour, variant, &embeddings).await?;
            neurons.push(neuron(&keys, &name, Rao(0), Some(axon))?);
            miners.push((hotkey, task));
        }
        neurons.push(neuron(&keys, "witness", Rao(0), Some(witness.address()))?);
        neurons.push(neuron(&keys, "dead", Rao(0), Some(free_address()?))?);
        let (validator, witness_hotkey) = (key(&keys, "validator")?.hotkey(), key(&keys, "witness")?.hotkey());
        let (chain_process, chain, chain_url) = chain(&program, &folder, neurons).await?;
        let origin = LedgerOpened::origin_of(&chain.genesis_hash().await?, NETUID, &validator, 0);
        let listen = free_address()?;
        Ok(Self {
            folder,
            cluster,
            chain,
            chain_url,
            origin,
            validator,
            listen,
            witness,
            witness_hotkey,
            program,
            chain_process,
            embeddings,
            miners,
            starts: 0,
            seats: 0,
        })
    }

    /// Base URL of the validator's routes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Folder of checkpoints outside of the database.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// The file in which the chain keeps its blocks.
    pub(crate) fn blocks(&self) -> PathBuf {
        self.folder.join("chain").join("blocks.jsonl")
    }

    /// How often a validator was started.
    pub(crate) fn starts(&self) -> u32 {
        self.starts
    }

    /// Starts a validator: `fault` names where it is to kill itself, `database` overrides how it reaches PostgreSQL.
    pub(crate) fn start_validator(&mut self, fault: Option<String>, database: Option<String>) -> Result<Child> {
        self.start_validator_at(self.listen, fault, database)
    }

    /// As [`Stage::start_validator`], at another address.
    pub(crate) fn start_validator_at(
        &mut self,
        listen: SocketAddr,
        fault: Option<String>,
        database: Option<String>,
    ) -> Result<Child> {
        self.starts += 1;
        let keys = self.folder.join("keys");
        let arguments = [
            "validator".to_owned(),
            format!("--netuid={NETUID}"),
            format!("--chain={}", self.chain_url),
            "--network=local".to_owned(),
            format!("--hotkey={}", key_file(&keys, "validator").display()),
            format!("--checkpoint-key={}", key_file(&keys, "checkpoint").display()),
            format!("--checkpoints={}", self.checkpoints().display()),
            "--rules=loosh/readme".to_owned(),
            format!("--listen={listen}"),
            format!("--epoch-blocks={EPOCH_BLOCKS}"),
            // The witness writes down what comes to the plain route.
            "--dialect=http".to_owned(),
            "--sweep=2".to_owned(),
            format!("--deadline-ms={DEADLINE_MS}"),
        ];
        let mut environment = vec![("DATABASE_URL", database.unwrap_or_else(|| self.cluster.url()))];
        environment.extend(fault.map(|fault| (validator::faults::VARIABLE, fault)));
        let log = self.folder.join("logs").join(format!("validator-{:03}.log", self.starts));
        Child::start(&self.program, "the validator", &arguments, &environment, log)
    }

    /// Whether the validator says that it can work.
    pub(crate) async fn available(&self) -> bool {
        let Ok(http) = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build() else {
            return false;
        };
        let reply = http.get(format!("{}/availability", self.url())).send().await;
        match reply {
            Ok(reply) => reply.json::<serde_json::Value>().await.is_ok_and(|body| body["available"] == true),
            Err(_) => false,
        }
    }

    /// A reader of the ledger; there is none before the first validator began it.
    pub(crate) async fn reader(&self) -> Result<LedgerReader> {
        Ok(LedgerReader::open(&self.cluster.url(), &self.origin).await?)
    }

    /// Stops PostgreSQL as a crash would, waits, and starts it again.
    pub(crate) async fn crash_database(&mut self, pause: Duration) -> Result<()> {
        tokio::task::block_in_place(|| self.cluster.stop(StopMode::Immediate))?;
        tokio::time::sleep(pause).await;
        tokio::task::block_in_place(|| self.cluster.restart())?;
        Ok(())
    }

    /// Gives an honest miner's slot to a newcomer, who answers from now on. Gives the slot.
    pub(crate) async fn replace_miner(&mut self, chance: &mut Chance) -> Result<Uid> {
        let head = self.chain.head().await?;
        let metagraph = self.chain.metagraph(NETUID, head.number).await?;
        let keys = self.folder.join("keys");
        let at = chance.below(usize::from(HONEST));
        let (hotkey, _) = &self.miners[at];
        let uid = metagraph.neuron_of(hotkey).context("a miner has no slot")?.uid;
        let name = format!("newcomer-{}", self.seats);
        self.seats += 1;
        let variant = HONEST + u16::try_from(self.seats)?;
        let (hotkey, axon, task) = miner(&keys, &name, Behaviour::Honest, variant, &self.embeddings).await?;
        let coldkey = key(&keys, &format!("{name}-cold"))?.hotkey();
        let (hotkey_account, coldkey) = (localnet::account(&hotkey)?, localnet::account(&coldkey)?);
        let call = RootCall::replace_neuron { netuid: NETUID.0, uid: uid.0, hotkey: hotkey_account, coldkey };
        Root::new(&self.chain_url, key(&keys, "root")?)?.execute(call, BLOCK_PATIENCE).await?;
        self.chain.serve_axon(NETUID, axon, &key(&keys, &name)?, BLOCK_PATIENCE).await?;
        let (_, replaced) = std::mem::replace(&mut self.miners[at], (hotkey, task));
        replaced.abort();
        Ok(uid)
    }

    /// How often a slot changed hands.
    pub(crate) fn seats_changed(&self) -> u32 {
        self.seats
    }

    /// Fails when something died that nobody killed.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.chain_process.check()?;
        match self.miners.iter().position(|(_, task)| task.is_finished()) {
            Some(at) => bail!("miner {} ended by itself", self.miners[at].0),
            None => Ok(()),
        }
    }

    /// Ends everything; the folder stays.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self { cluster, chain_process, miners, .. } = self;
        for (_, task) in miners {
            task.abort();
        }
        chain_process.stop().await?;
        tokio::task::block_in_place(|| drop(cluster));
        Ok(())
    }
}

fn cast() -> Vec<(String, Behaviour, u16)> {
    let honest = (0..HONEST).map(|at| (format!("honest-{at}"), Behaviour::Honest, at));
    let rest = [
        ("spammer", Behaviour::Spammer),
        ("slow", Behaviour::Slow { wait: SLOW }),
        ("malformed", Behaviour::Malformed { way: None }),
    ];
    honest.chain(rest.into_iter().map(|(name, behaviour)| (name.to_owned(), behaviour, HONEST))).collect()
}

/// `assay` lies beside this program.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let program = own.with_file_name("assay");
    if !program.exists() {
        bail!("{} is missing; run `cargo build --bin assay --bin chaos`", program.display());
    }
    Ok(program)
}

/// A crash is only real where data would reach a disk.
fn refuse_memory(folder: &Path) -> Result<()> {
    let output = std::process::Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output()?;
    let kind = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match kind.as_str() {
        "tmpfs" | "ramfs" => bail!("{} lies in memory ({kind}); set TMPDIR to a folder on a disk", folder.display()),
        _ => Ok(()),
    }
}

fn key_file(keys: &Path, name: &str) -> PathBuf {
    keys.join(format!("{name}.json"))
}

fn key(keys: &Path, name: &str) -> Result<Keypair> {
    let file = key_file(keys, name);
    Keypair::load_or_generate(&file).with_context(|| format!("the key in {}", file.display()))
}

fn neuron(keys: &Path, name: &str, stake: Rao, axon: Option<SocketAddr>) -> Result<GenesisNeuron> {
    let (hotkey, coldkey) = (key(keys, name)?.hotkey(), key(keys, &format!("{name}-cold"))?.hotkey());
    Ok(GenesisNeuron { hotkey, coldkey, stake, axon: axon.map(|axon| (axon.ip(), axon.port())) })
}

fn free_address() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

fn embeddings() -> Result<EmbeddingService> {
    let mut config = EmbeddingConfig::discover();
    config.threads = Some(1);
    let embedder = inference::open(&config).context("the embedding model; run `make setup`")?;
    Ok(EmbeddingService::start(embedder, &ServiceLimits::default())?)
}

type Mining = (Hotkey, SocketAddr, JoinHandle<Result<(), miner::Error>>);

async fn miner(
    keys: &Path,
    name: &str,
    behaviour: Behaviour,
    variant: u16,
    embeddings: &EmbeddingService,
) -> Result<Mining> {
    let keypair = key(keys, name)?;
    let hotkey = keypair.hotkey();
    let listen = ([127, 0, 0, 1], 0).into();
    let mut config = MinerConfig::new(listen, keypair, EmbeddingSource::Shared(embeddings.clone()));
    config.behaviour = behaviour;
    config.profile = Profile::numbered(variant);
    config.cache = Some(inference::find_home().join("cache"));
    let server = miner::Server::bind(config).await?;
    let axon = server.address();
    Ok((hotkey, axon, tokio::spawn(server.serve(std::future::pending()))))
}

async fn chain(program: &Path, folder: &Path, neurons: Vec<GenesisNeuron>) -> Result<(Child, Subtensor, String)> {
    // No rate limit: a second submission must be seen as what it is, not be refused by the chain.
    let hyperparameters =
        Hyperparameters { max_allowed_validators: 1, weights_rate_limit: 0, ..Hyperparameters::default() };
    let root = key(&folder.join("keys"), "root")?.hotkey();
    let specification = Specification::single(root, NETUID, hyperparameters, neurons);
    let genesis = folder.join("genesis.json");
    std::fs::write(&genesis, serde_json::to_vec_pretty(&specification)?)?;
    let listen = free_address()?;
    let arguments = [
        "localnet".to_owned(),
        format!("--listen={listen}"),
        format!("--data={}", folder.join("chain").display()),
        format!("--genesis={}", genesis.display()),
        format!("--block-time-ms={BLOCK_TIME_MS}"),
    ];
    let log = folder.join("logs").join("chain.log");
    let mut process = Child::start(program, "the development chain", &arguments, &[], log)?;
    let endpoints = [format!("ws://{listen}")];
    let connect = || Subtensor::connect(&endpoints, Settings::default());
    process.await_ready("an answer", PATIENCE, || async { connect().await.is_ok() }).await?;
    let client = connect().await?;
    let [url] = endpoints;
    Ok((process, client, url))
}
