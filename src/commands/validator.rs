//! `assay validator`: one process, any number of subnets, each with its own ledger, loops and routes.

use crate::chain_connection::{self, Endpoints};
use crate::challenge_service;
use crate::cli::ValidatorArgs;
use crate::configuration::Configuration;
use crate::database::{self, Database};
use crate::judges;
use crate::models;
use crate::operator::{self, HotkeyFile, Network, Served};
use crate::routes;
use crate::shutdown::Shutdown;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, ensure};
use chain::Chain;
use domain::mechanism;
use domain::ruleset::RuleSet;
use inference::{EmbeddingService, ServiceLimits};
use network::checkpoint_key::CheckpointKey;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use validator::api;
use validator::faults::Faults;
use validator::judge::{Judge, Offline};
use validator::outbox;
use validator::sources::{ConversationServer, Labels, LabelsFrom};
use validator::{Models, Validator, ValidatorConfig, open_ledger};

/// How long the first connection to chain and database may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Blocks between two looks at the metagraph of a local network, where blocks and rounds come fast and whoever joins wants to be seen.
/// Looks that find nothing new leave nothing in the log.
const LOCAL_METAGRAPH_BLOCKS: u64 = 2;

/// What every subnet of the process shares.
struct Common {
    database: String,
    network: NetworkName,
    chain: Arc<dyn Chain>,
    models: Models,
    conversations: Option<ConversationServer>,
}

