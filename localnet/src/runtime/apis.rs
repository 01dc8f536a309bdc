//! The runtime APIs that this chain answers, as the metadata tells them. The answers are made in `crate::runtime_api`.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest as _};
use scale_info::{MetaType, meta_type};

use super::metadata::Extrinsic;
use super::pallet_subtensor::rpc_info::{
    dynamic_info::DynamicInfo,
    metagraph::{Metagraph, SelectiveMetagraph},
    neuron_info::{NeuronInfo, NeuronInfoLite},
    show_subnet::SubnetState,
    stake_info::StakeInfo,
    subnet_info::{SubnetHyperparams, SubnetHyperparamsV2},
};
use super::pallet_transaction_payment::types::RuntimeDispatchInfo;
use super::sp_core::{OpaqueMetadata, crypto::AccountId32};
use super::sp_version::RuntimeVersion;
use super::sp_weights::weight_v2::Weight;
use crate::schedule::Schedule;

/// A method: its name, its arguments and what it answers.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) inputs: Vec<(&'static str, MetaType)>,
    pub(crate) output: MetaType,
}

/// An API and its methods.
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) methods: Vec<Method>,
}

macro_rules! apis {
    ($($api:literal $version:literal { $($method:ident($($argument:ident: $ty:ty),*) -> $output:ty;)* })*) => {
        fn every() -> Vec<Api> {
            vec![$(Api {
                name: $api,
                version: $version,
                methods: vec![$(Method {
                    name: stringify!($method),
                    inputs: vec![$((stringify!($argument), meta_type::<$ty>())),*],
                    output: meta_type::<$output>(),
                }),*],
            }),*]
        }
    };
}

/// The API that tells of subnets, and the method of it that came with the stateful schedule.
const SUBNETS: (&str, &str) = ("SubnetInfoRuntimeApi", "get_next_epoch_start_block");

/// All that a runtime offers.
pub(crate) fn all(schedule: Schedule) -> Vec<Api> {
    let mut apis = every();
    for api in apis.iter_mut().filter(|api| api.name == SUBNETS.0) {
        match schedule {
            Schedule::Legacy => api.methods.retain(|method| method.name != SUBNETS.1),
            Schedule::Stateful => api.version = 2,
        }
    }
    apis
}

/// Identifiers (blake2-64 of the name) and versions, for the runtime's version.
pub(crate) fn versions(schedule: Schedule) -> Vec<([u8; 8], u32)> {
    all(schedule).into_iter().map(|api| (Blake2b::<U8>::digest(api.name).into(), api.version)).collect()
}

apis! {
    "Core" 5 {
        version() -> RuntimeVersion;
    }
    "Metadata" 2 {
        metadata() -> OpaqueMetadata;
        metadata_at_version(version: u32) -> Option<OpaqueMetadata>;
        metadata_versions() -> Vec<u32>;
    }
    "AccountNonceApi" 1 {
        account_nonce(account: AccountId32) -> u32;
    }
    "TransactionPaymentApi" 4 {
        query_info(uxt: Extrinsic, len: u32) -> RuntimeDispatchInfo<u64, Weight>;
    }
    "NeuronInfoRuntimeApi" 1 {
        get_neurons(netuid: u16) -> Vec<NeuronInfo<AccountId32>>;
        get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo<AccountId32>>;
        get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite<AccountId32>>;
        get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite<AccountId32>>;
    }
    "SubnetInfoRuntimeApi" 1 {
        get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams>;
        get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2>;
        get_dynamic_info(netuid: u16) -> Option<DynamicInfo<AccountId32>>;
        get_all_dynamic_info() -> Vec<Option<DynamicInfo<AccountId32>>>;
        get_all_metagraphs() -> Vec<Option<Metagraph<AccountId32>>>;
        get_metagraph(netuid: u16) -> Option<Metagraph<AccountId32>>;
        get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph<AccountId32>>;
        get_next_epoch_start_block(netuid: u16) -> Option<u64>;
        get_subnet_state(netuid: u16) -> Option<SubnetState<AccountId32>>;
        get_selective_metagraph(netuid: u16, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph<AccountId32>>;
        get_selective_mechagraph(netuid: u16, subid: u8, metagraph_indexes: Vec<u16>)
            -> Option<SelectiveMetagraph<AccountId32>>;
    }
    "StakeInfoRuntimeApi" 1 {
        get_stake_info_for_coldkey(coldkey_account: AccountId32) -> Vec<StakeInfo<AccountId32>>;
        get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId32, coldkey_account: AccountId32, netuid: u16
        ) -> Option<StakeInfo<AccountId32>>;
    }
}
