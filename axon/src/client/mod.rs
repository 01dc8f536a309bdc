//! The client: what a validator asks miners with.
//!
//! A peer is hostile: its address passes the guard and is connected to as the literal it is, one deadline covers the whole exchange,
//! no redirect is followed and no body is read beyond its limit. What came of a call is told as the SDK's client tells it, so that
//! a subnet's code finds the status and text that it knows; besides, [`Failure`] says what happened in a closed set of words.

mod call;
mod exchange;
mod outcome;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::types::Hotkey;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use network::address::{AddressError, AddressGuard};
use network::btauth::Signed;
use network::keys::Keypair;
use network::legacy::{Head, Terminal, VERSION, message};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Error;
use crate::hostile;
use exchange::{Protocol, Sending};

pub use call::Call;
pub use outcome::{Failure, Outcome};

/// Limits of a dendrite.
#[derive(Debug, Clone)]
pub struct DendriteLimits {
    /// Connections open at once.
    pub connections: usize,
    /// How long a connection may take to be made, within the call's time.
    pub connect: Duration,
    /// Bytes of an answer.
    pub answer_bytes: usize,
}

impl Default for DendriteLimits {
    fn default() -> Self {
        Self { connections: 512, connect: Duration::from_secs(5), answer_bytes: 4 << 20 }
    }
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its hotkey; the request is bound to it.
    pub hotkey: Hotkey,
    /// Where it says it listens.
    pub address: SocketAddr,
}

/// Asks axons.
#[derive(Debug)]
pub struct Dendrite {
    keypair: Keypair,
    hotkey: String,
    uuid: Option<String>,
    external_ip: String,
    guard: AddressGuard,
    limits: DendriteLimits,
    clock: Clock,
    client: reqwest::Client,
    places: Semaphore,
    last_nonce: AtomicU64,
}

impl Dendrite {
    /// A dendrite of this hotkey. `external_ip` is what it says of its own address, which nobody checks.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(
        keypair: Keypair,
        external_ip: impl Into<String>,
        guard: AddressGuard,
        limits: DendriteLimits,
    ) -> Result<Self, Error> {
        let client = hostile::client(limits.connect)?;
        Ok(Self {
            hotkey: keypair.ss58(),
            keypair,
            uuid: None,
            external_ip: external_ip.into(),
            guard,
            places: Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)),
            limits,
            clock: Clock::system(),
            client,
            last_nonce: AtomicU64::new(0),
        })
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A fixed name of this process, which signatures cover. Without one every call has a fresh one: an SDK axon takes only growing
    /// nonces under a name, and of calls that are under way together the later one may arrive first.
    #[must_use]
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// Who asks.
    #[must_use]
    pub fn hotkey(&self) -> &str {
        &self.hotkey
    }

    /// Whether an address may be asked.
    ///
    /// # Errors
    /// Why not.
    pub fn permits(&self, address: SocketAddr) -> Result<SocketAddr, AddressError> {
        self.guard.check(address)
    }

    /// The time, and greater than any before.
    fn nonce(&self) -> u64 {
        let now = self.clock.now();
        let next = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self.last_nonce.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).unwrap_or_default();
        now.max(last.saturating_add(1))
    }

    /// The headers of a call to a target, with a fresh nonce and a signature.
    #[must_use]
    pub fn head(&self, target: &Target, call: &Call) -> Head {
        let nonce = self.nonce();
        let axon = target.hotkey.as_str();
        let uuid = self.uuid.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let text = message::request(&nonce.to_string(), &self.hotkey, axon, &uuid, &call.body_hash);
        Head {
            name: Some(call.synapse.clone()),
            timeout: call.timeout.as_secs_f64(),
            axon: Terminal {
                ip: Some(target.address.ip().to_string()),
                port: Some(i64::from(target.address.port())),
                hotkey: Some(axon.to_owned()),
                ..Terminal::default()
            },
            dendrite: Terminal {
                ip: Some(self.external_ip.clone()),
                version: i64::try_from(VERSION).ok(),
                nonce: Some(nonce),
                uuid: Some(uuid),
                hotkey: Some(self.hotkey.clone()),
                signature: Some(message::sign(&self.keypair, &text)),
                ..Terminal::default()
            },
            inputs: call.inputs.clone(),
            computed_body_hash: Some(call.body_hash.clone()),
            ..Head::default()
        }
    }

    /// Asks in the protocol of SDK 6 to 10.
    pub async fn ask(&self, target: &Target, call: &Call) -> Outcome {
        self.ask_streaming(target, call, |_| {}).await
    }

    /// Asks in that protocol, and hands on each piece of an answer when it is there. The outcome has the whole.
    pub async fn ask_streaming(&self, target: &Target, call: &Call, each: impl FnMut(&[u8]) + Send) -> Outcome {
        let write = || {
            let head = self.head(target, call);
            (head.lines(), call.body(&head))
        };
        exchange::run(self, Sending { target, call, write: &write }, Protocol::Legacy, each).await
    }

    /// Asks under `btauth/1`: the same route and fields, signed as SDK 11 signs.
    pub async fn ask_btauth(&self, target: &Target, call: &Call) -> Outcome {
        let write = || {
            let (path, body) = (format!("/{}", call.synapse), call.plain_body());
            let receiver = Some(target.hotkey.as_str());
            let signed = Signed { method: "POST", target: &path, body: &body, nonce: self.nonce(), receiver };
            let headers = signed.sign(&self.keypair).into_iter().map(|(name, value)| (name.to_owned(), value));
            (headers.collect(), body)
        };
        exchange::run(self, Sending { target, call, write: &write }, Protocol::BtAuth, |_| {}).await
    }

    /// Asks many at once, as many as there are connections. Outcomes stand in the order of the calls.
    pub async fn ask_all(self: &Arc<Self>, calls: Vec<(Target, Call)>) -> Vec<Outcome> {
        let mut asked: FuturesUnordered<_> = calls
            .iter()
            .enumerate()
            .map(|(at, (target, call))| async move { (at, self.ask(target, call).await) })
            .collect();
        let mut outcomes: Vec<Option<Outcome>> = calls.iter().map(|_| None).collect();
        while let Some((at, outcome)) = asked.next().await {
            outcomes[at] = Some(outcome);
        }
        outcomes.into_iter().flatten().collect()
    }
}
