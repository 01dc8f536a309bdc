//! This chain's own pallet: what the root key may arrange, and what differs from subtensor. Subtensor has nothing of it.

use crate::item::storage;

storage! { "Development":
    /// Axons may announce loopback addresses, which subtensor refuses: on a chain of one machine there are no others.
    ALLOW_LOOPBACK_AXONS "AllowLoopbackAxons": [] () => bool;
    /// Alpha in rao that a subnet emits in a block.
    ALPHA_PER_BLOCK "AlphaPerBlock": [] () => u64 = 1_000_000_000;
    /// The seed of this chain's own beacon. Whoever reads it opens every commit at once: it keeps the order of a test, no secret.
    BEACON_SEED "BeaconSeed": [] () => [u8; 32], optional;
    /// Blocks of a subnet's last epochs, where they follow no formula.
    EPOCH_BLOCKS "EpochBlocks": [Identity] u16 => Vec<u64>;
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::hyperparameters::Hyperparameters;
    use crate::runtime::sp_core::crypto::AccountId32;

    /// All of these are for the root key, within `Sudo.sudo`.
    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        /// Replaces a subnet's hyperparameters.
        #[codec(index = 0)]
        set_hyperparameters { netuid: u16, hyperparameters: Hyperparameters },
        /// Sets a hotkey's stake in a subnet. Permits follow at the next epoch.
        #[codec(index = 1)]
        set_stake { netuid: u16, hotkey: AccountId32, stake: u64 },
        /// Gives a slot to another hotkey, as a registration does when all slots are taken.
        #[codec(index = 2)]
        replace_neuron { netuid: u16, uid: u16, hotkey: AccountId32, coldkey: AccountId32 },
        /// Sets an account's free balance.
        #[codec(index = 3)]
        set_balance { who: AccountId32, free: u64 },
        /// Writes the beacon's signature of a round, which opens what was locked for it.
        #[codec(index = 4)]
        write_pulse { round: u64, signature: Vec<u8> },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        /// This chain cannot run a subnet with such hyperparameters.
        InvalidHyperparameters,
        /// The subnet has no such slot.
        NoSuchSlot,
        /// A beacon's signature has 48 bytes.
        InvalidPulse,
    }
}
