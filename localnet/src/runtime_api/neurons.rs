//! `NeuronInfoRuntimeApi`.

use codec::Compact;

use crate::neurons::{at, stake};
use crate::runtime::pallet_subtensor::rpc_info::neuron_info;
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::store::Read;

type NeuronInfo = neuron_info::NeuronInfo<AccountId32>;
type NeuronInfoLite = neuron_info::NeuronInfoLite<AccountId32>;

/// The vectors of a subnet, read once for all neurons.
struct Vectors {
    netuid: u16,
    slots: u16,
    active: Vec<bool>,
    rank: Vec<u16>,
    emission: Vec<u64>,
    incentive: Vec<u16>,
    consensus: Vec<u16>,
    trust: Vec<u16>,
    validator_trust: Vec<u16>,
    dividends: Vec<u16>,
    last_update: Vec<u64>,
    validator_permit: Vec<bool>,
    pruning_score: Vec<u16>,
}

impl Vectors {
    fn read(state: &impl Read, netuid: u16) -> Self {
        Self {
            netuid,
            slots: s::SUBNETWORK_N.get(state, &netuid),
            active: s::ACTIVE.get(state, &netuid),
            rank: s::RANK.get(state, &netuid),
            emission: s::EMISSION.get(state, &netuid),
            incentive: s::INCENTIVE.get(state, &netuid),
            consensus: s::CONSENSUS.get(state, &netuid),
            trust: s::TRUST.get(state, &netuid),
            validator_trust: s::VALIDATOR_TRUST.get(state, &netuid),
            dividends: s::DIVIDENDS.get(state, &netuid),
            last_update: s::LAST_UPDATE.get(state, &netuid),
            validator_permit: s::VALIDATOR_PERMIT.get(state, &netuid),
            pruning_score: s::PRUNING_SCORES.get(state, &netuid),
        }
    }

    fn lite(&self, state: &impl Read, uid: u16) -> NeuronInfoLite {
        let hotkey = s::KEYS.get(state, &(self.netuid, uid));
        let coldkey = s::OWNER.get(state, &hotkey);
        NeuronInfoLite {
            hotkey,
            coldkey,
            uid: Compact(uid),
            netuid: Compact(self.netuid),
            active: at(&self.active, uid),
            axon_info: s::AXONS.get(state, &(self.netuid, hotkey)),
            prometheus_info: s::PROMETHEUS.get(state, &(self.netuid, hotkey)),
            stake: vec![(coldkey, Compact(stake(state, self.netuid, hotkey)))],
            rank: Compact(at(&self.rank, uid)),
            emission: Compact(at(&self.emission, uid)),
            incentive: Compact(at(&self.incentive, uid)),
            consensus: Compact(at(&self.consensus, uid)),
            trust: Compact(at(&self.trust, uid)),
            validator_trust: Compact(at(&self.validator_trust, uid)),
            dividends: Compact(at(&self.dividends, uid)),
            last_update: Compact(at(&self.last_update, uid)),
            validator_permit: at(&self.validator_permit, uid),
            pruning_score: Compact(at(&self.pruning_score, uid)),
        }
    }

    fn whole(&self, state: &impl Read, uid: u16) -> NeuronInfo {
        let row = |row: Vec<(u16, u16)>| row.into_iter().map(|(uid, value)| (Compact(uid), Compact(value))).collect();
        let lite = self.lite(state, uid);
        NeuronInfo {
            hotkey: lite.hotkey,
            coldkey: lite.coldkey,
            uid: lite.uid,
            netuid: lite.netuid,
            active: lite.active,
            axon_info: lite.axon_info,
            prometheus_info: lite.prometheus_info,
            stake: lite.stake,
            rank: lite.rank,
            emission: lite.emission,
            incentive: lite.incentive,
            consensus: lite.consensus,
            trust: lite.trust,
            validator_trust: lite.validator_trust,
            dividends: lite.dividends,
            last_update: lite.last_update,
            validator_permit: lite.validator_permit,
            weights: row(s::WEIGHTS.get(state, &(self.netuid, uid))),
            bonds: row(s::BONDS.get(state, &(self.netuid, uid))),
            pruning_score: lite.pruning_score,
        }
    }
}

pub(super) fn all(state: &impl Read, netuid: u16) -> Vec<NeuronInfo> {
    let vectors = Vectors::read(state, netuid);
    (0..vectors.slots).map(|uid| vectors.whole(state, uid)).collect()
}

pub(super) fn all_lite(state: &impl Read, netuid: u16) -> Vec<NeuronInfoLite> {
    let vectors = Vectors::read(state, netuid);
    (0..vectors.slots).map(|uid| vectors.lite(state, uid)).collect()
}

pub(super) fn one(state: &impl Read, netuid: u16, uid: u16) -> Option<NeuronInfo> {
    let vectors = Vectors::read(state, netuid);
    (uid < vectors.slots).then(|| vectors.whole(state, uid))
}

pub(super) fn one_lite(state: &impl Read, netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
    let vectors = Vectors::read(state, netuid);
    (uid < vectors.slots).then(|| vectors.lite(state, uid))
}
