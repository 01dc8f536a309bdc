//! One key as Bittensor's tools write it: a JSON object, its fields in any order.
//!
//! A secret file has `secretSeed` (mini secret, 32 bytes), `secretPhrase` or `privateKey` (expanded secret, 64 bytes) beside
//! the public `publicKey`, `accountId`, `ss58Address` and `cryptoType` 1 for sr25519; a public file has only the latter.
//! The secret is taken from the seed, else from the phrase, else from the expanded secret, and whatever the file says of the
//! public half must fit it. An expanded secret is only believed where the file states its public key: nothing else would
//! notice a damaged one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::phrase::Phrase;
use super::sealing::Sealing;
use super::{password, store};
use crate::Error;
use crate::keys::Keypair;

/// sr25519 in `cryptoType`.
const SR25519: u8 = 1;

/// The fields of a key file, in Bittensor's names; unknown ones are ignored.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    account_id: Option<String>,
    public_key: Option<String>,
    ss58_address: Option<String>,
    crypto_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.private_key.zeroize();
        self.secret_phrase.zeroize();
        self.secret_seed.zeroize();
    }
}

impl Fields {
    fn of_public(public: &[u8; 32]) -> Self {
        let digits = with_prefix(public);
        let mut fields = Self::default();
        fields.account_id = Some(digits.clone());
        fields.public_key = Some(digits);
        fields.ss58_address = Some(domain::ss58::encode(public));
        fields.crypto_type = Some(SR25519);
        fields
    }

    /// Capacity up front: a buffer that grows leaves copies of a secret behind.
    fn text(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut text = Zeroizing::new(Vec::with_capacity(2048));
        serde_json::to_writer(&mut *text, self).map_err(|error| Error::KeyText(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }

    fn read(text: &[u8]) -> Result<Self, Error> {
        let fields: Self = from_json(text)?;
        if fields.crypto_type.is_some_and(|scheme| scheme != SR25519) {
            return Err(unusable("its cryptoType is not 1 (sr25519): export the key as sr25519"));
        }
        Ok(fields)
    }

    /// The key, from the first form of the secret that is there.
    fn secret(&self) -> Result<Keypair, Error> {
        let unreadable = |error: Error| Error::KeyText(error.to_string());
        match (&self.secret_seed, &self.secret_phrase, &self.private_key) {
            (Some(seed), _, _) => Keypair::from_seed(&*without_prefix::<32>("secretSeed", seed)?).map_err(unreadable),
            (None, Some(phrase), _) => Phrase::parse(phrase).and_then(|phrase| phrase.keypair()).map_err(unreadable),
            (None, None, Some(secret)) => {
                if self.public_key.is_none() {
                    return Err(unusable("it has a privateKey and no publicKey that would prove it"));
                }
                Keypair::from_secret(&*without_prefix::<64>("privateKey", secret)?).map_err(unreadable)
            }
            (None, None, None) => {
                Err(unusable("it has neither secretSeed, secretPhrase nor privateKey: a public key file"))
            }
        }
    }

    /// Whether everything that is said of the public half is true of `public`.
    fn vouch(&self, public: &[u8; 32]) -> Result<(), Error> {
        for (name, stated) in [("publicKey", &self.public_key), ("accountId", &self.account_id)] {
            let Some(stated) = stated else { continue };
            if *without_prefix::<32>(name, stated)? != *public {
                return Err(Error::KeyText(format!("its {name} does not belong to its key")));
            }
        }
        if self.ss58_address.as_ref().is_some_and(|address| *address != domain::ss58::encode(public)) {
            return Err(unusable("its ss58Address does not belong to its key"));
        }
        Ok(())
    }
}

/// Reads the text of a plain secret key file.
///
/// # Errors
/// [`Error::KeyText`] when it is no key, of another scheme, or contradicts itself.
pub fn parse(text: &[u8]) -> Result<Keypair, Error> {
    let fields = Fields::read(text)?;
    let key = fields.secret()?;
    fields.vouch(&key.public())?;
    Ok(key)
}

/// Reads the text of a public key file, or of a secret one for its public half: JSON, or, as the first tools wrote it, the
/// bare address or public key. Gives the public key.
///
/// # Errors
/// As [`parse`].
pub fn parse_public(text: &[u8]) -> Result<[u8; 32], Error> {
    if let Ok(bare) = std::str::from_utf8(text).map(str::trim)
        && !bare.starts_with('{')
    {
        return match bare.strip_prefix("0x") {
            Some(_) => Ok(*without_prefix::<32>("public key", bare)?),
            None => domain::ss58::decode(bare).map_err(|_| unusable("it is neither JSON, an address nor a public key")),
        };
    }
    let fields = Fields::read(text)?;
    let public = match (&fields.public_key, &fields.account_id, &fields.ss58_address) {
        (Some(digits), _, _) => *without_prefix::<32>("publicKey", digits)?,
        (None, Some(digits), _) => *without_prefix::<32>("accountId", digits)?,
        (None, None, Some(address)) => {
            domain::ss58::decode(address).map_err(|error| Error::KeyText(error.to_string()))?
        }
        (None, None, None) => return Err(unusable("it has neither publicKey, accountId nor ss58Address")),
    };
    fields.vouch(&public)?;
    Ok(public)
}

/// The text of a secret key file, with the phrase where the key was made from one.
///
/// # Errors
/// [`Error::KeyText`] when the phrase is of another key.
pub fn write(key: &Keypair, phrase: Option<&Phrase>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut fields = Fields::of_public(&key.public());
    fields.private_key = Some(with_prefix(key.secret().as_slice()));
    fields.secret_seed = key.seed().map(|seed| with_prefix(seed));
    if let Some(phrase) = phrase {
        if phrase.keypair()?.public() != key.public() {
            return Err(unusable("the phrase is of another key"));
        }
        fields.secret_phrase = Some(phrase.text().as_str().to_owned());
    }
    fields.text()
}

/// The text of a public key file.
///
/// # Errors
/// None that is known; the writer of JSON could.
pub fn write_public(public: &[u8; 32]) -> Result<Vec<u8>, Error> {
    Fields::of_public(public).text().map(|text| text.to_vec())
}

impl Keypair {
    /// Writes the key to a new, plain file of mode 0600.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`] when the file is there already, [`Error::KeyFile`] when it cannot be written.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        store::create(path, &write(self, None)?)
    }

    /// Reads a key file: ours, or one of a Bittensor wallet. The password of an encrypted one is taken from the environment
    /// ([`password::from_environment`]).
    ///
    /// # Errors
    /// [`Error::KeyFileMode`] when others can read it; [`Error::KeyFileSealed`] when it is encrypted and there is no
    /// password; [`Error::KeyFileContent`] when the password is wrong, the key of another scheme, or the file contradicts
    /// itself; [`Error::KeyFile`] when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_with(path, || password::from_environment(path))
    }

