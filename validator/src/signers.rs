//! The two signatures under a checkpoint: the log's Ed25519 key, and the hotkey whose name stands in the origin.

use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use tlog::{KeyId, NoteSigner, SignatureType, VerifierKey};

use crate::Error;

/// Signs with the log's key.
#[derive(Debug)]
pub(crate) struct LogSigner {
    name: String,
    key: CheckpointKey,
}

/// Signs with the hotkey.
#[derive(Debug)]
pub(crate) struct HotkeySigner {
    name: String,
    key: Keypair,
}

/// Both signers of a ledger.
#[derive(Debug)]
pub(crate) struct Signers {
    pub(crate) log: LogSigner,
    pub(crate) hotkey: HotkeySigner,
}

impl Signers {
    pub(crate) fn new(origin: &str, log: CheckpointKey, hotkey: Keypair) -> Self {
        Self {
            log: LogSigner { name: origin.to_owned(), key: log },
            hotkey: HotkeySigner { name: origin.to_owned(), key: hotkey },
        }
    }

    /// The log's key as a verifier knows it.
    ///
    /// # Errors
    /// When the origin cannot be the name of a key.
    pub(crate) fn verifier_key(&self) -> Result<VerifierKey, Error> {
        VerifierKey::new(&self.log.name, SignatureType::Ed25519, self.log.key.public())
            .map_err(|error| Error::Setting { setting: "checkpoint_key", problem: error.to_string() })
    }
}

impl NoteSigner for LogSigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Ed25519, &self.key.public())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, tlog::Error> {
        Ok(self.key.sign(text).to_vec())
    }
}

impl NoteSigner for HotkeySigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Sr25519, &self.key.public())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, tlog::Error> {
        Ok(self.key.sign(text).to_vec())
    }
}
