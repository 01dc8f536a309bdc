//! [`chain::Chain`] over a kept link.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chain::{
    Anchor, Beacon, BlockHeader, Call, Chain, Era, Error as ChainError, ExtrinsicReference, ExtrinsicStatus,
    Hyperparameters, Metagraph, Schedule, SignedExtrinsic, Standing, WeightEvent, WeightRow,
};
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use network::keys::Keypair;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::link::{Endpoint, Link, Shared, supervise};
use crate::read::At;
use crate::runtime::{Runtime, Signing, account};
use crate::settings::Settings;
use crate::status;

/// Attempts of one method, each on a link of its own after the first.
const ATTEMPTS: usize = 3;
/// Endpoints that are taken turns with.
const MAXIMUM_ENDPOINTS: usize = 16;

/// A connection to a subtensor node that is made again when it is lost.
///
/// Dropping it ends the connection.
pub struct Subtensor {
    shared: Arc<Shared>,
    supervisor: JoinHandle<()>,
    sending: tokio::sync::Mutex<()>,
}

impl Drop for Subtensor {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

impl Subtensor {
    /// Connects to the first endpoint that answers (`wss://…`, `ws://…`) within [`Settings::deadline`]; the others take over
    /// when it fails.
    ///
    /// # Errors
    /// [`ChainError::InvalidInput`] for settings and addresses that can never work, [`ChainError::Disconnected`] when no
    /// endpoint answers.
    pub async fn connect(endpoints: &[String], settings: Settings) -> Result<Self, ChainError> {
        settings.validate()?;
        let endpoints = read_endpoints(endpoints)?;
        let deadline = Instant::now() + settings.deadline;
        let shared = Arc::new(Shared::new(endpoints, settings));
        let supervisor = tokio::spawn(supervise(Arc::clone(&shared)));
        let connected = Self { shared, supervisor, sending: tokio::sync::Mutex::new(()) };
        connected.shared.link(None, deadline).await.map_err(|error| error.at(&connected.names()))?;
        Ok(connected)
    }

    /// Where the node of the present connection is, as scheme, host and port; [`None`] while there is none.
    pub async fn url(&self) -> Option<String> {
        self.shared.link(None, Instant::now()).await.ok().map(|link| link.name().to_owned())
    }

    /// How many connections were made since [`Subtensor::connect`].
    pub fn connections(&self) -> u64 {
        self.shared.links_made()
    }

    /// The runtime in the newest block.
    ///
    /// # Errors
    /// As of every method of [`Chain`].
    pub async fn runtime(&self) -> Result<Arc<Runtime>, ChainError> {
        self.ask("the runtime", |link| async move { Ok(self.newest(&link).await?.runtime) }).await
    }

    /// Which nodes are asked, for errors.
    fn names(&self) -> String {
        self.shared.endpoints.iter().map(Endpoint::name).collect::<Vec<_>>().join(", ")
    }

    /// Runs a question on a link, and again on another when the link fails meanwhile: for questions that change nothing.
    async fn ask<T, F>(&self, what: &str, question: impl Fn(Arc<Link>) -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let after = self.shared.settings.deadline;
        let deadline = Instant::now() + after;
        let mut tried: Option<Arc<Link>> = None;
        for attempt in 1.. {
            let link = self.shared.link(tried.as_ref(), deadline).await.map_err(|error| error.at(&self.names()))?;
            let url = link.name().to_owned();
            let answer = timeout_at(deadline, question(Arc::clone(&link))).await;
            match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if error.is_of_the_connection() && attempt < ATTEMPTS => {
                    tracing::debug!(url, %error, what, "asking again");
                    // A slow node is asked again; a link that is lost is waited for to be replaced.
                    tried = matches!(error, Error::Lost(_)).then_some(link);
                }
                Ok(Err(error)) => return Err(error.at(&url)),
                Err(_) => return Err(ChainError::DeadlineExceeded { url, method: what.to_owned(), after }),
            }
        }
        Err(ChainError::DeadlineExceeded { url: self.names(), method: what.to_owned(), after })
    }

    fn head_now(&self) -> Result<BlockHeader, Error> {
        // It is published before the first link is.
        let head = *self.shared.heads().borrow();
        head.ok_or_else(|| Error::Lost("no block is known yet".to_owned()))
    }

