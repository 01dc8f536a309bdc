//! What a receiver accepts: a miner from validators, a validator from the challenge service.

use std::sync::{Arc, Mutex};

use domain::types::{Hotkey, sha256};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::texts::{handshake_message, service_exchange_message};
use super::{Dialect, KEY_LIFETIME};
use crate::Error;
use crate::fernet::FernetKey;
use crate::fiber::headers::signature;
use crate::fiber::key_store::KeyStore;
use crate::fiber::rsa_key::{MinerKey, from_base64, from_hex};
use crate::fiber::server::lock;
use crate::fiber::{Refusal, headers};
use crate::keys::verify;
use crate::replay::ReplayStore;

/// An exchange holds 512 digits and some names.
pub const MAXIMUM_EXCHANGE: usize = 8 * 1024;
/// How old or how far ahead an exchange may be, in seconds; upstream does not look.
pub const WINDOW_SECONDS: u64 = 120;

const MICRO: f64 = 1e6;
const MAXIMUM_NAME: usize = 128;

/// Both forms of an exchange; a field of the other form is ignored.
#[derive(Deserialize)]
struct Exchange {
    encrypted_symmetric_key: String,
    #[serde(alias = "symmetric_key_uuid")]
    key_uuid: String,
    timestamp: f64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(alias = "validator_hotkey_ss58")]
    hotkey_ss58: String,
}

/// Whether an exchange must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Yes, as between validators and miners.
    Required,
    /// A signature that is there must be right, but there may be none: the challenge service sometimes sends none, and
    /// then nothing but its address vouches for it.
    Optional,
}

/// A payload that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Who sent it: the key under which it opened is theirs.
    pub sender: Hotkey,
    /// The payload.
    pub payload: Vec<u8>,
    uuid: String,
    key: Arc<FernetKey>,
}

impl Opened {
    /// The token of the answer, dated with Unix seconds, under the same key.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none.
    pub fn seal(&self, answer: &[u8], now: u64) -> Result<String, Error> {
        self.key.seal(answer, now)
    }

    /// The header fields of the miner's answer.
    #[must_use]
    pub fn answer_headers(&self, own: &Hotkey) -> [(&'static str, String); 2] {
        [("x-fiber-symmetric-key-uuid", self.uuid.clone()), ("x-fiber-miner-hotkey-ss58", own.to_string())]
    }
}

/// What `/fiber/stats` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Statistics {
    /// Senders with a key.
    pub active_hotkeys: usize,
    /// Keys.
    pub total_symmetric_keys: usize,
    /// How long a key lives, in seconds.
    pub key_ttl_seconds: u64,
}

/// A receiver's side. Shared by its requests; nothing is awaited or computed under its locks.
#[derive(Debug)]
pub struct Receiver {
    dialect: Dialect,
    signatures: Signatures,
    key: MinerKey,
    keys: Mutex<KeyStore>,
    seen: Mutex<ReplayStore>,
}

impl Receiver {
    /// A receiver with an RSA key that is new with each start.
    #[must_use]
    pub fn new(dialect: Dialect, signatures: Signatures, key: MinerKey) -> Self {
        let (keys, seen) = (Mutex::new(KeyStore::new(KEY_LIFETIME)), Mutex::new(ReplayStore::default()));
        Self { dialect, signatures, key, keys, seen }
    }