/// Runs until it is told to end, or until one subnet cannot go on.
pub async fn run(args: ValidatorArgs, stop: Shutdown) -> Result<ExitCode> {
    // Mistakes of the command line first: the chain and the database may be long in coming.
    let network = Network::of(&args.operator.network)?;
    let first = operator::listen(&args.operator)?;
    let (subnets, conversations) = words(&args, network.name, first)?;
    let configuration = Configuration::load(args.config.as_deref())?;
    let judge: Arc<dyn Judge> = if args.offline { Arc::new(Offline) } else { judges::open(&configuration)? };
    let named = args.database.database.as_deref();
    database::is_named_for(network.name, named)?;
    let database = Database::open(named).await?;
    let chain = tokio::select! {
        connected = chain(&network.endpoints) => connected?,
        () = stop.wait() => return Ok(ExitCode::SUCCESS),
    };
    let presumed = network.name;
    let network = network.settled(&chain.genesis_hash().await?)?;
    database::is_named_for(network.name, named)?;
    // Another network has other numbers and rules.
    let (subnets, conversations) =
        if network.name == presumed { (subnets, conversations) } else { words(&args, network.name, first)? };
    let rule_sets: Vec<RuleSet> = subnets.iter().map(|served| served.rule_set.clone()).collect();
    for Served { netuid, rule_set, .. } in &subnets {
        let (name, chain) = (network.name, &network.endpoints);
        tracing::info!(%netuid, rule_set = rule_set.name(), hash = %rule_set.hash(), network = %name, %chain, "rules in force");
        let known = mechanism::open(rule_set)?.weaknesses();
        if !known.is_empty() {
            let known = known.iter().map(|(constant, _)| *constant).collect::<Vec<_>>().join(", ");
            let rule_set = rule_set.name();
            tracing::warn!(
                %netuid,
                rule_set,
                known,
                "these rules have known weaknesses; `assay rules --show` says what they let happen"
            );
        }
    }
    if args.shadow {
        tracing::warn!("a shadow: epochs are derived and skipped, and nothing is sent to the chain");
    }
    let common = Common {
        database: database.url.clone(),
        network: network.name,
        chain,
        models: Models { embeddings: embeddings(&configuration, &rule_sets)?, judge },
        conversations,
    };
    for served in &subnets {
        check_subnet(&config(&args, common.network, served)?, common.chain.as_ref()).await?;
    }
    let mut running = Vec::new();
    for (at, served) in subnets.iter().enumerate() {
        let port = first.port().checked_add(u16::try_from(at)?).context("--listen leaves no port for every subnet")?;
        let listen = SocketAddr::new(first.ip(), port);
        let subnet = subnet(&args, &common, served, listen, stop.clone());
        running.push(subnet.await.with_context(|| format!("subnet {}", served.netuid))?);
    }
    // One that ends by a fault does not stop the others; the process ends when all have, and says so.
    let mut failed = false;
    for (Served { netuid, .. }, subnet) in subnets.iter().zip(running) {
        if let Err(error) = subnet.await.map_err(anyhow::Error::from).and_then(|ended| ended) {
            crate::output::error(&error.context(format!("the validator of subnet {netuid} cannot go on")));
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The embedding model, which every rule set must accept.
fn embeddings(configuration: &Configuration, rule_sets: &[RuleSet]) -> Result<EmbeddingService> {
    let embeddings = models::embeddings(configuration.embedding.as_ref(), &ServiceLimits::default())?;
    for rule_set in rule_sets {
        models::check_accepted(embeddings.identity(), mechanism::open(rule_set)?.as_ref())?;
    }
    Ok(embeddings)
}

/// The subnets that the words name on a network, and where conversations come from; everything else that words can be wrong about
/// is looked at, too.
fn words(
    args: &ValidatorArgs,
    network: NetworkName,
    listen: SocketAddr,
) -> Result<(Vec<Served>, Option<ConversationServer>)> {
    let subnets = operator::served(&args.operator, network)?;
    let rule_sets: Vec<RuleSet> = subnets.iter().map(|served| served.rule_set.clone()).collect();
    let conversations = super::conversations::server(&args.conversations, &rule_sets)?;
    labels(args, &rule_sets)?;
    challenge_service::is_of_use(&args.challenge_service, &args.routes, &rule_sets)?;
    for Served { rule_set, .. } in &subnets {
        routes::of(&args.routes, rule_set)?.check(listen)?;
    }
    Ok((subnets, conversations))
}

/// Waits for the chain, which may come up together with the validator.
async fn chain(endpoints: &Endpoints) -> Result<Arc<dyn Chain>> {
    let begun = std::time::Instant::now();
    let mut pause = Duration::from_secs(1);
    loop {
        match chain_connection::open(endpoints.clone().of_no_network()).await {
            Ok(chain) => return Ok(chain),
            Err(error) if begun.elapsed() >= PATIENCE => {
                return Err(error).with_context(|| {
                    format!(
                        "no chain after {} s; name another with --chain, or start `assay localnet`",
                        PATIENCE.as_secs()
                    )
                });
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    %endpoints,
                    patience_s = PATIENCE.as_secs(),
                    "waiting for the chain"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn subnet(
    args: &ValidatorArgs,
    common: &Common,
    served: &Served,
    listen: SocketAddr,
    stop: Shutdown,
) -> Result<JoinHandle<Result<()>>> {
    let config = config(args, common.network, served)?;
    let rule_set = &served.rule_set;
    let api = routes::of(&args.routes, rule_set)?;
    api.check(listen)?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let holder = format!("pid {} on {}", std::process::id(), host());
    // What it needs first, so that a mistake leaves no ledger behind.
    let outbox = challenge_service::outbox(&args.challenge_service, rule_set, &config.hotkey)?;
    let ledger = open_ledger(&common.database, &holder, &config, common.chain.as_ref()).await?;
    let transport = validator::transport::open(args.dialect.into(), &config.hotkey, config.network_is_local)?;
    let started = Validator::start(config, ledger, common.chain.clone(), common.models.clone(), transport);
    let (handle, mut ended) = started.await?;
    tracing::info!(origin = handle.origin(), %listen, "validator is up");
    // They end by themselves when the validator stops.
    let sources =
        validator::sources::start_with(&handle, rule_set, &common.models.judge, common.conversations.as_ref());
    let _sources = sources.map_err(anyhow::Error::msg)?;
    let bringing = outbox.map(|outbox| outbox::start(&handle, rule_set, &outbox)).transpose();
    let _bringing = bringing.map_err(anyhow::Error::msg)?;
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

fn config(args: &ValidatorArgs, network: NetworkName, served: &Served) -> Result<ValidatorConfig> {
    let Served { netuid, rule_set, ledger_number } = served;
    let hotkey = HotkeyFile::of(&args.operator.wallet)?.load()?;
    let key_file = operator::checkpoint_key(&args.operator)?;
    if let Some(folder) = key_file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let checkpoint_key = CheckpointKey::load_or_generate(&key_file)
        .with_context(|| format!("the checkpoint key in {}", key_file.display()))?;
    let checkpoints = operator::checkpoints(&args.operator)?;
    let mut config = ValidatorConfig::new(*netuid, rule_set.clone(), hotkey, checkpoint_key, checkpoints);
    config.ledger_number = *ledger_number;
    config.epoch_blocks = args.epoch_blocks;
    let usual = if network == NetworkName::Local { LOCAL_METAGRAPH_BLOCKS } else { config.metagraph_blocks };
    config.metagraph_blocks = usual.min(args.epoch_blocks.max(1));
    config.sweep_interval = Duration::from_secs(args.sweep);
    config.response_deadline = args.deadline_ms.map(|ms| Duration::from_millis(u64::from(ms)));
    config.task_interval = args.task_seconds.map(Duration::from_secs);
    config.labels = labels(args, std::slice::from_ref(rule_set)).unwrap_or_default();
    config.network_is_local = network == NetworkName::Local;
    config.commit_form = args.commit_reveal.into();
    config.shadow = args.shadow;
    config.faults = Faults::from_environment().map_err(anyhow::Error::msg)?;
    Ok(config)
}

/// Who tells the labels that rule sets of conversion wait for.
fn labels(args: &ValidatorArgs, rule_sets: &[RuleSet]) -> Result<Labels> {
    let from = match args.labels.as_str() {
        "rule" => LabelsFrom::Rule,
        "pushed" => LabelsFrom::Pushed,
        file => LabelsFrom::File(file.into()),
    };
    let after = args.label_seconds.map(Duration::from_secs);
    let labels = Labels { from, after };
    if labels == Labels::default() {
        return Ok(labels);
    }
    let waits = |rules: &RuleSet| {
        rules.algorithm() == "conversion" && mechanism::open(rules).is_ok_and(|mechanism| mechanism.awaits_labels())
    };
    ensure!(
        rule_sets.iter().any(waits),
        "--labels and --label-seconds are for rule sets of conversion that wait for labels, such as conversion/readme; \
         none of {} does",
        rule_sets.iter().map(RuleSet::name).collect::<Vec<_>>().join(", ")
    );
    ensure!(
        labels.from != LabelsFrom::Pushed || after.is_none(),
        "--label-seconds is for the rule and for a file; with --labels pushed, clients tell labels when they know them"
    );
    if let LabelsFrom::File(file) = &labels.from {
        ensure!(
            file.is_file(),
            "--labels {}: there is no such file; `rule`, `pushed` or a file of JSON lines",
            file.display()
        );
    }
    Ok(labels)
}

fn host() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    if name.trim().is_empty() { "this machine".to_owned() } else { name.trim().to_owned() }
}
