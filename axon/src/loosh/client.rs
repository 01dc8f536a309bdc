//! A validator that asks miners.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use network::address::AddressGuard;
use network::fiber::loosh::{CHALLENGE_PATH, Dialect, EXCHANGE_PATH, PUBLIC_KEY_PATH, Session};
use network::keys::Keypair;
use serde::Deserialize;

use crate::client::{DendriteLimits, Target};
use crate::clock::Clock;
use crate::error::Error;
use crate::post::{Parcel, Post, Problem, Reply, within};

/// Miners of whom a key is remembered; a subnet has 256.
const MAXIMUM_SESSIONS: usize = 1024;
const SECOND: u64 = 1_000_000_000;

/// What a miner shows under its path and beside a refusal.
#[derive(Deserialize)]
struct Shown {
    public_key: String,
}

/// Asks miners in Loosh's dialect.
pub struct LooshClient {
    keypair: Keypair,
    post: Post,
    clock: Clock,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
}

impl LooshClient {
    /// A client of this hotkey.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(keypair: Keypair, guard: AddressGuard, limits: &DendriteLimits, clock: Clock) -> Result<Self, Error> {
        Ok(Self { keypair, post: Post::new(guard, limits)?, clock, sessions: Mutex::default() })
    }

    /// Asks a miner and opens its answer: the JSON that was under the token. A key is brought where the miner has none, and
    /// once anew where it does not know the key any more (401, and 400 of older miners). All of it within `timeout`.
    ///
    /// # Errors
    /// [`Problem`] for everything else than a whole answer of status 200 that opens.
    pub async fn ask(&self, target: &Target, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, Problem> {
        within(timeout, async {
            let mut pem = None;
            if let Some(session) = self.known(target) {
                let reply = self.challenge(target, &session, payload).await?;
                if !matches!(reply.status, 400 | 401) {
                    return self.opened(&session, &reply);
                }
                self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&name(target));
                pem = serde_json::from_slice::<Shown>(&reply.body).ok().map(|shown| shown.public_key);
            }
            let session = self.bring(target, pem).await?;
            let reply = self.challenge(target, &session, payload).await?;
            self.opened(&session, &reply)
        })
        .await
    }

    fn opened(&self, session: &Session, reply: &Reply) -> Result<Vec<u8>, Problem> {
        if reply.status != 200 {
            return Err(Problem::refused(reply));
        }
        let token = std::str::from_utf8(&reply.body).map_err(Problem::protocol)?;
        session.open(token, self.clock.now() / SECOND).map_err(Problem::protocol)
    }

    async fn challenge(&self, target: &Target, session: &Session, payload: &[u8]) -> Result<Reply, Problem> {
        let token = session.seal(payload, self.clock.now() / SECOND).map_err(Problem::protocol)?;
        let headers = session.headers().to_vec();
        self.post(target, CHALLENGE_PATH, headers, "application/octet-stream", token.into_bytes()).await
    }

    /// Brings the miner a new key, under the RSA key that it showed already or shows now.
    async fn bring(&self, target: &Target, pem: Option<String>) -> Result<Arc<Session>, Problem> {
        let pem = match pem {
            Some(pem) => pem,
            None => self.shown(target).await?,
        };
        // A float has room for microseconds until the year 2255.
        let now = (self.clock.now() / 1_000) as f64 / 1e6;
        let offer = Session::offer(Dialect::Miner, &self.keypair, &pem, now);
        let (session, body) = offer.map_err(Problem::protocol)?;
        let reply = self.post(target, EXCHANGE_PATH, Vec::new(), "application/json", body).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        let session = Arc::new(session);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.is_alive(now));
        if sessions.len() >= MAXIMUM_SESSIONS {
            sessions.pop_first();
        }
        sessions.insert(name(target), Arc::clone(&session));
        Ok(session)
    }

    async fn shown(&self, target: &Target) -> Result<String, Problem> {
        let get = Parcel {
            method: Method::GET,
            address: target.address,
            path: PUBLIC_KEY_PATH,
            headers: Vec::new(),
            content_type: "application/json",
            body: Vec::new(),
        };
        let reply = self.post.send(get).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        serde_json::from_slice::<Shown>(&reply.body).map(|shown| shown.public_key).map_err(Problem::protocol)
    }

    fn known(&self, target: &Target) -> Option<Arc<Session>> {
        let now = (self.clock.now() / 1_000) as f64 / 1e6;
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&name(target)).filter(|session| session.is_alive(now)).map(Arc::clone)
    }

    async fn post(
        &self,
        target: &Target,
        path: &str,
        headers: Vec<(&'static str, String)>,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Reply, Problem> {
        let (method, address) = (Method::POST, target.address);
        self.post.send(Parcel { method, address, path, headers, content_type, body }).await
    }
}

/// A miner that moved has another process, which does not know the key.
fn name(target: &Target) -> String {
    format!("{} {}", target.hotkey, target.address)
}
