//! What can go wrong with keys, key files and addresses.

use std::path::PathBuf;

/// Errors of this crate. None of them carries secret material.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret is not a valid key of its scheme.
    #[error("secret is not a valid {scheme} key: {reason}")]
    InvalidSecret {
        /// `sr25519` or `ed25519`.
        scheme: &'static str,
        /// What is wrong, without the secret itself.
        reason: String,
    },
    /// A secret URI does not have the form `[0x<64 hex digits>]//junction[//junction…]`.
    #[error("secret uri is not understood: {0}")]
    InvalidUri(&'static str),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(String),
    /// A key file could not be read or written.
    #[error("key file {}: {action} failed", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A key file would be overwritten.
    #[error("key file {} exists already, and a key is never overwritten: remove it or name another file", .0.display())]
    KeyFileExists(PathBuf),
    /// A key file can be read by others than its owner.
    #[error("key file {} has mode {mode:04o}, others can read it: run chmod 600 on it", path.display())]
    KeyFileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file holds something else than the key that was asked for.
    #[error("key file {}: {reason}", path.display())]
    KeyFileContent {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key file is encrypted and no password was given.
    #[error("key file {} is encrypted ({form}): give its password, or set {variable}", path.display())]
    KeyFileSealed {
        /// The file.
        path: PathBuf,
        /// Name of the envelope.
        form: &'static str,
        /// The variable of the environment that is looked at.
        variable: String,
    },
    /// The text of a key file is no key. Never says more of it.
    #[error("{0}")]
    KeyText(String),
    /// An encrypted key cannot be opened or made.
    #[error("it is encrypted ({form}): {reason}")]
    Sealing {
        /// Name of the envelope.
        form: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A phrase is none; never shows a word of it.
    #[error("the phrase cannot be used: {0}")]
    InvalidPhrase(&'static str),
    /// A password cannot be used; never shows it.
    #[error("password: {0}")]
    Password(String),
    /// The name of a wallet or hotkey would lead out of its folder.
    #[error(
        "wallet or hotkey name {0:?} cannot be used: give a name without separators, dots in front, or pub.txt at its end"
    )]
    WalletName(String),
    /// An RSA key cannot be used.
    #[error("rsa: {0}")]
    Rsa(&'static str),
    /// A Fernet key or token cannot be used; never says more of either.
    #[error("fernet: {0}")]
    Fernet(&'static str),
    /// A text is not an address of this network.
    #[error(transparent)]
    Ss58(#[from] domain::ss58::Ss58Error),
}
