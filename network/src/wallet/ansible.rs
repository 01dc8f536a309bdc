//! Ansible vaults: how Bittensor's tools once encrypted key files. Read only.
//!
//! `$ANSIBLE_VAULT;1.1;AES256`, then hexadecimal of three lines that are hexadecimal again: salt, authenticator, ciphertext.
//! PBKDF2-HMAC-SHA256 with 10,000 rounds gives the key of AES-256 in counter mode, the key of HMAC-SHA256 over the
//! ciphertext, and the first counter; the plaintext is padded (PKCS#7) though counter mode would not need it.
//! <https://docs.ansible.com/ansible/latest/vault_guide/vault_using_encrypted_content.html#ansible-vault-payload-format-1-1-1-2>

use aes::Aes256;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::sealing::{Sealing, WRONG};
use crate::Error;

pub(super) const MARK: &[u8] = b"$ANSIBLE_VAULT";
const ROUNDS: u32 = 10_000;
const BLOCK: u8 = 16;

/// Salt, authenticator and ciphertext.
type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);

pub(super) fn open(bytes: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged =
        || Sealing::AnsibleVault.fault("the file is damaged, or of another version than 1.1 and 1.2 with AES256");
    let (salt, stated, ciphertext) = parts(bytes).ok_or_else(damaged)?;
    let mut keys = Zeroizing::new([0; 80]);
    pbkdf2_hmac::<Sha256>(password, &salt, ROUNDS, keys.as_mut_slice());
    let mut authenticator = Hmac::<Sha256>::new_from_slice(&keys[32..64]).map_err(|_| damaged())?;
    authenticator.update(&ciphertext);
    authenticator.verify_slice(&stated).map_err(|_| Sealing::AnsibleVault.fault(WRONG))?;
    let mut stream = ctr::Ctr128BE::<Aes256>::new_from_slices(&keys[..32], &keys[64..]).map_err(|_| damaged())?;
    let mut plaintext = Zeroizing::new(ciphertext);
    stream.apply_keystream(&mut plaintext);
    let padding = plaintext.last().copied().filter(|count| (1..=BLOCK).contains(count)).ok_or_else(damaged)?;
    let length = plaintext.len().checked_sub(usize::from(padding)).ok_or_else(damaged)?;
    if plaintext[length..].iter().any(|byte| *byte != padding) {
        return Err(damaged());
    }
    plaintext.truncate(length);
    Ok(plaintext)
}

fn parts(bytes: &[u8]) -> Option<Parts> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let mut heading = lines.next()?.trim_end().split(';');
    let known = heading.next() == Some("$ANSIBLE_VAULT")
        && matches!(heading.next(), Some("1.1" | "1.2"))
        && heading.next() == Some("AES256");
    if !known {
        return None;
    }
    let inner = hex::decode(lines.map(str::trim).collect::<String>()).ok()?;
    let mut fields = inner.split(|byte| *byte == b'\n').map(|field| hex::decode(field).ok());
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(salt), Some(authenticator), Some(ciphertext), None) => Some((salt?, authenticator?, ciphertext?)),
        _ => None,
    }
}
