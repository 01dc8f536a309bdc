//! The two signatures under a checkpoint: the log's Ed25519 key, and the hotkey whose name stands in the origin.

use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use network::note::{CheckpointSigner, HotkeySigner};
use tlog::VerifierKey;

use crate::Error;

/// Both signers of a ledger.
#[derive(Debug)]
pub(crate) struct Signers {
    pub(crate) log: CheckpointSigner,
    pub(crate) hotkey: HotkeySigner,
}

impl Signers {
    /// # Errors
    /// When the origin cannot be the name of a key.
    pub(crate) fn new(origin: &str, log: CheckpointKey, hotkey: Keypair) -> Result<Self, Error> {
        let log = CheckpointSigner::new(origin, log).map_err(unnamed)?;
        let hotkey = HotkeySigner::new(origin, hotkey).map_err(unnamed)?;
        Ok(Self { log, hotkey })
    }

    /// The log's key as a verifier knows it.
    ///
    /// # Errors
    /// When the origin cannot be the name of a key.
    pub(crate) fn verifier_key(&self) -> Result<VerifierKey, Error> {
        self.log.verifier_key().map_err(unnamed)
    }
}

fn unnamed(error: tlog::Error) -> Error {
    Error::Setting { setting: "checkpoint_key", problem: error.to_string() }
}
