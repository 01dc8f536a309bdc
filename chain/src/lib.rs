//! The chain as the validator sees it.
//!
//! [`Chain`] is what a validator or an audit needs to know of subtensor, at a named block wherever an answer depends on
//! one. An extrinsic is signed and hashed before it is sent ([`Chain::prepare`]), so that its hash, nonce and era can be
//! recorded first; after a crash [`Chain::extrinsic_status`] says what became of it.
//!
//! **Invariant:** nothing here retries a submission by signing again. Whether a second extrinsic may be signed is the
//! caller's decision, from the recorded reference of the first.

#![forbid(unsafe_code)]

mod error;
mod extrinsics;
mod types;

use std::time::Duration;

use async_trait::async_trait;
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use network::keys::Keypair;

pub use error::Error;
pub use extrinsics::{Call, Era, ExtrinsicOutcome, ExtrinsicReference, ExtrinsicStatus, Inclusion, SignedExtrinsic};
pub use types::{
    Anchor, Beacon, BlockHeader, Epoch, Hyperparameters, Metagraph, Neuron, Schedule, Standing, WeightEvent, WeightRow,
};

/// How long [`Chain::execute`] sleeps between two questions when no new block arrives.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A Bittensor chain. Every method has a deadline of its own; none waits for ever.
#[async_trait]
pub trait Chain: Send + Sync {
    /// Held from [`Chain::prepare`] to [`Chain::submit`] by who sends for one account from several tasks: its nonces follow
    /// one another, and the second of two with the same nonce is refused.
    fn sending(&self) -> &tokio::sync::Mutex<()>;

    /// Hash of block 0: which chain this is.
    ///
    /// # Errors
    /// [`Error::Disconnected`] and the like, as of every method here.
    async fn genesis_hash(&self) -> Result<Digest, Error>;

    /// The newest block.
    async fn head(&self) -> Result<BlockHeader, Error>;

    /// The hash of a block; [`None`] when the chain has not come so far.
    async fn block_hash(&self, number: BlockNumber) -> Result<Option<Digest>, Error>;

    /// The newest block as soon as it is above `after`; [`None`] when `wait` is over first.
    async fn await_block(&self, after: BlockNumber, wait: Duration) -> Result<Option<BlockHeader>, Error>;

    /// A subnet's neurons as they stood after block `at`.
    ///
    /// # Errors
    /// [`Error::UnknownSubnet`], [`Error::UnknownBlock`].
    async fn metagraph(&self, netuid: NetUid, at: BlockNumber) -> Result<Metagraph, Error>;

    /// The slot that a hotkey held after block `at`.
    async fn uid_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Uid>, Error>;

    /// A subnet's hyperparameters after block `at`.
    async fn hyperparameters(&self, netuid: NetUid, at: BlockNumber) -> Result<Hyperparameters, Error>;

    /// The weights that stood on chain for a slot after block `at`, sorted by uid, as the chain stores them: scaled up
    /// so that the largest is 65535.
    async fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, Error>;

    /// The weights of every neuron that has set any in a mechanism, after block `at`, sorted by uid: what a validator
    /// compares its own with.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for a mechanism other than 0 where a chain knows one only.
    async fn weight_rows(&self, netuid: NetUid, mechanism: u8, at: BlockNumber) -> Result<Vec<WeightRow>, Error> {
        if mechanism != 0 {
            return Err(self.lacks(format!("mechanism {mechanism} of subnet {netuid}")));
        }
        let mut rows = Vec::new();
        for neuron in self.metagraph(netuid, at).await?.neurons {
            let weights = self.weights(netuid, neuron.uid, at).await?;
            if !weights.is_empty() {
                rows.push(WeightRow { uid: neuron.uid, weights });
            }
        }
        Ok(rows)
    }

    /// What the last epochs of a mechanism made of the neurons, as of block `at`.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain has no consensus.
    async fn standing(&self, netuid: NetUid, mechanism: u8, at: BlockNumber) -> Result<Standing, Error> {
        Err(self.lacks(format!("the standing of mechanism {mechanism} of subnet {netuid} at block {at}")))
    }

    /// What the chain stores of a subnet's schedule after block `at`.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain has a schedule of its own.
    async fn schedule(&self, netuid: NetUid, at: BlockNumber) -> Result<Schedule, Error> {
        Err(self.lacks(format!("the schedule of subnet {netuid} at block {at}")))
    }

    /// What happened in block `at` to weights of a subnet, in the order of the block.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain keeps no events.
    async fn weight_events(&self, netuid: NetUid, at: BlockNumber) -> Result<Vec<WeightEvent>, Error> {
        Err(self.lacks(format!("events of subnet {netuid} at block {at}")))
    }

