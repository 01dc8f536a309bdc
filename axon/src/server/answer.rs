//! Answers: the SDK's headers and bodies, and our own signature beside them.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::types::sha256;
use domain::wire::{header as own, response_message};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body::Frame;
use http_body_util::StreamBody;
use network::keys::Keypair;
use network::legacy::python::compact;
use network::legacy::{Head, Json};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::Server;
use super::admission::Place;

/// A JSON answer.
pub(super) fn json(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `{"detail": …}`, as the SDK's web framework answers what it refuses itself.
pub(super) fn detail(status: StatusCode, detail: Json) -> Response {
    json(status, compact(&Json::Object(vec![("detail".to_owned(), detail)])))
}

/// `{"message": …}`.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    json(status, compact(&Json::Object(vec![("message".to_owned(), Json::text(message))])))
}

/// What that framework says of a body that is not JSON.
pub(super) fn not_json(error: &network::legacy::JsonError) -> Response {
    let position = i64::try_from(error.position).unwrap_or(i64::MAX);
    let object = |fields: Vec<(&str, Json)>| {
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let entry = object(vec![
        ("type", Json::text("json_invalid")),
        ("loc", Json::List(vec![Json::text("body"), Json::Integer(position)])),
        ("msg", Json::text("JSON decode error")),
        ("input", object(vec![])),
        ("ctx", object(vec![("error", Json::text(error.problem))])),
    ]);
    detail(StatusCode::UNPROCESSABLE_ENTITY, Json::List(vec![entry]))
}

/// Writes the SDK's headers. Names come from a parsed request or from us, values are printable.
pub(super) fn write(headers: &mut HeaderMap, head: &Head) {
    for (name, value) in head.lines() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
}

/// The signature of a whole answer: `assay-hotkey` and `assay-signature` over the hashes of both bodies. Nothing where answers are
/// not signed.
pub(super) fn signed(server: &Server, request: &[u8], answer: &[u8]) -> HeaderMap {
    if !server.signs_answers {
        return HeaderMap::new();
    }
    signature(&server.keypair, &server.hotkey, &sha256(request).0, &sha256(answer).0)
}

fn signature(keypair: &Keypair, hotkey: &str, request: &[u8; 32], answer: &[u8; 32]) -> HeaderMap {
    let signature = hex::encode(keypair.sign(&response_message(request, answer)));
    let mut headers = HeaderMap::new();
    for (name, value) in [(own::HOTKEY, hotkey), (own::SIGNATURE, &signature)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// What is needed until the last piece of a stream has left.
pub(super) struct Streaming {
    pub(super) pieces: BoxStream<'static, io::Result<Bytes>>,
    /// When the request's time is over.
    pub(super) deadline: Instant,
    /// Bytes that may still leave.
    pub(super) room: usize,
    /// The handler's place, kept while it makes pieces.
    pub(super) _place: Place,
    /// The key and the request's hash, where the caller reads a signature behind the stream.
    pub(super) signer: Option<(Keypair, [u8; 32])>,
}

/// A stream: each piece leaves when it is there. It breaks off when its time is over, when it is too long and when the handler
/// fails, so that nobody takes a part for the whole.
pub(super) fn streamed(streaming: Streaming) -> Response {
    let announces = streaming.signer.is_some();
    let frames = stream::unfold(Some((streaming, Sha256::new())), |state| async {
        let (mut streaming, mut hash) = state?;
        tokio::task::yield_now().await;
        let piece = match timeout_at(streaming.deadline, streaming.pieces.next()).await {
            Ok(Some(Ok(piece))) if piece.len() <= streaming.room => piece,
            Ok(Some(Ok(_))) => return Some((Err(broken(io::ErrorKind::FileTooLarge)), None)),
            Ok(Some(Err(error))) => return Some((Err(error), None)),
            Err(_) => return Some((Err(broken(io::ErrorKind::TimedOut)), None)),
            Ok(None) => {
                let (keypair, request) = streaming.signer.as_ref()?;
                let trailers = signature(keypair, &keypair.ss58(), request, &hash.finalize().into());
                return Some((Ok(Frame::trailers(trailers)), None));
            }
        };
        streaming.room -= piece.len();
        hash.update(&piece);
        Some((Ok(Frame::data(piece)), Some((streaming, hash))))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    if announces && let Ok(names) = HeaderValue::from_str(&[own::HOTKEY, own::SIGNATURE].join(", ")) {
        response.headers_mut().insert(header::TRAILER, names);
    }
    response
}

fn broken(kind: io::ErrorKind) -> io::Error {
    tracing::warn!(%kind, "a streamed answer breaks off");
    io::Error::from(kind)
}

/// Whether a caller reads what comes behind a body.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case("trailers"))
}
