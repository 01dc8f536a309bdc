//! How a miner joins its subnet: it takes a slot where that costs nothing, and announces where its axon listens.
//!
//! On a public network a slot costs TAO and needs the coldkey, which has no place on a miner's machine: there nothing is
//! bought, and a miner without a slot is told what to do.

use crate::cli::NetworkArgs;
use crate::demo::state::DemoState;
use crate::home::Home;
use crate::operator::Network;
use crate::subnets::{self, NetworkName};
use anyhow::{Context, Result, bail, ensure};
use chain::{Chain, Neuron};
use domain::types::{Hotkey, NetUid, Uid};
use network::keys::Keypair;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long an extrinsic may take into a block: five blocks of the main chain.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a miner may take until it answers, before it is announced: the first one on a machine computes the corpus' vectors.
const UNTIL_READY: Duration = Duration::from_secs(600);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(100);
/// Ports that are tried from the usual one on.
const PORTS: u16 = 1000;

/// The chain of the demo that runs, or ran, in this home, where nobody says which chain of this machine is meant; the usual one comes
/// after it.
///
/// # Errors
/// A malformed file of the demo's.
pub fn beside_demo(network: Network, args: &NetworkArgs) -> Result<Network> {
    if network.name != NetworkName::Local || Network::is_located(args) {
        return Ok(network);
    }
    let Some(demo) = DemoState::load(&Home::find()?.demo())? else { return Ok(network) };
    let usual = network.endpoints.urls().iter().filter(|url| **url != demo.chain).cloned();
    let urls = std::iter::once(demo.chain.clone()).chain(usual).collect();
    Ok(network.at(urls))
}

/// Who announces which port on a local network, in any of its subnets.
pub type Announced = BTreeMap<u16, Vec<Hotkey>>;

/// Reads them. A subnet that the chain does not have announces nothing.
///
/// # Errors
/// A chain that does not answer.
pub async fn announced(chain: &dyn Chain, netuid: NetUid) -> Result<Announced> {
    let head = chain.head().await?.number;
    let mut announced = Announced::new();
    let others = subnets::ALL.iter().map(|subnet| NetUid(subnet.local)).filter(|other| *other != netuid);
    for netuid in std::iter::once(netuid).chain(others) {
        let Ok(metagraph) = chain.metagraph(netuid, head).await else { continue };
        for (axon, neuron) in metagraph.neurons.iter().filter_map(|neuron| Some((neuron.axon()?, neuron))) {
            announced.entry(axon.port()).or_default().push(neuron.hotkey);
        }
    }
    Ok(announced)
}

