//! Keys of signed notes: names, key IDs and the text form in which a verifier's key is handed out.
//!
//! Formats: [C2SP signed-note](https://c2sp.org/signed-note). A key ID only finds the key; trust comes from the public key
//! that the reader was given beforehand.

use std::fmt;
use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes of the longest key name accepted; an origin with a hotkey has about 80.
pub const MAX_NAME_LENGTH: usize = 255;

/// Bytes of the longest verifier key read: name, `+`, 8 digits, `+`, and base64 of identifier and key.
const MAX_KEY_TEXT_LENGTH: usize = MAX_NAME_LENGTH + 128;

/// Bytes of a public key, Ed25519 and sr25519 alike.
const PUBLIC_KEY_LENGTH: usize = 32;

/// The signature algorithms of this log's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureType {
    /// Ed25519 over the note's text (RFC 8032); type byte `0x01`.
    Ed25519,
    /// sr25519 over the note's text in the context `substrate`, as a hotkey signs; type byte `0xff`, which C2SP leaves to
    /// types without an assigned byte, followed by `assay/sr25519`.
    Sr25519,
}

impl SignatureType {
    /// What stands before the public key in the key ID's hash and in the text form.
    pub fn identifier(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => b"\x01",
            Self::Sr25519 => b"\xffassay/sr25519",
        }
    }
}

/// The first four bytes of `SHA-256(name ‖ 0x0A ‖ type identifier ‖ public key)`: which key a signature line is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// The ID of a key under a name.
    pub fn derive(name: &str, signature_type: SignatureType, public_key: &[u8; 32]) -> Self {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update(b"\n")
            .chain_update(signature_type.identifier())
            .chain_update(public_key)
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Checks a key name: 1 to [`MAX_NAME_LENGTH`] bytes, no Unicode space, control character or `+`.
///
/// # Errors
/// [`Error::KeyFormat`] with the broken rule.
pub fn check_name(name: &str) -> Result<(), Error> {
    let refused = |reason| Err(Error::KeyFormat { reason });
    if name.is_empty() {
        return refused("the name is empty");
    }
    if name.len() > MAX_NAME_LENGTH {
        return refused("the name has more than 255 bytes");
    }
    if name.chars().any(|character| character.is_whitespace() || character.is_control() || character == '+') {
        return refused("the name has a space, a control character or a plus sign");
    }
    Ok(())
}

/// A public key with its name and algorithm. Its text form is `name+key ID+base64(type identifier ‖ public key)`, the key
/// ID as 8 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    signature_type: SignatureType,
    public_key: [u8; PUBLIC_KEY_LENGTH],
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// As [`check_name`].
    pub fn new(name: &str, signature_type: SignatureType, public_key: [u8; 32]) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), signature_type, public_key })
    }

    /// The key's name; the log's own key is named like its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's algorithm.
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The key's ID, derived from the other three.
    pub fn id(&self) -> KeyId {
        KeyId::derive(&self.name, self.signature_type, &self.public_key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.signature_type.identifier(), self.public_key.as_slice()].concat();
        write!(formatter, "{}+{}+{}", self.name, self.id(), STANDARD.encode(bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |reason| Error::KeyFormat { reason };
        if text.len() > MAX_KEY_TEXT_LENGTH {
            return Err(malformed("the text is too long"));
        }
        // Base64 may hold a plus sign, a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("the text is not name+hash+key"));
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed("the key is not base64"))?;
        let split = bytes.len().saturating_sub(PUBLIC_KEY_LENGTH);
        let (identifier, public_key) = bytes.split_at(split);
        let known = [SignatureType::Ed25519, SignatureType::Sr25519];
        let signature_type = known
            .into_iter()
            .find(|signature_type| signature_type.identifier() == identifier)
            .ok_or_else(|| malformed("the signature type is unknown or the key is not 32 bytes"))?;
        let public_key = public_key.try_into().map_err(|_| malformed("the key is not 32 bytes"))?;
        let key = Self::new(name, signature_type, public_key)?;
        if key.id().to_string() != id {
            return Err(malformed("the hash does not belong to the name and key"));
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// The example key of the Go package that defined the format.
    const PUBLISHED: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    fn reason(text: &str) -> &'static str {
        match text.parse::<VerifierKey>() {
            Err(Error::KeyFormat { reason }) => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_published_key_is_read() {
        let key: VerifierKey = PUBLISHED.parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.signature_type(), SignatureType::Ed25519);
        assert_eq!(key.id(), KeyId([0xc7, 0x4f, 0x20, 0xa3]));
        assert_eq!(key.to_string(), PUBLISHED);
    }

    #[test]
    fn both_types_survive_their_text_form() {
        for signature_type in [SignatureType::Ed25519, SignatureType::Sr25519] {
            let key = VerifierKey::new("assay/0123/7/5Hot", signature_type, [0xfb; 32]).unwrap();
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        let ids = [SignatureType::Ed25519, SignatureType::Sr25519].map(|of| KeyId::derive("name", of, &[1; 32]));
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn malformed_keys_are_refused_with_the_rule() {
        let key = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let unknown = "the signature type is unknown or the key is not 32 bytes";
        let other = "the hash does not belong to the name and key";
        let rows = [
            (String::new(), "the text is not name+hash+key"),
            ("PeterNeumann+c74f20a3".into(), "the text is not name+hash+key"),
            (format!("+c74f20a3+{key}"), "the name is empty"),
            (format!("Peter Neumann+c74f20a3+{key}"), "the name has a space, a control character or a plus sign"),
            (format!("Peter\u{2003}N+c74f20a3+{key}"), "the name has a space, a control character or a plus sign"),
            (format!("Peter\u{7f}N+c74f20a3+{key}"), "the name has a space, a control character or a plus sign"),
            (format!("{}+c74f20a3+{key}", "n".repeat(256)), "the name has more than 255 bytes"),
            (format!("{}+c74f20a3+{key}", "n".repeat(400)), "the text is too long"),
            (format!("PeterNeumann+c74f20a4+{key}"), other),
            (format!("PeterNeumann+C74F20A3+{key}"), other),
            (format!("PeterNeumann+0c74f20a3+{key}"), other),
            (format!("peterNeumann+c74f20a3+{key}"), other),
            (format!("PeterNeumann+c74f20a3+{}", &key[..43]), "the key is not base64"),
            (format!("PeterNeumann+c74f20a3+{key}\n"), "the key is not base64"),
            (format!("PeterNeumann+c74f20a3+{}", &key[..40]), unknown),
            (format!("PeterNeumann+c74f20a3+B{}", &key[1..]), unknown),
            ("PeterNeumann+c74f20a3+".into(), unknown),
        ];
        for (text, expected) in rows {
            assert_eq!(reason(&text), expected, "{text}");
        }
    }
}
