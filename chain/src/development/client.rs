//! The development chain as another process sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid, sha256};
use network::keys::Keypair;
use serde::de::DeserializeOwned;

use super::extrinsic::{DevelopmentCall, Payload, RootCall};
use super::server::{LONGEST_WAIT, Refusal};
use crate::Chain;
use crate::error::Error;
use crate::types::{
    Anchor, BlockHeader, Call, Era, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, Metagraph, SignedExtrinsic,
};

/// A request takes at most this long, and one that waits for a block [`LONGEST_WAIT`] more.
const DEADLINE: Duration = Duration::from_secs(10);
/// A metagraph of 4,096 neurons is below.
const MAXIMUM_ANSWER: usize = 4 * 1024 * 1024;
/// Blocks that an extrinsic lives unless told otherwise: 16 s to a minute at the usual block times.
const USUAL_ERA: u64 = 64;

/// A connection to a development chain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
    genesis_hash: Digest,
    era_period: u64,
    sending: Arc<tokio::sync::Mutex<()>>,
}

impl Client {
    /// Asks the chain at `url` (`http://127.0.0.1:9944`) which one it is.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Malformed`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let url = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .timeout(DEADLINE + LONGEST_WAIT)
            .connect_timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|source| Error::Unreachable { url: url.clone(), source })?;
        let mut client = Self {
            url,
            http,
            genesis_hash: domain::types::HexBytes([0; 32]),
            era_period: USUAL_ERA,
            sending: Arc::default(),
        };
        client.genesis_hash = client.get("/genesis", &[]).await?;
        Ok(client)
    }

    /// Extrinsics prepared from now on live `period` blocks (a power of two from 4 to 4,096).
    #[must_use]
    pub fn with_era_period(mut self, period: u64) -> Self {
        self.era_period = period;
        self
    }

    /// Where the chain is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// [`Chain::prepare`] of a root call.
    ///
    /// # Errors
    /// As of [`Chain::prepare`].
    pub async fn prepare_root(&self, call: RootCall, root: &Keypair) -> Result<SignedExtrinsic, Error> {
        self.sign(DevelopmentCall::Root(call), root).await
    }

    /// Prepares and submits a root call and waits for its block.
    ///
    /// # Errors
    /// As of [`Chain::execute`].
    pub async fn execute_root(
        &self,
        call: RootCall,
        root: &Keypair,
        wait: Duration,
    ) -> Result<crate::Inclusion, Error> {
        let extrinsic = self.prepare_root(call, root).await?;
        self.submit(&extrinsic).await?;
        let status = self.await_extrinsic(&extrinsic.reference(), wait).await?;
        status.into_success(extrinsic.hash)
    }

    async fn sign(&self, call: DevelopmentCall, keypair: &Keypair) -> Result<SignedExtrinsic, Error> {
        let signer = keypair.hotkey();
        let nonce = self.get(&format!("/accounts/{signer}/nonce"), &[]).await?;
        let birth = self.head().await?;
        let era = Era { period: self.era_period, birth: birth.number };
        let payload = Payload { call, signer, nonce, era, birth_hash: birth.hash, genesis_hash: self.genesis_hash };
        let bytes = payload.sign(keypair)?.encode()?;
        Ok(SignedExtrinsic { hash: sha256(&bytes), bytes, signer, nonce, era })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Error> {
        self.answer(self.http.get(format!("{}{path}", self.url)).query(query)).await
    }

    async fn at<T: DeserializeOwned>(&self, path: &str, at: BlockNumber) -> Result<T, Error> {
        self.get(path, &[("at", at.to_string())]).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let malformed = |reason: String| Error::Malformed { url: self.url.clone(), reason };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAXIMUM_ANSWER {
                return Err(malformed(format!("more than {MAXIMUM_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()));
        }
        Err(match serde_json::from_slice(&body) {
            Ok(Refusal::UnknownBlock(number)) => Error::UnknownBlock(number),
            Ok(Refusal::UnknownSubnet { netuid, block }) => Error::UnknownSubnet { netuid, block },
            Ok(Refusal::Rejected { name, message }) => Error::Rejected { name, message },
            Ok(Refusal::Malformed(reason)) => malformed(reason),
            Ok(Refusal::Failed(reason)) => Error::NodeFailed { url: self.url.clone(), reason },
            Err(_) => Error::NodeFailed { url: self.url.clone(), reason: format!("status {status}") },
        })
    }
}

#[async_trait]
impl Chain for Client {
    fn sending(&self) -> &tokio::sync::Mutex<()> {
        &self.sending
    }

    fn lacks(&self, what: String) -> Error {
        Error::NotOffered { url: self.url.clone(), what }
    }

    async fn genesis_hash(&self) -> Result<Digest, Error> {
        Ok(self.genesis_hash)
    }

    async fn head(&self) -> Result<BlockHeader, Error> {
        self.get("/head", &[]).await
    }

    async fn block_hash(&self, number: BlockNumber) -> Result<Option<Digest>, Error> {
        match self.get::<BlockHeader>(&format!("/blocks/{number}"), &[]).await {
            Ok(header) => Ok(Some(header.hash)),
            Err(Error::UnknownBlock(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn await_block(&self, after: BlockNumber, wait: Duration) -> Result<Option<BlockHeader>, Error> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now()).min(LONGEST_WAIT);
            let query = [("wait_ms", left.as_millis().to_string())];
            let found: Option<BlockHeader> = self.get(&format!("/blocks/after/{after}"), &query).await?;
            if found.is_some() || tokio::time::Instant::now() >= deadline {
                return Ok(found);
            }
        }
    }

    async fn metagraph(&self, netuid: NetUid, at: BlockNumber) -> Result<Metagraph, Error> {
        let metagraph: Metagraph = self.at(&format!("/subnets/{netuid}/metagraph"), at).await?;
        for (uid, neuron) in (0u16..).zip(&metagraph.neurons) {
            let known = [&neuron.hotkey, &neuron.coldkey].into_iter().all(|address| address.public().is_ok());
            if neuron.uid != Uid(uid) || !known {
                let reason = format!("slot {uid} of subnet {netuid} has another uid or no valid address");
                return Err(Error::Malformed { url: self.url.clone(), reason });
            }
        }
        Ok(metagraph)
    }

    async fn uid_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Uid>, Error> {
        self.at(&format!("/subnets/{netuid}/uids/{hotkey}"), at).await
    }

    async fn hyperparameters(&self, netuid: NetUid, at: BlockNumber) -> Result<Hyperparameters, Error> {
        self.at(&format!("/subnets/{netuid}/hyperparameters"), at).await
    }

    async fn weights(&self, netuid: NetUid, uid: Uid, at: BlockNumber) -> Result<Vec<(Uid, u16)>, Error> {
        self.at(&format!("/subnets/{netuid}/weights/{uid}"), at).await
    }

    async fn anchor_of(&self, netuid: NetUid, hotkey: &Hotkey, at: BlockNumber) -> Result<Option<Anchor>, Error> {
        self.at(&format!("/subnets/{netuid}/anchors/{hotkey}"), at).await
    }

    async fn prepare(&self, call: &Call, keypair: &Keypair) -> Result<SignedExtrinsic, Error> {
        self.sign(DevelopmentCall::Subtensor(call.clone()), keypair).await
    }

    async fn submit(&self, extrinsic: &SignedExtrinsic) -> Result<(), Error> {
        let request = self.http.post(format!("{}/extrinsics", self.url)).body(extrinsic.bytes.clone());
        let hash: Digest = self.answer(request).await?;
        if hash == extrinsic.hash {
            return Ok(());
        }
        Err(Error::Malformed { url: self.url.clone(), reason: format!("it took {} as {hash}", extrinsic.hash) })
    }

    async fn extrinsic_status(&self, reference: &ExtrinsicReference) -> Result<ExtrinsicStatus, Error> {
        let ExtrinsicReference { hash, signer, nonce, era } = reference;
        let query = [
            ("signer", signer.to_string()),
            ("nonce", nonce.to_string()),
            ("period", era.period.to_string()),
            ("birth", era.birth.to_string()),
        ];
        self.get(&format!("/extrinsics/{hash}"), &query).await
    }
}
