//! Fees, which nothing costs here.

pub mod types {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::frame_support::dispatch::DispatchClass;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct RuntimeDispatchInfo<Balance, Weight> {
        pub weight: Weight,
        pub class: DispatchClass,
        pub partial_fee: Balance,
    }
}
