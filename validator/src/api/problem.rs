//! The one shape of every refusal: `{"error": {"code", "field"?, "message"}}`, and which status it comes with.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::service::{AcceptError, LabelError, ServiceError};

/// When a ledger or chain that is away is worth another try.
const RETRY_UNAVAILABLE: u32 = 5;

/// The longest message; a client's own text may be repeated in it.
const LONGEST_MESSAGE: usize = 400;

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    code: &'static str,
    field: Option<String>,
    message: String,
    retry_after: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into().chars().take(LONGEST_MESSAGE).collect();
        Self { status, code, field: None, message, retry_after: None }
    }

    /// The sentence that the caller is told.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    /// 422: what is wrong with which field, and what to do about it.
    pub(crate) fn field(field: &str, problem: impl std::fmt::Display) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", format!("{field} {problem}"));
        Self { field: Some(field.to_owned()), ..problem }
    }

    /// 401: nothing that is known says who asks.
    pub(crate) fn unauthorised(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", message)
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body has more than {limit} bytes; send a smaller one");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 503: too much is going on.
    pub(crate) fn busy(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).after(1)
    }

    /// What is wrong, in words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// When it makes sense to ask again, in seconds.
    pub(crate) fn after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let inner = Inner { code: self.code, field: self.field.as_deref(), message: &self.message };
        let mut response = (self.status, Json(Body { error: inner })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        let message = error.to_string();
        match error {
            AcceptError::Duplicate { .. } => {
                let problem = Self::new(StatusCode::CONFLICT, "duplicate_challenge", message);
                Self { field: Some("id".to_owned()), ..problem }
            }
            AcceptError::TooMany { retry_after_seconds, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message).after(retry_after_seconds)
            }
            AcceptError::Invalid { field, problem } => Self::field(&field, problem),
            AcceptError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).after(RETRY_UNAVAILABLE)
            }
            AcceptError::Unknown(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", message).after(RETRY_UNAVAILABLE)
            }
        }
    }
}

impl From<LabelError> for Problem {
    fn from(error: LabelError) -> Self {
        let message = error.to_string();
        let named = |problem: Self, field: &str| Self { field: Some(field.to_owned()), ..problem };
        match error {
            LabelError::NoRound { field, .. } => {
                named(Self::new(StatusCode::NOT_FOUND, "unknown_round", message), field)
            }
            LabelError::NotAwaited { .. } => {
                named(Self::new(StatusCode::CONFLICT, "label_not_awaited", message), "challenge_id")
            }
            LabelError::Invalid { field, problem } => Self::field(field, format_args!("is refused: {problem}")),
            LabelError::Busy => Self::busy(&message),
            LabelError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).after(RETRY_UNAVAILABLE)
            }
            LabelError::Unknown(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", message).after(RETRY_UNAVAILABLE)
            }
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()).after(RETRY_UNAVAILABLE)
    }
}
