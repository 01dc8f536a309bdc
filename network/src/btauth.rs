//! `btauth/1`, the request signatures of Bittensor's SDK 11: method, target, body, time, sender and receiver under one signature.
//!
//! Verification follows the SDK's order: the headers' form, the receiver, the time, the signature, and only then the memory of
//! used nonces. Time is an argument. A nonce is remembered by [`TimedNonces`], which holds at least as long as any age counts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::types::{Hotkey, sha256};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::keys::{self, Keypair};
use crate::legacy::message::parse_signature;
use crate::legacy::nonces::{NonceLimits, TimedNonces};

/// Names of the headers, in lower case.
pub mod header {
    /// `1`.
    pub const VERSION: &str = "x-bittensor-version";
    /// SS58 address of the sender.
    pub const HOTKEY: &str = "x-bittensor-hotkey";
    /// Nanoseconds since the epoch.
    pub const NONCE: &str = "x-bittensor-nonce";
    /// `0x` and 128 hexadecimal digits.
    pub const SIGNATURE: &str = "x-bittensor-signature";
    /// SS58 address of the receiver.
    pub const RECEIVER: &str = "x-bittensor-receiver";
    /// `ed25519`; absent for sr25519.
    pub const CRYPTO: &str = "x-bittensor-crypto";
}

/// The version that is spoken.
pub const VERSION: &str = "1";
/// How old a request may be.
pub const OLDEST: Duration = Duration::from_secs(10);
/// How far it may be ahead of the clock.
pub const AHEAD: Duration = Duration::from_secs(2);

/// Most digits of a nonce: those of 2⁶⁴.
const LONGEST_NONCE: usize = 20;

/// Kinds of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Crypto {
    /// Schnorrkel in the context `substrate`.
    #[default]
    Sr25519,
    /// RFC 8032.
    Ed25519,
}

impl Crypto {
    /// The name as signed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sr25519 => "sr25519",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Why a request does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A header is missing or not of its form.
    #[error("malformed auth: header {header} {problem}")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// Meant for somebody else, or for nobody in particular where this must not be.
    #[error("wrong receiver: the request is not bound to this hotkey")]
    WrongReceiver,
    /// Too old, or ahead of the clock.
    #[error("stale request: its nonce is {0} seconds from the clock")]
    Stale(i64),
    /// The signature is not one of this request by this sender.
    #[error("bad signature")]
    BadSignature,
    /// Used before.
    #[error("replayed request: its nonce was used before")]
    Replayed,
}

impl AuthError {
    /// The HTTP status: 403 for what is meant for others, 401 for the rest.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::WrongReceiver => 403,
            _ => 401,
        }
    }
}

/// What of a request is signed besides its sender.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// HTTP method, in any case.
    pub method: &'a str,
    /// Request target as sent: path and query.
    pub target: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// Nanoseconds since the epoch.
    pub nonce: u64,
    /// SS58 address of the receiver.
    pub receiver: Option<&'a str>,
}

impl Signed<'_> {
    /// The eight lines under the signature.
    #[must_use]
    pub fn payload(&self, crypto: Crypto, sender: &str) -> String {
        let Self { target, nonce, .. } = self;
        let (method, hash) = (self.method.to_ascii_uppercase(), sha256(self.body));
        let (scheme, receiver) = (crypto.name(), self.receiver.unwrap_or("-"));
        format!("btauth/1\n{scheme}\n{method}\n{target}\n{hash}\n{nonce}\n{sender}\n{receiver}")
    }

    /// The headers of a request by this key.
    #[must_use]
    pub fn sign(&self, keypair: &Keypair) -> Vec<(&'static str, String)> {
        let sender = keypair.ss58();
        let signature = keypair.sign(self.payload(Crypto::Sr25519, &sender).as_bytes());
        self.headers(Crypto::Sr25519, sender, &signature)
    }

    /// The headers of a request by an Ed25519 key.
    #[must_use]
    pub fn sign_ed25519(&self, key: &SigningKey) -> Vec<(&'static str, String)> {
        let sender = domain::ss58::encode(key.verifying_key().as_bytes());
        let signature = key.sign(self.payload(Crypto::Ed25519, &sender).as_bytes()).to_bytes();
        self.headers(Crypto::Ed25519, sender, &signature)
    }

    fn headers(&self, crypto: Crypto, sender: String, signature: &[u8; 64]) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (header::VERSION, VERSION.to_owned()),
            (header::HOTKEY, sender),
            (header::NONCE, self.nonce.to_string()),
            (header::SIGNATURE, format!("0x{}", hex::encode(signature))),
        ];
        headers.extend(self.receiver.map(|receiver| (header::RECEIVER, receiver.to_owned())));
        if crypto != Crypto::Sr25519 {
            headers.push((header::CRYPTO, crypto.name().to_owned()));
        }
        headers
    }
}