    async fn newest(&self, link: &Arc<Link>) -> Result<At, Error> {
        let head = self.head_now()?;
        self.state(link, head.number, head.hash).await
    }

    async fn state(&self, link: &Arc<Link>, number: BlockNumber, hash: Digest) -> Result<At, Error> {
        let runtime = self.shared.runtime(link, hash).await?;
        Ok(At { link: Arc::clone(link), runtime, number, hash })
    }

    async fn hash_at(&self, link: &Arc<Link>, number: BlockNumber) -> Result<Option<Digest>, Error> {
        let head = self.head_now()?;
        match number.cmp(&head.number) {
            std::cmp::Ordering::Greater => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some(head.hash)),
            std::cmp::Ordering::Less => link.block_hash(number.0).await,
        }
    }

    async fn at(&self, link: &Arc<Link>, number: BlockNumber) -> Result<At, Error> {
        let hash = self.hash_at(link, number).await?;
        let hash = hash.ok_or(Error::Chain(ChainError::UnknownBlock(number)))?;
        self.state(link, number, hash).await
    }

    async fn sign(&self, link: &Arc<Link>, call: &Call, keypair: &Keypair) -> Result<SignedExtrinsic, Error> {
        let at = self.newest(link).await?;
        let nonce = link.next_nonce(&keypair.ss58()).await?;
        let era = Some(Era { period: self.shared.settings.era_period, birth: at.number });
        let signing = Signing { nonce, era, birth_hash: at.hash, genesis_hash: link.genesis_hash(), tip: 0 };
        at.runtime.sign(call, self.shared.settings.style, &signing, keypair)
    }
}

fn read_endpoints(urls: &[String]) -> Result<Vec<Endpoint>, ChainError> {
    let refuse = |problem: String| ChainError::InvalidInput { field: "endpoint", problem };
    if urls.is_empty() || urls.len() > MAXIMUM_ENDPOINTS {
        return Err(refuse(format!("{} were given; name 1 to {MAXIMUM_ENDPOINTS}", urls.len())));
    }
    // Its number tells which it is: the text may be a key.
    let read = |(number, url): (usize, &String)| {
        Endpoint::parse(url).map_err(|problem| refuse(format!("number {} {problem}", number + 1)))
    };
    urls.iter().enumerate().map(read).collect()
}

#[async_trait]
impl Chain for Subtensor {
    fn sending(&self) -> &tokio::sync::Mutex<()> {
        &self.sending
    }

    fn lacks(&self, what: String) -> ChainError {
        ChainError::NotOffered { url: self.names(), what }
    }

    async fn shortcoming(&self) -> Option<String> {
        let link = self.shared.link(None, Instant::now()).await.ok()?;
        link.shortcoming().map(str::to_owned)
    }

    async fn genesis_hash(&self) -> Result<Digest, ChainError> {
        match self.shared.genesis() {
            Some(genesis) => Ok(genesis),
            None => self.ask("the genesis hash", |link| async move { Ok(link.genesis_hash()) }).await,
        }
    }

    async fn head(&self) -> Result<BlockHeader, ChainError> {
        // Only while a link stands: a head of long ago is not the newest block.
        self.ask("the newest block", |_| async move { self.head_now() }).await
    }

    async fn block_hash(&self, number: BlockNumber) -> Result<Option<Digest>, ChainError> {
        self.ask("a block's hash", |link| async move { self.hash_at(&link, number).await }).await
    }

    async fn await_block(&self, after: BlockNumber, wait: Duration) -> Result<Option<BlockHeader>, ChainError> {
        let deadline = Instant::now() + wait;
        let mut heads = self.shared.heads();
        let newer = |head: &Option<BlockHeader>| head.is_some_and(|head| head.number > after);
        match timeout_at(deadline, heads.wait_for(newer)).await {
            Ok(Ok(head)) => Ok(*head),
            Ok(Err(_)) => Err(Error::Lost("the connection is not kept any more".to_owned()).at(&self.names())),
            Err(_) => Ok(None),
        }
    }

    async fn metagraph(&self, netuid: NetUid, at: BlockNumber) -> Result<Metagraph, ChainError> {
        self.ask("the metagraph", |link| async move { self.at(&link, at).await?.metagraph(netuid).await }).await
    }

    async fn uid_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Uid>, ChainError> {
        self.ask("a uid", |link| async move { self.at(&link, at).await?.uid_of(netuid, account(hotkey)?).await }).await
    }

