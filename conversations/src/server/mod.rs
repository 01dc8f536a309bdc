//! A conversation server over a store: `POST /api/v1/conversation/reserve`, `PUT /api/v1/conversation/record/{guid}`, and
//! `GET /metrics` for this machine.
//!
//! **Invariants.** A conversation is handed out to one client at a time, over restarts, too: a reservation is on disk before it
//! is answered. A record is on disk before it is acknowledged, and no record is changed. Without a key only this machine is
//! served. Every size, number and time has a limit.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::client::Key;
use crate::conversation::Conversation;
use crate::error::Error;

mod folder;
mod metrics;
mod records;
mod replies;
mod reservations;
mod routes;

/// What is finite, and how much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; further ones wait.
    pub connections: usize,
    /// Requests at once; further ones are refused with 503.
    pub requests: usize,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// How long a request may take, with its body.
    pub request_timeout: Duration,
    /// How long a connection may live.
    pub connection_lifetime: Duration,
    /// How long open requests may go on after the stop.
    pub drain_timeout: Duration,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Bytes of all records; further ones are refused with 507.
    pub all_record_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 32,
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            connection_lifetime: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(10),
            record_bytes: crate::client::MAX_RECORD,
            all_record_bytes: 16 << 30,
        }
    }
}

impl Limits {
    fn serving(&self) -> serving::Limits {
        serving::Limits {
            connections: self.connections,
            head_timeout: self.head_timeout,
            request_timeout: self.request_timeout,
            lifetime: self.connection_lifetime,
            drain: self.drain_timeout,
        }
    }
}

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Folder of records and reservations; one server uses it.
    pub folder: PathBuf,
    /// The key that clients must bring; without one only this machine may ask.
    pub key: Option<Key>,
    /// How long a conversation stays reserved.
    pub expiry: Duration,
    /// Limits.
    pub limits: Limits,
}

impl Config {
    /// Reservations of ten minutes, no key.
    #[must_use]
    pub fn new(listen: SocketAddr, folder: impl Into<PathBuf>) -> Self {
        Self { listen, folder: folder.into(), key: None, expiry: Duration::from_secs(600), limits: Limits::default() }
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        if !self.listen.ip().is_loopback() && self.key.is_none() {
            return wrong("listen", "can be reached by others; set a key, or listen on 127.0.0.1");
        }
        if self.expiry < Duration::from_secs(1) || self.expiry > Duration::from_secs(7 * 24 * 3600) {
            return wrong("expiry", "goes from a second to seven days");
        }
        Ok(())
    }
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    routes: axum::Router,
    limits: Limits,
}

impl Server {
    /// Checks the configuration, reads what earlier runs left in the folder, and takes the address.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::FolderInUse`], [`Error::Listen`]; [`Error::Read`] and the like for the folder.
    pub async fn bind(config: Config, conversations: Vec<Conversation>) -> Result<Self, Error> {
        config.check()?;
        if conversations.is_empty() {
            let problem = "holds no conversation; import some first".to_owned();
            return Err(Error::Setting { setting: "file", problem });
        }
        let listening = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let limits = config.limits.clone();
        let blocking = tokio::task::spawn_blocking(move || routes::App::open(config, conversations));
        let app =
            blocking.await.map_err(|error| Error::Setting { setting: "folder", problem: error.to_string() })??;
        Ok(Self { listener, address, routes: routes::router(app), limits })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves; open requests then get [`Limits::drain_timeout`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        tracing::info!(address = %self.address, "the conversation server listens");
        serving::serve(self.listener, self.routes, self.limits.serving(), stop).await;
    }
}
