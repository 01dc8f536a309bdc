//! One runtime of the chain: what its metadata says there is, and how it is encoded.
//!
//! Everything here is a function of the metadata's bytes: no network. Names are subtensor's; indexes, hashers and types come
//! from the metadata, so that a new runtime that adds, moves or drops something is met by asking ([`Runtime::has_storage`] and
//! the like), never by a table of ours.

mod arguments;
mod call_bytes;
mod calls;
mod commitment;
mod events;
mod extrinsic;
mod extrinsic_bytes;
mod refusals;
mod survey;
mod values;

use std::sync::Arc;

use subxt::ext::codec::Decode;
use subxt::ext::frame_decode::runtime_apis::{
    IntoEncodableValues as ApiArguments, RuntimeApiTypeInfo, decode_runtime_api_response_with_info,
    encode_runtime_api_inputs,
};
use subxt::ext::frame_decode::storage::{
    IntoEncodableValues, StorageTypeInfo, decode_storage_value_with_info, encode_storage_key_with_info,
};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::{ArcMetadata, Metadata};

pub use calls::CallStyle;
pub(crate) use extrinsic::{LONGEST_ERA, SHORTEST_ERA, blake2_256, hash_of};
pub use extrinsic::{Signing, bytes_to_sign};
pub use extrinsic_bytes::ReadExtrinsic;
pub(crate) use refusals::{ALREADY_IMPORTED, is_of_the_past, refusal};
pub(crate) use values::{AxonInfo, account, address_of, digest, hotkey};

use crate::error::Error;

/// The pallet that subnets live in.
pub(crate) const SUBTENSOR: &str = "SubtensorModule";
/// Mechanism `m` of a subnet is stored under `m * 4096 + netuid`.
const MECHANISM_STRIDE: u16 = 4096;
/// Mechanisms of one subnet: all that fit a `u16` above.
const MAXIMUM_MECHANISMS: u8 = 16;

/// The largest metadata that is read, in bytes: a dozen times subtensor's. In memory a type takes many times its bytes.
const LARGEST_METADATA: usize = 4 << 20;

/// A runtime by its metadata.
pub struct Runtime {
    spec_version: u32,
    transaction_version: u32,
    metadata: ArcMetadata,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Runtime").field("spec_version", &self.spec_version).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Reads metadata of format 14, 15 or 16, with its four magic bytes.
    ///
    /// # Errors
    /// [`Error::Metadata`].
    pub fn decode(spec_version: u32, transaction_version: u32, metadata: &[u8]) -> Result<Self, Error> {
        let bytes = metadata;
        if bytes.len() > LARGEST_METADATA {
            return Err(Error::Metadata(format!("it has {} bytes, more than {LARGEST_METADATA}", bytes.len())));
        }
        let cursor = &mut &bytes[..];
        let metadata = Metadata::decode(cursor).map_err(|error| Error::Metadata(error.to_string()))?;
        if !cursor.is_empty() {
            return Err(Error::Metadata(format!("{} bytes follow it", cursor.len())));
        }
        survey::check_types(metadata.types())?;
        check_extensions(bytes)?;
        Ok(Self { spec_version, transaction_version, metadata: Arc::new(metadata) })
    }

    /// The version that changes with every change of the chain's rules.
    pub fn spec_version(&self) -> u32 {
        self.spec_version
    }

    /// The version that changes when extrinsics of old would mean something else.
    pub fn transaction_version(&self) -> u32 {
        self.transaction_version
    }

    pub(crate) fn metadata(&self) -> &ArcMetadata {
        &self.metadata
    }

    /// Whether a pallet has a storage entry.
    pub fn has_storage(&self, pallet: &str, entry: &str) -> bool {
        let pallet = self.metadata.pallet_by_name(pallet);
        pallet.and_then(|pallet| pallet.storage()).and_then(|storage| storage.entry_by_name(entry)).is_some()
    }

    /// Whether a pallet has a call.
    pub fn has_call(&self, pallet: &str, call: &str) -> bool {
        self.metadata.pallet_by_name(pallet).and_then(|pallet| pallet.call_variant_by_name(call)).is_some()
    }

    /// Whether the runtime answers `Trait_method`. Metadata of format 14 lists none.
    pub fn has_api(&self, api: &str, method: &str) -> bool {
        self.metadata.runtime_api_trait_by_name(api).and_then(|api| api.method_by_name(method)).is_some()
    }

    /// Whether a pallet has an error of that name.
    pub fn has_error(&self, pallet: &str, error: &str) -> bool {
        let pallet = self.metadata.pallet_by_name(pallet);
        pallet.and_then(|pallet| pallet.error_variants()).is_some_and(|all| all.iter().any(|found| found.name == error))
    }

    /// Whether a pallet has an event of that name.
    pub fn has_event(&self, pallet: &str, event: &str) -> bool {
        let pallet = self.metadata.pallet_by_name(pallet);
        pallet.and_then(|pallet| pallet.event_variants()).is_some_and(|all| all.iter().any(|found| found.name == event))
    }

