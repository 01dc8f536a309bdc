//! GraphQL over HTTP, by the specification of that name (<https://graphql.github.io/graphql-over-http/draft/>).
//!
//! POST takes JSON only, so that no other site's form can send one. GET runs queries only. There is no batching: one
//! request is one operation, and its limits hold.

use std::sync::Arc;

use async_graphql::{ServerError, Variables};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use graphql::{Executed, Operation, inspect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accept::{Media, negotiate};
use crate::server::App;

/// A GraphQL request.
#[derive(Deserialize)]
struct Parameters {
    query: String,
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, Value>>,
    /// Accepted as the specification asks; nothing is read from it.
    #[serde(default, rename = "extensions")]
    _extensions: Option<serde_json::Map<String, Value>>,
}

/// `POST /graphql`.
pub(crate) async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    let Some(media) = negotiate(&headers) else { return not_acceptable() };
    if !is_json(&headers) {
        return problem(media, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json in UTF-8");
    }
    let limit = app.body_bytes;
    let Ok(bytes) = axum::body::to_bytes(body, limit).await else {
        return problem(media, StatusCode::PAYLOAD_TOO_LARGE, format!("the body is cut short or over {limit} bytes"));
    };
    match serde_json::from_slice::<Value>(&bytes).map(serde_json::from_value::<Parameters>) {
        Err(_) => problem(media, StatusCode::BAD_REQUEST, "the body is no JSON"),
        Ok(Err(error)) => problem(media, StatusCode::BAD_REQUEST, format!("the body is no GraphQL request: {error}")),
        Ok(Ok(parameters)) => execute(&app, media, parameters, false).await,
    }
}

/// `GET /graphql?query=…`.
pub(crate) async fn get(State(app): State<Arc<App>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Some(media) = negotiate(&headers) else { return not_acceptable() };
    match from_url(query.as_deref().unwrap_or_default(), app.body_bytes) {
        Err(reason) => problem(media, StatusCode::BAD_REQUEST, reason),
        Ok(parameters) => execute(&app, media, parameters, true).await,
    }
}

/// Every other method.
pub(crate) async fn other(headers: HeaderMap) -> Response {
    let media = negotiate(&headers).unwrap_or(Media::Json);
    let mut response = problem(media, StatusCode::METHOD_NOT_ALLOWED, "use POST, or GET for a query");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

async fn execute(app: &App, media: Media, parameters: Parameters, is_get: bool) -> Response {
    let Parameters { query, operation_name, variables, .. } = parameters;
    let inspected = match inspect(&query, operation_name.as_deref(), app.api.limits()) {
        Ok(inspected) => inspected,
        Err(refused) => {
            let error = json!({ "message": refused.message, "extensions": { "code": refused.code.word() } });
            return answer(media, request_status(media), &json!({ "errors": [error] }));
        }
    };
    if is_get && inspected.operation != Operation::Query {
        let mut response = problem(media, StatusCode::METHOD_NOT_ALLOWED, "GET runs queries only; use POST");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let variables = Variables::from_json(Value::Object(variables.unwrap_or_default()));
    let Executed { response, request_error, .. } = app.api.execute(inspected, operation_name, variables).await;
    let body = Answer { data: (!request_error).then_some(&response.data), errors: &response.errors };
    answer(media, if request_error { request_status(media) } else { StatusCode::OK }, &body)
}

/// A response as it is written: fields stay in the order of the query.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

/// A request that cannot be executed is the client's error; the older media type has no way to say so.
fn request_status(media: Media) -> StatusCode {
    match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json => StatusCode::OK,
    }
}

fn answer(media: Media, status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, media.name())], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written\n").into_response()
        }
    }
}

fn problem(media: Media, status: StatusCode, message: impl Into<String>) -> Response {
    let message: String = message.into();
    let error = json!({ "message": message, "extensions": { "code": "BAD_USER_INPUT" } });
    answer(media, status, &json!({ "errors": [error] }))
}

fn not_acceptable() -> Response {
    problem(
        Media::Json,
        StatusCode::NOT_ACCEPTABLE,
        "answers are application/graphql-response+json or application/json",
    )
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let json = parts.next().is_some_and(|name| name == "application/json");
    json && parts.all(|part| match part.strip_prefix("charset=") {
        Some(charset) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        None => true,
    })
}

/// The parameters of a URL. `variables` and `extensions` are JSON.
fn from_url(query: &str, limit: usize) -> Result<Parameters, String> {
    if query.len() > limit {
        return Err(format!("the URL's query is over {limit} bytes"));
    }
    let mut found = serde_json::Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        let value = match name.as_str() {
            "query" | "operationName" => Value::String(value),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&value).map_err(|_| format!("{name} is no JSON"))?,
            _ => continue,
        };
        found.insert(name, value);
    }
    if found.get("operationName").is_some_and(|name| name == "") {
        found.remove("operationName");
    }
    serde_json::from_value(Value::Object(found)).map_err(|error| format!("the URL holds no GraphQL request: {error}"))
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let pair = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                pair.ok_or_else(|| "a % in the URL is not followed by two hex digits".to_owned())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "the URL is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::decode;

    #[test]
    fn urls_are_decoded() {
        assert_eq!(decode("a+b%20c%C3%A9%7b").unwrap(), "a b cé{");
        for wrong in ["%", "%4", "%zz", "%ff"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }
}
