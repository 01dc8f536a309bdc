//! A miner's RSA key, under which validators bring symmetric keys: RSA-2048, OAEP with SHA-256 for both hashes, no label.
//!
//! RFC 8017, section 7.1. **About timing** (RUSTSEC-2023-0071): the `rsa` crate's arithmetic is not constant in time, and
//! with enough measurements over the network a private key might be recovered. What limits that here: every decryption is
//! blinded with fresh randomness; only callers whose signature verified and who are admitted get one; the key lives as long
//! as the process and protects nothing but keys that live for hours at most; failures of every kind have one answer. There
//! is no other implementation of OAEP decryption without a C library.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts as _;
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use zeroize::Zeroizing;

use crate::Error;
use crate::random::generator;

const BITS: usize = 2048;
/// The PEM of an RSA-4096 public key has 800 characters.
const MAXIMUM_PEM: usize = 4096;
/// What is accepted of others' keys, in bytes of the modulus: 1024 to 4096 bits.
const SIZES: std::ops::RangeInclusive<usize> = 128..=512;
/// Base64 or hexadecimal of 512 bytes.
const MAXIMUM_TEXT: usize = 1024;

/// The private key. Wiped when dropped; its `Debug` shows nothing of it.
pub struct MinerKey {
    key: RsaPrivateKey,
    public_pem: String,
}

impl std::fmt::Debug for MinerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MinerKey")
    }
}

impl MinerKey {
    /// A new key of 2048 bits. Takes up to a second.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none, [`Error::Rsa`] when no key could be made.
    pub fn generate() -> Result<Self, Error> {
        let key = RsaPrivateKey::new(&mut generator()?, BITS).map_err(|_| Error::Rsa("no key could be made"))?;
        Self::new(key)
    }

    /// A key from its PKCS#8 form in PEM.
    ///
    /// # Errors
    /// [`Error::Rsa`] when it is not one, or of an unusual size.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        if pem.len() > MAXIMUM_PEM {
            return Err(Error::Rsa("the key's text is too long"));
        }
        Self::new(RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| Error::Rsa("it is no private key in PKCS#8"))?)
    }

    fn new(key: RsaPrivateKey) -> Result<Self, Error> {
        if !SIZES.contains(&key.size()) {
            return Err(Error::Rsa("the key has not between 1024 and 4096 bits"));
        }
        let pem = key.to_public_key().to_public_key_pem(LineEnding::LF);
        Ok(Self { public_pem: pem.map_err(|_| Error::Rsa("the public key has no text"))?, key })
    }

    /// The public key in PEM (`SubjectPublicKeyInfo`), for everybody.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// What was encrypted for this key; `None` for anything else, whatever is wrong with it.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none to blind with.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        if ciphertext.len() != self.key.size() {
            return Ok(None);
        }
        let opened = self.key.decrypt_blinded(&mut generator()?, Oaep::new::<Sha256>(), ciphertext);
        Ok(opened.ok().map(Zeroizing::new))
    }
}

/// Encrypts `secret` for the key in `pem`, which comes from another end.
///
/// # Errors
/// [`Error::Rsa`] when it is no public key, of an unusual size, or too small for the secret.
pub fn encrypt(pem: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
    if pem.len() > MAXIMUM_PEM {
        return Err(Error::Rsa("the key's text is too long"));
    }
    let key = RsaPublicKey::from_public_key_pem(pem).map_err(|_| Error::Rsa("it is no public key in PEM"))?;
    if !SIZES.contains(&key.size()) {
        return Err(Error::Rsa("the key has not between 1024 and 4096 bits"));
    }
    let encrypted = key.encrypt(&mut generator()?, Oaep::new::<Sha256>(), secret);
    encrypted.map_err(|_| Error::Rsa("the key cannot encrypt this"))
}

/// Bytes from base64, bounded.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    (text.len() <= MAXIMUM_TEXT).then(|| STANDARD.decode(text).ok()).flatten()
}

/// Bytes from hexadecimal, bounded.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (digits.len() <= MAXIMUM_TEXT).then(|| hex::decode(digits).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_encrypted_for_a_key_opens_with_it_alone() {
        let (key, other) = (MinerKey::generate().unwrap(), MinerKey::generate().unwrap());
        assert!(key.public_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
        let encrypted = encrypt(key.public_pem(), b"secret").unwrap();
        assert_eq!((encrypted.len(), key.decrypt(&encrypted).unwrap().unwrap().as_slice()), (256, &b"secret"[..]));
        assert!(other.decrypt(&encrypted).unwrap().is_none());
        let mut changed = encrypted.clone();
        changed[100] ^= 1;
        for bad in [&changed[..], &encrypted[1..], b"", &[0; 256], &[0xff; 256]] {
            assert!(key.decrypt(bad).unwrap().is_none());
        }
        assert_eq!(format!("{key:?}"), "MinerKey");
    }

    #[test]
    fn keys_of_others_are_looked_at_first() {
        let pem = MinerKey::generate().unwrap().public_pem().to_owned();
        for bad in ["", "-----BEGIN PUBLIC KEY-----\n", &pem[..100], &pem.replace('M', "N"), &"A".repeat(5000)] {
            assert!(matches!(encrypt(bad, b"secret"), Err(Error::Rsa(_))));
        }
        assert!(encrypt(&pem, &[0; 200]).is_err(), "190 bytes fit");
        assert!(MinerKey::from_pem(&pem).is_err() && MinerKey::from_pem(&"A".repeat(5000)).is_err());
    }
}