    /// The key of a storage value: `keys` are the map's keys, in order, as many as it has.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Encode`].
    pub fn storage_key(&self, pallet: &str, entry: &str, keys: impl IntoEncodableValues) -> Result<Vec<u8>, Error> {
        let info = self.storage_info(pallet, entry)?;
        if keys.num_encodable_values() != info.keys.len() {
            let reason = format!("it has {} keys, {} were given", info.keys.len(), keys.num_encodable_values());
            return Err(Error::encode(format!("key of {pallet}.{entry}"), reason));
        }
        encode_storage_key_with_info(pallet, entry, keys, &info, self.metadata.types())
            .map_err(|error| Error::encode(format!("key of {pallet}.{entry}"), error))
    }

    /// What a storage value's bytes mean. No bytes mean the default that the metadata states; [`None`] where it has none.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Decode`], also when bytes are left over.
    pub fn storage_value<T: DecodeAsType>(
        &self,
        pallet: &str,
        entry: &str,
        bytes: Option<&[u8]>,
    ) -> Result<Option<T>, Error> {
        let info = self.storage_info(pallet, entry)?;
        let Some(bytes) = bytes.or(info.default_value.as_deref()) else {
            return Ok(None);
        };
        self.survey(|| format!("{pallet}.{entry}"), info.value_id, bytes)?;
        let cursor = &mut &bytes[..];
        let value = decode_storage_value_with_info(cursor, &info, self.metadata.types(), T::into_visitor())
            .map_err(|error| Error::decode(format!("{pallet}.{entry}"), error))?;
        if !cursor.is_empty() {
            return Err(Error::decode(format!("{pallet}.{entry}"), format!("{} bytes are left over", cursor.len())));
        }
        Ok(Some(value))
    }

    fn storage_info(
        &self,
        pallet: &str,
        entry: &str,
    ) -> Result<subxt::ext::frame_decode::storage::StorageInfo<'_, u32>, Error> {
        self.metadata.storage_info(pallet, entry).map_err(|_| self.missing(format!("storage {pallet}.{entry}")))
    }

    /// The arguments of a runtime API, encoded.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Encode`].
    pub fn api_arguments(&self, api: &str, method: &str, arguments: impl ApiArguments) -> Result<Vec<u8>, Error> {
        if !self.has_api(api, method) {
            return Err(self.missing(format!("runtime api {api}_{method}")));
        }
        encode_runtime_api_inputs(api, method, arguments, &*self.metadata, self.metadata.types())
            .map_err(|error| Error::encode(format!("arguments of {api}_{method}"), error))
    }

    /// What a runtime API answered.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Decode`], also when bytes are left over.
    pub fn api_answer<T: DecodeAsType>(&self, api: &str, method: &str, bytes: &[u8]) -> Result<T, Error> {
        if !self.has_api(api, method) {
            return Err(self.missing(format!("runtime api {api}_{method}")));
        }
        let what = || format!("answer of {api}_{method}");
        let info = self.metadata.runtime_api_info(api, method).map_err(|error| Error::decode(what(), error))?;
        self.survey(what, info.output_id, bytes)?;
        let cursor = &mut &bytes[..];
        let value = decode_runtime_api_response_with_info(cursor, &info, self.metadata.types(), T::into_visitor())
            .map_err(|error| Error::decode(what(), error))?;
        if !cursor.is_empty() {
            return Err(Error::decode(what(), format!("{} bytes are left over", cursor.len())));
        }
        Ok(value)
    }

    /// Goes through the bytes of a value, so that whoever decodes them meets no surprise, and gives what follows it.
    pub(super) fn survey<'a>(
        &self,
        what: impl FnOnce() -> String,
        type_id: u32,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], Error> {
        let mut rest = bytes;
        survey::survey(self.metadata.types(), type_id, &mut rest).map_err(|reason| Error::decode(what(), reason))?;
        Ok(rest)
    }

    pub(crate) fn missing(&self, what: String) -> Error {
        Error::Missing { spec_version: self.spec_version, what }
    }

    /// Under which number a mechanism of a subnet is stored.
    ///
    /// # Errors
    /// [`Error::Encode`] when there can be no such subnet or mechanism.
    pub fn mechanism_index(netuid: domain::types::NetUid, mechanism: u8) -> Result<u16, Error> {
        if netuid.0 >= MECHANISM_STRIDE {
            return Err(Error::encode("netuid", format!("{netuid} is not below {MECHANISM_STRIDE}")));
        }
        if mechanism >= MAXIMUM_MECHANISMS {
            return Err(Error::encode("mechanism", format!("{mechanism} is not below {MAXIMUM_MECHANISMS}")));
        }
        Ok(u16::from(mechanism) * MECHANISM_STRIDE + netuid.0)
    }

    /// Which subnet and mechanism an index stands for.
    pub(crate) fn subnet_of_index(index: u16) -> (domain::types::NetUid, u8) {
        // The quotient is at most 65535 / 4096 = 15.
        (domain::types::NetUid(index % MECHANISM_STRIDE), (index / MECHANISM_STRIDE) as u8)
    }
}

