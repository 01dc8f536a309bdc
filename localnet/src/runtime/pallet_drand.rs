//! Pulses of a random beacon: what opens timelocked weights.

use super::bounded_collections::bounded_vec::BoundedVec;
use crate::item::storage;

pub mod types {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use super::BoundedVec;

    /// A round of the beacon.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct Pulse {
        pub round: u64,
        pub randomness: BoundedVec<u8>,
        pub signature: BoundedVec<u8>,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct BeaconConfiguration {
        pub public_key: BoundedVec<u8>,
        pub period: u32,
        pub genesis_time: u32,
        pub hash: BoundedVec<u8>,
        pub group_hash: BoundedVec<u8>,
        pub scheme_id: BoundedVec<u8>,
        pub metadata: Metadata,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct Metadata {
        pub beacon_id: BoundedVec<u8>,
    }
}

storage! { "Drand":
    /// Whose pulses count. A development chain has a beacon of its own.
    BEACON_CONFIG "BeaconConfig": [] () => types::BeaconConfiguration;
    /// The pulses of rounds.
    PULSES "Pulses": [Blake2_128Concat] u64 => types::Pulse, optional;
    /// The newest round with a pulse.
    LAST_STORED_ROUND "LastStoredRound": [] () => u64;
    /// The oldest round with a pulse.
    OLDEST_STORED_ROUND "OldestStoredRound": [] () => u64;
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 1)]
        NewPulse { rounds: Vec<u64> },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        NoneValue,
        StorageOverflow,
        DrandConnectionFailure,
        UnverifiedPulse,
        InvalidRoundNumber,
        PulseVerificationError,
    }
}
