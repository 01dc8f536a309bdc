//! The one place that opens a connection to a chain. Everybody else knows [`chain::Chain`] alone.
//!
//! A subtensor node and the development chain of `assay localnet` are asked in the same way. Which network a node belongs to is what
//! its genesis hash says: whoever was told another one is refused before anything is asked or signed.

use crate::cli::ComparedChainArgs;
use crate::operator::{self, Network};
use crate::subnets::NetworkName;
use anyhow::{Context, Result, bail, ensure};
use chain::Chain;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use subtensor::{Settings, Subtensor};

/// How long a chain that may be gone is looked for.
const LOOK: Duration = Duration::from_secs(3);

/// Where a chain is reached: the first node that answers, in order, and the next one when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    urls: Vec<String>,
    /// Which network they are taken for, if any.
    network: Option<Presumed>,
}

/// A network before its chain was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presumed {
    /// Which one.
    pub name: NetworkName,
    /// Whether somebody said so.
    pub is_said: bool,
}

impl Endpoints {
    /// Nodes of a network, at least one.
    pub fn of_network(urls: Vec<String>, network: Presumed) -> Self {
        Self { urls, network: Some(network) }
    }

    /// The same nodes, whatever network they belong to unless that was said.
    pub fn of_any_network(mut self) -> Self {
        self.network = self.network.filter(|network| network.is_said);
        self
    }

    /// The same nodes, taken for nothing.
    pub fn of_no_network(mut self) -> Self {
        self.network = None;
        self
    }

    /// The URL that is tried first.
    pub fn first(&self) -> &str {
        self.urls.first().map_or("", String::as_str)
    }

    /// Each of several.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }
}

/// One URL, or several with commas between.
impl From<&str> for Endpoints {
    fn from(text: &str) -> Self {
        Self { urls: split(text).map(str::to_owned).collect(), network: None }
    }
}

impl From<&String> for Endpoints {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Self> for Endpoints {
    fn from(endpoints: &Self) -> Self {
        endpoints.clone()
    }
}

/// Scheme, host and port of each: what else a URL holds may be a key.
impl fmt::Display for Endpoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.urls.iter().map(|url| subtensor::name_of(url)).collect();
        formatter.write_str(&names.join(", "))
    }
}

/// The URLs in a text.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// Connects to a chain and asks it which one it is.
///
/// # Errors
/// A URL that is none, a chain that does not answer, and one of another network than it is taken for.
pub async fn open(endpoints: impl Into<Endpoints>) -> Result<Arc<dyn Chain>> {
    let endpoints = endpoints.into();
    let chain = connect(&endpoints).await?;
    if let Some(presumed) = endpoints.network {
        let found = operator::settled(presumed, &chain.genesis_hash().await?, &endpoints)?;
        if found != presumed.name {
            bail!("the chain at {endpoints} is {found}'s, as its genesis hash says; add --network {found}");
        }
    }
    Ok(chain)
}

/// As [`open`], and gives the network as the chain has it: where none was said, the genesis hash names it.
///
/// # Errors
/// As [`open`].
pub async fn open_network(network: &Network) -> Result<(Arc<dyn Chain>, Network)> {
    let chain = connect(&network.endpoints).await?;
    let settled = network.settled(&chain.genesis_hash().await?)?;
    Ok((chain, settled))
}

async fn connect(endpoints: &Endpoints) -> Result<Arc<dyn Chain>> {
    for url in &endpoints.urls {
        let known = ["ws", "wss"].iter().any(|scheme| url.split_once("://").is_some_and(|(given, _)| given == *scheme));
        ensure!(
            known,
            "{url:?} is no URL of a chain, such as wss://entrypoint-finney.opentensor.ai:443 or ws://127.0.0.1:9944"
        );
    }
    let connected = Subtensor::connect(&endpoints.urls, Settings::default()).await;
    Ok(Arc::new(connected.context("the chain does not answer")?))
}

/// The URL that the arguments name, if they name one.
///
/// # Errors
/// A network that is not known.
pub fn compared(args: &ComparedChainArgs) -> Result<Option<String>> {
    match (&args.chain, &args.network) {
        (Some(url), _) => Ok(Some(url.clone())),
        (None, Some(name)) => Ok(Some(NetworkName::parse(name)?.endpoint().to_owned())),
        (None, None) => Ok(None),
    }
}

/// Whether a chain answers there now.
pub async fn answers(url: &str) -> bool {
    let settings = Settings { deadline: LOOK, connect_deadline: LOOK, ..Settings::default() };
    Subtensor::connect(&[url.to_owned()], settings).await.is_ok()
}
