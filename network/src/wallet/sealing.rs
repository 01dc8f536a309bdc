//! The envelopes in which Bittensor's tools encrypt key files.
//!
//! - `$NACL`: 24-byte nonce, then a secretbox of libsodium (XSalsa20-Poly1305); the key is Argon2i of the password with the
//!   parameters that libsodium calls sensitive and one salt for everybody. Read and written.
//! - `$ANSIBLE_VAULT`: Ansible vault 1.1 and 1.2. Read.
//! - Fernet token (`gAAAAA…`) under PBKDF2 of the password, from the first releases. Read.
//!
//! Secretbox: <https://nacl.cr.yp.to/secretbox.html>; Argon2: RFC 9106, version 1.3.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use pbkdf2::pbkdf2_hmac;
use poly1305::{Poly1305, universal_hash::KeyInit};
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use super::ansible;
use crate::{Error, fernet::FernetKey};

const NACL: &[u8] = b"$NACL";
const NONCE: usize = 24;
const TAG: usize = 16;

/// libsodium's `MEMLIMIT_SENSITIVE` of Argon2i, 512 MiB, in blocks of 1 KiB.
const MEMORY_BLOCKS: u32 = 512 * 1024;
/// libsodium's `OPSLIMIT_SENSITIVE` of Argon2i.
const PASSES: u32 = 8;
/// The salt of every `$NACL` file.
const SALT: [u8; 16] = [0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1];

const FERNET: &[u8] = b"gAAAAA";
const FERNET_SALT: &[u8] = b"Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins";
const FERNET_ROUNDS: u32 = 10_000_000;

/// Longer than anyone types; bounds what a hostile environment can make us hash.
const MAXIMUM_PASSWORD: usize = 1024;

/// How a key file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// libsodium's secretbox, what today's tools write.
    Nacl,
    /// An Ansible vault of format 1.1 or 1.2.
    AnsibleVault,
    /// A Fernet token.
    Fernet,
}

impl Sealing {
    /// The envelope that `bytes` begin with; `None` when they are plain.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let marks = [(NACL, Self::Nacl), (ansible::MARK, Self::AnsibleVault), (FERNET, Self::Fernet)];
        marks.into_iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, form)| form)
    }

    /// The envelope's name, as Bittensor's tools say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nacl => "NaCl",
            Self::AnsibleVault => "Ansible Vault",
            Self::Fernet => "Fernet",
        }
    }

    /// What the envelope holds. Takes some seconds and, for [`Self::Nacl`], half a gigabyte of memory.
    ///
    /// # Errors
    /// [`Error::Sealing`] when the password is wrong or the envelope is damaged, which cannot be told apart, or when there is
    /// not enough memory.
    pub fn open(self, bytes: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if password.len() > MAXIMUM_PASSWORD {
            return Err(self.fault("the password has more than 1,024 bytes"));
        }
        match self {
            Self::Nacl => open_nacl(bytes, password),
            Self::AnsibleVault => ansible::open(bytes, password),
            Self::Fernet => open_fernet(bytes, password, FERNET_ROUNDS),
        }
    }

    /// What an envelope of [`Self::Nacl`] or [`Self::Fernet`] holds, under the key that its password was stretched to.
    ///
    /// # Errors
    /// As [`Self::open`]; an Ansible vault makes three keys of its password and opens under none.
    pub fn open_under(self, bytes: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Nacl => open_secretbox(&parts(bytes)?, key),
            Self::AnsibleVault => Err(self.fault("it opens under a password only")),
            Self::Fernet => open_token(token(bytes)?, key),
        }
    }

    pub(super) fn fault(self, reason: &'static str) -> Error {
        Error::Sealing { form: self.name(), reason }
    }
}

/// Why an envelope does not open: its authenticator does not fit, and nothing more can be known.
pub(super) const WRONG: &str = "the password is wrong, or the file was changed";

