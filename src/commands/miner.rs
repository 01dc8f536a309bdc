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
use chain::{Chain, Neuron};
use domain::types::{NetUid, Rao};
use inference::EmbeddingConfig;
use llm::Client;
use miner::subnets::{self, Subnet};
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile, Server, Writer};
use network::keys::Keypair;
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
    // Mistakes of the command line first: the chain may be long in coming.
    let joined = membership(&args)?;
    let (behaviour, subnet, writer) = (behaviour(&args)?, subnet(&args)?, writer(&args)?);
    let Place { member, listen, keypair } = place(&args, joined).await?;
    let mut embedding = EmbeddingConfig::discover();
    // Miners share the machine with others; one thread each keeps answers prompt.
    embedding.threads.get_or_insert(1);
    let mut config = MinerConfig::new(listen, keypair.clone(), EmbeddingSource::Open(embedding));
    config.behaviour = behaviour;
    config.subnet = subnet;
    config.writer = writer;
    config.profile = Profile::numbered(u16::try_from(args.variant).context("--variant is over 65535")?);
    config.cache = Some(Home::find()?.path().join("cache"));
    config.require_signed = args.require_signed;
    let answers = config.behaviour != Behaviour::Dead;
    if let Some(Member { network, netuid, chain }) = &member {
        let admitted = args.admit.unwrap_or_else(|| Admitted::on(network.name));
        let minimum = Rao(args.min_stake.saturating_mul(RAO_OF_TAO));
        config.gate = Some(MetagraphGate::open(chain.clone(), *netuid, admitted, minimum, stop.clone()).await?);
    }
    let server = Server::bind(config).await.context("the miner")?;
    match member {
        Some(member) => member.serve(&args, server, &keypair, answers, stop).await?,
        None => server.serve(async move { stop.wait().await }).await.context("the miner")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a miner has before it listens.
struct Place {
    member: Option<Member>,
    listen: SocketAddr,
    keypair: Keypair,
}

/// Key and port as they are named. A miner that joins a local network and was told neither takes a free port and a key of its own.
async fn place(args: &MinerArgs, joined: Option<(Network, NetUid)>) -> Result<Place> {
    let network = joined.as_ref().map_or(NetworkName::Local, |(network, _)| network.name);
    let is_local_member = joined.is_some() && network == NetworkName::Local;
    let usual = listen(args, network)?;
    let file = HotkeyFile::of(&args.wallet)?;
    let makes_key = is_local_member && !HotkeyFile::is_named(&args.wallet) && !file.path.exists();
    let named = if makes_key { None } else { Some(file.load()?) };
    let member = match joined {
        Some((network, netuid)) => {
            let chain = chain_connection::open(&network.endpoints).await?;
            Some(Member { network, netuid, chain })
        }
        None => None,
    };
    let is_free_to_choose = is_local_member && args.listen.is_none() && args.axon_port.is_none();
    let listen = match &member {
        Some(member) if is_free_to_choose => free_port(member, usual, named.as_ref()).await?,
        _ => usual,
    };
    let keypair = match named {
        Some(keypair) => keypair,
        None => own_key(listen.port())?,
    };
    Ok(Place { member, listen, keypair })
}

/// What it is a member of.
struct Member {
    network: Network,
    netuid: NetUid,
    chain: Arc<dyn Chain>,
}

impl Member {
    /// Takes a slot, and announces the axon once it answers: who is found before that has missed its first round.
    async fn serve(
        &self,
        args: &MinerArgs,
        server: Server,
        keypair: &Keypair,
        answers: bool,
        stop: Shutdown,
    ) -> Result<()> {
        let cannot =
            || format!("the miner cannot join {}, subnet {} of {}", args.subnet, self.netuid, self.network.name);
        let listening = server.address();
        // A mistake is told before the model is opened.
        let (neuron, axon) = tokio::select! {
            found = self.slot(args.announce, listening, keypair) => found.with_context(cannot)?,
            () = stop.wait() => return Ok(()),
        };
        let serving = server.serve(async move { stop.wait().await });
        tokio::pin!(serving);
        let announced = async {
            if answers {
                joining::until_ready(listening).await?;
            }
            joining::announce(self.chain.as_ref(), self.netuid, &neuron, keypair, axon).await
        };
        tokio::select! {
            announced = announced => drop(announced.with_context(cannot)?),
            ended = &mut serving => return ended.context("the miner"),
        }
        serving.await.context("the miner")
    }

    /// Its slot, and the address to announce.
    async fn slot(
        &self,
        announce: Option<SocketAddr>,
        listening: SocketAddr,
        keypair: &Keypair,
    ) -> Result<(Neuron, SocketAddr)> {
        let axon = match announce {
            Some(address) => address,
            None => joining::reachable(listening, &self.network).await?,
        };
        joining::check_axon(axon)?;
        Ok((joining::slot(self.chain.as_ref(), &self.network, self.netuid, keypair).await?, axon))
    }
}

/// Where it listens when nobody says so and others of this machine may do so already.
async fn free_port(member: &Member, usual: SocketAddr, named: Option<&Keypair>) -> Result<SocketAddr> {
    let announced = joining::announced(member.chain.as_ref(), member.netuid).await?;
    let own = |port| match named {
        Some(keypair) => Ok(Some(keypair.hotkey())),
        None => {
            let file = joining::own_key(port)?;
            if !file.exists() {
                return Ok(None);
            }
            let keypair = Keypair::load(&file).with_context(|| format!("the hotkey in {}", file.display()))?;
            Ok(Some(keypair.hotkey()))
        }
    };
    joining::free_port(usual, &announced, own)
}

/// The key of a miner that was given none.
fn own_key(port: u16) -> Result<Keypair> {
    let path = joining::own_key(port)?;
    let folder = path.parent().context("a key needs a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let keypair = HotkeyFile { path: path.clone(), made: true }.load()?;
    let file = path.display();
    tracing::info!(%file, hotkey = keypair.ss58(), "no hotkey is named and there is no default one: the miner has a key of its own");
    Ok(keypair)
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
    let network = joining::beside_demo(Network::of(&args.network)?, &args.network)?;
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
