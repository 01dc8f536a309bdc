//! The router: one table of routes, and what is around all of them.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use network::fiber::rsa_key::MinerKey;
use tokio::sync::Semaphore;

use super::authorisation::Guard;
use super::config::{ApiConfig, ApiLimits, ChallengeDefaults};
use super::problem::Problem;
use super::sealed::SealedPush;
use super::service::Service;
use super::{handlers, limits};
use crate::clock;

/// The contract of the routes: OpenAPI 3.1, as served at `/openapi.json`.
pub const CONTRACT: &str = include_str!("../../openapi.json");

/// What handlers share.
pub(crate) struct App {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) guard: Guard,
    pub(crate) defaults: ChallengeDefaults,
    pub(crate) limits: ApiLimits,
    pub(crate) places: Semaphore,
    pub(crate) requests: metrics::Requests,
}

/// A path with its methods.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test against the contract compares it"))]
    pub(crate) method: Method,
    handler: MethodRouter<Arc<App>>,
}

fn read<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { path, method: Method::GET, handler: get(handler) }
}

fn write<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { path, method: Method::POST, handler: post(handler) }
}

/// Every route. Loosh's names come first; those that upstream spells differently in code and document are there twice.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        write("/challenges", handlers::accept),
        read("/challenges/stats", handlers::challenge_stats),
        read("/challenges/{id}", handlers::challenge),
        write("/labels", handlers::tell_label),
        read("/labels", handlers::awaited_labels),
        read("/availability", handlers::availability),
        read("/availability/health", handlers::health),
        read("/availability/healthz", handlers::health),
        write("/register", handlers::register),
        write("/register/", handlers::register),
        read("/stats", handlers::stats),
        read("/get_stats", handlers::stats),
        write("/set_running", handlers::set_running),
        read("/openapi.json", handlers::contract),
    ]
}

/// The routes of one validator, but for those of a sealed push. Serve them with [`super::serve`], which knows who the peer is:
/// without a peer nobody is taken for a client on this machine.
pub fn router(service: Arc<dyn Service>, config: &ApiConfig) -> Router {
    router_with(service, config, None)
}

/// The same, with the routes of a sealed push where there is a key for them.
pub(super) fn router_with(
    service: Arc<dyn Service>,
    config: &ApiConfig,
    sealed: Option<(&SealedPush, MinerKey)>,
) -> Router {
    let app = Arc::new(App {
        service,
        guard: Guard::new(config, clock::now()),
        defaults: config.defaults,
        limits: config.limits.clone(),
        places: Semaphore::new(config.limits.requests.min(Semaphore::MAX_PERMITS)),
        requests: metrics::Requests::default(),
    });
    let router = routes().into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler));
    let router = match sealed {
        Some((push, key)) => push.add(router, &app, key),
        None => router,
    };
    router
        // Not of the contract: it answers in Prometheus' format, and to the neighbourhood only.
        .route("/metrics", get(handlers::metrics))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        // The last one added is the first that a request meets.
        .layer(middleware::from_fn_with_state(Arc::clone(&app), limits::bound))
        .layer(middleware::from_fn(limits::observe))
        .layer(middleware::from_fn_with_state(app.requests.clone(), metrics::observe))
        .with_state(app)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", "there is no such route; see /openapi.json")
}

async fn method_not_allowed() -> Problem {
    let message = "this route does not take this method; see /openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
