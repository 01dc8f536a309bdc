//! Replies: a conversation in the classic shape or as the newer bundle, and errors in the shape that upstream's clients read.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::conversation::{Conversation, Line};

/// Upstream's version of the bundle.
const BUNDLE_VERSION: f64 = 1.4;

#[derive(Serialize)]
struct Classic<'a> {
    guid: u128,
    lines: &'a [Line],
    total: usize,
    participants: &'a [String],
    min_convo_windows: u32,
    source: &'a str,
}

#[derive(Serialize)]
struct Bundle<'a> {
    mode: &'a str,
    api_version: f64,
    r#type: &'a str,
    guid: u128,
    scoring_mechanism: &'a str,
    input: Input<'a>,
    errors: [(); 0],
    warnings: [(); 0],
    data_type: u8,
}

#[derive(Serialize)]
struct Input<'a> {
    input_type: &'a str,
    guid: u128,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    participants: &'a [String],
    lines: &'a [Line],
    total: usize,
    min_convo_windows: u32,
}

/// A conversation as a client asked for it. `min_convo_windows` is 0 in the classic shape and 1 in the bundle, as upstream has it.
pub(super) fn conversation(found: &Conversation, bundle: bool) -> Response {
    let (lines, participants, total) = (found.lines.as_slice(), found.participants.as_slice(), found.lines.len());
    if !bundle {
        let source = found.source.name();
        return json(
            StatusCode::OK,
            &Classic { guid: found.guid, lines, total, participants, min_convo_windows: 0, source },
        );
    }
    let data = Data { participants, lines, total, min_convo_windows: 1 };
    let bundle = Bundle {
        mode: "validator",
        api_version: BUNDLE_VERSION,
        r#type: "conversation_tagging",
        guid: found.guid,
        scoring_mechanism: "ground_truth_tag_similarity_scoring",
        input: Input { input_type: "conversation", guid: found.guid, data },
        errors: [],
        warnings: [],
        data_type: 1,
    };
    json(StatusCode::OK, &bundle)
}

#[derive(Serialize)]
struct Answer<'a> {
    success: u8,
    errors: &'a [(&'a str, &'a str)],
    data: Message<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    msg: Words<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    message: &'a str,
}

/// A record is there.
pub(super) fn stored(message: &str) -> Response {
    json(StatusCode::OK, &Answer { success: 1, errors: &[], data: Message { msg: Words { message } } })
}

/// A refusal with a code for programs and words for people.
pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let data = Message { msg: Words { message } };
    json(status, &Answer { success: 0, errors: &[(code, message)], data })
}

/// A refusal that may pass in so many seconds.
pub(super) fn later(code: &str, message: &str, seconds: u64) -> Response {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, code, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_vec(value) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written\n").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}
