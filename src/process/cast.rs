//! Who plays: three miners of the program on loopback, and the slots that the validator sees.

use super::ORIGIN;
use anyhow::{Result, bail, ensure};
use domain::Aggregate;
use domain::events::{AvailabilitySwept, Challenge, Event, MetagraphObserved, Neuron, Probe};
use domain::mechanism::Mechanism;
use domain::metagraph::Metagraph;
use domain::round::Round;
use domain::selection::{self, SelectionInput};
use domain::types::{BlockNumber, Hotkey, Position, Rao, Uid, sha256};
use domain::wire;
use inference::EmbeddingService;
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile, Server, subnets};
use network::keys::Keypair;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Two honest miners and one who answers at once without reading.
const MINERS: [(&str, Behaviour); 3] =
    [("ada", Behaviour::Honest), ("bela", Behaviour::Honest), ("spammer", Behaviour::Spammer)];

/// A miner that answers.
pub struct Player {
    /// What it is called here.
    pub name: &'static str,
    /// Its key.
    pub keypair: Keypair,
    /// Where it listens.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Starts the miners on loopback and waits until they answer.
pub async fn players(subnet: &str, embeddings: &EmbeddingService) -> Result<Vec<Player>> {
    let mut players = Vec::new();
    for (at, (name, behaviour)) in (1u16..).zip(MINERS) {
        let keypair = Keypair::from_uri(&format!("//process//{name}"))?;
        let source = EmbeddingSource::Shared(embeddings.clone());
        let mut config = MinerConfig::new(([127, 0, 0, 1], 0).into(), keypair.clone(), source);
        config.behaviour = behaviour;
        config.profile = Profile::numbered(at);
        config.subnet = subnets::open(subnet, at, &subnets::Data::default())?;
        let server = Server::bind(config).await?;
        let address = server.address();
        let serving = tokio::spawn(async move {
            if let Err(error) = server.serve(std::future::pending()).await {
                tracing::warn!(%error, "a miner ended");
            }
        });
        players.push(Player { name, keypair, address, serving });
    }
    for player in &players {
        ready(player).await?;
    }
    Ok(players)
}

async fn ready(player: &Player) -> Result<()> {
    let url = format!("http://{}/availability", player.address);
    for _ in 0..600 {
        if let Ok(reply) = reqwest::get(&url).await
            && reply.json::<serde_json::Value>().await.is_ok_and(|body| body["available"] == true)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("miner {} does not become ready", player.name)
}

/// What a hotkey is called here.
pub fn name(players: &[Player], hotkey: &Hotkey) -> String {
    let found = players.iter().find(|player| player.keypair.hotkey() == *hotkey);
    found.map_or_else(|| hotkey.to_string(), |player| player.name.to_owned())
}

/// The subnet as a chain would show it: the validator, and the miners after it.
pub fn metagraph(validator: &Keypair, players: &[Player]) -> MetagraphObserved {
    let neuron = |uid: u16, hotkey: Hotkey, port: u16, permit: bool| Neuron {
        uid: Uid(uid),
        hotkey,
        coldkey: hotkey,
        ip: "127.0.0.1".into(),
        port,
        stake: Rao(0),
        validator_permit: permit,
        last_update: BlockNumber(0),
    };
    let own = validator.hotkey();
    let mut neurons = vec![neuron(0, own, 0, true)];
    neurons.extend((1..).zip(players).map(|(uid, p)| neuron(uid, p.keypair.hotkey(), p.address.port(), false)));
    Metagraph::full(BlockNumber(1), sha256(b"process"), Some(own), &neurons)
}

/// A round with its draw, which is the validator's own.
pub fn draw(
    mechanism: &dyn Mechanism,
    challenge: &Challenge,
    validator: &Keypair,
    observed: &MetagraphObserved,
) -> Result<Round> {
    let origin = origin(validator);
    let mut metagraph = Metagraph::default();
    metagraph.observe(observed);
    let selected = selection::select(&SelectionInput {
        challenge_id: &challenge.id,
        attempt: 1,
        accepted: Position(1),
        block_hash: observed.block_hash,
        commitment: wire::commitment(challenge)?,
        origin: &origin,
        own: validator.hotkey(),
        metagraph: (Position(2), &metagraph),
        sweep: (Position(3), &swept(observed)),
        external: None,
        mechanism,
    });
    ensure!(!selected.drawn.is_empty(), "no miner could be drawn");
    let mut round = Round::default();
    round.apply(&Event::MinersSelected(selected));
    Ok(round)
}

/// The sweep that found every miner.
pub fn swept(observed: &MetagraphObserved) -> AvailabilitySwept {
    let probe =
        |neuron: &Neuron| Probe { hotkey: neuron.hotkey, available: true, reason: String::new(), latency_ms: 0 };
    let mut probes: Vec<_> = observed.neurons.iter().filter(|neuron| neuron.port != 0).map(probe).collect();
    probes.sort_by_key(|probe| probe.hotkey);
    AvailabilitySwept { probes }
}

/// The ledger that requests name.
pub fn origin(validator: &Keypair) -> String {
    format!("{ORIGIN}{}", validator.ss58())
}
