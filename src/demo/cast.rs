//! Who takes part in the demo: honest miners of different kinds, and misbehaving ones that are labelled as such.

use anyhow::{Context, Result};
use network::keys::Keypair;
use std::path::Path;

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

/// The cast. Four answer honestly from different parts of the corpus.
pub const PLAYERS: &[Player] = &[
    Player { name: "ada", profile: "honest", variant: 3, copies: None },
    Player { name: "bela", profile: "honest", variant: 1, copies: None },
    Player { name: "chen", profile: "honest", variant: 5, copies: None },
    Player { name: "dara", profile: "honest", variant: 4, copies: None },
    Player { name: "copycat", profile: "copycat", variant: 0, copies: Some("ada") },
    Player { name: "spammer", profile: "spammer", variant: 0, copies: None },
    Player { name: "slow", profile: "slow", variant: 2, copies: None },
    Player { name: "malformed", profile: "malformed", variant: 0, copies: None },
    Player { name: "dead", profile: "dead", variant: 0, copies: None },
];

/// The hotkey of a player or of the validator, made at the first run.
pub fn keypair(keys: &Path, name: &str) -> Result<Keypair> {
    std::fs::create_dir_all(keys).with_context(|| format!("cannot make {}", keys.display()))?;
    let file = key_file(keys, name);
    Keypair::load_or_generate(&file).with_context(|| format!("the key in {}", file.display()))
}

/// Where a hotkey lies.
pub fn key_file(keys: &Path, name: &str) -> std::path::PathBuf {
    keys.join(format!("{name}.json"))
}
