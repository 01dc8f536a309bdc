//! Keys on disk: one JSON object per file, mode 0600, never overwritten.
//!
//! A hotkey file has the form of a Bittensor wallet's hotkey (`secretSeed`, `privateKey`, `publicKey`, `accountId`,
//! `ss58Address`, `cryptoType` 1), so that either side reads the other's. A file is created whole or not at all: it is
//! written and synchronised under another name and then linked to its own, which fails when that exists. A file that
//! others may read is refused, and so is one whose parts contradict each other.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;
use crate::checkpoint_key::CheckpointKey;
use crate::keys::Keypair;

/// A wallet file with a phrase has about 600 bytes.
const MAXIMUM_BYTES: u64 = 16 * 1024;

/// The fields of a hotkey file, in Bittensor's names; unknown ones are ignored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HotkeyFile {
    account_id: Option<String>,
    public_key: Option<String>,
    ss58_address: Option<String>,
    crypto_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
}

impl Drop for HotkeyFile {
    fn drop(&mut self) {
        self.private_key.zeroize();
        self.secret_seed.zeroize();
    }
}

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

impl Keypair {
    /// Writes the key to a new file of mode 0600.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`] when the file is there already, [`Error::KeyFile`] when it cannot be written.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let public = with_prefix(&self.public());
        let file = HotkeyFile {
            account_id: Some(public.clone()),
            public_key: Some(public),
            ss58_address: Some(self.ss58()),
            crypto_type: Some(1),
            private_key: Some(with_prefix(self.secret().as_slice())),
            secret_seed: self.seed().map(|seed| with_prefix(seed)),
        };
        create(path, &file)
    }

    /// Reads a hotkey file: ours, or an unencrypted one of a Bittensor wallet.
    ///
    /// # Errors
    /// [`Error::KeyFileMode`] when others can read it; [`Error::KeyFileContent`] when it is encrypted, of another scheme
    /// or contradicts itself; [`Error::KeyFile`] when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        for (mark, form) in [("$NACL", "$NACL"), ("$ANSIBLE_VAULT", "Ansible vault"), ("gAAAAA", "Fernet")] {
            if text.starts_with(mark.as_bytes()) {
                return Err(content(path, format!("it is encrypted ({form}); give the decrypted hotkey")));
            }
        }
        let file: HotkeyFile = parse(path, &text)?;
        if file.crypto_type.is_some_and(|scheme| scheme != 1) {
            return Err(content(path, "its cryptoType is not 1 (sr25519)"));
        }
        let key = match (&file.secret_seed, &file.private_key) {
            (Some(seed), _) => Self::from_seed(&*without_prefix::<32>(path, "secretSeed", seed)?),
            (None, Some(secret)) => Self::from_secret(&*without_prefix::<64>(path, "privateKey", secret)?),
            (None, None) => return Err(content(path, "it has neither secretSeed nor privateKey: a public key file")),
        }
        .map_err(|error| content(path, error.to_string()))?;
        for (name, stated) in [("publicKey", &file.public_key), ("accountId", &file.account_id)] {
            let Some(stated) = stated else { continue };
            if *without_prefix::<32>(path, name, stated)? != key.public() {
                return Err(content(path, format!("its {name} does not belong to its secret")));
            }
        }
        if file.ss58_address.as_ref().is_some_and(|address| *address != key.ss58()) {
            return Err(content(path, "its ss58Address does not belong to its secret"));
        }
        Ok(key)
    }

    /// Reads the key file, or makes a new key and stores it when there is no such file.
    ///
    /// # Errors
    /// As [`Keypair::load`] and [`Keypair::store`].
    pub fn load_or_generate(path: &Path) -> Result<Self, Error> {
        load_or_create(path, Self::load, || {
            let key = Self::generate()?;
            key.store(path)
        })
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
        create(path, &file)
    }

    /// Reads a checkpoint key file.
    ///
    /// # Errors
    /// As [`Keypair::load`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let file: CheckpointKeyFile = parse(path, &text)?;
        if file.scheme != "ed25519" {
            return Err(content(path, "its scheme is not ed25519"));
        }
        let key = Self::from_seed(&*without_prefix::<32>(path, "secretSeed", &file.secret_seed)?);
        if *without_prefix::<32>(path, "publicKey", &file.public_key)? != key.public() {
            return Err(content(path, "its publicKey does not belong to its secret"));
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

/// Two processes that start together both end with the one key that reached the disk.
fn load_or_create<K>(
    path: &Path,
    load: impl Fn(&Path) -> Result<K, Error>,
    create: impl FnOnce() -> Result<(), Error>,
) -> Result<K, Error> {
    match load(path) {
        Err(Error::KeyFile { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    match create() {
        Ok(()) | Err(Error::KeyFileExists(_)) => load(path),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |action| move |source| Error::KeyFile { path: path.to_owned(), action, source };
    let file = File::open(path).map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("stat"))?;
    if !metadata.is_file() {
        return Err(content(path, "it is not a regular file"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileMode { path: path.to_owned(), mode });
    }
    if metadata.len() > MAXIMUM_BYTES {
        return Err(content(path, format!("it has {} bytes, a key file has at most {MAXIMUM_BYTES}", metadata.len())));
    }
    // Capacity up front: a buffer that grows leaves copies of the secret behind.
    let capacity = usize::try_from(MAXIMUM_BYTES).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAXIMUM_BYTES).read_to_end(&mut text).map_err(failed("read"))?;
    Ok(text)
}

fn create<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let failed = |action| move |source| Error::KeyFile { path: path.to_owned(), action, source };
    let mut text = Zeroizing::new(Vec::with_capacity(1024));
    serde_json::to_writer(&mut *text, value).map_err(|error| content(path, error.to_string()))?;
    text.push(b'\n');
    let mut suffix = [0u8; 8];
    getrandom::fill(&mut suffix).map_err(|error| Error::Randomness(error.to_string()))?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", hex::encode(suffix)));
    let temporary = PathBuf::from(temporary);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    // The name under which it was written goes in every case; the link has its own.
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::KeyFileExists(path.to_owned()));
        }
        Err(error) => return Err(failed("create")(error)),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed("synchronise the folder"))
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &[u8]) -> Result<T, Error> {
    // serde_json's message may quote the text around the fault, which here may be a secret: only the place is told.
    serde_json::from_slice(text).map_err(|error| {
        content(path, format!("it is not a key in JSON (line {}, column {})", error.line(), error.column()))
    })
}

fn content(path: &Path, reason: impl Into<String>) -> Error {
    Error::KeyFileContent { path: path.to_owned(), reason: reason.into() }
}

fn with_prefix(bytes: &[u8]) -> String {
    let digits = Zeroizing::new(hex::encode(bytes));
    ["0x", &digits].concat()
}

fn without_prefix<const N: usize>(path: &Path, name: &str, text: &str) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0u8; N]);
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), bytes.as_mut_slice())
        .map_err(|_| content(path, format!("its {name} is not {N} bytes in hexadecimal")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
