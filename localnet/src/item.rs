//! Storage entries: a name, a type, and where the values stand.
//!
//! One declaration gives both the typed access and the entry of the metadata, so that they cannot differ.

use std::marker::PhantomData;

use codec::{Decode, Encode};
use frame_metadata::v14;
use scale_info::{MetaType, TypeInfo, meta_type};

use crate::hashing::{Hasher, twox_128};
use crate::store::{Overlay, Read};

/// The key of a map: one part for each hasher.
pub(crate) trait Key {
    /// The SCALE form of each part.
    fn parts(&self) -> Vec<Vec<u8>>;
}

impl Key for () {
    fn parts(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

macro_rules! single_keys {
    ($($key:ty),*) => {$(
        impl Key for $key {
            fn parts(&self) -> Vec<Vec<u8>> {
                vec![self.encode()]
            }
        }
    )*};
}
single_keys!(u16, u32, u64, crate::runtime::sp_core::crypto::AccountId32);

impl<A: Encode, B: Encode> Key for (A, B) {
    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.0.encode(), self.1.encode()]
    }
}

/// A storage entry with keys `K` (`()` for a single value) and values `V`.
pub(crate) struct Item<K, V> {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
    pub(crate) hashers: &'static [Hasher],
    pub(crate) optional: bool,
    pub(crate) default: fn() -> V,
    pub(crate) docs: &'static [&'static str],
    pub(crate) marker: PhantomData<fn(K)>,
}

impl<K: Key, V: Decode + Encode> Item<K, V> {
    /// `twox128(pallet) ‖ twox128(entry)`.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        [twox_128(self.pallet.as_bytes()), twox_128(self.name.as_bytes())].concat()
    }

    /// Where the value of `key` stands.
    pub(crate) fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = self.prefix();
        for (hasher, part) in self.hashers.iter().zip(key.parts()) {
            hasher.append(&part, &mut bytes);
        }
        bytes
    }

    /// What stands there, if anything does.
    pub(crate) fn find(&self, state: &impl Read, key: &K) -> Option<V> {
        // Only this type's own encoding was ever written there.
        V::decode(&mut state.read(&self.key(key))?).ok()
    }

    /// What stands there, else the default.
    pub(crate) fn get(&self, state: &impl Read, key: &K) -> V {
        self.find(state, key).unwrap_or_else(self.default)
    }

    /// Sets the value.
    pub(crate) fn put(&self, state: &mut Overlay<'_>, key: &K, value: &V) {
        state.write(self.key(key), Some(value.encode()));
    }

    /// Removes the value.
    pub(crate) fn remove(&self, state: &mut Overlay<'_>, key: &K) {
        state.write(self.key(key), None);
    }

    /// Changes the value, or the default when there is none.
    pub(crate) fn change(&self, state: &mut Overlay<'_>, key: &K, change: impl FnOnce(&mut V)) {
        let mut value = self.get(state, key);
        change(&mut value);
        self.put(state, key, &value);
    }
}

impl<K: TypeInfo + 'static, V: Encode + TypeInfo + 'static> Item<K, V> {
    /// The entry in the metadata.
    pub(crate) fn described(&self) -> v14::StorageEntryMetadata {
        let value: MetaType = meta_type::<V>();
        let ty = if self.hashers.is_empty() {
            v14::StorageEntryType::Plain(value)
        } else {
            let hashers = self.hashers.iter().map(|hasher| hasher.described()).collect();
            v14::StorageEntryType::Map { hashers, key: meta_type::<K>(), value }
        };
        let (modifier, default) = match self.optional {
            true => (v14::StorageEntryModifier::Optional, vec![0]),
            false => (v14::StorageEntryModifier::Default, (self.default)().encode()),
        };
        v14::StorageEntryMetadata { name: self.name, modifier, ty, default, docs: self.docs.to_vec() }
    }
}

/// Declares a pallet's storage: `NAME "Entry": [Hasher, …] Key => Value, optional;` or `… => Value = default;`.
macro_rules! storage {
    ($pallet:literal: $($(#[doc = $doc:literal])* $constant:ident $name:literal : [$($hasher:ident),*] $key:ty => $value:ty
        $(, $optional:ident)? $(= $default:expr)?;)*) => {
        $($(#[doc = $doc])*
        pub(crate) const $constant: $crate::item::Item<$key, $value> = $crate::item::Item {
            pallet: $pallet,
            name: $name,
            hashers: &[$($crate::hashing::Hasher::$hasher),*],
            optional: $crate::item::storage!(@optional $($optional)?),
            default: || $crate::item::storage!(@default $($default)?),
            docs: &[$($doc),*],
            marker: std::marker::PhantomData,
        };)*

        /// All entries, for the metadata.
        pub(crate) fn described() -> Vec<frame_metadata::v14::StorageEntryMetadata> {
            vec![$($constant.described()),*]
        }
    };
    (@optional) => { false };
    (@optional optional) => { true };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
pub(crate) use storage;
