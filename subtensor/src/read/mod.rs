//! What a node tells of a block's state.

mod hyperparameters;
mod metagraph;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::types::{BlockNumber, Digest, NetUid};
use subxt::ext::frame_decode::runtime_apis::IntoEncodableValues as ApiArguments;
use subxt::ext::frame_decode::storage::IntoEncodableValues;
use subxt::ext::scale_decode::DecodeAsType;

use crate::error::Error;
use crate::link::Link;
use crate::runtime::{Runtime, SUBTENSOR};

/// A block's state, to be read through a link with the runtime that it has.
pub(crate) struct At {
    pub(crate) link: Arc<Link>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) number: BlockNumber,
    pub(crate) hash: Digest,
}

/// Storage values of a subnet that are read in one request. An entry that the runtime does not have is left out, and its
/// value is [`None`].
pub(crate) struct Batch<'a> {
    at: &'a At,
    entries: Vec<String>,
    keys: Vec<Vec<u8>>,
}

/// The answers to a [`Batch`], by entry.
pub(crate) struct Answers<'a> {
    at: &'a At,
    values: BTreeMap<String, Option<Vec<u8>>>,
}

impl At {
    /// A storage value, the stated default in its absence.
    pub(crate) async fn value<T: DecodeAsType>(
        &self,
        pallet: &str,
        entry: &str,
        keys: impl IntoEncodableValues,
    ) -> Result<Option<T>, Error> {
        let key = self.runtime.storage_key(pallet, entry, keys)?;
        let bytes = self.link.storage(&key, self.hash).await?;
        self.runtime.storage_value(pallet, entry, bytes.as_deref())
    }

    /// A value of each key of a map of `SubtensorModule`, in their order.
    pub(crate) async fn values<T: DecodeAsType, K: IntoEncodableValues>(
        &self,
        entry: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<T>>, Error> {
        let keys: Vec<_> =
            keys.into_iter().map(|key| self.runtime.storage_key(SUBTENSOR, entry, key)).collect::<Result<_, _>>()?;
        let values = self.link.storage_of(&keys, self.hash).await?;
        values.iter().map(|bytes| self.runtime.storage_value(SUBTENSOR, entry, bytes.as_deref())).collect()
    }

    /// What a runtime API answers.
    pub(crate) async fn api<T: DecodeAsType>(
        &self,
        api: &str,
        method: &str,
        arguments: impl ApiArguments,
    ) -> Result<T, Error> {
        let arguments = self.runtime.api_arguments(api, method, arguments)?;
        let answer = self.link.call(&format!("{api}_{method}"), &arguments, self.hash).await?;
        self.runtime.api_answer(api, method, &answer)
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { at: self, entries: Vec::new(), keys: Vec::new() }
    }

    pub(crate) fn unknown_subnet(&self, netuid: NetUid) -> Error {
        Error::Chain(chain::Error::UnknownSubnet { netuid, block: self.number })
    }

    pub(crate) fn has(&self, entry: &str) -> bool {
        self.runtime.has_storage(SUBTENSOR, entry)
    }
}

impl<'a> Batch<'a> {
    /// Asks for an entry of `SubtensorModule` if the runtime has it; each entry once.
    pub(crate) fn ask(&mut self, entry: &str, keys: impl IntoEncodableValues) -> Result<(), Error> {
        if self.at.has(entry) {
            self.keys.push(self.at.runtime.storage_key(SUBTENSOR, entry, keys)?);
            self.entries.push(entry.to_owned());
        }
        Ok(())
    }

    pub(crate) async fn send(self) -> Result<Answers<'a>, Error> {
        let values = self.at.link.storage_of(&self.keys, self.at.hash).await?;
        Ok(Answers { at: self.at, values: self.entries.into_iter().zip(values).collect() })
    }
}

impl Answers<'_> {
    /// The value of an entry that was asked for; [`None`] where the runtime has neither it nor a default.
    pub(crate) fn take<T: DecodeAsType>(&mut self, entry: &str) -> Result<Option<T>, Error> {
        match self.values.remove(entry) {
            Some(bytes) => self.at.runtime.storage_value(SUBTENSOR, entry, bytes.as_deref()),
            None => Ok(None),
        }
    }

    /// The value of an entry that no subtensor lacks.
    pub(crate) fn need<T: DecodeAsType>(&mut self, entry: &str) -> Result<T, Error> {
        if !self.at.has(entry) {
            return Err(self.at.runtime.missing(format!("storage {SUBTENSOR}.{entry}")));
        }
        let value = self.take(entry)?;
        value.ok_or_else(|| Error::decode(format!("{SUBTENSOR}.{entry}"), "there is no value and no default"))
    }
}
