//! What a validator sends: signed plain requests, and, after it brought a key, encrypted ones.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::types::Hotkey;
use serde::{Deserialize, Serialize};

use super::headers::{Covered, Headers, SECOND, nonce};
use super::rsa_key;
use crate::Error;
use crate::fernet::FernetKey;
use crate::keys::Keypair;

/// Where a miner shows its RSA key.
pub const PUBLIC_KEY_PATH: &str = "/public-encryption-key";
/// Where a validator brings a symmetric key.
pub const EXCHANGE_PATH: &str = "/exchange-symmetric-key";
/// Content type of plain bodies and of the exchange.
pub const PLAIN: &str = "application/json";
/// Content type of encrypted bodies.
pub const ENCRYPTED: &str = "application/octet-stream";

/// A request, ready to be sent: exactly these bytes were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Header fields, without the content type.
    pub headers: Vec<(&'static str, String)>,
    /// [`PLAIN`] or [`ENCRYPTED`].
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// What a miner answers under [`PUBLIC_KEY_PATH`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublicKeyAnswer {
    /// PEM of the RSA key.
    pub public_key: String,
    /// Unix seconds of the miner's clock.
    pub timestamp: f64,
}

/// The body of an exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exchange {
    /// Base64 of the symmetric key under the miner's RSA key.
    pub encrypted_symmetric_key: String,
}

/// A plain request. `now` is in Unix nanoseconds.
///
/// # Errors
/// [`Error::Randomness`] when there is none for the nonce.
pub fn plain(keypair: &Keypair, miner: &Hotkey, body: Vec<u8>, now: u64) -> Result<Outgoing, Error> {
    let headers = Headers::signed(keypair, miner, Covered::Body(&body), now)?.fields();
    Ok(Outgoing { headers, content_type: PLAIN, body })
}

/// A symmetric key that one miner was brought.
#[derive(Debug)]
pub struct Session {
    miner: Hotkey,
    uuid: String,
    key: FernetKey,
    since: u64,
}

impl Session {
    /// A new key for a miner and the request that brings it. `pem` is what the miner showed, `now` in Unix nanoseconds.
    ///
    /// # Errors
    /// [`Error::Rsa`] when the miner's key cannot be used, [`Error::Randomness`] when there is none.
    pub fn offer(keypair: &Keypair, miner: &Hotkey, pem: &str, now: u64) -> Result<(Self, Outgoing), Error> {
        let mut name = [0; 32];
        crate::random::fill(&mut name)?;
        let session = Self { miner: *miner, uuid: hex::encode(name), key: FernetKey::generate()?, since: now };
        let encrypted = rsa_key::encrypt(pem, session.key.bytes())?;
        let exchange = Exchange { encrypted_symmetric_key: STANDARD.encode(encrypted) };
        let body = serde_json::to_vec(&exchange).map_err(|_| Error::Rsa("the exchange cannot be written"))?;
        let headers = session.headers(keypair, now)?;
        Ok((session, Outgoing { headers, content_type: PLAIN, body }))
    }

    /// An encrypted request with the fields of `payload` and a fresh `nonce` beside them, as fiber's clients add it. A payload
    /// that has a `nonce` already goes as it is, to the byte.
    ///
    /// # Errors
    /// [`Error::Fernet`] when the payload is no JSON object, [`Error::Randomness`] when there is none.
    pub fn request(&self, keypair: &Keypair, payload: &[u8], now: u64) -> Result<Outgoing, Error> {
        let sealed = self.key.seal(&with_nonce(payload, &nonce(now)?)?, now / SECOND)?;
        Ok(Outgoing { headers: self.headers(keypair, now)?, content_type: ENCRYPTED, body: sealed.into_bytes() })
    }

    /// Whether the miner still keeps the key: `lifetime` seconds less a minute for the way.
    #[must_use]
    pub fn is_alive(&self, now: u64, lifetime: u64) -> bool {
        now.saturating_sub(self.since) / SECOND < lifetime.saturating_sub(60)
    }

    fn headers(&self, keypair: &Keypair, now: u64) -> Result<Vec<(&'static str, String)>, Error> {
        Ok(Headers::signed(keypair, &self.miner, Covered::Key(&self.uuid), now)?.fields())
    }
}

/// Puts the nonce at the end of an object that has none, without touching its other bytes.
fn with_nonce(payload: &[u8], nonce: &str) -> Result<Vec<u8>, Error> {
    let object = Error::Fernet("the payload is no JSON object");
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(payload) else { return Err(object) };
    if fields.contains_key("nonce") {
        return Ok(payload.to_vec());
    }
    let end = payload.iter().rposition(|byte| *byte == b'}').ok_or(object)?;
    let separator = if fields.is_empty() { "" } else { ", " };
    Ok([&payload[..end], format!("{separator}\"nonce\": \"{nonce}\"}}").as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_nonce_comes_last_and_nothing_else_changes() {
        for (payload, expected) in [
            ("{}", "{\"nonce\": \"1_a\"}"),
            (" {\"hi\" : \"th}re\"} \n", " {\"hi\" : \"th}re\", \"nonce\": \"1_a\"}"),
            ("{\"a\":{}}", "{\"a\":{}, \"nonce\": \"1_a\"}"),
            ("{\"a\":1,\"nonce\":\"own\"}", "{\"a\":1,\"nonce\":\"own\"}"),
        ] {
            assert_eq!(with_nonce(payload.as_bytes(), "1_a").unwrap(), expected.as_bytes());
        }
        for payload in ["", "[]", "\"}\"", "{", "{} {}", "null"] {
            assert!(with_nonce(payload.as_bytes(), "1_a").is_err(), "{payload}");
        }
    }
}
