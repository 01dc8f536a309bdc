//! Subtensor's storage. A mechanism's index is `mechanism · 4096 + netuid`, which is the netuid for mechanism 0.

use super::types::{AxonInfo, ChainIdentityV2, NeuronCertificate, PrometheusInfo, SubnetIdentityV3};
use crate::item::storage;
use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::substrate_fixed::{FixedI128, FixedU128};

storage! { "SubtensorModule":
    NETWORKS_ADDED "NetworksAdded": [Identity] u16 => bool;
    TOTAL_NETWORKS "TotalNetworks": [] () => u16;
    NETWORK_REGISTERED_AT "NetworkRegisteredAt": [Identity] u16 => u64;
    SUBNETWORK_N "SubnetworkN": [Identity] u16 => u16;
    SUBNET_OWNER "SubnetOwner": [Identity] u16 => AccountId32;
    SUBNET_OWNER_HOTKEY "SubnetOwnerHotkey": [Identity] u16 => AccountId32;
    SUBNET_MECHANISM "SubnetMechanism": [Identity] u16 => u16;
    SUBTOKEN_ENABLED "SubtokenEnabled": [Identity] u16 => bool;
    FIRST_EMISSION_BLOCK_NUMBER "FirstEmissionBlockNumber": [Identity] u16 => u64, optional;
    TRANSFER_TOGGLE "TransferToggle": [Identity] u16 => bool = true;
    TOKEN_SYMBOL "TokenSymbol": [Identity] u16 => Vec<u8> = "\u{1d70f}".as_bytes().to_vec();
    SUBNET_IDENTITIES_V3 "SubnetIdentitiesV3": [Blake2_128Concat] u16 => SubnetIdentityV3, optional;
    IDENTITIES_V2 "IdentitiesV2": [Blake2_128Concat] AccountId32 => ChainIdentityV2, optional;
    SUBNET_TAO "SubnetTAO": [Identity] u16 => u64;
    SUBNET_ALPHA_IN "SubnetAlphaIn": [Identity] u16 => u64;
    SUBNET_ALPHA_OUT "SubnetAlphaOut": [Identity] u16 => u64;
    SUBNET_ALPHA_OUT_EMISSION "SubnetAlphaOutEmission": [Identity] u16 => u64;
    SUBNET_ALPHA_IN_EMISSION "SubnetAlphaInEmission": [Identity] u16 => u64;
    SUBNET_TAO_IN_EMISSION "SubnetTaoInEmission": [Identity] u16 => u64;
    SUBNET_VOLUME "SubnetVolume": [Identity] u16 => u128;
    SUBNET_MOVING_PRICE "SubnetMovingPrice": [Identity] u16 => FixedI128;
    PENDING_SERVER_EMISSION "PendingServerEmission": [Identity] u16 => u64;
    PENDING_VALIDATOR_EMISSION "PendingValidatorEmission": [Identity] u16 => u64;
    PENDING_ROOT_ALPHA_DIVS "PendingRootAlphaDivs": [Identity] u16 => u64;

    TEMPO "Tempo": [Identity] u16 => u16 = 360;
    BLOCKS_SINCE_LAST_STEP "BlocksSinceLastStep": [Identity] u16 => u64;
    LAST_MECHANISM_STEP_BLOCK "LastMechansimStepBlock": [Identity] u16 => u64;
    LAST_EPOCH_BLOCK "LastEpochBlock": [Identity] u16 => u64;
    PENDING_EPOCH_AT "PendingEpochAt": [Identity] u16 => u64;
    SUBNET_EPOCH_INDEX "SubnetEpochIndex": [Identity] u16 => u64;
    MAX_EPOCHS_PER_BLOCK "MaxEpochsPerBlock": [] () => u8 = 2;
    ADMIN_FREEZE_WINDOW "AdminFreezeWindow": [] () => u16 = 10;
    RHO "Rho": [Identity] u16 => u16 = 10;
    KAPPA "Kappa": [Identity] u16 => u16 = 32767;
    ALPHA_SIGMOID_STEEPNESS "AlphaSigmoidSteepness": [Identity] u16 => i16 = 1000;
    ALPHA_VALUES "AlphaValues": [Identity] u16 => (u16, u16) = (45875, 58982);
    LIQUID_ALPHA_ON "LiquidAlphaOn": [Blake2_128Concat] u16 => bool;
    YUMA3_ON "Yuma3On": [Blake2_128Concat] u16 => bool;
    BONDS_MOVING_AVERAGE "BondsMovingAverage": [Identity] u16 => u64 = 900_000;
    BONDS_PENALTY "BondsPenalty": [Identity] u16 => u16 = 65535;
    BONDS_RESET_ON "BondsResetOn": [Identity] u16 => bool;
    IMMUNITY_PERIOD "ImmunityPeriod": [Identity] u16 => u16 = 4096;
    ACTIVITY_CUTOFF "ActivityCutoff": [Identity] u16 => u16 = 5000;
    ACTIVITY_CUTOFF_FACTOR_MILLI "ActivityCutoffFactorMilli": [Identity] u16 => u32 = 13_889;
    MIN_ALLOWED_UIDS "MinAllowedUids": [Identity] u16 => u16 = 64;
    MAX_ALLOWED_UIDS "MaxAllowedUids": [Identity] u16 => u16 = 256;
    MAX_ALLOWED_VALIDATORS "MaxAllowedValidators": [Identity] u16 => u16 = 128;
    MIN_NON_IMMUNE_UIDS "MinNonImmuneUids": [Identity] u16 => u16 = 10;
    MAX_WEIGHTS_LIMIT "MaxWeightsLimit": [Identity] u16 => u16 = 65535;
    MIN_ALLOWED_WEIGHTS "MinAllowedWeights": [Identity] u16 => u16 = 1024;
    WEIGHTS_VERSION_KEY "WeightsVersionKey": [Identity] u16 => u64;
    WEIGHTS_SET_RATE_LIMIT "WeightsSetRateLimit": [Identity] u16 => u64 = 100;
    SERVING_RATE_LIMIT "ServingRateLimit": [Identity] u16 => u64 = 50;
    COMMIT_REVEAL_WEIGHTS_ENABLED "CommitRevealWeightsEnabled": [Identity] u16 => bool = true;
    COMMIT_REVEAL_WEIGHTS_VERSION "CommitRevealWeightsVersion": [] () => u16 = 4;
    REVEAL_PERIOD_EPOCHS "RevealPeriodEpochs": [Twox64Concat] u16 => u64 = 1;
    MAX_MECHANISM_COUNT "MaxMechanismCount": [] () => u8 = 2;
    MECHANISM_COUNT_CURRENT "MechanismCountCurrent": [Twox64Concat] u16 => u8 = 1;
    MECHANISM_EMISSION_SPLIT "MechanismEmissionSplit": [Twox64Concat] u16 => Vec<u16>, optional;
    STAKE_THRESHOLD "StakeThreshold": [] () => u64;
    TAO_WEIGHT "TaoWeight": [] () => u64 = 971_718_665_099_567_868;
    NETWORK_REGISTRATION_ALLOWED "NetworkRegistrationAllowed": [Identity] u16 => bool = true;
    NETWORK_POW_REGISTRATION_ALLOWED "NetworkPowRegistrationAllowed": [Identity] u16 => bool = true;
    MAX_REGISTRATIONS_PER_BLOCK "MaxRegistrationsPerBlock": [Identity] u16 => u16 = 1;
    TARGET_REGISTRATIONS_PER_INTERVAL "TargetRegistrationsPerInterval": [Identity] u16 => u16 = 2;
    ADJUSTMENT_INTERVAL "AdjustmentInterval": [Identity] u16 => u16 = 100;
    ADJUSTMENT_ALPHA "AdjustmentAlpha": [Identity] u16 => u64;
    BURN "Burn": [Identity] u16 => u64 = 100_000_000;
    MIN_BURN "MinBurn": [Identity] u16 => u64 = 500_000;
    MAX_BURN "MaxBurn": [Identity] u16 => u64 = 100_000_000_000;
    DIFFICULTY "Difficulty": [Identity] u16 => u64 = 10_000_000;
    MIN_DIFFICULTY "MinDifficulty": [Identity] u16 => u64 = 10_000_000;
    MAX_DIFFICULTY "MaxDifficulty": [Identity] u16 => u64 = 4_611_686_018_427_387_903;

    UIDS "Uids": [Identity, Blake2_128Concat] (u16, AccountId32) => u16, optional;
    KEYS "Keys": [Identity, Identity] (u16, u16) => AccountId32;
    BLOCK_AT_REGISTRATION "BlockAtRegistration": [Identity, Identity] (u16, u16) => u64;
    IS_NETWORK_MEMBER "IsNetworkMember": [Blake2_128Concat, Identity] (AccountId32, u16) => bool;
    AXONS "Axons": [Identity, Blake2_128Concat] (u16, AccountId32) => AxonInfo, optional;
    PROMETHEUS "Prometheus": [Identity, Blake2_128Concat] (u16, AccountId32) => PrometheusInfo, optional;
    NEURON_CERTIFICATES "NeuronCertificates": [Identity, Blake2_128Concat] (u16, AccountId32) => NeuronCertificate,
        optional;
    ACTIVE "Active": [Identity] u16 => Vec<bool>;
    RANK "Rank": [Identity] u16 => Vec<u16>;
    TRUST "Trust": [Identity] u16 => Vec<u16>;
    CONSENSUS "Consensus": [Identity] u16 => Vec<u16>;
    INCENTIVE "Incentive": [Identity] u16 => Vec<u16>;
    DIVIDENDS "Dividends": [Identity] u16 => Vec<u16>;
    EMISSION "Emission": [Identity] u16 => Vec<u64>;
    LAST_UPDATE "LastUpdate": [Identity] u16 => Vec<u64>;
    VALIDATOR_TRUST "ValidatorTrust": [Identity] u16 => Vec<u16>;
    PRUNING_SCORES "PruningScores": [Identity] u16 => Vec<u16>;
    VALIDATOR_PERMIT "ValidatorPermit": [Identity] u16 => Vec<bool>;
    STAKE_WEIGHT "StakeWeight": [Identity] u16 => Vec<u16>;
    WEIGHTS "Weights": [Identity, Identity] (u16, u16) => Vec<(u16, u16)>;
    BONDS "Bonds": [Identity, Identity] (u16, u16) => Vec<(u16, u16)>;

    OWNER "Owner": [Blake2_128Concat] AccountId32 => AccountId32;
    OWNED_HOTKEYS "OwnedHotkeys": [Blake2_128Concat] AccountId32 => Vec<AccountId32>;
    STAKING_HOTKEYS "StakingHotkeys": [Blake2_128Concat] AccountId32 => Vec<AccountId32>;
    DELEGATES "Delegates": [Blake2_128Concat] AccountId32 => u16 = 11796;
    TOTAL_HOTKEY_ALPHA "TotalHotkeyAlpha": [Blake2_128Concat, Identity] (AccountId32, u16) => u64;
    TOTAL_HOTKEY_SHARES "TotalHotkeyShares": [Blake2_128Concat, Identity] (AccountId32, u16) => FixedU128;
    CHILD_KEYS "ChildKeys": [Blake2_128Concat, Identity] (AccountId32, u16) => Vec<(u64, AccountId32)>;
    PARENT_KEYS "ParentKeys": [Blake2_128Concat, Identity] (AccountId32, u16) => Vec<(u64, AccountId32)>;

    /// Hash, block of the commit, first and last block of the reveal.
    WEIGHT_COMMITS "WeightCommits": [Twox64Concat, Twox64Concat] (u16, AccountId32) => Vec<(H256, u64, u64, u64)>,
        optional;
    /// Who, block of the commit, ciphertext, beacon round; under the epoch of the commit.
    TIMELOCKED_WEIGHT_COMMITS "TimelockedWeightCommits": [Twox64Concat, Twox64Concat]
        (u16, u64) => Vec<(AccountId32, u64, BoundedVec<u8>, u64)>;
}
