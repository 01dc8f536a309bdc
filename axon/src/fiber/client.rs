//! A validator's side: plain requests, and encrypted ones under a key that it brings when it has none.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use network::address::AddressGuard;
use network::fiber::client::{EXCHANGE_PATH, Outgoing, PLAIN, PUBLIC_KEY_PATH, PublicKeyAnswer, Session, plain};
use network::fiber::server::KEY_LIFETIME;
use network::keys::Keypair;
use serde::Deserialize;

use crate::client::{DendriteLimits, Target};
use crate::clock::Clock;
use crate::error::Error;
use crate::post::{Line, Parcel, Post, Problem, Reply, Sent, telling};
use crate::sessions::Sessions;

/// Asks miners in fiber.
pub struct FiberClient {
    keypair: Keypair,
    post: Post,
    clock: Clock,
    sessions: Sessions<Session>,
}

impl FiberClient {
    /// A client of this hotkey.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(keypair: Keypair, guard: AddressGuard, limits: &DendriteLimits, clock: Clock) -> Result<Self, Error> {
        Ok(Self { keypair, post: Post::new(guard, limits, clock.clone())?, clock, sessions: Sessions::default() })
    }

    /// Asks in plain mode: exactly these bytes are signed and sent, with the `extra` header fields besides. An answer of another
    /// status than 200 is an answer, too.
    ///
    /// # Errors
    /// [`Problem`] where there is no whole answer in time.
    pub async fn ask_plain(
        &self,
        target: &Target,
        path: &str,
        body: Vec<u8>,
        extra: &[Line],
        timeout: Duration,
    ) -> Result<Reply, Problem> {
        let request = plain(&self.keypair, &target.hotkey, body, self.clock.now()).map_err(Problem::protocol)?;
        let sent = Sent::default();
        telling(timeout, &sent, self.send(target, path, request, (extra, Some(&sent)))).await
    }

    /// Asks in encrypted mode, with the fields of a JSON object. A key is brought where the miner has none; where it says that
    /// it does not know the key, once anew. All of it happens within `timeout`; `sent_at` is of the first sending of the request. A payload that has a `nonce` of its own goes as it is.
    ///
    /// # Errors
    /// [`Problem`] where there is no whole answer in time, or no key could be brought.
    pub async fn ask_encrypted(
        &self,
        target: &Target,
        path: &str,
        payload: &[u8],
        extra: &[Line],
        timeout: Duration,
    ) -> Result<Reply, Problem> {
        let sent = Sent::default();
        let beside = (extra, Some(&sent));
        telling(timeout, &sent, async {
            let had = self.sessions.get(target, |known| self.is_alive(known), || self.bring(target)).await?;
            let reply = self.send(target, path, self.sealed(&had.session, payload)?, beside).await?;
            if had.brought || !lacks_key(&reply) {
                return Ok(reply);
            }
            let another = |known: &Arc<Session>| !Arc::ptr_eq(known, &had.session) && self.is_alive(known);
            let anew = self.sessions.get(target, another, || self.bring(target)).await?;
            self.send(target, path, self.sealed(&anew.session, payload)?, beside).await
        })
        .await
    }

    fn sealed(&self, session: &Session, payload: &[u8]) -> Result<Outgoing, Problem> {
        session.request(&self.keypair, payload, self.clock.now()).map_err(Problem::protocol)
    }

    /// Brings the miner a new key.
    async fn bring(&self, target: &Target) -> Result<Session, Problem> {
        let get = Parcel {
            method: Method::GET,
            address: target.address,
            path: PUBLIC_KEY_PATH,
            extra: &[],
            headers: Vec::new(),
            content_type: PLAIN,
            body: Vec::new(),
            sent: None,
        };
        let reply = self.post.send(get).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        let shown: PublicKeyAnswer = serde_json::from_slice(&reply.body).map_err(Problem::protocol)?;
        let offer = Session::offer(&self.keypair, &target.hotkey, &shown.public_key, self.clock.now());
        let (session, request) = offer.map_err(Problem::protocol)?;
        let reply = self.send(target, EXCHANGE_PATH, request, (&[], None)).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        Ok(session)
    }

    fn is_alive(&self, session: &Session) -> bool {
        session.is_alive(self.clock.now(), KEY_LIFETIME)
    }

    async fn send(
        &self,
        target: &Target,
        path: &str,
        request: Outgoing,
        (extra, sent): (&[Line], Option<&Sent>),
    ) -> Result<Reply, Problem> {
        let Outgoing { headers, content_type, body } = request;
        let (method, address) = (Method::POST, target.address);
        self.post.send(Parcel { method, address, path, extra, headers, content_type, body, sent }).await
    }
}

/// Whether a miner says that it does not know the key: 401, or 400 with a detail that speaks of the symmetric key. Another 400 is
/// about the request, which would not be better a second time.
fn lacks_key(reply: &Reply) -> bool {
    #[derive(Deserialize)]
    struct Refused {
        detail: String,
    }
    let of_the_key = || {
        let refused = serde_json::from_slice::<Refused>(&reply.body);
        refused.is_ok_and(|refused| refused.detail.to_ascii_lowercase().contains("symmetric key"))
    };
    reply.status == 401 || (reply.status == 400 && of_the_key())
}
