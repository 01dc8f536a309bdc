//! The router, read top-down, and the server around it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use graphql::{Api, Limits};
use projections::ReadModels;
use tokio::net::TcpListener;

use crate::{assets, figures, graphiql, graphql_http, health, heatmaps, layers, pages};

/// How long a connection may live; then it ends after its current request.
const LIFETIME: Duration = Duration::from_secs(600);

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database with the read models.
    pub database_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Limits of a GraphQL request.
    pub limits: Limits,
    /// Bytes of a request's body at most.
    pub body_bytes: usize,
    /// Requests at once; more are refused with 503.
    pub concurrency: usize,
    /// Connections open at once; more wait in the system's backlog.
    pub connections: usize,
    /// How long the head of a request may take, and how long a connection may idle.
    pub head_timeout: Duration,
    /// How long a request may take, with reading its body.
    pub timeout: Duration,
    /// Events that the read models may be behind while `/readyz` says yes.
    pub ready_lag: u64,
    /// How long open requests may go on after the stop.
    pub drain: Duration,
}

impl Config {
    /// Everything at its default.
    #[must_use]
    pub fn new(database_url: impl Into<String>, listen: SocketAddr) -> Self {
        Self {
            database_url: database_url.into(),
            listen,
            limits: Limits::default(),
            body_bytes: 64 << 10,
            concurrency: 64,
            connections: 512,
            head_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(15),
            ready_lag: 10_000,
            drain: Duration::from_secs(10),
        }
    }
}

impl Config {
    fn serving(&self) -> serving::Limits {
        serving::Limits {
            connections: self.connections,
            head_timeout: self.head_timeout,
            request_timeout: self.timeout,
            lifetime: LIFETIME,
            drain: self.drain,
        }
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database's URL is none.
    #[error(transparent)]
    ReadModels(#[from] projections::Error),
}

/// What the handlers share.
pub(crate) struct App {
    pub(crate) api: Api,
    pub(crate) ready_lag: u64,
    pub(crate) body_bytes: usize,
    pub(crate) requests: metrics::Requests,
}

/// All routes of the read side, with their layers.
pub fn router(api: Api, config: &Config) -> Router {
    let requests = metrics::Requests::default();
    let (ready_lag, body_bytes) = (config.ready_lag, config.body_bytes);
    let app = Arc::new(App { api, ready_lag, body_bytes, requests: requests.clone() });
    let limited = Router::new()
        .route("/graphql", get(graphql_http::get).post(graphql_http::post).fallback(graphql_http::other))
        .route("/", get(pages::home))
        .route("/leaderboard", get(pages::leaderboard))
        .route("/graphiql", get(graphiql::page))
        .route("/graphiql/tabs.json", get(graphiql::tabs))
        .route("/graphiql/{file}", get(assets::file))
        .route("/schema.graphql", get(graphiql::schema))
        .route("/rounds/{challenge}/{attempt}/heatmap.svg", get(heatmaps::svg))
        .route("/rounds/{challenge}/{attempt}/heatmap.png", get(heatmaps::png))
        .route("/readyz", get(health::ready))
        .with_state(Arc::clone(&app));
    let limited = layers::limit(limited, config);
    // Whether the process lives is told even when it is busy.
    let live = Router::new().route("/livez", get(health::live)).route("/favicon.ico", get(assets::no_icon));
    let live = live.merge(Router::new().route("/metrics", get(figures::page)).with_state(app));
    let counted = middleware::from_fn_with_state(requests, metrics::observe);
    layers::secure(live.merge(limited).fallback(pages::not_found).layer(counted))
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: serving::Limits,
}

impl Server {
    /// Listens on the configured address.
    ///
    /// # Errors
    /// [`Error::Listen`], and a database URL that is none.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let listening = |source| Error::Listen { address: config.listen, source };
        let api = Api::new(ReadModels::open(&config.database_url)?, config.limits.clone());
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        Ok(Self { listener, address, router: router(api, config), limits: config.serving() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves, then lets open requests end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        serving::serve(self.listener, self.router, self.limits, stop).await;
    }
}

/// Listens and answers until `stop` resolves.
///
/// # Errors
/// As [`Server::bind`].
pub async fn serve(config: Config, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
    let server = Server::bind(&config).await?;
    tracing::info!(address = %server.address(), "the read side listens");
    server.run(stop).await;
    Ok(())
}
