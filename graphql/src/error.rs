//! Errors as clients see them: a sentence and a code of a closed list.

use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Error, ErrorExtensions, ServerError, Value};

/// The closed list of `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request is wrong; the message says how.
    BadUserInput,
    /// What is named does not exist.
    NotFound,
    /// The read models do not have the position yet, or are being made.
    ProjectionBehind,
    /// The selection is too deep.
    DepthLimit,
    /// The selection costs too much.
    ComplexityLimit,
    /// The answer took too long.
    Timeout,
    /// A fault of the server; `errorId` stands in its log.
    Internal,
}

impl Code {
    /// The word in `extensions.code`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::ProjectionBehind => "PROJECTION_BEHIND",
            Self::DepthLimit => "DEPTH_LIMIT",
            Self::ComplexityLimit => "COMPLEXITY_LIMIT",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }
}

pub(crate) fn fail(code: Code, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code.word()))
}

/// PostgreSQL's `query_canceled`: the statement timeout.
const CANCELED: &str = "57014";

/// An error of the read models, without its causes unless they concern the client.
pub(crate) fn of_read_models(error: &projections::Error) -> Error {
    use projections::Error as Reason;
    let with = |code: Code, candidates: &[String]| {
        let candidates: Vec<Value> = candidates.iter().map(|origin| Value::from(origin.as_str())).collect();
        fail(code, error.to_string()).extend_with(|_, extensions| extensions.set("candidates", Value::List(candidates)))
    };
    match error {
        Reason::NoSuchLedger { candidates, .. } => with(Code::NotFound, candidates),
        Reason::AmbiguousLedger { candidates } => with(Code::BadUserInput, candidates),
        Reason::BeforeFirst { .. } => fail(Code::BadUserInput, error.to_string()),
        Reason::Behind { .. } | Reason::NotBuilt | Reason::OtherFormat { .. } | Reason::RebuildRunning => {
            fail(Code::ProjectionBehind, error.to_string())
        }
        Reason::Database { source, .. } if is_canceled(source) => {
            fail(Code::Timeout, "the read models took too long to answer; ask for less")
        }
        _ => internal(&error.chain()),
    }
}

fn is_canceled(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == CANCELED)
}

/// A fault of ours: the client gets a number, the log the reason.
pub(crate) fn internal(reason: &str) -> Error {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let error_id = format!("{:x}-{number}", std::process::id());
    tracing::error!(error_id, reason, "a GraphQL request failed");
    fail(Code::Internal, format!("the server failed; its log has the reason under {error_id}"))
        .extend_with(|_, extensions| extensions.set("errorId", error_id))
}

/// Gives a code to an error that validation made.
pub(crate) fn with_code(error: &mut ServerError) {
    let extensions = error.extensions.get_or_insert_with(Default::default);
    if extensions.get("code").is_some() {
        return;
    }
    let code = match error.message.as_str() {
        "Query is nested too deep." => Code::DepthLimit,
        "Query is too complex." => Code::ComplexityLimit,
        message if message.starts_with("The recursion depth") => Code::DepthLimit,
        _ => Code::BadUserInput,
    };
    extensions.set("code", code.word());
}
