//! Broken answers, for the miner that gives them on purpose.

use axum::http::HeaderMap;
use network::keys::Keypair;

use crate::behaviour::Malformation;
use crate::signing;

const HUGE_BYTES: usize = 4 << 20;

/// A body and headers that are wrong in one way and right in all others.
pub(crate) fn answer(way: Malformation, keypair: &Keypair, request: &[u8]) -> (HeaderMap, Vec<u8>) {
    let good = br#"{"response_text":"The answer is on its way.","response_time_ms":1,"finish_reason":"stop"}"#;
    let body = match way {
        Malformation::BrokenJson => good[..good.len() / 2].to_vec(),
        Malformation::WrongSchema => br#"{"answer":"The answer is on its way."}"#.to_vec(),
        Malformation::WrongType => br#"{"response_text":42,"response_time_ms":1}"#.to_vec(),
        Malformation::NotUtf8 => b"{\"response_text\":\"\xc3\x28\xff\",\"response_time_ms\":1}".to_vec(),
        Malformation::Huge => {
            let text = "again ".repeat(HUGE_BYTES / 6);
            format!(r#"{{"response_text":"{text}","response_time_ms":1}}"#).into_bytes()
        }
        Malformation::ForeignBody | Malformation::ForeignKey | Malformation::ShortSignature => good.to_vec(),
    };
    let headers = match way {
        Malformation::ForeignBody => signing::headers(keypair, request, b"another body"),
        Malformation::ForeignKey => signed_by_another(keypair, request, &body),
        Malformation::ShortSignature => signing::with_signature(&keypair.ss58(), &"ab".repeat(32)),
        _ => signing::headers(keypair, request, &body),
    };
    (headers, body)
}

/// A good signature by a key of which everybody knows the secret, under this miner's name.
fn signed_by_another(keypair: &Keypair, request: &[u8], body: &[u8]) -> HeaderMap {
    // Any 32 bytes are a seed; should they ever not be, the header is simply no signature at all.
    let signature = Keypair::from_seed(&[7; 32]).map_or_else(
        |_| [0; 64],
        |other| {
            other.sign(&domain::wire::response_message(
                &domain::types::sha256(request).0,
                &domain::types::sha256(body).0,
            ))
        },
    );
    signing::with_signature(&keypair.ss58(), &hex::encode(signature))
}
