//! The network that an operator's words mean, and where its chain is.

use crate::chain_connection::{self, Endpoints, Presumed};
use crate::cli::NetworkArgs;
use crate::subnets::NetworkName;
use anyhow::{Result, bail};
use domain::types::Digest;

/// A network and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Which one; what it is taken for until [`Network::settled`].
    pub name: NetworkName,
    /// Whether a word names it, and not its endpoint alone.
    is_said: bool,
    /// Nodes of its chain.
    pub endpoints: Endpoints,
}

impl Network {
    /// What the arguments say.
    ///
    /// # Errors
    /// An unknown name, two that differ, and an endpoint that is known to be another network's.
    pub fn of(args: &NetworkArgs) -> Result<Self> {
        // The documents' option takes either.
        let theirs = args.subtensor_network.as_deref();
        let (their_urls, their_name) = match theirs {
            Some(text) if text.contains("://") => (chain_connection::split(text).map(str::to_owned).collect(), None),
            other => (Vec::new(), other),
        };
        let name = same(&[("--network", args.network.as_deref()), ("--subtensor.network", their_name)])?;
        let urls = same_urls(&[
            ("--chain (or ASSAY_CHAIN)", &args.chain),
            ("--subtensor.chain_endpoint", &args.chain_endpoint),
            ("--subtensor.network", &their_urls),
        ])?;
        let name = name.map(NetworkName::parse).transpose()?;
        let (found, urls) = match urls {
            [] => {
                let name = name.unwrap_or(NetworkName::Local);
                (name, vec![name.endpoint().to_owned()])
            }
            urls => (network_of(urls, name)?, urls.to_vec()),
        };
        // A public endpoint says as much as a word.
        let is_said = name.is_some() || found != NetworkName::Local;
        Ok(Self { name: found, is_said, endpoints: Endpoints::of_network(urls, Presumed { name: found, is_said }) })
    }

    /// The network that its chain is by the hash of its first block.
    ///
    /// # Errors
    /// As [`settled`].
    pub fn settled(&self, genesis: &Digest) -> Result<Self> {
        let name = settled(Presumed { name: self.name, is_said: self.is_said }, genesis, &self.endpoints)?;
        Ok(Self { name, ..self.clone() })
    }

    /// The same network at other nodes.
    pub fn at(self, urls: Vec<String>) -> Self {
        let presumed = Presumed { name: self.name, is_said: self.is_said };
        Self { endpoints: Endpoints::of_network(urls, presumed), ..self }
    }

    /// Whether the arguments say where its chain is.
    pub fn is_located(args: &NetworkArgs) -> bool {
        let theirs = args.subtensor_network.as_ref().is_some_and(|text| text.contains("://"));
        theirs || !args.chain.is_empty() || !args.chain_endpoint.is_empty()
    }

    /// Whether the arguments say anything.
    pub fn is_named(args: &NetworkArgs) -> bool {
        let urls = [&args.chain, &args.chain_endpoint].iter().any(|given| !given.is_empty());
        urls || [&args.network, &args.subtensor_network].iter().any(|given| given.is_some())
    }
}

/// The network that nodes belong to: what was said, where one of them is known what that is, and else this machine's.
fn network_of(urls: &[String], said: Option<NetworkName>) -> Result<NetworkName> {
    let public = [NetworkName::Test, NetworkName::Finney];
    let known = |url: &String| public.into_iter().find(|known| host(url) == host(known.endpoint()));
    let mut named = said;
    for (url, known) in urls.iter().filter_map(|url| Some((url, known(url)?))) {
        let url = subtensor::name_of(url);
        match named {
            Some(name) if name != known && said.is_some() => {
                bail!(
                    "--network {name} and the chain {url} contradict each other: that is an endpoint of {known}; leave one out"
                )
            }
            Some(name) if name != known => {
                bail!("{url} is an endpoint of {known} and another one is of {name}; leave one out")
            }
            _ => named = Some(known),
        }
    }
    match (named, urls.iter().find(|url| !is_loopback(url))) {
        (Some(name), _) => Ok(name),
        (None, None) => Ok(NetworkName::Local),
        (None, Some(url)) => bail!(
            "which network the chain at {} belongs to cannot be told; add --network local, test or finney",
            subtensor::name_of(url)
        ),
    }
}

/// Which network a chain is, by what was presumed and by the hash of its first block. Where nobody said a name, the hash does. A test
/// network that began anew is taken for one, under the rules of a public network; the main network never.
///
/// # Errors
/// Names both networks when they differ.
pub fn settled(presumed: Presumed, genesis: &Digest, at: &Endpoints) -> Result<NetworkName> {
    let Presumed { name, is_said } = presumed;
    match NetworkName::of_genesis(genesis) {
        Some(found) if found == name || !is_said => Ok(found),
        Some(found) => bail!(
            "--network {name} and the chain at {at} contradict each other: it is {found}'s, as its genesis hash {genesis} says; \
             give --network {found}, or another chain"
        ),
        None if name == NetworkName::Finney => bail!(
            "--network {name} and the chain at {at} contradict each other: its genesis hash is {genesis}, and {name}'s is {}; give \
             --network local for a chain of your own, or a node of {name}",
            name.genesis().unwrap_or_default()
        ),
        None => {
            if name == NetworkName::Test {
                tracing::warn!(chain = %at, %genesis, "this is not the genesis hash that is known of the test network");
            }
            Ok(name)
        }
    }
}

/// The one value that several spellings give.
fn same<'a>(given: &[(&str, Option<&'a str>)]) -> Result<Option<&'a str>> {
    let mut found: Option<(&str, &str)> = None;
    for (option, value) in given {
        let Some(value) = value else { continue };
        match found {
            Some((first, kept)) if kept != *value => {
                bail!("{first} {kept} and {option} {value} contradict each other; leave one out")
            }
            _ => found = Some((option, value)),
        }
    }
    Ok(found.map(|(_, value)| value))
}

/// The URLs that several spellings give, in order; none where none does.
fn same_urls<'a>(given: &[(&str, &'a Vec<String>)]) -> Result<&'a [String]> {
    let shown = |urls: &[String]| urls.iter().map(|url| subtensor::name_of(url)).collect::<Vec<_>>().join(",");
    let mut found: Option<(&str, &'a Vec<String>)> = None;
    for (option, urls) in given.iter().filter(|(_, urls)| !urls.is_empty()) {
        match found {
            Some((first, kept)) if kept != *urls => {
                bail!("{first} {} and {option} {} contradict each other; leave one out", shown(kept), shown(urls))
            }
            _ => found = Some((option, urls)),
        }
    }
    Ok(found.map_or(&[], |(_, urls)| urls))
}

/// The host of a URL, without port and path.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &str) -> bool {
    let host = host(url);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
