//! Who takes part in the demo: for each subnet honest miners of different kinds, and misbehaving ones that are labelled as such.

use crate::subnets;
use anyhow::{Context, Result, bail};
use domain::types::NetUid;
use network::keys::Keypair;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One miner of the demo.
pub struct Player {
    /// Its name in messages and of its log and key files.
    pub name: &'static str,
    /// `assay miner --profile`.
    pub profile: &'static str,
    /// `assay miner --variant`.
    pub variant: u16,
    /// The player a copycat copies from.
    pub copies: Option<&'static str>,
}

/// One subnet of the demo.
pub struct Subnet {
    /// `--subnet`, and the algorithm of its rule sets.
    pub name: &'static str,
    /// Its number on the development chain.
    pub netuid: NetUid,
    /// Its miners.
    pub players: &'static [Player],
}

const fn player(name: &'static str, profile: &'static str, variant: u16) -> Player {
    Player { name, profile, variant, copies: None }
}

/// Four answer honestly from different parts of the corpus.
const LOOSH: &[Player] = &[
    player("ada", "honest", 3),
    player("bela", "honest", 1),
    player("chen", "honest", 5),
    player("dara", "honest", 4),
    Player { name: "copycat", profile: "copycat", variant: 0, copies: Some("ada") },
    player("spammer", "spammer", 0),
    player("slow", "slow", 2),
    player("malformed", "malformed", 0),
    player("dead", "dead", 0),
];

/// Four answer honestly, each in its own way.
const OTHERS: &[Player] = &[
    player("ada", "honest", 1),
    player("bela", "honest", 2),
    player("chen", "honest", 3),
    player("dara", "honest", 4),
    Player { name: "copycat", profile: "copycat", variant: 0, copies: Some("ada") },
    player("spammer", "spammer", 0),
    player("malformed", "malformed", 0),
    player("dead", "dead", 0),
];

const fn cast(subnet: &subnets::Subnet, players: &'static [Player]) -> Subnet {
    Subnet { name: subnet.name, netuid: NetUid(subnet.local), players }
}

/// Every subnet of the development chain.
pub const SUBNETS: &[Subnet] = &[
    cast(&subnets::LOOSH, LOOSH),
    cast(&subnets::CGP, OTHERS),
    cast(&subnets::TWITTER, OTHERS),
    cast(&subnets::CONVERSION, OTHERS),
    cast(&subnets::BETTERTHERAPY, OTHERS),
];

/// The subnets that a word of the command line names.
pub fn subnets(word: &str) -> Result<Vec<&'static Subnet>> {
    if word == "all" {
        return Ok(SUBNETS.iter().collect());
    }
    let found: Vec<&Subnet> = SUBNETS.iter().filter(|subnet| subnet.name == word).collect();
    if found.is_empty() {
        let known: Vec<&str> = SUBNETS.iter().map(|subnet| subnet.name).collect();
        bail!("--subnet {word:?} is unknown; one of {}, all", known.join(", "));
    }
    Ok(found)
}

impl Subnet {
    /// The name of a player's files: Loosh's players go by their names alone.
    pub fn file_name(&self, player: &str) -> String {
        if self.name == "loosh" { player.to_owned() } else { format!("{}-{player}", self.name) }
    }

    /// A player's hotkey.
    pub fn keypair(&self, keys: &Path, player: &Player) -> Result<Keypair> {
        keypair(keys, &self.file_name(player.name))
    }
}

/// A player and where it listens.
pub struct Seat {
    /// Its subnet.
    pub subnet: &'static Subnet,
    /// The player.
    pub player: &'static Player,
    /// Its axon.
    pub axon: SocketAddr,
}

/// The hotkey of a player or of the validator, made at the first run.
pub fn keypair(keys: &Path, name: &str) -> Result<Keypair> {
    std::fs::create_dir_all(keys).with_context(|| format!("cannot make {}", keys.display()))?;
    let file = key_file(keys, name);
    Keypair::load_or_generate(&file).with_context(|| format!("the key in {}", file.display()))
}

/// Where a hotkey lies.
pub fn key_file(keys: &Path, name: &str) -> PathBuf {
    keys.join(format!("{name}.json"))
}
