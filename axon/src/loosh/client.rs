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
use crate::post::{Line, Parcel, Post, Problem, Reply, Sent, telling};

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
        Ok(Self { keypair, post: Post::new(guard, limits, clock.clone())?, clock, sessions: Mutex::default() })
    }

    /// Asks a miner and opens its answer: the reply's body is the JSON that was under the token. A key is brought where the miner
    /// has none, and once anew where it does not know the key any more (401, and 400 of older miners). All of it within
    /// `timeout`; the reply's times are those of the request itself. `extra` header fields travel besides.
    ///
    /// # Errors
    /// [`Problem`] for everything else than a whole answer of status 200 that opens.
    pub async fn ask(
        &self,
        target: &Target,
        payload: &[u8],
        extra: &[Line],
        timeout: Duration,
    ) -> Result<Reply, Problem> {
        let sent = Sent::default();
        let beside = (extra, Some(&sent));
        telling(timeout, &sent, async {
            let mut pem = None;
            if let Some(session) = self.known(target) {
                let reply = self.challenge(target, &session, payload, beside).await?;
                if !matches!(reply.status, 400 | 401) {
                    return self.opened(&session, reply);
                }
                self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&name(target));
                pem = serde_json::from_slice::<Shown>(&reply.body).ok().map(|shown| shown.public_key);
            }
            let session = self.bring(target, pem).await?;
            let reply = self.challenge(target, &session, payload, beside).await?;
            self.opened(&session, reply)
        })
        .await
    }

    fn opened(&self, session: &Session, reply: Reply) -> Result<Reply, Problem> {
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        let unreadable = |error: &dyn std::fmt::Display| Problem { status: Some(200), ..Problem::protocol(error) };
        let token = std::str::from_utf8(&reply.body).map_err(|error| unreadable(&error))?;
        let body = session.open(token, self.clock.now() / SECOND).map_err(|error| unreadable(&error))?;
        Ok(Reply { body: body.into(), ..reply })
    }

    async fn challenge(
        &self,
        target: &Target,
        session: &Session,
        payload: &[u8],
        (extra, sent): (&[Line], Option<&Sent>),
    ) -> Result<Reply, Problem> {
        let token = session.seal(payload, self.clock.now() / SECOND).map_err(Problem::protocol)?;
        let (method, address, path) = (Method::POST, target.address, CHALLENGE_PATH);
        let (headers, body) = (session.headers().to_vec(), token.into_bytes());
        let content_type = "application/octet-stream";
        self.post.send(Parcel { method, address, path, extra, headers, content_type, body, sent }).await
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
        let reply = self.post.send(key_parcel(Method::POST, target, EXCHANGE_PATH, body)).await?;
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
        let reply = self.post.send(key_parcel(Method::GET, target, PUBLIC_KEY_PATH, Vec::new())).await?;
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
}

/// A request that is about keys, and no challenge.
fn key_parcel<'a>(method: Method, target: &Target, path: &'a str, body: Vec<u8>) -> Parcel<'a> {
    let (address, content_type) = (target.address, "application/json");
    Parcel { method, address, path, extra: &[], headers: Vec::new(), content_type, body, sent: None }
}

/// A miner that moved has another process, which does not know the key.
fn name(target: &Target) -> String {
    format!("{} {}", target.hotkey, target.address)
}
