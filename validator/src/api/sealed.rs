//! Loosh's own push: its challenge service brings a key, and then challenges sealed under it
//! (`network::fiber::loosh`, the dialect between service and validator).
//!
//! `GET /fiber/public-key` and `/fiber/stats`, `POST /fiber/key-exchange` and `/fiber/challenge`. They are there only where hotkeys
//! are named that may push, and speak as upstream's do: `{"detail": …}` for a refusal, 400 for whatever is wrong with a challenge.
//! The contract of the other routes does not name them.
//!
//! **Architecture invariant:** a key is taken only with the signature of a hotkey that may push, and a token opens once. What was
//! under it goes the way of `POST /challenges`: same limits, same reader, same answer after the commit.

use std::sync::Arc;

use async_trait::async_trait;
use axon::endpoint::{Admitted, Answered, Asked, Endpoint};
use axon::loosh::LooshServer;
use axon::{AxonLimits, Clock, HandlerError};
use axum::Router;
use axum::http::StatusCode;
use domain::types::Hotkey;
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{CHALLENGE_PATH, Dialect, EXCHANGE_PATH, PUBLIC_KEY_PATH, STATISTICS_PATH};
use network::fiber::rsa_key::MinerKey;

use super::handlers::{self, LARGEST_CHALLENGE};
use super::problem::Problem;
use super::routes::App;
use crate::Error;

/// The token of the largest challenge: four letters for three bytes, and what Fernet adds.
const LARGEST_TOKEN: usize = LARGEST_CHALLENGE / 3 * 4 + 256;
/// Bytes of all bodies that are held at once.
const ALL_BODIES: usize = 16 << 20;
/// Challenges that wait for a place among those that are recorded.
const WAITING: usize = 64;

/// Who may push sealed challenges.
#[derive(Debug, Clone)]
pub struct SealedPush {
    /// Hotkeys whose signature brings a key.
    pub pushers: Vec<Hotkey>,
}

impl SealedPush {
    /// The RSA key of a process, made away from its other tasks. Takes up to a second.
    ///
    /// # Errors
    /// [`Error::Randomness`] when none can be made.
    pub(super) async fn key() -> Result<MinerKey, Error> {
        let made = tokio::task::spawn_blocking(MinerKey::generate).await;
        let made = made.map_err(|error| Error::Randomness(error.to_string()))?;
        made.map_err(|error| Error::Randomness(error.to_string()))
    }

    /// Adds the routes.
    pub(super) fn add(&self, router: Router<Arc<App>>, app: &Arc<App>, key: MinerKey) -> Router<Arc<App>> {
        let pushers = self.pushers.clone();
        let admitted: Admitted = Arc::new(move |hotkey| pushers.contains(hotkey).then_some(0.0));
        let limits = AxonLimits {
            body_bytes: LARGEST_TOKEN,
            all_bodies_bytes: ALL_BODIES,
            body_timeout: app.limits.body_timeout,
            waiting: WAITING,
            longest: app.limits.request_timeout,
            ..AxonLimits::default()
        };
        // The service may leave its signature out; then anybody could have brought the key.
        let signatures = Signatures::Required;
        let own = app.service.hotkey();
        let server = LooshServer::new(own, Dialect::Service, signatures, key, admitted, limits, Clock::system());
        let server = server.challenges(Pushed(Arc::clone(app))).into_router();
        let paths = [PUBLIC_KEY_PATH, STATISTICS_PATH, EXCHANGE_PATH, CHALLENGE_PATH];
        paths.into_iter().fold(router, |router, path| router.route_service(path, server.clone()))
    }
}

/// Takes what was under a token.
struct Pushed(Arc<App>);

#[async_trait]
impl Endpoint for Pushed {
    async fn answer(&self, asked: Asked) -> Result<Answered, HandlerError> {
        if asked.payload.len() > LARGEST_CHALLENGE {
            return Err(refused(&Problem::too_large(LARGEST_CHALLENGE)));
        }
        let taken = handlers::take(&self.0, &asked.payload).await.map_err(|problem| refused(&problem))?;
        tracing::debug!(by = %asked.hotkey, "a sealed challenge is recorded");
        let body = serde_json::to_vec(&taken).map_err(|error| HandlerError::Failed(error.to_string()))?;
        Ok(Answered::from(body))
    }
}

/// A refusal in upstream's statuses, which has 400 for a challenge that is none.
fn refused(problem: &Problem) -> HandlerError {
    let status = match problem.status {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    HandlerError::Refused { status: status.as_u16(), message: problem.message().to_owned() }
}
