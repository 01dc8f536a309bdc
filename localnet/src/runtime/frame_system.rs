//! Blocks, accounts and events.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

use super::frame_support::dispatch::{DispatchClass, Pays, PerDispatchClass};
use super::node_subtensor_runtime::RuntimeEvent;
use super::pallet_balances::types::AccountData;
use super::primitive_types::H256;
use super::sp_core::crypto::AccountId32;
use super::sp_runtime::generic::digest::Digest;
use super::sp_weights::weight_v2::Weight;
use crate::item::storage;

#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct AccountInfo<Nonce, Data> {
    pub nonce: Nonce,
    pub consumers: u32,
    pub providers: u32,
    pub sufficients: u32,
    pub data: Data,
}

/// What stands under `System.Account`.
pub type Account = AccountInfo<u32, AccountData<u64>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct DispatchEventInfo {
    pub weight: Weight,
    pub class: DispatchClass,
    pub pays_fee: Pays,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Phase {
    ApplyExtrinsic(u32),
    Finalization,
    Initialization,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode, TypeInfo)]
pub struct EventRecord<E, T> {
    pub phase: Phase,
    pub event: E,
    pub topics: Vec<T>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct LastRuntimeUpgradeInfo {
    #[codec(compact)]
    pub spec_version: u32,
    pub spec_name: String,
}

storage! { "System":
    /// Nonces and balances.
    ACCOUNT "Account": [Blake2_128Concat] AccountId32 => Account;
    /// Extrinsics in this block.
    EXTRINSIC_COUNT "ExtrinsicCount": [] () => u32, optional;
    /// Always zero: nothing costs weight here.
    BLOCK_WEIGHT "BlockWeight": [] () => PerDispatchClass<Weight>;
    /// Hashes of the last blocks.
    BLOCK_HASH "BlockHash": [Twox64Concat] u32 => H256;
    /// The number of this block.
    NUMBER "Number": [] () => u32;
    /// Hash of the block before.
    PARENT_HASH "ParentHash": [] () => H256;
    /// The digest of this block.
    DIGEST "Digest": [] () => Digest;
    /// What happened in this block.
    EVENTS "Events": [] () => Vec<EventRecord<RuntimeEvent, H256>>;
    /// How many events.
    EVENT_COUNT "EventCount": [] () => u32;
    /// The runtime since genesis.
    LAST_RUNTIME_UPGRADE "LastRuntimeUpgrade": [] () => LastRuntimeUpgradeInfo, optional;
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use super::DispatchEventInfo;
    use crate::runtime::primitive_types::H256;
    use crate::runtime::sp_core::crypto::AccountId32;
    use crate::runtime::sp_runtime::DispatchError;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        remark { remark: Vec<u8> },
        #[codec(index = 7)]
        remark_with_event { remark: Vec<u8> },
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 0)]
        ExtrinsicSuccess { dispatch_info: DispatchEventInfo },
        #[codec(index = 1)]
        ExtrinsicFailed { dispatch_error: DispatchError, dispatch_info: DispatchEventInfo },
        #[codec(index = 3)]
        NewAccount { account: AccountId32 },
        #[codec(index = 5)]
        Remarked { sender: AccountId32, hash: H256 },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        InvalidSpecName,
        SpecVersionNeedsToIncrease,
        FailedToExtractRuntimeVersion,
        NonDefaultComposite,
        NonZeroRefCount,
        CallFiltered,
        MultiBlockMigrationsOngoing,
        NothingAuthorized,
        Unauthorized,
    }
}
