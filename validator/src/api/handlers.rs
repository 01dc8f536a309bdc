//! One function per route: read, ask the service, write.
//!
//! The field names are Loosh's where it has the route; what it does not have is added beside them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use domain::types::{BlockNumber, Digest, Position, Uid};
use serde::Serialize;

use super::challenge;
use super::label;
use super::limits::{Authorised, peer_of};
use super::problem::Problem;
use super::routes::{App, CONTRACT};
use crate::service::{ChallengeStats, ChallengeStatus, Health, RegisterOutcome, Stats, WaitingLabels};

/// The largest challenge, in bytes.
pub(crate) const LARGEST_CHALLENGE: usize = 256 << 10;

/// The largest label with its round and source, in bytes.
pub(crate) const LARGEST_LABEL: usize = 96 << 10;

/// The largest body of the other routes, in bytes.
pub(crate) const LARGEST_ORDER: usize = 4 << 10;

/// What answers `GET /availability/health`.
const SERVICE_NAME: &str = "assay-validator";

type Outcome<T> = Result<Json<T>, Problem>;
type Shared = State<Arc<App>>;

#[derive(Serialize)]
pub(crate) struct AcceptedBody {
    success: bool,
    message: &'static str,
    challenge_id: String,
    position: Position,
    commitment: Digest,
}

pub(crate) async fn accept(
    State(app): Shared,
    request: Authorised<LARGEST_CHALLENGE>,
) -> Result<(StatusCode, Json<AcceptedBody>), Problem> {
    take(&app, &request.body).await.map(|body| (StatusCode::CREATED, Json(body)))
}

/// Reads a challenge and takes it on, whichever way it came; returns after its commit.
///
/// # Errors
/// What is wrong with it, and why it is not taken.
pub(crate) async fn take(app: &App, body: &[u8]) -> Result<AcceptedBody, Problem> {
    let challenge = challenge::read(body, &app.defaults)?;
    let challenge_id = challenge.id.clone();
    let accepted = app.service.accept(challenge).await?;
    let (message, position) = ("challenge accepted and recorded", accepted.position);
    Ok(AcceptedBody { success: true, message, challenge_id, position, commitment: accepted.commitment })
}

#[derive(Serialize)]
pub(crate) struct LabelBody {
    success: bool,
    message: &'static str,
    position: Position,
    evaluated: Position,
}

pub(crate) async fn tell_label(
    State(app): Shared,
    request: Authorised<LARGEST_LABEL>,
) -> Result<(StatusCode, Json<LabelBody>), Problem> {
    let revealed = app.service.tell_label(label::read(&request.body)?).await?;
    let message = "label recorded, and the scores that follow from it";
    let body = LabelBody { success: true, message, position: revealed.position, evaluated: revealed.evaluated };
    Ok((StatusCode::CREATED, Json(body)))
}

pub(crate) async fn awaited_labels(State(app): Shared) -> Json<WaitingLabels> {
    Json(app.service.awaited_labels())
}

pub(crate) async fn challenge_stats(State(app): Shared) -> Json<ChallengeStats> {
    Json(app.service.challenge_stats())
}

pub(crate) async fn challenge(State(app): Shared, id: Result<Path<String>, PathRejection>) -> Outcome<ChallengeStatus> {
    let unknown = || {
        let message = "no challenge of this id was accepted; push it with POST /challenges";
        Problem::new(StatusCode::NOT_FOUND, "unknown_challenge", message)
    };
    let Path(id) = id.map_err(|_| unknown())?;
    // What cannot be an id is not looked up.
    let status = if challenge::is_id(&id) { app.service.status(&id).await? } else { None };
    status.map(Json).ok_or_else(unknown)
}

#[derive(Serialize)]
pub(crate) struct AvailabilityBody {
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) async fn availability(State(app): Shared) -> Json<AvailabilityBody> {
    let health = app.service.health();
    Json(AvailabilityBody { available: health.available, reason: health.reason })
}

#[derive(Serialize)]
struct ProcessingStats {
    queue_size: usize,
    challenge_mode: &'static str,
    active_challenges: usize,
    max_concurrent: usize,
    available_capacity: usize,
    semaphore_available: usize,
}

#[derive(Serialize)]
pub(crate) struct HealthBody {
    service_name: &'static str,
    status: &'static str,
    processing_stats: ProcessingStats,
    #[serde(flatten)]
    health: Health,
}

/// 200 while ledger and chain answer, paused or not; else 503, with the same body.
pub(crate) async fn health(State(app): Shared) -> (StatusCode, Json<HealthBody>) {
    let health = app.service.health();
    let (code, status) = match (health.available, health.ledger && health.chain) {
        (true, _) => (StatusCode::OK, "healthy"),
        (false, true) if !health.running => (StatusCode::OK, "paused"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let free = health.max_concurrent.saturating_sub(health.active);
    let processing_stats = ProcessingStats {
        queue_size: health.queue_size,
        challenge_mode: "push",
        active_challenges: health.active,
        max_concurrent: health.max_concurrent,
        available_capacity: free,
        semaphore_available: free,
    };
    (code, Json(HealthBody { service_name: SERVICE_NAME, status, processing_stats, health }))
}

#[derive(Serialize)]
pub(crate) struct RegisterBody {
    success: bool,
    message: &'static str,
    uid: Uid,
    announced: bool,
    block: BlockNumber,
}

pub(crate) async fn register(State(app): Shared, request: Authorised<LARGEST_ORDER>) -> Outcome<RegisterBody> {
    let hotkey = challenge::read_hotkey(&request.body)?;
    match app.service.register(hotkey).await? {
        RegisterOutcome::Known { uid, announced, block } => {
            let message = if announced {
                "the chain knows this hotkey; its axon is looked at now"
            } else {
                "the chain knows this hotkey, but it announced no axon yet: announce one"
            };
            Ok(Json(RegisterBody { success: true, message, uid, announced, block }))
        }
        RegisterOutcome::NotRegistered { block } => {
            let message = format!(
                "hotkey {hotkey} holds no slot of this subnet at block {block}; register it on chain, then ask again"
            );
            Err(Problem::new(StatusCode::NOT_FOUND, "not_registered", message))
        }
    }
}

pub(crate) async fn stats(State(app): Shared) -> Json<Stats> {
    Json(app.service.stats())
}

#[derive(Serialize)]
pub(crate) struct RunningBody {
    success: bool,
    message: &'static str,
    running: bool,
    position: Option<Position>,
}

pub(crate) async fn set_running(State(app): Shared, request: Authorised<LARGEST_ORDER>) -> Outcome<RunningBody> {
    let running = challenge::read_running(&request.body)?;
    let change = app.service.set_running(running, &request.caller.to_string()).await?;
    let message = match (change.running, change.position.is_some()) {
        (true, true) => "running again",
        (false, true) => "paused: challenges are accepted and wait",
        (_, false) => "nothing to change",
    };
    Ok(Json(RunningBody { success: true, message, running: change.running, position: change.position }))
}

/// For Prometheus. Only this machine and its private network are told.
pub(crate) async fn metrics(State(app): Shared, request: Request) -> Response {
    let peer = peer_of(&request).map(|peer| peer.ip());
    if !metrics::may_read(peer, request.headers()) {
        return metrics::refused();
    }
    let mut page = app.service.metrics();
    app.requests.tell(&mut page);
    metrics::reply(page)
}

pub(crate) async fn contract() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], CONTRACT)
}
