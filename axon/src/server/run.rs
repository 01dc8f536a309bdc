//! What both protocols have in common once a sender is known: priority, place, handler, and how each of them may end.

use std::panic::AssertUnwindSafe;

use axum::http::{HeaderMap, StatusCode};
use domain::types::{Hotkey, sha256};
use futures::FutureExt;
use network::legacy::Json;
use tokio::time::{Instant, timeout_at};

use super::Server;
use super::admission::{NoPlace, Place};
use super::answer::{self, Streaming};
use super::route::{Answer, HandlerError, PriorityError, Request, Route};

/// How a request ends that gets no fields and no stream.
pub(super) enum End {
    /// The caller is told a status and a text.
    Refused(StatusCode, String),
    /// 500; the problem goes to the log.
    Failed(String),
    /// 408.
    TimedOut,
}

/// What a handler answered.
pub(super) enum Ran {
    Fields(Vec<(String, Json)>, HeaderMap),
    Stream(Box<Streaming>),
}

/// What the priority hook says.
pub(super) fn priority(route: &Route, hotkey: &Hotkey) -> Result<f64, End> {
    route.priority.as_ref().map_or(Ok(0.0), |hook| hook(hotkey)).map_err(|error| match error {
        PriorityError::TimedOut => End::TimedOut,
        PriorityError::Failed => End::Failed("the priority hook failed".to_owned()),
    })
}

/// A place among the handlers.
pub(super) async fn admit(server: &Server, priority: f64, until: Instant) -> Result<Place, End> {
    server.admission.place(priority, until).await.map_err(|refused| match refused {
        NoPlace::TimedOut => End::TimedOut,
        NoPlace::Full => End::Refused(StatusCode::SERVICE_UNAVAILABLE, "Too many requests are waiting".to_owned()),
    })
}

/// Runs the handler, which keeps its place until it has answered; a stream keeps it to its end.
pub(super) async fn run(
    server: &Server,
    route: &Route,
    request: Request,
    until: Instant,
    place: Place,
) -> Result<Ran, End> {
    let trailers = server.signs_answers && answer::takes_trailers(&request.headers);
    let signer = trailers.then(|| (server.keypair.clone(), sha256(&request.body).0));
    let handled = AssertUnwindSafe(route.handler.answer(request)).catch_unwind();
    let answered = timeout_at(until, handled).await.map_err(|_| End::TimedOut)?;
    match answered.map_err(|_| End::Failed("the handler panicked".to_owned()))? {
        Ok(Answer::Fields(filled, extra)) => Ok(Ran::Fields(filled, extra)),
        Ok(Answer::Stream(pieces)) => {
            let room = server.limits.stream_bytes;
            Ok(Ran::Stream(Box::new(Streaming { pieces, deadline: until, room, _place: place, signer })))
        }
        Err(HandlerError::Refused { status, message }) => {
            let status = StatusCode::from_u16(status).ok().filter(|s| s.is_client_error() || s.is_server_error());
            Err(End::Refused(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), message))
        }
        Err(HandlerError::Failed(problem)) => Err(End::Failed(problem)),
    }
}

/// The fields as they came, with those that the handler filled.
pub(super) fn filled_in(mut fields: Vec<(String, Json)>, filled: Vec<(String, Json)>) -> Vec<(String, Json)> {
    for (name, value) in filled {
        match fields.iter_mut().find(|(field, _)| *field == name) {
            Some((_, field)) => *field = value,
            None => fields.push((name, value)),
        }
    }
    fields
}
