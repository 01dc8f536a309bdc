//! Subtensor's own pallet: neurons, weights, consensus.

mod call;
mod error;
mod event;
pub mod rpc_info;
pub(crate) mod storage;

/// The types under their real path.
pub mod pallet {
    pub use super::call::Call;
    pub use super::error::Error;
    pub use super::event::Event;
    pub use super::types::{AxonInfo, ChainIdentityV2, NeuronCertificate, PrometheusInfo, SubnetIdentityV3};
}

/// What stands in the storage.
pub mod types {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::bounded_collections::bounded_vec::BoundedVec;

    /// Where an axon listens. An IPv4 address stands in the low 32 bits.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct AxonInfo {
        pub block: u64,
        pub version: u32,
        pub ip: u128,
        pub port: u16,
        pub ip_type: u8,
        pub protocol: u8,
        pub placeholder1: u8,
        pub placeholder2: u8,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct PrometheusInfo {
        pub block: u64,
        pub version: u32,
        pub ip: u128,
        pub port: u16,
        pub ip_type: u8,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct NeuronCertificate {
        pub public_key: BoundedVec<u8>,
        pub algorithm: u8,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct ChainIdentityV2 {
        pub name: Vec<u8>,
        pub url: Vec<u8>,
        pub github_repo: Vec<u8>,
        pub image: Vec<u8>,
        pub discord: Vec<u8>,
        pub description: Vec<u8>,
        pub additional: Vec<u8>,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct SubnetIdentityV3 {
        pub subnet_name: Vec<u8>,
        pub github_repo: Vec<u8>,
        pub subnet_contact: Vec<u8>,
        pub subnet_url: Vec<u8>,
        pub discord: Vec<u8>,
        pub description: Vec<u8>,
        pub logo_url: Vec<u8>,
        pub additional: Vec<u8>,
    }
}
