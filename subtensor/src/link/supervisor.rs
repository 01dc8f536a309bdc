//! Keeps one link to one of the endpoints, and the newest block.
//!
//! A link is given up when the socket closes, when the node does not answer a probe, or when no new block came for long; then
//! the next endpoint is tried, after pauses that grow to a limit. A chain with another genesis is no endpoint of ours.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chain::BlockHeader;
use domain::types::{BlockNumber, Digest};
use subxt::ext::jsonrpsee::core::client::Subscription;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::rpc::{Header, header_hash};
use super::{Endpoint, Link, Settings};
use crate::error::Error;
use crate::read::At;
use crate::runtime::{Runtime, digest};

/// Runtimes that are kept: the present one and some of the past that an audit reads.
const RUNTIMES: usize = 4;
/// Blocks whose runtime is remembered.
const VERSIONS: usize = 256;

/// What the supervisor and the readers share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) endpoints: Vec<Endpoint>,
    link: watch::Sender<State>,
    head: watch::Sender<Option<BlockHeader>>,
    genesis: OnceLock<Digest>,
    runtimes: Mutex<Runtimes>,
    links_made: AtomicU64,
}

/// The present link, or why there is none.
enum State {
    Up(Arc<Link>),
    Down(String),
}

#[derive(Default)]
struct Runtimes {
    by_version: BTreeMap<u32, Arc<Runtime>>,
    /// Spec and transaction version by block; the newest last.
    of_blocks: Vec<(Digest, u32)>,
}

impl Shared {
    pub(crate) fn new(endpoints: Vec<Endpoint>, settings: Settings) -> Self {
        Self {
            settings,
            endpoints,
            link: watch::Sender::new(State::Down("none was made yet".to_owned())),
            head: watch::Sender::new(None),
            genesis: OnceLock::new(),
            runtimes: Mutex::default(),
            links_made: AtomicU64::new(0),
        }
    }

    /// The genesis hash; [`None`] before the first link.
    pub(crate) fn genesis(&self) -> Option<Digest> {
        self.genesis.get().copied()
    }

    /// How many links were made so far.
    pub(crate) fn links_made(&self) -> u64 {
        self.links_made.load(Ordering::Relaxed)
    }

    /// Every newest block, as it comes.
    pub(crate) fn heads(&self) -> watch::Receiver<Option<BlockHeader>> {
        self.head.subscribe()
    }

    /// The link as soon as there is one that is not `unlike`.
    ///
    /// # Errors
    /// [`Error::Lost`] with the reason when there is none until `deadline`.
    pub(crate) async fn link(&self, unlike: Option<&Arc<Link>>, deadline: Instant) -> Result<Arc<Link>, Error> {
        let mut changes = self.link.subscribe();
        let other = |state: &State| match state {
            State::Up(link) => unlike.is_none_or(|unlike| !Arc::ptr_eq(link, unlike)),
            State::Down(_) => false,
        };
        if let Ok(Ok(state)) = tokio::time::timeout_at(deadline, changes.wait_for(other)).await
            && let State::Up(link) = &*state
        {
            return Ok(Arc::clone(link));
        }
        Err(Error::Lost(match &*self.link.borrow() {
            State::Up(_) => "it answers nothing".to_owned(),
            State::Down(reason) => reason.clone(),
        }))
    }

    /// The runtime in a block's state, with its metadata asked for where it is not known yet.
    pub(crate) async fn runtime(&self, link: &Link, at: Digest) -> Result<Arc<Runtime>, Error> {
        if let Some(runtime) = self.known_runtime(at) {
            return Ok(runtime);
        }
        let (spec_version, transaction_version) = link.runtime_version(at).await?;
        let known = self.locked().by_version.get(&spec_version).cloned();
        let runtime = match known {
            Some(runtime) => runtime,
            None => {
                tracing::info!(url = link.name(), spec_version, "reading the metadata of the chain's runtime");
                let metadata = link.metadata(at).await?;
                Arc::new(Runtime::decode(spec_version, transaction_version, &metadata)?)
            }
        };
        self.remember(at, &runtime);
        Ok(runtime)
    }

    fn known_runtime(&self, at: Digest) -> Option<Arc<Runtime>> {
        let runtimes = self.locked();
        let (_, version) = runtimes.of_blocks.iter().rev().find(|(block, _)| *block == at)?;
        runtimes.by_version.get(version).cloned()
    }

