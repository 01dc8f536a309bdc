//! What a sender brings and sends: a validator to miners, and to the challenge service.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::types::Hotkey;
use serde_json::json;

use super::texts::{handshake_message, service_exchange_message};
use super::{Dialect, KEY_LIFETIME, REFRESH_EARLY};
use crate::Error;
use crate::fernet::FernetKey;
use crate::fiber::rsa_key;
use crate::keys::Keypair;

/// A symmetric key that one receiver was brought. Times are Unix seconds.
#[derive(Debug)]
pub struct Session {
    dialect: Dialect,
    sender: Hotkey,
    uuid: String,
    key: FernetKey,
    since: f64,
}

impl Session {
    /// A new key and the JSON body that brings it to the receiver who showed `pem`.
    ///
    /// # Errors
    /// [`Error::Rsa`] when the receiver's key cannot be used, [`Error::Randomness`] when there is none.
    pub fn offer(dialect: Dialect, keypair: &Keypair, pem: &str, now: f64) -> Result<(Self, Vec<u8>), Error> {
        let (uuid, key) = (crate::random::uuid()?, FernetKey::generate()?);
        let encrypted = rsa_key::encrypt(pem, key.text().as_bytes())?;
        let hotkey = keypair.ss58();
        let body = match dialect {
            Dialect::Service => {
                let signature = keypair.sign(service_exchange_message(now, &hotkey, &uuid).as_bytes());
                json!({
                    "encrypted_symmetric_key": STANDARD.encode(encrypted),
                    "key_uuid": uuid,
                    "timestamp": now,
                    "signature": hex::encode(signature),
                    "validator_hotkey_ss58": hotkey,
                })
            }
            Dialect::Miner => {
                let nonce = crate::random::uuid()?;
                let signature = keypair.sign(handshake_message(now, &nonce, &hotkey).as_bytes());
                json!({
                    "encrypted_symmetric_key": hex::encode(encrypted),
                    "symmetric_key_uuid": uuid,
                    "timestamp": now,
                    "nonce": nonce,
                    "signature": format!("0x{}", hex::encode(signature)),
                    "validator_hotkey_ss58": hotkey,
                })
            }
        };
        let session = Self { dialect, sender: keypair.hotkey(), uuid, key, since: now };
        Ok((session, body.to_string().into_bytes()))
    }

    /// Whether the receiver still keeps the key, with a minute to spare for the way.
    #[must_use]
    pub fn is_alive(&self, now: f64) -> bool {
        (0.0..(KEY_LIFETIME - REFRESH_EARLY) as f64).contains(&(now - self.since))
    }

    /// The header fields of a payload under this key.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 2] {
        [(self.dialect.key_header(), self.uuid.clone()), (self.dialect.sender_header(), self.sender.to_string())]
    }

    /// The token of a payload, dated with Unix seconds.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none.
    pub fn seal(&self, payload: &[u8], now: u64) -> Result<String, Error> {
        self.key.seal(payload, now)
    }

    /// What the receiver answered, if it is not older than keys live.
    ///
    /// # Errors
    /// [`Error::Fernet`] when it does not open.
    pub fn open(&self, token: &str, now: u64) -> Result<Vec<u8>, Error> {
        self.key.open(token, Some((now, KEY_LIFETIME)))
    }
}
