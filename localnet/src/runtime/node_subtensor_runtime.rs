//! All pallets together, with their real indexes. `Development` is this chain's own and has an index that subtensor does
//! not use.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

use super::sp_runtime::{DispatchError, ModuleError};
use super::{
    frame_system, pallet_admin_utils, pallet_balances, pallet_commitments, pallet_development, pallet_drand,
    pallet_subtensor, pallet_subtensor_utility, pallet_sudo, pallet_timestamp,
};

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum RuntimeCall {
    #[codec(index = 0)]
    System(frame_system::pallet::Call),
    #[codec(index = 2)]
    Timestamp(pallet_timestamp::pallet::Call),
    #[codec(index = 5)]
    Balances(pallet_balances::pallet::Call),
    #[codec(index = 7)]
    SubtensorModule(pallet_subtensor::pallet::Call),
    #[codec(index = 11)]
    Utility(pallet_subtensor_utility::pallet::Call),
    #[codec(index = 12)]
    Sudo(pallet_sudo::pallet::Call),
    #[codec(index = 18)]
    Commitments(pallet_commitments::pallet::Call),
    #[codec(index = 19)]
    AdminUtils(pallet_admin_utils::pallet::Call),
    #[codec(index = 200)]
    Development(pallet_development::pallet::Call),
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum RuntimeEvent {
    #[codec(index = 0)]
    System(frame_system::pallet::Event),
    #[codec(index = 5)]
    Balances(pallet_balances::pallet::Event),
    #[codec(index = 7)]
    SubtensorModule(pallet_subtensor::pallet::Event),
    #[codec(index = 11)]
    Utility(pallet_subtensor_utility::pallet::Event),
    #[codec(index = 12)]
    Sudo(pallet_sudo::pallet::Event),
    #[codec(index = 18)]
    Commitments(pallet_commitments::pallet::Event),
    #[codec(index = 26)]
    Drand(pallet_drand::pallet::Event),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum RuntimeError {
    #[codec(index = 0)]
    System(frame_system::pallet::Error),
    #[codec(index = 5)]
    Balances(pallet_balances::pallet::Error),
    #[codec(index = 7)]
    SubtensorModule(pallet_subtensor::pallet::Error),
    #[codec(index = 11)]
    Utility(pallet_subtensor_utility::pallet::Error),
    #[codec(index = 12)]
    Sudo(pallet_sudo::pallet::Error),
    #[codec(index = 18)]
    Commitments(pallet_commitments::pallet::Error),
    #[codec(index = 19)]
    AdminUtils(pallet_admin_utils::pallet::Error),
    #[codec(index = 26)]
    Drand(pallet_drand::pallet::Error),
    #[codec(index = 200)]
    Development(pallet_development::pallet::Error),
}

impl From<RuntimeError> for DispatchError {
    /// The SCALE form is the pallet's index and the error's; two more bytes are always zero.
    fn from(error: RuntimeError) -> Self {
        let encoded = error.encode();
        let byte = |at: usize| encoded.get(at).copied().unwrap_or(0);
        Self::Module(ModuleError { index: byte(0), error: [byte(1), 0, 0, 0] })
    }
}

impl RuntimeError {
    /// The error behind a number, when it is one of this runtime.
    pub fn of(error: ModuleError) -> Option<Self> {
        Self::decode(&mut [error.index, error.error[0]].as_slice()).ok()
    }

    /// Its name without the pallet's.
    pub fn name(self) -> String {
        match self {
            Self::System(error) => format!("{error:?}"),
            Self::Balances(error) => format!("{error:?}"),
            Self::SubtensorModule(error) => format!("{error:?}"),
            Self::Utility(error) => format!("{error:?}"),
            Self::Sudo(error) => format!("{error:?}"),
            Self::Commitments(error) => format!("{error:?}"),
            Self::AdminUtils(error) => format!("{error:?}"),
            Self::Drand(error) => format!("{error:?}"),
            Self::Development(error) => format!("{error:?}"),
        }
    }
}

macro_rules! errors_of {
    ($($variant:ident $pallet:ident),*) => {$(
        impl From<$pallet::pallet::Error> for DispatchError {
            fn from(error: $pallet::pallet::Error) -> Self {
                RuntimeError::$variant(error).into()
            }
        }
    )*};
}
errors_of!(
    System frame_system, Balances pallet_balances, SubtensorModule pallet_subtensor, Utility pallet_subtensor_utility,
    Sudo pallet_sudo, Commitments pallet_commitments, AdminUtils pallet_admin_utils, Drand pallet_drand,
    Development pallet_development
);

macro_rules! calls_of {
    ($($variant:ident $pallet:ident),*) => {$(
        impl From<$pallet::pallet::Call> for RuntimeCall {
            fn from(call: $pallet::pallet::Call) -> Self {
                Self::$variant(call)
            }
        }
    )*};
}
calls_of!(
    System frame_system, Balances pallet_balances, SubtensorModule pallet_subtensor, Utility pallet_subtensor_utility,
    Sudo pallet_sudo, Commitments pallet_commitments, AdminUtils pallet_admin_utils, Development pallet_development
);