/// The headers of a request, read and not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Who it claims to be from, as an address and as a key.
    pub hotkey: String,
    public: [u8; 32],
    nonce: u64,
    signature: [u8; 64],
    receiver: Option<String>,
    crypto: Crypto,
}

impl Presented {
    /// Reads the headers; `get` gives the value of a header by its name in lower case.
    ///
    /// # Errors
    /// [`AuthError::Malformed`].
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, AuthError> {
        let malformed = |header, problem| AuthError::Malformed { header, problem };
        let text = |header: &'static str| match get(header).map(std::str::from_utf8) {
            None => Ok(None),
            Some(Ok(text)) if text.len() <= 160 => Ok(Some(text)),
            Some(_) => Err(malformed(header, "is no short text")),
        };
        let needed = |header| text(header)?.ok_or(malformed(header, "is missing"));
        if needed(header::VERSION)? != VERSION {
            return Err(malformed(header::VERSION, "is not 1"));
        }
        let hotkey = needed(header::HOTKEY)?;
        let public = domain::ss58::decode(hotkey).map_err(|_| malformed(header::HOTKEY, "is no ss58 address"))?;
        let digits = needed(header::NONCE)?;
        let is_number = digits.len() <= LONGEST_NONCE && digits.bytes().all(|digit| digit.is_ascii_digit());
        let nonce = digits.parse().ok().filter(|_| is_number).ok_or(malformed(header::NONCE, "is no number"))?;
        let signature = parse_signature(needed(header::SIGNATURE)?)
            .ok_or(malformed(header::SIGNATURE, "is not 0x and 128 hexadecimal digits"))?;
        let receiver = text(header::RECEIVER)?.map(str::to_owned);
        let crypto = match text(header::CRYPTO)? {
            None | Some("sr25519") => Crypto::Sr25519,
            Some("ed25519") => Crypto::Ed25519,
            Some(_) => return Err(malformed(header::CRYPTO, "names no known scheme")),
        };
        Ok(Self { hotkey: hotkey.to_owned(), public, nonce, signature, receiver, crypto })
    }
}

/// The rules of one receiver, and the nonces that were used there.
#[derive(Debug)]
pub struct Authenticator {
    own: String,
    receiver_needed: bool,
    nonces: Mutex<TimedNonces>,
}

impl Authenticator {
    /// The rules of the receiver with this SS58 address. Requests that name no receiver count only where none is needed.
    #[must_use]
    pub fn new(own: String, receiver_needed: bool, limits: NonceLimits) -> Self {
        Self { own, receiver_needed, nonces: Mutex::new(TimedNonces::new(limits)) }
    }

    /// Decides whether a request counts as its sender's, and uses its nonce up if it does.
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn verify(
        &self,
        presented: &Presented,
        (method, target, body): (&str, &str, &[u8]),
        now: u64,
    ) -> Result<Hotkey, AuthError> {
        let receiver = presented.receiver.as_deref();
        match receiver {
            Some(receiver) if receiver != self.own => return Err(AuthError::WrongReceiver),
            None if self.receiver_needed => return Err(AuthError::WrongReceiver),
            _ => {}
        }
        let nonce = presented.nonce;
        let oldest = now.saturating_sub(nanos(OLDEST));
        if nonce < oldest || nonce > now.saturating_add(nanos(AHEAD)) {
            let distance = (i128::from(now) - i128::from(nonce)) / 1_000_000_000;
            return Err(AuthError::Stale(i64::try_from(distance).unwrap_or_default()));
        }
        let payload = Signed { method, target, body, nonce, receiver }.payload(presented.crypto, &presented.hotkey);
        if !is_signed(presented, payload.as_bytes()) {
            return Err(AuthError::BadSignature);
        }
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if !nonces.use_up(&presented.public, nonce, (oldest.saturating_sub(1), now)) {
            return Err(AuthError::Replayed);
        }
        Ok(Hotkey::from_public(&presented.public))
    }
}

