//! The calls of subtensor that this chain performs.

use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(non_camel_case_types, reason = "as the chain writes them")]
pub enum Call {
    #[codec(index = 0)]
    set_weights { netuid: u16, dests: Vec<u16>, weights: Vec<u16>, version_key: u64 },
    #[codec(index = 119)]
    set_mechanism_weights { netuid: u16, mecid: u8, dests: Vec<u16>, weights: Vec<u16>, version_key: u64 },
    #[codec(index = 80)]
    batch_set_weights {
        netuids: Vec<Compact<u16>>,
        weights: Vec<Vec<(Compact<u16>, Compact<u16>)>>,
        version_keys: Vec<Compact<u64>>,
    },
    #[codec(index = 96)]
    commit_weights { netuid: u16, commit_hash: H256 },
    #[codec(index = 115)]
    commit_mechanism_weights { netuid: u16, mecid: u8, commit_hash: H256 },
    #[codec(index = 97)]
    reveal_weights { netuid: u16, uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64 },
    #[codec(index = 116)]
    reveal_mechanism_weights {
        netuid: u16,
        mecid: u8,
        uids: Vec<u16>,
        values: Vec<u16>,
        salt: Vec<u16>,
        version_key: u64,
    },
    #[codec(index = 113)]
    commit_timelocked_weights { netuid: u16, commit: BoundedVec<u8>, reveal_round: u64, commit_reveal_version: u16 },
    #[codec(index = 118)]
    commit_timelocked_mechanism_weights {
        netuid: u16,
        mecid: u8,
        commit: BoundedVec<u8>,
        reveal_round: u64,
        commit_reveal_version: u16,
    },
    #[codec(index = 4)]
    serve_axon {
        netuid: u16,
        version: u32,
        ip: u128,
        port: u16,
        ip_type: u8,
        protocol: u8,
        placeholder1: u8,
        placeholder2: u8,
    },
    #[codec(index = 40)]
    serve_axon_tls {
        netuid: u16,
        version: u32,
        ip: u128,
        port: u16,
        ip_type: u8,
        protocol: u8,
        placeholder1: u8,
        placeholder2: u8,
        certificate: Vec<u8>,
    },
    #[codec(index = 5)]
    serve_prometheus { netuid: u16, version: u32, ip: u128, port: u16, ip_type: u8 },
    #[codec(index = 7)]
    burned_register { netuid: u16, hotkey: AccountId32 },
}