/// Encrypts the content of a key file as `$NACL`.
///
/// # Errors
/// [`Error::Randomness`], or [`Error::Sealing`] when there is not enough memory or the password is too long.
pub fn seal(plaintext: &[u8], password: &[u8]) -> Result<Vec<u8>, Error> {
    if password.len() > MAXIMUM_PASSWORD {
        return Err(Sealing::Nacl.fault("the password has more than 1,024 bytes"));
    }
    let mut nonce = [0; NONCE];
    crate::random::fill(&mut nonce)?;
    Ok(seal_under(plaintext, &*stretched(password)?, &nonce))
}

/// As [`seal`], under the key that a password was stretched to. A nonce is for one content.
#[must_use]
pub fn seal_under(plaintext: &[u8], key: &[u8; 32], nonce: &[u8; NONCE]) -> Vec<u8> {
    let (mut stream, authenticator) = secretbox(key, nonce);
    let mut ciphertext = plaintext.to_vec();
    stream.apply_keystream(&mut ciphertext);
    let tag = authenticator.compute_unpadded(&ciphertext);
    [NACL, nonce, tag.as_slice(), &ciphertext].concat()
}

/// The parts of a `$NACL` file.
struct Parts<'a> {
    nonce: &'a [u8; NONCE],
    tag: &'a [u8; TAG],
    ciphertext: &'a [u8],
}

fn parts(bytes: &[u8]) -> Result<Parts<'_>, Error> {
    let damaged = || Sealing::Nacl.fault("the file is cut off");
    let rest = bytes.strip_prefix(NACL).ok_or_else(damaged)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
    let (tag, ciphertext) = rest.split_first_chunk::<TAG>().ok_or_else(damaged)?;
    Ok(Parts { nonce, tag, ciphertext })
}

fn open_nacl(bytes: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    // What is cut off is not worth stretching a password.
    let parts = parts(bytes)?;
    open_secretbox(&parts, &*stretched(password)?)
}

fn open_secretbox(parts: &Parts<'_>, key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (mut stream, authenticator) = secretbox(key, parts.nonce);
    let tag = authenticator.compute_unpadded(parts.ciphertext);
    // Every byte is looked at, whatever the first one said.
    if tag.iter().zip(parts.tag).fold(0, |all, (ours, theirs)| all | (ours ^ theirs)) != 0 {
        return Err(Sealing::Nacl.fault(WRONG));
    }
    let mut plaintext = Zeroizing::new(parts.ciphertext.to_vec());
    stream.apply_keystream(&mut plaintext);
    Ok(plaintext)
}

/// The key stream after its first 32 bytes, which are the authenticator's one-time key.
fn secretbox(key: &[u8; 32], nonce: &[u8; NONCE]) -> (XSalsa20, Poly1305) {
    let mut stream = XSalsa20::new(&(*key).into(), &(*nonce).into());
    let mut once = Zeroizing::new([0; 32]);
    stream.apply_keystream(once.as_mut_slice());
    (stream, Poly1305::new(&(*once).into()))
}

fn stretched(password: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    let unusable = |_| Sealing::Nacl.fault("the password cannot be used");
    let parameters = Params::new(MEMORY_BLOCKS, PASSES, 1, Some(32)).map_err(unusable)?;
    let mut memory: Vec<Block> = Vec::new();
    let blocks = parameters.block_count();
    memory.try_reserve_exact(blocks).map_err(|_| Sealing::Nacl.fault("it needs 512 MiB of memory, free some"))?;
    memory.resize(blocks, Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let argon = Argon2::new(Algorithm::Argon2i, Version::V0x13, parameters);
    let outcome = argon.hash_password_into_with_memory(password, &SALT, key.as_mut_slice(), &mut memory);
    memory.iter_mut().for_each(|block| block.as_mut().zeroize());
    outcome.map_err(unusable)?;
    Ok(key)
}

fn token(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Sealing::Fernet.fault("the file is damaged"))
}

fn open_fernet(bytes: &[u8], password: &[u8], rounds: u32) -> Result<Zeroizing<Vec<u8>>, Error> {
    let token = token(bytes)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha256>(password, FERNET_SALT, rounds, key.as_mut_slice());
    open_token(token, &key)
}

fn open_token(token: &str, key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let opened = FernetKey::from_bytes(*key).open(token, None).map_err(|_| Sealing::Fernet.fault(WRONG))?;
    Ok(Zeroizing::new(opened))
}

#[cfg(test)]
mod tests;
