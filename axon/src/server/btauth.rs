//! A request under `btauth/1` (SDK 11): the signature covers the whole body, so the body is read before its sender is known.
//!
//! Its size counts against the common budget of bodies, and nothing of it is parsed before the signature holds. The body is the
//! synapse's fields and the answer is too, without the `dendrite` and `axon` objects of older SDKs.

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use network::btauth::{AuthError, Presented};
use network::legacy::Json;
use network::legacy::python::compact;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer;
use super::route::{Claim, Request, Route};
use super::run::{self, End, Ran};
use super::{Arrival, Server};

pub(super) async fn respond(server: &Server, route: &Route, arrival: Arrival) -> Response {
    match go(server, route, arrival).await {
        Ok(response) => response,
        Err(End::Refused(status, text)) => answer::message(status, &text),
        Err(End::TimedOut) => answer::message(StatusCode::REQUEST_TIMEOUT, "Response timeout"),
        Err(End::Failed(problem)) => {
            let number = Uuid::new_v4();
            tracing::warn!(%number, problem, route = route.shape.name, "a request fails");
            answer::message(StatusCode::INTERNAL_SERVER_ERROR, &format!("Internal Server Error #{number}"))
        }
    }
}

async fn go(server: &Server, route: &Route, arrival: Arrival) -> Result<Response, End> {
    let Arrival { peer, begun, parts, body } = arrival;
    let presented = Presented::read(|name| parts.headers.get(name).map(HeaderValue::as_bytes)).map_err(unauthorised)?;
    let claim = Claim { hotkey: Some(&presented.hotkey), synapse: &route.shape.name, peer };
    if let Some(reason) = route.blacklist.as_ref().and_then(|hook| hook(&claim)) {
        return Err(End::Refused(StatusCode::FORBIDDEN, format!("Forbidden. Key is blacklisted: {reason}.")));
    }
    let refused = |(status, text)| End::Refused(status, text);
    let held = server.bodies.read(&parts.headers, body).await.map_err(refused)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let signed = (parts.method.as_str(), target, &held.bytes[..]);
    let hotkey = server.authenticator.verify(&presented, signed, server.clock.now()).map_err(unauthorised)?;
    let until = begun + server.limits.longest;
    let place = run::admit(server, run::priority(route, &hotkey)?, until).await?;
    // A GET may come without a body, for a synapse whose fields all have defaults.
    let sent = if held.bytes.is_empty() { Ok(Json::Object(Vec::new())) } else { Json::parse(&held.bytes) };
    let sent = match sent {
        Ok(sent) => sent,
        Err(error) => return Ok(answer::not_json(&error)),
    };
    let fields =
        route.shape.read(&sent).map_err(|error| refused((StatusCode::UNPROCESSABLE_ENTITY, error.to_string())))?;
    let (echoed, timeout) = (fields.clone(), until.saturating_duration_since(Instant::now()));
    let request = Request { hotkey, peer, fields, body: held.bytes.clone(), timeout, headers: parts.headers };
    match run::run(server, route, request, until, place).await? {
        Ran::Stream(streaming) => Ok(answer::streamed(*streaming)),
        Ran::Fields(filled, extra) => {
            let text = compact(&Json::Object(run::filled_in(echoed, filled)));
            let signature = answer::signed(server, &held.bytes, text.as_bytes());
            let mut response = answer::json(StatusCode::OK, text);
            response.headers_mut().extend(extra);
            response.headers_mut().extend(signature);
            Ok(response)
        }
    }
}

fn unauthorised(error: AuthError) -> End {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    End::Refused(status, error.to_string())
}
