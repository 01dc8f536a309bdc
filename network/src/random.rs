//! The operating system's randomness: keys, nonces, names. Nothing else in this crate is random.

use rsa::rand_core::{CryptoRng, OsRng, RngCore};

use crate::Error;

/// Fills `bytes`.
///
/// # Errors
/// [`Error::Randomness`] when the system gives none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Randomness(error.to_string()))
}

/// The generator for crates that draw by themselves. It has no way to report a failure, so the system is asked once before.
pub(crate) fn generator() -> Result<impl CryptoRng + RngCore, Error> {
    fill(&mut [0; 1])?;
    Ok(OsRng)
}

/// A random (version 4) UUID in its usual form of 36 characters, RFC 9562, section 5.4.
pub(crate) fn uuid() -> Result<String, Error> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(groups.join("-"))
}

/// `length` letters and digits.
pub(crate) fn alphanumeric(length: usize) -> Result<String, Error> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // Bytes from 248 = 4 · 62 on would favour the first letters.
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        fill(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]));
        text.extend(fair.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn uuids_and_texts_have_their_forms() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let uuid = uuid().unwrap();
            assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
            assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
            assert!(seen.insert(uuid));
            let text = alphanumeric(10).unwrap();
            assert!(text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
            assert!(seen.insert(text));
        }
        assert_eq!(alphanumeric(100).unwrap().len(), 100);
        assert_eq!(alphanumeric(0).unwrap(), "");
    }
}