    fn remember(&self, at: Digest, runtime: &Arc<Runtime>) {
        let mut runtimes = self.locked();
        if runtimes.of_blocks.len() >= VERSIONS {
            runtimes.of_blocks.drain(..VERSIONS / 2);
        }
        runtimes.of_blocks.push((at, runtime.spec_version()));
        runtimes.by_version.insert(runtime.spec_version(), Arc::clone(runtime));
        while runtimes.by_version.len() > RUNTIMES {
            // The oldest but this one: blocks of the past are read seldom.
            let oldest = runtimes.by_version.keys().copied().find(|version| *version != runtime.spec_version());
            let Some(oldest) = oldest else { break };
            runtimes.by_version.remove(&oldest);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Runtimes> {
        // Nothing that holds it panics half-way through a change.
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a link and reads its newest block.
    async fn establish(&self, endpoint: &Endpoint) -> Result<(Arc<Link>, Subscription<Header>, BlockHeader), Error> {
        let link = Arc::new(Link::open(endpoint, &self.settings).await?);
        let genesis = *self.genesis.get_or_init(|| link.genesis_hash());
        if link.genesis_hash() != genesis {
            let reason = format!("it has another chain: genesis is {} and not {genesis}", link.genesis_hash());
            return Err(Error::Lost(reason));
        }
        // Finalised blocks alone: what is recorded of a block must not be undone, and draws are seeded with its hash.
        let (subscribe, unsubscribe) = ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads");
        let hash = link.finalised_hash().await?;
        let heads = link.subscribe(subscribe, unsubscribe).await?;
        let header = link.header(hash).await?;
        let head = self.block_header(&link, &header, hash).await?;
        Ok((link, heads, head))
    }

    async fn block_header(&self, link: &Arc<Link>, header: &Header, hash: Digest) -> Result<BlockHeader, Error> {
        let number = BlockNumber(header.number);
        let runtime = self.runtime(link, hash).await?;
        let at = At { link: Arc::clone(link), runtime, number, hash };
        let timestamp_ms = at.value::<u64>("Timestamp", "Now", ()).await?.unwrap_or(0);
        let parent = if header.number == 0 { hash } else { digest(header.parent_hash.0) };
        Ok(BlockHeader { number, hash, parent, timestamp_ms })
    }

    /// Publishes new blocks until the link is of no use any more, and says why.
    async fn follow(&self, link: &Arc<Link>, mut heads: Subscription<Header>) -> String {
        let mut last_block = Instant::now();
        let mut last_sign = Instant::now();
        loop {
            tokio::select! {
                header = heads.next() => match header {
                    Some(Ok(header)) => {
                        last_sign = Instant::now();
                        match self.arrived(link, &header).await {
                            Ok(true) => last_block = Instant::now(),
                            Ok(false) => {}
                            Err(error) => return error.to_string(),
                        }
                    }
                    Some(Err(error)) => {
                        return link.endpoint.scrub(&format!("a header is not understood: {error}"));
                    }
                    None => return "the node closed the connection".to_owned(),
                },
                () = link.suspicion.notified() => match link.probe().await {
                    Ok(()) => last_sign = Instant::now(),
                    Err(error) => return error.to_string(),
                },
                () = sleep_until(last_sign + self.settings.probe_after) => match link.probe().await {
                    Ok(()) => last_sign = Instant::now(),
                    Err(error) => return error.to_string(),
                },
                () = sleep_until(last_block + self.settings.silence()) => {
                    return format!("no new block came for {} s", self.settings.silence().as_secs());
                }
            }
        }
    }

    /// Publishes a header that is above the last one, or stands in its place; a longer branch is above it sooner or later. Tells
    /// whether it is above.
    async fn arrived(&self, link: &Arc<Link>, header: &Header) -> Result<bool, Error> {
        let (last, hash) = (*self.head.borrow(), header_hash(header));
        let old = |last: BlockHeader| header.number < last.number.0 || hash == last.hash;
        if last.is_some_and(old) {
            return Ok(false);
        }
        let head = self.block_header(link, header, hash).await?;
        self.head.send_replace(Some(head));
        Ok(last.is_none_or(|last| head.number > last.number))
    }
}

/// Runs until it is aborted.
pub(crate) async fn supervise(shared: Arc<Shared>) {
    let (shortest, longest) = (shared.settings.shortest_pause, shared.settings.longest_pause);
    let mut pause = shortest;
    for endpoint in shared.endpoints.iter().cycle() {
        let url = endpoint.name();
        let reason = match shared.establish(endpoint).await {
            Ok((link, heads, head)) => {
                let made = Instant::now();
                tracing::info!(url, block = head.number.0, "connected to the chain");
                shared.links_made.fetch_add(1, Ordering::Relaxed);
                // Another endpoint may be behind the last one: the head never goes back.
                shared.head.send_if_modified(|last| {
                    let newer = last.is_none_or(|last| head.number > last.number);
                    if newer {
                        *last = Some(head);
                    }
                    newer
                });
                shared.link.send_replace(State::Up(Arc::clone(&link)));
                let reason = shared.follow(&link, heads).await;
                link.give_up(&reason);
                if made.elapsed() > longest {
                    pause = shortest;
                }
                reason
            }
            // It is said of a connection that is lost.
            Err(Error::Lost(reason)) => reason,
            Err(error) => error.to_string(),
        };
        tracing::warn!(url, reason, pause_ms = pause.as_millis() as u64, "no connection to the chain");
        shared.link.send_replace(State::Down(reason));
        sleep(pause).await;
        pause = pause.saturating_mul(2).clamp(Duration::from_millis(1), longest);
    }
}
