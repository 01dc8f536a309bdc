//! What an operator has to know of each subnet: its numbers, its upstream and which rules are in force where. One table.
//!
//! A number that no document states is not guessed. The rules themselves, and their hashes, come from the mechanisms.

use anyhow::{Result, bail};
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::{Digest, NetUid};
use std::fmt;

/// A chain that the documents have a name for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkName {
    /// A development chain; private addresses may be contacted.
    Local,
    /// The public test chain.
    Test,
    /// The main chain.
    Finney,
}

impl NetworkName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Test, Self::Finney];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Test => "test",
            Self::Finney => "finney",
        }
    }

    /// Where it is reached without a node of one's own.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Local => "ws://127.0.0.1:9944",
            Self::Test => "wss://test.finney.opentensor.ai:443",
            Self::Finney => "wss://entrypoint-finney.opentensor.ai:443",
        }
    }

    /// The hash of its chain's first block, in hexadecimal, as nodes of it tell; none where every chain has one of its own.
    pub const fn genesis(self) -> Option<&'static str> {
        match self {
            Self::Local => None,
            Self::Test => Some("8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105"),
            Self::Finney => Some("2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"),
        }
    }

    /// The public network that a chain is by its first block; none for any other chain.
    pub fn of_genesis(hash: &Digest) -> Option<Self> {
        let hash = hash.to_string();
        Self::ALL.into_iter().find(|network| network.genesis() == Some(hash.as_str()))
    }

    /// The network of a name.
    ///
    /// # Errors
    /// Lists the names when it is none of them.
    pub fn parse(text: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|network| network.name() == text) {
            Some(network) => Ok(network),
            None => bail!("network {text:?} is unknown; one of local, test, finney"),
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A subnet that this program has rules for.
#[derive(Debug, Clone, Copy)]
pub struct Subnet {
    /// `--subnet`, and the algorithm of its rule sets.
    pub name: &'static str,
    /// What it calls itself.
    pub title: &'static str,
    /// Its number on the main chain, where a document states it.
    pub finney: Option<u16>,
    /// Its number on the test chain, where a document states it.
    pub test: Option<u16>,
    /// Its number on the demo's chain: the main chain's where that is known.
    pub local: u16,
    /// Upstream's repository.
    pub upstream: &'static str,
    /// The version of upstream whose rules are shipped; with the name, the rule set of public networks.
    pub version: &'static str,
    /// What should be known before it is run on a public network.
    pub note: &'static str,
}

/// The Loosh inference subnet.
pub const LOOSH: Subnet = Subnet {
    name: "loosh",
    title: "Loosh Inference",
    finney: Some(78),
    test: None,
    local: 78,
    upstream: "Loosh-ai/loosh-inference-validator",
    version: "1.2.8",
    note: "",
};

/// The Conversation Genome Project.
pub const CGP: Subnet = Subnet {
    name: "cgp",
    title: "Conversation Genome (ReadyAI)",
    finney: Some(33),
    test: Some(138),
    local: 33,
    upstream: "afterpartyai/bittensor-conversation-genome-project",
    version: "2.30.65",
    note: "",
};

/// The Twitter scraper.
pub const TWITTER: Subnet = Subnet {
    name: "twitter",
    title: "Twitter Scraper (smart-scrape, later Desearch)",
    finney: Some(22),
    test: None,
    local: 22,
    upstream: "Datura-ai/smart-scrape",
    version: "2.5.9",
    note: "2.5.9 is the code beside the document; what runs on 22 today is a later program with other rules",
};

/// The conversion subnet.
pub const CONVERSION: Subnet = Subnet {
    name: "conversion",
    title: "Conversion prediction (Analytics Framework)",
    finney: None,
    test: None,
    local: 113,
    upstream: "Floreal-AI/analytics_framework",
    version: "0.1.0",
    note: "no document states its number on a public network",
};

/// BetterTherapy.
pub const BETTERTHERAPY: Subnet = Subnet {
    name: "bettertherapy",
    title: "BetterTherapy",
    finney: Some(102),
    test: Some(354),
    local: 102,
    upstream: "BetterTherapy/BetterTherapy-Subnet",
    version: "1.2.2",
    note: "1.2.2 pays slot 0 alone",
};

/// Every subnet, in the order in which they are listed.
pub const ALL: [Subnet; 5] = [LOOSH, CGP, TWITTER, CONVERSION, BETTERTHERAPY];

impl Subnet {
    /// The subnet of a name.
    ///
    /// # Errors
    /// Lists the names when it is none of them.
    pub fn parse(text: &str) -> Result<Self> {
        match ALL.into_iter().find(|subnet| subnet.name == text) {
            Some(subnet) => Ok(subnet),
            None => bail!("--subnet {text:?} is unknown; one of {}", ALL.map(|subnet| subnet.name).join(", ")),
        }
    }

    /// The subnet that has a number on a network.
    pub fn numbered(network: NetworkName, netuid: u16) -> Option<Self> {
        ALL.into_iter().find(|subnet| subnet.number(network) == Some(NetUid(netuid)))
    }

    /// Its number on a network; none where no document states it.
    pub fn number(&self, network: NetworkName) -> Option<NetUid> {
        match network {
            NetworkName::Local => Some(self.local),
            NetworkName::Test => self.test,
            NetworkName::Finney => self.finney,
        }
        .map(NetUid)
    }

    /// The name of the rule set in force on a network unless another is named: the document's on a local one, the running
    /// upstream's on a public one.
    pub fn default_rules(&self, network: NetworkName) -> String {
        let version = if network == NetworkName::Local { "readme" } else { self.version };
        format!("{}/{version}", self.name)
    }

    /// Its shipped rule sets.
    pub fn rule_sets(&self) -> Vec<RuleSet> {
        mechanism::shipped().into_iter().filter(|rules| rules.algorithm() == self.name).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_default_is_a_shipped_rule_set_of_its_subnet() {
        for subnet in ALL {
            for network in NetworkName::ALL {
                let rules = mechanism::shipped_by_name(&subnet.default_rules(network)).unwrap();
                assert_eq!(rules.algorithm(), subnet.name);
            }
        }
        assert_eq!(CGP.default_rules(NetworkName::Test), "cgp/2.30.65");
        assert_eq!(CGP.default_rules(NetworkName::Local), "cgp/readme");
    }

    #[test]
    fn every_shipped_rule_set_belongs_to_a_subnet_and_numbers_are_told_apart() {
        for rules in mechanism::shipped() {
            assert!(Subnet::parse(rules.algorithm()).is_ok(), "{}", rules.name());
        }
        for network in NetworkName::ALL {
            let numbered: Vec<Subnet> = ALL.into_iter().filter(|subnet| subnet.number(network).is_some()).collect();
            for subnet in &numbered {
                let found = Subnet::numbered(network, subnet.number(network).unwrap().0).unwrap();
                assert_eq!(found.name, subnet.name);
            }
        }
        assert!(Subnet::numbered(NetworkName::Test, 33).is_none(), "33 is the main chain's number");
    }
}
