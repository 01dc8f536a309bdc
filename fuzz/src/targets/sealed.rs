//! What is encrypted: timelocked commits and their payloads, and the key files of wallets.
//!
//! `$NACL` and Fernet key files are opened under the key that a password would be stretched to: the stretching takes a second, and
//! reads nothing of the file.

use std::sync::LazyLock;

use commit_reveal::timelock::OVERHEAD;
use commit_reveal::{
    BeaconKey, Payload, PublicKey, Signature, Weights, decrypt, encrypt, open_envelope, seal_envelope,
};
use network::fernet::FernetKey;
use network::keys::Keypair;
use network::wallet::keyfile;
use network::wallet::phrase::Phrase;
use network::wallet::sealing::{Sealing, seal_under};

use super::{choice, choosing};

const ROUND: u64 = 1000;
const HOTKEY: [u8; 32] = [7; 32];

/// The key of a beacon of our own and its signature over the round.
static BEACON: LazyLock<Option<(PublicKey, Signature)>> = LazyLock::new(|| {
    let key = BeaconKey::from_seed(&[9; 32]);
    let public = PublicKey::from_bytes(&key.public_key().ok()?).ok()?;
    Some((public, Signature::from_bytes(&key.pulse(ROUND).ok()?.signature).ok()?))
});

fn weights() -> Weights {
    Weights { uids: vec![0, 1, 255], values: vec![65_535, 1, 300], version_key: 7 }
}

fn payloads() -> [Vec<u8>; 3] {
    [Payload::new(&HOTKEY, weights()).to_bytes(), weights().to_bytes(), Vec::new()]
}

#[derive(Clone, Copy)]
enum Timelocked {
    Ciphertext,
    Envelope,
    Payload,
    Point,
}

const TIMELOCKED: [Timelocked; 4] =
    [Timelocked::Ciphertext, Timelocked::Envelope, Timelocked::Payload, Timelocked::Point];

pub(super) fn timelock_seeds() -> Vec<Vec<u8>> {
    let Some((public, _)) = BEACON.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    for payload in payloads() {
        found.push(choosing(2, &payload));
        let Ok(sealed) = encrypt(&payload, ROUND, public, [3; 32]) else { continue };
        found.push(choosing(1, &seal_envelope(&sealed, ROUND)));
        found.push(choosing(0, &sealed));
    }
    let key = BeaconKey::from_seed(&[9; 32]);
    found.extend(key.public_key().map(|public| choosing(3, &public)));
    found.extend(key.pulse(ROUND).map(|pulse| choosing(3, &pulse.signature)));
    found
}

/// Only a payload that was sealed comes out; what is read is written back as the same bytes.
pub(super) fn timelock(input: &[u8]) -> bool {
    let Some(((_, signature), (kind, bytes))) = BEACON.as_ref().zip(choice(&TIMELOCKED, input)) else { return false };
    match kind {
        Timelocked::Ciphertext => {
            let Ok(payload) = decrypt(bytes, signature) else { return false };
            assert!(payload.len() + OVERHEAD == bytes.len() && payloads().contains(&payload));
        }
        Timelocked::Envelope => {
            let Ok((ciphertext, round)) = open_envelope(bytes) else { return false };
            assert_eq!(seal_envelope(&ciphertext, round), bytes);
        }
        Timelocked::Payload => {
            let read = Payload::from_bytes(bytes);
            assert!(read.as_ref().is_ok_and(|read| read.to_bytes() == bytes) || read.is_err());
            let Ok(weights) = Weights::from_bytes(bytes, &HOTKEY) else { return read.is_ok() };
            let written = weights.to_bytes();
            assert!(written == bytes || read.is_ok_and(|read| read.hotkey == HOTKEY));
        }
        Timelocked::Point => {
            let public = bytes.try_into().ok().map(|bytes| PublicKey::from_bytes(&bytes));
            if let Some(Ok(public)) = public {
                let _ = public.verifies(ROUND, signature);
                return true;
            }
            return bytes.try_into().is_ok_and(|bytes| Signature::from_bytes(&bytes).is_ok());
        }
    }
    true
}

const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

pub(super) fn key_file_seeds() -> Vec<Vec<u8>> {
    let mut found = vec![PHRASE.as_bytes().to_vec()];
    if let Ok(key) = Keypair::from_uri("//Alice") {
        found.extend(keyfile::write(&key, None).map(|text| text.to_vec()));
        found.extend(keyfile::write_public(&key.public()));
        found.push(key.ss58().into_bytes());
        found.push(format!("0x{}", hex::encode(key.public())).into_bytes());
    }
    if let Ok(phrase) = Phrase::parse(PHRASE)
        && let Ok(key) = phrase.keypair()
    {
        found.extend(keyfile::write(&key, Some(&phrase)).map(|text| text.to_vec()));
    }
    found
}

/// A key that is read can be written and is the same when it is read again.
pub(super) fn key_file(input: &[u8]) -> bool {
    let secret = keyfile::parse(input);
    if let Ok(key) = &secret {
        let again = keyfile::write(key, None).and_then(|text| keyfile::parse(&text));
        assert_eq!(again.map(|key| key.public()).ok(), Some(key.public()));
    }
    let public = keyfile::parse_public(input);
    if let Ok(key) = &public {
        let again = keyfile::write_public(key).and_then(|text| keyfile::parse_public(&text));
        assert_eq!(again.ok().as_ref(), Some(key));
    }
    let phrase = std::str::from_utf8(input).is_ok_and(|text| Phrase::parse(text).is_ok());
    let _ = Sealing::of(input);
    secret.is_ok() || public.is_ok() || phrase
}

const ANSIBLE: &[u8] = include_bytes!("../../../network/src/wallet/golden/coldkey.ansible");

pub(super) fn vault_seeds() -> Vec<Vec<u8>> {
    vec![ANSIBLE.to_vec()]
}

/// An Ansible vault is opened with a wrong password: its layout is read, and then nothing comes out.
pub(super) fn vault(input: &[u8]) -> bool {
    let found = Sealing::of(input) == Some(Sealing::AnsibleVault);
    if found {
        assert!(Sealing::AnsibleVault.open(input, b"another password").is_err());
    }
    found
}

/// What the password of the seeds' files would be stretched to.
const STRETCHED: [u8; 32] = [5; 32];

pub(super) fn sealed_file_seeds() -> Vec<Vec<u8>> {
    let token = FernetKey::from_bytes(STRETCHED).seal_with(PHRASE.as_bytes(), 1_760_000_000, &[3; 16]);
    let nacl = seal_under(PHRASE.as_bytes(), &STRETCHED, &[9; 24]);
    token.into_iter().map(String::into_bytes).chain([nacl]).collect()
}

/// Only what was sealed comes out of a key file.
pub(super) fn sealed_file(input: &[u8]) -> bool {
    let Some(form) = Sealing::of(input) else { return false };
    let opened = form.open_under(input, &STRETCHED);
    assert!(opened.as_ref().is_ok_and(|found| found.as_slice() == PHRASE.as_bytes()) || opened.is_err());
    opened.is_ok()
}
