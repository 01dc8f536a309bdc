//! How an answer leaves: in one body with the signature before it, or piece by piece with the signature behind it.
//!
//! A signature covers the whole body, so one that comes first has to wait for the last word. A caller that reads trailers
//! (`te: trailers`, [RFC 9110, 6.5](https://www.rfc-editor.org/rfc/rfc9110#section-6.5)) gets each piece when it is there.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Version, header as http_header};
use axum::response::Response;
use domain::wire::header;
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use network::keys::Keypair;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::signing;
use crate::subnets::Pieces;

/// The names of the trailers, as they are announced.
const TRAILERS: [&str; 2] = [header::HOTKEY, header::SIGNATURE];

/// Whether a caller reads what comes behind a body.
pub(crate) fn takes_trailers(version: Version, headers: &HeaderMap) -> bool {
    let named = headers.get_all(http_header::TE).iter().filter_map(|value| value.to_str().ok());
    // HTTP/1.0 knows no chunks, and nothing comes behind a body without them.
    version == Version::HTTP_11
        && named.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case("trailers"))
}

/// An answer in one body.
pub(crate) fn whole(headers: HeaderMap, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(http_header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().extend(headers);
    response
}

/// What is needed until the last piece has left.
struct Sending {
    pieces: Pieces,
    hash: Sha256,
    until: Instant,
    keypair: Keypair,
    request: [u8; 32],
    /// The request is under way until then.
    _place: OwnedSemaphorePermit,
}

/// An answer piece by piece, then its signature. It breaks off when the pieces take longer than `within`.
pub(crate) fn in_pieces(
    pieces: Pieces,
    keypair: Keypair,
    request: [u8; 32],
    within: Duration,
    place: OwnedSemaphorePermit,
) -> Response {
    let until = Instant::now() + within;
    let sending = Sending { pieces, hash: Sha256::new(), until, keypair, request, _place: place };
    let frames = stream::unfold(Some(sending), |sending| async {
        let mut sending = sending?;
        // The server sends what it has when it has to wait: so each piece leaves before the next one is asked for.
        tokio::task::yield_now().await;
        match timeout_at(sending.until, sending.pieces.next()).await {
            Ok(Some(piece)) => {
                sending.hash.update(&piece);
                Some((Ok(Frame::data(Bytes::from(piece))), Some(sending)))
            }
            Ok(None) => {
                let body = sending.hash.finalize().into();
                let trailers = signing::over(&sending.keypair, &sending.request, &body);
                Some((Ok(Frame::trailers(trailers)), None))
            }
            Err(_) => {
                tracing::warn!("an answer breaks off: its pieces take too long");
                Some((Err(io::Error::from(io::ErrorKind::TimedOut)), None))
            }
        }
    });
    let mut response = whole(HeaderMap::new(), Vec::new());
    *response.body_mut() = Body::new(StreamBody::new(frames));
    // Both names are plain text.
    if let Ok(names) = HeaderValue::from_str(&TRAILERS.join(", ")) {
        response.headers_mut().insert(http_header::TRAILER, names);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_sent_to_those_who_read_them() {
        let check = |version, values: &[&'static str], expected: bool| {
            let values = values.iter().map(|value| (http_header::TE, HeaderValue::from_static(value)));
            let headers: HeaderMap = HeaderMap::from_iter(values);
            assert_eq!(takes_trailers(version, &headers), expected, "{version:?} {headers:?}");
        };
        check(Version::HTTP_11, &["trailers"], true);
        check(Version::HTTP_11, &["deflate;q=0.5, Trailers"], true);
        check(Version::HTTP_11, &["gzip, trailer"], false);
        check(Version::HTTP_11, &[], false);
        check(Version::HTTP_10, &["trailers"], false);
    }
}
