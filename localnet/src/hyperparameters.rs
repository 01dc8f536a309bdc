//! What a subnet is run by.

use codec::{Decode, Encode};
use domain::types::Rao;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A subnet's hyperparameters, in the chain's units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TypeInfo)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperparameters {
    /// Epochs run every `tempo + 1` blocks; 0 for none.
    pub tempo: u16,
    /// Blocks that must lie between two weight settings of one neuron.
    pub weights_rate_limit: u64,
    /// The fewest weights a setting may have.
    pub min_allowed_weights: u16,
    /// The largest share of one weight, in 65535ths.
    pub max_weight_limit: u16,
    /// The version key that a setting must reach; 0 for any.
    pub weights_version_key: u64,
    /// Weights are committed first and revealed later.
    pub commit_reveal_enabled: bool,
    /// Epochs between commit and reveal.
    pub reveal_period_epochs: u64,
    /// Blocks after registration during which a neuron is not replaced.
    pub immunity_period: u16,
    /// Slots.
    pub max_allowed_uids: u16,
    /// Permits.
    pub max_allowed_validators: u16,
    /// Blocks that must lie between two announcements of one axon.
    pub serving_rate_limit: u64,
    /// The least stake for setting weights, in rao. One value for the whole chain: the last one set counts.
    pub stake_threshold: u64,
    /// Blocks after which a neuron without update counts as inactive.
    pub activity_cutoff: u16,
    /// Share of stake that makes a consensus, in 65535ths.
    pub kappa: u16,
    /// The part of old bonds that stays, in millionths.
    pub bonds_moving_average: u64,
    /// How much bonds follow clipped weights, in 65535ths.
    pub bonds_penalty: u16,
    /// Consensus of the third kind.
    pub yuma3: bool,
    /// Bonds move faster where a validator agrees with the consensus.
    pub liquid_alpha: bool,
    /// Mechanisms.
    pub mechanism_count: u8,
    /// What a registration costs, in rao.
    pub burn: u64,
}

impl Default for Hyperparameters {
    /// For a development chain: short epochs, no rate limit on announcements, free registration. Not the defaults of
    /// subtensor.
    fn default() -> Self {
        Self {
            tempo: 20,
            weights_rate_limit: 5,
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
            weights_version_key: 0,
            commit_reveal_enabled: false,
            reveal_period_epochs: 1,
            immunity_period: 10,
            max_allowed_uids: 256,
            max_allowed_validators: 64,
            serving_rate_limit: 0,
            stake_threshold: 0,
            activity_cutoff: 5000,
            kappa: 32767,
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: false,
            liquid_alpha: false,
            mechanism_count: 1,
            burn: 0,
        }
    }
}

/// At most so many mechanisms, as in subtensor.
const MAXIMUM_MECHANISMS: u8 = 16;

impl Hyperparameters {
    /// Why this chain cannot run a subnet with these.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.max_allowed_uids == 0 || self.max_allowed_uids > 4096 {
            return Some("max_allowed_uids is not from 1 to 4096");
        }
        if self.mechanism_count == 0 || self.mechanism_count > MAXIMUM_MECHANISMS {
            return Some("mechanism_count is not from 1 to 16");
        }
        if self.bonds_moving_average > 1_000_000 {
            return Some("bonds_moving_average is above 1000000");
        }
        None
    }

    /// The same with a stake threshold.
    #[must_use]
    pub fn with_stake_threshold(self, threshold: Rao) -> Self {
        Self { stake_threshold: threshold.0, ..self }
    }
}