fn is_signed(presented: &Presented, payload: &[u8]) -> bool {
    match presented.crypto {
        Crypto::Sr25519 => keys::verify(&presented.public, payload, &presented.signature),
        Crypto::Ed25519 => VerifyingKey::from_bytes(&presented.public).is_ok_and(|key| {
            key.verify_strict(payload, &ed25519_dalek::Signature::from_bytes(&presented.signature)).is_ok()
        }),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_760_000_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn bob() -> String {
        Keypair::from_uri("//Bob").unwrap().ss58()
    }

    fn presented(headers: &[(&'static str, String)]) -> Result<Presented, AuthError> {
        Presented::read(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes()))
    }

    fn outcome(signed: &Signed<'_>, now: u64) -> Result<Hotkey, AuthError> {
        let headers = signed.sign(&Keypair::from_uri("//Alice").unwrap());
        let authenticator = Authenticator::new(bob(), true, NonceLimits::default());
        authenticator.verify(&presented(&headers)?, ("POST", "/Echo?x=1", b"body"), now)
    }

    #[test]
    fn both_kinds_of_key() {
        let bob = bob();
        let signed = Signed { method: "post", target: "/Echo?x=1", body: b"body", nonce: NOW, receiver: Some(&bob) };
        let alice = Keypair::from_uri("//Alice").unwrap();
        assert_eq!(outcome(&signed, NOW), Ok(alice.hotkey()));
        let key = SigningKey::from_bytes(&[7; 32]);
        let authenticator = Authenticator::new(bob.clone(), true, NonceLimits::default());
        let headers = signed.sign_ed25519(&key);
        let request = ("POST", "/Echo?x=1", &b"body"[..]);
        let read = presented(&headers).unwrap();
        assert_eq!(
            authenticator.verify(&read, request, NOW).unwrap().public().unwrap(),
            *key.verifying_key().as_bytes()
        );
        assert_eq!(authenticator.verify(&read, request, NOW), Err(AuthError::Replayed));
        // Under the other scheme's name the same bytes are no signature.
        let claimed: Vec<_> = headers.into_iter().filter(|(name, _)| *name != header::CRYPTO).collect();
        let authenticator = Authenticator::new(bob.clone(), true, NonceLimits::default());
        assert_eq!(authenticator.verify(&presented(&claimed).unwrap(), request, NOW), Err(AuthError::BadSignature));
    }

    #[test]
    fn each_rule_refuses() {
        let bob = bob();
        let alice = Keypair::from_uri("//Alice").unwrap().ss58();
        let good = Signed { method: "POST", target: "/Echo?x=1", body: b"body", nonce: NOW, receiver: Some(&bob) };
        for (signed, now, error) in [
            (Signed { receiver: None, ..good }, NOW, AuthError::WrongReceiver),
            (Signed { receiver: Some(&alice), ..good }, NOW, AuthError::WrongReceiver),
            (good, NOW + 11 * SECOND, AuthError::Stale(11)),
            (good, NOW - 3 * SECOND, AuthError::Stale(-3)),
            (Signed { method: "GET", ..good }, NOW, AuthError::BadSignature),
            (Signed { target: "/Echo", ..good }, NOW, AuthError::BadSignature),
            (Signed { body: b"other", ..good }, NOW, AuthError::BadSignature),
        ] {
            assert_eq!(outcome(&signed, now), Err(error.clone()), "{signed:?}");
            assert!([401, 403].contains(&error.status()));
        }
        assert!(outcome(&good, NOW + 10 * SECOND).is_ok() && outcome(&good, NOW - 2 * SECOND).is_ok());
    }

    #[test]
    fn headers_that_are_not_understood() {
        let good = Signed { method: "GET", target: "/", body: b"", nonce: NOW, receiver: None };
        let headers = good.sign(&Keypair::from_uri("//Alice").unwrap());
        for (name, value) in [
            (header::VERSION, "2"),
            (header::HOTKEY, "abc"),
            (header::NONCE, "-1"),
            (header::NONCE, "+1"),
            (header::NONCE, "99999999999999999999"),
            (header::SIGNATURE, "0x00"),
            (header::CRYPTO, "ecdsa"),
        ] {
            let mut changed: Vec<_> = headers.iter().filter(|(known, _)| *known != name).cloned().collect();
            if name != header::CRYPTO {
                assert!(presented(&changed).is_err(), "without {name}");
            }
            changed.push((name, value.to_owned()));
            assert!(presented(&changed).is_err(), "{name}: {value}");
        }
    }

    proptest! {
        #[test]
        fn no_headers_make_it_panic(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 6)) {
            let names = [header::VERSION, header::HOTKEY, header::NONCE, header::SIGNATURE, header::RECEIVER, header::CRYPTO];
            let _ = Presented::read(|name| {
                let at = names.iter().position(|known| *known == name)?;
                if at == 0 { Some(b"1") } else { values.get(at).map(Vec::as_slice) }
            });
        }
    }
}
