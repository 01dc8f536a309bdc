//! What a call costs. Nothing does here.

pub mod weight_v2 {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct Weight {
        #[codec(compact)]
        pub ref_time: u64,
        #[codec(compact)]
        pub proof_size: u64,
    }
}
