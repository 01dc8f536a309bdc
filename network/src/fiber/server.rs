//! What a miner accepts: who asked, and what, or why not. Order: form, miner's name, time, admission, signature, replay,
//! and only then keys and payloads.

use std::sync::{Arc, Mutex, PoisonError};

use domain::types::{Hotkey, sha256};
use zeroize::Zeroizing;

use super::client::{Exchange, PublicKeyAnswer};
use super::headers::{Covered, Headers, SECOND, WINDOW_SECONDS, expiry, nonce_time};
use super::key_store::KeyStore;
use super::refusal::Refusal;
use super::rsa_key::{self, MinerKey};
use crate::fernet::FernetKey;
use crate::replay::ReplayStore;

/// How long a miner keeps a symmetric key, in seconds: 5 hours.
pub const KEY_LIFETIME: u64 = 5 * 3600;
/// An exchange holds 344 characters of base64.
pub const MAXIMUM_EXCHANGE: usize = 8 * 1024;

const WINDOW: u64 = WINDOW_SECONDS * SECOND;

/// A request that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who asked, proven by a signature.
    pub validator: Hotkey,
    /// The payload: the body of a plain request, the opened token of an encrypted one (with its `nonce`).
    pub payload: Vec<u8>,
    /// Whether it came encrypted.
    pub encrypted: bool,
}

/// A miner's side of fiber. Shared by its requests; nothing is awaited or computed under its locks.
#[derive(Debug)]
pub struct Miner {
    hotkey: Hotkey,
    key: MinerKey,
    keys: Mutex<KeyStore>,
    seen: Mutex<ReplayStore>,
}

impl Miner {
    /// The miner of a hotkey, with a fresh RSA key of its own or one that was made before.
    #[must_use]
    pub fn new(hotkey: Hotkey, key: MinerKey) -> Self {
        let (keys, seen) = (Mutex::new(KeyStore::new(KEY_LIFETIME)), Mutex::new(ReplayStore::default()));
        Self { hotkey, key, keys, seen }
    }

    /// The answer to `GET /public-encryption-key`.
    #[must_use]
    pub fn public_key(&self, now: u64) -> PublicKeyAnswer {
        // A float has room for microseconds until the year 2255.
        let timestamp = (now / 1000) as f64 / 1e6;
        PublicKeyAnswer { public_key: self.key.public_pem().to_owned(), timestamp }
    }

    /// Takes the symmetric key of `POST /exchange-symmetric-key`. `admitted` says who may ask; `now` is in Unix nanoseconds.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn exchange(
        &self,
        headers: &Headers,
        body: &[u8],
        now: u64,
        admitted: impl FnOnce(&Hotkey) -> bool,
    ) -> Result<Hotkey, Refusal> {
        let uuid = headers.key_uuid.as_deref().ok_or(Refusal::Header(super::headers::KEY_UUID))?;
        if body.len() > MAXIMUM_EXCHANGE {
            return Err(Refusal::Body("it is too long"));
        }
        let exchange: Exchange =
            serde_json::from_slice(body).map_err(|_| Refusal::Body("it is no exchange of a symmetric key"))?;
        self.verify(headers, Covered::Key(uuid), now, admitted)?;
        let key = self.symmetric_key(&exchange.encrypted_symmetric_key)?;
        lock(&self.keys).insert(&headers.validator, uuid, key, now / SECOND)?;
        Ok(headers.validator)
    }

    /// Verifies a request in either mode and opens it. A request that names a symmetric key is encrypted.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(
        &self,
        headers: &Headers,
        body: &[u8],
        now: u64,
        admitted: impl FnOnce(&Hotkey) -> bool,
    ) -> Result<Accepted, Refusal> {
        let validator = headers.validator;
        let Some(uuid) = headers.key_uuid.as_deref() else {
            self.verify(headers, Covered::Body(body), now, admitted)?;
            return Ok(Accepted { validator, payload: body.to_vec(), encrypted: false });
        };
        self.verify(headers, Covered::Key(uuid), now, admitted)?;
        let key: Arc<FernetKey> = lock(&self.keys).get(&validator, uuid, now / SECOND)?;
        let token = std::str::from_utf8(body).map_err(|_| Refusal::Undecryptable)?.trim_end();
        let payload = key.open(token, Some((now / SECOND, WINDOW_SECONDS))).map_err(|_| Refusal::Undecryptable)?;
        // The signature says nothing of the token: one that was captured must not pass under a new signature. A token from
        // ahead by as much as is allowed is too old after this.
        let expires = now.saturating_add(2 * WINDOW);
        lock(&self.seen).accept(&validator, &format!("token {}", sha256(token.as_bytes())), expires, now)?;
        Ok(Accepted { validator, payload, encrypted: true })
    }

    fn verify(
        &self,
        headers: &Headers,
        covered: Covered<'_>,
        now: u64,
        admitted: impl FnOnce(&Hotkey) -> bool,
    ) -> Result<(), Refusal> {
        if headers.miner != self.hotkey {
            return Err(Refusal::OtherMiner);
        }
        let expires = expiry(nonce_time(&headers.nonce)?, now, WINDOW)?;
        if !admitted(&headers.validator) {
            return Err(Refusal::NotAllowed);
        }
        if !headers.verifies(covered) {
            return Err(Refusal::Signature);
        }
        Ok(lock(&self.seen).accept(&headers.validator, &headers.nonce, expires, now)?)
    }

    fn symmetric_key(&self, encrypted: &str) -> Result<FernetKey, Refusal> {
        let ciphertext = rsa_key::from_base64(encrypted).ok_or(Refusal::Undecryptable)?;
        let secret = self.key.decrypt(&ciphertext).ok().flatten().ok_or(Refusal::Undecryptable)?;
        let bytes: [u8; 32] = secret.as_slice().try_into().map_err(|_| Refusal::Undecryptable)?;
        let bytes = Zeroizing::new(bytes);
        Ok(FernetKey::from_bytes(*bytes))
    }
}

/// A panic elsewhere leaves the stores whole: each change is one call.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
