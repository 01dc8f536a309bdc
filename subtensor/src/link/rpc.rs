//! The methods of a Substrate node that are used, each with its types.
//!
//! The older methods (`state_*`, `chain_*`, `author_*`) are: every public node has them, and they answer for any block that the
//! node still has the state of.

use std::collections::BTreeMap;

use domain::types::{Digest, HexBytes};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use subxt::config::substrate::{H256, SubstrateHeader};
use subxt::ext::codec::{Decode, Encode};
use subxt::utils::AccountId32;

use super::Link;
use crate::error::Error;
use crate::runtime::{blake2_256, digest};

/// A block's header; its hash is BLAKE2b-256 of its bytes.
pub(crate) type Header = SubstrateHeader<H256>;

/// Keys in one request for storage values.
const KEYS_PER_REQUEST: usize = 512;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeVersion {
    spec_version: u32,
    transaction_version: u32,
}

#[derive(Deserialize)]
struct SignedBlock {
    block: Block,
}

#[derive(Deserialize)]
struct Block {
    extrinsics: Vec<String>,
}

#[derive(Deserialize)]
struct Changes {
    changes: Vec<(String, Option<String>)>,
}

/// `0x` and hexadecimal digits.
pub(super) fn text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn bytes(what: &str, text: &str) -> Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").ok_or_else(|| Error::decode(what, "it does not begin with 0x"))?;
    hex::decode(digits).map_err(|error| Error::decode(what, error))
}

fn hash(what: &str, text: &str) -> Result<Digest, Error> {
    let bytes = bytes(what, text)?;
    let length = bytes.len();
    bytes.try_into().map(HexBytes).map_err(|_| Error::decode(what, format!("it has {length} bytes, not 32")))
}

/// The hash of a header.
pub(crate) fn header_hash(header: &Header) -> Digest {
    digest(blake2_256(&header.encode()))
}

impl Link {
    pub(crate) async fn block_hash(&self, number: u64) -> Result<Option<Digest>, Error> {
        let answer: Option<String> = self.request("chain_getBlockHash", vec![json!(number)]).await?;
        answer.map(|answer| hash("block hash", &answer)).transpose()
    }

    /// The hash of the newest finalised block.
    pub(crate) async fn finalised_hash(&self) -> Result<Digest, Error> {
        let answer: String = self.request("chain_getFinalizedHead", vec![]).await?;
        hash("hash of the finalised block", &answer)
    }

    /// The hash of the newest block.
    pub(crate) async fn best_hash(&self) -> Result<Digest, Error> {
        let answer: String = self.request("chain_getBlockHash", vec![]).await?;
        hash("hash of the best block", &answer)
    }

    /// A block's header, which must have that hash.
    pub(crate) async fn header(&self, of: Digest) -> Result<Header, Error> {
        let header: Option<Header> = self.request("chain_getHeader", vec![json!(text(&of.0))]).await?;
        let header = header.ok_or_else(|| Error::decode("header", format!("there is none of block {of}")))?;
        let found = header_hash(&header);
        if found == of { Ok(header) } else { Err(Error::decode("header", format!("it has hash {found}, not {of}"))) }
    }

    /// The spec version and the transaction version of the runtime in a block's state.
    pub(crate) async fn runtime_version(&self, at: Digest) -> Result<(u32, u32), Error> {
        let version: RuntimeVersion = self.request("state_getRuntimeVersion", vec![json!(text(&at.0))]).await?;
        Ok((version.spec_version, version.transaction_version))
    }

    /// Asks the runtime in a block's state.
    pub(crate) async fn call(&self, function: &str, arguments: &[u8], at: Digest) -> Result<Vec<u8>, Error> {
        let parameters = vec![json!(function), json!(text(arguments)), json!(text(&at.0))];
        let answer: String = self.request("state_call", parameters).await?;
        bytes(function, &answer)
    }

