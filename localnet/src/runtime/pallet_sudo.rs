//! The root key.

use super::sp_core::crypto::AccountId32;
use crate::item::storage;

storage! { "Sudo":
    /// The key that may send root calls.
    KEY "Key": [] () => AccountId32, optional;
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::node_subtensor_runtime::RuntimeCall;
    use crate::runtime::sp_runtime::DispatchError;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        sudo { call: Box<RuntimeCall> },
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 0)]
        Sudid { sudo_result: Result<(), DispatchError> },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        RequireSudo,
    }
}
