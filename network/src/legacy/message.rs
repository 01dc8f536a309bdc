//! The texts that are signed, signatures as they stand in headers, and the version number.

use crate::keys::{Keypair, verify};

/// From this version on a nonce is the time in nanoseconds since the epoch; before it is the machine's uptime.
pub const FIRST_WITH_TIME: u64 = version_integer(7, 2, 0);

/// SDK 7.2 and later: `major * 1,000,000 + minor * 1,000 + patch`.
#[must_use]
pub const fn version_integer(major: u64, minor: u64, patch: u64) -> u64 {
    major * 1_000_000 + minor * 1_000 + patch
}

/// What a dendrite signs: `{nonce}.{dendrite hotkey}.{axon hotkey}.{uuid}.{body hash}`.
#[must_use]
pub fn request(nonce: &str, dendrite: &str, axon: &str, uuid: &str, body_hash: &str) -> String {
    format!("{nonce}.{dendrite}.{axon}.{uuid}.{body_hash}")
}

/// What an axon signs on answers that are errors: `{nonce}.{dendrite hotkey}.{axon hotkey as the request says}.{uuid}`.
#[must_use]
pub fn answer(nonce: u64, dendrite: &str, axon: &str, uuid: &str) -> String {
    format!("{nonce}.{dendrite}.{axon}.{uuid}")
}

/// A signature as it stands in a header.
#[must_use]
pub fn sign(keypair: &Keypair, message: &str) -> String {
    format!("0x{}", hex::encode(keypair.sign(message.as_bytes())))
}

/// The bytes of `0x` and 128 hexadecimal digits.
#[must_use]
pub fn parse_signature(text: &str) -> Option<[u8; 64]> {
    let mut signature = [0; 64];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut signature).ok()?;
    Some(signature)
}

/// Whether a signature is one of the message, or of the message between `<Bytes>` and `</Bytes>` as browser wallets sign.
#[must_use]
pub fn is_signed(public: &[u8; 32], message: &str, signature: &[u8; 64]) -> bool {
    verify(public, message.as_bytes(), signature)
        || verify(public, format!("<Bytes>{message}</Bytes>").as_bytes(), signature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn versions_are_the_sdks() {
        assert_eq!(
            (version_integer(9, 12, 2), version_integer(10, 5, 0), FIRST_WITH_TIME),
            (9_012_002, 10_005_000, 7_002_000)
        );
    }

    #[test]
    fn signatures_of_both_forms_count() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        let parsed = parse_signature(&sign(&alice, "message")).unwrap();
        assert!(is_signed(&alice.public(), "message", &parsed));
        assert!(is_signed(&alice.public(), "message", &alice.sign(b"<Bytes>message</Bytes>")));
        assert!(!is_signed(&alice.public(), "massage", &parsed));
        assert!(!is_signed(&alice.public(), "<Bytes>message</Bytes>", &alice.sign(b"message")));
    }

    #[test]
    fn malformed_signatures() {
        for text in [
            "",
            "0x",
            "0x00",
            &"0".repeat(128),
            &format!("0x{}", "0".repeat(127)),
            &format!("0x{}", "g".repeat(128)),
            &format!("0x{}", "é".repeat(64)),
        ] {
            assert_eq!(parse_signature(text), None, "{text}");
        }
    }
}
