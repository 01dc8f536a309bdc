//! The checkpoint key on disk: one JSON object per file, mode 0600, never overwritten.
//!
//! Hotkeys have the form of a Bittensor wallet's ([`crate::wallet::keyfile`]); this one is ours alone. A file that others
//! may read is refused, and so is one whose parts contradict each other.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;
use crate::checkpoint_key::CheckpointKey;
use crate::wallet::keyfile::{at, from_json, load_or_create, with_prefix, without_prefix};
use crate::wallet::store;

/// The fields of a checkpoint key file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckpointKeyFile {
    scheme: String,
    public_key: String,
    secret_seed: String,
}

impl Drop for CheckpointKeyFile {
    fn drop(&mut self) {
        self.secret_seed.zeroize();
    }
}

impl CheckpointKey {
    /// Writes the key to a new file of mode 0600.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`] when the file is there already, [`Error::KeyFile`] when it cannot be written.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let file = CheckpointKeyFile {
            scheme: "ed25519".to_owned(),
            public_key: with_prefix(&self.public()),
            secret_seed: with_prefix(self.seed()),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *text, &file).map_err(|error| store::content(path, error.to_string()))?;
        text.push(b'\n');
        store::create(path, &text)
    }

    /// Reads a checkpoint key file.
    ///
    /// # Errors
    /// [`Error::KeyFileMode`] when others can read it; [`Error::KeyFileContent`] when it is of another scheme or contradicts
    /// itself; [`Error::KeyFile`] when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&store::read_private(path)?).map_err(|error| at(path, error))
    }

    fn parse(text: &[u8]) -> Result<Self, Error> {
        let file: CheckpointKeyFile = from_json(text)?;
        if file.scheme != "ed25519" {
            return Err(Error::KeyText("its scheme is not ed25519".to_owned()));
        }
        let key = Self::from_seed(&*without_prefix::<32>("secretSeed", &file.secret_seed)?);
        if *without_prefix::<32>("publicKey", &file.public_key)? != key.public() {
            return Err(Error::KeyText("its publicKey does not belong to its secret".to_owned()));
        }
        Ok(key)
    }

    /// Reads the key file, or makes a new key and stores it when there is no such file.
    ///
    /// # Errors
    /// As [`CheckpointKey::load`] and [`CheckpointKey::store`].
    pub fn load_or_generate(path: &Path) -> Result<Self, Error> {
        load_or_create(path, Self::load, || {
            let key = Self::generate()?;
            key.store(path)
        })
    }
}
