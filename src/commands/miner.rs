//! `assay miner`: a miner process, alone or as a member of its subnet.

use crate::chain_connection;
use crate::cli::{MinerArgs, NetworkArgs, OperatorArgs};
use crate::configuration::{Configuration, variable};
use crate::gate::{Admitted, MetagraphGate};
use crate::home::Home;
use crate::joining;
use crate::operator::{self, HotkeyFile, Network};
use crate::shutdown::Shutdown;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, bail};
use domain::types::{NetUid, Rao};
use inference::EmbeddingConfig;
use llm::Client;
use miner::subnets::{self, Subnet};
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile, Server, Writer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The port of an axon that none is named for.
const PORT: u16 = 8091;
/// Rao in a TAO.
const RAO_OF_TAO: u64 = 1_000_000_000;
/// How long the slow miner of the demo waits at least.
const SLOW: Duration = Duration::from_secs(2);

/// Serves until it is told to end.
pub async fn run(args: MinerArgs, stop: Shutdown) -> Result<ExitCode> {
    let joined = membership(&args)?;
    let listen = listen(&args, joined.as_ref().map_or(NetworkName::Local, |(network, _)| network.name))?;
    let keypair = HotkeyFile::of(&args.wallet)?.load()?;
    let mut embedding = EmbeddingConfig::discover();
    // Miners share the machine with others; one thread each keeps answers prompt.
    embedding.threads.get_or_insert(1);
    let mut config = MinerConfig::new(listen, keypair.clone(), EmbeddingSource::Open(embedding));
    config.behaviour = behaviour(&args)?;
    config.subnet = subnet(&args)?;
    config.writer = writer(&args)?;
    config.profile = Profile::numbered(u16::try_from(args.variant).context("--variant is over 65535")?);
    config.cache = Some(Home::find()?.path().join("cache"));
    config.require_signed = args.require_signed;
    if let Some((network, netuid)) = &joined {
        let admitted = args.admit.unwrap_or_else(|| Admitted::on(network.name));
        let minimum = Rao(args.min_stake.saturating_mul(RAO_OF_TAO));
        let chain = chain_connection::open(&network.endpoints).await?;
        config.gate = Some(MetagraphGate::open(chain, *netuid, admitted, minimum, stop.clone()).await?);
    }
    let server = Server::bind(config).await.context("the miner")?;
    if let Some((network, netuid)) = joined {
        let axon = match args.announce {
            Some(address) => address,
            None => joining::reachable(server.address(), &network).await?,
        };
        tokio::select! {
            joined = joining::join(&network, netuid, &keypair, axon) => {
                let subnet = &args.subnet;
                joined.with_context(|| format!("the miner cannot join {subnet}, subnet {netuid} of {}", network.name))?;
            }
            () = stop.wait() => return Ok(ExitCode::SUCCESS),
        }
    }
    server.serve(async move { stop.wait().await }).await.context("the miner")?;
    Ok(ExitCode::SUCCESS)
}

/// On a public network others have to reach it.
fn listen(args: &MinerArgs, network: NetworkName) -> Result<SocketAddr> {
    let ip: IpAddr = if network == NetworkName::Local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }.into();
    operator::listen_at(args.listen, args.axon_port, SocketAddr::new(ip, PORT))
}

/// The network and the subnet that it joins; none for a miner that only answers. The environment's chain alone makes no
/// member: it is set for the other commands.
fn membership(args: &MinerArgs) -> Result<Option<(Network, NetUid)>> {
    let NetworkArgs { network, subtensor_network, chain_endpoint, chain: _ } = &args.network;
    let words = [network, subtensor_network];
    if words.iter().all(|word| word.is_none())
        && chain_endpoint.is_empty()
        && args.netuid.is_none()
        && args.announce.is_none()
    {
        return Ok(None);
    }
    let network = Network::of(&args.network)?;
    let netuid = netuid(args, network.name)?;
    Ok(Some((network, netuid)))
}

fn netuid(args: &MinerArgs, network: NetworkName) -> Result<NetUid> {
    let named = OperatorArgs {
        subnet: vec![args.subnet.clone()],
        netuid: args.netuid.into_iter().collect(),
        ..OperatorArgs::default()
    };
    let served = operator::served(&named, network)?;
    served.first().map(|served| served.netuid).context("no subnet is named")
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
            Behaviour::Copycat { peer: peer.parse().map_err(anyhow::Error::msg)? }
        }
        "spammer" => Behaviour::Spammer,
        "slow" => Behaviour::Slow { wait: SLOW },
        "dead" => Behaviour::Dead,
        "malformed" => Behaviour::Malformed { way: None },
        other => bail!("--profile {other:?} is unknown; one of honest, copycat, spammer, slow, dead, malformed"),
    })
}
