//! `assay validator`: one process, any number of subnets, each with its own ledger, loops and routes.

use crate::cli::ValidatorArgs;
use crate::database::Database;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, bail};
use chain::Chain;
use chain::development::Client;
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::NetUid;
use inference::{EmbeddingConfig, EmbeddingService, ServiceLimits};
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
use validator::transport::HttpTransport;
use validator::{Validator, ValidatorConfig, open_ledger};

/// How long the first connection to chain and database may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every subnet of the process shares.
struct Common {
    database: String,
    chain: Arc<dyn Chain>,
    embeddings: EmbeddingService,
    rule_set: RuleSet,
}

/// Runs until it is told to end, or until one subnet cannot go on.
pub async fn run(args: ValidatorArgs, stop: Shutdown) -> Result<ExitCode> {
    let database = Database::open(args.database.database.as_deref()).await?;
    let rule_set = rule_set(&args)?;
    tracing::info!(rule_set = rule_set.name(), hash = %rule_set.hash(), network = args.network, "rules in force");
    let common = Common {
        database: database.url.clone(),
        chain: Arc::new(chain(&args.chain).await?),
        embeddings: embeddings()?,
        rule_set,
    };
    let mut running = Vec::new();
    for (at, netuid) in args.netuid.iter().enumerate() {
        let port =
            args.listen.port().checked_add(u16::try_from(at)?).context("--listen leaves no port for every subnet")?;
        let listen = SocketAddr::new(args.listen.ip(), port);
        let subnet = subnet(&args, &common, NetUid(*netuid), listen, stop.clone());
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

fn rule_set(args: &ValidatorArgs) -> Result<RuleSet> {
    let default = if args.network == "local" { "loosh/readme" } else { "loosh/1.2.8" };
    Ok(mechanism::shipped_by_name(args.rules.as_deref().unwrap_or(default))?)
}

async fn chain(url: &str) -> Result<Client> {
    let begun = std::time::Instant::now();
    loop {
        match Client::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if begun.elapsed() >= PATIENCE => {
                return Err(error).with_context(|| format!("the chain at {url} does not answer"));
            }
            Err(error) => tracing::warn!(%error, url, "waiting for the chain"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn embeddings() -> Result<EmbeddingService> {
    let embedder = inference::open(&EmbeddingConfig::discover()).context("the embedding model; run `make setup`")?;
    let identity = embedder.identity();
    tracing::info!(
        model = identity.name,
        runtime = identity.runtime,
        version = identity.runtime_version,
        provider_asked = identity.provider_asked,
        provider = identity.provider,
        "embedding model is open"
    );
    EmbeddingService::start(embedder, &ServiceLimits::default()).context("the embedding service")
}

async fn subnet(
    args: &ValidatorArgs,
    common: &Common,
    netuid: NetUid,
    listen: SocketAddr,
    stop: Shutdown,
) -> Result<JoinHandle<Result<()>>> {
    let config = config(args, common, netuid)?;
    let api = api_config(args, &common.rule_set)?;
    api.check(listen)?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let holder = format!("pid {} on {}", std::process::id(), host());
    let ledger = open_ledger(&common.database, &holder, &config, common.chain.as_ref()).await?;
    let transport = Arc::new(HttpTransport::new(config.network_is_local)?);
    let started = Validator::start(config, ledger, common.chain.clone(), common.embeddings.clone(), transport);
    let (handle, mut ended) = started.await?;
    tracing::info!(origin = handle.origin(), %listen, "validator is up");
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

fn config(args: &ValidatorArgs, common: &Common, netuid: NetUid) -> Result<ValidatorConfig> {
    let hotkey =
        Keypair::load_or_generate(&args.hotkey).with_context(|| format!("the hotkey in {}", args.hotkey.display()))?;
    let checkpoint_key = CheckpointKey::load_or_generate(&args.checkpoint_key)
        .with_context(|| format!("the checkpoint key in {}", args.checkpoint_key.display()))?;
    let rule_set = common.rule_set.clone();
    let mut config = ValidatorConfig::new(netuid, rule_set, hotkey, checkpoint_key, args.checkpoints.clone());
    config.epoch_blocks = args.epoch_blocks;
    config.metagraph_blocks = config.metagraph_blocks.min(args.epoch_blocks.max(1));
    config.sweep_interval = Duration::from_secs(args.sweep);
    config.response_deadline = args.deadline_ms.map(|ms| Duration::from_millis(u64::from(ms)));
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