    async fn hyperparameters(&self, netuid: NetUid, at: BlockNumber) -> Result<Hyperparameters, ChainError> {
        self.ask("hyperparameters", |link| async move { self.at(&link, at).await?.hyperparameters(netuid).await }).await
    }

    async fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, ChainError> {
        self.ask("weights", |link| async move { self.at(&link, at).await?.weights(netuid, uid).await }).await
    }

    async fn weight_rows(&self, netuid: NetUid, mechanism: u8, at: BlockNumber) -> Result<Vec<WeightRow>, ChainError> {
        self.ask("weight rows", |link| async move { self.at(&link, at).await?.weight_rows(netuid, mechanism).await })
            .await
    }

    async fn standing(&self, netuid: NetUid, mechanism: u8, at: BlockNumber) -> Result<Standing, ChainError> {
        self.ask("the standing", |link| async move { self.at(&link, at).await?.standing(netuid, mechanism).await })
            .await
    }

    async fn schedule(&self, netuid: NetUid, at: BlockNumber) -> Result<Schedule, ChainError> {
        self.ask("the schedule", |link| async move { self.at(&link, at).await?.schedule(netuid).await }).await
    }

    async fn weight_events(&self, netuid: NetUid, at: BlockNumber) -> Result<Vec<WeightEvent>, ChainError> {
        self.ask("weight events", |link| async move {
            let ran = self.at(&link, BlockNumber(at.0.saturating_sub(1))).await?.runtime;
            self.at(&link, at).await?.weight_events(&ran, netuid).await
        })
        .await
    }

    async fn weight_events_of(
        &self,
        netuid: NetUid,
        at: BlockNumber,
        index: u32,
    ) -> Result<Vec<WeightEvent>, ChainError> {
        self.ask("an extrinsic's weight events", |link| async move {
            let ran = self.at(&link, BlockNumber(at.0.saturating_sub(1))).await?.runtime;
            self.at(&link, at).await?.weight_events_of(&ran, netuid, index).await
        })
        .await
    }

    async fn beacon(&self, at: BlockNumber) -> Result<Beacon, ChainError> {
        self.ask("the beacon", |link| async move { self.at(&link, at).await?.beacon().await }).await
    }

    async fn time_of(&self, at: BlockNumber) -> Result<u64, ChainError> {
        self.ask("a block's time", |link| async move {
            let found = self.at(&link, at).await?.value::<u64>("Timestamp", "Now", ()).await?;
            Ok(found.unwrap_or(0))
        })
        .await
    }

    async fn anchor_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Anchor>, ChainError> {
        self.ask("an anchor", |link| async move { self.at(&link, at).await?.anchor(netuid, account(hotkey)?).await })
            .await
    }

    async fn prepare(&self, call: &Call, keypair: &Keypair) -> Result<SignedExtrinsic, ChainError> {
        self.ask("a nonce to sign with", |link| async move { self.sign(&link, call, keypair).await }).await
    }

    /// As [`Call::SetMechanismWeights`] for mechanism 0, what the SDKs send, where the runtime has it.
    async fn prepare_set_weights(
        &self,
        netuid: NetUid,
        weights: &[(Uid, u16)],
        version_key: u64,
        keypair: &Keypair,
    ) -> Result<SignedExtrinsic, ChainError> {
        let (uids, weights) = weights.iter().copied().unzip();
        let call = Call::SetMechanismWeights { netuid, mechanism: 0, uids, weights, version_key };
        self.prepare(&call, keypair).await
    }

    async fn submit(&self, extrinsic: &SignedExtrinsic) -> Result<(), ChainError> {
        // Sending the same bytes twice is harmless: the pool knows their hash, and the chain their nonce.
        self.ask("the submission", |link| async move {
            let head = self.head_now()?;
            status::submit(&self.shared, &link, extrinsic, (head.number, head.hash)).await
        })
        .await
    }

    async fn extrinsic_status(&self, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, ChainError> {
        self.ask("an extrinsic", |link| async move {
            let head = self.head_now()?;
            status::status(&self.shared, &link, reference, (head.number, head.hash)).await
        })
        .await
    }
}

impl std::fmt::Debug for Subtensor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Subtensor").field("endpoints", &self.shared.endpoints).finish_non_exhaustive()
    }
}