/// Refuses metadata of format 16 whose extrinsics name transaction extensions that it does not list, or no version of them: subxt
/// takes both for granted and would panic. Earlier formats have one list.
fn check_extensions(metadata: &[u8]) -> Result<(), Error> {
    use subxt::ext::codec::Decode;
    use subxt::ext::frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
    let found = RuntimeMetadataPrefixed::decode(&mut &metadata[..]);
    let RuntimeMetadataPrefixed(_, found) = found.map_err(|error| Error::Metadata(error.to_string()))?;
    let RuntimeMetadata::V16(found) = found else { return Ok(()) };
    let extrinsic = found.extrinsic;
    let listed = extrinsic.transaction_extensions.len();
    let versions = extrinsic.transaction_extensions_by_version;
    if versions.is_empty() {
        return Err(Error::Metadata("it has no version of transaction extensions".to_owned()));
    }
    for (version, indexes) in versions {
        if let Some(index) = indexes.iter().find(|index| index.0 as usize >= listed) {
            let index = index.0;
            return Err(Error::Metadata(format!(
                "version {version} of its transaction extensions has number {index}, and {listed} are listed"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use subxt::dynamic::Value;
    use subxt::ext::codec::Encode;
    use subxt::ext::frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};

    use super::*;

    #[test]
    fn metadata_lists_the_extensions_that_it_names() {
        let metadata = localnet::metadata(16).unwrap();
        type Versions = std::collections::BTreeMap<u8, Vec<subxt::ext::codec::Compact<u32>>>;
        let changed = |change: &dyn Fn(&mut Versions)| {
            let RuntimeMetadataPrefixed(magic, RuntimeMetadata::V16(mut v16)) =
                RuntimeMetadataPrefixed::decode(&mut &metadata[..]).unwrap()
            else {
                panic!("format 16")
            };
            change(&mut v16.extrinsic.transaction_extensions_by_version);
            let changed = RuntimeMetadataPrefixed(magic, RuntimeMetadata::V16(v16)).encode();
            Runtime::decode(393, 1, &changed).unwrap_err().to_string()
        };
        let unlisted = changed(&|versions| {
            versions.insert(9, vec![subxt::ext::codec::Compact(1000)]);
        });
        assert!(unlisted.contains("version 9 of its transaction extensions has number 1000"), "{unlisted}");
        assert!(changed(&|versions| versions.clear()).contains("no version of transaction extensions"));
    }

    #[test]
    fn metadata_has_a_size_and_types_that_end() {
        let metadata = localnet::metadata(16).unwrap();
        Runtime::decode(393, 1, metadata).unwrap();
        let long = [metadata, &vec![0; LARGEST_METADATA]].concat();
        let refused = Runtime::decode(393, 1, &long).unwrap_err().to_string();
        assert!(refused.contains("more than 4194304"), "{refused}");
        // The first type of which another is a field: let it be its own.
        let RuntimeMetadataPrefixed(magic, RuntimeMetadata::V16(mut v16)) =
            RuntimeMetadataPrefixed::decode(&mut &metadata[..]).unwrap()
        else {
            panic!("format 16")
        };
        let holds = |found: &mut scale_info::PortableType| match &mut found.ty.type_def {
            scale_info::TypeDef::Composite(composite) if composite.fields.len() == 1 => {
                composite.fields[0].ty = found.id.into();
                true
            }
            _ => false,
        };
        assert!(v16.types.types.iter_mut().any(holds));
        let endless = RuntimeMetadataPrefixed(magic, RuntimeMetadata::V16(v16)).encode();
        let refused = Runtime::decode(393, 1, &endless).unwrap_err().to_string();
        assert!(refused.contains("holds itself"), "{refused}");
    }

    #[test]
    fn a_list_takes_no_more_memory_than_its_bytes_are_worth() {
        let runtime = Runtime::decode(393, 1, localnet::metadata(16).unwrap()).unwrap();
        // 2^30 - 1 items, of which there are none.
        let bytes = [0xfe, 0xff, 0xff, 0xff];
        for entry in ["LastUpdate", "Weights"] {
            let read = runtime.storage_value::<Value>(SUBTENSOR, entry, Some(&bytes));
            assert!(matches!(read, Err(Error::Decode { .. })), "{entry}: {read:?}");
        }
        let read = runtime.api_answer::<Value>("NeuronInfoRuntimeApi", "get_neurons_lite", &bytes);
        assert!(matches!(read, Err(Error::Decode { .. })), "{read:?}");
    }
}
