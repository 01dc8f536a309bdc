//! The signature of an answer: `assay-hotkey` and `assay-signature` over the hashes of both bodies, byte for byte.

use axum::http::{HeaderMap, HeaderValue};
use domain::types::sha256;
use domain::wire::{header, response_message};
use network::keys::Keypair;

/// The two headers of a signed answer.
pub(crate) fn headers(keypair: &Keypair, request: &[u8], response: &[u8]) -> HeaderMap {
    over(keypair, &sha256(request).0, &sha256(response).0)
}

/// The two headers over the hashes of both bodies: before the answer, or as trailers behind it.
pub(crate) fn over(keypair: &Keypair, request: &[u8; 32], response: &[u8; 32]) -> HeaderMap {
    with_signature(&keypair.ss58(), &hex::encode(keypair.sign(&response_message(request, response))))
}

/// The two headers with any content: what a misbehaving miner sends.
pub(crate) fn with_signature(hotkey: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(header::HOTKEY, hotkey), (header::SIGNATURE, signature)] {
        // Base58 and hex digits are always a valid header.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Whether the headers of an answer, or its trailers, carry the signature of `hotkey` (SS58) over exactly these two bodies.
#[must_use]
pub fn verify_response(headers: &HeaderMap, hotkey: &str, request: &[u8], response: &[u8]) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut signature = [0; 64];
    let (Some(named), Some(hex)) = (text(header::HOTKEY), text(header::SIGNATURE)) else { return false };
    let (Ok(public), Ok(())) = (domain::ss58::decode(named), hex::decode_to_slice(hex, &mut signature)) else {
        return false;
    };
    let message = response_message(&sha256(request).0, &sha256(response).0);
    named == hotkey && network::keys::verify(&public, &message, &signature)
}
