//! `assay miner`: a miner process.

use crate::cli::MinerArgs;
use crate::configuration::{Configuration, variable};
use crate::home::Home;
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, bail};
use inference::EmbeddingConfig;
use llm::Client;
use miner::subnets::{self, Subnet};
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile, Writer};
use network::keys::Keypair;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long the slow miner of the demo waits at least.
const SLOW: Duration = Duration::from_secs(2);

/// Serves until it is told to end.
pub async fn run(args: MinerArgs, stop: Shutdown) -> Result<ExitCode> {
    let keypair =
        Keypair::load_or_generate(&args.hotkey).with_context(|| format!("the hotkey in {}", args.hotkey.display()))?;
    let mut embedding = EmbeddingConfig::discover();
    // Miners share the machine with others; one thread each keeps answers prompt.
    embedding.threads.get_or_insert(1);
    let mut config = MinerConfig::new(args.listen, keypair, EmbeddingSource::Open(embedding));
    config.behaviour = behaviour(&args)?;
    config.subnet = subnet(&args)?;
    config.writer = writer(&args)?;
    config.profile = Profile::numbered(u16::try_from(args.variant).context("--variant is over 65535")?);
    config.cache = Some(Home::find()?.path().join("cache"));
    config.require_signed = args.require_signed;
    miner::run(config, async move { stop.wait().await }).await.context("the miner")?;
    Ok(ExitCode::SUCCESS)
}

/// The subnet whose requests it answers; none for Loosh's questions.
fn subnet(args: &MinerArgs) -> Result<Option<Arc<dyn Subnet>>> {
    let variant = u16::try_from(args.variant).context("--variant is over 65535")?;
    let data = subnets::Data { model: args.model.clone(), tweets: args.tweets.clone() };
    match args.subnet.as_str() {
        "loosh" => Ok(None),
        name => match subnets::open(name, variant, &data)? {
            Some(subnet) => Ok(Some(subnet)),
            None => bail!("--subnet {name:?} is unknown; one of loosh, {}", subnets::NAMES.join(", ")),
        },
    }
}

/// The language model that writes the answers; none where none is configured, where it is not wanted, and where there is
/// nothing to write.
fn writer(args: &MinerArgs) -> Result<Option<Writer>> {
    if args.offline || args.profile != "honest" || args.subnet == "conversion" {
        return Ok(None);
    }
    let configuration = Configuration::load(args.config.as_deref())?;
    let Some((name, endpoint)) = configuration.answers()?.and_then(|name| configuration.llm.get_key_value(name)) else {
        tracing::info!("no language model writes answers: they are found offline");
        return Ok(None);
    };
    let client = Client::open(name, endpoint, &variable)?;
    tracing::info!(endpoint = name, model = client.model(), "a language model writes answers");
    if !args.require_signed {
        tracing::warn!("anybody who reaches this miner spends its tokens; --require-signed answers validators only");
    }
    Ok(Some(Writer::new(Arc::new(client))))
}

fn behaviour(args: &MinerArgs) -> Result<Behaviour> {
    Ok(match args.profile.as_str() {
        "honest" => Behaviour::Honest,
        "copycat" => {
            let peer = args.peer.clone().context("--profile copycat needs --peer URL, the miner it copies from")?;
            Behaviour::Copycat { peer }
        }
        "spammer" => Behaviour::Spammer,
        "slow" => Behaviour::Slow { wait: SLOW },
        "dead" => Behaviour::Dead,
        "malformed" => Behaviour::Malformed { way: None },
        other => bail!("--profile {other:?} is unknown; one of honest, copycat, spammer, slow, dead, malformed"),
    })
}
