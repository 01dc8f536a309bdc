//! Several calls in one.

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::node_subtensor_runtime::RuntimeCall;
    use crate::runtime::sp_runtime::DispatchError;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        batch { calls: Vec<RuntimeCall> },
        #[codec(index = 2)]
        batch_all { calls: Vec<RuntimeCall> },
        #[codec(index = 4)]
        force_batch { calls: Vec<RuntimeCall> },
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 0)]
        BatchInterrupted { index: u32, error: DispatchError },
        #[codec(index = 1)]
        BatchCompleted,
        #[codec(index = 2)]
        BatchCompletedWithErrors,
        #[codec(index = 3)]
        ItemCompleted,
        #[codec(index = 4)]
        ItemFailed { error: DispatchError },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        TooManyCalls,
        InvalidDerivedAccount,
    }
}
