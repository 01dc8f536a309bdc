//! Hyperparameters one by one, as subtensor's root key sets them.

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    /// All of these are for the root key, within `Sudo.sudo`.
    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 3)]
        sudo_set_serving_rate_limit { netuid: u16, serving_rate_limit: u64 },
        #[codec(index = 6)]
        sudo_set_weights_version_key { netuid: u16, weights_version_key: u64 },
        #[codec(index = 7)]
        sudo_set_weights_set_rate_limit { netuid: u16, weights_set_rate_limit: u64 },
        #[codec(index = 13)]
        sudo_set_immunity_period { netuid: u16, immunity_period: u16 },
        #[codec(index = 14)]
        sudo_set_min_allowed_weights { netuid: u16, min_allowed_weights: u16 },
        #[codec(index = 15)]
        sudo_set_max_allowed_uids { netuid: u16, max_allowed_uids: u16 },
        #[codec(index = 16)]
        sudo_set_kappa { netuid: u16, kappa: u16 },
        #[codec(index = 18)]
        sudo_set_activity_cutoff { netuid: u16, activity_cutoff: u16 },
        #[codec(index = 19)]
        sudo_set_network_registration_allowed { netuid: u16, registration_allowed: bool },
        #[codec(index = 25)]
        sudo_set_max_allowed_validators { netuid: u16, max_allowed_validators: u16 },
        #[codec(index = 26)]
        sudo_set_bonds_moving_average { netuid: u16, bonds_moving_average: u64 },
        #[codec(index = 60)]
        sudo_set_bonds_penalty { netuid: u16, bonds_penalty: u16 },
        #[codec(index = 30)]
        sudo_set_tempo { netuid: u16, tempo: u16 },
        #[codec(index = 42)]
        sudo_set_stake_threshold { min_stake: u64 },
        #[codec(index = 49)]
        sudo_set_commit_reveal_weights_enabled { netuid: u16, enabled: bool },
        #[codec(index = 50)]
        sudo_set_liquid_alpha_enabled { netuid: u16, enabled: bool },
        #[codec(index = 57)]
        sudo_set_commit_reveal_weights_interval { netuid: u16, interval: u64 },
        #[codec(index = 69)]
        sudo_set_yuma3_enabled { netuid: u16, enabled: bool },
        #[codec(index = 76)]
        sudo_set_mechanism_count { netuid: u16, mechanism_count: u8 },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        SubnetDoesNotExist,
        MaxValidatorsLargerThanMaxUIds,
        MaxAllowedUIdsLessThanCurrentUIds,
        BondsMovingAverageMaxReached,
        NegativeSigmoidSteepness,
        ValueNotInBounds,
        MinAllowedUidsGreaterThanCurrentUids,
        MinAllowedUidsGreaterThanMaxAllowedUids,
        MaxAllowedUidsLessThanMinAllowedUids,
        MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
        InvalidValue,
    }
}