    /// The runtime's metadata in the newest format that is read here (14 to 16).
    pub(crate) async fn metadata(&self, at: Digest) -> Result<Vec<u8>, Error> {
        let versions = match self.call("Metadata_metadata_versions", &[], at).await {
            Ok(answer) => Vec::<u32>::decode(&mut &answer[..])
                .map_err(|error| Error::Metadata(format!("list of its formats: {error}")))?,
            Err(Error::Refused { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if let Some(version) = versions.into_iter().filter(|version| (14..=16).contains(version)).max() {
            let answer = self.call("Metadata_metadata_at_version", &version.encode(), at).await?;
            let opaque = Option::<Vec<u8>>::decode(&mut &answer[..]);
            return match opaque {
                Ok(Some(metadata)) => Ok(metadata),
                Ok(None) => Err(Error::Metadata(format!("the node offers format {version} and gives none"))),
                Err(error) => Err(Error::Metadata(error.to_string())),
            };
        }
        let answer: String = self.request("state_getMetadata", vec![json!(text(&at.0))]).await?;
        bytes("metadata", &answer)
    }

    pub(crate) async fn storage(&self, key: &[u8], at: Digest) -> Result<Option<Vec<u8>>, Error> {
        let parameters = vec![json!(text(key)), json!(text(&at.0))];
        let answer: Option<String> = self.request("state_getStorage", parameters).await?;
        answer.map(|answer| bytes("storage value", &answer)).transpose()
    }

    /// The values of many keys, in their order: in few requests where the node offers that, else one by one.
    pub(crate) async fn storage_of(&self, keys: &[Vec<u8>], at: Digest) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let mut values = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_REQUEST) {
            match self.storage_batch(chunk, at).await {
                Ok(found) => values.extend(found),
                Err(error) if error.is_absence() => {
                    // Borrowed futures are built eagerly: a closure over `self` would not be general enough.
                    let singles: Vec<_> = chunk.iter().map(|key| self.storage(key, at)).collect();
                    let singles = stream::iter(singles).buffered(self.concurrent_requests());
                    values.extend(singles.try_collect::<Vec<_>>().await?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }

    async fn storage_batch(&self, keys: &[Vec<u8>], at: Digest) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let names: Vec<String> = keys.iter().map(|key| text(key)).collect();
        let parameters = vec![json!(names), json!(text(&at.0))];
        let answer: Vec<Changes> = self.request("state_queryStorageAt", parameters).await?;
        let changes: BTreeMap<String, Option<String>> =
            answer.into_iter().flat_map(|changes| changes.changes).collect();
        let value = |name: &String| {
            let value = changes
                .get(name)
                .ok_or_else(|| Error::decode("storage values", format!("{name} is not among them")))?;
            value.as_deref().map(|value| bytes("storage value", value)).transpose()
        };
        names.iter().map(value).collect()
    }

    /// The extrinsics of a block, in order.
    pub(crate) async fn extrinsics(&self, of: Digest) -> Result<Vec<Vec<u8>>, Error> {
        let block: Option<SignedBlock> = self.request("chain_getBlock", vec![json!(text(&of.0))]).await?;
        let block = block.ok_or_else(|| Error::decode("block", format!("there is none with hash {of}")))?;
        block.block.extrinsics.iter().map(|extrinsic| bytes("extrinsic", extrinsic)).collect()
    }

    /// The extrinsics in the node's pool.
    pub(crate) async fn pending(&self) -> Result<Vec<Vec<u8>>, Error> {
        let answer: Vec<String> = self.request("author_pendingExtrinsics", vec![]).await?;
        answer.iter().map(|extrinsic| bytes("extrinsic", extrinsic)).collect()
    }

    /// Sends an extrinsic to the pool.
    pub(crate) async fn submit(&self, extrinsic: &[u8]) -> Result<Digest, Error> {
        let answer: String = self.request("author_submitExtrinsic", vec![json!(text(extrinsic))]).await?;
        hash("extrinsic hash", &answer)
    }

    /// The next nonce of an account, with what waits in the pool.
    pub(crate) async fn next_nonce(&self, account: &str) -> Result<u64, Error> {
        match self.request("account_nextIndex", vec![json!(account)]).await {
            Err(error) if error.is_absence() => self.request("system_accountNextIndex", vec![json!(account)]).await,
            answer => answer,
        }
    }

    /// The nonce of an account in a block's state.
    pub(crate) async fn nonce(&self, account: &AccountId32, at: Digest) -> Result<u64, Error> {
        let answer = self.call("AccountNonceApi_account_nonce", &account.0, at).await?;
        match *answer.as_slice() {
            [a, b, c, d] => Ok(u64::from(u32::from_le_bytes([a, b, c, d]))),
            [a, b, c, d, e, f, g, h] => Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => Err(Error::decode("nonce", format!("it has {} bytes", answer.len()))),
        }
    }

    /// Anything, to see whether the node lives.
    pub(super) async fn probe(&self) -> Result<(), Error> {
        self.request::<Value>("chain_getFinalizedHead", vec![]).await.map(drop)
    }
}
