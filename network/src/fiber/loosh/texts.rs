//! Texts that are signed in Loosh's dialect of fiber, and the headers of its challenge service.
//!
//! Both ends must write the same bytes, so the forms here are upstream's to the last digit: a time is the text that Python
//! makes of a float.

use domain::text::numbers::float_repr;
use domain::types::sha256;

use crate::keys::Keypair;

/// What a validator signs when it brings a miner a new key: `{timestamp}.{nonce}.{hotkey}`. The miner cannot tell from the
/// signature which key was brought.
#[must_use]
pub fn handshake_message(timestamp: f64, nonce: &str, hotkey: &str) -> String {
    format!("{}.{nonce}.{hotkey}", float_repr(timestamp))
}

/// What is signed when a key is brought between challenge service and validator: `{timestamp}.{hotkey}.{key's name}`.
#[must_use]
pub fn service_exchange_message(timestamp: f64, hotkey: &str, key_uuid: &str) -> String {
    format!("{}.{hotkey}.{key_uuid}", float_repr(timestamp))
}

/// What is signed towards the challenge service: `{nonce}:{hotkey}:{SHA-256 of the body}`; an empty body is none.
#[must_use]
pub fn service_message(nonce: &str, hotkey: &str, body: &[u8]) -> String {
    if body.is_empty() {
        return format!("{nonce}:{hotkey}");
    }
    format!("{nonce}:{hotkey}:{}", sha256(body))
}

/// The headers of a request to the challenge service: who, when (the nonce is the time), and the signature.
#[must_use]
pub fn service_headers(keypair: &Keypair, timestamp: f64, body: &[u8]) -> [(&'static str, String); 3] {
    let (hotkey, nonce) = (keypair.ss58(), float_repr(timestamp));
    let signature = keypair.sign(service_message(&nonce, &hotkey, body).as_bytes());
    [("X-Hotkey", hotkey), ("X-Nonce", nonce), ("X-Signature", format!("0x{}", hex::encode(signature)))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::verify;

    #[test]
    fn headers_verify_against_the_message() {
        let pair = Keypair::from_seed(&[7; 32]).unwrap();
        for (body, rest) in [(&b""[..], String::new()), (b"{}", format!(":{}", sha256(b"{}")))] {
            let [(_, hotkey), (_, nonce), (_, signature)] = service_headers(&pair, 1_700_000_000.25, body);
            assert_eq!((hotkey, nonce.as_str()), (pair.ss58(), "1700000000.25"));
            let signature: [u8; 64] = hex::decode(signature.strip_prefix("0x").unwrap()).unwrap().try_into().unwrap();
            let message = format!("1700000000.25:{}{rest}", pair.ss58());
            assert!(verify(&pair.public(), message.as_bytes(), &signature));
            assert!(!verify(&pair.public(), b"other", &signature));
        }
        assert_eq!(handshake_message(1_700_000_000.0, "n", "5F"), "1700000000.0.n.5F");
    }
}
