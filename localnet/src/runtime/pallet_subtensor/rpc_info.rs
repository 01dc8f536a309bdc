//! The answers of the runtime APIs. Numbers are compact where the chain has them compact.

/// Neurons as clients ask for them.
pub mod neuron_info {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    use super::super::types::{AxonInfo, PrometheusInfo};

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct NeuronInfo<AccountId> {
        pub hotkey: AccountId,
        pub coldkey: AccountId,
        pub uid: Compact<u16>,
        pub netuid: Compact<u16>,
        pub active: bool,
        pub axon_info: AxonInfo,
        pub prometheus_info: PrometheusInfo,
        pub stake: Vec<(AccountId, Compact<u64>)>,
        pub rank: Compact<u16>,
        pub emission: Compact<u64>,
        pub incentive: Compact<u16>,
        pub consensus: Compact<u16>,
        pub trust: Compact<u16>,
        pub validator_trust: Compact<u16>,
        pub dividends: Compact<u16>,
        pub last_update: Compact<u64>,
        pub validator_permit: bool,
        pub weights: Vec<(Compact<u16>, Compact<u16>)>,
        pub bonds: Vec<(Compact<u16>, Compact<u16>)>,
        pub pruning_score: Compact<u16>,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct NeuronInfoLite<AccountId> {
        pub hotkey: AccountId,
        pub coldkey: AccountId,
        pub uid: Compact<u16>,
        pub netuid: Compact<u16>,
        pub active: bool,
        pub axon_info: AxonInfo,
        pub prometheus_info: PrometheusInfo,
        pub stake: Vec<(AccountId, Compact<u64>)>,
        pub rank: Compact<u16>,
        pub emission: Compact<u64>,
        pub incentive: Compact<u16>,
        pub consensus: Compact<u16>,
        pub trust: Compact<u16>,
        pub validator_trust: Compact<u16>,
        pub dividends: Compact<u16>,
        pub last_update: Compact<u64>,
        pub validator_permit: bool,
        pub pruning_score: Compact<u16>,
    }
}

/// Hyperparameters.
pub mod subnet_info {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::substrate_fixed::FixedI64;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct SubnetHyperparams {
        pub rho: Compact<u16>,
        pub kappa: Compact<u16>,
        pub immunity_period: Compact<u16>,
        pub min_allowed_weights: Compact<u16>,
        pub max_weights_limit: Compact<u16>,
        pub tempo: Compact<u16>,
        pub min_difficulty: Compact<u64>,
        pub max_difficulty: Compact<u64>,
        pub weights_version: Compact<u64>,
        pub weights_rate_limit: Compact<u64>,
        pub adjustment_interval: Compact<u16>,
        pub activity_cutoff: Compact<u16>,
        pub registration_allowed: bool,
        pub target_regs_per_interval: Compact<u16>,
        pub min_burn: Compact<u64>,
        pub max_burn: Compact<u64>,
        pub bonds_moving_avg: Compact<u64>,
        pub max_regs_per_block: Compact<u16>,
        pub serving_rate_limit: Compact<u64>,
        pub max_validators: Compact<u16>,
        pub adjustment_alpha: Compact<u64>,
        pub difficulty: Compact<u64>,
        pub commit_reveal_period: Compact<u64>,
        pub commit_reveal_weights_enabled: bool,
        pub alpha_high: Compact<u16>,
        pub alpha_low: Compact<u16>,
        pub liquid_alpha_enabled: bool,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct SubnetHyperparamsV2 {
        pub rho: Compact<u16>,
        pub kappa: Compact<u16>,
        pub immunity_period: Compact<u16>,
        pub min_allowed_weights: Compact<u16>,
        pub max_weights_limit: Compact<u16>,
        pub tempo: Compact<u16>,
        pub min_difficulty: Compact<u64>,
        pub max_difficulty: Compact<u64>,
        pub weights_version: Compact<u64>,
        pub weights_rate_limit: Compact<u64>,
        pub adjustment_interval: Compact<u16>,
        pub activity_cutoff: Compact<u16>,
        pub registration_allowed: bool,
        pub target_regs_per_interval: Compact<u16>,
        pub min_burn: Compact<u64>,
        pub max_burn: Compact<u64>,
        pub bonds_moving_avg: Compact<u64>,
        pub max_regs_per_block: Compact<u16>,
        pub serving_rate_limit: Compact<u64>,
        pub max_validators: Compact<u16>,
        pub adjustment_alpha: Compact<u64>,
        pub difficulty: Compact<u64>,
        pub commit_reveal_period: Compact<u64>,
        pub commit_reveal_weights_enabled: bool,
        pub alpha_high: Compact<u16>,
        pub alpha_low: Compact<u16>,
        pub liquid_alpha_enabled: bool,
        pub alpha_sigmoid_steepness: FixedI64,
        pub yuma_version: Compact<u16>,
        pub subnet_is_active: bool,
        pub transfers_enabled: bool,
        pub bonds_reset_enabled: bool,
        pub user_liquidity_enabled: bool,
    }
}

/// All neurons of a subnet, one vector per property.
pub mod show_subnet {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct SubnetState<AccountId> {
        pub netuid: Compact<u16>,
        pub hotkeys: Vec<AccountId>,
        pub coldkeys: Vec<AccountId>,
        pub active: Vec<bool>,
        pub validator_permit: Vec<bool>,
        pub pruning_score: Vec<Compact<u16>>,
        pub last_update: Vec<Compact<u64>>,
        pub emission: Vec<Compact<u64>>,
        pub dividends: Vec<Compact<u16>>,
        pub incentives: Vec<Compact<u16>>,
        pub consensus: Vec<Compact<u16>>,
        pub trust: Vec<Compact<u16>>,
        pub rank: Vec<Compact<u16>>,
        pub block_at_registration: Vec<Compact<u64>>,
        pub alpha_stake: Vec<Compact<u64>>,
        pub tao_stake: Vec<Compact<u64>>,
        pub total_stake: Vec<Compact<u64>>,
        pub emission_history: Vec<Vec<Compact<u64>>>,
    }
}

/// A subnet with its hyperparameters and neurons; the selective form holds what was asked for.
pub mod metagraph {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    use super::super::types::{AxonInfo, ChainIdentityV2, SubnetIdentityV3};
    use crate::runtime::substrate_fixed::FixedI128;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct Metagraph<AccountId> {
        pub netuid: Compact<u16>,
        pub name: Vec<Compact<u8>>,
        pub symbol: Vec<Compact<u8>>,
        pub identity: Option<SubnetIdentityV3>,
        pub network_registered_at: Compact<u64>,
        pub owner_hotkey: AccountId,
        pub owner_coldkey: AccountId,
        pub block: Compact<u64>,
        pub tempo: Compact<u16>,
        pub last_step: Compact<u64>,
        pub blocks_since_last_step: Compact<u64>,
        pub subnet_emission: Compact<u64>,
        pub alpha_in: Compact<u64>,
        pub alpha_out: Compact<u64>,
        pub tao_in: Compact<u64>,
        pub alpha_out_emission: Compact<u64>,
        pub alpha_in_emission: Compact<u64>,
        pub tao_in_emission: Compact<u64>,
        pub pending_alpha_emission: Compact<u64>,
        pub pending_root_emission: Compact<u64>,
        pub subnet_volume: Compact<u128>,
        pub moving_price: FixedI128,
        pub rho: Compact<u16>,
        pub kappa: Compact<u16>,
        pub min_allowed_weights: Compact<u16>,
        pub max_weights_limit: Compact<u16>,
        pub weights_version: Compact<u64>,
        pub weights_rate_limit: Compact<u64>,
        pub activity_cutoff: Compact<u16>,
        pub max_validators: Compact<u16>,
        pub num_uids: Compact<u16>,
        pub max_uids: Compact<u16>,
        pub burn: Compact<u64>,
        pub difficulty: Compact<u64>,
        pub registration_allowed: bool,
        pub pow_registration_allowed: bool,
        pub immunity_period: Compact<u16>,
        pub min_difficulty: Compact<u64>,
        pub max_difficulty: Compact<u64>,
        pub min_burn: Compact<u64>,
        pub max_burn: Compact<u64>,
        pub adjustment_alpha: Compact<u64>,
        pub adjustment_interval: Compact<u16>,
        pub target_regs_per_interval: Compact<u16>,
        pub max_regs_per_block: Compact<u16>,
        pub serving_rate_limit: Compact<u64>,
        pub commit_reveal_weights_enabled: bool,
        pub commit_reveal_period: Compact<u64>,
        pub liquid_alpha_enabled: bool,
        pub alpha_high: Compact<u16>,
        pub alpha_low: Compact<u16>,
        pub bonds_moving_avg: Compact<u64>,
        pub hotkeys: Vec<AccountId>,
        pub coldkeys: Vec<AccountId>,
        pub identities: Vec<Option<ChainIdentityV2>>,
        pub axons: Vec<AxonInfo>,
        pub active: Vec<bool>,
        pub validator_permit: Vec<bool>,
        pub pruning_score: Vec<Compact<u16>>,
        pub last_update: Vec<Compact<u64>>,
        pub emission: Vec<Compact<u64>>,
        pub dividends: Vec<Compact<u16>>,
        pub incentives: Vec<Compact<u16>>,
        pub consensus: Vec<Compact<u16>>,
        pub trust: Vec<Compact<u16>>,
        pub rank: Vec<Compact<u16>>,
        pub block_at_registration: Vec<Compact<u64>>,
        pub alpha_stake: Vec<Compact<u64>>,
        pub tao_stake: Vec<Compact<u64>>,
        pub total_stake: Vec<Compact<u64>>,
        pub tao_dividends_per_hotkey: Vec<(AccountId, Compact<u64>)>,
        pub alpha_dividends_per_hotkey: Vec<(AccountId, Compact<u64>)>,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct SelectiveMetagraph<AccountId> {
        pub netuid: Compact<u16>,
        pub name: Option<Vec<Compact<u8>>>,
        pub symbol: Option<Vec<Compact<u8>>>,
        pub identity: Option<Option<SubnetIdentityV3>>,
        pub network_registered_at: Option<Compact<u64>>,
        pub owner_hotkey: Option<AccountId>,
        pub owner_coldkey: Option<AccountId>,
        pub block: Option<Compact<u64>>,
        pub tempo: Option<Compact<u16>>,
        pub last_step: Option<Compact<u64>>,
        pub blocks_since_last_step: Option<Compact<u64>>,
        pub subnet_emission: Option<Compact<u64>>,
        pub alpha_in: Option<Compact<u64>>,
        pub alpha_out: Option<Compact<u64>>,
        pub tao_in: Option<Compact<u64>>,
        pub alpha_out_emission: Option<Compact<u64>>,
        pub alpha_in_emission: Option<Compact<u64>>,
        pub tao_in_emission: Option<Compact<u64>>,
        pub pending_alpha_emission: Option<Compact<u64>>,
        pub pending_root_emission: Option<Compact<u64>>,
        pub subnet_volume: Option<Compact<u128>>,
        pub moving_price: Option<FixedI128>,
        pub rho: Option<Compact<u16>>,
        pub kappa: Option<Compact<u16>>,
        pub min_allowed_weights: Option<Compact<u16>>,
        pub max_weights_limit: Option<Compact<u16>>,
        pub weights_version: Option<Compact<u64>>,
        pub weights_rate_limit: Option<Compact<u64>>,
        pub activity_cutoff: Option<Compact<u16>>,
        pub max_validators: Option<Compact<u16>>,
        pub num_uids: Option<Compact<u16>>,
        pub max_uids: Option<Compact<u16>>,
        pub burn: Option<Compact<u64>>,
        pub difficulty: Option<Compact<u64>>,
        pub registration_allowed: Option<bool>,
        pub pow_registration_allowed: Option<bool>,
        pub immunity_period: Option<Compact<u16>>,
        pub min_difficulty: Option<Compact<u64>>,
        pub max_difficulty: Option<Compact<u64>>,
        pub min_burn: Option<Compact<u64>>,
        pub max_burn: Option<Compact<u64>>,
        pub adjustment_alpha: Option<Compact<u64>>,
        pub adjustment_interval: Option<Compact<u16>>,
        pub target_regs_per_interval: Option<Compact<u16>>,
        pub max_regs_per_block: Option<Compact<u16>>,
        pub serving_rate_limit: Option<Compact<u64>>,
        pub commit_reveal_weights_enabled: Option<bool>,
        pub commit_reveal_period: Option<Compact<u64>>,
        pub liquid_alpha_enabled: Option<bool>,
        pub alpha_high: Option<Compact<u16>>,
        pub alpha_low: Option<Compact<u16>>,
        pub bonds_moving_avg: Option<Compact<u64>>,
        pub hotkeys: Option<Vec<AccountId>>,
        pub coldkeys: Option<Vec<AccountId>>,
        pub identities: Option<Vec<Option<ChainIdentityV2>>>,
        pub axons: Option<Vec<AxonInfo>>,
        pub active: Option<Vec<bool>>,
        pub validator_permit: Option<Vec<bool>>,
        pub pruning_score: Option<Vec<Compact<u16>>>,
        pub last_update: Option<Vec<Compact<u64>>>,
        pub emission: Option<Vec<Compact<u64>>>,
        pub dividends: Option<Vec<Compact<u16>>>,
        pub incentives: Option<Vec<Compact<u16>>>,
        pub consensus: Option<Vec<Compact<u16>>>,
        pub trust: Option<Vec<Compact<u16>>>,
        pub rank: Option<Vec<Compact<u16>>>,
        pub block_at_registration: Option<Vec<Compact<u64>>>,
        pub alpha_stake: Option<Vec<Compact<u64>>>,
        pub tao_stake: Option<Vec<Compact<u64>>>,
        pub total_stake: Option<Vec<Compact<u64>>>,
        pub tao_dividends_per_hotkey: Option<Vec<(AccountId, Compact<u64>)>>,
        pub alpha_dividends_per_hotkey: Option<Vec<(AccountId, Compact<u64>)>>,
        pub validators: Option<Vec<Compact<u16>>>,
        pub commitments: Option<Vec<(AccountId, Vec<Compact<u8>>)>>,
    }
}

/// A subnet's token.
pub mod dynamic_info {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    use super::super::types::SubnetIdentityV3;
    use crate::runtime::substrate_fixed::FixedI128;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct DynamicInfo<AccountId> {
        pub netuid: Compact<u16>,
        pub owner_hotkey: AccountId,
        pub owner_coldkey: AccountId,
        pub subnet_name: Vec<Compact<u8>>,
        pub token_symbol: Vec<Compact<u8>>,
        pub tempo: Compact<u16>,
        pub last_step: Compact<u64>,
        pub blocks_since_last_step: Compact<u64>,
        pub emission: Compact<u64>,
        pub alpha_in: Compact<u64>,
        pub alpha_out: Compact<u64>,
        pub tao_in: Compact<u64>,
        pub alpha_out_emission: Compact<u64>,
        pub alpha_in_emission: Compact<u64>,
        pub tao_in_emission: Compact<u64>,
        pub pending_alpha_emission: Compact<u64>,
        pub pending_root_emission: Compact<u64>,
        pub subnet_volume: Compact<u128>,
        pub network_registered_at: Compact<u64>,
        pub subnet_identity: Option<SubnetIdentityV3>,
        pub moving_price: FixedI128,
    }
}

/// A stake.
pub mod stake_info {
    use codec::{Compact, Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct StakeInfo<AccountId> {
        pub hotkey: AccountId,
        pub coldkey: AccountId,
        pub netuid: Compact<u16>,
        pub stake: Compact<u64>,
        pub locked: Compact<u64>,
        pub emission: Compact<u64>,
        pub tao_emission: Compact<u64>,
        pub drain: Compact<u64>,
        pub is_registered: bool,
    }
}
