//! What the runtime APIs answer: `state_call` with a method's name and its arguments in SCALE.

mod dynamic;
mod metagraph;
mod neurons;
mod subnets;

use codec::{DecodeAll as _, Encode as _};

use crate::runtime::frame_support::dispatch::DispatchClass;
use crate::runtime::frame_system;
use crate::runtime::pallet_transaction_payment::types::RuntimeDispatchInfo;
use crate::runtime::sp_core::OpaqueMetadata;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_weights::weight_v2::Weight;
use crate::runtime::{constants, metadata, pallet_subtensor};
use crate::schedule::{Schedule, next_epoch_start};
use crate::store::{Read, View};

type StakeInfo = pallet_subtensor::rpc_info::stake_info::StakeInfo<AccountId32>;

/// Why a method has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// This chain does not offer it.
    #[error("this chain does not offer the runtime api: ask the metadata for what it does")]
    UnknownMethod,
    /// The arguments cannot be decoded.
    #[error("the arguments are not those of the runtime api: encode them as the metadata says")]
    Arguments,
}

/// The arguments as the method's own types, with nothing left over.
fn arguments<T: codec::Decode>(bytes: &[u8]) -> Result<T, Failure> {
    T::decode_all(&mut &*bytes).map_err(|_| Failure::Arguments)
}

/// Answers a call after the block of `state`.
pub(crate) fn call(state: &View<'_>, method: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let schedule = Schedule::of(state);
    Ok(match method {
        "Core_version" => constants::version(schedule).encode(),
        "Metadata_metadata" => OpaqueMetadata(metadata::of_version(schedule, 14).unwrap_or_default().to_vec()).encode(),
        "Metadata_metadata_versions" => metadata::VERSIONS.to_vec().encode(),
        "Metadata_metadata_at_version" => {
            metadata::of_version(schedule, arguments(bytes)?).map(|metadata| OpaqueMetadata(metadata.to_vec())).encode()
        }
        "AccountNonceApi_account_nonce" => frame_system::ACCOUNT.get(state, &arguments(bytes)?).nonce.encode(),
        "TransactionPaymentApi_query_info" => {
            // An extrinsic is its length and its bytes, which cost nothing whatever they are.
            let _: (Vec<u8>, u32) = arguments(bytes)?;
            let weight = Weight::default();
            RuntimeDispatchInfo { weight, class: DispatchClass::Normal, partial_fee: 0u64 }.encode()
        }
        "NeuronInfoRuntimeApi_get_neurons" => neurons::all(state, arguments(bytes)?).encode(),
        "NeuronInfoRuntimeApi_get_neurons_lite" => neurons::all_lite(state, arguments(bytes)?).encode(),
        "NeuronInfoRuntimeApi_get_neuron" => {
            let (netuid, uid) = arguments(bytes)?;
            neurons::one(state, netuid, uid).encode()
        }
        "NeuronInfoRuntimeApi_get_neuron_lite" => {
            let (netuid, uid) = arguments(bytes)?;
            neurons::one_lite(state, netuid, uid).encode()
        }
        "SubnetInfoRuntimeApi_get_subnet_hyperparams" => subnets::hyperparameters(state, arguments(bytes)?).encode(),
        "SubnetInfoRuntimeApi_get_subnet_hyperparams_v2" => {
            subnets::hyperparameters_v2(state, arguments(bytes)?).encode()
        }
        "SubnetInfoRuntimeApi_get_next_epoch_start_block" if schedule == Schedule::Stateful => {
            next_epoch_start(state, arguments(bytes)?).encode()
        }
        "SubnetInfoRuntimeApi_get_subnet_state" => subnets::state(state, arguments(bytes)?).encode(),
        "SubnetInfoRuntimeApi_get_dynamic_info" => dynamic::one(state, arguments(bytes)?).encode(),
        "SubnetInfoRuntimeApi_get_all_dynamic_info" => dynamic::all(state).encode(),
        "SubnetInfoRuntimeApi_get_metagraph" => metagraph::full(state, arguments(bytes)?, 0).encode(),
        "SubnetInfoRuntimeApi_get_mechagraph" => {
            let (netuid, mechanism) = arguments(bytes)?;
            metagraph::full(state, netuid, mechanism).encode()
        }
        "SubnetInfoRuntimeApi_get_all_metagraphs" => metagraph::all(state).encode(),
        "SubnetInfoRuntimeApi_get_selective_metagraph" => {
            let (netuid, indexes): (u16, Vec<u16>) = arguments(bytes)?;
            metagraph::selective(state, netuid, 0, &indexes).encode()
        }
        "SubnetInfoRuntimeApi_get_selective_mechagraph" => {
            let (netuid, mechanism, indexes): (u16, u8, Vec<u16>) = arguments(bytes)?;
            metagraph::selective(state, netuid, mechanism, &indexes).encode()
        }
        "StakeInfoRuntimeApi_get_stake_info_for_coldkey" => stakes(state, arguments(bytes)?).encode(),
        "StakeInfoRuntimeApi_get_stake_info_for_hotkey_coldkey_netuid" => {
            let (hotkey, coldkey, netuid) = arguments(bytes)?;
            Some(stake(state, hotkey, coldkey, netuid)).encode()
        }
        _ => return Err(Failure::UnknownMethod),
    })
}

/// Stake of a coldkey's hotkeys wherever there is any. All stake of a hotkey is its owner's here.
fn stakes(state: &impl Read, coldkey: AccountId32) -> Vec<StakeInfo> {
    let netuids = crate::neurons::netuids(state);
    let hotkeys = pallet_subtensor::storage::OWNED_HOTKEYS.get(state, &coldkey);
    let all = hotkeys.iter().flat_map(|hotkey| netuids.iter().map(|netuid| stake(state, *hotkey, coldkey, *netuid)));
    all.filter(|stake| stake.stake.0 > 0).collect()
}

fn stake(state: &impl Read, hotkey: AccountId32, coldkey: AccountId32, netuid: u16) -> StakeInfo {
    use pallet_subtensor::storage as s;
    let is_owner = s::OWNER.find(state, &hotkey) == Some(coldkey);
    let uid = s::UIDS.find(state, &(netuid, hotkey));
    let emission = uid.map_or(0, |uid| crate::neurons::at(&s::EMISSION.get(state, &netuid), uid));
    StakeInfo {
        hotkey,
        coldkey,
        netuid: netuid.into(),
        stake: if is_owner { crate::neurons::stake(state, netuid, hotkey) } else { 0 }.into(),
        locked: 0.into(),
        emission: emission.into(),
        tao_emission: 0.into(),
        drain: 0.into(),
        is_registered: uid.is_some(),
    }
}
