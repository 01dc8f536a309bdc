//! `assay validator`: one process, any number of subnets, each with its own ledger, loops and routes.

use crate::cli::ValidatorArgs;
use crate::configuration::Configuration;
use crate::database::Database;
use crate::judges;
use crate::models;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, bail, ensure};
use chain::Chain;
use chain::development::Client;
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::NetUid;
use inference::{EmbeddingService, ServiceLimits};
use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use validator::api::{self, ApiConfig, ChallengeDefaults, Token};
use validator::faults::Faults;
use validator::judge::{Judge, Offline};
use validator::sources::ConversationServer;
use validator::transport::HttpTransport;
use validator::{Models, Validator, ValidatorConfig, open_ledger};

/// How long the first connection to chain and database may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What every subnet of the process shares.
struct Common {
    database: String,
    chain: Arc<dyn Chain>,
    models: Models,
    conversations: Option<ConversationServer>,
}

/// Runs until it is told to end, or until one subnet cannot go on.
pub async fn run(args: ValidatorArgs, stop: Shutdown) -> Result<ExitCode> {
    // Mistakes of the command line first: the chain and the database may be long in coming.
    let rule_sets = rule_sets(&args)?;
    distinct(&args.netuid)?;
    let configuration = Configuration::load(args.config.as_deref())?;
    let judge: Arc<dyn Judge> = if args.offline { Arc::new(Offline) } else { judges::open(&configuration)? };
    let conversations = super::conversations::server(&args.conversations, &rule_sets)?;
    let database = Database::open(args.database.database.as_deref()).await?;
    for (netuid, rule_set) in args.netuid.iter().zip(&rule_sets) {
        api_config(&args, rule_set)?.check(args.listen)?;
        tracing::info!(netuid, rule_set = rule_set.name(), hash = %rule_set.hash(), network = args.network, "rules in force");
        let known = mechanism::open(rule_set)?.weaknesses();
        if !known.is_empty() {
            let known = known.iter().map(|(constant, _)| *constant).collect::<Vec<_>>().join(", ");
            let rule_set = rule_set.name();
            tracing::warn!(
                netuid,
                rule_set,
                known,
                "these rules have known weaknesses; `assay rules --show` says what they let happen"
            );
        }
    }
    let common = Common {
        database: database.url.clone(),
        chain: tokio::select! {
            chain = chain(&args.chain) => Arc::new(chain?),
            () = stop.wait() => return Ok(ExitCode::SUCCESS),
        },
        models: Models { embeddings: embeddings(&configuration, &rule_sets)?, judge },
        conversations,
    };
    let subnets: Vec<(NetUid, RuleSet)> = args.netuid.iter().copied().map(NetUid).zip(rule_sets).collect();
    for (netuid, rule_set) in &subnets {
        check_subnet(&config(&args, *netuid, rule_set)?, common.chain.as_ref()).await?;
    }
    let mut running = Vec::new();
    for (at, (netuid, rule_set)) in subnets.iter().enumerate() {
        let port =
            args.listen.port().checked_add(u16::try_from(at)?).context("--listen leaves no port for every subnet")?;
        let listen = SocketAddr::new(args.listen.ip(), port);
        let subnet = subnet(&args, &common, (*netuid, rule_set), listen, stop.clone());
        running.push(subnet.await.with_context(|| format!("subnet {netuid}"))?);
    }
    // One that ends by a fault does not stop the others; the process ends when all have, and says so.
    let mut failed = false;
    for (netuid, subnet) in args.netuid.iter().zip(running) {
        if let Err(error) = subnet.await.map_err(anyhow::Error::from).and_then(|ended| ended) {
            crate::output::error(&error.context(format!("the validator of subnet {netuid} cannot go on")));
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The rule set of each subnet, in order.
fn rule_sets(args: &ValidatorArgs) -> Result<Vec<RuleSet>> {
    let default = if args.network == "local" { "loosh/readme" } else { "loosh/1.2.8" };
    let (given, wanted) = (args.rules.len(), args.netuid.len());
    ensure!(
        given <= 1 || given == wanted,
        "--rules is given {given} times for {wanted} subnets; give it once, or once for each --netuid"
    );
    let name =
        |at: usize| args.rules.get(at).or(args.rules.first().filter(|_| given == 1)).map_or(default, String::as_str);
    (0..wanted).map(|at| Ok(mechanism::shipped_by_name(name(at))?)).collect()
}

/// The embedding model, which every rule set must accept.
fn embeddings(configuration: &Configuration, rule_sets: &[RuleSet]) -> Result<EmbeddingService> {
    let embeddings = models::embeddings(configuration.embedding.as_ref(), &ServiceLimits::default())?;
    for rule_set in rule_sets {
        models::check_accepted(embeddings.identity(), mechanism::open(rule_set)?.as_ref())?;
    }
    Ok(embeddings)
}

/// A ledger has one validator; the second one of this process would wait for the first for ever.
fn distinct(netuids: &[u16]) -> Result<()> {
    for (at, netuid) in netuids.iter().enumerate() {
        ensure!(!netuids[..at].contains(netuid), "--netuid {netuid} is given twice; name each subnet once");
    }
    Ok(())
}

async fn chain(url: &str) -> Result<Client> {
    let begun = std::time::Instant::now();
    let mut pause = Duration::from_secs(1);
    loop {
        match Client::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if begun.elapsed() >= PATIENCE => {
                return Err(error).with_context(|| {
                    format!("the chain at {url} does not answer; name another with --chain, or start `assay localnet`")
                });
            }
            Err(error) => {
                tracing::warn!(%error, url, patience_s = PATIENCE.as_secs(), "waiting for the chain");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn subnet(
    args: &ValidatorArgs,
    common: &Common,
    (netuid, rule_set): (NetUid, &RuleSet),
    listen: SocketAddr,
    stop: Shutdown,
) -> Result<JoinHandle<Result<()>>> {
    let config = config(args, netuid, rule_set)?;
    let api = api_config(args, rule_set)?;
    api.check(listen)?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let holder = format!("pid {} on {}", std::process::id(), host());
    let ledger = open_ledger(&common.database, &holder, &config, common.chain.as_ref()).await?;
    let transport = Arc::new(HttpTransport::new(config.network_is_local)?);
    let started = Validator::start(config, ledger, common.chain.clone(), common.models.clone(), transport);
    let (handle, mut ended) = started.await?;
    tracing::info!(origin = handle.origin(), %listen, "validator is up");
    // They end by themselves when the validator stops.
    let sources =
        validator::sources::start_with(&handle, rule_set, &common.models.judge, common.conversations.as_ref());
    let _sources = sources.map_err(anyhow::Error::msg)?;
    let served = tokio::spawn(api::serve(listener, handle.clone(), api, {
        let stop = stop.clone();
        async move { stop.wait().await }
    }));
    Ok(tokio::spawn(async move {
        tokio::select! {
            () = stop.wait() => handle.stop("signal"),
            fault = &mut ended => {
                served.abort();
                return fault?.map_err(anyhow::Error::from);
            }
        }
        ended.await??;
        served.await??;
        Ok(())
    }))
}

/// Before any ledger is begun: a mistyped number must not leave one behind.
async fn check_subnet(config: &ValidatorConfig, chain: &dyn Chain) -> Result<()> {
    let head = chain.head().await.context("the chain's head cannot be read")?;
    let metagraph = chain.metagraph(config.netuid, head.number).await;
    let metagraph = metagraph.with_context(|| format!("--netuid {}", config.netuid))?;
    let hotkey = config.hotkey.hotkey();
    if metagraph.neuron_of(&hotkey).is_none() {
        tracing::warn!(%hotkey, netuid = %config.netuid, "the hotkey holds no slot of this subnet: its weights will not count until it is registered");
    }
    Ok(())
}

fn config(args: &ValidatorArgs, netuid: NetUid, rule_set: &RuleSet) -> Result<ValidatorConfig> {
    let hotkey =
        Keypair::load_or_generate(&args.hotkey).with_context(|| format!("the hotkey in {}", args.hotkey.display()))?;
    let checkpoint_key = CheckpointKey::load_or_generate(&args.checkpoint_key)
        .with_context(|| format!("the checkpoint key in {}", args.checkpoint_key.display()))?;
    let mut config = ValidatorConfig::new(netuid, rule_set.clone(), hotkey, checkpoint_key, args.checkpoints.clone());
    config.epoch_blocks = args.epoch_blocks;
    config.metagraph_blocks = config.metagraph_blocks.min(args.epoch_blocks.max(1));
    config.sweep_interval = Duration::from_secs(args.sweep);
    config.response_deadline = args.deadline_ms.map(|ms| Duration::from_millis(u64::from(ms)));
    config.task_interval = args.task_seconds.map(Duration::from_secs);
    config.network_is_local = args.network == "local";
    config.faults = Faults::from_environment().map_err(anyhow::Error::msg)?;
    Ok(config)
}

fn api_config(args: &ValidatorArgs, rule_set: &RuleSet) -> Result<ApiConfig> {
    let mut config = ApiConfig::new(ChallengeDefaults::for_rule_set(&rule_set.name()));
    config.token = args.token.as_deref().map(Token::new).transpose()?;
    for text in &args.allow_hotkey {
        match text.parse() {
            Ok(hotkey) => config.allowed_hotkeys.push(hotkey),
            Err(error) => bail!("--allow-hotkey: {error}"),
        }
    }
    Ok(config)
}

fn host() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    if name.trim().is_empty() { "this machine".to_owned() } else { name.trim().to_owned() }
}
