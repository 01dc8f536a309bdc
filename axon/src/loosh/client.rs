//! A validator that asks miners.

use std::sync::Arc;
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
use crate::sessions::Sessions;

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
    sessions: Sessions<Session>,
}

impl LooshClient {
    /// A client of this hotkey.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(keypair: Keypair, guard: AddressGuard, limits: &DendriteLimits, clock: Clock) -> Result<Self, Error> {
        Ok(Self { keypair, post: Post::new(guard, limits, clock.clone())?, clock, sessions: Sessions::default() })
    }

    /// Asks a miner and opens its answer: the reply's body is the JSON that was under the token. A key is brought where the miner
    /// has none, and once anew where it does not know the key any more (401, or 400 that says `requires_handshake`). All of it
    /// within `timeout`; `sent_at` is of the first sending of the request. `extra` header fields travel besides.
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
            let had = self.sessions.get(target, |known| self.is_alive(known), || self.bring(target, None)).await?;
            let reply = self.challenge(target, &had.session, payload, beside).await?;
            if had.brought || !lacks_key(&reply) {
                return self.opened(&had.session, reply);
            }
            let pem = serde_json::from_slice::<Shown>(&reply.body).ok().map(|shown| shown.public_key);
            let another = |known: &Arc<Session>| !Arc::ptr_eq(known, &had.session) && self.is_alive(known);
            let anew = self.sessions.get(target, another, || self.bring(target, pem)).await?;
            let reply = self.challenge(target, &anew.session, payload, beside).await?;
            self.opened(&anew.session, reply)
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
    async fn bring(&self, target: &Target, pem: Option<String>) -> Result<Session, Problem> {
        let pem = match pem {
            Some(pem) => pem,
            None => self.shown(target).await?,
        };
        let offer = Session::offer(Dialect::Miner, &self.keypair, &pem, self.seconds());
        let (session, body) = offer.map_err(Problem::protocol)?;
        let reply = self.post.send(key_parcel(Method::POST, target, EXCHANGE_PATH, body)).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        Ok(session)
    }

    async fn shown(&self, target: &Target) -> Result<String, Problem> {
        let reply = self.post.send(key_parcel(Method::GET, target, PUBLIC_KEY_PATH, Vec::new())).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        serde_json::from_slice::<Shown>(&reply.body).map(|shown| shown.public_key).map_err(Problem::protocol)
    }

    fn is_alive(&self, session: &Session) -> bool {
        session.is_alive(self.seconds())
    }

    /// A float has room for microseconds until the year 2255.
    fn seconds(&self) -> f64 {
        (self.clock.now() / 1_000) as f64 / 1e6
    }
}

/// Whether a miner says that it does not know the key. Another 400 is about the request, which would not be better a second time.
fn lacks_key(reply: &Reply) -> bool {
    #[derive(Deserialize)]
    struct Refused {
        requires_handshake: bool,
    }
    let handshake = || serde_json::from_slice::<Refused>(&reply.body).is_ok_and(|refused| refused.requires_handshake);
    reply.status == 401 || (reply.status == 400 && handshake())
}

/// A request that is about keys, and no challenge.
fn key_parcel<'a>(method: Method, target: &Target, path: &'a str, body: Vec<u8>) -> Parcel<'a> {
    let (address, content_type) = (target.address, "application/json");
    Parcel { method, address, path, extra: &[], headers: Vec::new(), content_type, body, sent: None }
}