/// The first port from `usual` on that nobody listens at and nobody but its own hotkey announces: a miner that is down keeps its port.
///
/// # Errors
/// None of so many, and a key file that cannot be read.
pub fn free_port(
    usual: SocketAddr,
    announced: &Announced,
    own: impl Fn(u16) -> Result<Option<Hotkey>>,
) -> Result<SocketAddr> {
    for port in (usual.port()..).take(PORTS.into()) {
        let address = SocketAddr::new(usual.ip(), port);
        let holders = announced.get(&port).map_or(&[][..], Vec::as_slice);
        let is_own = holders.is_empty() || own(port)?.is_some_and(|own| holders.iter().all(|holder| *holder == own));
        if is_own && std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {} on is free for {PORTS} ports; name one with --axon.port", usual.port())
}

/// The key of a miner that was given none: one for each port, so that several miners of this machine do not share one.
///
/// # Errors
/// No home that could be used.
pub fn own_key(port: u16) -> Result<PathBuf> {
    Ok(Home::find()?.path().join("keys").join(format!("miner-{port}.json")))
}

/// Waits until a miner of this process answers.
///
/// # Errors
/// One that does not come to it.
pub async fn until_ready(listening: SocketAddr) -> Result<()> {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}/availability", SocketAddr::new(ip, listening.port()));
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let begun = Instant::now();
    loop {
        if let Ok(reply) = client.get(&url).send().await
            && reply.json::<serde_json::Value>().await.is_ok_and(|said| said["available"] == true)
        {
            return Ok(());
        }
        ensure!(begun.elapsed() < UNTIL_READY, "it does not answer after {} s", UNTIL_READY.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}

/// The slot that the miner holds, taken first where that costs nothing.
///
/// # Errors
/// A chain that does not answer, a hotkey without a slot on a public network, and an extrinsic that fails.
pub async fn slot(chain: &dyn Chain, network: &Network, netuid: NetUid, keypair: &Keypair) -> Result<Neuron> {
    match neuron(chain, netuid, keypair).await? {
        Some(neuron) => Ok(neuron),
        None => register(chain, network, netuid, keypair).await,
    }
}

/// Sees that others could reach an axon at its address.
///
/// # Errors
/// Every address of a machine at once.
pub fn check_axon(axon: SocketAddr) -> Result<()> {
    ensure!(
        !axon.ip().is_unspecified(),
        "{axon} is no address at which others could reach this miner; name it with --announce ADDRESS"
    );
    Ok(())
}

/// Tells the chain where the axon of a slot listens, unless it knows.
///
/// # Errors
/// A chain that does not answer, and an extrinsic that fails.
pub async fn announce(
    chain: &dyn Chain,
    netuid: NetUid,
    neuron: &Neuron,
    keypair: &Keypair,
    axon: SocketAddr,
) -> Result<Uid> {
    let uid = neuron.uid;
    if neuron.axon() == Some(axon) {
        tracing::info!(%netuid, %uid, %axon, "the chain knows this axon");
        return Ok(uid);
    }
    let announced = chain.serve_axon(netuid, axon, keypair, PATIENCE).await;
    let block = announced.with_context(|| format!("the axon {axon} cannot be announced"))?.block;
    tracing::info!(%netuid, %uid, %axon, %block, "axon announced");
    Ok(uid)
}

/// Where others of a local network reach who listens there: of one that listens on every address, the address from which it reaches
/// the chain. On a public network that would be the inside of a router, so it is left as it is and refused.
///
/// # Errors
/// A chain whose host has no address.
pub async fn reachable(listening: SocketAddr, network: &Network) -> Result<SocketAddr> {
    if !listening.ip().is_unspecified() || network.name != NetworkName::Local {
        return Ok(listening);
    }
    let chain = network.endpoints.first();
    let chain = chain.split_once("://").map_or(chain, |(_, rest)| rest);
    let chain = chain.split(['/', '?']).next().unwrap_or_default();
    let way = || format!("the way to the chain at {chain} cannot be told; name this miner's address with --announce");
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.with_context(way)?;
    // Nothing is sent: connecting picks the address that datagrams there would come from.
    socket.connect(chain).await.with_context(way)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), listening.port()))
}

pub async fn neuron(chain: &dyn Chain, netuid: NetUid, keypair: &Keypair) -> Result<Option<Neuron>> {
    let head = chain.head().await?;
    let metagraph = chain.metagraph(netuid, head.number).await.with_context(|| format!("subnet {netuid}"))?;
    Ok(metagraph.neuron_of(&keypair.hotkey()).cloned())
}

/// On a local network the hotkey pays and owns itself.
async fn register(chain: &dyn Chain, network: &Network, netuid: NetUid, keypair: &Keypair) -> Result<Neuron> {
    let hotkey = keypair.hotkey();
    if network.name != NetworkName::Local {
        bail!(
            "the hotkey {hotkey} holds no slot of subnet {netuid} on {}; register it with its coldkey, for example \
             `btcli subnet register --netuid {netuid} --subtensor.network {}`",
            network.name,
            network.name
        );
    }
    buy(chain, netuid, &hotkey, keypair).await
}

/// Takes a slot for a hotkey; `coldkey` pays what it costs.
///
/// # Errors
/// A chain that does not answer, and one that refuses.
pub async fn buy(chain: &dyn Chain, netuid: NetUid, hotkey: &Hotkey, coldkey: &Keypair) -> Result<Neuron> {
    let registered = chain.register(netuid, hotkey, coldkey, PATIENCE).await;
    let block = registered.with_context(|| format!("the hotkey {hotkey} cannot be registered"))?.block;
    tracing::info!(%netuid, %hotkey, %block, "registered");
    let metagraph = chain.metagraph(netuid, block).await?;
    metagraph
        .neuron_of(hotkey)
        .cloned()
        .with_context(|| format!("block {block} registered {hotkey} and has no slot for it"))
}