    /// PEM of the RSA key, for everybody.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        self.key.public_pem()
    }

    /// Takes a symmetric key. `admitted` says who may bring one; `now` is in Unix microseconds.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn exchange(&self, body: &[u8], now: u64, admitted: impl FnOnce(&Hotkey) -> bool) -> Result<Hotkey, Refusal> {
        if body.len() > MAXIMUM_EXCHANGE {
            return Err(Refusal::Body("it is too long"));
        }
        let exchange: Exchange =
            serde_json::from_slice(body).map_err(|_| Refusal::Body("it is no exchange of a symmetric key"))?;
        let short = |text: &str| (1..=MAXIMUM_NAME).contains(&text.len());
        if !short(&exchange.key_uuid) || !exchange.nonce.as_deref().is_none_or(short) {
            return Err(Refusal::Body("a name is empty or too long"));
        }
        let sender: Hotkey = exchange.hotkey_ss58.parse().map_err(|_| Refusal::Body("its hotkey is no address"))?;
        if !admitted(&sender) {
            return Err(Refusal::NotAllowed);
        }
        let window = WINDOW_SECONDS * 1_000_000;
        // Negative times and such beyond any clock become its ends, which are outside of every window.
        let expires = headers::expiry((exchange.timestamp * MICRO) as u64, now, window)?;
        let message = self.message(&exchange, &sender)?;
        let signed = exchange.signature.as_deref().unwrap_or_default();
        if !signed.is_empty() || self.signatures == Signatures::Required {
            let signature = signature(signed).ok_or(Refusal::Signature)?;
            if !sender.public().is_ok_and(|public| verify(&public, message.as_bytes(), &signature)) {
                return Err(Refusal::Signature);
            }
        }
        lock(&self.seen).accept(&sender, &message, expires, now)?;
        let key = self.symmetric_key(&exchange.encrypted_symmetric_key)?;
        lock(&self.keys).insert(&sender, &exchange.key_uuid, key, now / 1_000_000)?;
        Ok(sender)
    }

    /// Opens a payload with the header fields that `get` finds by their lower-case names. `now` is in Unix seconds.
    ///
    /// # Errors
    /// [`Refusal::Header`], [`Refusal::UnknownKey`], after which the sender brings a new key, [`Refusal::Undecryptable`],
    /// [`Refusal::Replayed`] for a token that was opened before.
    pub fn open<'a>(&self, get: impl Fn(&str) -> Option<&'a str>, token: &[u8], now: u64) -> Result<Opened, Refusal> {
        let field =
            |name| get(name).filter(|text| (1..=MAXIMUM_NAME).contains(&text.len())).ok_or(Refusal::Header(name));
        let (uuid, sender) = (field(self.dialect.key_header())?, field(self.dialect.sender_header())?);
        let sender: Hotkey = sender.parse().map_err(|_| Refusal::Header(self.dialect.sender_header()))?;
        let key = lock(&self.keys).get(&sender, uuid, now)?;
        let token = std::str::from_utf8(token).map_err(|_| Refusal::Undecryptable)?.trim_end();
        let payload = key.open(token, Some((now, KEY_LIFETIME))).map_err(|_| Refusal::Undecryptable)?;
        // Nothing else tells a token that was captured: it opens as long as its key lives.
        let expires = now.saturating_add(2 * KEY_LIFETIME).saturating_mul(1_000_000);
        lock(&self.seen).accept(
            &sender,
            &format!("token {}", sha256(token.as_bytes())),
            expires,
            now.saturating_mul(1_000_000),
        )?;
        Ok(Opened { sender, payload, uuid: uuid.to_owned(), key })
    }

    /// How many keys there are. `now` is in Unix seconds.
    #[must_use]
    pub fn statistics(&self, now: u64) -> Statistics {
        let mut keys = lock(&self.keys);
        keys.sweep(now);
        Statistics {
            active_hotkeys: keys.hotkeys(),
            total_symmetric_keys: keys.len(),
            key_ttl_seconds: keys.lifetime(),
        }
    }

    fn message(&self, exchange: &Exchange, sender: &Hotkey) -> Result<String, Refusal> {
        match self.dialect {
            Dialect::Service => Ok(service_exchange_message(exchange.timestamp, sender.as_str(), &exchange.key_uuid)),
            Dialect::Miner => {
                let nonce = exchange.nonce.as_deref().ok_or(Refusal::Body("it has no nonce"))?;
                Ok(handshake_message(exchange.timestamp, nonce, sender.as_str()))
            }
        }
    }

    fn symmetric_key(&self, encrypted: &str) -> Result<FernetKey, Refusal> {
        let ciphertext = match self.dialect {
            Dialect::Service => from_base64(encrypted),
            Dialect::Miner => from_hex(encrypted),
        };
        let secret = self.key.decrypt(&ciphertext.ok_or(Refusal::Undecryptable)?).ok().flatten();
        let secret: Zeroizing<Vec<u8>> = secret.ok_or(Refusal::Undecryptable)?;
        let text = std::str::from_utf8(&secret).map_err(|_| Refusal::Undecryptable)?;
        FernetKey::parse(text).map_err(|_| Refusal::Undecryptable)
    }
}

#[cfg(test)]
mod tests;
