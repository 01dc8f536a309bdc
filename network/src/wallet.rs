//! Bittensor's wallets on disk: read whatever its tools wrote, write what they read.
//!
//! A wallet is a folder: `coldkey`, which owns the stake, `coldkeypub.txt`, its public half, and under `hotkeys/` the keys
//! that act for it, each with a public twin. [`keyfile`] reads and writes one such file, [`sealing`] the envelopes in which
//! it may be encrypted, [`phrase`] the words from which it may be made again, [`password`] finds the password, [`create`]
//! makes a new wallet and [`list`] shows what is there.
//!
//! **Invariants:** a key file is never overwritten; one that others may read is refused; no secret is in an error, in a
//! `Debug` text or in a listing.

pub mod create;
pub mod keyfile;
pub mod list;
pub mod password;
pub mod phrase;
pub mod sealing;
pub(crate) mod store;

mod ansible;

use std::path::{Path, PathBuf};

use crate::Error;

/// Where Bittensor's tools keep wallets, below the user's home.
pub const DEFAULT_ROOT: &str = "~/.bittensor/wallets";

/// The name of a wallet and of a hotkey where none is given.
pub const DEFAULT_NAME: &str = "default";

/// A name is part of a path; file systems allow 255 bytes with what is appended to it.
const MAXIMUM_NAME: usize = 128;

/// What the public twin of a hotkey is called: `{hotkey}pub.txt`.
pub(crate) const TWIN: &str = "pub.txt";

/// A wallet's place: the folder of all wallets, the wallet's name and a hotkey's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletPath {
    folder: PathBuf,
    hotkey: String,
}

impl WalletPath {
    /// The wallet `name` in `root`, with its hotkey `hotkey`. Nothing is read.
    ///
    /// # Errors
    /// [`Error::WalletName`] for a name that leads elsewhere: empty, hidden, with a separator, or too long.
    pub fn new(root: &Path, name: &str, hotkey: &str) -> Result<Self, Error> {
        for part in [name, hotkey] {
            let harmless = !part.is_empty()
                && part.len() <= MAXIMUM_NAME
                && !part.starts_with('.')
                && !part.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'));
            if !harmless {
                return Err(Error::WalletName(part.chars().take(MAXIMUM_NAME).collect()));
            }
        }
        if hotkey.ends_with(TWIN) {
            return Err(Error::WalletName(hotkey.to_owned()));
        }
        Ok(Self { folder: root.join(name), hotkey: hotkey.to_owned() })
    }

    /// The wallet's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The secret coldkey.
    #[must_use]
    pub fn coldkey(&self) -> PathBuf {
        self.folder.join("coldkey")
    }

    /// The coldkey's public half.
    #[must_use]
    pub fn coldkey_public(&self) -> PathBuf {
        self.folder.join("coldkeypub.txt")
    }

    /// The secret hotkey.
    #[must_use]
    pub fn hotkey(&self) -> PathBuf {
        self.hotkeys().join(&self.hotkey)
    }

    /// The hotkey's public half.
    #[must_use]
    pub fn hotkey_public(&self) -> PathBuf {
        self.hotkeys().join(format!("{}{TWIN}", self.hotkey))
    }

    pub(crate) fn hotkeys(&self) -> PathBuf {
        self.folder.join("hotkeys")
    }
}

/// `~` at the beginning of a path is the home; any other path is as it is. Shells leave `--wallet.path=~/x` alone.
#[must_use]
pub fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wallets_files_have_bittensors_names() {
        let root = expand_home(Path::new(DEFAULT_ROOT), Some(Path::new("/home/user")));
        let path = WalletPath::new(&root, "owner", "first").unwrap();
        let at =
            |path: PathBuf| path.to_str().unwrap().strip_prefix("/home/user/.bittensor/wallets/").unwrap().to_owned();
        assert_eq!(at(path.coldkey()), "owner/coldkey");
        assert_eq!(at(path.coldkey_public()), "owner/coldkeypub.txt");
        assert_eq!(at(path.hotkey()), "owner/hotkeys/first");
        assert_eq!(at(path.hotkey_public()), "owner/hotkeys/firstpub.txt");
        assert_eq!(expand_home(Path::new("~user/x"), Some(Path::new("/h"))), Path::new("~user/x"));
        assert_eq!(expand_home(Path::new("/x/~"), Some(Path::new("/h"))), Path::new("/x/~"));
        assert_eq!(expand_home(Path::new("~/x"), None), Path::new("~/x"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "n".repeat(MAXIMUM_NAME + 1);
        for name in ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0b", "a\nb", &long] {
            assert!(matches!(WalletPath::new(Path::new("/w"), name, "default"), Err(Error::WalletName(_))), "{name:?}");
            assert!(matches!(WalletPath::new(Path::new("/w"), "default", name), Err(Error::WalletName(_))), "{name:?}");
        }
        // It would be the public twin of the hotkey `a`.
        assert!(WalletPath::new(Path::new("/w"), "default", "apub.txt").is_err());
    }
}
