//! Making a wallet: a coldkey with its public half, and a hotkey with its twin, each from a phrase of its own.
//!
//! A coldkey that is there already, or whose public half is, stays: then only the hotkey is made. A machine that runs a
//! validator should have the coldkey's public half alone.

use super::phrase::Phrase;
use super::sealing;
use super::{WalletPath, keyfile, store};
use crate::Error;
use crate::keys::Keypair;

/// Shorter passwords are guessed.
pub const MINIMUM_PASSWORD: usize = 8;

/// One key that was made.
#[derive(Debug)]
pub struct Made {
    /// Its address.
    pub ss58: String,
    /// The words from which it can be made again. Nobody can read them from the wallet without its password.
    pub phrase: Phrase,
}

/// What was made.
#[derive(Debug)]
pub struct NewWallet {
    /// The coldkey, unless there was one already.
    pub coldkey: Option<Made>,
    /// The hotkey.
    pub hotkey: Made,
}

/// How the coldkey is written.
#[derive(Clone, Copy)]
pub enum Protection<'a> {
    /// Encrypted as `$NACL` under this password.
    Password(&'a [u8]),
    /// As plain text.
    None,
}

impl std::fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::None => "None",
        })
    }
}

/// Whether [`create`] would make a coldkey, too.
#[must_use]
pub fn needs_coldkey(path: &WalletPath) -> bool {
    !exists(&path.coldkey()) && !exists(&path.coldkey_public())
}

/// Makes the wallet's missing keys from phrases of `words` words. The hotkey is not encrypted, so that a validator can start
/// by itself.
///
/// # Errors
/// [`Error::KeyFileExists`] when the hotkey is there already, [`Error::Password`] when the password is too short, and those of
/// [`Phrase::generate`], [`sealing::seal`] and of writing files. Files that were written before the error stay; the
/// hotkey's come first, so that its failure leaves no coldkey whose phrase nobody was told.
pub fn create(path: &WalletPath, words: usize, protection: Protection<'_>) -> Result<NewWallet, Error> {
    for file in [path.hotkey(), path.hotkey_public()] {
        if exists(&file) {
            return Err(Error::KeyFileExists(file));
        }
    }
    if let Protection::Password(password) = protection
        && password.len() < MINIMUM_PASSWORD
    {
        return Err(Error::Password(format!("it has less than {MINIMUM_PASSWORD} characters, choose a longer one")));
    }
    let (hotkey, key) = make(words)?;
    store::create_folder(&path.hotkeys())?;
    store::create(&path.hotkey(), &keyfile::write(&key, Some(&hotkey.phrase))?)?;
    store::create(&path.hotkey_public(), &keyfile::write_public(&key.public())?)?;
    let coldkey = if needs_coldkey(path) { Some(create_coldkey(path, words, protection)?) } else { None };
    Ok(NewWallet { coldkey, hotkey })
}

fn create_coldkey(path: &WalletPath, words: usize, protection: Protection<'_>) -> Result<Made, Error> {
    let (made, key) = make(words)?;
    let (text, public) = (keyfile::write(&key, Some(&made.phrase))?, keyfile::write_public(&key.public())?);
    match protection {
        Protection::Password(password) => store::create(&path.coldkey(), &sealing::seal(&text, password)?)?,
        Protection::None => store::create(&path.coldkey(), &text)?,
    }
    store::create(&path.coldkey_public(), &public)?;
    Ok(made)
}

fn make(words: usize) -> Result<(Made, Keypair), Error> {
    let phrase = Phrase::generate(words)?;
    let key = phrase.keypair()?;
    Ok((Made { ss58: key.ss58(), phrase }, key))
}

/// A broken link is there, too: writing would follow it.
fn exists(path: &std::path::Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use zeroize::Zeroizing;

    fn wallet(root: &std::path::Path, hotkey: &str) -> WalletPath {
        WalletPath::new(root, "owner", hotkey).unwrap()
    }

    #[test]
    fn a_new_wallet_is_private_and_read_again() {
        let root = tempfile::tempdir().unwrap();
        let path = wallet(root.path(), "first");
        assert!(needs_coldkey(&path));
        let made = create(&path, 12, Protection::Password(b"long enough")).unwrap();
        for file in [path.coldkey(), path.coldkey_public(), path.hotkey(), path.hotkey_public()] {
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600, "{}", file.display());
        }
        let coldkey = made.coldkey.unwrap();
        assert!(std::fs::read(path.coldkey()).unwrap().starts_with(b"$NACL"));
        let password = || Ok(Some(Zeroizing::new(b"long enough".to_vec())));
        let opened = Keypair::load_with(&path.coldkey(), password).unwrap();
        assert_eq!((opened.ss58(), opened.public()), (coldkey.ss58, coldkey.phrase.keypair().unwrap().public()));
        assert_eq!(keyfile::load_public(&path.coldkey_public()).unwrap(), opened.public());
        assert_eq!(Keypair::load(&path.hotkey()).unwrap().ss58(), made.hotkey.ss58);
        assert_eq!(domain::ss58::encode(&keyfile::load_public(&path.hotkey_public()).unwrap()), made.hotkey.ss58);
        let shown = format!("{:?} {:?}", made.hotkey, Protection::Password(b"long enough"));
        let words = made.hotkey.phrase.text();
        assert!(!shown.contains("long") && !words.split(' ').any(|word| shown.contains(&format!(" {word} "))));
    }

    #[test]
    fn what_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = wallet(root.path(), "first");
        create(&path, 12, Protection::None).unwrap();
        let read = || std::fs::read(path.coldkey()).unwrap();
        let before = read();
        assert!(matches!(create(&path, 12, Protection::None), Err(Error::KeyFileExists(_))));
        let second = create(&wallet(root.path(), "second"), 24, Protection::None).unwrap();
        assert!(second.coldkey.is_none() && read() == before);
        // A validator's machine: the coldkey's public half alone.
        std::fs::remove_file(path.coldkey()).unwrap();
        assert!(create(&wallet(root.path(), "third"), 12, Protection::None).unwrap().coldkey.is_none());
        assert!(!path.coldkey().exists());
        // A twin without its hotkey is a hotkey that lives elsewhere.
        std::fs::remove_file(path.hotkey()).unwrap();
        assert!(matches!(create(&path, 12, Protection::None), Err(Error::KeyFileExists(_))));
    }

    #[test]
    fn a_hotkey_that_cannot_be_written_leaves_no_coldkey() {
        let root = tempfile::tempdir().unwrap();
        // A path may have 4,095 bytes: those of the coldkey fit, a hotkey's long name does not.
        let mut deep = root.path().to_owned();
        while deep.as_os_str().len() < 3980 {
            deep.push("twenty bytes or less");
        }
        let long = wallet(&deep, &"x".repeat(128));
        assert!(matches!(create(&long, 12, Protection::None), Err(Error::KeyFile { .. })));
        assert!(needs_coldkey(&long) && long.hotkeys().exists());
        assert!(create(&wallet(&deep, "short"), 12, Protection::None).unwrap().coldkey.is_some());
    }

    #[test]
    fn short_passwords_make_no_files() {
        let root = tempfile::tempdir().unwrap();
        let path = wallet(root.path(), "first");
        assert!(matches!(create(&path, 12, Protection::Password(b"1234567")), Err(Error::Password(_))));
        assert!(!path.folder().exists());
        assert!(matches!(create(&path, 11, Protection::None), Err(Error::InvalidPhrase(_))));
        assert!(!path.hotkey().exists() && !path.coldkey().exists());
    }
}