    /// As [`Keypair::load`], with the password that `ask` gives; it is asked only when the file is encrypted.
    ///
    /// # Errors
    /// As [`Keypair::load`], and those of `ask`.
    pub fn load_with(
        path: &Path,
        ask: impl FnOnce() -> Result<Option<Zeroizing<Vec<u8>>>, Error>,
    ) -> Result<Self, Error> {
        let text = store::read_private(path)?;
        let Some(form) = Sealing::of(&text) else { return parse(&text).map_err(|error| at(path, error)) };
        let Some(password) = ask()? else {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let variable = password::variable(&absolute);
            return Err(Error::KeyFileSealed { path: path.to_owned(), form: form.name(), variable });
        };
        form.open(&text, &password).and_then(|text| parse(&text)).map_err(|error| at(path, error))
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

/// Reads a public key file, which others may read.
///
/// # Errors
/// As [`parse_public`], with the file's name; [`Error::KeyFile`] when it cannot be read.
pub fn load_public(path: &Path) -> Result<[u8; 32], Error> {
    parse_public(&store::read_public(path)?).map_err(|error| at(path, error))
}

/// Two processes that start together both end with the one key that reached the disk.
pub(crate) fn load_or_create<K>(
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

/// JSON of a key. serde_json's message may quote the text around the fault, which here may be a secret: only the place is
/// told.
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| {
        Error::KeyText(format!("it is not a key in JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// What is wrong with the text of a file is wrong with the file.
pub(crate) fn at(path: &Path, error: Error) -> Error {
    match error {
        Error::KeyText(reason) => store::content(path, reason),
        error @ Error::Sealing { .. } => store::content(path, error.to_string()),
        other => other,
    }
}

fn unusable(reason: &str) -> Error {
    Error::KeyText(reason.to_owned())
}

pub(crate) fn with_prefix(bytes: &[u8]) -> String {
    let digits = Zeroizing::new(hex::encode(bytes));
    ["0x", &digits].concat()
}

pub(crate) fn without_prefix<const N: usize>(name: &str, text: &str) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0u8; N]);
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), bytes.as_mut_slice())
        .map_err(|_| Error::KeyText(format!("its {name} is not {N} bytes in hexadecimal")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
