//! Arguments of calls, under subtensor's names for them; they are found by name, whatever their order.

use subxt::config::substrate::H256;
use subxt::ext::scale_decode::{self, DecodeAsType};
use subxt::utils::AccountId32;

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct OfSubnet {
    pub(super) netuid: u16,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct OfMechanism {
    pub(super) mecid: u8,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct SetWeights {
    pub(super) netuid: u16,
    pub(super) dests: Vec<u16>,
    pub(super) weights: Vec<u16>,
    pub(super) version_key: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct CommitWeights {
    pub(super) netuid: u16,
    pub(super) commit_hash: H256,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct RevealWeights {
    pub(super) netuid: u16,
    pub(super) uids: Vec<u16>,
    pub(super) values: Vec<u16>,
    pub(super) salt: Vec<u16>,
    pub(super) version_key: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct CommitTimelocked {
    pub(super) netuid: u16,
    pub(super) commit: Vec<u8>,
    pub(super) reveal_round: u64,
    pub(super) commit_reveal_version: u16,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct BurnedRegister {
    pub(super) netuid: u16,
    pub(super) hotkey: AccountId32,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct ServeAxon {
    pub(super) netuid: u16,
    pub(super) version: u32,
    pub(super) ip: u128,
    pub(super) port: u16,
    pub(super) ip_type: u8,
    pub(super) protocol: u8,
    pub(super) placeholder1: u8,
    pub(super) placeholder2: u8,
}