    /// What the extrinsic in place `index` of block `at` did to weights of a subnet, in order.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain keeps no events.
    async fn weight_events_of(&self, netuid: NetUid, at: BlockNumber, index: u32) -> Result<Vec<WeightEvent>, Error> {
        Err(self.lacks(format!("events of extrinsic {index} at block {at} for subnet {netuid}")))
    }

    /// The beacon whose signatures open timelocked commits, as of block `at`.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain knows none.
    async fn beacon(&self, at: BlockNumber) -> Result<Beacon, Error> {
        Err(self.lacks(format!("a beacon at block {at}")))
    }

    /// The author's clock in block `at`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::NotOffered`] where a chain keeps no time.
    async fn time_of(&self, at: BlockNumber) -> Result<u64, Error> {
        Err(self.lacks(format!("the time of block {at}")))
    }

    /// [`Error::NotOffered`] with this chain's address.
    fn lacks(&self, what: String) -> Error {
        Error::NotOffered { url: "(unnamed)".to_owned(), what }
    }

    /// What the answers so far lack that other nodes of the chain tell, in words for the operator; [`None`] when nothing was noticed.
    async fn shortcoming(&self) -> Option<String> {
        None
    }

    /// The last anchor of a hotkey as of block `at`.
    async fn anchor_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Anchor>, Error>;

    /// Signs a call with the account's next nonce (those waiting in the pool counted) and an era that begins at the
    /// newest block. Nothing is sent.
    async fn prepare(&self, call: &Call, keypair: &Keypair) -> Result<SignedExtrinsic, Error>;

    /// Sends a signed extrinsic. Idempotent by hash: one that is in the pool or in a block already is no error.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the pool refuses it: it is not in the pool and not in a block.
    async fn submit(&self, extrinsic: &SignedExtrinsic) -> Result<(), Error>;

    /// What became of an extrinsic.
    async fn extrinsic_status(&self, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, Error>;

    /// [`Chain::prepare`] of [`Call::SetWeights`].
    async fn prepare_set_weights(
        &self,
        netuid: NetUid,
        weights: &[(Uid, u16)],
        version_key: u64,
        keypair: &Keypair,
    ) -> Result<SignedExtrinsic, Error> {
        let (uids, weights) = weights.iter().copied().unzip();
        self.prepare(&Call::SetWeights { netuid, uids, weights, version_key }, keypair).await
    }

    /// [`Chain::prepare`] of [`Call::SetCommitment`].
    async fn prepare_anchor(&self, netuid: NetUid, data: &[u8], keypair: &Keypair) -> Result<SignedExtrinsic, Error> {
        self.prepare(&Call::SetCommitment { netuid, data: data.to_vec() }, keypair).await
    }

    /// Waits until an extrinsic is in a block, can no longer get into one, or `wait` is over. The last answer is returned
    /// in every case, so [`ExtrinsicStatus::Pending`] and [`ExtrinsicStatus::Unknown`] mean that the time was over.
    async fn await_extrinsic(&self, reference: &ExtrinsicReference, wait: Duration) -> Result<ExtrinsicStatus, Error> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            // The head first: a block that arrives after the status was asked is then above it.
            let head = self.head().await?;
            let status = self.extrinsic_status(reference).await?;
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() || matches!(status, ExtrinsicStatus::Included(_) | ExtrinsicStatus::Expired) {
                return Ok(status);
            }
            self.await_block(head.number, left.min(LONGEST_PAUSE)).await?;
        }
    }

    /// Prepares, submits and waits: for calls whose reference need not be recorded first (never for weights).
    ///
    /// # Errors
    /// [`Error::CallFailed`] when the call is in a block and failed there, [`Error::NotIncluded`] when it is in none
    /// after `wait`.
    async fn execute(&self, call: &Call, keypair: &Keypair, wait: Duration) -> Result<Inclusion, Error> {
        let extrinsic = self.prepare(call, keypair).await?;
        self.submit(&extrinsic).await?;
        let status = self.await_extrinsic(&extrinsic.reference(), wait).await?;
        status.into_success(extrinsic.hash)
    }

    /// Registers a hotkey in a subnet, signed by the coldkey that is to own it, and waits for the block. The uid is then
    /// [`Chain::uid_of`] at that block.
    async fn register(
        &self,
        netuid: NetUid,
        hotkey: &Hotkey,
        coldkey: &Keypair,
        wait: Duration,
    ) -> Result<Inclusion, Error> {
        self.execute(&Call::BurnedRegister { netuid, hotkey: *hotkey }, coldkey, wait).await
    }

    /// Announces where a hotkey's axon listens and waits for the block.
    async fn serve_axon(
        &self,
        netuid: NetUid,
        axon: std::net::SocketAddr,
        hotkey: &Keypair,
        wait: Duration,
    ) -> Result<Inclusion, Error> {
        self.execute(&Call::ServeAxon { netuid, ip: axon.ip(), port: axon.port() }, hotkey, wait).await
    }
}
