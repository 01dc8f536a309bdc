//! What the chain says of a validator: that it answers, that the hotkey holds a slot with a permit and enough stake, and that
//! the announced axon is the one that will listen.

use super::Finding;
use crate::chain_connection;
use crate::operator::{Network, Served};
use crate::subnets::NetworkName;
use anyhow::{Context, Result};
use chain::{BlockHeader, Chain, Hyperparameters, Metagraph, Neuron};
use domain::types::{NetUid, Rao};
use network::keys::Keypair;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the chain may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rao in a TAO.
const TAO: f64 = 1e9;

/// What is asked about the hotkey's slot of a subnet, the registration first.
const OF_A_SLOT: [&str; 4] = ["registration", "permit", "stake", "axon"];
/// What pieces wait for where nothing is asked of the chain.
const ANSWER: &str = "an answer of the chain that was meant";

/// A chain that was asked which one it is.
pub(super) struct Reached {
    /// The network, by its genesis hash; by the words alone where the chain does not answer.
    pub(super) network: Option<Network>,
    /// What was found on the way.
    pub(super) findings: Vec<Finding>,
    chain: Option<(Arc<dyn Chain>, BlockHeader)>,
}

/// Connects, and sees that it is the chain that was meant.
pub(super) async fn reach(network: &Result<Network>) -> Reached {
    let network = match network {
        Ok(network) => network,
        Err(error) => {
            let findings = vec![Finding::of("chain", Err(anyhow::anyhow!("{error:#}")))];
            return Reached { network: None, findings, chain: None };
        }
    };
    let at = &network.endpoints;
    let connected = in_time(async {
        let chain = chain_connection::open(&at.clone().of_no_network()).await?;
        let head = chain.head().await?;
        Ok((chain.genesis_hash().await?, chain, head))
    });
    let (genesis, chain, head) = match connected.await {
        Ok(connected) => connected,
        Err(error) => {
            let next =
                "name a node that answers with --chain, or another --network; for a local one start `assay localnet`";
            let finding = Finding::of("chain", Err(error.context(format!("{at} does not answer")))).or(next);
            return Reached { network: Some(network.clone()), findings: vec![finding], chain: None };
        }
    };
    let settled = match network.settled(&genesis) {
        Ok(settled) => settled,
        Err(error) => {
            let next = "nothing is asked of a chain that is not the one that was meant";
            let findings = vec![Finding::of("chain", Err(error)).or(next)];
            return Reached { network: Some(network.clone()), findings, chain: None };
        }
    };
    let mut findings = vec![Finding::of("chain", Ok(format!("{} at {at} is at block {}", settled.name, head.number)))];
    if settled.name.genesis().is_some_and(|known| known != genesis.to_string()) {
        let said =
            format!("{genesis} is not what is known of {}: it began anew, or this is another chain", settled.name);
        findings.push(Finding::note("genesis", said));
    }
    findings.extend(each(at.urls()).await);
    Reached { network: Some(settled), findings, chain: Some((chain, head)) }
}

/// Of several nodes, which answer: one is enough to start with.
async fn each(urls: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for url in urls.iter().filter(|_| urls.len() > 1) {
        let name = subtensor::name_of(url);
        findings.push(match chain_connection::answers(url).await {
            true => Finding::of("node", Ok(format!("{name} answers"))),
            false => Finding::note("node", format!("{name} does not answer: it would not take over")),
        });
    }
    findings
}

/// Asks about each subnet; `shadow` for a validator that sends nothing.
pub(super) async fn look(
    reached: &Reached,
    served: &[Served],
    hotkey: Option<&Result<Keypair>>,
    listen: Option<&SocketAddr>,
    shadow: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if served.is_empty() {
        findings.push(Finding::not_asked("subnet", "--subnet NAME or --netuid N"));
    }
    let (Some(network), Some((chain, head))) = (&reached.network, &reached.chain) else {
        for Served { netuid, .. } in served {
            findings.push(Finding::not_asked(&format!("subnet {netuid}"), ANSWER));
            findings.extend(not_asked(&OF_A_SLOT, *netuid, ANSWER));
        }
        return findings;
    };
    for (at, served) in served.iter().enumerate() {
        let listen = listen.and_then(|first| {
            let port = first.port().checked_add(u16::try_from(at).ok()?)?;
            Some(SocketAddr::new(first.ip(), port))
        });
        let found = subnet(chain.as_ref(), *head, network, served, hotkey, listen).await;
        let of_setting =
            |finding: &Finding| ["permit", "stake", "axon"].iter().any(|piece| finding.piece.starts_with(piece));
        findings.extend(found.into_iter().map(|finding| {
            let is_noted = shadow && of_setting(&finding);
            finding.noted_if(is_noted)
        }));
    }
    // Told by the answers so far.
    findings.extend(chain.shortcoming().await.map(|said| Finding::note("node", said)));
    findings
}

