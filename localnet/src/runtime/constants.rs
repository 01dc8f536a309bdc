//! Constants of the pallets, as the metadata tells them.

use codec::Encode;
use frame_metadata::v14::PalletConstantMetadata;
use scale_info::{TypeInfo, meta_type};

use super::sp_version::RuntimeVersion;
use super::{BLOCK_HASH_COUNT, SS58_PREFIX, TRANSACTION_VERSION};
use crate::schedule::Schedule;

/// The least balance of an account in rao.
pub(crate) const EXISTENTIAL_DEPOSIT: u64 = 500;
/// Fields in a commitment.
pub(crate) const MAXIMUM_FIELDS: u32 = 3;
/// Calls in a batch.
pub(crate) const BATCHED_CALLS_LIMIT: u32 = 10_922;

fn constant<T: Encode + TypeInfo + 'static>(name: &'static str, value: T) -> PalletConstantMetadata {
    PalletConstantMetadata { name, ty: meta_type::<T>(), value: value.encode(), docs: vec![] }
}

/// Which runtime this is. The runtime APIs are those of the metadata, by blake2-64 of their names.
pub(crate) fn version(schedule: Schedule) -> RuntimeVersion {
    RuntimeVersion {
        spec_name: "node-subtensor".to_owned(),
        impl_name: "node-subtensor".to_owned(),
        authoring_version: 1,
        spec_version: schedule.spec_version(),
        impl_version: 1,
        apis: super::apis::versions(schedule),
        transaction_version: TRANSACTION_VERSION,
        system_version: 1,
    }
}

pub(crate) fn of(schedule: Schedule, pallet: &str) -> Vec<PalletConstantMetadata> {
    match pallet {
        "System" => vec![
            constant("BlockHashCount", BLOCK_HASH_COUNT),
            constant("Version", version(schedule)),
            constant("SS58Prefix", SS58_PREFIX),
        ],
        "Timestamp" => vec![constant("MinimumPeriod", 6_000u64)],
        "Balances" => vec![constant("ExistentialDeposit", EXISTENTIAL_DEPOSIT)],
        "Utility" => vec![constant("batched_calls_limit", BATCHED_CALLS_LIMIT)],
        "Commitments" => vec![
            constant("MaxFields", MAXIMUM_FIELDS),
            constant("InitialDeposit", 0u64),
            constant("FieldDeposit", 0u64),
        ],
        "SubtensorModule" => vec![
            constant("InitialTempo", 360u16),
            constant("InitialKappa", 32767u16),
            constant("InitialRho", 10u16),
            constant("InitialMinAllowedWeights", 1024u16),
            constant("InitialWeightsVersionKey", 0u64),
            constant("InitialServingRateLimit", 50u64),
            constant("InitialMaxAllowedUids", 256u16),
            constant("InitialImmunityPeriod", 4096u16),
        ],
        _ => vec![],
    }
}
