//! The events of subtensor that this chain deposits.

use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_runtime::DispatchError;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Event {
    #[codec(index = 0)]
    NetworkAdded(u16, u16),
    #[codec(index = 5)]
    WeightsSet(u16, u16),
    #[codec(index = 6)]
    NeuronRegistered(u16, u16, AccountId32),
    #[codec(index = 28)]
    AxonServed(u16, AccountId32),
    #[codec(index = 29)]
    PrometheusServed(u16, AccountId32),
    #[codec(index = 83)]
    WeightsCommitted(AccountId32, u16, H256),
    #[codec(index = 84)]
    WeightsRevealed(AccountId32, u16, H256),
    #[codec(index = 86)]
    BatchWeightsCompleted(Vec<Compact<u16>>, AccountId32),
    #[codec(index = 87)]
    BatchCompletedWithErrors(),
    #[codec(index = 88)]
    BatchWeightItemFailed(DispatchError),
    #[codec(index = 105)]
    TimelockedWeightsCommitted(AccountId32, u16, H256, u64),
    #[codec(index = 106)]
    TimelockedWeightsRevealed(u16, AccountId32),
    #[codec(index = 108)]
    IncentiveAlphaEmittedToMiners { netuid: u16, emissions: Vec<u64> },
}
