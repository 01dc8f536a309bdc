//! Timelock encryption: anybody encrypts for a round, the beacon's signature over that round decrypts.
//!
//! The scheme is Boneh–Franklin identity-based encryption (FullIdent) of a fresh AES-256-GCM key, as the chain reads it. Bytes:
//! u (G2, 96) | 32 as u64 LE | v (32) | 32 | w (32) | length of body | body | 8 | `AES_GCM_`, where body = length | ciphertext with
//! its tag of 16 bytes | 12 | nonce.

use ::timelock::curves::drand::TinyBLS381;
use ::timelock::stream_ciphers::AESGCMStreamCipherProvider;
use ::timelock::tlock::{Error as TimelockError, TLECiphertext, tld, tle};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use parity_scale_codec::{Decode, Encode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zeroize::Zeroize;

use crate::beacon::identity;
use crate::{COMMIT_BYTES_MAXIMUM, Error, PublicKey, Signature};

const SUITE: &[u8] = b"AES_GCM_";
const POINT: usize = 96;
const LENGTH: usize = 8;
const KEY: usize = 32;
const TAG: usize = 16;
const NONCE: usize = 12;
/// What encryption adds to a payload.
pub const OVERHEAD: usize =
    POINT + 2 * (LENGTH + KEY) + LENGTH + (LENGTH + TAG + LENGTH + NONCE) + LENGTH + SUITE.len();
/// The longest payload whose ciphertext the chain takes.
pub const PAYLOAD_BYTES_MAXIMUM: usize = COMMIT_BYTES_MAXIMUM - OVERHEAD;

/// Encrypts a payload for a round. The same `randomness` gives the same bytes, so it must be fresh and secret: 32 bytes of the
/// operating system.
///
/// # Errors
/// A payload whose ciphertext the chain would not take.
pub fn encrypt(payload: &[u8], round: u64, public_key: &PublicKey, randomness: [u8; 32]) -> Result<Vec<u8>, Error> {
    if payload.len() > PAYLOAD_BYTES_MAXIMUM {
        return Err(Error::TooLong { field: "payload", found: payload.len(), maximum: PAYLOAD_BYTES_MAXIMUM });
    }
    let mut stream = ChaCha20Rng::from_seed(randomness);
    let mut key = [0; KEY];
    stream.fill_bytes(&mut key);
    let sealed = tle::<TinyBLS381, AESGCMStreamCipherProvider, _>(public_key.0, key, payload, identity(round), stream);
    key.zeroize();
    let mut bytes = Vec::with_capacity(OVERHEAD + payload.len());
    sealed.map_err(|_| Error::Encryption)?.serialize_compressed(&mut bytes).map_err(|_| Error::Encryption)?;
    Ok(bytes)
}

/// Opens a ciphertext with the beacon's signature over its round.
///
/// # Errors
/// Bytes that are no ciphertext, or a signature that does not open it.
pub fn decrypt(ciphertext: &[u8], signature: &Signature) -> Result<Vec<u8>, Error> {
    check_layout(ciphertext)?;
    let sealed = TLECiphertext::<TinyBLS381>::deserialize_compressed(ciphertext)
        .map_err(|_| Error::Ciphertext { problem: "u is no point of G2", at: 0 })?;
    tld::<TinyBLS381, AESGCMStreamCipherProvider>(sealed, signature.0).map_err(|error| match error {
        TimelockError::DeserializationError => Error::Ciphertext { problem: "the body is cut short", at: POINT },
        _ => Error::WrongSignature,
    })
}

/// Checks every length, so that nothing is allocated or read by a length that the bytes do not have.
fn check_layout(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > COMMIT_BYTES_MAXIMUM {
        return Err(Error::TooLong { field: "ciphertext", found: bytes.len(), maximum: COMMIT_BYTES_MAXIMUM });
    }
    let mut at = POINT;
    expect_block(bytes, &mut at, KEY, "v has not 32 bytes")?;
    expect_block(bytes, &mut at, KEY, "w has not 32 bytes")?;
    let body = length(bytes, &mut at)?;
    let end = at + body;
    let inner = length(bytes, &mut at)?;
    if inner < TAG {
        return Err(Error::Ciphertext { problem: "the ciphertext is shorter than its tag", at });
    }
    at += inner;
    expect_block(bytes, &mut at, NONCE, "the nonce has not 12 bytes")?;
    if at != end {
        return Err(Error::Ciphertext { problem: "the body ends elsewhere than it says", at });
    }
    expect_block(bytes, &mut at, SUITE.len(), "the cipher suite has not 8 bytes")?;
    if !bytes.ends_with(SUITE) {
        return Err(Error::Ciphertext { problem: "the cipher suite is not AES_GCM_", at: at - SUITE.len() });
    }
    if at != bytes.len() {
        return Err(Error::Ciphertext { problem: "bytes are left over", at });
    }
    Ok(())
}

/// A length that the remaining bytes have; moves behind it.
fn length(bytes: &[u8], at: &mut usize) -> Result<usize, Error> {
    let short = Error::Ciphertext { problem: "the bytes end early", at: *at };
    let field: [u8; LENGTH] =
        bytes.get(*at..*at + LENGTH).and_then(|field| field.try_into().ok()).ok_or_else(|| short.clone())?;
    *at += LENGTH;
    match usize::try_from(u64::from_le_bytes(field)) {
        Ok(length) if length <= bytes.len() - *at => Ok(length),
        _ => Err(short),
    }
}

/// A block of a known length; moves behind it.
fn expect_block(bytes: &[u8], at: &mut usize, expected: usize, problem: &'static str) -> Result<(), Error> {
    let start = *at;
    let found = length(bytes, at)?;
    if found != expected {
        return Err(Error::Ciphertext { problem, at: start });
    }
    *at += found;
    Ok(())
}

/// A ciphertext with its round, as general-purpose tools pass it on: SCALE of (bytes, u64). The chain takes it without.
pub fn seal_envelope(ciphertext: &[u8], round: u64) -> Vec<u8> {
    (ciphertext, round).encode()
}

/// Takes an envelope off: the ciphertext and its round.
///
/// # Errors
/// Bytes that are no envelope of a ciphertext.
pub fn open_envelope(mut bytes: &[u8]) -> Result<(Vec<u8>, u64), Error> {
    // A length of up to four bytes, and the round.
    const AROUND: usize = 12;
    if bytes.len() > COMMIT_BYTES_MAXIMUM + AROUND {
        return Err(Error::TooLong { field: "envelope", found: bytes.len(), maximum: COMMIT_BYTES_MAXIMUM + AROUND });
    }
    let opened = <(Vec<u8>, u64)>::decode(&mut bytes);
    match opened {
        Ok((ciphertext, round)) if bytes.is_empty() => check_layout(&ciphertext).map(|()| (ciphertext, round)),
        _ => Err(Error::Ciphertext { problem: "it is no envelope of bytes and a round", at: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BeaconKey, QUICKNET};
    use proptest::prelude::*;

    fn beacon() -> (PublicKey, Signature, Signature) {
        let secret = BeaconKey::from_seed(&[9; 32]);
        let signature = |round| Signature::from_bytes(&secret.pulse(round).unwrap().signature).unwrap();
        (PublicKey::from_bytes(&secret.public_key().unwrap()).unwrap(), signature(5), signature(6))
    }

    #[test]
    fn a_round_opens_what_was_made_for_it_alone() {
        let (key, signature, later) = beacon();
        for payload in [&b""[..], b"weights", &[7; PAYLOAD_BYTES_MAXIMUM]] {
            let sealed = encrypt(payload, 5, &key, [3; 32]).unwrap();
            assert_eq!(sealed.len(), OVERHEAD + payload.len());
            assert_eq!(decrypt(&sealed, &signature).as_deref(), Ok(payload));
            assert_eq!(decrypt(&sealed, &later), Err(Error::WrongSignature));
            assert_ne!(encrypt(payload, 5, &key, [4; 32]).unwrap(), sealed);
        }
        let long = vec![0; PAYLOAD_BYTES_MAXIMUM + 1];
        assert!(matches!(encrypt(&long, 5, &key, [3; 32]), Err(Error::TooLong { .. })));
        let quicknet = PublicKey::from_bytes(&QUICKNET.public_key).unwrap();
        let foreign = encrypt(b"weights", 5, &quicknet, [3; 32]).unwrap();
        assert_eq!(decrypt(&foreign, &signature), Err(Error::WrongSignature));
    }

    #[test]
    fn lengths_that_the_bytes_do_not_have_are_refused() {
        let (key, signature, _) = beacon();
        let sealed = encrypt(b"weights", 5, &key, [3; 32]).unwrap();
        // v, w, body, ciphertext, nonce, suite.
        for at in [96, 136, 176, 184, 184 + 8 + 23, sealed.len() - 16] {
            for forged in [0, 1, 13, 33, 5000, u64::MAX, u64::MAX / 2, 1 << 40] {
                let mut bytes = sealed.clone();
                bytes[at..at + 8].copy_from_slice(&forged.to_le_bytes());
                assert!(matches!(decrypt(&bytes, &signature), Err(Error::Ciphertext { .. })), "{at} {forged}");
            }
        }
        for end in 0..sealed.len() {
            assert!(matches!(decrypt(&sealed[..end], &signature), Err(Error::Ciphertext { .. })), "{end}");
        }
        assert!(decrypt(&[sealed.as_slice(), &[0]].concat(), &signature).is_err());
        assert!(matches!(decrypt(&[0; COMMIT_BYTES_MAXIMUM + 1], &signature), Err(Error::TooLong { .. })));
    }

    #[test]
    fn an_envelope_carries_the_round() {
        let (key, ..) = beacon();
        let sealed = encrypt(b"weights", 5, &key, [3; 32]).unwrap();
        let envelope = seal_envelope(&sealed, 5);
        assert_eq!(open_envelope(&envelope), Ok((sealed.clone(), 5)));
        assert!(open_envelope(&sealed).is_err());
        assert!(open_envelope(&envelope[..envelope.len() - 1]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_changed_byte_is_noticed(at in 0usize..251, mask in 1u8..) {
            let (key, signature, _) = beacon();
            let mut sealed = encrypt(b"weights", 5, &key, [3; 32]).unwrap();
            sealed[at] ^= mask;
            prop_assert!(decrypt(&sealed, &signature).is_err());
        }
    }
}
