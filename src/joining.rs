//! How a miner joins its subnet: it takes a slot where that costs nothing, and announces where its axon listens.
//!
//! On a public network a slot costs TAO and needs the coldkey, which has no place on a miner's machine: there nothing is
//! bought, and a miner without a slot is told what to do.

use crate::chain_connection;
use crate::operator::Network;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, bail};
use chain::{Chain, Neuron};
use domain::types::{Hotkey, NetUid, Uid};
use network::keys::Keypair;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an extrinsic may take into a block: five blocks of the main chain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the slot that the miner holds, once it is registered and the chain knows its axon.
///
/// # Errors
/// A chain that does not answer, a hotkey without a slot on a public network, and extrinsics that fail.
pub async fn join(network: &Network, netuid: NetUid, keypair: &Keypair, axon: SocketAddr) -> Result<Uid> {
    if axon.ip().is_unspecified() {
        bail!("{axon} is no address at which others could reach this miner; name it with --announce ADDRESS");
    }
    let chain = chain_connection::open(&network.endpoints).await?;
    let neuron = match neuron(chain.as_ref(), netuid, keypair).await? {
        Some(neuron) => neuron,
        None => register(chain.as_ref(), network, netuid, keypair).await?,
    };
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
