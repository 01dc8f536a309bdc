//! The author's clock.

use crate::item::storage;

storage! { "Timestamp":
    /// Milliseconds since the Unix epoch when this block was made.
    NOW "Now": [] () => u64;
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        set {
            #[codec(compact)]
            now: u64,
        },
    }
}