async fn subnet(
    chain: &dyn Chain,
    head: BlockHeader,
    network: &Network,
    served: &Served,
    hotkey: Option<&Result<Keypair>>,
    listen: Option<SocketAddr>,
) -> Vec<Finding> {
    let netuid = served.netuid;
    let piece = format!("subnet {netuid}");
    let read = in_time(async {
        let metagraph = chain.metagraph(netuid, head.number).await?;
        Ok((metagraph, chain.hyperparameters(netuid, head.number).await?))
    });
    let (metagraph, parameters) = match read.await {
        Ok(read) => read,
        Err(error) => {
            let next = "`assay subnets` lists the numbers; --netuid names another one";
            let mut findings = vec![Finding::of(piece, Err(error)).or(next)];
            findings.extend(not_asked(&OF_A_SLOT, netuid, "an answer about the subnet"));
            return findings;
        }
    };
    let slots = metagraph.neurons.len();
    let permits = metagraph.neurons.iter().filter(|neuron| neuron.validator_permit).count();
    let mut findings = vec![Finding::of(piece, Ok(format!("{slots} neurons, {permits} with a permit")))];
    let Some(Ok(keypair)) = hotkey else {
        findings.extend(not_asked(&OF_A_SLOT, netuid, "a hotkey that can be read"));
        return findings;
    };
    let Some(own) = metagraph.neuron_of(&keypair.hotkey()) else {
        let said = format!("the hotkey {} is not registered: its weights would not count", keypair.ss58());
        let next = match network.name {
            NetworkName::Local => {
                format!("`assay register --netuid {netuid} --network local` with the same wallet words")
            }
            name => {
                format!("btcli subnet register --netuid {netuid} --subtensor.network {name}, signed by its coldkey")
            }
        };
        findings.push(Finding::wrong(format!("registration {netuid}"), said, next));
        findings.extend(not_asked(&OF_A_SLOT[1..], netuid, "a slot"));
        return findings;
    };
    findings.push(Finding::of(format!("registration {netuid}"), Ok(format!("the hotkey holds uid {}", own.uid))));
    findings.extend(standing(&metagraph, own, &parameters, network));
    findings.push(axon(own, netuid.0, listen));
    findings
}

/// Pieces that could not be looked at: they are told all the same, so that a short list is not taken for a good one.
fn not_asked(pieces: &[&str], netuid: NetUid, without: &str) -> Vec<Finding> {
    pieces.iter().map(|piece| Finding::not_asked(&format!("{piece} {netuid}"), without)).collect()
}

fn tao(stake: Rao) -> String {
    format!("{:.3} TAO", stake.0 as f64 / TAO)
}

/// The permit and the stake behind it.
fn standing(metagraph: &Metagraph, own: &Neuron, parameters: &Hyperparameters, network: &Network) -> [Finding; 2] {
    let netuid = metagraph.netuid;
    let stake =
        format!("btcli stake add --netuid {netuid} --subtensor.network {}, signed by its coldkey", network.name);
    let (piece, places) = (format!("permit {netuid}"), parameters.max_allowed_validators);
    let permit = if own.validator_permit {
        Finding::of(piece, Ok(format!("uid {} may set weights", own.uid)))
    } else {
        let holders = metagraph.neurons.iter().filter(|neuron| neuron.validator_permit);
        let least = holders.map(|neuron| neuron.stake).min().unwrap_or(Rao(0));
        let said = format!(
            "uid {} may not set weights on others: the {places} with the most stake may, from {}",
            own.uid,
            tao(least)
        );
        Finding::wrong(piece, said, format!("{stake}; permits are given anew at each epoch of the chain"))
    };
    let (piece, threshold) = (format!("stake {netuid}"), parameters.stake_threshold);
    let stake = if own.stake.0 >= threshold.0 {
        Finding::of(piece, Ok(format!("{}, {} are required", tao(own.stake), tao(threshold))))
    } else {
        Finding::wrong(piece, format!("{}, and {} are required to set weights", tao(own.stake), tao(threshold)), stake)
    };
    [permit, stake]
}

/// Nobody has to find a validator; who announces an axon announces the one that listens.
fn axon(own: &Neuron, netuid: u16, listen: Option<SocketAddr>) -> Finding {
    let piece = format!("axon {netuid}");
    match (own.axon(), listen) {
        (None, _) => Finding::of(
            piece,
            Ok("none is announced: clients that look for one on chain will not find this validator".to_owned()),
        ),
        (Some(axon), Some(listen)) if axon.port() != listen.port() => Finding::wrong(
            piece,
            format!("{axon} is announced, and {listen} is what will listen"),
            format!("listen there with --axon.port {}, or announce the other one", axon.port()),
        ),
        (Some(axon), _) => Finding::of(piece, Ok(format!("{axon} is announced"))),
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || format!("no answer in {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, work).await.with_context(late)?
}
