//! One exchange over HTTP, within one deadline.

use std::error::Error as _;
use std::time::Instant;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use domain::types::Micros;
use http_body_util::BodyExt;
use network::legacy::Terminal;
use reqwest::Response;

use super::{Call, Dendrite, Failure, Outcome, Target};
use crate::hostile::causes;

/// How an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Legacy,
    BtAuth,
}

type Broken = (Failure, String);

/// What leaves, and where it goes.
pub(super) struct Sending<'a> {
    pub(super) target: &'a Target,
    pub(super) call: &'a Call,
    /// Writes the signed header lines and the body. It is asked for them when there is a place to send from, so that no nonce
    /// grows old while it waits for one.
    pub(super) write: &'a (dyn Fn() -> (Vec<(String, String)>, Bytes) + Sync),
}

pub(super) async fn run(
    dendrite: &Dendrite,
    sending: Sending<'_>,
    protocol: Protocol,
    each: impl FnMut(&[u8]) + Send,
) -> Outcome {
    let begun = Instant::now();
    let Sending { target, call, .. } = sending;
    let micros = || Micros(dendrite.clock.now() / 1_000);
    let mut received = Received::default();
    let url = format!("http://{}/{}", target.address, call.synapse);
    let exchange = exchange(dendrite, sending, &url, &mut received, each);
    let ended = tokio::time::timeout(call.timeout, exchange).await;
    let now = micros();
    let outcome = Outcome {
        status_code: None,
        status_message: None,
        process_time: Some(begun.elapsed().as_secs_f64()),
        axon: Terminal {
            ip: Some(target.address.ip().to_string()),
            port: Some(i64::from(target.address.port())),
            hotkey: Some(target.hotkey.to_string()),
            ..Terminal::default()
        },
        http_status: received.status,
        headers: received.headers,
        body: Bytes::from(received.body),
        fields: None,
        failure: None,
        sent_at: received.sent_at.unwrap_or(now),
        first_byte_at: received.first_byte_at.unwrap_or(now),
        received_at: now,
    };
    let broken = match ended {
        Ok(Ok(())) if protocol == Protocol::Legacy => return outcome.read(call.shape(), &url),
        Ok(Ok(())) => return outcome.read_plain(call.shape()),
        Ok(Err(broken)) => broken,
        Err(_) => (Failure::TimedOut, String::new()),
    };
    outcome.failed(broken.0, &broken.1, (&call.synapse, call.timeout.as_secs_f64()), target.address)
}

/// What is known of an exchange so far; it outlives a deadline that cuts the exchange off.
#[derive(Default)]
struct Received {
    sent_at: Option<Micros>,
    first_byte_at: Option<Micros>,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

async fn exchange(
    dendrite: &Dendrite,
    sending: Sending<'_>,
    url: &str,
    received: &mut Received,
    each: impl FnMut(&[u8]) + Send,
) -> Result<(), Broken> {
    dendrite.guard.check(sending.target.address).map_err(|error| (Failure::ForbiddenAddress, error.to_string()))?;
    // The semaphore is never closed.
    let place = dendrite.places.acquire().await;
    let _place = place.map_err(|error| (Failure::Unreachable, error.to_string()))?;
    let (lines, body) = (sending.write)();
    let headers = headers(lines.into_iter().chain(sending.call.extra.iter().cloned()))?;
    let request = dendrite.client.post(url).headers(headers).body(body);
    received.sent_at = Some(Micros(dendrite.clock.now() / 1_000));
    let response = request.send().await.map_err(before_answer)?;
    received.status = response.status().as_u16();
    received.headers.clone_from(response.headers());
    if let Some(length) = response.content_length().filter(|length| *length > dendrite.limits.answer_bytes as u64) {
        let text = format!("announces {length} bytes, the limit is {}", dendrite.limits.answer_bytes);
        return Err((Failure::TooLarge, text));
    }
    read(dendrite, response, received, each).await
}

fn headers(lines: impl Iterator<Item = (String, String)>) -> Result<HeaderMap, Broken> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let unfit = || (Failure::Protocol, format!("{name:?} cannot be written as a header"));
        let value = HeaderValue::from_str(&value).map_err(|_| unfit())?;
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, value);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // An axon of ours may send a signature behind a stream.
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    Ok(headers)
}

async fn read(
    dendrite: &Dendrite,
    response: Response,
    received: &mut Received,
    mut each: impl FnMut(&[u8]) + Send,
) -> Result<(), Broken> {
    let limit = dendrite.limits.answer_bytes;
    let mut frames = reqwest::Body::from(response);
    while let Some(frame) = frames.frame().await {
        let frame = frame.map_err(|error| (Failure::Disconnected, causes(&error.without_url())))?;
        if let Some(trailers) = frame.trailers_ref() {
            received.headers.extend(trailers.clone());
        } else if let Some(piece) = frame.data_ref() {
            received.first_byte_at.get_or_insert_with(|| Micros(dendrite.clock.now() / 1_000));
            if piece.len() > limit.saturating_sub(received.body.len()) {
                return Err((Failure::TooLarge, format!("more than {limit} bytes")));
            }
            received.body.extend_from_slice(piece);
            each(piece);
        }
    }
    Ok(())
}

fn before_answer(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    let failure = match http_error(&error) {
        _ if error.is_connect() => Failure::Unreachable,
        Some(cause) if cause.is_parse() => Failure::Protocol,
        _ => Failure::Disconnected,
    };
    (failure, causes(&error))
}

fn http_error(error: &reqwest::Error) -> Option<&hyper::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<hyper::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
