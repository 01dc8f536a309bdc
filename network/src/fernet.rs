//! Fernet tokens: the envelope of payloads in the fiber dialect.
//!
//! `0x80 ‖ seconds (u64) ‖ IV ‖ AES-128-CBC with PKCS#7 ‖ HMAC-SHA256`, in URL-safe base64; the first half of the key signs,
//! the second encrypts. A token is only decrypted once its signature holds.
//! <https://github.com/fernet/spec/blob/master/Spec.md>

use aes::Aes128;
use base64::{Engine, engine::general_purpose::URL_SAFE};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;

const VERSION: u8 = 0x80;
/// Version, seconds and IV.
const HEAD: usize = 1 + 8 + 16;
const SIGNATURE: usize = 32;
const BLOCK: usize = 16;
/// Clocks may differ by this much: a token from further ahead is refused where its age is checked.
const MAXIMUM_SKEW_SECONDS: u64 = 60;

/// A symmetric key that two ends share. Wiped when dropped; its `Debug` shows nothing of it.
pub struct FernetKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FernetKey")
    }
}

impl FernetKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none.
    pub fn generate() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The key in its text form: 32 bytes in URL-safe base64.
    ///
    /// # Errors
    /// [`Error::Fernet`] for another form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = Zeroizing::new(URL_SAFE.decode(text).map_err(|_| Error::Fernet("the key is not base64"))?);
        let key = bytes.as_slice().try_into().map_err(|_| Error::Fernet("the key has not 32 bytes"))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The key of 32 bytes: the first half signs, the second encrypts.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes, to be sent under the other end's public key only.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text form, to be sent under the other end's public key only.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE.encode(self.0.as_slice()))
    }

    /// A token of the plaintext, dated with Unix seconds.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is no randomness for the IV.
    pub fn seal(&self, plaintext: &[u8], seconds: u64) -> Result<String, Error> {
        let mut iv = [0; BLOCK];
        fill(&mut iv)?;
        self.seal_with(plaintext, seconds, &iv)
    }

    /// As [`Self::seal`], with an IV that must never have been used with this key before.
    ///
    /// # Errors
    /// [`Error::Fernet`] when the halves of the key are unusable, which 32 bytes never are.
    pub fn seal_with(&self, plaintext: &[u8], seconds: u64, iv: &[u8; BLOCK]) -> Result<String, Error> {
        let cipher = cbc::Encryptor::<Aes128>::new_from_slices(&self.0[16..], iv).map_err(|_| UNUSABLE)?;
        let mut token = Vec::with_capacity(HEAD + plaintext.len() + BLOCK + SIGNATURE);
        token.push(VERSION);
        token.extend(seconds.to_be_bytes());
        token.extend(iv);
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(plaintext));
        let signature = self.signature(&token)?.finalize().into_bytes();
        token.extend(signature);
        Ok(URL_SAFE.encode(token))
    }

    /// The plaintext of a token. With `age` (now, most seconds), tokens that are older or from the future are refused.
    ///
    /// # Errors
    /// [`Error::Fernet`] says what is wrong, and not whether the padding was.
    pub fn open(&self, token: &str, age: Option<(u64, u64)>) -> Result<Vec<u8>, Error> {
        let bytes = URL_SAFE.decode(token.trim_end()).map_err(|_| Error::Fernet("the token is not base64"))?;
        let body = bytes.len().checked_sub(SIGNATURE).filter(|length| *length >= HEAD + BLOCK);
        let (signed, signature) = bytes.split_at(body.ok_or(Error::Fernet("the token is too short"))?);
        let (head, ciphertext) = signed.split_at(HEAD);
        if head[0] != VERSION {
            return Err(Error::Fernet("the token has another version"));
        }
        let seconds = head[1..9].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        if let Some((now, most)) = age {
            if seconds.saturating_add(most) < now {
                return Err(Error::Fernet("the token has expired"));
            }
            if now.saturating_add(MAXIMUM_SKEW_SECONDS) < seconds {
                return Err(Error::Fernet("the token is from the future"));
            }
        }
        self.signature(signed)?.verify_slice(signature).map_err(|_| Error::Fernet("the token's signature is wrong"))?;
        let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&self.0[16..], &head[9..]).map_err(|_| UNUSABLE)?;
        cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| Error::Fernet("the token's content is damaged"))
    }

    fn signature(&self, signed: &[u8]) -> Result<Hmac<Sha256>, Error> {
        let mut signature = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0[..16]).map_err(|_| UNUSABLE)?;
        signature.update(signed);
        Ok(signature)
    }
}

const UNUSABLE: Error = Error::Fernet("the key is unusable");

fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Randomness(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The specification's own example.
    #[test]
    fn the_specifications_token() {
        let key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let token =
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        let iv: [u8; 16] = std::array::from_fn(|at| at as u8);
        assert_eq!(key.seal_with(b"hello", 499_162_800, &iv).unwrap(), token);
        assert_eq!(key.open(token, Some((499_162_801, 60))).unwrap(), b"hello");
        for (now, wrong) in [(499_162_861, "expired"), (499_162_739, "future")] {
            let error = key.open(token, Some((now, 60))).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
        assert_eq!(format!("{key:?}"), "FernetKey");
    }

    #[test]
    fn bad_tokens_and_keys_are_refused() {
        let key = FernetKey::generate().unwrap();
        assert_eq!(FernetKey::parse(&key.text()).unwrap().0, key.0);
        for text in ["", "AAAA", "not base64!"] {
            assert!(FernetKey::parse(text).is_err() && key.open(text, None).is_err());
        }
        let token = key.seal(b"{}", 7).unwrap();
        assert!(FernetKey::generate().unwrap().open(&token, None).is_err());
        let bytes = URL_SAFE.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(key.open(&URL_SAFE.encode(changed), None).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..100), seconds: u64) {
            let key = FernetKey::generate().unwrap();
            let token = key.seal(&plaintext, seconds).unwrap();
            prop_assert_eq!(key.open(&token, None).unwrap(), plaintext);
        }
    }
}
