//! The root key's hand: what a demonstration or a test arranges on a running development chain.

use std::time::Duration;

use network::keys::Keypair;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::extrinsic::{Signing, sign};
use crate::runtime::node_subtensor_runtime::RuntimeCall;
use crate::runtime::pallet_sudo;
use crate::runtime::sp_runtime::generic::era::Era;

pub use crate::runtime::pallet_development::pallet::Call as RootCall;

/// Blocks that a call may wait in the pool.
const ERA: u64 = 64;
/// Between two questions for what became of it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What became of an extrinsic, as `dev_extrinsicOutcome` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The block that it is in.
    pub block: u32,
    /// Its place there.
    pub index: u32,
    /// The name of its error, or of the call's within `Sudo.sudo`; none when all of it succeeded.
    pub error: Option<String>,
}

/// Sends calls of pallet `Development` in the name of the root key.
#[derive(Debug, Clone)]
pub struct Root {
    url: String,
    http: reqwest::Client,
    key: Keypair,
}

impl Root {
    /// For the chain at a URL (`ws://…` or `http://…`: one port serves both).
    ///
    /// # Errors
    /// [`Error::Rpc`] when no client can be made.
    pub fn new(url: &str, key: Keypair) -> Result<Self, Error> {
        let url = url.replacen("ws://", "http://", 1);
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build();
        let http = http.map_err(|error| Error::Rpc { method: "client", reason: error.to_string() })?;
        Ok(Self { url, http, key })
    }

    /// Sends a call and waits until it is in a block, whose number it gives.
    ///
    /// # Errors
    /// [`Error::Rpc`] when the chain does not answer, refuses the extrinsic, or the call fails in its block.
    pub async fn execute(&self, call: RootCall, wait: Duration) -> Result<u32, Error> {
        let call = RuntimeCall::Sudo(pallet_sudo::pallet::Call::sudo { call: Box::new(call.into()) });
        let nonce: u32 = self.ask("account_nextIndex", json!([self.key.ss58()])).await?;
        let genesis_hash = self.hash(Some(0)).await?;
        let header: Value = self.ask("chain_getHeader", json!([])).await?;
        let unread = || Error::Rpc { method: "chain_getHeader", reason: "the header has no number".to_owned() };
        let number = header["number"].as_str().and_then(|text| text.strip_prefix("0x")).ok_or_else(unread)?;
        let number = u32::from_str_radix(number, 16).map_err(|_| unread())?;
        let birth_hash = self.hash(Some(number)).await?;
        let era = Era::Mortal { period: ERA, phase: u64::from(number) % ERA };
        let version: Value = self.ask("state_getRuntimeVersion", json!([])).await?;
        let spec_version = version["specVersion"].as_u64().and_then(|version| u32::try_from(version).ok());
        let spec_version = spec_version.ok_or_else(|| Error::Rpc {
            method: "state_getRuntimeVersion",
            reason: "the version has no number".to_owned(),
        })?;
        let bytes = sign(&call, &Signing { nonce, era, spec_version, genesis_hash, birth_hash }, &self.key);
        let hash: String = self.ask("author_submitExtrinsic", json!([format!("0x{}", hex::encode(bytes))])).await?;
        let asked = async {
            loop {
                if let Some(outcome) = self.ask::<Option<Outcome>>("dev_extrinsicOutcome", json!([hash])).await? {
                    return Ok::<Outcome, Error>(outcome);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let failed = |reason: String| Error::Rpc { method: "dev_extrinsicOutcome", reason };
        let outcome = tokio::time::timeout(wait, asked).await;
        let outcome = outcome.map_err(|_| failed(format!("{hash} is in no block after {wait:?}")))??;
        match outcome.error {
            None => Ok(outcome.block),
            Some(error) => Err(failed(format!("the call failed in block {}: {error}", outcome.block))),
        }
    }

    async fn hash(&self, number: Option<u32>) -> Result<[u8; 32], Error> {
        let text: String = self.ask("chain_getBlockHash", json!([number])).await?;
        let mut hash = [0; 32];
        let decoded = hex::decode_to_slice(text.trim_start_matches("0x"), &mut hash);
        decoded.map_err(|error| Error::Rpc { method: "chain_getBlockHash", reason: error.to_string() })?;
        Ok(hash)
    }

    async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            result: Value,
            error: Option<Value>,
        }
        let failed = |reason: String| Error::Rpc { method, reason };
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let sent = self.http.post(&self.url).json(&request).send().await;
        let answer = sent.map_err(|error| failed(error.to_string()))?.json::<Answer>().await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        match answer.error {
            Some(error) => Err(failed(error.to_string())),
            None => serde_json::from_value(answer.result).map_err(|error| failed(error.to_string())),
        }
    }
}
